//! The steps of a call with one target.

use std::sync::Arc;

use super::Caller;
use super::operation::{OngoingAttempt, Operation};
use super::prepared::Prepared;
use super::run::{Begun, Completed, has_ended};
use super::target::Target;
use super::time_limits::CallTimeLimits;
use crate::error::{Attempt, Error};
use crate::observed::ObservedCall;
use crate::retry::{SecondSending, Steps, Turn};

/// Makes attempts until one succeeds or a retry makes no sense.
pub(super) fn run<O: Operation, T>(
    call: &Begun<'_, O>,
    target: Target,
    attempt: impl Fn(OngoingAttempt<'_, '_, O::Content>, O::Reserved) -> Result<T, Error>,
    observed: &ObservedCall,
) -> Result<Completed<T>, Error> {
    let endpoint = Arc::clone(&target.endpoint);
    attempts(call, target, attempt, observed).map_err(|error| endpoint.explain(error))
}

fn attempts<O: Operation, T>(
    call: &Begun<'_, O>,
    target: Target,
    attempt: impl Fn(OngoingAttempt<'_, '_, O::Content>, O::Reserved) -> Result<T, Error>,
    observed: &ObservedCall,
) -> Result<Completed<T>, Error> {
    let Begun { caller, operation, .. } = *call;
    let limits = call.limits(&target.endpoint.settings.timeouts)?;
    // Everything that can be refused is refused here.
    let (prepared, reserved) = operation.prepare(caller, target, observed.tags())?;
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
    let tried = call.retrier(&limits).run(&mut steps);
    let tried = tried.map_err(|error| limits.name_limit(error))?;
    Ok(Completed { target: prepared.target, tried, routed: None })
}

struct OneTarget<'a, O: Operation, F> {
    caller: &'a Caller,
    operation: &'a O,
    prepared: &'a Prepared<O::Content>,
    /// What the first attempt can cost.
    reserved: Option<O::Reserved>,
    limits: &'a CallTimeLimits,
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
        if has_ended(self.operation, attempt) {
            self.observed.attempt_ended(attempt);
        }
    }
}
