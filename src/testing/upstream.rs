//! Sends requests on to a provider, passes its answers back as they arrive, and records them.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::paths::Format;
use super::recordings::Canonical;
use super::reply::{Framing, Reply};
use super::request::Request;
use super::response::{LAST_CHUNK, Response, chunk};
use crate::bounds::Bounds;
use crate::cancel::CancelToken;
use crate::client::Client;
use crate::config::Environment;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind};
use crate::header::{HeaderList, HeaderValue};
use crate::key::Secrets;
use crate::provider::{Profile, Provider};
use crate::replay::{self, Replay};
use crate::retry::{Bucket, RetryBudget};
use crate::transport::{Body, Headers, Incoming, Method, Outgoing, Watch};
use crate::url::Url;
use crate::wire::{self, Decoder, Failure, Wire};

/// The longest a provider may be silent. The program that asks has its own limits.
const SILENCE: Duration = Duration::from_secs(600);

/// The largest answer that is checked, in bytes.
const LARGEST: usize = 64 * 1024 * 1024;

/// A provider that answers what has no recording.
#[derive(Debug)]
pub(super) struct Upstream {
    /// Has the provider's address and the way there: proxies, certificates, the pool. Its key is
    /// never sent.
    client: Client,
    provider: Provider,
    /// The path of the provider's usual base URL, which programs ask this server for.
    usual: String,
    base: Url,
    /// Cancelled when the server stops.
    stop: CancelToken,
}

/// A request to send on.
pub(super) struct Forwarded {
    pub(super) upstream: Arc<Upstream>,
    /// Where the answer is recorded.
    pub(super) replay: Option<Replay>,
    pub(super) method: Method,
    pub(super) url: Url,
    /// What its recording has in another form.
    pub(super) canonical: Canonical,
    pub(super) secrets: Arc<Secrets>,
}

/// The head of an answer, whose body is still to be passed back.
pub(super) struct Opened {
    forwarded: Forwarded,
    incoming: Incoming,
    body: Option<Body>,
    watch: Arc<Watch>,
}

impl Upstream {
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration) if the provider is unknown or the address
    /// is not valid.
    pub(super) fn new(provider: Provider, base_url: &str) -> Result<Self, Error> {
        // The client only sends. What it would record or replay is decided before.
        let environment =
            Environment::new(|name: &str| std::env::var_os(name).filter(|_| name != replay::MODE));
        let client = Client::builder()
            .provider(provider)
            .base_url(base_url)
            // Programs send their own.
            .api_key("the key of the program that asks")
            .build_in(&environment)?;
        let settings = client.way().map(|(_, endpoint)| &endpoint.settings);
        let settings = settings.ok_or_else(|| {
            Error::new(ErrorKind::Configuration, "name the provider to send requests on to")
        })?;
        let (provider, base) = (settings.profile.id.clone(), settings.base.clone());
        let profile = Profile::builtin(provider.as_str());
        let usual = profile.map(|profile| super::path(&profile.base_url).to_owned());
        let (usual, stop) = (usual.unwrap_or_default(), CancelToken::new());
        Ok(Self { client, provider, usual, base, stop })
    }

    pub(super) fn provider(&self) -> &Provider {
        &self.provider
    }

    /// The address of what a program asks this server for. `None` if it is not valid.
    pub(super) fn url(&self, target: &str) -> Option<Url> {
        let mut target = moved(target, &self.usual, self.base.path());
        if let Some(query) = self.base.query() {
            target.push(if target.contains('?') { '&' } else { '?' });
            target.push_str(query);
        }
        self.base.with_target(&target).ok()
    }

    /// Ends what is in progress.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }
}

impl Forwarded {
    /// Sends a request on, and waits for the head of the answer.
    ///
    /// # Errors
    ///
    /// The reply that says why there is no answer.
    pub(super) fn open(self, request: &Request) -> Result<Opened, Box<Reply>> {
        let Self { upstream, method, url, secrets, .. } = &self;
        let failed = |error: Error| {
            let error = error.hide(secrets);
            let message = format!("the request was not answered: {error}");
            Box::new(Reply::error(502, "not_forwarded", message))
        };
        let Some((transport, endpoint)) = upstream.client.way() else {
            return Err(failed(Error::cancelled()));
        };
        let headers = Headers::new(passed_on(request.headers()), &upstream.base);
        let outgoing = Outgoing {
            provider: &upstream.provider,
            method: *method,
            uri: url,
            headers: &headers,
            credentials: &[],
            retries: 0,
            idempotency_key: None,
            content_type: None,
            betas: None,
            body: request.body(),
        };
        let deadline = Deadline::after(Instant::now(), SILENCE);
        let bounds = Bounds { deadline, cancel: Some(upstream.stop.clone()) };
        let watch = Arc::new(Watch::new(&bounds, None));
        let bucket = Bucket::new(RetryBudget::UNLIMITED);
        let second = &mut bucket.second_sending();
        let opened =
            transport.open_stream(&endpoint.origin, outgoing, &bounds, None, &watch, second);
        let (incoming, body) = opened.map_err(failed)?;
        Ok(Opened { forwarded: self, incoming, body, watch })
    }
}

impl Opened {
    /// Passes the answer back, and records it once it is complete. Returns whether the connection
    /// can serve another request.
    pub(super) fn pass_back(self, stream: &TcpStream, request: &Request) -> io::Result<bool> {
        let is_stream = self.incoming.reply().header("content-type").is_some_and(is_stream);
        match self.body {
            Some(_) if is_stream => self.pass_pieces(stream, request),
            _ => self.pass_whole(stream, request),
        }
    }

    fn pass_whole(mut self, mut stream: &TcpStream, request: &Request) -> io::Result<bool> {
        if let Some(mut body) = self.body.take() {
            loop {
                self.watch.set_deadline(Deadline::after(Instant::now(), SILENCE));
                match body.read() {
                    Ok([]) => break,
                    Ok(piece) => self.incoming.body.extend_from_slice(piece),
                    Err(_) => return Ok(false),
                }
            }
        }
        let Self { forwarded, incoming, .. } = &self;
        if let Some(replay) = &forwarded.replay {
            let failed = failure(incoming, forwarded, request);
            let slot = replay.slot(&asked(forwarded, request), &forwarded.secrets);
            slot.keep(incoming.recording(), failed.as_ref());
        }
        let closes = !request.head().keeps_alive();
        let mut response = response(incoming, Framing::ContentLength);
        response.pieces.push(incoming.body.clone());
        let body = if response.is_bodyless() { &[][..] } else { &incoming.body };
        stream.write_all(&[&response.head(Framing::ContentLength, closes), body].concat())?;
        Ok(!closes)
    }

    fn pass_pieces(self, mut stream: &TcpStream, request: &Request) -> io::Result<bool> {
        let Self { forwarded, incoming, body: Some(mut body), watch } = self else {
            return Ok(false);
        };
        let framing = match body.is_until_close() || request.head().minor == 0 {
            true => Framing::UntilClose,
            false => Framing::Chunked,
        };
        let closes = framing == Framing::UntilClose || !request.head().keeps_alive();
        let mut tape = forwarded.replay.as_ref().map(|replay| {
            let asked = asked(&forwarded, request);
            replay.tape(&asked, &forwarded.secrets, incoming.recording())
        });
        if let Some(tape) = &mut tape {
            tape.until_close(body.is_until_close());
        }
        let mut decoder = wire(request).map(|wire| Decoder::new(wire, 0, LARGEST));
        let (mut failed, mut events) = (None, Vec::new());
        stream.write_all(&response(&incoming, framing).head(framing, closes))?;
        loop {
            watch.set_deadline(Deadline::after(Instant::now(), SILENCE));
            // The program sees a broken stream too, and nothing is recorded.
            let Ok(piece) = body.read() else { return Ok(false) };
            if piece.is_empty() {
                break;
            }
            if let Some(tape) = &mut tape {
                tape.push(piece);
            }
            if let Some(decoder) = decoder.as_mut().filter(|_| failed.is_none()) {
                failed = decoder.push(piece, &mut events).err().map(Failure::into_error);
                events.clear();
            }
            match framing {
                Framing::Chunked => stream.write_all(&chunk(piece))?,
                Framing::ContentLength | Framing::UntilClose => stream.write_all(piece)?,
            }
        }
        if let Some(decoder) = decoder.as_mut().filter(|_| failed.is_none()) {
            failed = decoder.finish(&mut events).err().map(Failure::into_error);
        }
        if let Some(tape) = tape {
            tape.finish(failed.as_ref());
        }
        if framing == Framing::Chunked {
            stream.write_all(LAST_CHUNK)?;
        }
        Ok(!closes)
    }
}

/// The request as its recording is found.
fn asked<'a>(forwarded: &'a Forwarded, request: &'a Request) -> replay::Request<'a> {
    let Forwarded { upstream, method, url, canonical, .. } = forwarded;
    canonical.asked(upstream.provider(), *method, url, request)
}

/// A response with the head of another and no body.
fn response(incoming: &Incoming, framing: Framing) -> Response {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = incoming.headers.named().map(|(name, value)| (name, text(value)));
    Response {
        status: incoming.status,
        headers: headers.collect(),
        framing,
        streams: true,
        pieces: Vec::new(),
        waits: Vec::new(),
    }
}

/// Why a whole response is no answer, as a client would say. Whether to record it depends on that.
fn failure(incoming: &Incoming, forwarded: &Forwarded, request: &Request) -> Option<Error> {
    let reply = incoming.reply();
    let failure = match (200..300).contains(&reply.status) {
        true => wire(request)?.decode(reply, forwarded.upstream.provider()).err()?,
        false => Failure::of(reply),
    };
    Some(wire::error(failure, reply, SystemTime::now(), &forwarded.secrets))
}

/// The wire format of a chat. Other answers are not decoded.
fn wire(request: &Request) -> Option<Wire> {
    Some(match Format::named(request.path())? {
        Format::Chat => Wire::OpenAiChat,
        Format::Completions => Wire::OpenAiCompletions,
        Format::Responses => Wire::OpenAiResponses,
        Format::Messages => Wire::Anthropic,
        Format::Converse => Wire::Bedrock,
        Format::CohereChat => Wire::Cohere,
        Format::GenerateContent => Wire::Gemini,
        Format::Ollama => Wire::Ollama,
        Format::Embeddings
        | Format::BedrockEmbeddings
        | Format::CohereEmbeddings
        | Format::GeminiEmbeddings
        | Format::OllamaEmbeddings
        | Format::VertexEmbeddings
        | Format::Moderations => return None,
    })
}

/// Whether a body of this media type comes in pieces.
fn is_stream(media_type: &str) -> bool {
    const STREAMS: [&str; 4] = [
        "application/vnd.amazon.eventstream",
        "application/x-ndjson",
        "application/stream+json",
        "text/event-stream",
    ];
    STREAMS.iter().any(|stream| media_type.starts_with(stream))
}

/// The headers to send on: all but those of this connection (RFC 9110 section 7.6.1), and those that
/// the transport writes itself.
fn passed_on(headers: &[(String, String)]) -> HeaderList {
    const OWN: [&str; 13] = [
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let mut list = HeaderList::default();
    for (name, value) in headers.iter().filter(|(name, _)| !OWN.contains(&&**name)) {
        // A name that comes twice is one list (RFC 9110 section 5.3).
        let value = match list.get(name) {
            Some(before) => format!("{}, {value}", before.as_str()),
            None => value.clone(),
        };
        list.extend(HeaderValue::new(value).map(|value| (name.clone(), value)));
    }
    list
}

/// Moves an address below the usual base path of a provider below its `own` one.
fn moved(target: &str, usual: &str, own: &str) -> String {
    let (usual, own) = (usual.trim_end_matches('/'), own.trim_end_matches('/'));
    let below = |base: &str| target.strip_prefix(base).filter(|rest| rest.starts_with('/'));
    match (below(own), below(usual)) {
        (Some(_), _) if !own.is_empty() => target.to_owned(),
        (_, Some(rest)) => format!("{own}{rest}"),
        (_, None) => format!("{own}{target}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_moves_below_the_base_url_of_the_provider() {
        for (target, usual, own, expected) in [
            ("/v1/chat/completions", "/v1", "/v1", "/v1/chat/completions"),
            ("/v1/models?a=1", "/v1", "/gateway/v1/", "/gateway/v1/models?a=1"),
            ("/gateway/v1/models", "/v1", "/gateway/v1", "/gateway/v1/models"),
            ("/v1/messages", "", "/", "/v1/messages"),
            ("/v1/messages", "", "/anthropic", "/anthropic/v1/messages"),
            ("/v10/models", "/v1", "/api", "/api/v10/models"),
        ] {
            assert_eq!(moved(target, usual, own), expected, "{target}");
        }
    }

    #[test]
    fn only_headers_between_the_ends_are_sent_on() {
        let headers = [
            ("host", "127.0.0.1"),
            ("authorization", "Bearer sk-1"),
            ("accept-encoding", "gzip, br"),
            ("content-length", "7"),
            ("anthropic-beta", "a"),
            ("anthropic-beta", "b"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let list = passed_on(&headers);
        let list: Vec<_> = list.iter().map(|(name, value)| (name, value.as_str())).collect();
        assert_eq!(list, [("authorization", "Bearer sk-1"), ("anthropic-beta", "a, b")]);
    }
}
