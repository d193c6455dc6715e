//! Mistral's embeddings: `POST /v1/embeddings` (docs.mistral.ai/api/endpoint/embeddings).

use super::{EmbeddingWire, Limits, Target, openai};

pub(in crate::wire) static MISTRAL: EmbeddingWire = EmbeddingWire {
    fixed: &["output_dtype"],
    limits,
    encode: |batch| openai::plain(batch, "output_dimension"),
    ..openai::ROW
};

/// Mistral's pages state no limits. These come from its errors:
///
/// - 256 texts: "Too many inputs in request, split into more batches." (rig-core,
///   `providers/mistral/embedding.rs`)
/// - 16,384 tokens: "Too many tokens in batch. Max is 16384" (aurelio-labs/semantic-router #297)
/// - 8,192 tokens for each text: 8,190 are accepted, 8,192 are refused (langchain-ai/langchain
///   #20523)
fn limits(_: Target<'_>) -> Limits {
    Limits { texts: 256, tokens: Some(16_384), text_tokens: Some(8_192), ..Limits::DEFAULT }
}
