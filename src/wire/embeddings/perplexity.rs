//! Perplexity's embeddings: `POST /v1/embeddings` (docs.perplexity.ai/api-reference/embeddings-post).
//!
//! The vectors are signed bytes in base64 and not normalised; compare them by cosine similarity
//! (docs.perplexity.ai, "Embeddings: Best Practices").

use std::borrow::Cow;

use super::vectors::Vector;
use super::{EmbeddingWire, Limits, Target, openai};

pub(in crate::wire) static PERPLEXITY: EmbeddingWire = EmbeddingWire {
    path: |_| Cow::Borrowed("/v1/embeddings"),
    // The other value has one bit for each component.
    fixed: &["encoding_format"],
    limits,
    encode: openai::encode,
    decode: |body| openai::decode_as(body, Vector::signed_bytes),
    ..openai::ROW
};

/// "Maximum 512 texts per request. Each input must not exceed 32K tokens. All inputs in a single
/// request must not exceed 120,000 tokens combined." (perplexity-py, `EmbeddingCreateParams.input`).
fn limits(_: Target<'_>) -> Limits {
    Limits { texts: 512, tokens: Some(120_000), text_tokens: Some(32_768), ..Limits::DEFAULT }
}
