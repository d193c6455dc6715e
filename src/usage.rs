//! The tokens a call used: plain data that answers carry and costs are made of.

use serde::{Deserialize, Serialize};

use crate::money::Money;

/// The tokens a call used.
///
/// The counts nest the same way for every provider: cached and cache-write
/// tokens are part of `prompt_tokens`, reasoning tokens part of
/// `completion_tokens`, and `total_tokens` is their sum. Providers that count
/// apart (Anthropic's cached input, xAI's reasoning) are brought into this form.
/// Tokens that an OpenAI-compatible server has in its total only, most likely reasoning,
/// count as output. What the advisor tool of Anthropic's uses
/// counts as if the model had used it; its price is that of another, so
/// [`source`](Self::source) is then [`OtherModel`](UsageSource::OtherModel).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Usage {
    /// All input tokens, those read from and written to a cache included.
    pub prompt_tokens: u64,
    /// All output tokens, reasoning included.
    pub completion_tokens: u64,
    /// Input and output together: always the sum of the two, whatever total the
    /// provider reported.
    pub total_tokens: u64,
    /// Input tokens read from a cache.
    pub cached_tokens: u64,
    /// Input tokens written to a cache.
    pub cache_write_tokens: u64,
    /// Those of the written tokens that are kept for an hour, at a higher price.
    pub cache_write_1h_tokens: u64,
    /// Output tokens spent on reasoning.
    pub reasoning_tokens: u64,
    /// Input tokens that were audio.
    pub prompt_audio_tokens: u64,
    /// Output tokens that were audio.
    pub completion_audio_tokens: u64,
    /// Input tokens that were images, where the provider counts them.
    pub prompt_image_tokens: u64,
    /// Output tokens that were images, where the provider counts them.
    pub completion_image_tokens: u64,
    /// Web searches the provider ran for this call, billed apiece.
    pub web_searches: u64,
    /// The provider's own bill for the call, where it reports one: OpenRouter and xAI do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_cost: Option<Money>,
    /// Where these counts come from.
    pub source: UsageSource,
}

impl Usage {
    /// Usage as a provider reported it, of so many input and output tokens.
    pub fn reported(prompt_tokens: u64, completion_tokens: u64) -> Self {
        Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
            source: UsageSource::Reported,
            ..Self::default()
        }
    }

    /// Usage by estimate, of so many bytes of input and output: a token for every four.
    pub(crate) fn estimated(input_bytes: usize, output_bytes: usize) -> Self {
        let tokens = |bytes: usize| u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX);
        let usage = Self::reported(tokens(input_bytes), tokens(output_bytes));
        Self { source: UsageSource::Estimated, ..usage }
    }

    /// Which counts the provider reported: the input's, the output's.
    pub(crate) fn known(&self) -> (bool, bool) {
        match self.source {
            UsageSource::Reported | UsageSource::OtherModel => (true, true),
            UsageSource::EstimatedInput => (false, true),
            UsageSource::EstimatedOutput => (true, false),
            UsageSource::Estimated | UsageSource::Missing => (false, false),
        }
    }

    /// With zero counts that cannot be true taken for unreported: no prompt has zero tokens,
    /// and no answer in which the model `wrote` anything does. Gateways that do not count
    /// report zeros all the same. Where neither count is left, the usage is
    /// [`Missing`](UsageSource::Missing).
    pub(crate) fn without_false_zeros(self, wrote: bool) -> Self {
        let (input, output) = self.known();
        let input = input && self.prompt_tokens > 0;
        let output = output && (self.completion_tokens > 0 || (!wrote && input));
        match (input, output) {
            kept if kept == self.known() => self,
            (false, false) => Self {
                reported_cost: self.reported_cost,
                web_searches: self.web_searches,
                ..Self::default()
            },
            (input, output) => Self { source: UsageSource::of(input, output), ..self },
        }
    }

    /// With the output count taken for unreported, since more was written after it.
    pub(crate) fn unfinished(self) -> Self {
        match self.known() {
            (input, true) => Self { source: UsageSource::of(input, false), ..self },
            _ => self,
        }
    }

    /// With the counts of an estimate for those that the provider left out. Where it
    /// reported none at all, it stays so.
    pub(crate) fn completed(mut self, estimate: &Self) -> Self {
        if self.source == UsageSource::Missing {
            return self;
        }
        let (input, output) = self.known();
        if !input {
            self.prompt_tokens = self.prompt_tokens.max(estimate.prompt_tokens);
        }
        if !output {
            self.completion_tokens = self.completion_tokens.max(estimate.completion_tokens);
        }
        self.total_tokens = self.prompt_tokens.saturating_add(self.completion_tokens);
        self
    }
}

/// Where a [`Usage`] comes from.
///
/// An estimate is a token for every four bytes, rounded up. Four bytes a token is OpenAI's
/// rule of thumb for English; other languages take more tokens, and images in a request far
/// fewer. The bytes of the output are those of text, reasoning, refusals and tool calls that
/// came; those of the input are the request's as sent, or the number that was
/// passed to the decoder.
///
/// A zero that cannot be true counts as unreported: zero input tokens, and zero output tokens
/// of an answer that holds anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UsageSource {
    /// The provider reported it.
    Reported,
    /// The provider reported it, and some of the tokens are another model's, whose price is
    /// not known here: Anthropic's advisor tool.
    OtherModel,
    /// The provider reported neither input nor output; both were estimated.
    Estimated,
    /// The provider reported the output, and the input was estimated.
    EstimatedInput,
    /// The provider reported the input, and the output was estimated: its report has no
    /// count of the output, or a stream broke off before its last report.
    EstimatedOutput,
    /// The provider reported none, so all counts are zero and mean nothing.
    #[default]
    Missing,
}

impl UsageSource {
    /// Of usage of which these counts were reported, and the others are to be estimated.
    pub(crate) fn of(input: bool, output: bool) -> Self {
        match (input, output) {
            (true, true) => Self::Reported,
            (true, false) => Self::EstimatedOutput,
            (false, true) => Self::EstimatedInput,
            (false, false) => Self::Estimated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_that_cannot_be_true_count_as_unreported() {
        use UsageSource::{EstimatedInput, EstimatedOutput, Missing, OtherModel, Reported};
        for (source, (input, output), wrote, expected) in [
            (Reported, (9, 5), true, (9, 5, Reported)),
            (Reported, (9, 0), false, (9, 0, Reported)),
            (Reported, (9, 0), true, (9, 0, EstimatedOutput)),
            (Reported, (0, 5), true, (0, 5, EstimatedInput)),
            (Reported, (0, 5), false, (0, 5, EstimatedInput)),
            (Reported, (0, 0), true, (0, 0, Missing)),
            // A report of nothing but zeros is worth nothing, whatever the answer.
            (Reported, (0, 0), false, (0, 0, Missing)),
            (OtherModel, (9, 5), true, (9, 5, OtherModel)),
            (OtherModel, (9, 0), true, (9, 0, EstimatedOutput)),
            (EstimatedOutput, (9, 0), true, (9, 0, EstimatedOutput)),
            (EstimatedOutput, (0, 0), false, (0, 0, Missing)),
            (EstimatedInput, (0, 5), true, (0, 5, EstimatedInput)),
            (EstimatedInput, (0, 0), true, (0, 0, Missing)),
            (Missing, (0, 0), true, (0, 0, Missing)),
        ] {
            let case = format!("{source:?} {input} {output} {wrote}");
            let reported_cost = Some(Money::cents(1));
            let usage = Usage { source, reported_cost, ..Usage::reported(input, output) };
            let found = usage.without_false_zeros(wrote);
            let counts = (found.prompt_tokens, found.completion_tokens, found.source);
            assert_eq!(counts, expected, "{case}");
            assert_eq!(found.reported_cost, reported_cost, "{case}");
        }
    }

    #[test]
    fn only_counts_that_are_missing_are_estimated() {
        use UsageSource::{
            Estimated, EstimatedInput, EstimatedOutput, Missing, OtherModel, Reported,
        };
        let estimate = Usage { source: Estimated, ..Usage::reported(100, 50) };
        for (source, expected) in [
            (Reported, (9, 5)),
            (OtherModel, (9, 5)),
            (EstimatedInput, (100, 5)),
            (EstimatedOutput, (9, 50)),
            (Estimated, (100, 50)),
            (Missing, (9, 5)),
        ] {
            let usage = Usage { source, ..Usage::reported(9, 5) }.completed(&estimate);
            assert_eq!((usage.prompt_tokens, usage.completion_tokens), expected, "{source:?}");
            assert_eq!((usage.source, usage.total_tokens), (source, expected.0 + expected.1));
        }
    }
}
