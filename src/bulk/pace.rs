//! How many calls may be in flight: fewer after a rate limit, and slowly more again.

/// A limit on calls in flight by additive increase and multiplicative decrease, as in TCP (RFC 5681,
/// section 3.1).
///
/// A rate limit halves it. It grows by one for as many answers as it allows calls at once.
#[derive(Debug)]
pub(super) struct Pace {
    limit: f64,
    most: f64,
    round: Round,
}

/// The time between two cuts. Calls that began before a cut say nothing about the pace after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Round(u64);

impl Pace {
    /// Starts with `most` calls at once.
    pub(super) fn new(most: usize) -> Self {
        let most = u32::try_from(most).map_or(f64::from(u32::MAX), f64::from).max(1.0);
        Self { limit: most, most, round: Round(0) }
    }

    /// The most calls that may be in flight now; `None` while nothing slows them down.
    pub(super) fn limit(&self) -> Option<usize> {
        // It stays between 1 and a `u32`.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        (self.limit < self.most).then_some(self.limit as usize)
    }

    /// The round in which a call that starts now begins.
    pub(super) fn round(&self) -> Round {
        self.round
    }

    /// Notes a rate limit that met a call of this round.
    pub(super) fn limited(&mut self, begun: Round) {
        if begun == self.round {
            self.limit = (self.limit / 2.0).max(1.0);
            self.round.0 += 1;
        }
    }

    /// Notes an answer that met no rate limit.
    pub(super) fn answered(&mut self) {
        self.limit = (self.limit + 1.0 / self.limit).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_burst_of_rate_limits_halves_the_pace_once() {
        let mut pace = Pace::new(64);
        assert_eq!(pace.limit(), None);
        let begun = pace.round();
        for _ in 0..64 {
            pace.limited(begun);
        }
        assert_eq!(pace.limit(), Some(32));
        pace.limited(pace.round());
        assert_eq!(pace.limit(), Some(16));
        pace.limited(begun);
        assert_eq!(pace.limit(), Some(16));
    }

    #[test]
    fn it_never_stops_and_recovers_fully() {
        let mut pace = Pace::new(8);
        for _ in 0..100 {
            pace.limited(pace.round());
        }
        assert_eq!(pace.limit(), Some(1));
        let answers = (1..).find(|_| {
            pace.answered();
            pace.limit().is_none()
        });
        // 1 + 2 + … + 7, and a little more, because the limit also grows within a round.
        assert!((28..=40).contains(&answers.unwrap()), "{answers:?}");
        assert_eq!(Pace::new(1).limit(), None);
    }

    #[test]
    fn it_settles_near_what_the_server_serves() {
        // The server refuses calls beyond 20 at once.
        let mut pace = Pace::new(64);
        let mut total = 0;
        for step in 0..2_000 {
            let calls = pace.limit().unwrap_or(64);
            let begun = pace.round();
            for call in 0..calls {
                if call < 20 { pace.answered() } else { pace.limited(begun) }
            }
            if step >= 100 {
                total += calls;
            }
        }
        let mean = total / 1_900;
        assert!((12..=21).contains(&mean), "{mean}");
    }
}
