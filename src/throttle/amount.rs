//! What one attempt takes of the limits.

/// What one attempt takes of the limits: one request, one call in flight, and at most this many
/// tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    /// The most input tokens.
    pub(crate) input: u64,
    /// The most output tokens.
    pub(crate) output: u64,
    /// As many of these as the caller asks for, or as an answer needs at least. Fewer than `output`
    /// if a budget has set the output limit.
    pub(crate) needed_output: u64,
    /// The estimated input tokens. The bound counts a token for each byte, about four times too
    /// many, so it does not show that a request is too large.
    pub(crate) expected_input: u64,
}

impl Amount {
    /// The most tokens.
    pub(crate) fn tokens(self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// The tokens that the provider is likely to count before it answers, if the answer is no
    /// longer than it must be.
    pub(crate) fn needed_tokens(self) -> u64 {
        self.expected_input.min(self.input).saturating_add(self.needed_output)
    }
}
