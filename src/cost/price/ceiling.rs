//! `Ceiling`: the most a call can cost in one price tier, as a function of its output.

use super::rates::times;
use super::{Money, Rates};
use crate::upper_bound::UpperBound;

/// An upper bound on the cost of a call in one prompt size tier: a fixed part, and the most an
/// output token adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ceiling {
    fixed: Money,
    output: u64,
}

impl Ceiling {
    /// Assumes that all input tokens are of the most expensive kind that the bound allows.
    pub(super) fn new(rates: &Rates, bound: &UpperBound, input_tokens: u64) -> Self {
        let input = [
            Some(rates.input),
            rates.cached_input,
            Some(rates.cache_write()).filter(|_| bound.cache_writes),
            Some(rates.cache_write_1h()).filter(|_| bound.cache_writes_1h),
            rates.input_audio.filter(|_| bound.input_audio),
            rates.input_image.filter(|_| bound.input_images),
        ];
        let output = [
            Some(rates.output),
            rates.reasoning,
            rates.output_audio.filter(|_| bound.output_audio),
            rates.output_image.filter(|_| bound.output_images),
        ];
        let highest = |rates: &[Option<u64>]| rates.iter().flatten().copied().max().unwrap_or(0);
        let fixed = times(highest(&input), input_tokens)
            + times(rates.web_search, bound.web_searches)
            + times(rates.request, 1);
        Self { fixed, output: highest(&output) }
    }

    /// The most a call with this many output tokens can cost.
    pub(super) fn at(self, output_tokens: u64) -> Money {
        self.fixed + times(self.output, output_tokens)
    }

    /// The most output tokens within `amount`; 0 if not even the fixed part fits.
    pub(super) fn output_within(self, amount: Money) -> u64 {
        let left = amount - self.fixed;
        if left.is_negative() {
            return 0;
        }
        match left.as_picos().checked_div(i128::from(self.output)) {
            Some(tokens) => u64::try_from(tokens).unwrap_or(u64::MAX),
            None => u64::MAX,
        }
    }
}
