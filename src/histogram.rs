use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How finely each doubling is divided, as a power of two.
const BITS: u32 = 5;
const DIVISIONS: u64 = 1 << BITS;

/// How long something took, over many times: count, sum, greatest, and quantiles.
///
/// Durations are counted in microseconds in buckets that double in 32 steps, so a
/// quantile is at most 1/32 (3.2 %) above the true one and never below; it takes a
/// few hundred buckets at most, however many durations are recorded. (The layout
/// is that of HdrHistogram, <http://hdrhistogram.org>.)
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// Grows to the greatest bucket in use.
    buckets: Vec<u64>,
    count: u64,
    sum: u64,
    max: u64,
}

impl Histogram {
    pub(crate) fn record(&mut self, duration: Duration) {
        let value = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let at = bucket(value);
        if self.buckets.len() <= at {
            self.buckets.resize(at + 1, 0);
        }
        self.buckets[at] += 1;
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
        self.max = self.max.max(value);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (ours, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *ours += theirs;
        }
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }

    /// How many durations were recorded.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of them all.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum)
    }

    /// The greatest; zero when there are none.
    pub fn max(&self) -> Duration {
        Duration::from_micros(self.max)
    }

    /// The duration that the share `quantile` of all, 0 to 1, did not exceed: 0.5
    /// is the median. Zero when there are none.
    pub fn quantile(&self, quantile: f64) -> Duration {
        let share = if quantile.is_nan() { 1.0 } else { quantile.clamp(0.0, 1.0) };
        // Exact for any count that fits a float, which is more than can happen.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        #[expect(clippy::cast_precision_loss)]
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_micros(greatest(at).min(self.max));
            }
        }
        Duration::ZERO
    }
}

/// The bucket of a value: one each below twice the divisions, then so many for
/// each doubling.
fn bucket(value: u64) -> usize {
    let doublings = (value | DIVISIONS).ilog2() - BITS;
    let index = u64::from(doublings) * DIVISIONS + (value >> doublings);
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The greatest value in a bucket.
fn greatest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let doublings = (bucket / DIVISIONS).saturating_sub(1);
    let first = (bucket - doublings * DIVISIONS) << doublings;
    first + ((1 << doublings) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(value: u64) -> Duration {
        Duration::from_micros(value)
    }

    #[test]
    fn every_value_lies_in_a_bucket_that_ends_at_most_a_32nd_above_it() {
        let mut random = fastrand::Rng::with_seed(1);
        let few = 0..100_000;
        let many = (0..100_000).map(|_| random.u64(..) >> random.u32(0..64));
        for value in few.chain(many).chain([u64::MAX]) {
            let end = greatest(bucket(value));
            assert!(end >= value, "{value}");
            assert!(end - value <= value / DIVISIONS, "{value}: {end}");
        }
        assert!((1..100_000).all(|value| bucket(value) - bucket(value - 1) <= 1));
    }

    #[test]
    fn quantiles_are_close_to_exact_ones() {
        let mut random = fastrand::Rng::with_seed(2);
        let mut exact: Vec<u64> = (0..100_000).map(|_| 1 << random.u32(0..30)).collect();
        for value in &mut exact {
            *value += random.u64(0..*value);
        }
        let mut histogram = Histogram::default();
        exact.iter().for_each(|value| histogram.record(micros(*value)));
        exact.sort_unstable();
        for (share, rank) in [(0.0, 0), (0.5, 49_999), (0.9, 89_999), (0.99, 98_999), (1.0, 99_999)]
        {
            let (found, true_one) = (histogram.quantile(share), micros(exact[rank]));
            assert!(found >= true_one && found <= true_one + true_one / 32, "{share}");
        }
        assert_eq!(histogram.max(), micros(exact[99_999]));
        assert_eq!(histogram.count(), 100_000);
        assert_eq!(histogram.sum(), micros(exact.iter().sum()));
    }

    #[test]
    fn adding_is_recording_both() {
        let (mut left, mut right, mut both) =
            (Histogram::default(), Histogram::default(), Histogram::default());
        for value in 0..1000 {
            if value % 3 == 0 { &mut left } else { &mut right }.record(micros(value * value));
            both.record(micros(value * value));
        }
        left.add(&right);
        assert_eq!(left, both);
    }

    #[test]
    fn an_empty_one_is_all_zero() {
        let empty = Histogram::default();
        assert_eq!((empty.quantile(0.5), empty.max(), empty.count()), (micros(0), micros(0), 0));
        let mut endless = Histogram::default();
        endless.record(Duration::MAX);
        assert_eq!(endless.quantile(f64::NAN), micros(u64::MAX));
    }
}
