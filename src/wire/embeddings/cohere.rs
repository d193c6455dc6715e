//! Cohere's embeddings: `POST /v2/embed` (docs.cohere.com/reference/embed). Bedrock has the same
//! members.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

use super::vectors::Vector;
use super::{Batch, Decoded, EmbeddingWire, Limits, Target, listed, other_input_type};
use crate::embed::{InputType, Truncation};
use crate::error::Error;
use crate::wire::json::number::Number;
use crate::wire::{Failure, json};

pub(in crate::wire) static COHERE: EmbeddingWire = EmbeddingWire {
    path: |_| Cow::Borrowed("/v2/embed"),
    required: &["model", "texts", "input_type"],
    fixed: &["embedding_types"],
    limits: |target| limits(target),
    encode,
    decode,
};

/// 96 texts (API reference). The third generation reads 512 tokens, the fourth 128,000
/// (docs.cohere.com/docs/cohere-embed). Longer texts are cut off unless the request says otherwise.
/// An input type adds a token or two.
pub(super) fn limits(target: Target<'_>) -> Limits {
    let text_tokens = if target.model.contains("embed-v4") { 128_000 } else { 512 };
    Limits {
        texts: 96,
        text_tokens: Some(text_tokens),
        truncates: true,
        added_tokens: 4,
        ..Limits::DEFAULT
    }
}

fn encode(batch: &Batch<'_>) -> Result<Map<String, Value>, Error> {
    let mut body = Map::with_capacity(6);
    body.insert("model".to_owned(), batch.target.model.into());
    members(batch, &mut body)?;
    if let Some(truncation) = batch.request.truncation {
        let truncate = match truncation {
            Truncation::Off => "NONE",
            Truncation::Start => "START",
            Truncation::End => "END",
        };
        body.insert("truncate".to_owned(), truncate.into());
    }
    Ok(body)
}

/// Adds the members that Bedrock has too.
pub(super) fn members(batch: &Batch<'_>, body: &mut Map<String, Value>) -> Result<(), Error> {
    let Batch { request, texts, target } = *batch;
    let known = ["query", "document", "classification", "clustering"];
    let input_type = match request.input_type {
        Some(InputType::Query) => "search_query",
        Some(InputType::Document) => "search_document",
        Some(InputType::Classification) => "classification",
        Some(InputType::Clustering) => "clustering",
        Some(other) => return Err(other_input_type(batch, other, &known)),
        None => {
            return Err(Error::invalid_request(format!(
                "the request has no input type, but Cohere's models need one; set one of {}",
                known.join(", ")
            )));
        }
    };
    body.insert("texts".to_owned(), texts.iter().map(|text| Value::from(&**text)).collect());
    body.insert("input_type".to_owned(), input_type.into());
    // Not "base64": the reference does not say how long its floats are.
    body.insert("embedding_types".to_owned(), json!(["float"]));
    if let Some(dimensions) = request.dimensions {
        if target.model.contains("-v3") || target.model.contains("-v2") {
            return Err(Error::invalid_request(format!(
                "the request sets dimensions, but {} has one length; leave it unset, or use \
                 embed-v4.0",
                target.model
            )));
        }
        body.insert("output_dimension".to_owned(), dimensions.into());
    }
    Ok(())
}

#[derive(Deserialize)]
struct Body {
    id: Option<String>,
    embeddings: Option<Embeddings>,
    #[serde(default)]
    meta: Meta,
}

/// By type, or a bare list, as Bedrock answers requests without `embedding_types`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Embeddings {
    ByType { float: Vec<Vector> },
    Listed(Vec<Vector>),
}

#[derive(Deserialize, Default)]
struct Meta {
    #[serde(default)]
    billed_units: BilledUnits,
}

#[derive(Deserialize, Default)]
struct BilledUnits {
    #[serde(default)]
    input_tokens: Number,
}

pub(super) fn decode(body: &[u8]) -> Result<Decoded, Failure> {
    let mut repaired = None;
    let read: Body = json::read(body, &mut repaired)?;
    let vectors = match read.embeddings {
        Some(Embeddings::ByType { float: vectors } | Embeddings::Listed(vectors)) => vectors,
        None => return Err(listed::missing(body, "embeddings")),
    };
    Ok(Decoded {
        rows: listed::rows(vectors)?,
        usage: listed::usage(read.meta.billed_units.input_tokens),
        model: String::new(),
        id: read.id,
    })
}
