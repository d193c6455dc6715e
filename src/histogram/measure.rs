//! The kinds of values a histogram can count.

use std::time::Duration;

use crate::money::Money;

/// What a [`Histogram`](crate::Histogram) can count: durations, amounts of money, whole numbers
/// or rates. Only this crate can implement it, for these four types.
pub trait Measure: Scale {}

/// Converts between a value and the whole number by which it is counted.
pub trait Scale: Copy {
    /// How many counts make one unit of reported values: a second, a dollar or 1.
    const PER_UNIT: f64;

    fn to_count(self) -> u64;

    fn from_count(count: u64) -> Self;
}

impl Measure for Duration {}

/// In microseconds.
impl Scale for Duration {
    const PER_UNIT: f64 = 1e6;

    fn to_count(self) -> u64 {
        u64::try_from(self.as_micros()).unwrap_or(u64::MAX)
    }

    fn from_count(count: u64) -> Self {
        Self::from_micros(count)
    }
}

impl Measure for Money {}

/// In pico-dollars, up to 18 million dollars. Negative amounts count as zero.
impl Scale for Money {
    const PER_UNIT: f64 = 1e12;

    fn to_count(self) -> u64 {
        u64::try_from(self.as_picos().max(0)).unwrap_or(u64::MAX)
    }

    fn from_count(count: u64) -> Self {
        Self::picos(count.into())
    }
}

impl Measure for u64 {}

impl Scale for u64 {
    const PER_UNIT: f64 = 1.0;

    fn to_count(self) -> u64 {
        self
    }

    fn from_count(count: u64) -> Self {
        count
    }
}

impl Measure for f64 {}

/// In thousandths. Negative numbers and NaN count as zero.
impl Scale for f64 {
    const PER_UNIT: f64 = 1e3;

    // A cast from a float saturates.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn to_count(self) -> u64 {
        (self * Self::PER_UNIT).round() as u64
    }

    #[expect(clippy::cast_precision_loss)]
    fn from_count(count: u64) -> Self {
        count as Self / Self::PER_UNIT
    }
}
