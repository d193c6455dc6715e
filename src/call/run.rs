//! The loop: a call from its request to its answer.
//!
//! ```text
//! resolve     the model's name → a provider and its model
//! prepare     request → path, headers, body, the most it can cost
//! ┌ attempt
//! │ choose    the target of this attempt; a recording (replayed.rs) or the cache (cached.rs) may
//! │           answer instead
//! │ reserve   that most, in all budgets at once
//! │ sign      credentials, over exactly these bytes
//! │ exchange  over a leased connection: bytes → status, headers, body
//! │ decode    body → answer or failure
//! │ settle    usage → cost; what is left of the reservation is free again
//! └ decide    again after a wait, or stop
//! record      metrics, observers
//! ```

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Instant;

use super::operation::{Measurable, OngoingAttempt, Operation, Options};
use super::routes::{CallRoute, Found};
use super::target::{self, Target};
use super::time_limits::CallTimeLimits;
use super::{Caller, cached, one_target, replayed, routed};
use crate::answer_source::AnswerSource;
use crate::catalogue::Needs;
use crate::config::{Cascade, Timeouts};
use crate::error::{Attempt, Error};
use crate::observed::{Ended, ObservedCall, Server};
use crate::retry::{Retrier, RetryConfig, Tried};
use crate::routing::{LazyTrace, RouteState, Ticket};
use crate::wire::Delivery;

/// The answer of a call, and the target that gave it.
pub(super) struct Completed<T> {
    pub(super) target: Target,
    pub(super) tried: Tried<T>,
    /// How a route served the call, and the ticket of its target unless that has ended.
    pub(super) routed: Option<(LazyTrace, Option<Ticket>)>,
    pub(super) source: AnswerSource,
}

/// A call in progress, before its first attempt.
pub(super) struct Begun<'a, O> {
    pub(super) caller: &'a Arc<Caller>,
    pub(super) operation: &'a O,
    pub(super) options: &'a Options<'a>,
    pub(super) policy: &'a RetryConfig,
    pub(super) at: Instant,
    /// What it needs of a model, once a route has asked.
    needs: OnceCell<Needs>,
}

/// Makes one attempt, on any thread: the attempts of a hedged call run at the same time.
pub(super) trait Attempting<O: Operation, T>:
    Fn(OngoingAttempt<'_, '_, O::Content>, O::Reserved) -> Result<T, Error> + Copy + Send + 'static
{
}

impl<O, T, F> Attempting<O, T> for F
where
    O: Operation,
    F: Fn(OngoingAttempt<'_, '_, O::Content>, O::Reserved) -> Result<T, Error>
        + Copy
        + Send
        + 'static,
{
}

/// Where a call goes.
enum Destination<'a> {
    Target(Target),
    Route(CallRoute<'a>),
    /// To neither, because of this error.
    Nowhere(Error),
}

/// Runs a call that started at `begun`, with one `attempt` after another, and reports it to
/// observers.
pub(super) fn run<O: Operation, T: Measurable>(
    caller: &Arc<Caller>,
    operation: &O,
    attempt: impl Attempting<O, T>,
    begun: Instant,
) -> Result<(ObservedCall, Completed<T>), Error> {
    let options = operation.options();
    let cautious;
    let policy = match operation.is_sent_once() {
        false => &caller.settings.retry,
        true => {
            cautious = RetryConfig { retry_ambiguous: false, ..caller.settings.retry };
            &cautious
        }
    };
    let call =
        Begun { caller, operation, options: &options, policy, at: begun, needs: OnceCell::new() };
    let destination = Destination::of(&call);
    let (server, model) = destination.names(caller, &options);
    let name = operation.name(destination.target());
    let streamed = operation.delivery() == Delivery::Stream;
    let route = destination.route();
    let mut observed =
        caller.observed.begin(server, model, route, name, streamed, options.tags.clone(), begun);
    let replayed = match &caller.settings.replay {
        None => Ok(None),
        Some(replay) if !operation.is_replayable() => replay.pass().map(|()| None),
        Some(replay) => {
            let targets = destination.targets(caller);
            replayed::run(replay, &call, targets, destination.cascade(), attempt, &mut observed)
        }
    };
    let ran = match (replayed, destination) {
        (Ok(Some(replayed)), _) => Ok(replayed),
        (Err(error), _) | (_, Destination::Nowhere(error)) => Err(error),
        (_, Destination::Target(target)) => one_target::run(&call, target, attempt, &mut observed),
        (_, Destination::Route(route)) => to_route(&call, &route, attempt, &mut observed),
    };
    match ran {
        Ok(ran) => Ok((observed, ran)),
        Err(error) => {
            let attempts = error.attempts();
            observed.end(&Ended { error: Some(&error), attempts, ..Ended::default() });
            Err(error)
        }
    }
}

/// Runs a call to a route.
fn to_route<O: Operation, T: Measurable>(
    call: &Begun<'_, O>,
    route: &CallRoute<'_>,
    attempt: impl Attempting<O, T>,
    observed: &mut ObservedCall,
) -> Result<Completed<T>, Error> {
    let targets = || route.targets(call.caller);
    match cached::route(call, targets, route.judge(), attempt, observed)? {
        cached::Routed::Answered(completed) => Ok(*completed),
        cached::Routed::Live(slots) => routed::run(call, route, slots, attempt, observed),
    }
}

impl CallRoute<'_> {
    /// The targets that a stored answer may come from, those that would answer first at the start,
    /// each with its place.
    fn targets(&self, caller: &Caller) -> Vec<(usize, Target)> {
        let Caller { endpoints, settings, transport, .. } = caller;
        let prepare = |at| Some((at, self.target(at, endpoints, settings, transport).ok()?));
        let targets = (0..self.state.targets.len()).filter_map(prepare);
        // The answers before the last one of a cascade were not accepted.
        match self.cascade.is_some() {
            true => targets.rev().collect(),
            false => targets.collect(),
        }
    }

    /// What judges answers, and the names of its targets.
    fn judge(&self) -> Option<(&Cascade, &RouteState)> {
        Some((self.cascade.as_ref()?, &self.state))
    }
}

impl<'a> Destination<'a> {
    fn of<O: Operation>(call: &Begun<'a, O>) -> Self {
        let Begun { caller, operation, options, .. } = *call;
        let Caller { endpoints, routes, settings, transport, .. } = &**caller;
        let asked = options.asked;
        match routes.find(asked, settings.model.as_deref()) {
            Some(found) if operation.is_routable() => match found {
                Found::Set(route) => Self::Route(CallRoute::Set(route)),
                Found::Automatic(route) => {
                    let streamed = operation.delivery() == Delivery::Stream;
                    match route.route(call.needs(), streamed, caller) {
                        Ok(made) => Self::Route(CallRoute::Made(Box::new(made))),
                        Err(error) => Self::Nowhere(error),
                    }
                }
            },
            Some(found) => Self::Nowhere(Error::invalid_request(format!(
                "{:?} is a route, and routes serve chats only; name a model, as provider/model",
                found.name()
            ))),
            None => match target::resolve(asked, endpoints, settings, transport) {
                Ok(target) => Self::Target(target),
                Err(error) => Self::Nowhere(routes.name_in(error, asked)),
            },
        }
    }

    fn target(&self) -> Option<&Target> {
        match self {
            Self::Target(target) => Some(target),
            Self::Route(_) | Self::Nowhere(_) => None,
        }
    }

    fn route(&self) -> Option<&Arc<RouteState>> {
        match self {
            Self::Route(route) => Some(&route.state),
            Self::Target(_) | Self::Nowhere(_) => None,
        }
    }

    /// The targets that a recording may answer for, each with its place.
    fn targets(&self, caller: &Caller) -> Vec<(usize, Target)> {
        match self {
            Self::Target(target) => vec![(0, target.clone())],
            Self::Route(route) => route.targets(caller),
            Self::Nowhere(_) => Vec::new(),
        }
    }

    /// What judges answers, and the names of its targets.
    fn cascade(&self) -> Option<(&Cascade, &RouteState)> {
        match self {
            Self::Route(route) => route.judge(),
            Self::Target(_) | Self::Nowhere(_) => None,
        }
    }

    /// The server and the model that observers see at first.
    fn names(&self, caller: &Caller, options: &Options<'_>) -> (Arc<Server>, Arc<str>) {
        match self {
            Self::Target(Target { endpoint, model, .. }) => {
                (Arc::clone(&endpoint.server), Arc::clone(model))
            }
            // Until a target is chosen.
            Self::Route(route) => route.only(caller).unwrap_or_else(|| {
                (Arc::new(Server::nowhere("route")), route.state.name.as_str().into())
            }),
            Self::Nowhere(_) => {
                let (provider, model) = options.asked.names();
                (Arc::new(Server::nowhere(provider)), model.into())
            }
        }
    }
}

impl<'a, O: Operation> Begun<'a, O> {
    /// What the call needs of a model.
    pub(super) fn needs(&self) -> &Needs {
        self.needs.get_or_init(|| self.operation.needs().unwrap_or_default())
    }

    /// The loop over the attempts of the call.
    pub(super) fn retrier(&self, limits: &'a CallTimeLimits) -> Retrier<'a> {
        let settings = &self.caller.settings;
        Retrier {
            policy: self.policy,
            bucket: &self.caller.bucket,
            backoff: settings.retry.backoff(),
            sleeper: &*settings.sleeper,
            clock: &Instant::now,
            bounds: &limits.bounds,
            begun: self.at,
        }
    }

    /// The limits of the call, where `timeouts` apply if the request sets none.
    ///
    /// # Errors
    ///
    /// As for [`CallTimeLimits::new`].
    pub(super) fn limits(&self, timeouts: &Timeouts) -> Result<CallTimeLimits, Error> {
        let idempotency_keys = self.caller.settings.idempotency_keys;
        CallTimeLimits::new(
            self.options,
            timeouts,
            idempotency_keys,
            self.operation.delivery(),
            self.at,
        )
    }
}

/// Whether an attempt has ended. One that a stream answers ends with that stream.
pub(super) fn has_ended(operation: &impl Operation, attempt: &Attempt) -> bool {
    operation.delivery() == Delivery::Whole || attempt.failure.is_some()
}
