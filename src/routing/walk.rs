//! The way of one call through the targets of a route.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::failover::{self, Others};
use super::state::{Guarded, RouteState, RoutedTarget, Ticket};
use super::trace::{RouteTrace, TargetStep, TargetTrace};
use super::{Candidate, RestReason, RoutedCall};
use crate::error::{Decision, ErrorKind, GiveUp};
use crate::money::Money;
use crate::retry::Failed;

/// The way of one call through the targets of a route.
pub(crate) struct Walk {
    pub(crate) route: Arc<RouteState>,
    call: RoutedCall,
    targets: Vec<Progress>,
    /// The target of the last attempt.
    current: usize,
    /// Whether the next attempt is at the same target.
    stays: bool,
    /// The waits for the same target so far.
    waits: u32,
    /// Only targets with a larger context window will do.
    above_window: Option<u64>,
}

/// How far a call has come with one target.
#[derive(Default)]
struct Progress {
    tried: bool,
    /// It cannot serve this call.
    unfit: bool,
    steps: Vec<TargetStep>,
}

/// The target of the next attempt.
pub(crate) enum Chosen {
    Target(usize, Ticket),
    /// All targets that could serve the call rest. The first one returns then.
    Resting {
        until: Instant,
        reason: RestReason,
    },
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
        let targets = route.targets.iter().map(|_| Progress::default()).collect();
        Self { route, call, targets, current: 0, stays: false, waits: 0, above_window: None }
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
            if let Some(ticket) = target.state.admit(now) {
                return Chosen::Target(self.current, ticket);
            }
        }
        let mut open: Vec<usize> = self.open(|progress| !progress.tried);
        if open.is_empty() {
            open = self.open(|_| true);
        }
        if open.is_empty() {
            return Chosen::None;
        }
        let mut first: Option<(Instant, RestReason)> = None;
        open.retain(|at| {
            let Some((until, reason)) = self.route.targets[*at].state.rests(now) else {
                return true;
            };
            if first.is_none_or(|(earliest, _)| until < earliest) {
                first = Some((until, reason));
            }
            let left = until.saturating_duration_since(now);
            note_rest(&mut self.targets[*at].steps, reason, left);
            false
        });
        while !open.is_empty() {
            let place = self.preferred(&open, now, random, cost);
            let at = open[place];
            // Another call may have become the probe meanwhile.
            match self.route.targets[at].state.admit(now) {
                Some(ticket) => {
                    self.current = at;
                    return Chosen::Target(at, ticket);
                }
                None => drop(open.remove(place)),
            }
        }
        let (until, reason) = first.unwrap_or((now, RestReason::Failures));
        Chosen::Resting { until, reason }
    }

    /// Returns the target of the last attempt.
    pub(crate) fn current(&self) -> usize {
        self.current
    }

    /// Notes that a target cannot serve the call.
    pub(crate) fn cannot_serve(&mut self, at: usize, why: String) {
        self.targets[at].unfit = true;
        self.targets[at].steps.push(TargetStep::CannotServe(why));
    }

    /// Notes that the attempt failed, and decides what follows.
    pub(crate) fn failed(&mut self, failed: &Failed<'_>, now: Instant) -> Decision {
        let current = &mut self.targets[self.current];
        current.tried = true;
        current.steps.push(TargetStep::Failed(failed.error.kind()));
        let window = self.route.targets[self.current].capabilities.context_window;
        if failed.error.kind() == ErrorKind::ContextWindowExceeded {
            self.above_window = Some(window.unwrap_or(u64::MAX));
        }
        let ready = |at: &usize| self.route.targets[*at].state.rests(now).is_none();
        let any = self.open(|progress| !progress.tried).iter().any(ready);
        let others = Others { any, larger: any && self.above_window.is_some() };
        // Going on to another target is no retry of this one.
        let own = Failed { retries: self.waits, ..*failed };
        let decision = failover::decide(&own, others, self.route.rules);
        if let Decision::Retry { .. } = decision {
            self.waits += 1;
            self.stays = others.any;
        }
        match decision {
            // Only another target could help, and each has been tried.
            Decision::Retry { .. } if self.above_window.is_some() => {
                Decision::GiveUp(GiveUp::Lasting)
            }
            decision => decision,
        }
    }

    /// Notes that the attempt was answered, and returns what happened.
    pub(crate) fn answered(&mut self, now: Instant) -> RouteTrace {
        self.targets[self.current].steps.push(TargetStep::Answered);
        self.route.pin(self.call.key, self.current, now);
        self.trace()
    }

    pub(crate) fn trace(&mut self) -> RouteTrace {
        let targets = self.route.targets.iter().zip(&mut self.targets);
        RouteTrace {
            route: self.route.name.clone(),
            strategy: self.route.strategy.name().to_owned(),
            targets: targets
                .map(|(target, progress)| TargetTrace {
                    name: target.name.clone(),
                    steps: std::mem::take(&mut progress.steps),
                })
                .collect(),
        }
    }

    /// The targets that can serve the call, as far as is known.
    fn open(&self, is_open: impl Fn(&Progress) -> bool) -> Vec<usize> {
        let is_large = |target: &RoutedTarget| {
            let window = target.capabilities.context_window;
            self.above_window.is_none_or(|least| window.is_some_and(|window| window > least))
        };
        let targets = self.route.targets.iter().zip(&self.targets).enumerate();
        targets
            .filter(|(_, (target, progress))| {
                !progress.unfit && is_open(progress) && is_large(target)
            })
            .map(|(at, _)| at)
            .collect()
    }

    /// Asks the strategy. Returns the place among the open ones.
    fn preferred(
        &self,
        open: &[usize],
        now: Instant,
        random: &mut dyn FnMut() -> f64,
        cost: &dyn Fn(usize, Expected) -> Option<Money>,
    ) -> usize {
        if open.len() == 1 {
            return 0;
        }
        let route = &*self.route;
        let pinned = route.pinned(self.call.key, now);
        let costs = if route.strategy.uses_cost() { self.costs(open, now, cost) } else { vec![] };
        let candidates: Vec<_> = open
            .iter()
            .enumerate()
            .map(|(place, at)| {
                let target = &route.targets[*at];
                Candidate {
                    cost: costs.get(place).copied().flatten(),
                    pinned: pinned == Some(*at),
                    ..candidate(target, self.call.streamed, now)
                }
            })
            .collect();
        let place = route.strategy.choose(&candidates, &self.call, random);
        if place < open.len() { place } else { 0 }
    }

    /// What the call can be expected to cost at each of the open targets.
    fn costs(
        &self,
        open: &[usize],
        now: Instant,
        cost: &dyn Fn(usize, Expected) -> Option<Money>,
    ) -> Vec<Option<Money>> {
        let used = |at: &usize| {
            self.route.targets[*at].state.with(|Guarded { health, .. }| {
                (health.cached_share(now), health.output_tokens(now))
            })
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
}

/// A target as its strategy sees it.
fn candidate(target: &RoutedTarget, streamed: bool, now: Instant) -> Candidate<'_> {
    let seconds =
        |seconds: Option<f64>| seconds.and_then(|time| Duration::try_from_secs_f64(time).ok());
    target.state.with(|Guarded { breaker, health }| Candidate {
        name: &target.name,
        region: target.region.as_deref(),
        weight: target.weight,
        recovery: breaker.share(now),
        in_flight: health.in_flight,
        latency: seconds(health.latency(streamed, now)),
        first_token: seconds(health.first_token(now)),
        tokens_per_second: health.tokens_per_second(now),
        failure_share: breaker.failure_share(now),
        is_measured: health.output_tokens(now).is_some(),
        ..Candidate::new(&target.state.provider, &target.state.model)
    })
}

/// Notes a rest, unless it is the last thing that was noted.
fn note_rest(steps: &mut Vec<TargetStep>, reason: RestReason, left: Duration) {
    if !matches!(steps.last(), Some(TargetStep::Resting { .. })) {
        steps.push(TargetStep::Resting { reason, left });
    }
}
