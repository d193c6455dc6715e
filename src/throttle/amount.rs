//! What one attempt takes of the limits.

/// What one attempt takes of the limits: one request, one call in flight, and at most this many
/// tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    /// The most input tokens.
    pub(crate) input: u64,
    /// The most output tokens.
    pub(crate) output: u64,
    /// The estimated input tokens. The bound counts a token for each byte, about four times too
    /// many, so it does not show that a request is too large.
    pub(crate) expected_input: u64,
}

impl Amount {
    /// The most tokens.
    pub(crate) fn tokens(self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// The tokens that the provider is likely to count before it answers.
    pub(crate) fn expected_tokens(self) -> u64 {
        self.expected_input.min(self.input).saturating_add(self.output)
    }
}
