//! A circuit breaker: whether a target may be tried now.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::{Duration, Instant};

use super::window::{Sum, Window};
use super::{BreakerConfig, BreakerState};

/// How an attempt at a target ended, as far as its health goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The target served it.
    Served,
    /// The target failed in a way that may pass: a server error, a broken connection, a timeout.
    Failed,
    /// The target is at a limit, and names when it will have refilled.
    Limited(Duration),
    /// The target cannot serve any call for now: its key is refused, or its quota used up.
    Unusable,
    /// It says nothing about the target: the request was wrong, or the caller cancelled.
    Neutral,
}

/// Why a target rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RestReason {
    /// Too many calls failed.
    Failures,
    /// A rate limit is used up.
    RateLimit,
    /// Its key is refused, or its quota is used up.
    Unusable,
}

impl RestReason {
    /// Its name in metrics: `failures`, `rate_limit` or `unusable`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failures => "failures",
            Self::RateLimit => "rate_limit",
            Self::Unusable => "unusable",
        }
    }
}

impl fmt::Display for RestReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failures => "too many calls failed",
            Self::RateLimit => "its rate limit is used up",
            Self::Unusable => "it refuses the key, or its quota is used up",
        })
    }
}

/// The right to try a target once. It must be given back with the outcome, because a probe keeps
/// others out.
#[derive(Debug)]
#[must_use]
pub(crate) struct Permit {
    /// How often the breaker had changed its state.
    state: u64,
    probe: bool,
}

/// Lets calls through to a target until too many fail. The target then rests; after the rest, one
/// call probes it. If that is served, the target returns.
#[derive(Debug, Clone)]
pub(crate) struct Breaker {
    config: BreakerConfig,
    calls: Window<Calls>,
    state: State,
    /// How often the state has changed.
    changes: u64,
    /// The length of the next rest.
    next_rest: Duration,
    /// The failures since the last call that was served.
    in_a_row: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// `since`: when it returned from its last rest.
    Closed { since: Option<Instant> },
    /// `probing` while a probe is under way.
    Open { until: Instant, rest: RestReason, probing: bool },
}

#[derive(Debug, Clone, Copy, Default)]
struct Calls {
    all: u32,
    failed: u32,
}

impl Sum for Calls {
    fn add(&mut self, other: Self) {
        self.all = self.all.saturating_add(other.all);
        self.failed = self.failed.saturating_add(other.failed);
    }
}

/// What observers learn of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Rested { rest: Duration, reason: RestReason },
    Returned,
}

impl Breaker {
    pub(crate) fn new(config: BreakerConfig, now: Instant) -> Self {
        Self {
            config,
            calls: Window::new(now, config.window),
            state: State::Closed { since: None },
            changes: 0,
            next_rest: config.rest,
            in_a_row: 0,
        }
    }

    /// Returns how long the first rest lasts.
    pub(crate) fn first_rest(&self) -> Duration {
        self.config.rest
    }

    /// Returns whether a call may go through, and changes nothing.
    pub(crate) fn is_ready(&self, now: Instant) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { until, probing, .. } => !probing && now >= until,
        }
    }

    /// Returns when the target can be tried again and why it rests; `None` if it does not rest.
    pub(crate) fn rests(&self) -> Option<(Instant, RestReason)> {
        match self.state {
            State::Closed { .. } => None,
            State::Open { until, rest, .. } => Some((until, rest)),
        }
    }

    /// Returns when the target can be tried again and why it rests, if it cannot be tried now.
    /// While a probe is under way, the rest is over, but nobody else may try.
    pub(crate) fn keeps_out(&self, now: Instant) -> Option<(Instant, RestReason)> {
        self.rests().filter(|_| !self.is_ready(now))
    }

    /// Returns its state at this time.
    pub(crate) fn state(&self, now: Instant) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { until, .. } if now < until => BreakerState::Open,
            State::Open { .. } => BreakerState::HalfOpen,
        }
    }

    /// Lets a call through, if the target does not rest. After a rest, only one at a time.
    pub(crate) fn admit(&mut self, now: Instant) -> Option<Permit> {
        if !self.is_ready(now) {
            return None;
        }
        let probe = match &mut self.state {
            State::Closed { .. } => false,
            State::Open { probing, .. } => {
                *probing = true;
                true
            }
        };
        Some(Permit { state: self.changes, probe })
    }

    /// Takes a permit back, with the outcome of its call.
    pub(crate) fn settle(
        &mut self,
        permit: Permit,
        outcome: Outcome,
        now: Instant,
    ) -> Option<Change> {
        // What began before the last change says nothing about what came after it, except that
        // the target refuses everybody.
        let current = permit.state == self.changes;
        match outcome {
            Outcome::Neutral => {
                self.end_probe(&permit, current);
                None
            }
            Outcome::Served if permit.probe && current => Some(self.close(now)),
            Outcome::Served => {
                self.count(false, current, now);
                None
            }
            Outcome::Failed if permit.probe && current => {
                Some(self.open(self.next_rest, RestReason::Failures, now))
            }
            Outcome::Failed => {
                self.count(true, current, now);
                let is_share_too_large = self.calls.sum(now).all >= self.config.min_calls.max(1)
                    && self.failure_share(now) >= self.config.failure_share;
                let is_row_too_long = self.in_a_row >= self.config.consecutive_failures.max(1);
                let is_too_much = is_share_too_large || is_row_too_long;
                let closed = matches!(self.state, State::Closed { .. });
                (closed && is_too_much)
                    .then(|| self.open(self.next_rest, RestReason::Failures, now))
            }
            Outcome::Limited(wait) => {
                self.rest_for(wait, RestReason::RateLimit, &permit, current, now)
            }
            Outcome::Unusable => {
                self.rest_for(self.config.max_rest, RestReason::Unusable, &permit, current, now)
            }
        }
    }

    /// Returns the share of its load that the target should get, above 0 and at most 1. It grows
    /// from a tenth after the target has returned from a rest.
    pub(crate) fn share(&self, now: Instant) -> f64 {
        let State::Closed { since: Some(since) } = self.state else { return 1.0 };
        let back = now.saturating_duration_since(since).as_secs_f64();
        (back / self.config.recovery.as_secs_f64().max(f64::MIN_POSITIVE)).clamp(0.1, 1.0)
    }

    /// Counts a failure after the answer had begun, when its permit was already given back.
    pub(crate) fn failed_late(&mut self, now: Instant) -> Option<Change> {
        let permit = Permit { state: self.changes, probe: false };
        self.settle(permit, Outcome::Failed, now)
    }

    /// Returns the share of failures among the calls of the window, from 0 to 1.
    pub(crate) fn failure_share(&mut self, now: Instant) -> f64 {
        let calls = self.calls.sum(now);
        f64::from(calls.failed) / f64::from(calls.all.max(1))
    }

    fn count(&mut self, failed: bool, current: bool, now: Instant) {
        if current {
            self.calls.add(Calls { all: 1, failed: u32::from(failed) }, now);
            self.in_a_row = if failed { self.in_a_row.saturating_add(1) } else { 0 };
        }
    }

    /// Frees the place of a probe that says nothing.
    fn end_probe(&mut self, permit: &Permit, current: bool) {
        if let (true, true, State::Open { probing, .. }) = (permit.probe, current, &mut self.state)
        {
            *probing = false;
        }
    }

    /// Rests at least this long from now. A rest that lasts longer already stays. If the target
    /// rests already for the same reason, the rest gets longer, which is no change to report: the
    /// calls that were under way when it reached its limit all say so.
    fn rest_for(
        &mut self,
        wait: Duration,
        why: RestReason,
        permit: &Permit,
        current: bool,
        now: Instant,
    ) -> Option<Change> {
        let until = now + wait;
        match self.state {
            State::Open { until: already, .. } if already >= until => {
                self.end_probe(permit, current);
                None
            }
            State::Open { until: already, rest, .. } if already > now && rest == why => {
                self.open(wait, why, now);
                None
            }
            _ => Some(self.open(wait, why, now)),
        }
    }

    fn open(&mut self, wait: Duration, rest: RestReason, now: Instant) -> Change {
        let until = now + wait;
        if rest == RestReason::Failures {
            self.next_rest = (wait * 2).min(self.config.max_rest);
        }
        self.state = State::Open { until, rest, probing: false };
        self.changes += 1;
        Change::Rested { rest: wait, reason: rest }
    }

    fn close(&mut self, now: Instant) -> Change {
        self.state = State::Closed { since: Some(now) };
        self.changes += 1;
        self.next_rest = self.config.rest;
        self.calls.clear();
        self.in_a_row = 0;
        Change::Returned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker() -> (Breaker, Instant) {
        let now = Instant::now();
        (Breaker::new(BreakerConfig::default(), now), now)
    }

    fn call(breaker: &mut Breaker, outcome: Outcome, now: Instant) -> Option<Change> {
        let permit = breaker.admit(now).expect("it does not rest");
        breaker.settle(permit, outcome, now)
    }

    fn fail_five_times(breaker: &mut Breaker, now: Instant) {
        for _ in 0..5 {
            call(breaker, Outcome::Failed, now);
        }
    }

    #[test]
    fn too_large_a_share_of_failures_rests_a_target() {
        let (mut breaker, now) = breaker();
        for _ in 0..4 {
            assert_eq!(call(&mut breaker, Outcome::Failed, now), None, "too few calls");
        }
        let until = now + SECOND * 5;
        let rested = Change::Rested { rest: SECOND * 5, reason: RestReason::Failures };
        assert_eq!(call(&mut breaker, Outcome::Failed, now), Some(rested));
        assert!(breaker.admit(until - SECOND).is_none());
        assert_eq!(breaker.rests(), Some((until, RestReason::Failures)));
    }

    #[test]
    fn few_failures_among_many_calls_do_not() {
        let (mut breaker, now) = breaker();
        for number in 0..100 {
            let outcome = if number % 5 == 4 { Outcome::Failed } else { Outcome::Served };
            assert_eq!(call(&mut breaker, outcome, now + SECOND * number), None);
        }
        for _ in 0..3 {
            call(&mut breaker, Outcome::Failed, now + SECOND * 200);
        }
        assert!(breaker.is_ready(now + SECOND * 200), "the earlier failures are long past");
    }

    #[test]
    fn failures_one_after_the_other_rest_a_busy_target() {
        let (mut breaker, now) = breaker();
        for _ in 0..1_000 {
            call(&mut breaker, Outcome::Served, now);
        }
        for _ in 0..4 {
            assert_eq!(call(&mut breaker, Outcome::Failed, now), None);
        }
        call(&mut breaker, Outcome::Served, now);
        for _ in 0..4 {
            assert_eq!(call(&mut breaker, Outcome::Failed, now), None, "one was served between");
        }
        assert!(call(&mut breaker, Outcome::Failed, now).is_some());
    }

    #[test]
    fn one_probe_decides_after_a_rest() {
        let (mut breaker, now) = breaker();
        fail_five_times(&mut breaker, now);
        let after = now + SECOND * 5;
        let probe = breaker.admit(after).unwrap();
        assert!(breaker.admit(after).is_none(), "one at a time");
        let until = after + SECOND * 10;
        let again = Change::Rested { rest: SECOND * 10, reason: RestReason::Failures };
        assert_eq!(breaker.settle(probe, Outcome::Failed, after), Some(again), "twice as long");
        assert_eq!(call(&mut breaker, Outcome::Served, until), Some(Change::Returned));
        assert_eq!(breaker.share(until), 0.1);
        assert_eq!(breaker.share(until + SECOND * 15), 0.5);
        assert_eq!(breaker.share(until + SECOND * 30), 1.0);
        // Everything is as at the start.
        for _ in 0..4 {
            assert_eq!(call(&mut breaker, Outcome::Failed, until), None);
        }
        let reset = Change::Rested { rest: SECOND * 5, reason: RestReason::Failures };
        assert_eq!(call(&mut breaker, Outcome::Failed, until), Some(reset));
    }

    #[test]
    fn a_probe_that_says_nothing_leaves_its_place_to_another() {
        let (mut breaker, now) = breaker();
        fail_five_times(&mut breaker, now);
        let after = now + SECOND * 5;
        assert_eq!(call(&mut breaker, Outcome::Neutral, after), None);
        assert_eq!(call(&mut breaker, Outcome::Served, after), Some(Change::Returned));
    }

    #[test]
    fn a_success_that_began_before_the_rest_does_not_end_it() {
        let (mut breaker, now) = breaker();
        let early = breaker.admit(now).unwrap();
        fail_five_times(&mut breaker, now);
        assert_eq!(breaker.settle(early, Outcome::Served, now + SECOND), None);
        assert!(!breaker.is_ready(now + SECOND));
        let probe = breaker.admit(now + SECOND * 5).unwrap();
        assert_eq!(
            breaker.settle(probe, Outcome::Served, now + SECOND * 5),
            Some(Change::Returned)
        );
    }

    #[test]
    fn calls_under_way_that_meet_the_same_limit_are_one_rest() {
        let (mut breaker, now) = breaker();
        let [first, second, third, late] = [0; 4].map(|_| breaker.admit(now).unwrap());
        let limited = Outcome::Limited(SECOND * 40);
        assert!(breaker.settle(first, limited, now).is_some());
        assert_eq!(breaker.settle(second, limited, now + SECOND), None, "a second longer");
        assert_eq!(breaker.rests(), Some((now + SECOND * 41, RestReason::RateLimit)));
        let unusable = Change::Rested { rest: SECOND * 300, reason: RestReason::Unusable };
        assert_eq!(breaker.settle(third, Outcome::Unusable, now + SECOND), Some(unusable));
        // When the rest is over, the next one is another.
        let over = now + SECOND * 400;
        assert_eq!(breaker.state(over), BreakerState::HalfOpen);
        let rested = Change::Rested { rest: SECOND * 40, reason: RestReason::RateLimit };
        assert_eq!(breaker.settle(late, limited, over), Some(rested));
    }

    #[test]
    fn a_rate_limit_rests_a_target_as_long_as_it_says_and_never_shortens_a_rest() {
        let (mut breaker, now) = breaker();
        let [first, second] = [0, 1].map(|_| breaker.admit(now).unwrap());
        let until = now + SECOND * 40;
        let rested = Some(Change::Rested { rest: SECOND * 40, reason: RestReason::RateLimit });
        assert_eq!(breaker.settle(first, Outcome::Limited(SECOND * 40), now), rested);
        assert_eq!(breaker.settle(second, Outcome::Limited(SECOND), now), None);
        assert_eq!(breaker.rests(), Some((until, RestReason::RateLimit)));
        assert_eq!(call(&mut breaker, Outcome::Served, until), Some(Change::Returned));
        assert_eq!(call(&mut breaker, Outcome::Unusable, until).map(|_| ()), Some(()));
        assert_eq!(breaker.rests(), Some((until + SECOND * 300, RestReason::Unusable)));
    }
}
