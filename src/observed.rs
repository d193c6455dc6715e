//! Reports calls to metrics and observers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::answer_source::AnswerSource;
use crate::catalogue::Model;
use crate::chat::{ChatResponse, FinishReason, Usage};
use crate::cost::Cost;
use crate::error::{Attempt, Decision, Error, ErrorKind};
use crate::histogram::Histogram;
use crate::metrics::{self, Counted, InFlight, Recorder, Target};
use crate::money::Money;
use crate::observe::{Call, CallEnd, Observers};
use crate::provider::Provider;
use crate::routing::{Change, RouteState};
use crate::tags::Tags;

/// The id of the next call. Unique in the process, because an observer may watch several clients.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Reports the calls of a client.
#[derive(Debug)]
pub(crate) struct ObservedCalls {
    /// `None` if metrics are off.
    pub(crate) recorder: Option<Arc<Recorder>>,
    pub(crate) observers: Observers,
}

/// The server a call goes to.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) provider: Provider,
    pub(crate) address: String,
    pub(crate) port: u16,
}

impl Server {
    /// For a call that reaches no server.
    pub(crate) fn nowhere(provider: &str) -> Self {
        Self { provider: Provider::new(provider), address: String::new(), port: 0 }
    }
}

/// Reports one call. Dropping it without [`end`](Self::end), as in a panic, ends the call too.
#[derive(Debug)]
pub(crate) struct ObservedCall {
    watch: Arc<ObservedCalls>,
    id: u64,
    server: Arc<Server>,
    model: Arc<str>,
    routed: Option<Routed>,
    operation: &'static str,
    streamed: bool,
    tags: Tags,
    begun: Instant,
    in_flight: Option<InFlight>,
    /// What the metrics have of its answers so far.
    counted: Counted,
    /// Where its answer comes from. If not from the provider, nothing is spent.
    source: AnswerSource,
    /// What the cache did for it.
    cache: metrics::CacheUse,
    ended: bool,
}

/// Reports that an attempt begins on another thread.
#[derive(Debug)]
pub(crate) struct ObservedOnThread(ObservedCall);

impl ObservedOnThread {
    pub(crate) fn attempt_begun(&self, number: u32) {
        self.0.attempt_begun(number);
    }
}

/// The route of a call, and its target of the latest attempt.
#[derive(Clone)]
struct Routed {
    route: Arc<RouteState>,
    target: Option<usize>,
}

impl Routed {
    fn target(&self) -> Option<&str> {
        Some(&self.route.targets.get(self.target?)?.name)
    }
}

impl fmt::Debug for Routed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Routed").field(&self.route.name).field(&self.target).finish()
    }
}

/// What arrived of an answer, whole or in part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer<'a> {
    pub(crate) model: &'a str,
    pub(crate) id: Option<&'a str>,
    pub(crate) request_id: Option<&'a str>,
    /// `None` unless the answer is complete.
    pub(crate) finish_reason: Option<FinishReason>,
    pub(crate) usage: Usage,
    pub(crate) cost: Option<Cost>,
}

impl<'a> From<&'a ChatResponse> for Answer<'a> {
    fn from(response: &'a ChatResponse) -> Self {
        Self {
            model: &response.model,
            id: response.id.as_deref(),
            request_id: response.request_id.as_deref(),
            finish_reason: Some(response.finish_reason),
            usage: response.usage,
            cost: response.cost,
        }
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ended<'a> {
    pub(crate) answer: Option<Answer<'a>>,
    pub(crate) error: Option<&'a Error>,
    pub(crate) attempts: &'a [Attempt],
    pub(crate) time_to_first_token: Option<Duration>,
    pub(crate) gaps: Option<&'a Histogram>,
}

impl ObservedCalls {
    pub(crate) fn new(recorder: Option<Arc<Recorder>>, observers: Observers) -> Self {
        Self { recorder, observers }
    }

    /// Reports that a call begins, to `route` if it names one.
    #[expect(clippy::too_many_arguments)]
    pub(crate) fn begin(
        self: &Arc<Self>,
        server: Arc<Server>,
        model: Arc<str>,
        route: Option<&Arc<RouteState>>,
        operation: &'static str,
        streamed: bool,
        tags: Tags,
        begun: Instant,
    ) -> ObservedCall {
        let mut watched = ObservedCall {
            watch: Arc::clone(self),
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            server,
            model,
            routed: route.map(|route| Routed { route: Arc::clone(route), target: None }),
            operation,
            streamed,
            tags,
            begun,
            in_flight: None,
            counted: Counted::default(),
            source: AnswerSource::Live,
            cache: metrics::CacheUse::Unused,
            ended: false,
        };
        watched.in_flight =
            self.recorder.as_ref().map(|recorder| recorder.begin(&watched.target()));
        self.observers.notify(|observer| observer.call_begun(&watched.call()));
        watched
    }
}

impl ObservedCall {
    /// The tags of the call, to share.
    pub(crate) fn tags(&self) -> &Tags {
        &self.tags
    }

    /// Goes on to the route's target at a place. From now on, the call counts as one to that.
    pub(crate) fn moved_to(&mut self, server: &Arc<Server>, model: &Arc<str>, target: usize) {
        if let Some(routed) = &mut self.routed {
            routed.target = Some(target);
        }
        if Arc::ptr_eq(&self.server, server) && self.model == *model {
            return;
        }
        self.server = Arc::clone(server);
        self.model = Arc::clone(model);
        let recorder = self.watch.recorder.as_ref();
        self.in_flight = recorder.map(|recorder| recorder.begin(&self.target()));
    }

    /// From now on, the call costs nothing: a recording answers it.
    pub(crate) fn replayed(&mut self) {
        self.source = AnswerSource::Replayed;
    }

    /// From now on, the call costs nothing: the cache answers it. The provider `took` so long.
    pub(crate) fn cached(&mut self, took: Duration) {
        self.source = AnswerSource::Cached;
        self.cache = metrics::CacheUse::Hit { took };
    }

    /// Notes that the cache did not have the answer.
    pub(crate) fn missed(&mut self) {
        self.cache = metrics::CacheUse::Miss;
    }

    /// The provider answers the call after all: what was stored cannot be used.
    pub(crate) fn live(&mut self) {
        self.source = AnswerSource::Live;
    }

    /// Reports that another target is tried too, because the current one has been silent for so
    /// long.
    pub(crate) fn hedged(&self, target: &str, silence: Duration) {
        self.watch.observers.notify(|observer| observer.hedged(&self.call(), target, silence));
    }

    /// Reports that the model is deprecated.
    pub(crate) fn model_deprecated(&self, model: &Model) {
        self.watch.observers.notify(|observer| observer.model_deprecated(&self.call(), model));
    }

    /// What another thread needs to report the attempt at the current target; `None` if there are no
    /// observers.
    pub(crate) fn on_thread(&self) -> Option<ObservedOnThread> {
        (!self.watch.observers.is_empty()).then(|| {
            ObservedOnThread(Self {
                watch: Arc::clone(&self.watch),
                server: Arc::clone(&self.server),
                model: Arc::clone(&self.model),
                routed: self.routed.clone(),
                tags: self.tags.clone(),
                in_flight: None,
                // The original reports the end.
                ended: true,
                ..*self
            })
        })
    }

    /// Reports that a target of a route rests or has returned.
    pub(crate) fn target_changed(&self, route: &str, target: &str, change: Change) {
        self.watch.observers.notify(|observer| match change {
            Change::Rested { rest, reason } => observer.target_rested(route, target, reason, rest),
            Change::Returned => observer.target_returned(route, target),
        });
    }

    pub(crate) fn attempt_begun(&self, number: u32) {
        self.watch.observers.notify(|observer| observer.attempt_begun(&self.call(), number));
    }

    /// Reports that an attempt has ended, and a retry if one follows.
    pub(crate) fn attempt_ended(&self, attempt: &Attempt) {
        let call = self.call();
        self.watch.observers.notify(|observer| observer.attempt_ended(&call, attempt));
        if let Some(Decision::Retry { after, wait }) = attempt.decision {
            self.watch.observers.notify(|observer| observer.retry_scheduled(&call, after, wait));
        }
        if attempt.decision == Some(Decision::FailOver) {
            self.watch.observers.notify(|observer| observer.failed_over(&call, attempt));
        }
    }

    /// Counts an answer that was not accepted.
    pub(crate) fn not_accepted(&mut self, usage: Usage, cost: Option<Money>) {
        if let Some(in_flight) = &self.in_flight {
            in_flight.used(usage, cost, Instant::now());
        }
        self.counted.cost += cost.unwrap_or(Money::ZERO);
    }

    /// Reports that the attempt that has just ended got an answer that was not accepted.
    pub(crate) fn report_not_accepted(&self, attempt: &Attempt, reason: &str) {
        let call = self.call();
        self.watch.observers.notify(|observer| observer.not_accepted(&call, attempt, reason));
    }

    /// Notes that the call returns an answer that was not accepted, and is counted already.
    pub(crate) fn returns_not_accepted(&mut self) {
        self.counted.tokens = true;
    }

    pub(crate) fn first_token(&self, after: Duration) {
        self.watch.observers.notify(|observer| observer.first_token(&self.call(), after));
    }

    /// Reports that the call has ended, and returns how long it took.
    pub(crate) fn end(mut self, ended: &Ended<'_>) -> Duration {
        self.report_end(ended)
    }

    fn report_end(&mut self, ended: &Ended<'_>) -> Duration {
        self.ended = true;
        let (now, at) = (Instant::now(), SystemTime::now());
        let latency = now.saturating_duration_since(self.begun);
        let Ended { answer, error, attempts, time_to_first_token, gaps } = *ended;
        let request_id = match (answer, error) {
            (Some(answer), _) => answer.request_id,
            (None, Some(error)) => error.request_id(),
            (None, None) => None,
        };
        let usage = answer.map_or_else(Usage::default, |answer| answer.usage);
        let (price, is_live) = (answer.and_then(|answer| answer.cost), self.source.is_live());
        let cost = price.filter(|_| is_live);
        let response_model = answer.map(|answer| answer.model);
        if let Some(in_flight) = self.in_flight.take() {
            in_flight.end(
                &metrics::CallEnd {
                    target: self.target(),
                    response_model,
                    streamed: self.streamed,
                    at,
                    latency,
                    time_to_first_token,
                    gaps,
                    usage,
                    cost: cost.map(|cost| cost.total),
                    is_live,
                    cache: self.cache,
                    saved: price.filter(|_| !is_live).map(|cost| cost.total),
                    counted: self.counted,
                    attempts,
                    outcome: error.map_or(Ok(()), Err),
                    request_id,
                    tags: &self.tags,
                },
                now,
            );
        }
        if self.watch.observers.is_empty() {
            return latency;
        }
        let end = CallEnd {
            at,
            latency,
            time_to_first_token,
            response_model,
            response_id: answer.and_then(|answer| answer.id),
            request_id,
            finish_reason: answer.and_then(|answer| answer.finish_reason),
            usage,
            cost,
            source: self.source,
            attempts,
            error,
        };
        self.watch.observers.notify(|observer| observer.call_ended(&self.call(), &end));
        latency
    }

    fn call(&self) -> Call<'_> {
        Call {
            id: self.id,
            provider: self.server.provider.as_str(),
            model: &self.model,
            route: self.routed.as_ref().map(|routed| routed.route.name.as_str()),
            target: self.routed.as_ref().and_then(Routed::target),
            operation: self.operation,
            server_address: &self.server.address,
            server_port: self.server.port,
            streamed: self.streamed,
            tags: &self.tags,
        }
    }

    fn target(&self) -> Target<'_> {
        Target {
            provider: self.server.provider.as_str(),
            model: &self.model,
            operation: self.operation,
            server_address: &self.server.address,
            server_port: self.server.port,
        }
    }
}

impl Drop for ObservedCall {
    fn drop(&mut self) {
        if !self.ended {
            let error = Error::new(ErrorKind::Cancelled, "a panic ended the call");
            self.report_end(&Ended { error: Some(&error), ..Ended::default() });
        }
    }
}
