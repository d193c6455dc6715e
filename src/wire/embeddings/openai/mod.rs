//! OpenAI's embeddings: `POST /v1/embeddings` (platform.openai.com/docs/api-reference/embeddings).

mod decode;

use serde_json::{Map, Value};
use std::borrow::Cow;

use super::{Batch, EmbeddingWire, Limits, Target, no_input_type, no_truncation};
use crate::error::Error;

pub(in crate::wire) use decode::{decode, decode_as};

/// OpenAI itself and Azure.
pub(in crate::wire) static OPENAI: EmbeddingWire = ROW;

/// Servers that follow OpenAI.
pub(in crate::wire) static COMPATIBLE: EmbeddingWire = EmbeddingWire {
    fixed: &["output_dtype", "embedding_types"],
    limits: compatible_limits,
    encode,
    ..ROW
};

/// [`OPENAI`] as a constant, for the formats that differ from it. They cannot start from a static.
pub(super) const ROW: EmbeddingWire = EmbeddingWire {
    path: |_| Cow::Borrowed("/embeddings"),
    required: &["model", "input"],
    fixed: &[],
    limits: openai_limits,
    encode: encode_base64,
    decode,
};

/// "any array must be 2048 dimensions or less", 8192 tokens for each input, and "a maximum of
/// 300,000 tokens summed across all inputs in a single request" (API reference, "Create
/// embeddings", `input`). OpenAI's tokenizers add nothing to a text.
fn openai_limits(_: Target<'_>) -> Limits {
    Limits {
        texts: 2_048,
        tokens: Some(300_000),
        text_tokens: Some(8_192),
        added_tokens: 0,
        ..Limits::DEFAULT
    }
}

/// What one request may contain differs from server to server.
fn compatible_limits(target: Target<'_>) -> Limits {
    let texts = match target.provider.as_str() {
        // "The maximum number of texts is 10" for text-embedding-v3 and v4 (Alibaba Cloud Model
        // Studio, "Text embedding").
        "alibaba" => 10,
        // "input batch size 473 > maximum allowed batch size 64" (n4ze3m/page-assist #371). RAGFlow
        // sends at most 32 (`internal/entity/models/siliconflow.go`), which is safe in both cases.
        "siliconflow" => 32,
        // text-embeddings-inference refuses more by default (`--max-client-batch-size`).
        "huggingface" => 32,
        _ => Limits::DEFAULT.texts,
    };
    Limits { texts, ..Limits::DEFAULT }
}

fn encode_base64(batch: &Batch<'_>) -> Result<Map<String, Value>, Error> {
    let mut body = encode(batch)?;
    // A quarter of the size of numbers, and exact.
    body.insert("encoding_format".to_owned(), "base64".into());
    Ok(body)
}

pub(super) fn encode(batch: &Batch<'_>) -> Result<Map<String, Value>, Error> {
    plain(batch, "dimensions")
}

/// Builds the body for a server without input types and truncation. `dimensions` is its name for the
/// length of the vectors.
pub(super) fn plain(batch: &Batch<'_>, dimensions: &str) -> Result<Map<String, Value>, Error> {
    no_input_type(batch)?;
    no_truncation(batch)?;
    let mut body = members(batch);
    if let Some(length) = batch.request.dimensions {
        body.insert(dimensions.to_owned(), length.into());
    }
    Ok(body)
}

/// The members that all formats of this family have.
pub(in crate::wire) fn members(batch: &Batch<'_>) -> Map<String, Value> {
    let mut body = Map::with_capacity(4);
    body.insert("model".to_owned(), batch.target.model.into());
    let texts = batch.texts.iter().map(|text| Value::from(text.as_str()));
    body.insert("input".to_owned(), texts.collect());
    body
}
