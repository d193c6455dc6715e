//! A moving average that weighs recent values more.

use std::time::{Duration, Instant};

/// An exponentially weighted moving average over time: a value's weight falls by a factor of *e*
/// with every `decay`. Without a new value for `lifetime`, it is forgotten.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ewma {
    decay: Duration,
    lifetime: Duration,
    value: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Value {
    average: f64,
    /// When the last value came.
    at: Instant,
    /// When it is forgotten.
    until: Instant,
}

impl Ewma {
    pub(crate) const fn new(decay: Duration, lifetime: Duration) -> Self {
        Self { decay, lifetime, value: None }
    }

    /// Adds a value.
    pub(crate) fn add(&mut self, value: f64, now: Instant) {
        self.set(self.mixed(value, now), now);
    }

    /// Adds a value, but jumps up at once if it is larger. So a target that turns slow is seen
    /// with its first slow answer, and one that turns fast has to prove it (Finagle's and tower's
    /// "peak EWMA", `tower::load::peak_ewma`).
    pub(crate) fn add_peak(&mut self, value: f64, now: Instant) {
        match self.value {
            Some(old) if value > old.average => self.set(value, now),
            _ => self.add(value, now),
        }
    }

    /// Returns the average; `None` before the first value, and without one for the lifetime.
    pub(crate) fn get(&self, now: Instant) -> Option<f64> {
        self.value.filter(|value| now < value.until).map(|value| value.average)
    }

    fn set(&mut self, average: f64, now: Instant) {
        let at = self.value.map_or(now, |value| value.at.max(now));
        self.value = Some(Value { average, at, until: at + self.lifetime });
    }

    fn mixed(&self, value: f64, now: Instant) -> f64 {
        let Some(old) = self.value else { return value };
        let passed = now.saturating_duration_since(old.at).as_secs_f64();
        let weight = (-passed / self.decay.as_secs_f64().max(f64::MIN_POSITIVE)).exp();
        old.average * weight + value * (1.0 - weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_value_loses_its_weight_with_time() {
        let start = Instant::now();
        let mut average = Ewma::new(SECOND * 10, SECOND * 60);
        assert_eq!(average.get(start), None);
        average.add(8.0, start);
        assert_eq!(average.get(start), Some(8.0));
        average.add(0.0, start + SECOND * 10);
        let left = average.get(start).unwrap();
        assert!((left - 8.0 / std::f64::consts::E).abs() < 1e-9, "{left}");
    }

    #[test]
    fn a_peak_counts_at_once_and_decays() {
        let start = Instant::now();
        let mut average = Ewma::new(SECOND * 10, SECOND * 60);
        average.add_peak(1.0, start);
        average.add_peak(9.0, start);
        assert_eq!(average.get(start), Some(9.0));
        average.add_peak(1.0, start + SECOND * 10);
        let left = average.get(start).unwrap();
        assert!((left - (1.0 + 8.0 / std::f64::consts::E)).abs() < 1e-9, "{left}");
    }

    #[test]
    fn an_average_without_new_values_is_forgotten() {
        let start = Instant::now();
        let mut average = Ewma::new(SECOND, SECOND * 60);
        average.add(1.0, start);
        assert_eq!(average.get(start + SECOND * 59), Some(1.0));
        assert_eq!(average.get(start + SECOND * 60), None);
    }

    #[test]
    fn time_that_goes_back_gives_a_value_no_weight() {
        let start = Instant::now();
        let mut average = Ewma::new(SECOND, SECOND * 60);
        average.add(1.0, start + SECOND * 5);
        average.add(100.0, start);
        assert_eq!(average.get(start), Some(1.0));
    }
}
