//! A histogram with bounded relative error, for durations, money, counts and rates.

mod buckets;
mod measure;

use serde::{Deserialize, Serialize};
use std::iter;
use std::marker::PhantomData;
use std::time::Duration;

use buckets::Buckets;
pub use measure::Measure;

/// How finely each doubling is divided, as a power of two.
const BITS: u32 = 5;
const DIVISIONS: u64 = 1 << BITS;

/// A distribution of values, by default of durations: count, sum, maximum and quantiles.
///
/// Each doubling of the value is divided into 32 buckets, so a quantile is at most 1/32 (3.2 %)
/// above the true one and never below it. It takes a few hundred buckets at most, however many
/// values are recorded. (The layout is that of HdrHistogram, <http://hdrhistogram.org>.)
/// Durations are counted in microseconds, [`Money`](crate::Money) in pico-dollars, `u64` in ones
/// and `f64` in thousandths; values in between are rounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "M: Measure", try_from = "Stored", into = "Stored")]
pub struct Histogram<M = Duration> {
    /// The bucket of the first element of `low`.
    first: usize,
    /// The lower halves of the counts, from the lowest bucket in use to the highest. Usually they
    /// are the whole counts, and half as much to copy and add.
    low: Buckets,
    /// The upper halves, as far as needed.
    high: Vec<u32>,
    count: u64,
    sum: u64,
    max: u64,
    of: PhantomData<M>,
}

/// The serialized form of a [`Histogram`].
#[derive(Serialize, Deserialize)]
struct Stored {
    first: usize,
    buckets: Vec<u64>,
    count: u64,
    sum: u64,
    max: u64,
}

impl<M> Default for Histogram<M> {
    fn default() -> Self {
        Self {
            first: 0,
            low: Buckets::new(),
            high: Vec::new(),
            count: 0,
            sum: 0,
            max: 0,
            of: PhantomData,
        }
    }
}

impl<M: Measure> Histogram<M> {
    pub(crate) fn record(&mut self, value: M) {
        let value = value.to_count();
        self.put(bucket(value), 1);
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(value);
        self.max = self.max.max(value);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        if other.low.is_empty() {
            return;
        }
        if self.low.is_empty() {
            // Not `clone_from`, which would use other memory.
            self.first = other.first;
            self.low.own().extend_from_slice(&other.low);
            self.high.extend_from_slice(&other.high);
            (self.count, self.sum, self.max) = (other.count, other.sum, other.max);
            return;
        }
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
        // If the total fits into a lower half, so does every bucket.
        if self.count <= u32::MAX.into() {
            let ours = self.reach(other.first, other.first + other.low.len() - 1);
            for (ours, theirs) in ours.iter_mut().zip(&*other.low) {
                *ours = ours.wrapping_add(*theirs);
            }
        } else {
            other.counts().for_each(|(at, count)| self.put(at, count));
        }
    }

    /// Makes later copies share this one's memory until either is written to.
    pub(crate) fn share(&mut self) {
        self.low.share();
    }

    /// Resets everything, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        let Self { first, low, high, count, sum, max, of: _ } = self;
        low.own().clear();
        high.clear();
        *first = 0;
        (*count, *sum, *max) = (0, 0, 0);
    }

    /// Adds to the count of a bucket.
    #[inline]
    fn put(&mut self, at: usize, count: u64) {
        let known = at.checked_sub(self.first).and_then(|place| self.low.own().get_mut(place));
        let sum = match known {
            Some(sum) => sum,
            None => &mut self.reach(at, at)[0],
        };
        let [high, low] = halves(u64::from(*sum).saturating_add(count));
        *sum = low;
        if high > 0 {
            let place = at - self.first;
            self.high.resize(self.high.len().max(place + 1), 0);
            self.high[place] = self.high[place].saturating_add(high);
        }
    }

    /// Makes room for the buckets from `least` to `greatest`, inclusive. Returns the counts from
    /// `least` on.
    #[inline]
    fn reach(&mut self, least: usize, greatest: usize) -> &mut [u32] {
        let low = self.low.own();
        if low.is_empty() {
            self.first = least;
        }
        if least < self.first {
            let more = self.first - least;
            put_zeros(low, more);
            if !self.high.is_empty() {
                put_zeros(&mut self.high, more);
            }
            self.first = least;
        }
        if greatest - self.first >= low.len() {
            low.resize(greatest - self.first + 1, 0);
        }
        &mut low[least - self.first..]
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of all values.
    pub fn sum(&self) -> M {
        M::from_count(self.sum)
    }

    /// The largest value; zero if there are none.
    pub fn max(&self) -> M {
        M::from_count(self.max)
    }

    /// The value that this share of all values, 0 to 1, does not exceed: 0.5 is the median. At
    /// most 3.2 % above the true one, never below it. Zero if there are no values.
    pub fn quantile(&self, quantile: f64) -> M {
        let share = if quantile.is_nan() { 1.0 } else { quantile.clamp(0.0, 1.0) };
        // Exact for any count that fits a float, which is more than can occur.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        #[expect(clippy::cast_precision_loss)]
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen: u64 = 0;
        for (at, count) in self.counts() {
            seen = seen.saturating_add(count);
            if seen >= rank {
                return M::from_count(greatest(at).min(self.max));
            }
        }
        M::from_count(0)
    }

    /// How many values do not exceed a bound, given in seconds, dollars or ones. Values up to 3.2 %
    /// above it may be counted too.
    pub(crate) fn up_to(&self, bound: f64) -> u64 {
        // A cast from a float saturates.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let last = bucket((bound * M::PER_UNIT).round() as u64);
        self.counts()
            .take_while(|(at, _)| *at <= last)
            .fold(0, |sum: u64, (_, count)| sum.saturating_add(count))
    }

    /// The sum of all values in seconds, dollars or ones.
    #[expect(clippy::cast_precision_loss)]
    pub(crate) fn total(&self) -> f64 {
        self.sum as f64 / M::PER_UNIT
    }

    /// The buckets and their counts.
    fn counts(&self) -> impl Iterator<Item = (usize, u64)> {
        let high = self.high.iter().copied().chain(iter::repeat(0));
        let counts = self.low.iter().zip(high);
        counts
            .map(|(low, high)| (u64::from(high) << 32) | u64::from(*low))
            .enumerate()
            .map(|(at, count)| (self.first + at, count))
    }
}

/// Inserts zeros at the front.
fn put_zeros(counts: &mut Vec<u32>, zeros: usize) {
    let before = counts.len();
    counts.resize(before + zeros, 0);
    counts.copy_within(..before, zeros);
    counts[..zeros.min(before)].fill(0);
}

/// The upper and the lower half of a count.
#[expect(clippy::cast_possible_truncation)]
fn halves(count: u64) -> [u32; 2] {
    [(count >> 32) as u32, count as u32]
}

impl<M: Measure> From<Histogram<M>> for Stored {
    fn from(histogram: Histogram<M>) -> Self {
        let Histogram { first, count, sum, max, .. } = histogram;
        Self {
            first,
            buckets: histogram.counts().map(|(_, count)| count).collect(),
            count,
            sum,
            max,
        }
    }
}

impl<M: Measure> TryFrom<Stored> for Histogram<M> {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let Stored { first, buckets, count, sum, max } = stored;
        let end = first.checked_add(buckets.len()).filter(|end| *end <= bucket(u64::MAX) + 1);
        let all = buckets.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count));
        if end.is_none() || all != Some(count) {
            return Err("not a histogram");
        }
        let mut histogram = Self { first, sum, max, count, ..Self::default() };
        histogram.low = Buckets::Own(buckets.iter().map(|count| halves(*count)[1]).collect());
        if buckets.iter().any(|count| halves(*count)[0] > 0) {
            histogram.high = buckets.iter().map(|count| halves(*count)[0]).collect();
        }
        Ok(histogram)
    }
}

/// The bucket of a value. Values below twice the divisions have their own bucket; above that, each
/// doubling has [`DIVISIONS`] buckets.
fn bucket(value: u64) -> usize {
    let doublings = (value | DIVISIONS).ilog2() - BITS;
    let index = u64::from(doublings) * DIVISIONS + (value >> doublings);
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The largest value in a bucket.
fn greatest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let doublings = (bucket / DIVISIONS).saturating_sub(1);
    let first = (bucket - doublings * DIVISIONS) << doublings;
    first + ((1 << doublings) - 1)
}

#[cfg(test)]
mod tests;
