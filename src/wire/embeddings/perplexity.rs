//! Perplexity's embeddings: `POST /v1/embeddings` (docs.perplexity.ai/api-reference/embeddings-post).
//!
//! The vectors are signed bytes in base64 and not normalised; compare them by cosine similarity
//! (docs.perplexity.ai, "Embeddings: Best Practices").

use serde_json::{Map, Value};
use std::borrow::Cow;

use super::vectors::Vector;
use super::{Batch, EmbeddingWire, Limits, Target, no_input_type, no_truncation, openai};
use crate::error::Error;

pub(in crate::wire) static PERPLEXITY: EmbeddingWire = EmbeddingWire {
    path: |_| Cow::Borrowed("/v1/embeddings"),
    required: &["model", "input"],
    // The other value has one bit for each component.
    fixed: &["encoding_format"],
    limits,
    encode,
    decode: |body| openai::decode_as(body, Vector::signed_bytes),
};

/// "Maximum 512 texts per request. Each input must not exceed 32K tokens. All inputs in a single
/// request must not exceed 120,000 tokens combined." (perplexity-py, `EmbeddingCreateParams.input`).
fn limits(_: Target<'_>) -> Limits {
    Limits { texts: 512, tokens: Some(120_000), text_tokens: Some(32_768), ..Limits::DEFAULT }
}

fn encode(batch: &Batch<'_>) -> Result<Map<String, Value>, Error> {
    no_input_type(batch)?;
    no_truncation(batch)?;
    let mut body = openai::members(batch);
    if let Some(dimensions) = batch.request.dimensions {
        body.insert("dimensions".to_owned(), dimensions.into());
    }
    Ok(body)
}
