//! The tokens that a call used. Responses carry them, and costs are computed from them.

use serde::{Deserialize, Serialize};

use crate::money::Money;

/// The tokens that a call used.
///
/// The counts nest the same way for every provider. Cached and cache-write tokens are part of
/// `prompt_tokens`, reasoning tokens are part of `completion_tokens`, and `total_tokens` is the sum
/// of these two. Counts from providers that report them separately (Anthropic's cached input, xAI's
/// reasoning) are converted to this form.
///
/// Cohere's counts are its billed units; what it adds to a prompt itself is not billed and not
/// counted here. All its counts are in [`ChatResponse::extra`](crate::ChatResponse::extra) under
/// `usage`.
///
/// If an OpenAI-compatible server reports tokens only in its total, they are most likely reasoning
/// and count as output. Tokens of Anthropic's advisor tool count as if the model had used them.
/// They have another model's price, so [`source`](Self::source) is then
/// [`OtherModel`](UsageSource::OtherModel).
///
/// Its JSON always has the prompt, completion and total tokens. It leaves out the other counts if they
/// are zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Usage {
    /// All input tokens, including those read from and written to a cache.
    pub prompt_tokens: u64,
    /// All output tokens, including reasoning.
    pub completion_tokens: u64,
    /// Input plus output. Always the sum of the two, whatever total the provider reported.
    pub total_tokens: u64,
    /// Input tokens read from a cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cached_tokens: u64,
    /// Input tokens written to a cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write_tokens: u64,
    /// Input tokens written to a one-hour cache, at a higher price. They are part of
    /// `cache_write_tokens`.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write_1h_tokens: u64,
    /// Output tokens spent on reasoning.
    #[serde(skip_serializing_if = "is_zero")]
    pub reasoning_tokens: u64,
    /// Input tokens that were audio.
    #[serde(skip_serializing_if = "is_zero")]
    pub prompt_audio_tokens: u64,
    /// Output tokens that were audio.
    #[serde(skip_serializing_if = "is_zero")]
    pub completion_audio_tokens: u64,
    /// Input tokens that were images, if the provider reports them.
    #[serde(skip_serializing_if = "is_zero")]
    pub prompt_image_tokens: u64,
    /// Output tokens that were images, if the provider reports them.
    #[serde(skip_serializing_if = "is_zero")]
    pub completion_image_tokens: u64,
    /// Web searches that the provider ran for this call. Each is billed.
    #[serde(skip_serializing_if = "is_zero")]
    pub web_searches: u64,
    /// The cost that the provider itself reported. OpenRouter and xAI do so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_cost: Option<Money>,
    /// Where the counts come from.
    pub source: UsageSource,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Usage {
    /// Creates usage with these input and output tokens, as a provider reported them.
    pub fn reported(prompt_tokens: u64, completion_tokens: u64) -> Self {
        Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
            source: UsageSource::Reported,
            ..Self::default()
        }
    }

    /// Estimates usage from bytes of input and output: one token per four bytes.
    pub(crate) fn estimated(input_bytes: usize, output_bytes: usize) -> Self {
        let tokens = |bytes: usize| u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX);
        let usage = Self::reported(tokens(input_bytes), tokens(output_bytes));
        Self { source: UsageSource::Estimated, ..usage }
    }

    /// Takes an estimate if the provider reported no counts. Its own bill stays.
    pub(crate) fn or_estimate(self, estimate: impl FnOnce() -> Self) -> Self {
        match self.source {
            UsageSource::Missing => Self { reported_cost: self.reported_cost, ..estimate() },
            _ => self,
        }
    }

    /// Returns which counts the provider reported: (input, output).
    pub(crate) fn known(&self) -> (bool, bool) {
        match self.source {
            UsageSource::Reported | UsageSource::OtherModel => (true, true),
            UsageSource::EstimatedInput => (false, true),
            UsageSource::EstimatedOutput => (true, false),
            UsageSource::Estimated | UsageSource::Missing => (false, false),
        }
    }

    /// Marks zero counts that cannot be true as unreported. No prompt has zero tokens, and neither
    /// has an answer if the model `wrote` anything, but gateways that do not count report zeros. If
    /// neither count remains, the usage is [`Missing`](UsageSource::Missing).
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

    /// Marks the output count as unreported, because the model wrote more after it.
    pub(crate) fn unfinished(self) -> Self {
        match self.known() {
            (input, true) => Self { source: UsageSource::of(input, false), ..self },
            _ => self,
        }
    }

    /// Returns the usage of a stream that has reported these counts so far, completed from an
    /// estimate. If they are not final, the output is estimated too. If there are none, only the
    /// reported cost and the web searches remain.
    pub(crate) fn so_far(self, is_final: bool, estimate: &Self) -> Self {
        match self.source {
            UsageSource::Missing => Self {
                reported_cost: self.reported_cost,
                web_searches: self.web_searches,
                ..*estimate
            },
            _ if is_final => self.completed(estimate),
            _ => self.unfinished().completed(estimate),
        }
    }

    /// Fills in the counts that the provider left out from an estimate. If it reported none at all,
    /// nothing changes.
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

/// Where the counts of a [`Usage`] come from.
///
/// An estimate is one token per four bytes, rounded up. That is OpenAI's rule of thumb for English.
/// Other languages take more tokens, and images in a request far fewer. The bytes of the output are
/// those of the text, reasoning, refusals and tool calls received. The bytes of the input are those
/// of the request as sent, or the number given to
/// [`StreamDecoder::request_bytes`](crate::StreamDecoder::request_bytes).
///
/// A zero that cannot be true counts as unreported: zero input tokens, or zero output tokens of an
/// answer with any content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UsageSource {
    /// The provider reported all counts.
    Reported,
    /// The provider reported all counts, but some tokens belong to another model, whose price is
    /// not known here: Anthropic's advisor tool.
    OtherModel,
    /// The provider reported neither input nor output; both are estimates.
    Estimated,
    /// The provider reported the output; the input is an estimate.
    EstimatedInput,
    /// The provider reported the input; the output is an estimate. Either the report has no count
    /// of the output, or the stream broke off before the last report.
    EstimatedOutput,
    /// The provider reported no counts, so all of them are zero and mean nothing.
    #[default]
    Missing,
}

impl UsageSource {
    /// Returns the source for usage with these counts reported and the others estimated.
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
    fn counts_of_a_stream_are_completed_and_the_cost_is_never_lost() {
        use UsageSource::{Estimated, EstimatedInput, EstimatedOutput, Missing, Reported};
        let estimate = Usage { source: Estimated, ..Usage::reported(7, 6) };
        for (source, (input, output), is_final, expected) in [
            (Reported, (9, 5), true, (9, 5, Reported)),
            (Reported, (9, 5), false, (9, 6, EstimatedOutput)),
            (Reported, (9, 8), false, (9, 8, EstimatedOutput)),
            (EstimatedInput, (0, 5), true, (7, 5, EstimatedInput)),
            (EstimatedInput, (0, 5), false, (7, 6, Estimated)),
            (EstimatedOutput, (9, 0), true, (9, 6, EstimatedOutput)),
            (Missing, (0, 0), true, (7, 6, Estimated)),
            (Missing, (0, 0), false, (7, 6, Estimated)),
        ] {
            let case = format!("{source:?} {input} {output} {is_final}");
            let reported_cost = Some(Money::cents(1));
            let usage =
                Usage { source, reported_cost, web_searches: 2, ..Usage::reported(input, output) };
            let found = usage.so_far(is_final, &estimate);
            let counts = (found.prompt_tokens, found.completion_tokens, found.source);
            assert_eq!(counts, expected, "{case}");
            assert_eq!((found.reported_cost, found.web_searches), (reported_cost, 2), "{case}");
        }
    }

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
            // A report of only zeros means nothing, whatever the answer.
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
    fn only_missing_counts_are_estimated() {
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
