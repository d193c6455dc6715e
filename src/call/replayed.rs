//! A call that a recording or the cache answers: no network, no wait, no retry, and nothing charged.

use std::sync::Arc;
use std::time::Instant;

use super::Caller;
use super::cached::Gate;
use super::operation::{Measurable, OngoingAttempt, Operation, Unkept};
use super::prepared::Prepared;
use super::room::Reserved;
use super::routed::none_accepted;
use super::run::{Attempting, Begun, Completed, has_ended};
use super::target::Target;
use super::time_limits::CallTimeLimits;
use crate::answer_source::AnswerSource;
use crate::config::{Cascade, Verdict};
use crate::error::{Attempt, Decision, Error, ErrorKind, GiveUp};
use crate::observed::ObservedCall;
use crate::replay::{Replay, Response};
use crate::retry::{Failed, SecondSending, Steps, Turn};
use crate::routing::RouteState;

/// Answers a call from a recording of its request to one of these targets. `None` if there is none
/// and the call is to be recorded.
///
/// # Errors
///
/// The recorded failure. [`NotRecorded`](ErrorKind::NotRecorded) if there is no recording, and
/// nothing may be recorded.
pub(super) fn run<O: Operation, T: Measurable>(
    replay: &Replay,
    call: &Begun<'_, O>,
    targets: Vec<(usize, Target)>,
    cascade: Option<(&Cascade, &RouteState)>,
    attempt: impl Attempting<O, T>,
    observed: &mut ObservedCall,
) -> Result<Option<Completed<T>>, Error> {
    let found = find(replay, call, targets, cascade.is_some(), observed)?;
    let Some(found) = found else { return Ok(None) };
    observed.replayed();
    answer(call, found, cascade, AnswerSource::Replayed, attempt, observed)
}

/// Answers a call with the response to its request. `None` if the cascade does not accept it, and
/// the targets above are asked.
///
/// # Errors
///
/// The failure that the response stands for.
pub(super) fn answer<O: Operation, T: Measurable>(
    call: &Begun<'_, O>,
    found: Found<O>,
    cascade: Option<(&Cascade, &RouteState)>,
    source: AnswerSource,
    attempt: impl Attempting<O, T>,
    observed: &mut ObservedCall,
) -> Result<Option<Completed<T>>, Error> {
    let Found { place, prepared, mut reserved, response, above } = found;
    let endpoint = Arc::clone(&prepared.target.endpoint);
    observed.moved_to(&endpoint.server, &prepared.target.model, place);
    reserved.charge_nothing();
    let explained = |error| endpoint.explain(error);
    let limits = call.limits(&endpoint.settings.timeouts).map_err(explained)?;
    limits.check().map_err(explained)?;
    let mut steps = Once {
        caller: call.caller,
        operation: call.operation,
        prepared: &prepared,
        ready: Some((response, reserved)),
        limits: &limits,
        attempt,
        observed,
        cascade,
        place,
        above,
        rejected: None,
    };
    let tried = call.retrier(&limits).run(&mut steps);
    let tried = match (tried, steps.rejected) {
        (Err(_), Some(Rejected::AskAbove)) => {
            observed.live();
            return Ok(None);
        }
        (Err(ended), Some(Rejected::Fails(error))) => {
            return Err(error.with_attempts(ended.attempts().to_vec()));
        }
        (tried, _) => tried.map_err(|error| explained(limits.name_limit(error)))?,
    };
    Ok(Some(Completed { target: prepared.target, tried, routed: None, source }))
}

/// A request with the response that answers it.
pub(super) struct Found<O: Operation> {
    /// The place of its target.
    pub(super) place: usize,
    pub(super) prepared: Prepared<O::Content>,
    pub(super) reserved: O::Reserved,
    pub(super) response: Response,
    /// What is known of the targets that a cascade asks after this one.
    pub(super) above: Above,
}

/// The targets that a cascade asks if it does not accept an answer.
pub(super) enum Above {
    /// None can serve the call.
    None,
    /// One has no recording, which is this error.
    Missing(Error),
    /// One can be asked.
    Unrecorded,
}

/// What follows an answer that a cascade does not accept.
enum Rejected {
    /// This error.
    Fails(Error),
    /// The targets above it are asked.
    AskAbove,
}

impl<O: Operation> Found<O> {
    fn is_answer(&self) -> bool {
        (200..300).contains(&self.response.status)
    }
}

/// Finds the first target with a recorded answer, otherwise the first with a recorded failure: the
/// recorded call may have failed over.
fn find<O: Operation>(
    replay: &Replay,
    call: &Begun<'_, O>,
    targets: Vec<(usize, Target)>,
    is_cascade: bool,
    observed: &ObservedCall,
) -> Result<Option<Found<O>>, Error> {
    let mut best: Option<Found<O>> = None;
    let (mut missing, mut unfit, mut unrecorded) = (None, None, false);
    for (place, target) in targets {
        let endpoint = Arc::clone(&target.endpoint);
        let named = |error: Error| error.with_provider(endpoint.id().as_str());
        let (prepared, reserved) =
            match call.operation.prepare(call.caller, target, observed.tags(), &mut Gate::Open) {
                Ok(prepared) => prepared,
                Err(error) => {
                    unfit = unfit.or(Some(endpoint.explain(error)));
                    continue;
                }
            };
        match replay.find(&prepared.recorded_as()) {
            Ok(None) => unrecorded = true,
            Ok(Some(response)) => {
                let above = match missing.take() {
                    Some(missing) => Above::Missing(missing),
                    None if unrecorded => Above::Unrecorded,
                    None => Above::None,
                };
                let found = Found { place, prepared, reserved, response, above };
                let is_better =
                    best.as_ref().is_none_or(|best| found.is_answer() && !best.is_answer());
                if is_better {
                    // A failure above is no reason to forget what is above that.
                    let above = best.take().map_or(Above::None, |best| best.above);
                    best = Some(match (&found.above, &above) {
                        (Above::None, Above::Missing(_) | Above::Unrecorded) => {
                            Found { above, ..found }
                        }
                        _ => found,
                    });
                }
            }
            Err(error) if error.kind() == ErrorKind::NotRecorded => {
                // A cascade asks those that come last here first.
                if missing.is_none() || is_cascade {
                    missing = Some(named(error));
                }
            }
            Err(error) => return Err(named(error)),
        }
    }
    match (best, missing.or(unfit.filter(|_| replay.is_offline()))) {
        (Some(found), _) => Ok(Some(found)),
        (None, Some(error)) => Err(error),
        (None, None) => Ok(None),
    }
}

/// The steps of a call with one attempt, which a stored response answers.
struct Once<'a, O: Operation, F> {
    caller: &'a Caller,
    operation: &'a O,
    prepared: &'a Prepared<O::Content>,
    ready: Option<(Response, O::Reserved)>,
    limits: &'a CallTimeLimits,
    attempt: F,
    observed: &'a ObservedCall,
    cascade: Option<(&'a Cascade, &'a RouteState)>,
    /// The place of the target.
    place: usize,
    above: Above,
    /// Set if the cascade did not accept the answer.
    rejected: Option<Rejected>,
}

impl<'a, O, T, F> Steps for Once<'a, O, F>
where
    O: Operation,
    T: Measurable,
    F: Fn(OngoingAttempt<'_, '_, O::Content>, O::Reserved) -> Result<T, Error>,
{
    type Target = &'a Prepared<O::Content>;
    type Answer = T;

    fn choose(&mut self) -> Result<Turn<Self::Target>, Error> {
        match &self.rejected {
            None => Ok(Turn::Attempt(self.prepared)),
            // `run` has the reason.
            Some(_) => Err(Error::cancelled()),
        }
    }

    /// A cascade judges a stored answer as it judges a live one: the call that recorded it may have
    /// failed at the targets above.
    fn accept(&mut self, mut answer: T) -> Result<T, Decision> {
        let (Some((cascade, route)), Some(response)) = (self.cascade, answer.chat()) else {
            return Ok(answer);
        };
        let verdict = cascade.judge(response, self.operation.response_format());
        let Verdict::Reject(reason) = verdict else { return Ok(answer) };
        self.rejected = Some(match std::mem::replace(&mut self.above, Above::None) {
            Above::Missing(error) => Rejected::Fails(error),
            Above::Unrecorded => Rejected::AskAbove,
            Above::None if cascade.require_accepted => {
                Rejected::Fails(none_accepted(route, self.place, &reason))
            }
            Above::None => return Ok(answer),
        });
        Err(Decision::GiveUp(GiveUp::NotAccepted))
    }

    fn attempt(
        &mut self,
        prepared: Self::Target,
        retries: u32,
        _begun: Instant,
        second: &mut SecondSending<'_>,
    ) -> Result<T, Error> {
        let Self { caller, limits, .. } = *self;
        let Some((recorded, reserved)) = self.ready.take() else {
            return Err(Error::new(ErrorKind::Protocol, "a recording answered already"));
        };
        if limits.bounds.is_cancelled() {
            return Err(Error::cancelled());
        }
        self.observed.attempt_begun(retries);
        let (recorded, slot, unkept) = (Some(recorded), None, &mut Unkept::default());
        let ongoing =
            OngoingAttempt { caller, prepared, limits, retries, second, recorded, slot, unkept };
        (self.attempt)(ongoing, reserved)
    }

    /// The failure is the last: a retry would get it again.
    fn decide(&mut self, failed: &Failed<'_>) -> Decision {
        match failed.retry_or_stop() {
            Decision::Retry { .. } => Decision::GiveUp(GiveUp::RetriesSpent),
            decision => decision,
        }
    }

    fn ended(&mut self, attempt: &Attempt) {
        if has_ended(self.operation, attempt) {
            self.observed.attempt_ended(attempt);
        }
    }
}
