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

    pub(crate) fn at(self) -> Option<Instant> {
        self.0
    }

    /// What is left at `now`: `None` for ever, zero once it has passed.
    pub(crate) fn remaining(self, now: Instant) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(now))
    }

    pub(crate) fn earlier(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(a), Some(b)) => Self(Some(a.min(b))),
            (a, b) => Self(a.or(b)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
