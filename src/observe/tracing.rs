//! `TracingObserver`: spans and events for the `tracing` crate.

mod outcome;
mod spans;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;
use tracing::field::Empty;
use tracing::{Level, event};

use super::{Call, CallEnd, Lease, Observer};
use crate::catalogue::Model;
use crate::chat::UsageSource;
use crate::cost::BudgetAlert;
use crate::error::{Attempt, Wait};
use crate::metrics::Ending;
use crate::metrics::names::{self, span};
use crate::routing::RestReason;
use spans::{Spans, leave_attempt};

/// Emits an event in a span, if there is one.
macro_rules! event_in {
    ($span:expr, $level:ident, $message:literal, $fields:tt) => {
        if let Some(parent) = $span {
            event!(target: span::TARGET, parent: &*parent, Level::$level, $fields, $message);
        }
    };
}

/// Emits an event in the span of the attempt that this thread makes, if any.
macro_rules! event_in_attempt {
    ($self:ident, $level:ident, $message:literal, $fields:tt) => {
        $self.spans.in_attempt(|| {
            event!(target: span::TARGET, Level::$level, $fields, $message);
        });
    };
}

/// Creates spans and events for the [`tracing`](https://docs.rs/tracing) crate (feature
/// `tracing`).
///
/// Each call is a span named `call` at level `INFO`, a child of the caller's current span. Each of
/// its attempts is a span `attempt` within it. Fields follow OpenTelemetry's GenAI conventions
/// (<https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/>) where these define any,
/// and otherwise begin with `tollgate`. The conventional span name, `chat gpt-4o-mini`, is in the
/// field `otel.name`, which `tracing-opentelemetry` uses.
///
/// - `call` has at its start `otel.name`, `otel.kind`, `gen_ai.operation.name`,
///   `gen_ai.provider.name`, `gen_ai.request.model`, `gen_ai.request.stream` (for streams),
///   `server.address`, `server.port`;
/// - a call to a [route](crate::route::Route) has `tollgate.route` at its start, with the route as
///   its model; at its end `tollgate.target`, the provider and the server of the latest attempt;
/// - at its end `tollgate.outcome`, `tollgate.attempts`, `tollgate.cost` (in US dollars),
///   `tollgate.request_id`, `gen_ai.response.model`, `gen_ai.response.id`,
///   `gen_ai.response.finish_reasons`, `gen_ai.response.time_to_first_chunk`,
///   `gen_ai.usage.input_tokens`, `gen_ai.usage.output_tokens`, and how many of these were
///   cached or spent on reasoning;
/// - if it failed, `error.type` (the [`ErrorKind`](crate::ErrorKind)), `tollgate.phase` and,
///   unless the caller cancelled it, `otel.status_code`;
/// - `attempt` has, on a route, `tollgate.target`, `gen_ai.provider.name` and
///   `gen_ai.request.model`; `http.request.resend_count` from the second one on,
///   `tollgate.resent` if its request was [sent twice](Attempt::resent), and if it failed,
///   `error.type`, `tollgate.phase`, `http.response.status_code` and `tollgate.request_id`.
///
/// Each call also emits one event at its end, for programs that only print a log: at `DEBUG` if
/// it was answered or cancelled, at `WARN` if it failed or a budget refused it. Its fields are
/// `tollgate.outcome`, `gen_ai.operation.name`, `gen_ai.provider.name`, `gen_ai.request.model`,
/// `error.type`, `tollgate.phase`, `http.response.status_code` (for errors),
/// `tollgate.request_id`, `tollgate.attempts` and `tollgate.duration`.
/// `tracing_subscriber::fmt().init()` prints failed calls; with the level `DEBUG` it prints all
/// of them.
///
/// The other events are:
///
/// - `WARN`: a target that starts to rest, a budget alert, a deprecated model;
/// - `INFO`: a retry, a call that goes on to another target, an answer that a cascade did not
///   accept, a call that tries another target too because one is silent, a target that has
///   returned;
/// - `DEBUG`: the first token, a connection that was opened or closed;
/// - `TRACE`: a connection that was leased.
///
/// The `tracing` target of all is `tollgate`. Events of a connection are in the span of the attempt
/// that needed it, unless a thread of the client opened or closed it. Durations are in seconds.
///
/// Nothing contains prompts, answers or the key. Data that may identify a customer or quote a
/// request is only recorded on request: [tags](Self::tag), [accounts](Self::accounts) and
/// [messages](Self::error_messages).
///
/// ```
/// use tollgate::observe::TracingObserver;
/// use tollgate::testing::{Loopback, Reply};
/// use tollgate::{Client, Provider};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // First tracing_subscriber::fmt().init(), or whatever your program uses.
/// let server = Loopback::start()?;
/// let client = Client::builder()
///     .provider(Provider::OPENAI)
///     .base_url(server.base_url(Provider::OPENAI))
///     .api_key("sk-test")
///     .model("gpt-4o-mini")
///     .observer(TracingObserver::new().tag("customer"))
///     .build()?;
///
/// server.reply(Reply::text("Paris"));
/// let answer = client.chat("What is the capital of France?")?; // in a span of its own
/// # assert_eq!(answer.text(), "Paris");
/// # Ok(())
/// # }
/// ```
pub struct TracingObserver {
    tags: BTreeSet<String>,
    accounts: bool,
    messages: bool,
    spans: Spans,
}

impl Default for TracingObserver {
    fn default() -> Self {
        Self { tags: BTreeSet::new(), accounts: false, messages: false, spans: Spans::new() }
    }
}

impl TracingObserver {
    /// Creates an observer that records nothing that may identify a customer or quote a request.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also records the [tag](crate::ChatRequest::tag) with this name. All recorded tags are in one
    /// field of a call's span, `tollgate.tags`, as a JSON object. Default: none.
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>) -> Self {
        self.tags.insert(name.into());
        self
    }

    /// Sets whether alerts record the budget's [account](BudgetAlert::account), which contains the
    /// values of tags. Default: no.
    #[must_use]
    pub fn accounts(mut self, recorded: bool) -> Self {
        self.accounts = recorded;
        self
    }

    /// Sets whether the [message](crate::Error::message) of an error is recorded, as
    /// `error.message`. It comes from the provider and may quote the request. Default: no.
    #[must_use]
    pub fn error_messages(mut self, recorded: bool) -> Self {
        self.messages = recorded;
        self
    }

    /// The call's tags that should be recorded, if it has any of them.
    fn tags_of(&self, call: &Call<'_>) -> Option<String> {
        let asked = call.tags.iter().filter(|(name, _)| self.tags.contains(*name));
        let asked: BTreeMap<_, _> = asked.collect();
        if asked.is_empty() { None } else { serde_json::to_string(&asked).ok() }
    }
}

impl Observer for TracingObserver {
    fn call_begun(&self, call: &Call<'_>) {
        let opened = tracing::span!(
            target: span::TARGET,
            Level::INFO,
            "call",
            { span::NAME } = format!("{} {}", call.operation, call.model).trim_end(),
            { span::KIND } = "client",
            { span::STATUS } = Empty,
            { names::OPERATION } = call.operation,
            // A route has none until it has chosen a target.
            { names::PROVIDER } = Some(call.provider).filter(|_| call.route.is_none()),
            { names::ROUTE } = call.route,
            { names::REQUEST_MODEL } = Some(call.model).filter(|model| !model.is_empty()),
            { span::REQUEST_STREAM } = Some(true).filter(|_| call.streamed),
            { names::SERVER_ADDRESS } = Some(call.server_address).filter(|_| call.route.is_none()),
            { names::SERVER_PORT } = Some(call.server_port).filter(|_| call.route.is_none()),
            { span::TAGS } = self.tags_of(call),
            { names::TARGET } = Empty,
            { names::RESPONSE_MODEL } = Empty,
            { span::RESPONSE_ID } = Empty,
            { span::FINISH_REASONS } = Empty,
            { span::TIME_TO_FIRST_CHUNK } = Empty,
            { span::INPUT_TOKENS } = Empty,
            { span::CACHE_READ_TOKENS } = Empty,
            { span::CACHE_CREATION_TOKENS } = Empty,
            { span::OUTPUT_TOKENS } = Empty,
            { span::REASONING_TOKENS } = Empty,
            { names::OUTCOME } = Empty,
            { span::COST } = Empty,
            { span::ATTEMPTS } = Empty,
            { span::REQUEST_ID } = Empty,
            { names::ERROR_TYPE } = Empty,
            { span::ERROR_MESSAGE } = Empty,
            { names::PHASE } = Empty,
        );
        // A disabled span is not collected.
        if !opened.is_disabled() {
            self.spans.begin_call(call.id, opened);
        }
    }

    fn attempt_begun(&self, call: &Call<'_>, number: u32) {
        self.spans.begin_attempt(call.id, number, |parent| {
            tracing::span!(
                target: span::TARGET,
                parent: parent,
                Level::INFO,
                "attempt",
                { span::RESEND_COUNT } = Some(number).filter(|number| *number > 0),
                { names::TARGET } = call.target,
                { names::PROVIDER } = call.target.map(|_| call.provider),
                { names::REQUEST_MODEL } = call.target.map(|_| call.model),
                { names::ERROR_TYPE } = Empty,
                { span::ERROR_MESSAGE } = Empty,
                { names::PHASE } = Empty,
                { span::STATUS_CODE } = Empty,
                { span::REQUEST_ID } = Empty,
                { span::RESENT } = Empty,
            )
        });
    }

    fn attempt_ended(&self, call: &Call<'_>, attempt: &Attempt) {
        let Some(ended) = self.spans.end_attempt(call.id, attempt.number) else { return };
        if attempt.resent {
            ended.record(span::RESENT, true);
        }
        let Some(failure) = &attempt.failure else { return };
        ended
            .record(names::ERROR_TYPE, failure.kind.as_str())
            .record(names::PHASE, failure.phase.map(|phase| phase.as_str()))
            .record(span::STATUS_CODE, failure.status)
            .record(span::REQUEST_ID, failure.request_id.as_deref());
        if self.messages {
            ended.record(span::ERROR_MESSAGE, failure.message.as_str());
        }
    }

    fn retry_scheduled(&self, call: &Call<'_>, after: Duration, wait: Wait) {
        event_in!(self.spans.call(call.id), INFO, "retry scheduled", {
            { span::AFTER } = after.as_secs_f64(),
            { names::WAIT } = wait.as_str()
        });
    }

    fn connection_leased(&self, lease: &Lease<'_>) {
        event_in_attempt!(self, TRACE, "connection leased", {
            { names::ORIGIN } = lease.origin,
            { span::REUSED } = lease.reused,
            { span::DURATION } = lease.duration.as_secs_f64()
        });
    }

    fn connection_opened(&self, origin: &str, duration: Duration) {
        event_in_attempt!(self, DEBUG, "connection opened", {
            { names::ORIGIN } = origin,
            { span::DURATION } = duration.as_secs_f64()
        });
    }

    fn connection_closed(&self, origin: &str) {
        event_in_attempt!(self, DEBUG, "connection closed", { { names::ORIGIN } = origin });
    }

    fn first_token(&self, call: &Call<'_>, after: Duration) {
        // From here on the thread may make other calls.
        leave_attempt();
        // The other attempts of a hedged call have ended by now.
        event_in!(self.spans.latest(call.id), DEBUG, "first token", {
            { span::DURATION } = after.as_secs_f64()
        });
    }

    fn call_ended(&self, call: &Call<'_>, end: &CallEnd<'_>) {
        // A filter that drops spans, such as "warn", may still let the event through.
        let Some(ended) = self.spans.end_call(call.id) else {
            return outcome::record(call, end, self.messages);
        };
        ended.in_scope(|| outcome::record(call, end, self.messages));
        ended
            .record(names::RESPONSE_MODEL, end.response_model)
            .record(names::TARGET, call.target)
            .record(span::RESPONSE_ID, end.response_id)
            .record(span::REQUEST_ID, end.request_id)
            .record(
                span::TIME_TO_FIRST_CHUNK,
                end.time_to_first_token.map(|time| time.as_secs_f64()),
            )
            .record(span::COST, end.cost.map(|cost| cost.total.as_dollars()))
            .record(span::ATTEMPTS, end.attempts.len())
            .record(names::OUTCOME, Ending::of(end.error, end.attempts).as_str());
        if let Some(reason) = end.finish_reason {
            // Fields cannot be lists.
            ended.record(span::FINISH_REASONS, tracing::field::debug([reason.as_str()]));
        }
        if end.usage.source != UsageSource::Missing {
            let usage = &end.usage;
            ended
                .record(span::INPUT_TOKENS, usage.prompt_tokens)
                .record(span::CACHE_READ_TOKENS, usage.cached_tokens)
                .record(span::CACHE_CREATION_TOKENS, usage.cache_write_tokens)
                .record(span::OUTPUT_TOKENS, usage.completion_tokens)
                .record(span::REASONING_TOKENS, usage.reasoning_tokens);
        }
        if call.target.is_some() {
            ended
                .record(names::PROVIDER, call.provider)
                .record(names::SERVER_ADDRESS, call.server_address)
                .record(names::SERVER_PORT, call.server_port);
        }
        let Some(error) = end.error else { return };
        ended
            .record(names::ERROR_TYPE, error.kind().as_str())
            .record(names::PHASE, error.phase().map(|phase| phase.as_str()));
        if !error.is_cancelled() {
            ended.record(span::STATUS, "ERROR");
        }
        if self.messages {
            ended.record(span::ERROR_MESSAGE, error.message());
        }
    }

    fn failed_over(&self, call: &Call<'_>, attempt: &Attempt) {
        event_in!(self.spans.call(call.id), INFO, "failed over", {
            { names::ROUTE } = call.route,
            { names::TARGET } = call.target,
            { names::ERROR_TYPE } =
                attempt.failure.as_ref().map(|failure| failure.kind.as_str())
        });
    }

    fn not_accepted(&self, call: &Call<'_>, _: &Attempt, reason: &str) {
        event_in!(self.spans.call(call.id), INFO, "answer not accepted", {
            { names::ROUTE } = call.route,
            { names::TARGET } = call.target,
            { names::REASON } = reason
        });
    }

    fn hedged(&self, call: &Call<'_>, target: &str, silence: Duration) {
        event_in!(self.spans.call(call.id), INFO, "hedged", {
            { names::ROUTE } = call.route,
            { names::TARGET } = target,
            { span::AFTER } = silence.as_secs_f64()
        });
    }

    fn target_rested(&self, route: &str, target: &str, reason: RestReason, rest: Duration) {
        event_in_attempt!(self, WARN, "target rests", {
            { names::ROUTE } = route,
            { names::TARGET } = target,
            { names::REASON } = reason.as_str(),
            { span::DURATION } = rest.as_secs_f64()
        });
    }

    fn target_returned(&self, route: &str, target: &str) {
        event_in_attempt!(self, INFO, "target returned", {
            { names::ROUTE } = route,
            { names::TARGET } = target
        });
    }

    fn model_deprecated(&self, call: &Call<'_>, model: &Model) {
        event_in!(self.spans.call(call.id), WARN, "model deprecated", {
            { names::PROVIDER } = call.provider,
            { names::REQUEST_MODEL } = call.model,
            { span::RETIRES } = model.retires.map(tracing::field::display),
            { span::SUCCESSOR } = model.successor.as_deref()
        });
    }

    fn budget_alert(&self, alert: &BudgetAlert) {
        event!(
            target: span::TARGET,
            Level::WARN,
            {
                { names::BUDGET } = alert.budget.as_str(),
                { names::ACCOUNT } =
                    Some(&*alert.account).filter(|account| self.accounts && !account.is_empty()),
                { names::THRESHOLD } = alert.threshold,
                { span::SPENT } = alert.spent.as_dollars(),
                { span::LIMIT } = alert.limit.as_dollars()
            },
            "budget alert"
        );
    }
}

impl fmt::Debug for TracingObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracingObserver")
            .field("tags", &self.tags)
            .field("accounts", &self.accounts)
            .field("error_messages", &self.messages)
            .field("open", &self.spans.len())
            .finish()
    }
}
