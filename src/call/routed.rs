//! The steps of a call to a route: which of its targets to try, and what became of each.

mod cascade;
mod classify;
mod no_target;
mod race;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cached::{Gate, Slots};
use super::chat::{Chat, Encoding};
use super::operation::{self, Measurable, OngoingAttempt, Operation, Options};
use super::prepared::{Prepared, PreparedRequests};
use super::routes::Route;
use super::run::{Attempting, Begun, Completed, has_ended};
use super::target::Target;
use super::time_limits::CallTimeLimits;
use super::{Caller, fitness, room};
use crate::answer_source::AnswerSource;
use crate::cache::Slot;
use crate::catalogue;
use crate::cost::{Money, Reservation};
use crate::error::{Attempt, Decision, Error, ErrorKind};
use crate::observed::ObservedCall;
use crate::retry::{self, Failed, Raced, SecondSending, Steps, Tried, Turn};
use crate::routing::{Answered, Change, Chosen, Expected, RoutedCall, Ticket, Walk};
use crate::throttle::{Demand, Permit};
use crate::wire::Delivery;
pub(super) use cascade::{Spent, none_accepted};

/// The shortest wait for a target that another call is trying out.
const PROBE_WAIT: Duration = Duration::from_millis(50);

/// Makes attempts at one target or another until one succeeds or another makes no sense.
pub(super) fn run<T: Measurable>(
    call: &Begun<'_, Chat<'_>>,
    route: &Route,
    slots: Option<Slots>,
    attempt: impl Attempting<Encoding, Reservation, T>,
    observed: &mut ObservedCall,
) -> Result<Completed<T>, Error> {
    if let Some(cascade) = &route.cascade {
        return cascade::run(call, route, slots, cascade, attempt, observed);
    }
    let limits = call.limits(&call.caller.settings.timeouts)?;
    limits.check()?;
    let mut steps = Routed::new(call, route, slots, &limits, attempt, observed);
    let tried = call.retrier(&limits).run(&mut steps);
    let tried = tried.map_err(|error| limits.name_limit(error))?;
    steps.store();
    steps.complete(tried)
}

/// The steps of a call to a route.
struct Routed<'a, F> {
    caller: &'a Arc<Caller>,
    chat: &'a Chat<'a>,
    route: &'a Route,
    /// When the call began.
    begun: Instant,
    limits: &'a CallTimeLimits,
    options: &'a Options<'a>,
    attempt: F,
    observed: &'a mut ObservedCall,
    walk: Walk,
    /// The requests prepared so far, and for which targets.
    prepared: PreparedRequests<Encoding>,
    /// What they need of the client's limits, and for which targets.
    demands: Vec<(usize, Arc<Demand>)>,
    /// The last failure of an attempt.
    failed: Option<Error>,
    /// What follows the last failure, if that is decided already.
    decided: Option<Decision>,
    /// The attempts that ran at the same time as the last one.
    raced: Option<Box<Raced>>,
    /// Where the cache keeps the answers, if it does.
    slots: Option<Slots>,
    /// The last answer as the cache keeps it, and where.
    entry: Option<(Slot, Vec<u8>)>,
    /// The kind of error if the route has no targets but those that cannot serve the call.
    skipped: Option<ErrorKind>,
    /// Why a target could not serve the call after all.
    unfit: Option<Error>,
    /// The place of the target that answered, its ticket, and when it answered.
    answered: Option<(usize, Option<Ticket>, Instant)>,
    /// The answers before that were not accepted.
    answers: u32,
}

/// A request for one target, and what is reserved for an attempt.
type Ready = (Arc<Prepared<Encoding>>, Reservation);

/// A target, ready for one attempt on any thread.
struct Leg {
    prepared: Arc<Prepared<Encoding>>,
    reserved: Reservation,
    ticket: Ticket,
    /// Its room in the client's limits, if any applies.
    permit: Option<Permit>,
}

impl retry::Target for Leg {
    fn provider(&self) -> &str {
        self.prepared.provider()
    }

    fn model(&self) -> &str {
        self.prepared.model()
    }
}

impl<'a, F> Routed<'a, F> {
    fn new(
        call: &Begun<'a, Chat<'a>>,
        route: &'a Route,
        slots: Option<Slots>,
        limits: &'a CallTimeLimits,
        attempt: F,
        observed: &'a mut ObservedCall,
    ) -> Self {
        let Begun { caller, operation: chat, options, at, .. } = *call;
        let streamed = chat.delivery() == Delivery::Stream;
        let key = if route.state.targets.len() > 1 { chat.routing_key() } else { 0 };
        let mut walk = Walk::new(Arc::clone(&route.state), RoutedCall::new(streamed, key));
        if let Some(classifier) = &route.classifier {
            classify::begin(&mut walk, &**classifier, chat.request);
        }
        let skipped = fitness::skip_unfit(&mut walk, route, call);
        Self {
            caller,
            chat,
            route,
            begun: at,
            limits,
            options,
            attempt,
            observed,
            walk,
            prepared: PreparedRequests::default(),
            demands: Vec::new(),
            failed: None,
            decided: None,
            raced: None,
            slots,
            entry: None,
            skipped,
            unfit: None,
            answered: None,
            answers: 0,
        }
    }

    /// Where the cache keeps the answer of a target, if it does. Not if a budget cuts it short: under
    /// such a limit, a model may also reason less.
    fn slot(&self, at: usize, prepared: &Prepared<Encoding>) -> Option<Slot> {
        let slots = self.slots.as_ref().filter(|_| !self.chat.is_cut_short(prepared));
        slots?.of(at)
    }

    /// Stores the answer of the call in the cache.
    fn store(&mut self) {
        if let Some((slot, entry)) = self.entry.take() {
            slot.store(entry);
        }
    }

    fn is_streamed(&self) -> bool {
        self.chat.delivery() == Delivery::Stream
    }

    /// What a call like this one is expected to cost at a target.
    fn expected_cost(&self) -> impl Fn(usize, Expected) -> Option<Money> + use<'a, F> {
        let (caller, route, request) = (self.caller, self.route, self.chat.request);
        move |at, expected| {
            route.expected_cost(at, catalogue::text_bytes(request), expected, caller)
        }
    }

    fn target(&self, at: usize) -> Result<Target, Error> {
        let Caller { endpoints, settings, transport, .. } = &**self.caller;
        self.route.target(at, endpoints, settings, transport)
    }

    /// Encodes the request for a target, and reserves what an attempt can cost.
    fn prepare(&mut self, at: usize) -> Result<Ready, Error> {
        if let Some(prepared) = self.prepared.get(at) {
            let reserved = self.chat.reserve_again(self.caller, prepared)?;
            return Ok((Arc::clone(prepared), reserved));
        }
        let target = self.target(at)?;
        let (prepared, reserved) =
            self.chat.prepare(self.caller, target, self.observed.tags(), &mut Gate::Open)?;
        let (tags, amount) = (&self.options.tags, self.chat.amount(&prepared));
        let place = Some(self.route.place(at));
        let demand = room::demand(self.caller, tags, &prepared.target, place, amount)?;
        if let Some(demand) = demand {
            // If a hedge was dropped because its answer would be too short, its demand is stale.
            self.demands.retain(|(target, _)| *target != at);
            self.demands.push((at, demand));
        }
        let prepared = Arc::new(prepared);
        self.prepared.add(at, Arc::clone(&prepared));
        Ok((prepared, reserved))
    }

    /// What a target needs of the client's limits, if any applies to it.
    fn demand(&self, at: usize) -> Option<&Arc<Demand>> {
        self.demands.iter().find(|(target, _)| *target == at).map(|(_, demand)| demand)
    }

    /// Waits for room at one of the targets that have none, and prepares an attempt there. `None`
    /// if that target cannot be called any more.
    ///
    /// # Errors
    ///
    /// If there is no room before the deadline.
    fn wait_for_room(&mut self, full: &[usize]) -> Result<Option<Leg>, Error> {
        let demands: Vec<_> = full.iter().filter_map(|at| self.demand(*at).cloned()).collect();
        let (place, permit) = room::reserve(self.caller, &demands, self.limits)?;
        let at = full[place];
        let Some(ticket) = self.walk.enter(at, Instant::now()) else {
            self.walk.ask_again();
            return Ok(None);
        };
        match self.prepare(at) {
            Ok((prepared, reserved)) => Ok(Some(Leg { prepared, reserved, ticket, permit })),
            Err(error) => {
                self.cannot_serve(at, error);
                Ok(None)
            }
        }
    }

    /// Notes that a target cannot serve the call. Nothing was sent. What this target cannot do,
    /// another may.
    fn cannot_serve(&mut self, at: usize, error: Error) {
        self.walk.cannot_serve(at, error.message().to_owned());
        self.unfit = Some(error);
    }

    /// Completes the call with the answer that was accepted.
    ///
    /// # Errors
    ///
    /// If no attempt was answered.
    fn complete<T>(&mut self, tried: Tried<T>) -> Result<Completed<T>, Error> {
        let answered = self.answered.take();
        let found =
            answered.and_then(|(at, ticket, now)| Some((self.prepared.get(at)?, ticket, now)));
        let Some((prepared, ticket, now)) = found else {
            return Err(Error::new(ErrorKind::Protocol, "the call ended without an answer"));
        };
        let target = prepared.target.clone();
        let routed = Some((self.walk.answered(now), ticket));
        Ok(Completed { target, tried, routed, source: AnswerSource::Live })
    }

    /// Counts the failover that follows an attempt, and tells observers how the attempt ended.
    fn ended_at(&self, at: usize, attempt: &Attempt) {
        // Counted here, where observers see it, because the retry budget may change a decision.
        if attempt.decision == Some(Decision::FailOver) {
            self.route.state.targets[at].failed_over();
        }
        if has_ended(self.chat, attempt) {
            self.observed.attempt_ended(attempt);
        }
    }

    /// Tells observers that a target rests or has returned.
    fn report(&self, change: Option<Change>, at: usize) {
        if let Some(change) = change {
            let target = &self.route.state.targets[at];
            self.observed.target_changed(&self.route.state.name, &target.name, change);
        }
    }
}

impl<T, F> Steps for Routed<'_, F>
where
    T: Measurable,
    F: Fn(OngoingAttempt<'_, '_, Encoding>, Reservation) -> Result<T, Error>
        + Copy
        + Send
        + 'static,
{
    type Target = Leg;
    type Answer = T;

    fn choose(&mut self) -> Result<Turn<Self::Target>, Error> {
        self.walk.ask_again();
        loop {
            let now = Instant::now();
            let cost = self.expected_cost();
            let (at, ticket) = match self.walk.choose(now, &mut fastrand::f64, &cost) {
                Chosen::Target(at, ticket) => (at, ticket),
                Chosen::None => return Err(self.none_can_serve()),
                Chosen::Full(full) => match self.wait_for_room(&full)? {
                    Some(leg) => return Ok(Turn::Attempt(leg)),
                    None => continue,
                },
                Chosen::Resting { until, reason } => {
                    let wait = until.saturating_duration_since(now).max(PROBE_WAIT);
                    let left = self.limits.bounds.deadline.remaining(now);
                    let fits = left.is_none_or(|left| wait < left);
                    if self.route.state.rules.wait_for_targets && fits {
                        return Ok(Turn::Wait(wait));
                    }
                    return Err(self.all_rest(wait, reason));
                }
            };
            match self.prepare(at) {
                Ok((prepared, reserved)) => match room::try_reserve(self.caller, self.demand(at)) {
                    Ok(permit) => {
                        return Ok(Turn::Attempt(Leg { prepared, reserved, ticket, permit }));
                    }
                    Err(refusal) => self.walk.no_room(at, refusal.to_string()),
                },
                Err(error) => self.cannot_serve(at, error),
            }
        }
    }

    fn attempt(
        &mut self,
        mut leg: Self::Target,
        retries: u32,
        begun: Instant,
        second: &mut SecondSending<'_>,
    ) -> Result<T, Error> {
        if let Some(silence) = self.silence() {
            match self.race(leg, retries, silence) {
                Ok(outcome) => return outcome,
                Err(back) => leg = *back,
            }
        }
        let Leg { prepared, reserved, mut ticket, permit } = leg;
        let endpoint = &prepared.target.endpoint;
        let at = self.walk.current();
        self.observed.moved_to(&endpoint.server, &prepared.target.model, at);
        fitness::warn(self.caller, &prepared.target, self.observed);
        self.observed.attempt_begun(retries);
        let other = (endpoint.has_own_timeouts || self.answers > 0).then(|| {
            let limits = self.limits.of_attempt_at(self.options, &endpoint.settings.timeouts);
            limits.after_answers(self.answers)
        });
        let streamed = self.is_streamed();
        let slot = self.slot(at, &prepared);
        let (outcome, entry) =
            operation::attempt(permit, reserved, streamed, |reserved, unkept| {
                let ongoing = OngoingAttempt {
                    caller: self.caller,
                    prepared: &prepared,
                    limits: other.as_ref().unwrap_or(self.limits),
                    retries,
                    second,
                    recorded: None,
                    slot: slot.as_ref(),
                    unkept,
                };
                (self.attempt)(ongoing, reserved)
            });
        self.entry = slot.zip(entry);
        match outcome {
            Ok(value) => {
                // The loop notes when it ended.
                self.answered = Some((at, Some(ticket), begun));
                Ok(value)
            }
            Err(error) => {
                let now = Instant::now();
                let after = now.saturating_duration_since(begun);
                let change = ticket.failed(&error, after, streamed, now);
                self.report(change, at);
                Err(endpoint.explain(error))
            }
        }
    }

    fn answered(&mut self, answer: &T, after: Duration, ended: Instant) {
        let streamed = self.is_streamed();
        let Some((at, Some(ticket), now)) = &mut self.answered else { return };
        let at = *at;
        *now = ended;
        // After a race, the target knows already.
        let change = ticket.served_with(&measured(answer, after, streamed), ended);
        self.report(change, at);
    }

    fn decide(&mut self, failed: &Failed<'_>) -> Decision {
        self.failed = Some(failed.error.clone());
        match self.decided.take() {
            Some(decision) => decision,
            None => self.walk.failed(failed, Instant::now()),
        }
    }

    fn raced(&mut self) -> Option<Box<Raced>> {
        self.raced.take()
    }

    fn without_retry(&mut self) -> Decision {
        self.walk.without_retry()
    }

    fn ended(&mut self, attempt: &Attempt) {
        self.ended_at(self.walk.current(), attempt);
    }
}

/// What an attempt that took this long showed of its target.
fn measured(value: &impl Measurable, after: Duration, streamed: bool) -> Answered {
    if streamed {
        return Answered { first_token: Some(after), ..Answered::default() };
    }
    Answered { whole: Some(after), ..value.measured(after) }
}
