//! The trait by which a program supplies a model's tokenizer.

/// Counts the tokens of a text as a model does.
///
/// Without one, a text counts for as many tokens as it has bytes, which is never too
/// few and for English about four times too many. A tokenizer makes the sums that are
/// reserved before a call smaller, so that more calls fit into a budget at once; what
/// is booked after it is what the provider reports either way.
///
/// It is given every text of a request by itself: each text part, each description
/// and value in a tool. Roles, names of members, images and what the provider adds of
/// its own are counted apart, so it counts the text and nothing around it.
///
/// Its counts are trusted: where they are too low, a call can cost more than was
/// reserved for it. A count for another model of the same provider is no bound.
///
/// A closure will do:
///
/// ```
/// use tollgate::cost::Tokenizer;
///
/// fn takes(_: impl Tokenizer) {}
/// takes(|_: &str, model: &str, text: &str| {
///     // A token of this local model is a character.
///     (model == "tiny-chars").then(|| text.chars().count() as u64)
/// });
/// ```
pub trait Tokenizer: Send + Sync {
    /// Counts the tokens of `text` in `model` of `provider`, which is a provider's id.
    /// `None` for a model that it does not know; then each byte counts as a token.
    fn count(&self, provider: &str, model: &str, text: &str) -> Option<u64>;
}

impl<F> Tokenizer for F
where
    F: Fn(&str, &str, &str) -> Option<u64> + Send + Sync,
{
    fn count(&self, provider: &str, model: &str, text: &str) -> Option<u64> {
        self(provider, model, text)
    }
}
