//! The hot paths, each in isolation, with data like the providers'. The timed and the counted
//! workloads are the same.

mod answers;
mod requests;
pub(crate) mod streams;
mod vectors;

use std::hint::black_box;
use std::time::Duration;
use tollgate::catalogue::{Catalogue, Needs};
use tollgate::cost::{Bill, Budget, CallPlan, CostConfig, CostTracker, Money, Price, Prices};
use tollgate::internals::{
    JournalLine, Pool, Recorder, RouteChoice, ShortlistChoice, decode, decode_embeddings, encode,
    encode_embeddings, load_catalogue as load_models,
};
use tollgate::route::{Balanced, Fastest, Sticky};
use tollgate::sse::{ParseError, Parser};
use tollgate::testing::{Loopback, Reply};
use tollgate::{AnswerSource, Cache, ChatRequest, Client, StreamDecoder, StreamEvent, Usage};

use streams::CHUNKS;

/// How many bytes arrive at once: as many as the client reads.
const READ: usize = 4 * 1024;

/// Something that a call does repeatedly.
pub(crate) struct Workload {
    /// Does it once.
    pub(crate) turn: Box<dyn FnMut()>,
    /// How many bytes that reads or writes.
    pub(crate) bytes: Option<usize>,
}

impl Workload {
    pub(crate) fn new(turn: impl FnMut() + 'static) -> Self {
        Self { turn: Box::new(turn), bytes: None }
    }

    fn of_bytes(bytes: usize, turn: impl FnMut() + 'static) -> Self {
        Self { turn: Box::new(turn), bytes: Some(bytes) }
    }
}

/// Answers a chat from a cache that is kept in `store`.
#[allow(dead_code)]
pub(crate) fn cache_hit(store: &'static str) -> Workload {
    let folder = std::env::temp_dir().join(format!("tollgate-bench-{}", std::process::id()));
    let cache = match store {
        "folder" => Cache::folder(&folder),
        _ => Cache::memory(1 << 20),
    };
    let server = Loopback::start().expect("a free port");
    server.default_reply(Reply::text("Paris").rate_limit(10_000, 9_999));
    let client = Client::builder()
        .provider("openai")
        .model("gpt-4o-mini")
        .api_key("sk-loopback")
        .base_url(server.base_url("openai"))
        .cache(cache)
        .build()
        .expect("a valid configuration");
    client.chat(requests::small()).expect("an answer");
    let folder = Removed(folder);
    Workload::new(move || {
        let _ = &folder;
        let response = client.chat(requests::small()).expect("a stored answer");
        assert_eq!(black_box(response).source(), AnswerSource::Cached);
    })
}

/// Writes the line that a bulk run's journal gets for a short answer.
pub(crate) fn journal_line() -> Workload {
    let server = Loopback::start().expect("a free port");
    server.default_reply(Reply::text("A teapot, made of clay.").usage(20, 8));
    let client = Client::builder()
        .provider("openai")
        .model("gpt-4o-mini")
        .api_key("sk-loopback")
        .base_url(server.base_url("openai"))
        .build()
        .expect("a valid configuration");
    let line = JournalLine::new(client.chat("Describe a teapot.").expect("an answer"));
    let write = move || line.write("item 123456").expect("a valid answer");
    Workload::of_bytes(write(), move || {
        black_box(write());
    })
}

/// A folder that is removed at the end.
struct Removed(std::path::PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Splits a stream into events, without reading them.
pub(crate) fn sse(provider: &'static str) -> Workload {
    let body = streams::body(provider);
    Workload::of_bytes(body.len(), move || {
        let mut parser = Parser::new();
        let mut seen = 0;
        for bytes in body.chunks(READ) {
            let event = |event: tollgate::sse::Event<'_>| {
                seen += usize::from(!black_box(event).data.is_empty());
                Ok::<_, ParseError>(())
            };
            parser.push(bytes, event).expect("a stream in good order");
        }
        assert!(seen >= CHUNKS);
    })
}

/// Decodes a stream.
pub(crate) fn stream_decode(provider: &'static str) -> Workload {
    let body = streams::body(provider);
    Workload::of_bytes(body.len(), move || {
        let mut decoder = match provider {
            "anthropic" => StreamDecoder::anthropic(),
            "bedrock" => StreamDecoder::bedrock(),
            "cohere" => StreamDecoder::cohere(),
            "gemini" => StreamDecoder::gemini(),
            "ollama" => StreamDecoder::ollama(),
            "responses" => StreamDecoder::openai_responses(),
            _ => StreamDecoder::openai_chat(),
        };
        let mut seen = 0;
        for bytes in body.chunks(READ) {
            // Like the client: passes on the events of one read together.
            let mut events = Vec::new();
            decoder.push(bytes, &mut events).expect("a stream in good order");
            seen +=
                events.iter().filter(|event| matches!(event, StreamEvent::TextDelta(_))).count();
            black_box(events);
        }
        assert!(seen >= CHUNKS);
        assert!(!black_box(decoder.into_response()).text().is_empty());
    })
}

/// Decodes a whole answer.
pub(crate) fn answer_decode(provider: &'static str) -> Workload {
    let body = answers::body(provider);
    Workload::of_bytes(body.len(), move || {
        black_box(decode(provider, &body).expect("an answer"));
    })
}

/// Decodes the vectors of 32 texts, as base64 or as numbers.
pub(crate) fn embeddings_decode(form: &'static str) -> Workload {
    let body = vectors::body(form);
    Workload::of_bytes(body.len(), move || {
        let vectors = decode_embeddings(&body, vectors::TEXTS).expect("a vector for each text");
        assert_eq!(black_box(vectors).len(), vectors::TEXTS * vectors::DIMENSION);
    })
}

/// Encodes a request for the vectors of 32 texts.
pub(crate) fn embeddings_encode() -> Workload {
    let request = vectors::request();
    let write = move || encode_embeddings(&request, "some-model").expect("a valid request");
    Workload::of_bytes(write().len(), move || {
        black_box(write());
    })
}

/// Encodes a question of one sentence.
pub(crate) fn encode_small(provider: &'static str) -> Workload {
    encoding(provider, requests::small())
}

/// Encodes a conversation of many turns with tools and their results.
pub(crate) fn encode_long(provider: &'static str) -> Workload {
    encoding(provider, requests::long())
}

fn encoding(provider: &'static str, request: ChatRequest) -> Workload {
    let write = move || encode(provider, &request, "some-model", false).expect("a valid request");
    Workload::of_bytes(write().len(), move || {
        black_box(write());
    })
}

/// Finds the price of a model and prices a usage.
pub(crate) fn price() -> Workload {
    let prices = Prices::builtin();
    let mut usage = Usage::reported(1_100, 320);
    usage.cached_tokens = 400;
    let at = std::time::UNIX_EPOCH + Duration::from_secs(1_761_300_000);
    Workload::new(move || {
        let price = prices.find(black_box("openai"), black_box("gpt-4o-mini")).expect("known");
        black_box(price.cost(&usage, None, at));
    })
}

/// Reserves and settles a call in three budgets.
pub(crate) fn reserve_settle() -> Workload {
    let tracker = tracker();
    Workload::new(move || {
        let plan = CallPlan::new("openai", "gpt-4o-mini")
            .input_tokens(1_200)
            .output_tokens(500)
            .tag("customer", "acme");
        let call = tracker.reserve(plan).expect("all the money there is").send();
        black_box(call.settle(Bill::new(Usage::reported(1_100, 320))));
    })
}

fn tracker() -> CostTracker {
    // No call is refused.
    let limit = Money::dollars(1_000_000_000);
    let price = Price::per_million(Money::cents(15), Money::cents(60));
    CostConfig::default()
        .prices(Prices::builtin().set("openai", "gpt-4o-mini", price))
        .budget(Budget::daily(limit))
        .budget(Budget::monthly(limit).per_tag("customer"))
        .budget(Budget::total(limit).per_model())
        .build()
        .expect("a valid configuration")
}

/// Records the begin and end of a call, at a thousand calls per second.
pub(crate) fn record(streamed: bool) -> Workload {
    const MODELS: [&str; 5] =
        ["gpt-4o-mini", "gpt-5", "gpt-5-mini", "claude-sonnet-4-5", "claude-haiku-4-5"];
    let recorder = Recorder::default();
    let mut number: u32 = 0;
    Workload::new(move || {
        number = number.wrapping_add(1);
        // From nothing to 1.2 s.
        let spread = u64::from(number.wrapping_mul(2_654_435_761) >> 20);
        let latency = Duration::from_micros(spread * 300 + 1);
        let since_start = Duration::from_millis(number.into());
        recorder.call(MODELS[number as usize % MODELS.len()], latency, streamed, since_start);
    })
}

/// Leases an idle connection and returns it.
pub(crate) fn lease() -> Workload {
    let pool = Pool::new(8);
    Workload::new(move || {
        let lease = pool.lease(Duration::from_secs(30), || ()).expect("one for each");
        black_box(lease).give_back();
    })
}

/// Finds a model in the catalogue.
pub(crate) fn catalogue() -> Workload {
    let catalogue = Catalogue::builtin();
    Workload::new(move || {
        black_box(catalogue.find(black_box("openai"), black_box("gpt-4o-mini")).expect("known"));
    })
}

/// Splits the table of models, as the first look-ups do.
pub(crate) fn load_catalogue() -> Workload {
    Workload::new(|| {
        black_box(load_models());
    })
}

/// Chooses the best five of 50 models for a request with a tool.
pub(crate) fn shortlist() -> Workload {
    let models = ShortlistChoice::new(50, &["openai", "anthropic", "gemini"]);
    let needs = Needs::new().tools(true).prompt_tokens(1_000);
    Workload::new(move || {
        black_box(models.choose(black_box(&needs)).expect("a model that can serve it"));
    })
}

/// Chooses among ten targets of a route.
pub(crate) fn choose(strategy: &'static str) -> Workload {
    let route = match strategy {
        "fastest" => RouteChoice::new(10, Fastest::default()),
        "sticky" => RouteChoice::new(10, Sticky::default()),
        _ => RouteChoice::new(10, Balanced),
    };
    let mut key: u64 = 0;
    Workload::new(move || {
        key = key.wrapping_add(1);
        black_box(route.choose(key).expect("no target rests"));
    })
}
