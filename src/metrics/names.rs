//! Every name that other programs see, so that renaming one changes only this file.
//!
//! Names that begin with `gen_ai`, `server` and `error` are OpenTelemetry's, with their units and
//! bounds: github.com/open-telemetry/semantic-conventions-genai,
//! `docs/gen-ai/gen-ai-metrics.md` at commit 004902b8, in status "development". (A later draft
//! makes the tokens counters named `gen_ai.client.inference.tokens`.) Anything they have no name
//! for is ours, under `tollgate`. The names of spans are in `gen-ai-spans.md` beside it.

/// `gen_ai.operation.name` of a call to a chat API.
pub(crate) const CHAT: &str = "chat";

/// `gen_ai.operation.name` of a call to OpenAI's text completions.
pub(crate) const TEXT_COMPLETION: &str = "text_completion";

/// `gen_ai.operation.name` of a call for embeddings.
pub(crate) const EMBEDDINGS: &str = "embeddings";

/// The operation of [`Client::count_tokens`](crate::Client::count_tokens). Our own name.
pub(crate) const COUNT_TOKENS: &str = "count_tokens";

/// The operation of [`Client::models`](crate::Client::models). Our own name.
pub(crate) const LIST_MODELS: &str = "list_models";

/// The operation of every request about [batches](crate::Client::batches). Our own name.
pub(crate) const BATCH: &str = "batch";

/// The operation of [`Client::moderate`](crate::Client::moderate). Our own name.
pub(crate) const MODERATION: &str = "moderation";

/// The operation of requests to endpoints that the crate does not model. Our own name.
pub(crate) const RAW: &str = "raw";

pub(crate) const OPERATION: &str = "gen_ai.operation.name";
pub(crate) const PROVIDER: &str = "gen_ai.provider.name";
pub(crate) const REQUEST_MODEL: &str = "gen_ai.request.model";
pub(crate) const RESPONSE_MODEL: &str = "gen_ai.response.model";
pub(crate) const TOKEN_TYPE: &str = "gen_ai.token.type";
pub(crate) const SERVER_ADDRESS: &str = "server.address";
pub(crate) const SERVER_PORT: &str = "server.port";
/// [`ErrorKind::as_str`](crate::ErrorKind::as_str).
pub(crate) const ERROR_TYPE: &str = "error.type";

/// How a call ended: `answered`, `failed`, `cancelled` or `refused`. For an attempt at a target of a
/// route: `answered`, `failed`, or `excused` if the target is not to blame for the failure.
pub(crate) const OUTCOME: &str = "tollgate.outcome";
/// Disjoint classes of tokens, which add up: `input` that was neither read from nor written to a
/// cache, `cached_input`, `cache_write`, `output` without reasoning, `reasoning`.
pub(crate) const TOKEN_CLASS: &str = "tollgate.token.class";
/// [`Phase::as_str`](crate::Phase::as_str), or `unknown`.
pub(crate) const PHASE: &str = "tollgate.phase";
/// [`Wait::as_str`](crate::Wait::as_str).
pub(crate) const WAIT: &str = "tollgate.wait";
/// Why a call was given up or a connection closed.
pub(crate) const REASON: &str = "tollgate.reason";
/// An origin of the pool, such as `https://api.openai.com:443`.
pub(crate) const ORIGIN: &str = "tollgate.origin";
/// What a connection does: `active`, `opening` or `idle`. For a target's breaker: `closed`, `open`
/// or `half_open`.
pub(crate) const STATE: &str = "tollgate.state";
pub(crate) const ROUTE: &str = "tollgate.route";
/// The name of a target in its route.
pub(crate) const TARGET: &str = "tollgate.target";
pub(crate) const BUDGET: &str = "tollgate.budget";
pub(crate) const ACCOUNT: &str = "tollgate.account";
pub(crate) const WINDOW: &str = "tollgate.window";
/// The percentage of a budget at which it alerted.
#[cfg(any(feature = "tracing", feature = "metrics"))]
pub(crate) const THRESHOLD: &str = "tollgate.budget.threshold";

/// Names of spans and their events only.
#[cfg(feature = "tracing")]
pub(crate) mod span {
    /// The target by which subscribers filter.
    pub(crate) const TARGET: &str = "tollgate";

    // The fields that docs.rs/tracing-opentelemetry ("Special Fields") turns into a span's name
    // (by the conventions `{gen_ai.operation.name} {gen_ai.request.model}`), its kind (`client`)
    // and its status (`ERROR`).
    pub(crate) const NAME: &str = "otel.name";
    pub(crate) const KIND: &str = "otel.kind";
    pub(crate) const STATUS: &str = "otel.status_code";

    pub(crate) const REQUEST_STREAM: &str = "gen_ai.request.stream";
    pub(crate) const RESPONSE_ID: &str = "gen_ai.response.id";
    pub(crate) const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
    /// In seconds.
    pub(crate) const TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
    pub(crate) const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
    pub(crate) const CACHE_READ_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
    pub(crate) const CACHE_CREATION_TOKENS: &str = "gen_ai.usage.cache_creation.input_tokens";
    pub(crate) const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
    pub(crate) const REASONING_TOKENS: &str = "gen_ai.usage.reasoning.output_tokens";
    // OpenTelemetry's general conventions, v1.41.1: `registry/attributes/error.md` and
    // `http.md`.
    pub(crate) const ERROR_MESSAGE: &str = "error.message";
    pub(crate) const STATUS_CODE: &str = "http.response.status_code";
    /// How many attempts came before this one, if any did.
    pub(crate) const RESEND_COUNT: &str = "http.request.resend_count";

    /// In US dollars.
    pub(crate) const COST: &str = "tollgate.cost";
    pub(crate) const ATTEMPTS: &str = "tollgate.attempts";
    /// The provider's id of the HTTP request.
    pub(crate) const REQUEST_ID: &str = "tollgate.request_id";
    /// As a JSON object.
    pub(crate) const TAGS: &str = "tollgate.tags";
    /// Whether an attempt's request was sent twice because the connection was dead.
    pub(crate) const RESENT: &str = "tollgate.resent";
    /// The time until the next attempt, in seconds.
    pub(crate) const AFTER: &str = "tollgate.retry.after";
    /// Whether a connection had been used before.
    pub(crate) const REUSED: &str = "tollgate.connection.reused";
    /// How long something took, in seconds.
    pub(crate) const DURATION: &str = "tollgate.duration";
    /// When a deprecated model retires, and what follows it.
    pub(crate) const RETIRES: &str = "tollgate.model.retires";
    pub(crate) const SUCCESSOR: &str = "tollgate.model.successor";
    /// Both in US dollars.
    pub(crate) const SPENT: &str = "tollgate.budget.spent";
    pub(crate) const LIMIT: &str = "tollgate.budget.limit";
}

/// `{token}` histograms: the conventions' bounds.
const TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// The bounds of all durations in the conventions, in seconds.
const SECONDS: &[f64] =
    &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

const RATES: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0];

const DOLLARS: &[f64] =
    &[0.000_01, 0.000_03, 0.000_1, 0.000_3, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];

/// The UCUM unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A count of things such as `{call}`, which Prometheus does not treat as a unit.
    Count(&'static str),
    Seconds,
    Dollars,
    /// A share of 1.
    Ratio,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    /// With the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) kind: Kind,
    pub(crate) about: &'static str,
}

macro_rules! metrics {
    ($($(#[$when:meta])? $id:ident = $name:literal, $kind:expr, $unit:expr, $about:literal;)*) => {
        $($(#[$when])? pub(crate) const $id: Metric =
            Metric { name: $name, unit: $unit, kind: $kind, about: $about };)*

        /// All metrics.
        #[cfg(test)]
        pub(crate) const ALL: &[Metric] = &[$($(#[$when])? $id),*];
    };
}

use Kind::{Counter, Gauge, Histogram};
use Unit::{Count, Dollars, Ratio, Seconds};

metrics! {
    DURATION = "gen_ai.client.operation.duration", Histogram(SECONDS), Seconds,
        "Duration of calls, including retries.";
    TIME_TO_FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk",
        Histogram(SECONDS), Seconds, "Time from the start of a call to the first token of a stream.";
    TIME_PER_OUTPUT_CHUNK = "gen_ai.client.operation.time_per_output_chunk",
        Histogram(SECONDS), Seconds, "Time between pieces of a stream's output.";
    TOKEN_USAGE = "gen_ai.client.token.usage", Histogram(TOKENS), Count("{token}"),
        "Tokens used per answered call.";

    OUTPUT_RATE = "tollgate.client.output_tokens_per_second", Histogram(RATES),
        Count("{token}/s"), "Output tokens per second of answered calls.";
    COST = "tollgate.client.cost", Histogram(DOLLARS), Dollars,
        "Cost per call, in US dollars.";
    CALLS = "tollgate.client.calls", Counter, Count("{call}"), "Calls that ended.";
    IN_FLIGHT = "tollgate.client.in_flight", Gauge, Count("{call}"), "Calls in progress.";
    ERRORS = "tollgate.client.errors", Counter, Count("{call}"),
        "Calls that were not answered, by error and stage.";
    RESPONSES = "tollgate.client.responses", Counter, Count("{call}"),
        "Answered calls, by the model that the provider says answered.";
    ATTEMPTS = "tollgate.client.attempts", Counter, Count("{attempt}"),
        "Attempts, over all calls.";
    RESENT = "tollgate.client.resent", Counter, Count("{attempt}"),
        "Attempts whose request was sent twice because the connection was dead.";
    RETRIES = "tollgate.client.retries", Counter, Count("{attempt}"),
        "Retries, by the error of the attempt before.";
    RETRY_WAITS = "tollgate.client.retry_waits", Counter, Count("{wait}"),
        "Waits before retries, by what decided their length.";
    GIVEN_UP = "tollgate.client.given_up", Counter, Count("{call}"),
        "Calls given up after an attempt, by reason.";
    TOKENS_USED = "tollgate.client.tokens", Counter, Count("{token}"),
        "Tokens used, including those of failed calls.";
    UNPRICED = "tollgate.client.unpriced", Counter, Count("{call}"),
        "Answered calls of unknown cost.";
    CACHE_HITS = "tollgate.cache.hits", Counter, Count("{call}"),
        "Calls that the cache answered.";
    CACHE_MISSES = "tollgate.cache.misses", Counter, Count("{call}"),
        "Calls for which the cache had no answer.";
    CACHE_MONEY_SAVED = "tollgate.cache.money_saved", Counter, Dollars,
        "What the calls that the cache answered would have cost, in US dollars.";
    CACHE_TIME_SAVED = "tollgate.cache.time_saved", Counter, Seconds,
        "How much longer the provider took for the answers in the cache.";
    CACHE_FAILURES = "tollgate.cache.failures", Counter, Count("{failure}"),
        "Times that the store of the cache could not be read or written.";
    RETRIES_LEFT = "tollgate.client.retries_left", Gauge, Count("{attempt}"),
        "Retries left in the retry budget.";
    UPTIME = "tollgate.client.uptime", Gauge, Seconds, "Time since the client was built.";

    TARGET_ATTEMPTS = "tollgate.target.attempts", Counter, Count("{attempt}"),
        "Attempts at a target of a route, by outcome.";
    TARGET_FAILURES = "tollgate.target.failures", Counter, Count("{attempt}"),
        "Attempts at a target of a route that failed, by error.";
    TARGET_FAILOVERS = "tollgate.target.failovers", Counter, Count("{call}"),
        "Times that a call went on from a target to another.";
    TARGET_HEDGES = "tollgate.target.hedges", Counter, Count("{call}"),
        "Times that a call tried another target too because this one was silent.";
    TARGET_NOT_ACCEPTED = "tollgate.target.not_accepted", Counter, Count("{answer}"),
        "Answers of a target that a cascade did not accept.";
    TARGET_RESTS = "tollgate.target.rests", Counter, Count("{rest}"),
        "Times that a target began to rest, by reason.";
    TARGET_BREAKER = "tollgate.target.breaker", Gauge, Count("{target}"),
        "1 for the state that a target's breaker is in, 0 for the others.";
    TARGET_IN_FLIGHT = "tollgate.target.in_flight", Gauge, Count("{attempt}"),
        "Attempts in progress at a target of a route.";
    TARGET_DURATION = "tollgate.target.duration", Histogram(SECONDS), Seconds,
        "Duration of answered attempts at a target of a route, without streams.";
    TARGET_FIRST_CHUNK = "tollgate.target.time_to_first_chunk", Histogram(SECONDS), Seconds,
        "Time from sending a request to a target to the first event of the stream.";
    TARGET_COST = "tollgate.target.cost", Counter, Dollars,
        "Cost of the answers of a target of a route, in US dollars.";

    POOL_CONNECTIONS = "tollgate.pool.connections", Gauge, Count("{connection}"),
        "Connections, by state.";
    POOL_WAITING = "tollgate.pool.waiting", Gauge, Count("{call}"),
        "Calls waiting for a connection.";
    POOL_OPENED = "tollgate.pool.opened", Counter, Count("{connection}"), "Connections opened.";
    POOL_REUSED = "tollgate.pool.reused", Counter, Count("{connection}"),
        "Times that a connection was reused.";
    POOL_CLOSED = "tollgate.pool.closed", Counter, Count("{connection}"),
        "Connections closed, by reason.";
    POOL_FAILED = "tollgate.pool.connect_failures", Counter, Count("{connection}"),
        "Failed attempts to open a connection, by reason.";
    POOL_WAIT = "tollgate.pool.wait", Histogram(SECONDS), Seconds,
        "Time that calls waited for a connection, if they had to.";
    #[cfg(feature = "metrics")]
    POOL_LEASE = "tollgate.pool.lease", Histogram(SECONDS), Seconds,
        "Time to get a connection: waiting for it, and opening it.";
    #[cfg(feature = "metrics")]
    POOL_OPEN = "tollgate.pool.open", Histogram(SECONDS), Seconds,
        "Time to open a connection.";

    REFUSED = "tollgate.budget.refused", Counter, Count("{call}"), "Calls refused by a budget.";
    UNRECORDED = "tollgate.budget.unrecorded", Counter, Count("{call}"),
        "Calls that the ledger failed to record.";
    BUDGET_LIMIT = "tollgate.budget.limit", Gauge, Dollars,
        "The most that may be spent in the window, in US dollars.";
    BUDGET_SPENT = "tollgate.budget.spent", Gauge, Dollars,
        "Spent in the window, in US dollars.";
    BUDGET_RESERVED = "tollgate.budget.reserved", Gauge, Dollars,
        "Reserved for calls in progress, in US dollars.";
    BUDGET_UTILISATION = "tollgate.budget.utilisation", Gauge, Ratio,
        "Share of the limit that is spent.";
    #[cfg(feature = "metrics")]
    ALERTS = "tollgate.budget.alerts", Counter, Count("{alert}"),
        "Times that a budget reached one of its thresholds.";
}

impl Metric {
    /// Its name for Prometheus, without a counter's `_total`. By the rules of
    /// opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics, with `_usd` for
    /// dollars.
    pub(crate) fn prometheus(&self) -> String {
        let suffix = match self.unit {
            Unit::Count(_) => "",
            Unit::Seconds => "_seconds",
            Unit::Dollars => "_usd",
            Unit::Ratio => "_ratio",
        };
        label(self.name) + suffix
    }
}

/// An attribute's name for Prometheus.
pub(crate) fn label(name: &str) -> String {
    name.replace('.', "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_valid_and_bounds_ascend() {
        let mut names = BTreeSet::new();
        for metric in ALL {
            let name = metric.prometheus();
            let is_valid = |char: char| char.is_ascii_lowercase() || char == '_';
            assert!(name.chars().all(is_valid), "{name}");
            assert!(names.insert(name), "{}", metric.name);
            assert!(metric.about.ends_with('.'), "{}", metric.about);
            if let Kind::Histogram(bounds) = metric.kind {
                assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]), "{}", metric.name);
            }
        }
        assert_eq!(DURATION.prometheus(), "gen_ai_client_operation_duration_seconds");
        assert_eq!(TOKEN_USAGE.prometheus(), "gen_ai_client_token_usage");
    }
}
