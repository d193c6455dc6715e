//! The loopback provider: an in-process server that speaks the providers' wire
//! formats, for testing programs without a key (feature `testing`).
//!
//! A [`Loopback`] listens on a free port of 127.0.0.1. It answers OpenAI's Chat
//! Completions, the older text completions and Anthropic's Messages, streamed or
//! not, with the [`Reply`]s it was given, and keeps the [`Request`]s that came. A
//! reply can be ordered to go wrong: late, slow, cut, reset, stalled, malformed.
//! Everything happens on real sockets, so a client under test needs no mock.
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
mod connection;
mod content;
mod http;
mod openai;
mod paths;
mod record;
mod render;
mod reply;
mod request;
mod response;
mod responses;
mod script;
mod server;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::provider::{Format, Profile, Provider};
use server::{Mode, Server};

pub use reply::{Framing, Reply};
pub use request::Request;

/// A server in this process that answers as the providers do.
///
/// Which reply a request gets: the first rule that fits
/// ([`on`](Loopback::on), [`respond`](Loopback::respond)), else the next scripted
/// one ([`reply`](Loopback::reply)), else the
/// [`default_reply`](Loopback::default_reply) one. Requests that a provider would refuse
/// get its error and leave the script alone: without the
/// [required key](Loopback::require_key) (rules are not asked either), to an
/// unknown path, or without a JSON object. So a wrong base URL shows as a 404: the
/// server knows the paths of OpenAI, of Anthropic, and of the providers that
/// [`base_url`](Loopback::base_url) was asked for.
///
/// Dropping it [stops](Loopback::stop) it. All methods take `&self`, so threads
/// can share it by reference.
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
/// // … point a client at `url`, use it, then look at what it did:
/// assert_eq!(server.request_count(), 0);
/// assert_eq!(server.connections().peak, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Loopback {
    server: Arc<Server>,
}

/// How many sockets the server had and has, from accepting one to closing it.
///
/// A client that closes one connection and opens another at once may be seen with
/// both for a moment, since the server learns of the closing by reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connections {
    /// All that were ever accepted.
    pub opened: u64,
    /// Those open now.
    pub open: u64,
    /// The most that were open at once.
    pub peak: u64,
}

impl Loopback {
    /// Starts a server on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When there is no port or no thread to be had.
    pub fn start() -> io::Result<Self> {
        Ok(Self { server: Server::start()? })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// The base URL to set up a client of `provider` with: this server's address and the path
    /// of the provider's own base URL. The server serves that path from then on.
    ///
    /// A provider that the crate does not know gets the path `/v1`; see
    /// [`serve_below`](Loopback::serve_below) for another.
    pub fn base_url(&self, provider: impl Into<Provider>) -> String {
        let address = self.server.address;
        let path = match Profile::builtin(provider.into().as_str()) {
            Some(profile) => {
                let path = path(&profile.base_url);
                self.server.paths.serve(path, profile.format);
                filled(path)
            }
            None => {
                self.serve_below("/v1");
                "/v1".to_owned()
            }
        };
        format!("http://{address}{path}")
    }

    /// Serves the endpoints of every format below `path` as well, for a base URL such as
    /// `http://127.0.0.1:8080/gateway`. Default: those of OpenAI, Anthropic and the providers
    /// that [`base_url`](Loopback::base_url) was asked for.
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
    /// // The path is wrong, as far as the server knows.
    /// assert_eq!(client.chat("Hello").unwrap_err().status(), Some(404));
    /// server.serve_below("/gateway");
    /// assert!(client.chat("Hello").is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn serve_below(&self, path: &str) {
        for format in [Format::OpenAiChat, Format::Anthropic] {
            self.server.paths.serve(path, format);
        }
    }

    /// Adds a reply to the script. Each is used once, in this order.
    pub fn reply(&self, reply: Reply) {
        self.server.script.push(reply);
    }

    /// Answers every request that `matches` with `reply`, before the script is
    /// asked. The rule that was added first is tried first. Rules see every
    /// request, those to unknown paths included, and several at once.
    pub fn on(&self, matches: impl Fn(&Request) -> bool + Send + Sync + 'static, reply: Reply) {
        let reply = Arc::new(reply);
        self.server.script.rule(move |request| matches(request).then(|| Arc::clone(&reply)));
    }

    /// Like [`on`](Loopback::on), with a reply made for the request. `None` leaves
    /// it to the next rule.
    pub fn respond(&self, answer: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) {
        self.server.script.rule(move |request| answer(request).map(Arc::new));
    }

    /// Sets the reply for when nothing else fits. Default: a text that says who
    /// answers and how many messages came.
    pub fn default_reply(&self, reply: Reply) {
        self.server.script.otherwise(reply);
    }

    /// Forgets the rules, the script and what [`default_reply`](Loopback::default_reply)
    /// set.
    pub fn clear(&self) {
        self.server.script.clear();
    }

    /// How many scripted replies are still to come.
    pub fn unused_replies(&self) -> usize {
        self.server.script.unused()
    }

    /// Refuses, from now on, every request without this key, with the provider's
    /// own 401. Default: any key, or none, will do.
    pub fn require_key(&self, key: impl Into<String>) {
        *self.server.key.write() = Some(key.into());
    }

    /// The requests that came, in the order in which they were read to their ends.
    /// The latest 65,536 are kept, and no more than 256 MiB of bodies.
    pub fn requests(&self) -> Vec<Request> {
        self.server.record.requests()
    }

    /// How many requests came, kept or not.
    pub fn request_count(&self) -> u64 {
        self.server.record.count()
    }

    /// Whether to keep the requests that come. Default: yes.
    pub fn record_requests(&self, on: bool) {
        self.server.record.switch(on);
    }

    /// Waits until `count` requests have come, so that a test need not sleep. False
    /// when `timeout` runs out first.
    pub fn wait_for_requests(&self, count: u64, timeout: Duration) -> bool {
        self.server.record.wait(count, Instant::now().checked_add(timeout))
    }

    /// The connections' numbers.
    pub fn connections(&self) -> Connections {
        self.server.connections()
    }

    /// Waits until the connections' numbers are as `enough` wants them. False when
    /// `timeout` runs out first.
    pub fn wait_for_connections(
        &self,
        enough: impl Fn(Connections) -> bool,
        timeout: Duration,
    ) -> bool {
        self.server.wait(enough, Instant::now().checked_add(timeout))
    }

    /// Ends every open connection (FIN), as a server does that has found them idle
    /// for too long. New ones are welcome.
    pub fn close_connections(&self) {
        self.server.shut_connections();
    }

    /// Stops listening: whoever connects is refused. Open connections stay.
    ///
    /// The port is free meanwhile, and another process could take it.
    ///
    /// # Errors
    ///
    /// When the server is stopped.
    pub fn refuse_connections(&self) -> io::Result<()> {
        self.server.set_mode(Mode::Refuse)
    }

    /// Closes every new connection as soon as it is accepted. Open ones stay.
    ///
    /// # Errors
    ///
    /// As [`accept`](Loopback::accept_connections).
    pub fn drop_connections(&self) -> io::Result<()> {
        self.server.set_mode(Mode::Drop)
    }

    /// Accepts every new connection and never answers on it. Open ones stay.
    ///
    /// # Errors
    ///
    /// As [`accept`](Loopback::accept_connections).
    pub fn ignore_connections(&self) -> io::Result<()> {
        self.server.set_mode(Mode::Silent)
    }

    /// Accepts and serves new connections again, on the same port. The default.
    ///
    /// # Errors
    ///
    /// When the server is stopped, or when the port was taken while it was
    /// [refusing](Loopback::refuse_connections).
    pub fn accept_connections(&self) -> io::Result<()> {
        self.server.set_mode(Mode::Serve)
    }

    /// Ends every connection and thread, frees the port, and returns when that is
    /// done. What was recorded can still be read.
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

/// A path with `test` for each part that a profile takes from the environment. The client fills
/// in `{model}` itself.
fn filled(path: &str) -> String {
    let is_variable = |part: &str| part.starts_with('{') && part != "{model}";
    let parts = path.split('/').map(|part| if is_variable(part) { "test" } else { part });
    parts.collect::<Vec<_>>().join("/")
}
