//! Calls to a cascade: one target after the other, until an answer is accepted.

use std::time::{Duration, Instant};

use super::{Leg, Routed};
use crate::call::cached::Slots;
use crate::call::chat::{Chat, Encoding};
use crate::call::operation::{Measurable, Operation};
use crate::call::routes::Route;
use crate::call::run::{Attempting, Begun, Completed};
use crate::config::{Cascade, Verdict};
use crate::cost::{Cost, Reservation};
use crate::error::{Attempt, Decision, Error, ErrorKind, GiveUp};
use crate::observed::ObservedCall;
use crate::retry::{Failed, SecondSending, Steps, Tried, Turn};
use crate::routing::RouteState;
use crate::wire::Delivery;

/// Makes attempts at one target after the other until an answer is accepted or no other target can
/// be asked.
pub(super) fn run<T: Measurable>(
    call: &Begun<'_, Chat<'_>>,
    route: &Route,
    slots: Option<Slots>,
    cascade: &Cascade,
    attempt: impl Attempting<Encoding, Reservation, T>,
    observed: &mut ObservedCall,
) -> Result<Completed<T>, Error> {
    if call.operation.delivery() == Delivery::Stream {
        return Err(Error::invalid_request(format!(
            "the route {:?} is a cascade, which has to see whole answers and cannot stream; use \
             Client::chat, or name one of its models",
            route.state.name
        )));
    }
    let limits = call.limits(&call.caller.settings.timeouts)?;
    limits.check()?;
    let routed = Routed::new(call, route, slots, &limits, attempt, observed);
    let spent = Spent::default();
    let mut steps = Ascent { routed, cascade, kept: None, reason: None, spent, over: None };
    let tried = call.retrier(&limits).run(&mut steps);
    steps.completed(tried.map_err(|error| limits.name_limit(error)))
}

/// The steps of a call to a cascade.
struct Ascent<'a, F, T> {
    routed: Routed<'a, F>,
    cascade: &'a Cascade,
    /// The last answer that was not accepted, while another target is asked.
    kept: Option<Kept<T>>,
    /// Why the answer of the attempt that has just ended was not accepted.
    reason: Option<String>,
    /// What all answers so far cost together.
    spent: Spent,
    /// The error that ends the call before another choice.
    over: Option<Error>,
}

/// An answer that was not accepted, but may be the best that the call gets.
struct Kept<T> {
    value: T,
    /// The place of its target.
    at: usize,
    /// When it came.
    answered: Instant,
}

/// What the answers of a call cost together. `None` before the first one.
#[derive(Default)]
pub(in crate::call) struct Spent(Option<Option<Cost>>);

impl Spent {
    /// Adds the cost of an answer, and returns the total. It is unknown as soon as one of them is.
    pub(in crate::call) fn add(&mut self, cost: Option<Cost>) -> Option<Cost> {
        let total = match self.0 {
            None => cost,
            Some(spent) => spent.zip(cost).map(|(spent, cost)| spent.plus(cost)),
        };
        self.0 = Some(total);
        total
    }
}

impl<F, T> Ascent<'_, F, T> {
    /// The answer of the call, accepted or not.
    ///
    /// # Errors
    ///
    /// If there is none that the call may return.
    fn completed(mut self, tried: Result<Tried<T>, Error>) -> Result<Completed<T>, Error> {
        let tried = match tried {
            Ok(tried) => tried,
            Err(error) => {
                let may_return = !self.cascade.require_accepted && !error.is_cancelled();
                let Some(kept) = self.kept.take().filter(|_| may_return) else { return Err(error) };
                let attempts = error.attempts().to_vec();
                // If no attempt failed, nothing else says why the targets that are left were not asked.
                if attempts.last().is_some_and(|attempt| attempt.failure.is_none()) {
                    self.routed.walk.stopped(&error.to_string());
                }
                self.give_back(&kept);
                Tried { value: kept.value, attempts }
            }
        };
        self.routed.complete(tried)
    }

    /// Makes an earlier answer that of the call.
    fn give_back(&mut self, kept: &Kept<T>) {
        let routed = &mut self.routed;
        routed.walk.decided_by(kept.at);
        if let Some(prepared) = routed.prepared.get(kept.at) {
            let target = &prepared.target;
            routed.observed.moved_to(&target.endpoint.server, &target.model, kept.at);
        }
        routed.observed.returns_not_accepted();
        routed.answered = Some((kept.at, None, kept.answered));
    }
}

/// The error of a call that must have an accepted answer and got none. The last came from the target
/// at this place.
pub(in crate::call) fn none_accepted(route: &RouteState, at: usize, reason: &str) -> Error {
    let target = &route.targets[at];
    let message = format!(
        "the cascade {:?} accepted no answer; that of its last target, {}, was not accepted because \
         {reason}",
        route.name, target.name
    );
    Error::new(ErrorKind::NotAccepted, message)
        .with_provider(&target.state.provider)
        .with_retry_hints(None, Some(false))
}

impl<T, F> Steps for Ascent<'_, F, T>
where
    T: Measurable,
    F: Attempting<Encoding, Reservation, T>,
{
    type Target = Leg;
    type Answer = T;

    fn choose(&mut self) -> Result<Turn<Self::Target>, Error> {
        if let Some(over) = self.over.take() {
            return Err(over);
        }
        if self.kept.is_some() {
            self.routed.limits.check()?;
        }
        self.routed.choose()
    }

    fn attempt(
        &mut self,
        leg: Self::Target,
        retries: u32,
        begun: Instant,
        second: &mut SecondSending<'_>,
    ) -> Result<T, Error> {
        self.routed.attempt(leg, retries, begun, second)
    }

    fn answered(&mut self, answer: &T, after: Duration, ended: Instant) {
        Steps::answered(&mut self.routed, answer, after, ended);
    }

    fn accept(&mut self, mut answer: T) -> Result<T, Decision> {
        let Some(response) = answer.chat() else { return Ok(answer) };
        let (own, usage) = (response.cost, response.usage);
        response.cost = self.spent.add(own);
        // The answer is charged by now, so a panic in a check of the program leaves the books right.
        let format = self.routed.chat.request.response_format.as_ref();
        let verdict = self.cascade.judge(response, format);
        let Verdict::Reject(reason) = verdict else {
            self.routed.store();
            return Ok(answer);
        };
        // Not accepted, so it must not answer an equal call.
        self.routed.entry = None;
        let (routed, cost) = (&mut self.routed, own.map(|cost| cost.total));
        routed.observed.not_accepted(usage, cost);
        routed.route.state.targets[routed.walk.current()].not_accepted();
        let moves_up = routed.walk.not_accepted(reason.clone(), cost);
        let reason = self.reason.insert(reason);
        if !moves_up {
            if self.cascade.require_accepted {
                let reason = reason.clone();
                let routed = &self.routed;
                let (route, at) = (&routed.route.state, routed.walk.current());
                self.over = Some(none_accepted(route, at, &reason));
                return Err(Decision::GiveUp(GiveUp::NotAccepted));
            }
            routed.observed.returns_not_accepted();
            return Ok(answer);
        }
        routed.answers += 1;
        // This also ends the attempt's place among those in flight at its target.
        let answered = routed.answered.take();
        self.kept = answered.map(|(at, _, answered)| Kept { value: answer, at, answered });
        Err(Decision::MoveUp)
    }

    fn decide(&mut self, failed: &Failed<'_>) -> Decision {
        self.routed.decide(failed)
    }

    fn without_retry(&mut self) -> Decision {
        self.routed.without_retry()
    }

    fn ended(&mut self, attempt: &Attempt) {
        self.routed.ended(attempt);
        if let Some(reason) = self.reason.take() {
            self.routed.observed.report_not_accepted(attempt, &reason);
        }
    }
}
