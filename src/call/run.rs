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

use super::chat::{Chat, Encoding};
use super::operation::{Measurable, OngoingAttempt, Operation, Options};
use super::routes::{CallRoute, Found};
use super::target::{self, Target};
use super::time_limits::CallTimeLimits;
use super::{Caller, cached, misspelt, one_target, replayed, routed};
use crate::answer_source::AnswerSource;
use crate::catalogue::Needs;
use crate::config::{Cascade, Timeouts};
use crate::cost::Reservation;
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
    /// What a chat needs of a model, once a route has asked.
    needs: OnceCell<Needs>,
}

/// Makes one attempt, on any thread: the attempts of a hedged call run at the same time.
pub(super) trait Attempting<C, R, T>:
    Fn(OngoingAttempt<'_, '_, C>, R) -> Result<T, Error> + Copy + Send + 'static
{
}

impl<C, R, T, F> Attempting<C, R, T> for F where
    F: Fn(OngoingAttempt<'_, '_, C>, R) -> Result<T, Error> + Copy + Send + 'static
{
}

/// Where a chat goes.
enum Destination<'a> {
    Target(Target),
    Route(CallRoute<'a>),
}

/// Runs a call that started at `begun`, with one `attempt` after another, and reports it to
/// observers.
pub(super) fn run<O: Operation, T: Measurable>(
    caller: &Arc<Caller>,
    operation: &O,
    attempt: impl Attempting<O::Content, O::Reserved, T>,
    begun: Instant,
) -> Result<(ObservedCall, Completed<T>), Error> {
    let options = operation.options();
    let policy = policy(caller, operation);
    let call = Begun::new(caller, operation, &options, &policy, begun);
    match caller.routes.find(options.asked, caller.settings.model.as_deref()) {
        None => match call.target() {
            Ok(target) => call_target(&call, target, attempt),
            Err(error) => call.nowhere(error),
        },
        Some(found) => call.nowhere(Error::invalid_request(format!(
            "{:?} is a route, and routes serve chats only; name a model, as provider/model",
            found.name()
        ))),
    }
}

/// Runs a chat like [`run`], to a target or along a route.
pub(super) fn run_chat<T: Measurable>(
    caller: &Arc<Caller>,
    chat: &Chat<'_>,
    attempt: impl Attempting<Encoding, Reservation, T>,
    begun: Instant,
) -> Result<(ObservedCall, Completed<T>), Error> {
    let options = chat.options();
    let policy = policy(caller, chat);
    let call = Begun::new(caller, chat, &options, &policy, begun);
    match Destination::of(&call) {
        Ok(Destination::Target(target)) => call_target(&call, target, attempt),
        Ok(Destination::Route(route)) => call_route(&call, &route, attempt),
        Err(error) => call.nowhere(error),
    }
}

/// What decides about retries.
fn policy(caller: &Caller, operation: &impl Operation) -> RetryConfig {
    let policy = caller.settings.retry;
    match operation.is_sent_once() {
        false => policy,
        true => RetryConfig { retry_ambiguous: false, ..policy },
    }
}

/// Runs a call to one target.
fn call_target<O: Operation, T: Measurable>(
    call: &Begun<'_, O>,
    target: Target,
    attempt: impl Attempting<O::Content, O::Reserved, T>,
) -> Result<(ObservedCall, Completed<T>), Error> {
    let names = (Arc::clone(&target.endpoint.server), Arc::clone(&target.model));
    let mut observed = call.observed(names, None, Some(&target));
    let replay = call.caller.settings.replay.as_ref();
    let replayed = match replay {
        None => Ok(None),
        Some(replay) if !call.operation.is_replayable() => replay.pass().map(|()| None),
        Some(replay) => {
            let targets = vec![(0, target.clone())];
            replayed::run(replay, call, targets, None, attempt, &mut observed)
        }
    };
    let ran = replayed.and_then(|replayed| match replayed {
        Some(completed) => Ok(completed),
        None => one_target::run(call, target, attempt, &mut observed),
    });
    ended(ran, observed)
}

/// Runs a chat along a route.
fn call_route<T: Measurable>(
    call: &Begun<'_, Chat<'_>>,
    route: &CallRoute<'_>,
    attempt: impl Attempting<Encoding, Reservation, T>,
) -> Result<(ObservedCall, Completed<T>), Error> {
    // Until a target is chosen.
    let nowhere = || (Arc::new(Server::nowhere("route")), route.state.name.as_str().into());
    let names = route.only(call.caller).unwrap_or_else(nowhere);
    let mut observed = call.observed(names, Some(&route.state), None);
    let ran = along_route(call, route, attempt, &mut observed);
    ended(ran, observed)
}

fn along_route<T: Measurable>(
    call: &Begun<'_, Chat<'_>>,
    route: &CallRoute<'_>,
    attempt: impl Attempting<Encoding, Reservation, T>,
    observed: &mut ObservedCall,
) -> Result<Completed<T>, Error> {
    if let Some(replay) = &call.caller.settings.replay {
        let targets = route.targets(call.caller);
        let replayed = replayed::run(replay, call, targets, route.judge(), attempt, observed)?;
        if let Some(completed) = replayed {
            return Ok(completed);
        }
    }
    let targets = || route.targets(call.caller);
    match cached::route(call, targets, route.judge(), attempt, observed)? {
        cached::Routed::Answered(completed) => Ok(*completed),
        cached::Routed::Live(slots) => routed::run(call, route, slots, attempt, observed),
    }
}

/// Reports a failed call to observers. An answered call is reported with its answer.
fn ended<T>(
    ran: Result<Completed<T>, Error>,
    observed: ObservedCall,
) -> Result<(ObservedCall, Completed<T>), Error> {
    match ran {
        Ok(ran) => Ok((observed, ran)),
        Err(error) => {
            let attempts = error.attempts();
            observed.end(&Ended { error: Some(&error), attempts, ..Ended::default() });
            Err(error)
        }
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
    fn of(call: &Begun<'a, Chat<'a>>) -> Result<Self, Error> {
        let Begun { caller, operation, options, .. } = *call;
        let streamed = operation.delivery() == Delivery::Stream;
        match caller.routes.find(options.asked, caller.settings.model.as_deref()) {
            None => call.target().map(Self::Target),
            Some(Found::Set(route)) => Ok(Self::Route(CallRoute::Set(route))),
            Some(Found::Automatic(route)) => {
                let made = route.route(call.needs(), streamed, caller)?;
                Ok(Self::Route(CallRoute::Made(Box::new(made))))
            }
        }
    }
}

impl Begun<'_, Chat<'_>> {
    /// What the chat needs of a model.
    pub(super) fn needs(&self) -> &Needs {
        self.needs.get_or_init(|| Needs::of(self.operation.request))
    }
}

impl<'a, O: Operation> Begun<'a, O> {
    fn new(
        caller: &'a Arc<Caller>,
        operation: &'a O,
        options: &'a Options<'a>,
        policy: &'a RetryConfig,
        at: Instant,
    ) -> Self {
        Self { caller, operation, options, policy, at, needs: OnceCell::new() }
    }

    /// The target that its request names.
    ///
    /// # Errors
    ///
    /// If there is none.
    fn target(&self) -> Result<Target, Error> {
        let Caller { endpoints, routes, settings, transport, .. } = &**self.caller;
        let asked = self.options.asked;
        target::resolve(asked, endpoints, settings, transport)
            .map_err(|error| misspelt::list_routes(error, asked, routes))
    }

    /// Begins to report the call to observers. They see the names of a server and a model at first.
    fn observed(
        &self,
        (server, model): (Arc<Server>, Arc<str>),
        route: Option<&Arc<RouteState>>,
        target: Option<&Target>,
    ) -> ObservedCall {
        let name = self.operation.name(target);
        let streamed = self.operation.delivery() == Delivery::Stream;
        let (tags, observed) = (self.options.tags.clone(), &self.caller.observed);
        observed.begin(server, model, route, name, streamed, tags, self.at)
    }

    /// Fails a call that has no target.
    fn nowhere<T>(&self, error: Error) -> Result<(ObservedCall, Completed<T>), Error> {
        let (provider, model) = self.options.asked.names();
        let names = (Arc::new(Server::nowhere(provider)), model.into());
        ended(Err(error), self.observed(names, None, None))
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
