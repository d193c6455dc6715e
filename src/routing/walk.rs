//! The way of one call through the targets of a route.

mod cascade;
mod hedges;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::failover::{self, Others};
use super::state::{Guarded, RouteState, RoutedTarget, Ticket};
use super::trace::{Classification, LazyTrace, Notes, Progress, TargetStep};
use super::{Candidate, RestReason, RoutedCall};
use crate::error::{Decision, ErrorKind, GiveUp};
use crate::money::Money;
use crate::retry::Failed;

/// The way of one call through the targets of a route.
pub(crate) struct Walk {
    pub(crate) route: Arc<RouteState>,
    call: RoutedCall,
    notes: Notes,
    /// The target of the last attempt.
    current: usize,
    /// Whether the next attempt is at the same target.
    stays: bool,
    /// The waits for the same target so far.
    waits: u32,
    /// Only targets with a larger context window will do.
    above_window: Option<u64>,
    /// The target to try first, if something other than the strategy chose it.
    first: Option<usize>,
    /// Only targets behind this one in the order of the route will do.
    behind: Option<usize>,
    /// What a classifier decided.
    classification: Option<Box<Classification>>,
}

/// The target of the next attempt.
pub(crate) enum Chosen {
    Target(usize, Ticket),
    /// All targets that could serve the call rest. The first one returns then.
    Resting {
        until: Instant,
        reason: RestReason,
    },
    /// These targets could serve the call, but limits have no room for it now.
    Full(Vec<usize>),
    /// None can serve the call.
    None,
}

/// What a call can be expected to use, from earlier ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Expected {
    /// The share of the prompt that comes from a cache.
    pub(crate) cached_share: f64,
    pub(crate) output_tokens: f64,
}

/// The output that is expected before anything has been measured. All targets get the same, so it
/// hardly matters.
const FIRST_OUTPUT: f64 = 300.0;

impl Walk {
    pub(crate) fn new(route: Arc<RouteState>, call: RoutedCall) -> Self {
        Self {
            route,
            call,
            notes: Notes::default(),
            current: 0,
            stays: false,
            waits: 0,
            above_window: None,
            first: None,
            behind: None,
            classification: None,
        }
    }

    /// Chooses the target of the next attempt. `cost` says what the call can be expected to cost at
    /// one of them.
    pub(crate) fn choose(
        &mut self,
        now: Instant,
        random: &mut dyn FnMut() -> f64,
        cost: &dyn Fn(usize, Expected) -> Option<Money>,
    ) -> Chosen {
        if std::mem::take(&mut self.stays) {
            let target = &self.route.targets[self.current];
            if let Some(ticket) = target.admit(now) {
                return Chosen::Target(self.current, ticket);
            }
        }
        if self.route.targets.len() == 1 {
            return self.choose_only(now);
        }
        if let Some(chosen) = self.choose_first(now, random, cost) {
            return chosen;
        }
        let mut open: Vec<usize> = self.open(|progress| !progress.tried);
        if open.is_empty() {
            open = self.open(|_| true);
        }
        if open.is_empty() {
            return Chosen::None;
        }
        let chosen = self.choose_of(open, now, random, cost);
        if let Chosen::Target(at, _) = chosen {
            self.current = at;
        }
        chosen
    }

    /// Chooses one of these targets.
    fn choose_of(
        &mut self,
        mut open: Vec<usize>,
        now: Instant,
        random: &mut dyn FnMut() -> f64,
        cost: &dyn Fn(usize, Expected) -> Option<Money>,
    ) -> Chosen {
        let Self { route, call, notes, .. } = self;
        let mut first: Option<(Instant, RestReason)> = None;
        let mut full = Vec::new();
        let mut candidates = Vec::with_capacity(open.len());
        open.retain(|at| match candidate(&route.targets[*at], call.streamed, now) {
            Ok(_) if notes.of(*at).full => {
                full.push(*at);
                false
            }
            Ok(candidate) => {
                candidates.push(candidate);
                true
            }
            Err((until, reason)) => {
                if first.is_none_or(|(earliest, _)| until < earliest) {
                    first = Some((until, reason));
                }
                let left = until.saturating_duration_since(now);
                note_rest(&mut notes.of_mut(*at).steps, reason, left);
                false
            }
        });
        if candidates.len() > 1 {
            if let Some(pinned) = route.pinned(call.key, now) {
                for (at, candidate) in open.iter().zip(&mut candidates) {
                    candidate.pinned = *at == pinned;
                }
            }
            if route.strategy.uses_cost() {
                let costs = costs(route, &open, now, cost);
                for (candidate, cost) in candidates.iter_mut().zip(costs) {
                    candidate.cost = cost;
                }
            }
        }
        while !open.is_empty() {
            let place = match open.len() {
                1 => 0,
                count => Some(route.strategy.choose(&candidates, call, random))
                    .filter(|place| *place < count)
                    .unwrap_or_default(),
            };
            let at = open[place];
            // Another call may have become the probe meanwhile.
            if let Some(ticket) = route.targets[at].admit(now) {
                return Chosen::Target(at, ticket);
            }
            open.remove(place);
            candidates.remove(place);
        }
        if !full.is_empty() {
            return Chosen::Full(full);
        }
        let (until, reason) = first.unwrap_or((now, RestReason::Failures));
        Chosen::Resting { until, reason }
    }

    /// Chooses the only target of the route.
    fn choose_only(&mut self, now: Instant) -> Chosen {
        let target = &self.route.targets[0];
        if self.notes.of(0).unfit || self.above_window.is_some() {
            return Chosen::None;
        }
        if self.notes.of(0).full && target.state.rests(now).is_none() {
            return Chosen::Full(vec![0]);
        }
        if let Some(ticket) = target.admit(now) {
            return Chosen::Target(0, ticket);
        }
        let (until, reason) = target.state.rests(now).unwrap_or((now, RestReason::Failures));
        let left = until.saturating_duration_since(now);
        note_rest(&mut self.notes.of_mut(0).steps, reason, left);
        Chosen::Resting { until, reason }
    }

    /// Notes that limits have no room at a target for now.
    pub(crate) fn no_room(&mut self, at: usize, why: String) {
        let target = self.notes.of_mut(at);
        target.full = true;
        if !matches!(target.steps.last(), Some(TargetStep::NoRoom(_))) {
            target.steps.push(TargetStep::NoRoom(why));
        }
    }

    /// Considers targets again that had no room.
    pub(crate) fn ask_again(&mut self) {
        self.notes.iter_mut().for_each(|target| target.full = false);
    }

    /// Goes to a target that had no room and has some now, unless it rests by now.
    pub(crate) fn enter(&mut self, at: usize, now: Instant) -> Option<Ticket> {
        let ticket = self.route.targets[at].admit(now)?;
        self.current = at;
        Some(ticket)
    }

    /// Returns the target of the last attempt.
    pub(crate) fn current(&self) -> usize {
        self.current
    }

    /// Notes that a target cannot serve the call.
    pub(crate) fn cannot_serve(&mut self, at: usize, why: String) {
        let target = self.notes.of_mut(at);
        target.unfit = true;
        target.steps.push(TargetStep::CannotServe(why));
    }

    /// Notes that the attempt failed, and decides what follows.
    pub(crate) fn failed(&mut self, failed: &Failed<'_>, now: Instant) -> Decision {
        self.note_failure(self.current, failed.error.kind());
        let (decision, any) = self.judge(failed, now);
        // Going on without another target means to wait until one returns.
        if matches!(decision, Decision::Retry { .. }) || decision == Decision::FailOver && !any {
            self.waits += 1;
            self.stays = any;
        }
        self.unless_exceeded(decision)
    }

    fn note_failure(&mut self, at: usize, kind: ErrorKind) {
        let target = self.notes.of_mut(at);
        (target.tried, target.runs) = (true, false);
        target.steps.push(TargetStep::Failed(kind));
        if kind == ErrorKind::ContextWindowExceeded {
            let window = self.route.targets[at].capabilities.context_window;
            self.above_window = Some(window.unwrap_or(u64::MAX));
        }
    }

    /// Decides what follows a failure that is noted. Returns also whether another target is left,
    /// ready or with an attempt in progress.
    fn judge(&self, failed: &Failed<'_>, now: Instant) -> (Decision, bool) {
        let is_left = |at: &usize| {
            self.notes.of(*at).runs || self.route.targets[*at].state.rests(now).is_none()
        };
        let any = self.open(|progress| !progress.tried).iter().any(is_left);
        let others = Others { any, larger: any && self.above_window.is_some() };
        // Going on to another target is no retry of this one.
        let own = Failed { retries: self.waits, ..*failed };
        (failover::decide(&own, others, self.route.rules), any)
    }

    /// If the prompt exceeded a context window, waiting does not help.
    fn unless_exceeded(&self, decision: Decision) -> Decision {
        match decision {
            // Only another target could help, and each has been tried.
            Decision::Retry { .. } if self.above_window.is_some() => {
                Decision::GiveUp(GiveUp::Lasting)
            }
            decision => decision,
        }
    }

    /// Decides what follows instead of a retry that the retry budget does not allow: another target
    /// if one is left, which takes no token.
    pub(crate) fn without_retry(&mut self) -> Decision {
        match std::mem::take(&mut self.stays) {
            true => Decision::FailOver,
            false => Decision::GiveUp(GiveUp::BudgetSpent),
        }
    }

    /// Notes that the attempt was answered, and returns what happened. Nothing may follow.
    pub(crate) fn answered(&mut self, now: Instant) -> LazyTrace {
        self.route.pin(self.call.key, self.current, now);
        let notes = std::mem::take(&mut self.notes);
        LazyTrace::new(Arc::clone(&self.route.names), notes, Some(self.current))
            .classified(self.classification.take())
    }

    /// Returns what happened.
    pub(crate) fn trace(&self) -> LazyTrace {
        LazyTrace::new(Arc::clone(&self.route.names), self.notes.clone(), None)
            .classified(self.classification.clone())
    }

    /// The targets that can serve the call, as far as is known.
    fn open(&self, is_open: impl Fn(&Progress) -> bool) -> Vec<usize> {
        let is_large = |target: &RoutedTarget| {
            let window = target.capabilities.context_window;
            self.above_window.is_none_or(|least| window.is_some_and(|window| window > least))
        };
        let is_behind = |at: usize| self.behind.is_none_or(|behind| at > behind);
        let targets = self.route.targets.iter().enumerate();
        let open = targets
            .filter(|(at, target)| {
                let progress = self.notes.of(*at);
                !progress.unfit && is_open(progress) && is_large(target) && is_behind(*at)
            })
            .map(|(at, _)| at);
        // A filter does not know its length, so collecting it would grow the list several times.
        let mut places = Vec::with_capacity(self.route.targets.len());
        places.extend(open);
        if let Some(first) = self.first {
            cascade::begin_at(first, &mut places);
        }
        places
    }
}

/// What a call can be expected to cost at each of the open targets.
fn costs(
    route: &RouteState,
    open: &[usize],
    now: Instant,
    cost: &dyn Fn(usize, Expected) -> Option<Money>,
) -> Vec<Option<Money>> {
    let used = |at: &usize| {
        route.targets[*at]
            .state
            .with(|Guarded { health, .. }| (health.cached_share(now), health.output_tokens(now)))
    };
    let used: Vec<_> = open.iter().map(used).collect();
    let (mut sum, mut count) = (0.0, 0.0);
    for output in used.iter().filter_map(|(_, output)| *output) {
        (sum, count) = (sum + output, count + 1.0);
    }
    let usual = if count > 0.0 { sum / count } else { FIRST_OUTPUT };
    let expected = used.into_iter().map(|(cached, output)| Expected {
        cached_share: cached.unwrap_or(0.0),
        output_tokens: output.unwrap_or(usual),
    });
    open.iter().zip(expected).map(|(at, expected)| cost(*at, expected)).collect()
}

/// A target as its strategy sees it.
///
/// # Errors
///
/// When it returns, and why it rests, if it cannot be tried now.
fn candidate(
    target: &RoutedTarget,
    streamed: bool,
    now: Instant,
) -> Result<Candidate<'_>, (Instant, RestReason)> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let duration = |seconds: f64| Duration::from_nanos((seconds * 1e9) as u64);
    target.state.with(|Guarded { breaker, health, .. }| {
        if let Some(rest) = breaker.keeps_out(now) {
            return Err(rest);
        }
        Ok(Candidate {
            name: &target.name,
            region: target.region.as_deref(),
            weight: target.weight,
            recovery: breaker.share(now),
            in_flight: health.in_flight,
            latency: health.latency(streamed, now).map(duration),
            first_token: health.first_token(now).map(duration),
            tokens_per_second: health.tokens_per_second(now),
            failure_share: breaker.failure_share(now),
            is_measured: health.output_tokens(now).is_some(),
            ..Candidate::new(&target.state.provider, &target.state.model)
        })
    })
}

/// Notes a rest, unless it is the last thing that was noted.
fn note_rest(steps: &mut Vec<TargetStep>, reason: RestReason, left: Duration) {
    if !matches!(steps.last(), Some(TargetStep::Resting { .. })) {
        steps.push(TargetStep::Resting { reason, left });
    }
}
