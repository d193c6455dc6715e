//! What all calls share: the health of each target.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::breaker::{Breaker, Change, Outcome, Permit};
use super::counts::Counts;
use super::failover::Rules;
use super::health::{Answered, Health};
use super::outcome::outcome;
use super::trace::{LazyTrace, Names, Notes};
use super::{BreakerConfig, RestReason, Strategy, TargetStatus, TargetStep};
use crate::catalogue::{Capabilities, Grounds, Lack, Measured};
use crate::error::Error;
use crate::money::Money;
use crate::sync::{Lock, Mutex};

/// The most conversations whose target is remembered.
const MAX_PINS: usize = 10_000;

/// A route, and the state of its targets.
pub(crate) struct RouteState {
    pub(crate) name: String,
    /// The names of everything, for traces.
    pub(super) names: Arc<Names>,
    pub(crate) strategy: Arc<dyn Strategy>,
    pub(crate) rules: Rules,
    pub(crate) targets: Vec<RoutedTarget>,
    pins: Mutex<Pins>,
}

/// A target in a route.
#[derive(Clone)]
pub(crate) struct RoutedTarget {
    pub(crate) name: String,
    pub(crate) weight: f64,
    pub(crate) region: Option<String>,
    pub(crate) enabled: bool,
    pub(crate) capabilities: Capabilities,
    /// Routes with the same provider, key and model share it.
    pub(crate) state: Arc<TargetState>,
    /// The place of this route's counts in the state.
    counts: usize,
}

#[cfg(any(test, feature = "internals"))]
impl RoutedTarget {
    /// A target of the provider acme, of which nothing more is known.
    pub(crate) fn plain(name: String, breaker: BreakerConfig, now: Instant) -> Self {
        let state = Arc::new(TargetState::new("acme", &name, breaker, now));
        Self::new(name, state)
    }
}

/// The health of a provider, key and model.
pub(crate) struct TargetState {
    pub(crate) provider: String,
    pub(crate) model: String,
    guarded: Mutex<Guarded>,
}

/// What is guarded by the lock of a target.
pub(super) struct Guarded {
    pub(super) breaker: Breaker,
    pub(super) health: Health,
    /// One for each route that has the target.
    pub(super) counts: Vec<Counts>,
}

impl Guarded {
    /// Notes that an attempt is no longer in progress.
    fn end(&mut self, counts: usize) {
        let counts = &mut self.counts[counts];
        counts.in_flight = counts.in_flight.saturating_sub(1);
        self.health.in_flight = self.health.in_flight.saturating_sub(1);
    }
}

/// Which conversation stays at which target, and until when.
#[derive(Default)]
struct Pins(HashMap<u64, (usize, Instant)>);

impl RoutedTarget {
    /// A target of weight 1 about which nothing else is known.
    pub(crate) fn new(name: String, state: Arc<TargetState>) -> Self {
        let (region, capabilities) = (None, Capabilities::default());
        let counts = state.with(|guarded| {
            guarded.counts.push(Counts::new(Instant::now()));
            guarded.counts.len() - 1
        });
        Self { name, weight: 1.0, region, enabled: true, capabilities, state, counts }
    }

    /// Lets a call through, if the target does not rest.
    pub(crate) fn admit(&self, now: Instant) -> Option<Ticket> {
        let permit = self.state.with(|guarded| {
            let permit = guarded.breaker.admit(now)?;
            guarded.health.in_flight += 1;
            guarded.counts[self.counts].begun(now);
            Some(permit)
        })?;
        let target = Arc::clone(&self.state);
        Some(Ticket { target, counts: self.counts, permit: Some(permit), in_flight: true })
    }

    /// Notes that a call goes on from here to another target.
    pub(crate) fn failed_over(&self) {
        self.state.with(|guarded| guarded.counts[self.counts].failovers += 1);
    }

    /// Notes that a call tries another target too, because this one is silent.
    pub(crate) fn hedged(&self) {
        self.state.with(|guarded| guarded.counts[self.counts].hedged += 1);
    }

    /// Notes that a cascade did not accept an answer.
    pub(crate) fn not_accepted(&self) {
        self.state.with(|guarded| guarded.counts[self.counts].not_accepted += 1);
    }

    pub(crate) fn status(&self, route: &str, now: Instant) -> TargetStatus {
        self.state.with(|Guarded { breaker, health, counts }| {
            let seconds = |seconds: Option<f64>| {
                seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            };
            let counts = &mut counts[self.counts];
            TargetStatus {
                route: route.to_owned(),
                name: self.name.clone(),
                provider: self.state.provider.clone(),
                model: self.state.model.clone(),
                enabled: self.enabled,
                breaker: breaker.state(now),
                rests: breaker.rests().map(|(_, reason)| reason),
                returns_in: breaker.rests().map(|(until, _)| until.saturating_duration_since(now)),
                recovery: breaker.share(now),
                in_flight: counts.in_flight,
                answered: counts.answered,
                failed: counts.failed,
                failures: counts.failures.clone(),
                failovers: counts.failovers,
                hedged: counts.hedged,
                not_accepted: counts.not_accepted,
                rested: counts.rests.clone(),
                failure_share: breaker.failure_share(now),
                attempts_per_minute: counts.attempts_per_minute(now),
                latency: seconds(health.latency(false, now)),
                first_token: seconds(health.first_token(now)),
                tokens_per_second: health.tokens_per_second(now),
                latencies: counts.latencies.clone(),
                first_tokens: counts.first_tokens.clone(),
                cost: counts.cost,
                cost_per_call: health.cost(now).and_then(|dollars| Money::try_from(dollars).ok()),
            }
        })
    }
}

impl RouteState {
    /// The trace of a call that stored answers served: what became of targets by their places, and
    /// the place of the one whose answer was returned.
    pub(crate) fn trace_of_stored(
        &self,
        steps: Vec<(usize, TargetStep)>,
        answered: usize,
    ) -> LazyTrace {
        let mut notes = Notes::default();
        for (at, step) in steps {
            notes.of_mut(at).steps.push(step);
        }
        LazyTrace::new(Arc::clone(&self.names), notes, Some(answered))
    }

    pub(crate) fn new(
        name: String,
        strategy: Arc<dyn Strategy>,
        rules: Rules,
        targets: Vec<RoutedTarget>,
    ) -> Self {
        Self::ranked(name, strategy, rules, targets, Vec::new(), Vec::new())
    }

    /// A route whose targets were ranked for a call: why each has its place, and why other models
    /// are left out, with their numbers.
    pub(crate) fn ranked(
        name: String,
        strategy: Arc<dyn Strategy>,
        rules: Rules,
        targets: Vec<RoutedTarget>,
        grounds: Vec<Grounds>,
        left_out: Vec<(Lack, usize)>,
    ) -> Self {
        let pins = Mutex::new(Lock::RoutePins, Pins::default());
        let names = Arc::new(Names {
            route: name.clone(),
            strategy: strategy.name().to_owned(),
            targets: targets.iter().map(|target| target.name.clone()).collect(),
            grounds,
            left_out,
        });
        Self { name, names, strategy, rules, targets, pins }
    }

    /// The state of its targets.
    pub(crate) fn status(&self, now: Instant) -> impl Iterator<Item = TargetStatus> + '_ {
        self.targets.iter().map(move |target| target.status(&self.name, now))
    }

    /// Returns the target where a conversation stays.
    pub(super) fn pinned(&self, key: u64, now: Instant) -> Option<usize> {
        self.strategy.pin()?;
        let pins = self.pins.lock();
        pins.0.get(&key).filter(|(_, until)| now < *until).map(|(at, _)| *at)
    }

    /// Lets a conversation stay at the target that has just served it.
    pub(super) fn pin(&self, key: u64, at: usize, now: Instant) {
        let Some(lifetime) = self.strategy.pin() else { return };
        let Pins(pins) = &mut *self.pins.lock();
        if pins.len() >= MAX_PINS && !pins.contains_key(&key) {
            // Half of them at once, so that few calls have to look at all.
            let mut ends: Vec<_> = pins.values().map(|(_, until)| *until).collect();
            let (_, middle, _) = ends.select_nth_unstable(MAX_PINS / 2);
            let from = now.max(*middle);
            pins.retain(|_, (_, until)| from < *until);
        }
        pins.insert(key, (at, now + lifetime));
    }
}

impl TargetState {
    pub(crate) fn new(provider: &str, model: &str, breaker: BreakerConfig, now: Instant) -> Self {
        let (breaker, health) = (Breaker::new(breaker, now), Health::new(now));
        let guarded = Guarded { breaker, health, counts: Vec::new() };
        Self {
            provider: provider.to_owned(),
            model: model.to_owned(),
            guarded: Mutex::new(Lock::RouteTarget, guarded),
        }
    }

    /// Keeps from now on what the 95th percentiles need.
    pub(crate) fn keep_percentiles(&self) {
        self.with(|guarded| guarded.health.keep_percentiles());
    }

    /// Returns the latency that 95 % of its answers do not exceed.
    pub(crate) fn p95(&self, streamed: bool, now: Instant) -> Option<Duration> {
        self.with(|guarded| guarded.health.p95(streamed, now))
    }

    /// Returns what has been measured of it: for a selection, which may come before any call.
    pub(crate) fn measured(&self, streamed: bool, now: Instant) -> Measured {
        self.with(|Guarded { breaker, health, .. }| {
            let seconds = health.latency(streamed, now);
            let mut measured = Measured::default().rests(breaker.keeps_out(now).is_some());
            measured.latency =
                seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            measured.answer_tokens = health.output_tokens(now);
            measured.cached_share = health.cached_share(now);
            measured
        })
    }

    /// Notes that a call was hedged, and that its other attempt was answered after this silence.
    pub(crate) fn was_silent(&self, silence: Duration, streamed: bool, now: Instant) {
        self.with(|guarded| guarded.health.timed_out(silence, streamed, now));
    }

    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Guarded) -> T) -> T {
        look(&mut self.guarded.lock())
    }

    /// Returns when it may be tried again and why it rests, if it cannot be tried now.
    pub(super) fn rests(&self, now: Instant) -> Option<(Instant, RestReason)> {
        self.with(|guarded| guarded.breaker.keeps_out(now))
    }
}

/// The right to make one attempt at a target. The attempt counts as in progress until its whole
/// answer is noted, or until this is dropped.
pub(crate) struct Ticket {
    target: Arc<TargetState>,
    /// The place of the route's counts in the state.
    counts: usize,
    permit: Option<Permit>,
    in_flight: bool,
}

impl Ticket {
    /// Notes that the attempt was served, and nothing was measured.
    #[cfg(test)]
    pub(crate) fn served(&mut self, now: Instant) -> Option<Change> {
        self.served_with(&Answered::default(), now)
    }

    /// Notes that the attempt was served, and what the answer showed. For a stream, that is its
    /// first event.
    pub(crate) fn served_with(&mut self, answer: &Answered, now: Instant) -> Option<Change> {
        let permit = self.permit.take()?;
        let is_over = answer.whole.is_some();
        self.in_flight &= !is_over;
        self.target.with(|guarded| {
            if is_over {
                guarded.end(self.counts);
            }
            let Guarded { breaker, health, counts } = guarded;
            counts[self.counts].answered(answer);
            health.answered(answer, now);
            breaker.settle(permit, Outcome::Served, now)
        })
    }

    /// Notes that the attempt failed after this time.
    pub(crate) fn failed(
        &mut self,
        error: &Error,
        after: Duration,
        streamed: bool,
        now: Instant,
    ) -> Option<Change> {
        let permit = self.permit.take()?;
        self.target.with(|Guarded { breaker, health, counts }| {
            let outcome = outcome(error, breaker.first_rest());
            let counts = &mut counts[self.counts];
            counts.failed(error.kind(), outcome);
            if error.is_timeout() && outcome == Outcome::Failed {
                health.timed_out(after, streamed, now);
            }
            let change = breaker.settle(permit, outcome, now);
            counts.changed(change);
            change
        })
    }

    /// Notes what else an answer showed, once it has ended.
    pub(crate) fn answered(&self, answer: &Answered, now: Instant) {
        self.target.with(|guarded| {
            guarded.counts[self.counts].answered(answer);
            guarded.health.answered(answer, now);
        });
    }

    /// Notes what an answer cost that did not come to its end.
    pub(crate) fn billed(&self, cost: Option<Money>) {
        if let Some(cost) = cost {
            self.target.with(|guarded| guarded.counts[self.counts].cost += cost);
        }
    }

    /// Notes that a stream failed after its first event.
    pub(crate) fn failed_late(&self, error: &Error, now: Instant) -> Option<Change> {
        self.target.with(|Guarded { breaker, counts, .. }| {
            let outcome = outcome(error, breaker.first_rest());
            let counts = &mut counts[self.counts];
            counts.failed(error.kind(), outcome);
            if outcome == Outcome::Neutral {
                return None;
            }
            let change = breaker.failed_late(now);
            counts.changed(change);
            change
        })
    }
}

/// A call that ends in any other way, such as by a panic, says nothing about the target.
impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.in_flight {
            return;
        }
        let permit = self.permit.take();
        self.target.with(|guarded| {
            guarded.end(self.counts);
            if let Some(permit) = permit {
                guarded.breaker.settle(permit, Outcome::Neutral, Instant::now());
            }
        });
    }
}
