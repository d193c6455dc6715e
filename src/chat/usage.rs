use serde::{Deserialize, Serialize};

use crate::cost::Money;

/// The tokens a call used.
///
/// The counts nest the same way for every provider: cached and cache-write
/// tokens are part of `prompt_tokens`, reasoning tokens part of
/// `completion_tokens`, and `total_tokens` is their sum. Providers that count
/// apart (Anthropic's cached input, xAI's reasoning) are brought into this form.
/// Tokens that an OpenAI-compatible server has in its total only, most likely reasoning,
/// count as output. What the advisor tool of Anthropic's uses
/// counts as if the model had used it; its price is that of another, so
/// [`source`](Self::source) is then [`EstimatedOutput`](UsageSource::EstimatedOutput).
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

    /// With the counts of an estimate for those that the provider left out. Where it
    /// reported none at all, it stays so.
    pub(crate) fn completed(mut self, estimate: &Self) -> Self {
        let (input, output) = match self.source {
            UsageSource::Reported | UsageSource::Missing => return self,
            UsageSource::EstimatedOutput => (0, estimate.completion_tokens),
            UsageSource::Estimated => (estimate.prompt_tokens, estimate.completion_tokens),
        };
        self.prompt_tokens = self.prompt_tokens.max(input);
        self.completion_tokens = self.completion_tokens.max(output);
        self.total_tokens = self.prompt_tokens.saturating_add(self.completion_tokens);
        self
    }
}

/// Where a [`Usage`] comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UsageSource {
    /// The provider reported it.
    Reported,
    /// The provider reported none, or not all of it before a stream broke off, so
    /// what is missing was estimated: a token for every four bytes, rounded up. Of
    /// the output these are the bytes of text, reasoning, refusals and tool calls
    /// that came; of the input, where the provider has not said, those of the
    /// request as sent, or as many as the decoder was told. Four bytes a token is
    /// OpenAI's rule of thumb for English; other languages take more tokens, and
    /// images in a request far fewer.
    Estimated,
    /// The provider reported the input, and the output was estimated as above: a
    /// stream broke off before its end, or the report has no count of it.
    EstimatedOutput,
    /// The provider reported none, so all counts are zero and mean nothing.
    #[default]
    Missing,
}
