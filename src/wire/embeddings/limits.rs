//! How much one request may contain.

/// How much one request for embeddings may contain. `None` means that no limit is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The most texts.
    pub(crate) texts: usize,
    /// The most tokens of all texts together.
    pub(crate) tokens: Option<u64>,
    /// The most tokens of one text. A longer one is refused or cut off, so no text is billed for
    /// more.
    pub(crate) text_tokens: Option<u64>,
    /// Whether a longer text is cut off unless the request says otherwise.
    pub(crate) truncates: bool,
    /// The most bytes of all texts together.
    pub(crate) bytes: Option<usize>,
    /// The most tokens that the provider adds to each text, such as `[CLS]` and `[SEP]`, or a
    /// prompt for the input type.
    pub(crate) added_tokens: u64,
}

impl Limits {
    /// The limits of a server about which nothing is known.
    ///
    /// Most models put at most two tokens around a text (BERT's `[CLS]` and `[SEP]`; T5's and
    /// Llama's one).
    pub(crate) const DEFAULT: Self = Self {
        texts: 96,
        tokens: None,
        text_tokens: None,
        truncates: false,
        bytes: None,
        added_tokens: 2,
    };

    /// Returns the most tokens that a text can be billed for, if it alone has `counted` tokens.
    pub(crate) fn billed(&self, counted: u64) -> u64 {
        let whole = counted.saturating_add(self.added_tokens);
        self.text_tokens.map_or(whole, |most| whole.min(most))
    }
}
