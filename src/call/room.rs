//! Room for the attempts of a call in the client's limits.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Caller;
use super::operation::Measurable;
use super::target::Target;
use super::time_limits::CallTimeLimits;
use crate::cost::{AtEnd, Reservation};
use crate::error::{Error, Phase};
use crate::throttle::{Amount, Demand, Facts, Lesson, NoRoom, Permit, Refusal, TargetId};

/// What is reserved for an attempt. It also keeps the attempt's room in the limits.
pub(super) trait Reserved {
    /// Keeps this until the attempt ends, for a stream with the stream.
    fn keep(&mut self, permit: Permit);

    /// Charges nothing when the attempt ends: a recording answers it.
    fn charge_nothing(&mut self);
}

impl Reserved for Reservation {
    fn keep(&mut self, permit: Permit) {
        self.at_end(Box::new(permit));
    }

    fn charge_nothing(&mut self) {
        self.charge_nothing();
    }
}

/// Nothing is reserved for operations that no limit applies to.
impl Reserved for () {
    fn keep(&mut self, _permit: Permit) {}

    fn charge_nothing(&mut self) {}
}

/// Room for an attempt that costs nothing.
#[derive(Default)]
pub(super) struct Room(Option<Permit>);

impl Reserved for Room {
    fn keep(&mut self, permit: Permit) {
        self.0 = Some(permit);
    }

    fn charge_nothing(&mut self) {}
}

impl AtEnd for Permit {
    fn ended(self: Box<Self>, tokens: Option<u64>) {
        self.end(tokens);
    }
}

/// What an attempt at a target needs of the limits; `None` if none applies. `routed` is the target's
/// place in its route, and its name if it has settings of its own.
///
/// # Errors
///
/// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if a limit could never admit it.
pub(super) fn demand(
    caller: &Caller,
    tags: &BTreeMap<String, String>,
    target: &Target,
    routed: Option<(TargetId, Option<&str>)>,
    amount: Option<Amount>,
) -> Result<Option<Arc<Demand>>, Error> {
    let (Some(limiter), Some(amount)) = (&caller.limiter, amount) else { return Ok(None) };
    let (provider, model) = (target.endpoint.id().as_str(), &target.model);
    let facts = Facts { provider, model, tags, target: routed };
    limiter.demand(&facts, amount).map_err(|too_large| too_large.error())
}

/// Reserves an attempt if there is room at once.
///
/// # Errors
///
/// The limit that has no room.
pub(super) fn try_reserve(
    caller: &Caller,
    demand: Option<&Arc<Demand>>,
) -> Result<Option<Permit>, Refusal> {
    match (&caller.limiter, demand) {
        (Some(limiter), Some(demand)) => limiter.try_reserve(demand).map(Some),
        _ => Ok(None),
    }
}

/// Waits in line until one of these demands has room, reserves it, and returns its place among
/// them.
///
/// # Errors
///
/// [`RateLimited`](crate::ErrorKind::RateLimited) if there is no room before the deadline, and
/// [`Cancelled`](crate::ErrorKind::Cancelled).
pub(super) fn reserve(
    caller: &Caller,
    demands: &[Arc<Demand>],
    limits: &CallTimeLimits,
) -> Result<(usize, Option<Permit>), Error> {
    let Some(limiter) = &caller.limiter else { return Ok((0, None)) };
    match limiter.reserve(demands, &limits.bounds) {
        Ok((place, permit)) => Ok((place, Some(permit))),
        Err(NoRoom::Full(refusal)) => {
            let whole = limits.whole();
            Err(refusal.error(whole.setting, whole.value))
        }
        Err(NoRoom::Cancelled) => Err(Error::cancelled().with_phase(Phase::LimitWait)),
    }
}

/// Makes an attempt that keeps its room in the limits, and teaches them what its outcome shows.
pub(super) fn attempt<R: Reserved, T: Measurable>(
    permit: Option<Permit>,
    mut reserved: R,
    streamed: bool,
    attempt: impl FnOnce(R) -> Result<T, Error>,
) -> Result<T, Error> {
    let lesson = permit.as_ref().and_then(Permit::lesson);
    if let Some(permit) = permit {
        reserved.keep(permit);
    }
    let outcome = attempt(reserved);
    teach(lesson, &outcome, streamed);
    outcome
}

fn teach<T: Measurable>(lesson: Option<Lesson>, outcome: &Result<T, Error>, streamed: bool) {
    let Some(lesson) = lesson else { return };
    match outcome {
        Ok(value) => lesson.answered(&value.rate_limit(), streamed),
        Err(error) => lesson.failed(error),
    }
}
