mod measure;

use serde::{Deserialize, Serialize};
use std::iter;
use std::marker::PhantomData;
use std::time::Duration;

pub use measure::Measure;

/// How finely each doubling is divided, as a power of two.
const BITS: u32 = 5;
const DIVISIONS: u64 = 1 << BITS;

/// How values are distributed, over many times: count, sum, greatest, and quantiles. Of
/// durations, where nothing else is said.
///
/// Values are counted in buckets that double in 32 steps, so a quantile is at most 1/32
/// (3.2 %) above the true one and never below; it takes a few hundred buckets at most,
/// however many values are recorded. (The layout is that of HdrHistogram,
/// <http://hdrhistogram.org>.) Durations are counted in microseconds,
/// [`Money`](crate::Money) in pico-dollars, `u64` in ones and `f64` in thousandths; what
/// lies between them is rounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Histogram<M = Duration> {
    /// The bucket that the first of `buckets` is.
    #[serde(default)]
    first: usize,
    /// From the least bucket in use to the greatest.
    buckets: Vec<u64>,
    count: u64,
    sum: u64,
    max: u64,
    #[serde(skip)]
    of: PhantomData<M>,
}

impl<M> Default for Histogram<M> {
    fn default() -> Self {
        Self { first: 0, buckets: Vec::new(), count: 0, sum: 0, max: 0, of: PhantomData }
    }
}

impl<M: Measure> Histogram<M> {
    pub(crate) fn record(&mut self, value: M) {
        let value = value.to_count();
        let at = bucket(value);
        self.reach(at, at);
        self.buckets[at - self.first] += 1;
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
        self.max = self.max.max(value);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        if other.buckets.is_empty() {
            return;
        }
        if self.buckets.is_empty() {
            self.clone_from(other);
            return;
        }
        self.reach(other.first, other.first + other.buckets.len() - 1);
        let from = other.first - self.first;
        for (ours, theirs) in self.buckets[from..].iter_mut().zip(&other.buckets) {
            *ours += theirs;
        }
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }

    /// Makes room from one bucket to another, both included.
    #[inline]
    fn reach(&mut self, least: usize, greatest: usize) {
        if self.buckets.is_empty() {
            self.first = least;
        }
        if least < self.first {
            self.buckets.splice(0..0, iter::repeat_n(0, self.first - least));
            self.first = least;
        }
        if greatest - self.first >= self.buckets.len() {
            self.buckets.resize(greatest - self.first + 1, 0);
        }
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of them all.
    pub fn sum(&self) -> M {
        M::from_count(self.sum)
    }

    /// The greatest; zero when there are none.
    pub fn max(&self) -> M {
        M::from_count(self.max)
    }

    /// The value that the share `quantile` of all, 0 to 1, did not exceed: 0.5 is the
    /// median. At most 3.2 % above the true one, and not below it. Zero when there are
    /// none.
    pub fn quantile(&self, quantile: f64) -> M {
        let share = if quantile.is_nan() { 1.0 } else { quantile.clamp(0.0, 1.0) };
        // Exact for any count that fits a float, which is more than can happen.
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

    /// How many did not exceed a bound, in seconds, dollars or ones. Those that lie up to
    /// 3.2 % above it may be counted too.
    pub(crate) fn up_to(&self, bound: f64) -> u64 {
        // A cast from a float stops at the ends of the range.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let last = bucket((bound * M::PER_UNIT).round() as u64);
        self.counts()
            .take_while(|(at, _)| *at <= last)
            .fold(0, |sum: u64, (_, count)| sum.saturating_add(count))
    }

    /// The sum of them all, in seconds, dollars or ones.
    #[expect(clippy::cast_precision_loss)]
    pub(crate) fn total(&self) -> f64 {
        self.sum as f64 / M::PER_UNIT
    }

    /// The buckets and what is in each.
    fn counts(&self) -> impl Iterator<Item = (usize, u64)> {
        // One that was stored by somebody else may begin anywhere.
        self.buckets.iter().enumerate().map(|(at, count)| (self.first.saturating_add(at), *count))
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
    if bucket >= self::bucket(u64::MAX) {
        return u64::MAX;
    }
    let bucket = bucket as u64;
    let doublings = (bucket / DIVISIONS).saturating_sub(1);
    let first = (bucket - doublings * DIVISIONS) << doublings;
    first + ((1 << doublings) - 1)
}

#[cfg(test)]
mod tests;
