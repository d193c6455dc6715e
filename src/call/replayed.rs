//! A call that a recording or the cache answers: no network, no wait, no retry, and nothing charged.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use super::Caller;
use super::cached::Gate;
use super::operation::{Measurable, OngoingAttempt, Operation, Unkept};
use super::prepared::Prepared;
use super::room::Reserved;
use super::routed::{Spent, none_accepted};
use super::run::{Attempting, Begun, Completed, has_ended};
use super::target::Target;
use super::time_limits::CallTimeLimits;
use crate::answer_source::AnswerSource;
use crate::config::{Cascade, Verdict};
use crate::error::{Attempt, Decision, Error, ErrorKind, GiveUp};
use crate::observed::ObservedCall;
use crate::replay::{Replay, Response};
use crate::retry::{Failed, SecondSending, Steps, Turn};
use crate::routing::{RouteState, TargetStep};

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
    attempt: impl Attempting<O::Content, O::Reserved, T>,
    observed: &mut ObservedCall,
) -> Result<Option<Completed<T>>, Error> {
    let found = find(replay, call, targets, cascade.is_some(), observed)?;
    let Some(Recorded { found, above }) = found else { return Ok(None) };
    observed.replayed();
    answer(call, &found, above, cascade, AnswerSource::Replayed, attempt, observed)
}

/// Answers a call with the response to its request. A cascade judges each response, as if its target
/// had been asked now. `None` if it accepts none, and the targets `above` are asked.
///
/// # Errors
///
/// The failure that the last response stands for.
pub(super) fn answer<O: Operation, T: Measurable>(
    call: &Begun<'_, O>,
    found: &[Found<O>],
    above: Above,
    cascade: Option<(&Cascade, &RouteState)>,
    source: AnswerSource,
    attempt: impl Attempting<O::Content, O::Reserved, T>,
    observed: &mut ObservedCall,
) -> Result<Option<Completed<T>>, Error> {
    let Some(last) = found.last() else { return Ok(None) };
    let endpoint = &last.prepared.target.endpoint;
    let explained = |error| endpoint.explain(error);
    let limits = call.limits(&endpoint.settings.timeouts).map_err(explained)?;
    limits.check().map_err(explained)?;
    let mut steps = FromStore {
        caller: call.caller,
        operation: call.operation,
        found,
        next: 0,
        limits: &limits,
        attempt,
        observed,
        cascade,
        above,
        spent: Spent::default(),
        trace: Vec::new(),
        reason: None,
        rejected: None,
    };
    let tried = call.retrier(&limits).run(&mut steps);
    let FromStore { observed, next, trace, rejected, .. } = steps;
    let tried = match (tried, rejected) {
        (Err(_), Some(Rejected::AskAbove)) => {
            observed.live();
            return Ok(None);
        }
        (Err(ended), Some(Rejected::Fails(error))) => {
            return Err(error.with_attempts(ended.attempts().to_vec()));
        }
        (tried, _) => tried.map_err(|error| explained(limits.name_limit(error)))?,
    };
    let answered = &found[next - 1];
    let routed = cascade.map(|(_, route)| (route.trace_of_stored(trace, answered.place), None));
    let target = answered.prepared.target.clone();
    Ok(Some(Completed { target, tried, routed, source }))
}

/// A request with the response that answers it.
pub(super) struct Found<O: Operation> {
    /// The place of its target.
    place: usize,
    prepared: Prepared<O::Content>,
    /// The response, and the reservation of its attempt, until they are used.
    unused: Cell<Option<(Response, O::Reserved)>>,
}

impl<O: Operation> Found<O> {
    /// `response` answers the request for the target at this place. Nothing is charged for it.
    pub(super) fn new(
        place: usize,
        prepared: Prepared<O::Content>,
        mut reserved: O::Reserved,
        response: Response,
    ) -> Self {
        reserved.charge_nothing();
        Self { place, prepared, unused: Cell::new(Some((response, reserved))) }
    }
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

/// What a call can be answered with.
struct Recorded<O: Operation> {
    /// At least one, in the order in which they are used.
    found: Vec<Found<O>>,
    above: Above,
}

/// Finds the first target with a recorded answer, otherwise the first with a recorded failure: the
/// recorded call may have failed over. For a cascade, finds all recorded answers, in the order in
/// which it asks for them.
fn find<O: Operation>(
    replay: &Replay,
    call: &Begun<'_, O>,
    targets: Vec<(usize, Target)>,
    is_cascade: bool,
    observed: &ObservedCall,
) -> Result<Option<Recorded<O>>, Error> {
    let (mut answers, mut failure) = (Vec::new(), None);
    let (mut missing, mut unfit, mut above) = (None, None, Above::None);
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
            Ok(None) if answers.is_empty() => above = Above::Unrecorded,
            Ok(None) => {}
            Ok(Some(response)) => {
                let is_answer = (200..300).contains(&response.status);
                let found = Found::new(place, prepared, reserved, response);
                match is_answer {
                    true if is_cascade || answers.is_empty() => answers.push(found),
                    true => {}
                    false => failure = failure.or(Some(found)),
                }
            }
            Err(error) if error.kind() == ErrorKind::NotRecorded => {
                // A cascade asks those that come last here first.
                if answers.is_empty() && (missing.is_none() || is_cascade) {
                    missing = Some(named(error));
                }
            }
            Err(error) => return Err(named(error)),
        }
    }
    // A cascade's last target came first.
    answers.reverse();
    answers.extend(failure.filter(|_| answers.is_empty()));
    match (answers.is_empty(), missing.or(unfit.filter(|_| replay.is_offline()))) {
        (false, missing) => {
            Ok(Some(Recorded { found: answers, above: missing.map_or(above, Above::Missing) }))
        }
        (true, Some(error)) => Err(error),
        (true, None) => Ok(None),
    }
}

/// The steps of a call that stored responses answer, with one attempt for each.
struct FromStore<'a, O: Operation, F> {
    caller: &'a Caller,
    operation: &'a O,
    /// The responses with their requests, in the order in which they are used.
    found: &'a [Found<O>],
    /// The place of the next one among them.
    next: usize,
    limits: &'a CallTimeLimits,
    attempt: F,
    observed: &'a mut ObservedCall,
    cascade: Option<(&'a Cascade, &'a RouteState)>,
    above: Above,
    /// What all answers so far would have cost together.
    spent: Spent,
    /// What became of targets whose answers were not accepted, by their places.
    trace: Vec<(usize, TargetStep)>,
    /// Why the answer of the attempt that has just ended was not accepted.
    reason: Option<String>,
    /// Set if the cascade accepted no answer, and the call returns none.
    rejected: Option<Rejected>,
}

impl<'a, O, T, F> Steps for FromStore<'a, O, F>
where
    O: Operation,
    T: Measurable,
    F: Fn(OngoingAttempt<'_, '_, O::Content>, O::Reserved) -> Result<T, Error>,
{
    type Target = &'a Prepared<O::Content>;
    type Answer = T;

    fn choose(&mut self) -> Result<Turn<Self::Target>, Error> {
        match (&self.rejected, self.found.get(self.next)) {
            (None, Some(found)) => Ok(Turn::Attempt(&found.prepared)),
            // `answer` has the reason.
            (Some(_), _) => Err(Error::cancelled()),
            (None, None) => Err(used_up()),
        }
    }

    /// A cascade judges a stored answer as it judges a live one: the call that recorded it may have
    /// failed at the targets above.
    fn accept(&mut self, mut answer: T) -> Result<T, Decision> {
        let (Some((cascade, route)), Some(response)) = (self.cascade, answer.chat()) else {
            return Ok(answer);
        };
        let own = response.cost;
        response.cost = self.spent.add(own);
        let format = self.operation.chat().and_then(|chat| chat.response_format.as_ref());
        let verdict = cascade.judge(response, format);
        let Verdict::Reject(reason) = verdict else { return Ok(answer) };
        let place = self.found[self.next - 1].place;
        let cost = own.map(|cost| cost.total);
        self.reason = Some(reason.clone());
        self.trace.push((place, TargetStep::NotAccepted { reason: reason.clone(), cost }));
        if self.next < self.found.len() {
            return Err(Decision::MoveUp);
        }
        self.rejected = Some(match std::mem::replace(&mut self.above, Above::None) {
            Above::Missing(error) => Rejected::Fails(error),
            Above::Unrecorded => Rejected::AskAbove,
            Above::None if cascade.require_accepted => {
                Rejected::Fails(none_accepted(route, place, &reason))
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
        let found = &self.found[self.next];
        self.next += 1;
        let (recorded, reserved) = found.unused.take().ok_or_else(used_up)?;
        let target = &prepared.target;
        self.observed.moved_to(&target.endpoint.server, &target.model, found.place);
        if limits.bounds.is_cancelled() {
            return Err(Error::cancelled());
        }
        self.observed.attempt_begun(retries);
        let (recorded, slot, unkept) = (Some(recorded), None, &mut Unkept::default());
        let ongoing =
            OngoingAttempt { caller, prepared, limits, retries, second, recorded, slot, unkept };
        (self.attempt)(ongoing, reserved)
    }

    /// A retry would get the same failure again.
    fn decide(&mut self, failed: &Failed<'_>) -> Decision {
        if self.next < self.found.len() {
            return Decision::FailOver;
        }
        match failed.retry_or_stop() {
            Decision::Retry { .. } => Decision::GiveUp(GiveUp::RetriesSpent),
            decision => decision,
        }
    }

    fn ended(&mut self, attempt: &Attempt) {
        if has_ended(self.operation, attempt) {
            self.observed.attempt_ended(attempt);
        }
        if let Some(reason) = self.reason.take() {
            self.observed.report_not_accepted(attempt, &reason);
        }
    }
}

fn used_up() -> Error {
    Error::new(ErrorKind::Protocol, "a stored response answered already")
}
