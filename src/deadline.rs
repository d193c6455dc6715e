//! `Deadline`: the one instant that bounds every wait of a call.

use crossbeam_channel::{Receiver, at, never};
use std::time::{Duration, Instant};

/// The instant by which a call must end, or none.
///
/// Every wait of a call is bounded by this one deadline, so waits cannot add up past it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// `timeout` after `now`, or no deadline if that is too far off to express.
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

    /// The time left at `now`: `None` without a deadline, zero after it.
    pub(crate) fn remaining(self, now: Instant) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(now))
    }

    /// A channel that receives a message at the deadline.
    pub(crate) fn channel(self) -> Receiver<Instant> {
        self.0.map_or_else(never, at)
    }

    pub(crate) fn is_past(self, now: Instant) -> bool {
        self.0.is_some_and(|at| at <= now)
    }

    /// Whether it passes before the other one.
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

/// A time limit: the setting that sets it, its value, and when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeLimit {
    pub(crate) setting: &'static str,
    pub(crate) value: Duration,
    pub(crate) deadline: Deadline,
}

impl TimeLimit {
    /// The limit that a setting puts on something that started at `begun`.
    pub(crate) fn after(setting: &'static str, begun: Instant, value: Duration) -> Self {
        Self { setting, value, deadline: Deadline::after(begun, value) }
    }

    /// The limit that ends first.
    pub(crate) fn earlier(self, other: Self) -> Self {
        if self.deadline.is_before(other.deadline) || self.deadline == other.deadline {
            self
        } else {
            other
        }
    }
}

/// A little less than the time left, by at most a seventh; nearly equal times give the same result.
/// After waiting this long, look at the clock and wait again.
///
/// Setting a socket's timeout is a system call. The transport skips it if the timeout is unchanged,
/// which the exact time never is. Linux also keeps such timeouts in a wheel whose steps grow with them: one
/// may last an eighth longer than asked, more than a minute for 600 s (`kernel/time/timer.c`,
/// "Timer wheel"). So this asks for that much less, unless the difference is only milliseconds.
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
    fn a_coarse_time_is_never_longer_and_at_most_a_seventh_shorter() {
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

    /// How long a timeout may last in Linux's timer wheel at 250 Hz: levels of 64 steps, starting
    /// at 4 ms, with each level's steps eight times as long as the previous level's.
    fn lasts(timeout: Duration) -> Duration {
        let mut step = Duration::from_millis(4);
        while step * 63 < timeout {
            step *= 8;
        }
        timeout + step
    }

    #[test]
    fn a_long_wait_ends_by_its_deadline_in_a_few_steps() {
        for millis in (300..700_000).step_by(137) {
            let mut left = Duration::from_millis(millis);
            let mut waits = 0;
            while left > Duration::from_millis(250) {
                let longest = lasts(coarse(left));
                assert!(longest <= left, "{longest:?} of {left:?}");
                // An early end leaves more time for the next wait.
                left -= coarse(left);
                waits += 1;
            }
            assert!(waits <= 5, "{waits} waits in {millis} ms");
        }
    }

    #[test]
    fn calls_that_have_just_started_have_the_same_coarse_time() {
        for timeout in [1, 2, 5, 10, 20, 30, 60, 90, 120, 300, 600].map(Duration::from_secs) {
            let begun = [20, 50, 100, 500].map(|micros| timeout - Duration::from_micros(micros));
            assert_eq!(begun.map(coarse), [coarse(begun[0]); 4], "{timeout:?}");
        }
    }

    #[test]
    fn the_time_left_shrinks_to_zero_and_stays_there() {
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
    fn a_timeout_too_long_to_express_is_no_deadline() {
        let never = Deadline::after(Instant::now(), Duration::MAX);
        assert_eq!(never.at(), None);
        assert_eq!(never.remaining(Instant::now()), None);
    }

    #[test]
    fn the_limit_that_ends_first_keeps_its_name() {
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
    fn the_earlier_of_two_deadlines_wins() {
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
