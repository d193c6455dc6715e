//! The steps of a call with one target.

use std::slice;
use std::sync::Arc;
use std::time::Instant;

use super::cached::{self, Prepare};
use super::operation::{self, Measurable, OngoingAttempt, Operation};
use super::prepared::Prepared;
use super::run::{Attempting, Begun, Completed, has_ended};
use super::target::Target;
use super::time_limits::CallTimeLimits;
use super::{Caller, fitness, misspelt, room};
use crate::answer_source::AnswerSource;
use crate::cache::Slot;
use crate::error::{Attempt, Error};
use crate::observed::ObservedCall;
use crate::retry::{self, SecondSending, Steps, Turn};
use crate::throttle::{Demand, Permit};
use crate::wire::Delivery;

/// Makes attempts until one succeeds or a retry makes no sense.
pub(super) fn run<O: Operation, T: Measurable>(
    call: &Begun<'_, O>,
    target: Target,
    attempt: impl Attempting<O::Content, O::Reserved, T>,
    observed: &mut ObservedCall,
) -> Result<Completed<T>, Error> {
    let endpoint = Arc::clone(&target.endpoint);
    let is_listed = target.known.model.is_some();
    attempts(call, target, attempt, observed).map_err(|error| {
        let error = endpoint.explain(error);
        match call.operation.chat() {
            Some(_) if !is_listed => {
                misspelt::suggest_routes(error, call.options.asked, call.caller)
            }
            _ => error,
        }
    })
}

fn attempts<O: Operation, T: Measurable>(
    call: &Begun<'_, O>,
    target: Target,
    attempt: impl Attempting<O::Content, O::Reserved, T>,
    observed: &mut ObservedCall,
) -> Result<Completed<T>, Error> {
    let Begun { caller, operation, .. } = *call;
    let limits = call.limits(&target.endpoint.settings.timeouts)?;
    // Everything that can be refused is refused here.
    if let Some(request) = operation.chat() {
        fitness::check(caller, request, &target)?;
    }
    fitness::warn(caller, &target, observed);
    let prepared = cached::prepare(call, target, &limits.bounds, attempt, observed);
    let ((prepared, reserved), slot) = match prepared {
        Ok(Prepare::Ready(ready, slot)) => (ready, slot),
        Ok(Prepare::Answered(completed)) => return Ok(*completed),
        Err(error) => return Err(limits.name_limit(error)),
    };
    // Under such a limit, a model may also reason less.
    let slot = slot.filter(|_| !operation.is_cut_short(&prepared));
    limits.check()?;
    let (tags, amount) = (&call.options.tags, operation.amount(&prepared));
    let demand = room::demand(caller, tags, &prepared.target, None, amount)?;
    let mut steps = OneTarget {
        caller,
        operation,
        prepared: &prepared,
        demand,
        reserved: Some(reserved),
        slot,
        limits: &limits,
        attempt,
        observed,
    };
    let tried = call.retrier(&limits).run(&mut steps);
    let tried = tried.map_err(|error| limits.name_limit(error))?;
    Ok(Completed { target: prepared.target, tried, routed: None, source: AnswerSource::Live })
}

struct OneTarget<'a, O: Operation, F> {
    caller: &'a Caller,
    operation: &'a O,
    prepared: &'a Prepared<O::Content>,
    /// What each attempt needs of the limits.
    demand: Option<Arc<Demand>>,
    /// What the first attempt can cost.
    reserved: Option<O::Reserved>,
    /// Where the cache keeps the answer, if it does.
    slot: Option<Slot>,
    limits: &'a CallTimeLimits,
    attempt: F,
    observed: &'a ObservedCall,
}

/// The target, and room in the limits for one attempt.
struct Leg<'a, C> {
    prepared: &'a Prepared<C>,
    permit: Option<Permit>,
}

impl<C> retry::Target for Leg<'_, C> {
    fn provider(&self) -> &str {
        self.prepared.provider()
    }

    fn model(&self) -> &str {
        self.prepared.model()
    }
}

impl<'a, O, T, F> Steps for OneTarget<'a, O, F>
where
    O: Operation,
    T: Measurable,
    F: Fn(OngoingAttempt<'_, '_, O::Content>, O::Reserved) -> Result<T, Error>,
{
    type Target = Leg<'a, O::Content>;
    type Answer = T;

    fn choose(&mut self) -> Result<Turn<Self::Target>, Error> {
        let permit = match &self.demand {
            None => None,
            Some(demand) => match room::try_reserve(self.caller, Some(demand)) {
                Ok(permit) => permit,
                Err(_) => {
                    // Other calls can use the money while this one waits.
                    self.reserved = None;
                    room::reserve(self.caller, slice::from_ref(demand), self.limits)?.1
                }
            },
        };
        Ok(Turn::Attempt(Leg { prepared: self.prepared, permit }))
    }

    fn attempt(
        &mut self,
        leg: Self::Target,
        retries: u32,
        _begun: Instant,
        second: &mut SecondSending<'_>,
    ) -> Result<T, Error> {
        let Self { caller, limits, .. } = *self;
        let Leg { prepared, permit } = leg;
        self.observed.attempt_begun(retries);
        let reserved = match self.reserved.take() {
            Some(reserved) => reserved,
            None => self.operation.reserve_again(caller, prepared)?,
        };
        let streamed = self.operation.delivery() == Delivery::Stream;
        let slot = self.slot.as_ref();
        let (outcome, entry) =
            operation::attempt(permit, reserved, streamed, |reserved, unkept| {
                let recorded = None;
                let ongoing = OngoingAttempt {
                    caller,
                    prepared,
                    limits,
                    retries,
                    second,
                    recorded,
                    slot,
                    unkept,
                };
                (self.attempt)(ongoing, reserved)
            });
        if let (Some(entry), Some(slot)) = (entry, slot) {
            slot.store(entry);
        }
        outcome
    }

    fn ended(&mut self, attempt: &Attempt) {
        if has_ended(self.operation, attempt) {
            self.observed.attempt_ended(attempt);
        }
    }
}
