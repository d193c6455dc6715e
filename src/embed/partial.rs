//! `EmbeddedTexts`: what a failed call had embedded.

use std::ops::Range;

use super::Embeddings;
use crate::error::Error;

/// The answer to one request of a call that failed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EmbeddedTexts {
    /// The places of its texts in [`EmbedRequest::texts`](super::EmbedRequest::texts).
    pub texts: Range<usize>,
    /// The vectors of these texts, and what they cost.
    pub embeddings: Embeddings,
}

impl Error {
    /// The requests that were answered before [`Client::embed`](crate::Client::embed) failed, in the
    /// order of the texts. Empty if there is none, and for every other call.
    ///
    /// You pay for these requests. Keep their vectors, and embed only the remaining texts again.
    /// Vectors of another length than those that came first are left out: they do not fit, and the
    /// call fails because of them.
    ///
    /// ```no_run
    /// # let client = tollgate::Client::openai("text-embedding-3-small").unwrap();
    /// let texts = vec!["Paris is in France.".to_owned(); 10_000];
    /// let mut vectors = vec![Vec::new(); texts.len()];
    /// if let Err(error) = client.embed(&texts) {
    ///     for part in error.embedded() {
    ///         for (place, vector) in part.texts.clone().zip(&part.embeddings) {
    ///             vectors[place] = vector.to_vec();
    ///         }
    ///     }
    /// }
    /// ```
    pub fn embedded(&self) -> &[EmbeddedTexts] {
        let answered = self.answered().and_then(|answered| answered.downcast_ref::<Vec<_>>());
        answered.map_or(&[], Vec::as_slice)
    }
}
