//! `Deadline`: the one instant that bounds every wait of a call.

use crossbeam_channel::{Receiver, at, never};
use std::time::{Duration, Instant};

/// The instant by which a call must have ended, or none.
///
/// Every wait of a call is bounded by the one deadline it began with, so waits
/// cannot add up past it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// `timeout` after `now`; never, for one too far off to express.
    pub(crate) fn after(now: Instant, timeout: Duration) -> Self {
        Self(now.checked_add(timeout))
    }

    /// No deadline.
    pub(crate) fn never() -> Self {
        Self(None)
    }

    pub(crate) fn at(self) -> Option<Instant> {
        self.0
    }

    /// What is left at `now`: `None` for ever, zero once it has passed.
    pub(crate) fn remaining(self, now: Instant) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(now))
    }

    /// A channel with a word in it once it has passed.
    pub(crate) fn channel(self) -> Receiver<Instant> {
        self.0.map_or_else(never, at)
    }

    pub(crate) fn is_past(self, now: Instant) -> bool {
        self.0.is_some_and(|at| at <= now)
    }

    /// Whether it passes before another one does.
    pub(crate) fn is_before(self, other: Self) -> bool {
        match (self.0, other.0) {
            (Some(one), Some(other)) => one < other,
            (one, _) => one.is_some() && other.0.is_none(),
        }
    }

    pub(crate) fn earlier(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(a), Some(b)) => Self(Some(a.min(b))),
            (a, b) => Self(a.or(b)),
        }
    }
}

/// A limit in time: the setting that it comes from, that setting's value, and when it is
/// reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeLimit {
    pub(crate) setting: &'static str,
    pub(crate) value: Duration,
    pub(crate) deadline: Deadline,
}

impl TimeLimit {
    /// The limit that a setting puts on what began at `begun`.
    pub(crate) fn after(setting: &'static str, begun: Instant, value: Duration) -> Self {
        Self { setting, value, deadline: Deadline::after(begun, value) }
    }

    /// The one that is reached first.
    pub(crate) fn earlier(self, other: Self) -> Self {
        if self.deadline.is_before(other.deadline) || self.deadline == other.deadline {
            self
        } else {
            other
        }
    }
}

/// A little less than what is left, at most a seventh, and the same for calls that have
/// about as much left. Whoever waits so long has to look at the clock and go on.
///
/// A socket's timeout is set by a system call. ureq leaves that out when it is to be
/// what it already is, which the exact time never is. And Linux keeps such timeouts in
/// a wheel whose steps grow with them: one may last an eighth longer than asked, of
/// 600 s more than a minute (`kernel/time/timer.c`, "Timer wheel"). So what is asked
/// for falls short by as much, unless that is a matter of milliseconds.
pub(crate) fn coarse(left: Duration) -> Duration {
    const FINE: Duration = Duration::from_millis(250);

    let aim = if left > FINE { left - left / 8 } else { left };
    let nanos = u64::try_from(aim.as_nanos()).unwrap_or(u64::MAX);
    let doublings = nanos.checked_ilog2().unwrap_or(0);
    let step = doublings.saturating_sub(6);
    Duration::from_nanos(nanos >> step << step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarse_time_is_never_longer_and_hardly_shorter() {
        let seconds = Duration::from_secs;
        let many = (0..64).map(|doublings| Duration::from_nanos(1 << doublings));
        for left in many.chain([seconds(30), seconds(120), Duration::from_nanos(u64::MAX)]) {
            let around = [left - Duration::from_nanos(1), left, left + left / 3];
            for left in around.into_iter().filter(|left| left.as_nanos() < u128::from(u64::MAX)) {
                assert!(coarse(left) <= left && left - coarse(left) <= left / 7, "{left:?}");
            }
        }
        assert!(coarse(Duration::MAX) > seconds(60 * 60 * 24 * 365 * 100));
    }

    /// How long a timeout may last in Linux' timer wheel at 250 Hz: levels of 64 steps,
    /// each step eight times as long as of the level before, from 4 ms on.
    fn lasts(timeout: Duration) -> Duration {
        let mut step = Duration::from_millis(4);
        while step * 63 < timeout {
            step *= 8;
        }
        timeout + step
    }

    #[test]
    fn a_long_wait_ends_by_its_deadline_and_a_few_steps_after_it_began() {
        for millis in (300..700_000).step_by(137) {
            let mut left = Duration::from_millis(millis);
            let mut waits = 0;
            while left > Duration::from_millis(250) {
                let longest = lasts(coarse(left));
                assert!(longest <= left, "{longest:?} of {left:?}");
                // The sooner it ends, the more is left.
                left -= coarse(left);
                waits += 1;
            }
            assert!(waits <= 5, "{waits} waits in {millis} ms");
        }
    }

    #[test]
    fn calls_that_have_just_begun_have_the_same_coarse_time() {
        for timeout in [1, 2, 5, 10, 20, 30, 60, 90, 120, 300, 600].map(Duration::from_secs) {
            let begun = [20, 50, 100, 500].map(|micros| timeout - Duration::from_micros(micros));
            assert_eq!(begun.map(coarse), [coarse(begun[0]); 4], "{timeout:?}");
        }
    }

    #[test]
    fn what_is_left_shrinks_to_zero_and_stays_there() {
        let now = Instant::now();
        let deadline = Deadline::after(now, Duration::from_secs(2));
        assert_eq!(deadline.remaining(now), Some(Duration::from_secs(2)));
        assert_eq!(
            deadline.remaining(now + Duration::from_millis(1500)),
            Some(Duration::from_millis(500))
        );
        assert_eq!(deadline.remaining(now + Duration::from_secs(3)), Some(Duration::ZERO));
    }

    #[test]
    fn a_timeout_too_long_to_express_is_none() {
        let never = Deadline::after(Instant::now(), Duration::MAX);
        assert_eq!(never.at(), None);
        assert_eq!(never.remaining(Instant::now()), None);
    }

    #[test]
    fn the_limit_that_is_reached_first_keeps_its_name() {
        let now = Instant::now();
        let limit = |setting, seconds| TimeLimit::after(setting, now, Duration::from_secs(seconds));
        let never = TimeLimit::after("never", now, Duration::MAX);
        for (one, other, expected) in [
            (limit("a", 1), limit("b", 2), "a"),
            (limit("a", 2), limit("b", 1), "b"),
            (limit("a", 1), limit("b", 1), "a"),
            (never, limit("b", 1), "b"),
            (limit("a", 1), never, "a"),
            (never, never, "never"),
        ] {
            assert_eq!(one.earlier(other).setting, expected);
        }
    }

    #[test]
    fn the_earlier_of_two_rules() {
        let now = Instant::now();
        let (soon, late) = (
            Deadline::after(now, Duration::from_secs(1)),
            Deadline::after(now, Duration::from_secs(2)),
        );
        let never = Deadline::after(now, Duration::MAX);
        assert_eq!(soon.earlier(late), soon);
        assert_eq!(late.earlier(soon), soon);
        assert_eq!(never.earlier(late), late);
        assert_eq!(late.earlier(never), late);
    }
}
