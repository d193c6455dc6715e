//! Embeddings on Amazon Bedrock: `POST /model/{model}/invoke`
//! (docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html).
//!
//! Each publisher has a body of its own: Amazon's Titan
//! (docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html) and
//! Cohere's Embed (…/model-parameters-embed-v3.html and …/model-parameters-embed-v4.html).

use serde::Deserialize;
use serde_json::{Map, Value};
use std::borrow::Cow;

use super::vectors::Vector;
use super::{
    Batch, Decoded, EmbeddingWire, Limits, Target, cohere, listed, no_input_type, no_truncation,
};
use crate::embed::Truncation;
use crate::error::Error;
use crate::path_segment;
use crate::wire::json::number::Number;
use crate::wire::{Failure, json};

pub(in crate::wire) static BEDROCK: EmbeddingWire = EmbeddingWire {
    path: |target| Cow::Owned(format!("/model/{}/invoke", path_segment::encode(target.model))),
    required: &["inputText", "texts", "input_type"],
    fixed: &["embeddingTypes", "embedding_types"],
    limits,
    encode,
    decode,
};

/// A publisher's form of request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Publisher {
    Amazon,
    Cohere,
}

/// Returns the publisher by the model's id, which may begin with a region (`eu.cohere.embed-v4:0`)
/// or be an ARN that contains it.
fn publisher(model: &str) -> Option<Publisher> {
    if model.contains("amazon.titan-embed-text") {
        Some(Publisher::Amazon)
    } else if model.contains("cohere.embed") {
        Some(Publisher::Cohere)
    } else {
        None
    }
}

/// Titan takes one text of up to 8,192 tokens.
fn limits(target: Target<'_>) -> Limits {
    match publisher(target.model) {
        Some(Publisher::Cohere) => Limits { truncates: false, ..cohere::limits(target) },
        _ => Limits { texts: 1, text_tokens: Some(8_192), ..Limits::DEFAULT },
    }
}

fn encode(batch: &Batch<'_>) -> Result<Map<String, Value>, Error> {
    let model = batch.target.model;
    match publisher(model) {
        Some(Publisher::Amazon) => titan(batch),
        Some(Publisher::Cohere) => {
            let mut body = Map::with_capacity(5);
            cohere::members(batch, &mut body)?;
            let is_fourth = model.contains("embed-v4");
            if let Some(truncation) = batch.request.truncation {
                let truncate = match truncation {
                    Truncation::Off => "NONE",
                    Truncation::Start if is_fourth => "LEFT",
                    Truncation::Start => "START",
                    Truncation::End if is_fourth => "RIGHT",
                    Truncation::End => "END",
                };
                body.insert("truncate".to_owned(), truncate.into());
            }
            Ok(body)
        }
        None => Err(Error::invalid_request(format!(
            "the form of requests for embeddings of the model {model:?} is unknown; use \
             amazon.titan-embed-text or cohere.embed, or send the body with Client::post to \
             /model/{{model}}/invoke"
        ))),
    }
}

fn titan(batch: &Batch<'_>) -> Result<Map<String, Value>, Error> {
    no_input_type(batch)?;
    no_truncation(batch)?;
    let mut body = Map::with_capacity(2);
    // The split gives each request one text.
    let text = batch.texts.first().map_or("", String::as_str);
    body.insert("inputText".to_owned(), text.into());
    if let Some(dimensions) = batch.request.dimensions {
        if !batch.target.model.contains("text-v2") {
            return Err(Error::invalid_request(format!(
                "the request sets dimensions, but {} has one length; leave it unset, or use \
                 amazon.titan-embed-text-v2:0",
                batch.target.model
            )));
        }
        body.insert("dimensions".to_owned(), dimensions.into());
    }
    Ok(body)
}

#[derive(Deserialize)]
struct Titan {
    embedding: Option<Vector>,
    #[serde(default, rename = "inputTextTokenCount")]
    tokens: Number,
}

/// Cohere's body has no count of tokens there.
fn decode(body: &[u8]) -> Result<Decoded, Failure> {
    let mut repaired = None;
    let read: Titan = json::read(body, &mut repaired)?;
    let Some(vector) = read.embedding else { return cohere::decode(body) };
    Ok(Decoded {
        rows: listed::rows(vec![vector])?,
        usage: listed::usage(read.tokens),
        model: String::new(),
        id: None,
    })
}
