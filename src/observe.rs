//! Callbacks for what a client does.

#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "tracing")]
mod tracing;

use std::collections::BTreeMap;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use crate::answer_source::AnswerSource;
use crate::cache::StoreError;
use crate::catalogue::Model;
use crate::chat::{FinishReason, Usage};
use crate::cost::{AlertListener, BudgetAlert, Cost, Listen};
use crate::error::{Attempt, Error, Wait};
use crate::routing::RestReason;
use crate::sync::none_held;
#[cfg(feature = "metrics")]
pub use metrics::MetricsObserver;
#[cfg(feature = "tracing")]
pub use tracing::TracingObserver;

/// Callbacks for what a client does, while it does it.
///
/// Use it for facts that [`Client::metrics`](crate::Client::metrics) does not have, or to send
/// them elsewhere. With the features `tracing` and `metrics`, `TracingObserver` and
/// `MetricsObserver` do this for those crates. Every method does nothing by default.
///
/// The client calls these methods outside all locks, so they may use the client. They run on the
/// thread that makes the call or reads the stream, so slow ones delay it. The client may also open
/// and close connections on a thread of its own, and each attempt of a
/// [hedged](crate::route::Hedge) call begins on its own thread. A panic is caught. Do not let an observer own
/// its client: the client would never be dropped.
///
/// No prompt, answer or key is passed on, with one exception: the message of an
/// [`Error`](CallEnd::error) or of an [attempt's failure](Attempt::failure) comes from the
/// provider and may quote the request.
///
/// ```
/// use tollgate::observe::{Call, CallEnd, Observer};
///
/// struct Slow;
///
/// impl Observer for Slow {
///     fn call_ended(&self, call: &Call<'_>, end: &CallEnd<'_>) {
///         if end.latency.as_secs() > 10 {
///             eprintln!("{} took {:?} in {} attempts", call.model, end.latency, end.attempts.len());
///         }
///     }
/// }
///
/// # use tollgate::{Client, Provider};
/// let client =
///     Client::builder().provider(Provider::OPENAI).api_key("sk-test").observer(Slow).build();
/// ```
pub trait Observer: Send + Sync {
    /// A call begins. Each one [ends](Self::call_ended), even by a panic.
    fn call_begun(&self, call: &Call<'_>) {
        let _ = call;
    }

    /// A call goes to a deprecated model: one with that status in the
    /// [catalogue](crate::ClientBuilder::catalogue), or with a date of retirement. Called once for
    /// each client and model, before the first attempt there. [`Model::retires`] and
    /// [`Model::successor`] say when it ends and what follows it, if that is known.
    fn model_deprecated(&self, call: &Call<'_>, model: &Model) {
        let _ = (call, model);
    }

    /// An attempt begins. `number` counts the attempts of the call from 0.
    fn attempt_begun(&self, call: &Call<'_>, number: u32) {
        let _ = (call, number);
    }

    /// An attempt has ended, with an answer, or with a failure and what was decided next. The
    /// attempt of a stream ends with the stream; it counts as cancelled if the stream is dropped
    /// early.
    fn attempt_ended(&self, call: &Call<'_>, attempt: &Attempt) {
        let _ = (call, attempt);
    }

    /// A retry will follow after this wait, unless the call is cancelled meanwhile.
    fn retry_scheduled(&self, call: &Call<'_>, after: Duration, wait: Wait) {
        let _ = (call, after, wait);
    }

    /// An attempt got a connection. Called between its beginning and its end, on the same thread.
    fn connection_leased(&self, lease: &Lease<'_>) {
        let _ = lease;
    }

    /// A connection to `origin` (`https://api.openai.com:443`) was opened. `duration` covers the name
    /// lookup, connecting and TLS.
    fn connection_opened(&self, origin: &str, duration: Duration) {
        let _ = (origin, duration);
    }

    /// A connection to `origin` was closed. [`ClosedConnections`](crate::ClosedConnections) counts
    /// the reasons.
    fn connection_closed(&self, origin: &str) {
        let _ = origin;
    }

    /// The first token of a stream arrived, this long after the call began.
    fn first_token(&self, call: &Call<'_>, after: Duration) {
        let _ = (call, after);
    }

    /// A call has ended in any way. A stream also ends when it is dropped.
    fn call_ended(&self, call: &Call<'_>, end: &CallEnd<'_>) {
        let _ = (call, end);
    }

    /// An attempt of a routed call has failed, and the call goes on to another target at once.
    fn failed_over(&self, call: &Call<'_>, attempt: &Attempt) {
        let _ = (call, attempt);
    }

    /// An attempt was answered, but the [cascade](crate::route::Route::cascade) did not accept the
    /// answer, for this reason. The attempt's [decision](Attempt::decision) says whether the call
    /// moves up to its next target. The reason does not quote the answer, unless a
    /// [check](crate::route::Route::accept) of the program does.
    fn not_accepted(&self, call: &Call<'_>, attempt: &Attempt, reason: &str) {
        let _ = (call, attempt, reason);
    }

    /// An attempt of a routed call has been silent for this long, and the call tries another target
    /// of the route too: `target`, by its name in the route. `call` names the silent one. See
    /// [`Hedge`](crate::route::Hedge).
    fn hedged(&self, call: &Call<'_>, target: &str, silence: Duration) {
        let _ = (call, target, silence);
    }

    /// A target of a route rests from now on, for this long. No calls go to it meanwhile.
    fn target_rested(&self, route: &str, target: &str, reason: RestReason, rest: Duration) {
        let _ = (route, target, reason, rest);
    }

    /// A target of a route has returned from its rest.
    fn target_returned(&self, route: &str, target: &str) {
        let _ = (route, target);
    }

    /// The store of the [cache](crate::Cache) cannot be read or written. No call fails by that: it
    /// goes to the provider, or its answer is not kept. It may run on the thread that reads a stream.
    fn cache_failed(&self, error: &StoreError) {
        let _ = error;
    }

    /// A budget has reached one of its thresholds. If several clients
    /// [share](crate::ClientBuilder::cost_tracker) a tracker, the observers of all of them are
    /// called, each once.
    fn budget_alert(&self, alert: &BudgetAlert) {
        let _ = alert;
    }
}

/// What is known about a call when it begins.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Call<'a> {
    /// Unique among all calls of the process.
    pub id: u64,
    /// The provider's id, such as `groq`.
    pub provider: &'a str,
    /// The requested model; empty if none was named.
    pub model: &'a str,
    /// The [route](crate::route::Route) that it goes to. Until an attempt begins, `provider` is
    /// then `route`, and `model` the name of the route.
    pub route: Option<&'a str>,
    /// The name of the route's target for the latest attempt.
    pub target: Option<&'a str>,
    /// `chat`, `text_completion` or `raw`.
    pub operation: &'a str,
    /// The host of the base URL.
    pub server_address: &'a str,
    /// Its port.
    pub server_port: u16,
    /// Whether the answer is streamed.
    pub streamed: bool,
    /// The caller's tags.
    pub tags: &'a BTreeMap<String, String>,
}

/// What is known about a call when it has ended.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct CallEnd<'a> {
    /// When it ended.
    pub at: SystemTime,
    /// From start to end, including waits and retries.
    pub latency: Duration,
    /// From the start of the call to the first token of a stream.
    pub time_to_first_token: Option<Duration>,
    /// The model that answered.
    pub response_model: Option<&'a str>,
    /// The provider's id of the response body.
    pub response_id: Option<&'a str>,
    /// The provider's id of the HTTP request.
    pub request_id: Option<&'a str>,
    /// Why the model stopped.
    pub finish_reason: Option<FinishReason>,
    /// What the answer used. For a stream, as far as it arrived.
    pub usage: Usage,
    /// What it cost; `None` if no price is known or nothing arrived. In a
    /// [cascade](crate::route::Route::cascade), the sum over all answers.
    pub cost: Option<Cost>,
    /// Where the answer came from. If not from the provider, the call cost nothing.
    pub source: AnswerSource,
    /// Its attempts, in order.
    pub attempts: &'a [Attempt],
    /// How it failed. A stream that was dropped early was cancelled.
    pub error: Option<&'a Error>,
}

/// A connection leased to an attempt.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Lease<'a> {
    /// Where it leads, such as `https://api.openai.com:443`.
    pub origin: &'a str,
    /// How long it took to get: waiting for it, and opening it.
    pub duration: Duration,
    /// Whether an earlier attempt had used it.
    pub reused: bool,
}

impl<'a> Lease<'a> {
    pub(crate) fn new(origin: &'a str, duration: Duration, reused: bool) -> Self {
        Self { origin, duration, reused }
    }
}

/// All observers of a client.
#[derive(Clone, Default)]
pub(crate) struct Observers(Arc<Vec<Arc<dyn Observer>>>);

impl Observers {
    pub(crate) fn new(observers: Vec<Arc<dyn Observer>>) -> Self {
        Self(Arc::new(observers))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Calls all observers. A panic in one neither ends the call nor keeps the others from being
    /// called.
    pub(crate) fn notify(&self, notify: impl Fn(&dyn Observer)) {
        if !self.is_empty() {
            none_held("observers are called");
        }
        for observer in self.0.iter() {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| notify(&**observer))) {
                // The payload may panic again when dropped.
                mem::forget(catch_unwind(AssertUnwindSafe(|| drop(payload))));
            }
        }
    }

    /// Passes budget alerts on to them, as long as their client exists.
    pub(crate) fn listener(&self) -> AlertListener {
        AlertListener::new(WeakObservers(Arc::downgrade(&self.0)))
    }
}

/// All observers of a client, without keeping them alive.
struct WeakObservers(Weak<Vec<Arc<dyn Observer>>>);

impl Listen for WeakObservers {
    fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }

    fn call(&self, alert: &BudgetAlert, called: &mut Vec<usize>) {
        let Some(observers) = self.0.upgrade() else { return };
        let address = |observer: &Arc<dyn Observer>| Arc::as_ptr(observer).cast::<()>() as usize;
        let is_new = |observer: &&Arc<dyn Observer>| !called.contains(&address(observer));
        let new: Vec<_> = observers.iter().filter(is_new).cloned().collect();
        called.extend(new.iter().map(address));
        Observers::new(new).notify(|observer| observer.budget_alert(alert));
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} observers", self.0.len())
    }
}
