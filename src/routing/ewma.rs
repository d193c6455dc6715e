//! A moving average that weighs recent values more.

use std::time::{Duration, Instant};

/// An exponentially weighted moving average over time: a value's weight falls by a factor of *e*
/// with every `decay`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ewma {
    decay: Duration,
    value: Option<(f64, Instant)>,
}

impl Ewma {
    pub(crate) const fn new(decay: Duration) -> Self {
        Self { decay, value: None }
    }

    /// Adds a value.
    pub(crate) fn add(&mut self, value: f64, now: Instant) {
        self.value = Some((self.mixed(value, now), self.latest(now)));
    }

    /// Adds a value, but jumps up at once if it is larger. So a target that turns slow is seen
    /// with its first slow answer, and one that turns fast has to prove it (Finagle's and tower's
    /// "peak EWMA", `tower::load::peak_ewma`).
    pub(crate) fn add_peak(&mut self, value: f64, now: Instant) {
        match self.value {
            Some((old, _)) if value > old => self.value = Some((value, self.latest(now))),
            _ => self.add(value, now),
        }
    }

    /// Returns the average; `None` before the first value.
    pub(crate) fn get(&self) -> Option<f64> {
        self.value.map(|(value, _)| value)
    }

    /// Returns the average if its last value is younger than `age`.
    pub(crate) fn within(&self, age: Duration, now: Instant) -> Option<f64> {
        let (value, at) = self.value?;
        (now.saturating_duration_since(at) < age).then_some(value)
    }

    fn mixed(&self, value: f64, now: Instant) -> f64 {
        let Some((old, at)) = self.value else { return value };
        let passed = now.saturating_duration_since(at).as_secs_f64();
        let weight = (-passed / self.decay.as_secs_f64().max(f64::MIN_POSITIVE)).exp();
        old * weight + value * (1.0 - weight)
    }

    fn latest(&self, now: Instant) -> Instant {
        self.value.map_or(now, |(_, at)| at.max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_value_loses_its_weight_with_time() {
        let start = Instant::now();
        let mut average = Ewma::new(SECOND * 10);
        assert_eq!(average.get(), None);
        average.add(8.0, start);
        assert_eq!(average.get(), Some(8.0));
        average.add(0.0, start + SECOND * 10);
        let left = average.get().unwrap();
        assert!((left - 8.0 / std::f64::consts::E).abs() < 1e-9, "{left}");
    }

    #[test]
    fn a_peak_counts_at_once_and_decays() {
        let start = Instant::now();
        let mut average = Ewma::new(SECOND * 10);
        average.add_peak(1.0, start);
        average.add_peak(9.0, start);
        assert_eq!(average.get(), Some(9.0));
        average.add_peak(1.0, start + SECOND * 10);
        let left = average.get().unwrap();
        assert!((left - (1.0 + 8.0 / std::f64::consts::E)).abs() < 1e-9, "{left}");
    }

    #[test]
    fn time_that_goes_back_gives_a_value_no_weight() {
        let start = Instant::now();
        let mut average = Ewma::new(SECOND);
        average.add(1.0, start + SECOND * 5);
        average.add(100.0, start);
        assert_eq!(average.get(), Some(1.0));
    }
}
