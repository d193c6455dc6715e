//! `MetricsObserver`: counts and measures for the `metrics` crate.

use metrics::{Label, Unit as FacadeUnit};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Call, CallEnd, Lease, Observer};
use crate::chat::UsageSource;
use crate::cost::BudgetAlert;
use crate::error::{Attempt, Decision};
use crate::metrics::names::{self, Kind, Metric, Unit};
use crate::metrics::{Ending, MOST, OTHER, Tokens, bounded};
use crate::routing::RestReason;
use crate::sync::Lock;
use crate::sync::ordered::Mutex;

/// The label value for a tag that a call does not have.
const NONE: &str = "(none)";

/// Counts and measures for the recorder that your program has installed for the
/// [`metrics`](https://docs.rs/metrics) crate (feature `metrics`).
///
/// Names are those of [`MetricsSnapshot::prometheus`](crate::MetricsSnapshot::prometheus): from
/// OpenTelemetry's GenAI conventions
/// (<https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/>) where these define any,
/// otherwise under `tollgate`. Do not export both on the same page.
///
/// | Histograms | |
/// |---|---|
/// | `gen_ai.client.operation.duration` | seconds of a call; with `error.type` if it failed |
/// | `gen_ai.client.operation.time_to_first_chunk` | seconds to the first token of a stream |
/// | `gen_ai.client.token.usage` | tokens of an answered call, by `gen_ai.token.type` |
/// | `tollgate.client.cost` | US dollars |
/// | `tollgate.pool.lease`, `.open` | seconds to get a connection, and to open one |
///
/// | Counters | by |
/// |---|---|
/// | `tollgate.client.calls` | `tollgate.outcome` |
/// | `tollgate.client.errors` | `error.type`, `tollgate.phase` |
/// | `tollgate.client.attempts`, `.resent`, `.unpriced` | |
/// | `tollgate.client.retries` | the `error.type` before |
/// | `tollgate.client.retry_waits` | `tollgate.wait` |
/// | `tollgate.client.given_up` | `tollgate.reason` |
/// | `tollgate.client.tokens` | `tollgate.token.class` |
/// | `tollgate.target.failovers`, `.hedges`, `.not_accepted` | `tollgate.route`, `tollgate.target` alone |
/// | `tollgate.target.rests` | the same, and `tollgate.reason` |
/// | `tollgate.pool.opened`, `.reused`, `.closed` | `tollgate.origin` alone |
/// | `tollgate.budget.alerts` | `tollgate.budget`, `tollgate.budget.threshold` alone |
///
/// The gauge `tollgate.client.in_flight` has the calls in progress; those to a route have `route` as
/// their provider there, and the route's name as their model. All metrics of calls also have
/// the labels provider, requested model, operation, and host and port of the server.
///
/// Every label has a bounded number of values: the first 200 models, and the first 200 values of a
/// [tag](Self::tag_label), have their own series; all others share `(other)`. None contains a
/// prompt, answer, key or message.
///
/// Recorders choose their own buckets. The conventions suggest 0.01 s, 0.02 s and so on, doubling
/// up to 81.92 s, for durations, and powers of 4 for tokens.
///
/// ```
/// use tollgate::observe::MetricsObserver;
/// use tollgate::testing::{Loopback, Reply};
/// use tollgate::{ChatRequest, Client, Provider};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Install the recorder first, such as PrometheusBuilder::new().install()?.
/// let server = Loopback::start()?;
/// let client = Client::builder()
///     .provider(Provider::OPENAI)
///     .base_url(server.base_url(Provider::OPENAI))
///     .api_key("sk-test")
///     .model("gpt-4o-mini")
///     .observer(MetricsObserver::new().tag_label("customer"))
///     .build()?;
///
/// server.reply(Reply::text("Paris"));
/// let request = ChatRequest::from("What is the capital of France?").tag("customer", "acme");
/// let answer = client.chat(request)?; // counted, by customer too
/// # assert_eq!(answer.text(), "Paris");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MetricsObserver {
    models: Names,
    tags: BTreeMap<String, Names>,
}

impl MetricsObserver {
    /// Creates an observer without tags. It describes its metrics and their units to the recorder,
    /// so install the recorder first.
    pub fn new() -> Self {
        DESCRIBED.iter().for_each(describe);
        Self { models: Names::default(), tags: BTreeMap::new() }
    }

    /// Adds the [tag](crate::ChatRequest::tag) with this name as a label of the metrics of calls,
    /// under the same name. Calls without it have `(none)`. Default: none, because tags may name
    /// customers.
    #[must_use]
    pub fn tag_label(mut self, name: impl Into<String>) -> Self {
        self.tags.insert(name.into(), Names::default());
        self
    }

    /// The labels of a call as it began. One to a route has no target yet, and what is counted up
    /// must be counted down under the same labels.
    fn of_begun_call(&self, call: &Call<'_>) -> Labels {
        match call.route {
            None => self.of_call(call),
            Some(route) => self.of_call(&Call {
                provider: "route",
                model: route,
                server_address: "",
                server_port: 0,
                ..*call
            }),
        }
    }

    /// The labels of everything recorded about a call.
    fn of_call(&self, call: &Call<'_>) -> Labels {
        let mut labels = Labels(Vec::with_capacity(8 + self.tags.len()))
            .with(names::OPERATION, call.operation)
            .with(names::PROVIDER, call.provider)
            .with(names::REQUEST_MODEL, self.models.known(call.model))
            .with(names::SERVER_ADDRESS, call.server_address)
            .with(names::SERVER_PORT, call.server_port.to_string());
        for (name, values) in &self.tags {
            let value = call.tags.get(name).map_or(NONE, |value| values.known(value));
            labels.0.push(Label::new(name.clone(), value.to_owned()));
        }
        labels
    }
}

impl Default for MetricsObserver {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for MetricsObserver {
    fn call_begun(&self, call: &Call<'_>) {
        metrics::gauge!(names::IN_FLIGHT.name, self.of_begun_call(call).0).increment(1.0);
    }

    fn call_ended(&self, call: &Call<'_>, end: &CallEnd<'_>) {
        let labels = self.of_call(call);
        metrics::gauge!(names::IN_FLIGHT.name, self.of_begun_call(call).0).decrement(1.0);
        let outcome = Ending::of(end.error, end.attempts).as_str();
        count(&names::CALLS, labels.and(names::OUTCOME, outcome), 1);
        match end.error {
            None => record(&names::DURATION, labels.clone(), end.latency.as_secs_f64()),
            Some(error) => {
                let labels = labels.and(names::ERROR_TYPE, error.kind().as_str());
                record(&names::DURATION, labels.clone(), end.latency.as_secs_f64());
                let phase = error.phase().map_or("unknown", |phase| phase.as_str());
                count(&names::ERRORS, labels.with(names::PHASE, phase), 1);
            }
        }
        if let Some(time) = end.time_to_first_token {
            record(&names::TIME_TO_FIRST_CHUNK, labels.clone(), time.as_secs_f64());
        }
        match end.cost {
            Some(cost) => record(&names::COST, labels.clone(), cost.total.as_dollars()),
            None if end.error.is_none() && end.source.is_live() => {
                count(&names::UNPRICED, labels.clone(), 1);
            }
            None => {}
        }
        attempts(&labels, end.attempts);
        tokens(&labels, end);
    }

    fn connection_leased(&self, lease: &Lease<'_>) {
        if lease.reused {
            count(&names::POOL_REUSED, of_origin(lease.origin), 1);
        }
        record(&names::POOL_LEASE, of_origin(lease.origin), lease.duration.as_secs_f64());
    }

    fn connection_opened(&self, origin: &str, duration: Duration) {
        count(&names::POOL_OPENED, of_origin(origin), 1);
        record(&names::POOL_OPEN, of_origin(origin), duration.as_secs_f64());
    }

    fn connection_closed(&self, origin: &str) {
        count(&names::POOL_CLOSED, of_origin(origin), 1);
    }

    fn failed_over(&self, call: &Call<'_>, _: &Attempt) {
        if let (Some(route), Some(target)) = (call.route, call.target) {
            count(&names::TARGET_FAILOVERS, of_target(route, target), 1);
        }
    }

    fn not_accepted(&self, call: &Call<'_>, _: &Attempt, _: &str) {
        if let (Some(route), Some(target)) = (call.route, call.target) {
            count(&names::TARGET_NOT_ACCEPTED, of_target(route, target), 1);
        }
    }

    fn hedged(&self, call: &Call<'_>, _: &str, _: Duration) {
        if let (Some(route), Some(target)) = (call.route, call.target) {
            count(&names::TARGET_HEDGES, of_target(route, target), 1);
        }
    }

    fn target_rested(&self, route: &str, target: &str, reason: RestReason, _: Duration) {
        let labels = of_target(route, target).with(names::REASON, reason.as_str());
        count(&names::TARGET_RESTS, labels, 1);
    }

    fn budget_alert(&self, alert: &BudgetAlert) {
        let labels = Labels::default()
            .with(names::BUDGET, bounded(&alert.budget))
            .with(names::THRESHOLD, alert.threshold.to_string());
        count(&names::ALERTS, labels, 1);
    }
}

fn attempts(labels: &Labels, attempts: &[Attempt]) {
    count(&names::ATTEMPTS, labels.clone(), attempts.len() as u64);
    let resent = attempts.iter().filter(|attempt| attempt.resent).count();
    if resent > 0 {
        count(&names::RESENT, labels.clone(), resent as u64);
    }
    let Some((last, before)) = attempts.split_last() else { return };
    // No attempt followed the last one, whatever was decided.
    for attempt in before {
        if let Some(failure) = attempt.retried_failure() {
            count(&names::RETRIES, labels.and(names::ERROR_TYPE, failure.kind.as_str()), 1);
        }
        if let Some(Decision::Retry { wait, .. }) = attempt.decision {
            count(&names::RETRY_WAITS, labels.and(names::WAIT, wait.as_str()), 1);
        }
    }
    if let Some(Decision::GiveUp(reason)) = last.decision {
        count(&names::GIVEN_UP, labels.and(names::REASON, reason.as_str()), 1);
    }
}

#[expect(clippy::cast_precision_loss)]
fn tokens(labels: &Labels, end: &CallEnd<'_>) {
    if end.usage.source == UsageSource::Missing || !end.source.is_live() {
        return;
    }
    for (class, tokens) in Tokens::from(end.usage).classes() {
        if tokens > 0 {
            count(&names::TOKENS_USED, labels.and(names::TOKEN_CLASS, class), tokens);
        }
    }
    // The OpenTelemetry conventions exclude failed operations here.
    if end.error.is_none() {
        let usage = &end.usage;
        for (name, tokens) in [("input", usage.prompt_tokens), ("output", usage.completion_tokens)]
        {
            record(&names::TOKEN_USAGE, labels.and(names::TOKEN_TYPE, name), tokens as f64);
        }
    }
}

/// The first names of a kind. Later ones share a single name.
#[derive(Debug)]
struct Names(
    /// Invariant: at most [`MOST`] names are kept ([`Lock::MetricsLabels`]).
    Mutex<BTreeSet<String>>,
);

impl Default for Names {
    fn default() -> Self {
        Self(Mutex::new(Lock::MetricsLabels, BTreeSet::new()))
    }
}

impl Names {
    fn known<'a>(&self, name: &'a str) -> &'a str {
        let name = bounded(name);
        let mut known = self.0.lock();
        if known.contains(name) || (known.len() < MOST && known.insert(name.to_owned())) {
            return name;
        }
        OTHER
    }
}

#[derive(Debug, Clone, Default)]
struct Labels(Vec<Label>);

impl Labels {
    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.push(Label::new(name, value.into()));
        self
    }

    fn and(&self, name: &'static str, value: &'static str) -> Self {
        let mut labels = self.clone();
        labels.0.push(Label::from_static_parts(name, value));
        labels
    }
}

fn of_target(route: &str, target: &str) -> Labels {
    Labels::default().with(names::ROUTE, bounded(route)).with(names::TARGET, bounded(target))
}

fn of_origin(origin: &str) -> Labels {
    Labels::default().with(names::ORIGIN, origin)
}

fn count(metric: &Metric, labels: Labels, count: u64) {
    metrics::counter!(metric.name, labels.0).increment(count);
}

fn record(metric: &Metric, labels: Labels, value: f64) {
    metrics::histogram!(metric.name, labels.0).record(value);
}

/// All metrics that it records.
const DESCRIBED: &[Metric] = &[
    names::DURATION,
    names::TIME_TO_FIRST_CHUNK,
    names::TOKEN_USAGE,
    names::COST,
    names::CALLS,
    names::IN_FLIGHT,
    names::ERRORS,
    names::ATTEMPTS,
    names::RESENT,
    names::RETRIES,
    names::RETRY_WAITS,
    names::GIVEN_UP,
    names::TOKENS_USED,
    names::UNPRICED,
    names::TARGET_FAILOVERS,
    names::TARGET_HEDGES,
    names::TARGET_NOT_ACCEPTED,
    names::TARGET_RESTS,
    names::POOL_OPENED,
    names::POOL_REUSED,
    names::POOL_CLOSED,
    names::POOL_LEASE,
    names::POOL_OPEN,
    names::ALERTS,
];

fn describe(metric: &Metric) {
    let (name, about) = (metric.name, metric.about);
    let unit = match metric.unit {
        Unit::Seconds => Some(FacadeUnit::Seconds),
        Unit::Count(_) => Some(FacadeUnit::Count),
        // The crate has no unit for dollars.
        Unit::Dollars | Unit::Ratio => None,
    };
    metrics::with_recorder(|recorder| match metric.kind {
        Kind::Counter => recorder.describe_counter(name.into(), unit, about.into()),
        Kind::Gauge => recorder.describe_gauge(name.into(), unit, about.into()),
        Kind::Histogram(_) => recorder.describe_histogram(name.into(), unit, about.into()),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_bound_share_one() {
        let names = Names::default();
        for number in 0..MOST {
            let name = number.to_string();
            assert_eq!(names.known(&name), name);
        }
        assert_eq!(names.known("one more"), "(other)");
        assert_eq!(names.known("7"), "7");
        assert_eq!(names.known(&"7".repeat(1_000)), "(other)");
    }
}
