//! Who is told what a client does, while it does it.

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

use crate::chat::{FinishReason, Usage};
use crate::cost::{AlertListener, BudgetAlert, Cost, Listen};
use crate::error::{Attempt, Error, Wait};
use crate::sync::none_held;
#[cfg(feature = "metrics")]
pub use metrics::MetricsObserver;
#[cfg(feature = "tracing")]
pub use tracing::TracingObserver;

/// Is told what a client does, while it does it.
///
/// For what [`Client::metrics`](crate::Client::metrics) does not count, and for bringing
/// it to where a program keeps its own: with the features `tracing` and `metrics` there
/// are a `TracingObserver` and a `MetricsObserver` for those crates. Every method does nothing unless it is written.
///
/// They run outside all locks, so that they may ask the client for anything, and in the
/// thread that makes the call or reads the stream, so that what takes long in them holds
/// that up. A connection may be opened and closed in a thread of the client's own. A panic
/// is caught. A client that its observer holds is never dropped.
///
/// No prompt, answer or key is among the facts, save that the message of an
/// [`Error`](CallEnd::error) and of an [attempt's failure](Attempt::failure) is the
/// provider's and may quote the request.
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
    /// A call begins. Every one that begins [ends](Self::call_ended), also by a panic.
    fn call_begun(&self, call: &Call<'_>) {
        let _ = call;
    }

    /// An attempt begins, the `number`th of the call, from 0.
    fn attempt_begun(&self, call: &Call<'_>, number: u32) {
        let _ = (call, number);
    }

    /// An attempt has ended: with an answer, or a failure and what was decided then. That
    /// of a stream ends with the stream; one that is dropped before its end is cancelled.
    fn attempt_ended(&self, call: &Call<'_>, attempt: &Attempt) {
        let _ = (call, attempt);
    }

    /// Another attempt is to follow, after so long, unless the call is cancelled meanwhile.
    fn retry_scheduled(&self, call: &Call<'_>, after: Duration, wait: Wait) {
        let _ = (call, after, wait);
    }

    /// A connection is lent to an attempt: between its beginning and its end, in the same
    /// thread.
    fn connection_leased(&self, lease: &Lease<'_>) {
        let _ = lease;
    }

    /// A connection was opened, to `origin` (`https://api.openai.com:443`), which took so
    /// long: the look-up of the name, connecting, and TLS.
    fn connection_opened(&self, origin: &str, took: Duration) {
        let _ = (origin, took);
    }

    /// A connection to `origin` is closed; [`ClosedConnections`](crate::ClosedConnections) counts the reasons.
    fn connection_closed(&self, origin: &str) {
        let _ = origin;
    }

    /// The first token of a stream is there, so long after the call began.
    fn first_token(&self, call: &Call<'_>, after: Duration) {
        let _ = (call, after);
    }

    /// A call has ended, whichever way: a stream also when it is dropped.
    fn call_ended(&self, call: &Call<'_>, end: &CallEnd<'_>) {
        let _ = (call, end);
    }

    /// A budget has reached one of its thresholds. Of a
    /// [shared](crate::ClientBuilder::cost_tracker) tracker's, the observers of all its
    /// clients are told, each once.
    fn budget_alert(&self, alert: &BudgetAlert) {
        let _ = alert;
    }
}

/// What is known of a call from its beginning.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Call<'a> {
    /// Tells it from all other calls of the process.
    pub id: u64,
    /// The provider's id, such as `groq`.
    pub provider: &'a str,
    /// The model that is asked for; empty where none was named.
    pub model: &'a str,
    /// `chat` or `text_completion`.
    pub operation: &'a str,
    /// The host of the base URL.
    pub server_address: &'a str,
    /// Its port.
    pub server_port: u16,
    /// Whether the answer is streamed.
    pub streamed: bool,
    /// What the caller has labelled it with.
    pub tags: &'a BTreeMap<String, String>,
}

/// What is known of a call once it has ended.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct CallEnd<'a> {
    /// When.
    pub at: SystemTime,
    /// From the call to its end, waiting and retries included.
    pub latency: Duration,
    /// From the call to the first token of a stream.
    pub time_to_first_token: Option<Duration>,
    /// The model that answered.
    pub response_model: Option<&'a str>,
    /// The provider's id of the response body.
    pub response_id: Option<&'a str>,
    /// The provider's id of the HTTP request.
    pub request_id: Option<&'a str>,
    /// Why the model stopped.
    pub finish_reason: Option<FinishReason>,
    /// What it used, of a stream as far as it came.
    pub usage: Usage,
    /// What it cost; `None` where no price is known or nothing came.
    pub cost: Option<Cost>,
    /// What was tried.
    pub attempts: &'a [Attempt],
    /// How it failed. A stream that was dropped before its end was cancelled.
    pub error: Option<&'a Error>,
}

/// A connection that is lent to an attempt.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Lease<'a> {
    /// Where it leads, such as `https://api.openai.com:443`.
    pub origin: &'a str,
    /// How long it took to get it: waiting in line for it, and opening it.
    pub took: Duration,
    /// Whether it was at rest, from an earlier attempt.
    pub reused: bool,
}

impl<'a> Lease<'a> {
    pub(crate) fn new(origin: &'a str, took: Duration, reused: bool) -> Self {
        Self { origin, took, reused }
    }
}

/// All who observe a client.
#[derive(Clone, Default)]
pub(crate) struct Observers(Arc<Vec<Arc<dyn Observer>>>);

impl Observers {
    pub(crate) fn new(observers: Vec<Arc<dyn Observer>>) -> Self {
        Self(Arc::new(observers))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells all of them. What panics in one neither ends the call nor keeps the others
    /// from being told.
    pub(crate) fn tell(&self, tell: impl Fn(&dyn Observer)) {
        if !self.is_empty() {
            none_held("observers are called");
        }
        for observer in self.0.iter() {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| tell(&**observer))) {
                // What it panicked with may panic again when dropped.
                mem::forget(catch_unwind(AssertUnwindSafe(|| drop(payload))));
            }
        }
    }

    /// Calls them on the alerts of budgets, for as long as their client exists.
    pub(crate) fn listener(&self) -> AlertListener {
        AlertListener::new(WeakObservers(Arc::downgrade(&self.0)))
    }
}

/// All who observe a client, without keeping them.
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
        Observers::new(new).tell(|observer| observer.budget_alert(alert));
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} observers", self.0.len())
    }
}
