//! Private parts, made public for the project's own benchmarks (feature `internals`).
//!
//! They are not part of the stable interface and may change at any time.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

#[cfg(feature = "bedrock")]
use crate::aws_event_stream;
use crate::base64;
use crate::catalogue::{Call, Catalogue, Conditions, Measured, Needs, Offer, Shortlist};
use crate::chat::{ChatRequest, ChatResponse, Usage};
use crate::deadline::Deadline;
use crate::embed::{EmbedRequest, EmbeddingFormat};
use crate::error::{Attempt, Error};
use crate::family::Traits;
use crate::fingerprint::Fingerprint;
use crate::histogram::Histogram;
use crate::journal;
use crate::memo::Memo;
use crate::metrics::{self, CHAT, CacheUse, CallEnd, Costs, Counted, MetricsSnapshot};
use crate::money::Money;
use crate::pool::{self, Acquired, Limits, OriginId, PoolStats};
use crate::provider::{Dialect, Provider};
use crate::routing::{
    Answered, BreakerConfig, Chosen, RouteState, RoutedCall, RoutedTarget, Rules, Strategy, Walk,
};
use crate::transport;
use crate::wire::embeddings::{self, Batch, Embeddings};
use crate::wire::{Delivery, HeaderFields, Reply, Target, Wire};

pub use crate::bulk::offline::run_bulk;

const MINUTE: Duration = Duration::from_secs(60);

/// The connection pool, for one origin and connections of any type.
#[derive(Debug)]
pub struct Pool<C: Send + 'static> {
    pool: pool::Pool<C>,
    origin: OriginId,
}

/// A connection in use. If it is just dropped, the pool counts it as broken.
#[derive(Debug)]
#[must_use]
pub struct Lease<C: Send + 'static>(pool::Lease<C>);

impl<C: Send + 'static> Pool<C> {
    /// A pool of at most this many connections.
    pub fn new(connections: usize) -> Self {
        let limits = Limits {
            max_size: connections,
            max_per_origin: connections,
            idle_timeout: 10 * MINUTE,
        };
        let pool = pool::Pool::new(limits, Duration::from_secs(1));
        Self { origin: pool.register("http://pool.test:80"), pool }
    }

    /// Leases an idle connection, otherwise `open`s one, otherwise waits in the queue; `None` if
    /// none came within `timeout`.
    #[inline]
    pub fn lease(&self, timeout: Duration, open: impl FnOnce() -> C) -> Option<Lease<C>> {
        let deadline = Deadline::after(Instant::now(), timeout);
        Some(Lease(match self.pool.acquire(self.origin, deadline, None).ok()? {
            Acquired::Reused(lease, _) => lease,
            Acquired::Open(permit) => permit.fill(open(), Instant::now().checked_add(30 * MINUTE)),
        }))
    }
}

impl<C: Send + 'static> Lease<C> {
    /// Returns the connection for another use.
    #[inline]
    pub fn give_back(self) {
        self.0.give_back();
    }
}

/// The line that a bulk run's journal gets for an answer.
#[derive(Debug)]
pub struct JournalLine {
    request: Fingerprint,
    answer: ChatResponse,
}

impl JournalLine {
    /// The line of this answer. It leaves out the response's body, as a run does.
    pub fn new(mut answer: ChatResponse) -> Self {
        answer.raw.clear();
        Self { request: Fingerprint::of_json(&"Describe a teapot."), answer }
    }

    /// Writes the line of the item with this id. Returns its length in bytes.
    ///
    /// # Errors
    ///
    /// If the answer cannot be written as JSON.
    pub fn write(&self, id: &str) -> Result<usize, Error> {
        journal::answered(id, self.request, None, &self.answer).map(|line| line.len())
    }
}

/// The recorder of a client's calls. The caller passes the time. Every call has the same answer.
#[derive(Debug)]
pub struct Recorder {
    recorder: Arc<metrics::Recorder>,
    start: Instant,
    at: SystemTime,
    attempts: [Attempt; 1],
    /// The gaps of a stream of 500 pieces.
    gaps: Histogram,
    tags: BTreeMap<String, String>,
}

impl Default for Recorder {
    fn default() -> Self {
        let mut gaps = Histogram::default();
        (0..500).for_each(|gap| gaps.record(Duration::from_micros(8_000 + gap * 37)));
        let attempt = Attempt {
            number: 0,
            provider: "openai".to_owned(),
            model: "gpt-4o".to_owned(),
            started_after: Duration::ZERO,
            duration: Duration::from_millis(890),
            resent: false,
            failure: None,
            decision: None,
        };
        let start = Instant::now();
        Self {
            recorder: metrics::Recorder::new(start),
            start,
            at: SystemTime::now(),
            attempts: [attempt],
            gaps,
            tags: BTreeMap::new(),
        }
    }
}

impl Recorder {
    /// Records a successful call with every measurement.
    pub fn call(&self, model: &str, latency: Duration, streamed: bool, since_start: Duration) {
        let end = CallEnd {
            target: metrics::Target {
                provider: "openai",
                model,
                operation: CHAT,
                server_address: "api.openai.com",
                server_port: 443,
            },
            response_model: Some(model),
            streamed,
            at: self.at,
            latency,
            time_to_first_token: streamed.then_some(Duration::from_millis(200)),
            gaps: streamed.then_some(&self.gaps),
            usage: Usage::reported(1_100, 320),
            cost: Some(Money::picos(357_000_000)),
            is_live: true,
            cache: CacheUse::Unused,
            saved: None,
            counted: Counted::default(),
            attempts: &self.attempts,
            outcome: Ok(()),
            request_id: Some("req_6f2b9f0c3c6d4d1f"),
            tags: &self.tags,
        };
        self.recorder.begin(&end.target).end(&end, self.start + since_start);
    }

    /// All metrics at this time.
    pub fn snapshot(&self, since_start: Duration) -> MetricsSnapshot {
        let (now, at) = (self.start + since_start, self.at + since_start);
        self.recorder.snapshot(now, at, PoolStats::default(), Costs::default(), 100)
    }
}

/// A route of targets that have all answered, and the choice among them that a call begins with.
pub struct RouteChoice(Arc<RouteState>);

impl std::fmt::Debug for RouteChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RouteChoice").field(&self.0.name).finish()
    }
}

impl RouteChoice {
    /// A route of this many targets, each a little slower than the one before it.
    pub fn new(targets: u32, strategy: impl Strategy + 'static) -> Self {
        let now = Instant::now();
        let target = |at: u32| {
            let target = RoutedTarget::plain(format!("model-{at}"), BreakerConfig::default(), now);
            let mut ticket = target.admit(now).expect("a new target does not rest");
            let whole = Duration::from_millis(u64::from(500 + at * 50));
            let usage = Usage::reported(1_100, 320);
            let answered = Answered::of(&usage, Some(Money::picos(357_000_000)), whole);
            ticket.served_with(&Answered { whole: Some(whole), ..answered }, now);
            drop(ticket);
            target
        };
        let targets = (0..targets).map(target).collect();
        let strategy = Arc::new(strategy);
        Self(Arc::new(RouteState::new("any".to_owned(), strategy, Rules::DEFAULT, targets)))
    }

    /// Chooses the target of a call, as `call/routed.rs` does, and ends the call at once.
    pub fn choose(&self, key: u64) -> Option<usize> {
        let mut walk = Walk::new(Arc::clone(&self.0), RoutedCall::new(false, key));
        match walk.choose(Instant::now(), &mut fastrand::f64, &|_, _| None) {
            Chosen::Target(at, _) => Some(at),
            Chosen::Resting { .. } | Chosen::Full(_) | Chosen::None => None,
        }
    }
}

/// Reads the table of models as a first look-up does, for all providers, and returns how many there
/// are.
pub fn load_catalogue() -> usize {
    Catalogue::load_table()
}

/// The models of the catalogue that an automatic route chooses from.
#[derive(Debug)]
pub struct ShortlistChoice(Vec<Offer>);

impl ShortlistChoice {
    /// The first models of these providers that can serve a chat with tools.
    pub fn new(models: usize, providers: &[&str]) -> Self {
        let needs = Needs::new().tools(true).providers(providers.iter().copied());
        let (mut offers, _) = Catalogue::builtin().offers(&needs, &Conditions::default());
        let at = SystemTime::now();
        offers.retain(|offer| offer.judge(&Call::new(&needs, at), Measured::default()).is_ok());
        offers.truncate(models);
        assert_eq!(offers.len(), models, "too few models");
        Self(offers)
    }

    /// Chooses the best five for a request, as `call/automatic.rs` does, and returns the first.
    pub fn choose(&self, needs: &Needs) -> Option<usize> {
        let (call, none) = (Call::new(needs, SystemTime::now()), Measured::default());
        let list = Shortlist::new(self.0.iter(), call, |_| none, 5);
        list.chosen.first().map(|(at, _)| *at)
    }
}

/// Records one duration in a histogram.
#[inline]
pub fn record(histogram: &mut Histogram, value: Duration) {
    histogram.record(value);
}

/// Encodes the body of a request to OpenAI's Chat Completions or Anthropic's Messages.
///
/// # Errors
///
/// If the request is invalid.
pub fn encode(
    provider: &str,
    request: &ChatRequest,
    model: &str,
    streamed: bool,
) -> Result<Vec<u8>, Error> {
    let delivery = if streamed { Delivery::Stream } else { Delivery::Whole };
    // A client looks a model up once too.
    static TRAITS: OnceLock<Memo<1, Traits>> = OnceLock::new();
    let known = TRAITS.get_or_init(Memo::default);
    let traits = known.get([model]).unwrap_or_else(|| {
        let traits = Traits::of_name(model);
        known.insert([model], traits);
        traits
    });
    let target = Target { provider: &of(provider), model, traits, dialect: &Dialect::OPENAI };
    Ok(wire(provider).encode(request, target, delivery, false)?.into_bytes())
}

/// Decodes a body that came with status 200, in the same formats.
///
/// # Errors
///
/// If the body cannot be read.
pub fn decode(provider: &str, body: &[u8]) -> Result<ChatResponse, Error> {
    let reply = Reply { status: 200, headers: &HeaderFields::default(), body, sent: None };
    match wire(provider).decode(reply, &of(provider)) {
        Ok(decoded) => Ok(decoded.into_response(of(provider))),
        Err(failure) => Err(failure.into_error()),
    }
}

/// Encodes a request for the vectors of all its texts, in OpenAI's format.
///
/// # Errors
///
/// If the request is invalid.
pub fn encode_embeddings(request: &EmbedRequest, model: &str) -> Result<Vec<u8>, Error> {
    let target = embeddings::Target { provider: &Provider::OPENAI, model };
    let batch = Batch { request, texts: &request.texts, target };
    Embeddings::of(EmbeddingFormat::OpenAi).encode(&batch)
}

/// Decodes vectors in OpenAI's format, one after the other, from a body that came with status 200.
///
/// # Errors
///
/// If the body does not have one vector for each text.
pub fn decode_embeddings(body: &[u8], texts: usize) -> Result<Vec<f32>, Error> {
    let reply = Reply { status: 200, headers: &HeaderFields::default(), body, sent: None };
    match Embeddings::of(EmbeddingFormat::OpenAi).decode(reply, texts, None) {
        Ok(decoded) => Ok(decoded.rows.into_values()),
        Err(failure) => Err(failure.into_error()),
    }
}

/// Encodes a frame of an AWS event stream whose headers are these texts.
#[cfg(feature = "bedrock")]
pub fn encode_aws_frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    aws_event_stream::encode(headers, payload)
}

/// Encodes bytes in base64.
pub fn encode_base64(bytes: &[u8]) -> String {
    base64::encode(bytes)
}

/// Skips the registry, as every call does.
fn of(provider: &str) -> Provider {
    match provider {
        "anthropic" => Provider::ANTHROPIC,
        "bedrock" => Provider::BEDROCK,
        "cohere" => Provider::COHERE,
        "gemini" => Provider::GEMINI,
        "ollama" => Provider::OLLAMA,
        _ => Provider::OPENAI,
    }
}

fn wire(provider: &str) -> Wire {
    match provider {
        "anthropic" => Wire::Anthropic,
        "bedrock" => Wire::Bedrock,
        "cohere" => Wire::Cohere,
        "gemini" => Wire::Gemini,
        "ollama" => Wire::Ollama,
        "responses" => Wire::OpenAiResponses,
        _ => Wire::OpenAiChat,
    }
}

/// A response as the transport reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// Whether the version is HTTP/1.0.
    pub is_http10: bool,
    /// The names and values of the header, in their order.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body, as far as it came.
    pub body: Vec<u8>,
    /// Whether the whole body came.
    pub is_complete: bool,
    /// Whether only the end of the connection ends the body.
    pub is_until_close: bool,
    /// Whether the connection may carry another request.
    pub keeps_alive: bool,
    /// How many bytes came after the response.
    pub behind: usize,
}

/// Reads a response that comes in these pieces, after which the connection ends. `limit` is the
/// largest head; `None` if the head is incomplete.
///
/// # Errors
///
/// What is wrong with it.
pub fn read_http_response<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limit: usize,
) -> Result<Option<HttpResponse>, String> {
    transport::read_response(pieces, limit)
}
