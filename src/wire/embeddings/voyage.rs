//! Voyage's embeddings: `POST /v1/embeddings` (docs.voyageai.com/reference/embeddings-api).

use serde_json::{Map, Value};

use super::{Batch, EmbeddingWire, Limits, Target, openai, other_input_type, truncates_end};
use crate::embed::InputType;
use crate::error::Error;

pub(in crate::wire) static VOYAGE: EmbeddingWire =
    EmbeddingWire { fixed: &["output_dtype"], limits, encode, ..openai::ROW };

/// 1,000 texts, and a number of tokens that depends on the model (mongodb.com/docs/voyageai, "Text
/// Embeddings"; older models: docs.voyageai.com/docs/embeddings). Models without an entry there get
/// 120,000, the smallest number. Longer texts are cut off unless the request says otherwise.
///
/// Voyage adds a prompt for the input type, such as "Represent the query for retrieving supporting
/// documents: ". That it has at most 16 tokens is an assumption; it has eight words.
fn limits(target: Target<'_>) -> Limits {
    let (tokens, text_tokens) = match target.model {
        "voyage-4-lite" | "voyage-3.5-lite" => (1_000_000, 32_000),
        "voyage-4" | "voyage-3.5" | "voyage-code-4" => (320_000, 32_000),
        "voyage-2" => (320_000, 4_000),
        "voyage-law-2" | "voyage-code-2" | "voyage-large-2" => (120_000, 16_000),
        _ => (120_000, 32_000),
    };
    Limits {
        texts: 1_000,
        tokens: Some(tokens),
        text_tokens: Some(text_tokens),
        truncates: true,
        added_tokens: 16,
        ..Limits::DEFAULT
    }
}

fn encode(batch: &Batch<'_>) -> Result<Map<String, Value>, Error> {
    let request = batch.request;
    let mut body = openai::members(batch);
    let input_type = match request.input_type {
        None => None,
        Some(InputType::Query) => Some("query"),
        Some(InputType::Document) => Some("document"),
        Some(other) => return Err(other_input_type(batch, other, &["query", "document"])),
    };
    if let Some(input_type) = input_type {
        body.insert("input_type".to_owned(), input_type.into());
    }
    if let Some(truncates) = truncates_end(batch)? {
        body.insert("truncation".to_owned(), truncates.into());
    }
    if let Some(dimensions) = request.dimensions {
        body.insert("output_dimension".to_owned(), dimensions.into());
    }
    // 32-bit floats (voyageai-python, `util.py`, `decode_base64_embedding`).
    body.insert("encoding_format".to_owned(), "base64".into());
    Ok(body)
}
