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
        let mut input = rates.input;
        for (rate, may_apply) in [
            (rates.cached_input, true),
            (Some(rates.cache_write()), bound.cache_writes),
            (Some(rates.cache_write_1h()), bound.cache_writes_1h),
            (rates.input_audio, bound.input_audio),
            (rates.input_image, bound.input_images),
        ] {
            if let (Some(rate), true) = (rate, may_apply) {
                input = input.max(rate);
            }
        }
        let mut output = rates.output;
        for (rate, may_apply) in [
            (rates.reasoning, true),
            (rates.output_audio, bound.output_audio),
            (rates.output_image, bound.output_images),
        ] {
            if let (Some(rate), true) = (rate, may_apply) {
                output = output.max(rate);
            }
        }
        let fixed = times(input, input_tokens)
            + times(rates.web_search, bound.web_searches)
            + times(rates.request, 1);
        Self { fixed, output }
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
