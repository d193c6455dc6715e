//! The loop: a call from its request to its answer.
//!
//! ```text
//! resolve     the model's name → a provider and its model
//! prepare     request → path, headers, body, the most it can cost
//! ┌ attempt
//! │ choose    the target of this attempt
//! │ reserve   that most, in all budgets at once
//! │ sign      credentials, over exactly these bytes
//! │ exchange  over a leased connection: bytes → status, headers, body
//! │ decode    body → answer or failure
//! │ settle    usage → cost; what is left of the reservation is free again
//! └ decide    again after a wait, or stop
//! record      metrics, observers
//! ```

use std::sync::Arc;
use std::time::Instant;

use super::Caller;
use super::limits::Limits;
use super::operation::{Measured, OngoingAttempt, Operation, Options};
use super::prepared::Prepared;
use super::routed::Routed;
use super::routes::Route;
use super::target::{self, Target};
use crate::error::{Attempt, Error};
use crate::observed::{Ended, ObservedCall, Server};
use crate::retry::{Retrier, SecondSending, Steps, Tried, Turn};
use crate::routing::{RouteTrace, Ticket};
use crate::wire::Delivery;

/// The answer of a call, and the target that gave it.
pub(super) struct Completed<T> {
    pub(super) target: Target,
    pub(super) tried: Tried<T>,
    /// How a route served the call, and the ticket of its target.
    pub(super) routed: Option<(RouteTrace, Ticket)>,
}

/// Runs a call that started at `begun`, with one `attempt` after another, and reports it to
/// observers.
pub(super) fn run<O: Operation, T: Measured>(
    caller: &Caller,
    operation: &O,
    attempt: impl Fn(OngoingAttempt<'_, '_, O::Content>, O::Reserved) -> Result<T, Error>,
    begun: Instant,
) -> Result<(ObservedCall, Completed<T>), Error> {
    let options = operation.options();
    let asked = options.asked;
    if let Some(route) = caller.routes.find(asked, caller.settings.model.as_deref()) {
        if !operation.is_routable() {
            return Err(Error::invalid_request(format!(
                "{:?} is a route, and routes serve chats only; name a model, as provider/model",
                route.state.name
            )));
        }
        return along(route, caller, operation, &options, attempt, begun);
    }
    let target = target::resolve(asked, &caller.endpoints, &caller.settings, &caller.transport)
        .map_err(|error| caller.routes.name_in(error, asked));
    let name = operation.name(target.as_ref().ok());
    let streamed = operation.delivery() == Delivery::Stream;
    let nowhere;
    let (server, model) = match &target {
        Ok(target) => (&target.endpoint.server, target.model.as_str()),
        Err(_) => {
            let (provider, model) = asked.names();
            nowhere = Arc::new(Server::nowhere(provider));
            (&nowhere, model)
        }
    };
    let observed = caller.observed.begin(server, model, name, streamed, options.tags, begun);
    let ran = target.and_then(|target| {
        let endpoint = Arc::clone(&target.endpoint);
        let ran = attempts(caller, operation, &options, target, attempt, begun, &observed);
        ran.map_err(|error| endpoint.explain(error))
    });
    match ran {
        Ok(ran) => Ok((observed, ran)),
        Err(error) => {
            let attempts = error.attempts();
            observed.end(&Ended { error: Some(&error), attempts, ..Ended::default() });
            Err(error)
        }
    }
}

/// Makes attempts until one succeeds or a retry makes no sense.
fn attempts<O: Operation, T: Measured>(
    caller: &Caller,
    operation: &O,
    options: &Options<'_>,
    target: Target,
    attempt: impl Fn(OngoingAttempt<'_, '_, O::Content>, O::Reserved) -> Result<T, Error>,
    begun: Instant,
    observed: &ObservedCall,
) -> Result<Completed<T>, Error> {
    let delivery = operation.delivery();
    let settings = &caller.settings;
    let timeouts = &target.endpoint.settings.timeouts;
    let limits = Limits::new(options, timeouts, settings.idempotency_keys, delivery, begun)?;
    // Everything that can be refused is refused here.
    let (prepared, reserved) = operation.prepare(caller, target)?;
    limits.check()?;
    let mut steps = OneTarget {
        caller,
        operation,
        prepared: &prepared,
        reserved: Some(reserved),
        limits: &limits,
        attempt,
        observed,
    };
    let tried = retrier(caller, &limits, begun).run(&mut steps);
    let tried = tried.map_err(|error| limits.name_limit(error))?;
    Ok(Completed { target: prepared.target, tried, routed: None })
}

/// Runs a call to a route.
fn along<O: Operation, T: Measured>(
    route: &Route,
    caller: &Caller,
    operation: &O,
    options: &Options<'_>,
    attempt: impl Fn(OngoingAttempt<'_, '_, O::Content>, O::Reserved) -> Result<T, Error>,
    begun: Instant,
) -> Result<(ObservedCall, Completed<T>), Error> {
    let (settings, delivery) = (&caller.settings, operation.delivery());
    // Until a target is chosen, the call counts as one to the route.
    let server = Arc::new(Server::nowhere("route"));
    let (name, streamed) = (operation.name(None), delivery == Delivery::Stream);
    let observed = &caller.observed;
    let mut observed =
        observed.begin(&server, &route.state.name, name, streamed, options.tags, begun);
    let limits =
        Limits::new(options, &settings.timeouts, settings.idempotency_keys, delivery, begun);
    let ran = limits.and_then(|limits| {
        limits.check()?;
        let mut steps = Routed::new(caller, operation, route, &limits, attempt, &mut observed);
        let tried = retrier(caller, &limits, begun).run(&mut steps);
        let tried = tried.map_err(|error| limits.name_limit(error))?;
        let (target, routed) = steps.answered()?;
        Ok(Completed { target, tried, routed: Some(routed) })
    });
    match ran {
        Ok(ran) => Ok((observed, ran)),
        Err(error) => {
            let attempts = error.attempts();
            observed.end(&Ended { error: Some(&error), attempts, ..Ended::default() });
            Err(error)
        }
    }
}

/// The loop over the attempts of a call.
fn retrier<'a>(caller: &'a Caller, limits: &'a Limits, begun: Instant) -> Retrier<'a> {
    let settings = &caller.settings;
    Retrier {
        policy: &settings.retry,
        bucket: &caller.bucket,
        backoff: settings.retry.backoff(),
        sleeper: &*settings.sleeper,
        clock: &Instant::now,
        bounds: &limits.bounds,
        begun,
    }
}

/// The steps of a call with one target.
struct OneTarget<'a, O: Operation, F> {
    caller: &'a Caller,
    operation: &'a O,
    prepared: &'a Prepared<O::Content>,
    /// What the first attempt can cost.
    reserved: Option<O::Reserved>,
    limits: &'a Limits,
    attempt: F,
    observed: &'a ObservedCall,
}

impl<'a, O, T, F> Steps for OneTarget<'a, O, F>
where
    O: Operation,
    F: Fn(OngoingAttempt<'_, '_, O::Content>, O::Reserved) -> Result<T, Error>,
{
    type Target = &'a Prepared<O::Content>;
    type Answer = T;

    fn choose(&mut self) -> Result<Turn<Self::Target>, Error> {
        Ok(Turn::Attempt(self.prepared))
    }

    fn attempt(
        &mut self,
        prepared: Self::Target,
        retries: u32,
        second: &mut SecondSending<'_>,
    ) -> Result<T, Error> {
        let Self { caller, limits, .. } = *self;
        self.observed.attempt_begun(retries);
        let reserved = match self.reserved.take() {
            Some(reserved) => reserved,
            None => self.operation.reserve_again(caller, prepared)?,
        };
        (self.attempt)(OngoingAttempt { caller, prepared, limits, retries, second }, reserved)
    }

    fn ended(&mut self, attempt: &Attempt) {
        // The attempt that a stream answers ends with that stream.
        if self.operation.delivery() == Delivery::Whole || attempt.failure.is_some() {
            self.observed.attempt_ended(attempt);
        }
    }
}
