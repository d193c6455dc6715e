//! The loopback provider: a server in your process that speaks the providers' wire formats, to test
//! programs without a key (feature `testing`).
//!
//! A [`Loopback`] listens on a free port of 127.0.0.1. It answers OpenAI's Chat Completions, the
//! older text completions, Anthropic's Messages and the other formats of chats, streamed or not, with
//! the [`Reply`]s you give it, and records the [`Request`]s. A reply can simulate faults: late, slow,
//! cut, reset, stalled, malformed. For embeddings it computes [vectors](embedding) from the texts. For
//! moderation it flags a category if the content contains its name, such as "violence". It takes
//! batches and answers each of their requests like a single call; a [`BatchScript`] makes them fail.
//! Everything runs over real sockets, so the client under test needs no mock.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//! use tollgate::testing::{Loopback, Reply};
//!
//! # fn main() -> std::io::Result<()> {
//! let server = Loopback::start()?;
//! server.reply(Reply::text("Paris"));
//!
//! let mut socket = TcpStream::connect(server.address())?;
//! let body = r#"{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Capital?"}]}"#;
//! let length = body.len();
//! write!(
//!     socket,
//!     "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n\
//!      content-length: {length}\r\nconnection: close\r\n\r\n{body}"
//! )?;
//! let mut answer = String::new();
//! socket.read_to_string(&mut answer)?;
//!
//! assert!(answer.contains("Paris"));
//! assert_eq!(server.requests()[0].model(), Some("gpt-4o-mini"));
//! # Ok(())
//! # }
//! ```

mod anthropic;
mod batches;
mod bedrock;
mod cohere;
mod connection;
mod content;
mod embeddings;
mod gemini;
mod http;
mod moderations;
mod ollama;
mod openai;
mod paths;
mod record;
mod recordings;
mod render;
mod reply;
mod request;
mod response;
mod responses;
mod script;
mod server;
#[cfg(test)]
mod tests;
mod upstream;
mod vertex;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::provider::{EmbeddingFormat, Format, Profile, Provider};
use server::{Mode, Server};

pub use batches::BatchScript;
pub use embeddings::embedding;
pub use reply::{Framing, Reply};
pub use request::Request;

/// A server in this process that answers like a provider.
///
/// It chooses a reply in this order: the first matching rule ([`on`](Loopback::on),
/// [`respond`](Loopback::respond)), the next scripted reply ([`reply`](Loopback::reply)), the
/// [`default_reply`](Loopback::default_reply). [`recordings`](Loopback::recordings) take the place of
/// the last two. Requests that a provider would refuse get its error
/// and use up no scripted reply: requests without the [required key](Loopback::require_key) (rules
/// do not apply to them either), to an unknown path, or without a JSON object. A wrong base URL
/// therefore shows as a 404. The server knows the paths of OpenAI, of Anthropic, and of the
/// providers whose [`base_url`](Loopback::base_url) you asked for.
///
/// Dropping it [stops](Loopback::stop) it. All methods take `&self`, so threads can share it by
/// reference.
///
/// ```
/// use tollgate::Provider;
/// use tollgate::testing::{Loopback, Reply};
///
/// # fn main() -> std::io::Result<()> {
/// let server = Loopback::start()?;
/// server.on(|request| request.body_contains("weather"), Reply::text("Sunny."));
/// server.reply(Reply::status(429).header("retry-after", "1"));
/// server.reply(Reply::text("Here you are."));
///
/// let url = server.base_url(Provider::OPENAI);
/// assert_eq!(url, format!("http://{}/v1", server.address()));
/// // … use a client with this `url`, then check what it did:
/// assert_eq!(server.request_count(), 0);
/// assert_eq!(server.connections().peak, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Loopback {
    server: Arc<Server>,
}

/// How many connections the server had and has.
///
/// A client that closes one connection and opens another at once may briefly count twice, because
/// the server notices a closed connection only when it reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connections {
    /// All connections ever accepted.
    pub opened: u64,
    /// Connections open now.
    pub open: u64,
    /// The most connections open at once.
    pub peak: u64,
}

impl Loopback {
    /// Starts a server on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// If no port or thread is available.
    pub fn start() -> io::Result<Self> {
        Self::start_on(0)
    }

    /// Starts a server on this port of 127.0.0.1, for programs that need the same one in each
    /// run. 0 stands for any free port.
    ///
    /// # Errors
    ///
    /// If the port is taken, or no thread is available.
    pub fn start_on(port: u16) -> io::Result<Self> {
        Ok(Self { server: Server::start(port)? })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// The base URL for a client of `provider`: this server's address and the path of the
    /// provider's own base URL. The server serves that path from then on.
    ///
    /// An unknown provider gets the path `/v1`; see [`serve_below`](Loopback::serve_below) for
    /// another.
    pub fn base_url(&self, provider: impl Into<Provider>) -> String {
        let address = self.server.address;
        let path = match Profile::builtin(provider.into().as_str()) {
            Some(profile) => {
                let path = path(&profile.base_url);
                if let Some(format) = profile.format {
                    self.server.paths.serve(path, format);
                }
                if let Some(format) = profile.embeddings {
                    self.server.paths.serve_embeddings(path, format);
                }
                if profile.moderation.is_some() {
                    self.server.paths.serve_moderation(path);
                }
                filled(path)
            }
            None => {
                self.serve_below("/v1");
                "/v1".to_owned()
            }
        };
        format!("http://{address}{path}")
    }

    /// Also serves the endpoints of every format below `path`, for a base URL such as
    /// `http://127.0.0.1:8080/gateway`. Default: the paths of OpenAI, Anthropic and the providers
    /// whose [`base_url`](Loopback::base_url) you asked for.
    ///
    /// ```
    /// # use tollgate::{Client, testing::Loopback};
    /// let server = Loopback::start()?;
    /// let client = Client::builder()
    ///     .provider("openai")
    ///     .model("gpt-4o-mini")
    ///     .api_key("sk-test")
    ///     .base_url(format!("http://{}/gateway", server.address()))
    ///     .build()?;
    /// // The server does not know this path yet.
    /// assert_eq!(client.chat("Hello").unwrap_err().status(), Some(404));
    /// server.serve_below("/gateway");
    /// assert!(client.chat("Hello").is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn serve_below(&self, path: &str) {
        for format in [
            Format::OpenAiChat,
            Format::Anthropic,
            Format::Bedrock,
            Format::Cohere,
            Format::Gemini,
            Format::Ollama,
            Format::Vertex,
        ] {
            self.server.paths.serve(path, format);
        }
        for format in [EmbeddingFormat::Perplexity, EmbeddingFormat::Jina, EmbeddingFormat::Voyage]
        {
            self.server.paths.serve_embeddings(path, format);
        }
        self.server.paths.serve_moderation(path);
    }

    /// Adds a reply to the script. Each is used once, in this order.
    pub fn reply(&self, reply: Reply) {
        self.server.script.push(reply);
    }

    /// Answers every request that `matches` with `reply`, before the script. The first rule added
    /// is tried first. Rules see every request, including those to unknown paths, and may run on
    /// several threads at once.
    pub fn on(&self, matches: impl Fn(&Request) -> bool + Send + Sync + 'static, reply: Reply) {
        let reply = Arc::new(reply);
        self.server.script.rule(move |request| matches(request).then(|| Arc::clone(&reply)));
    }

    /// Like [`on`](Loopback::on), with a reply made for the request. `None` passes it to the next
    /// rule.
    pub fn respond(&self, answer: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) {
        self.server.script.rule(move |request| answer(request).map(Arc::new));
    }

    /// Sets the reply for requests that no rule and no scripted reply answers. Default: a text that
    /// names the loopback provider and the number of messages.
    pub fn default_reply(&self, reply: Reply) {
        self.server.script.otherwise(reply);
    }

    /// Removes the rules, the script and the [`default_reply`](Loopback::default_reply).
    pub fn clear(&self) {
        self.server.script.clear();
    }

    /// How many scripted replies are left.
    pub fn unused_replies(&self) -> usize {
        self.server.script.unused()
    }

    /// Sets how the batches go that are created from now on. Default:
    /// [`BatchScript::new`].
    pub fn batches(&self, script: BatchScript) {
        self.server.batches.set(script);
    }

    /// Requires this key: every later request without it gets the provider's own 401. Default: no
    /// key is required.
    pub fn require_key(&self, key: impl Into<String>) {
        *self.server.key.write() = Some(key.into());
    }

    /// The recorded requests, in the order in which they were completely read. It keeps the latest
    /// 65,536, and at most 256 MiB of bodies.
    pub fn requests(&self) -> Vec<Request> {
        self.server.record.requests()
    }

    /// How many requests came, recorded or not.
    pub fn request_count(&self) -> u64 {
        self.server.record.count()
    }

    /// Sets whether requests are recorded. Default: `true`.
    pub fn record_requests(&self, on: bool) {
        self.server.record.switch(on);
    }

    /// Waits until `count` requests have come, so that a test need not sleep. Returns false after
    /// `timeout`.
    pub fn wait_for_requests(&self, count: u64, timeout: Duration) -> bool {
        self.server.record.wait(count, Instant::now().checked_add(timeout))
    }

    /// The current connection counts.
    pub fn connections(&self) -> Connections {
        self.server.connections()
    }

    /// Waits until `enough` accepts the connection counts. Returns false after `timeout`.
    pub fn wait_for_connections(
        &self,
        enough: impl Fn(Connections) -> bool,
        timeout: Duration,
    ) -> bool {
        self.server.wait(enough, Instant::now().checked_add(timeout))
    }

    /// Ends every open connection (FIN), like a server that found them idle too long. New ones are
    /// accepted.
    pub fn close_connections(&self) {
        self.server.shut_connections();
    }

    /// Stops listening, so new connections are refused. Open ones stay.
    ///
    /// The port is free meanwhile, and another process could take it.
    ///
    /// # Errors
    ///
    /// If the server is stopped.
    pub fn refuse_connections(&self) -> io::Result<()> {
        self.server.set_mode(Mode::Refuse)
    }

    /// Closes every new connection as soon as it is accepted. Open ones stay.
    ///
    /// # Errors
    ///
    /// As for [`accept_connections`](Loopback::accept_connections).
    pub fn drop_connections(&self) -> io::Result<()> {
        self.server.set_mode(Mode::Drop)
    }

    /// Accepts every new connection and never responds on it. Open ones stay.
    ///
    /// # Errors
    ///
    /// As for [`accept_connections`](Loopback::accept_connections).
    pub fn ignore_connections(&self) -> io::Result<()> {
        self.server.set_mode(Mode::Silent)
    }

    /// Accepts and serves new connections again, on the same port. This is the default.
    ///
    /// # Errors
    ///
    /// If the server is stopped, or the port was taken while it [refused
    /// connections](Loopback::refuse_connections).
    pub fn accept_connections(&self) -> io::Result<()> {
        self.server.set_mode(Mode::Serve)
    }

    /// Ends every connection and thread, frees the port, and returns when done. The recorded
    /// requests stay available.
    pub fn stop(&self) {
        self.server.stop();
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The path of a base URL.
fn path(base_url: &str) -> &str {
    let (_, rest) = base_url.split_once("://").unwrap_or(("", base_url));
    let rest = rest.split('?').next().unwrap_or_default();
    rest.find('/').map_or("", |at| &rest[at..])
}

/// Replaces each part of a path that a profile takes from the environment with `test`. The client
/// fills in `{model}` itself.
fn filled(path: &str) -> String {
    let is_variable = |part: &str| part.starts_with('{') && part != "{model}";
    let parts = path.split('/').map(|part| if is_variable(part) { "test" } else { part });
    parts.collect::<Vec<_>>().join("/")
}
