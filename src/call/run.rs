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
use super::operation::{OngoingAttempt, Operation, Options};
use super::target::{self, Target};
use crate::error::{Attempt, Error, ErrorKind, Phase};
use crate::observed::{Ended, ObservedCall, Server};
use crate::retry::{Retrier, Tried};
use crate::wire::Delivery;

/// The answer of a call, and the target that gave it.
pub(super) struct Completed<T> {
    pub(super) target: Target,
    pub(super) tried: Tried<T>,
}

/// Runs a call that started at `begun`, with one `attempt` after another, and reports it to
/// observers.
pub(super) fn run<O: Operation, T>(
    caller: &Caller,
    operation: &O,
    attempt: impl Fn(OngoingAttempt<'_, '_, O::Content>, O::Reserved) -> Result<T, Error>,
    begun: Instant,
) -> Result<(ObservedCall, Completed<T>), Error> {
    let options = operation.options();
    let asked = options.asked;
    let target = target::resolve(asked, &caller.endpoints, &caller.settings, &caller.transport);
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
        ran.map_err(|error| {
            let error = error.with_provider(endpoint.id().as_str());
            if error.kind() != ErrorKind::Authentication {
                return error;
            }
            error.with_advice(endpoint.settings.missing_key_advice())
        })
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
fn attempts<O: Operation, T>(
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
    if limits.bounds.deadline.is_past(Instant::now()) {
        return Err(limits.name_limit(Error::timeout(Phase::Encode)));
    }
    // Cancelled later, the request could have been sent, and would be charged.
    if limits.bounds.is_cancelled() {
        return Err(Error::cancelled().with_phase(Phase::Encode));
    }
    let retrier = Retrier {
        policy: &settings.retry,
        bucket: &caller.bucket,
        backoff: settings.retry.backoff(),
        sleeper: &*settings.sleeper,
        clock: &Instant::now,
        bounds: &limits.bounds,
        begun,
        // The attempt that a stream answers ends with that stream.
        ended: &|attempt| {
            if delivery == Delivery::Whole || attempt.failure.is_some() {
                observed.attempt_ended(attempt);
            }
        },
    };
    let mut first = Some(reserved);
    // A call has one target.
    let choose = |_: &[Attempt]| &prepared;
    let tried = retrier.run(choose, |&prepared, retries, second| {
        observed.attempt_begun(retries);
        let reserved = match first.take() {
            Some(reserved) => reserved,
            None => operation.reserve_again(caller, prepared)?,
        };
        attempt(OngoingAttempt { caller, prepared, limits: &limits, retries, second }, reserved)
    });
    let tried = tried.map_err(|error| limits.name_limit(error))?;
    Ok(Completed { target: prepared.target, tried })
}
