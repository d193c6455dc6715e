//! What has been counted of a target since the start.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::RestReason;
use super::breaker::{Change, Outcome};
use super::health::Answered;
use super::window::{Sum, Window};
use crate::error::ErrorKind;
use crate::histogram::Histogram;
use crate::money::Money;

/// The window of the rate of attempts.
const MINUTE: Duration = Duration::from_secs(60);

/// The shortest time by which a rate is divided: soon after the start, one attempt would look like
/// many.
const LEAST: Duration = Duration::from_secs(6);

/// What one route has seen of a target since the start. Routes that share a target count
/// separately, so that their numbers add up.
#[derive(Debug, Clone)]
pub(crate) struct Counts {
    start: Instant,
    pub(crate) in_flight: u32,
    /// Attempts that were answered to the end.
    pub(crate) answered: u64,
    /// Attempts that the target failed.
    pub(crate) failed: u64,
    /// All attempts that ended in an error, also through no fault of the target.
    pub(crate) failures: BTreeMap<ErrorKind, u64>,
    /// Attempts after which the call went on to another target.
    pub(crate) failovers: u64,
    /// How often a call tried another target too because this one was silent.
    pub(crate) hedged: u64,
    /// Answers that a cascade did not accept.
    pub(crate) not_accepted: u64,
    pub(crate) rests: BTreeMap<RestReason, u64>,
    /// From sending a request to its whole answer, if it was not streamed.
    pub(crate) latencies: Histogram,
    /// From sending a request to the first event of its stream.
    pub(crate) first_tokens: Histogram,
    pub(crate) cost: Money,
    attempts: Window<u32>,
}

impl Sum for u32 {
    fn add(&mut self, other: Self) {
        *self = self.saturating_add(other);
    }
}

impl Counts {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            start: now,
            in_flight: 0,
            answered: 0,
            failed: 0,
            failures: BTreeMap::new(),
            failovers: 0,
            hedged: 0,
            not_accepted: 0,
            rests: BTreeMap::new(),
            latencies: Histogram::default(),
            first_tokens: Histogram::default(),
            cost: Money::ZERO,
            attempts: Window::new(now, MINUTE),
        }
    }

    pub(crate) fn begun(&mut self, now: Instant) {
        self.in_flight = self.in_flight.saturating_add(1);
        self.attempts.add(1, now);
    }

    /// Notes what an answer showed. A stream shows something twice: its first event, and its end.
    pub(crate) fn answered(&mut self, answer: &Answered) {
        match answer.first_token {
            Some(after) => self.first_tokens.record(after),
            None => self.answered += 1,
        }
        if let Some(after) = answer.whole {
            self.latencies.record(after);
        }
        self.cost += answer.cost.unwrap_or(Money::ZERO);
    }

    pub(crate) fn failed(&mut self, kind: ErrorKind, outcome: Outcome) {
        *self.failures.entry(kind).or_default() += 1;
        self.failed += u64::from(outcome != Outcome::Neutral);
    }

    /// Counts a change that is a rest.
    pub(crate) fn changed(&mut self, change: Option<Change>) {
        if let Some(Change::Rested { reason, .. }) = change {
            *self.rests.entry(reason).or_default() += 1;
        }
    }

    /// Attempts per minute, over the last minute.
    pub(crate) fn attempts_per_minute(&mut self, now: Instant) -> f64 {
        let span = now.saturating_duration_since(self.start).clamp(LEAST, MINUTE);
        f64::from(self.attempts.sum(now)) * MINUTE.as_secs_f64() / span.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_rate_is_that_of_the_last_minute() {
        let start = Instant::now();
        let mut counts = Counts::new(start);
        for _ in 0..6 {
            counts.begun(start);
        }
        assert_eq!(counts.attempts_per_minute(start), 60.0, "as if in six seconds");
        assert_eq!(counts.attempts_per_minute(start + SECOND * 30), 12.0);
        assert_eq!(counts.attempts_per_minute(start + SECOND * 59), 6.0 * 60.0 / 59.0);
        assert_eq!(counts.attempts_per_minute(start + SECOND * 90), 0.0);
    }

    #[test]
    fn a_stream_counts_as_answered_only_when_it_ends() {
        let mut counts = Counts::new(Instant::now());
        let first = Answered { first_token: Some(SECOND), ..Answered::default() };
        counts.answered(&first);
        assert_eq!((counts.answered, counts.first_tokens.count()), (0, 1));
        counts.answered(&Answered { cost: Some(Money::cents(3)), ..Answered::default() });
        assert_eq!((counts.answered, counts.cost), (1, Money::cents(3)));
        counts.answered(&first);
        counts.failed(ErrorKind::Truncated, Outcome::Failed);
        counts.failed(ErrorKind::Cancelled, Outcome::Neutral);
        assert_eq!((counts.answered, counts.failed), (1, 1));
        assert_eq!(counts.failures.values().sum::<u64>(), 2);
    }
}
