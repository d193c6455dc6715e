//! Gemini's embeddings: `POST /models/{model}:batchEmbedContents`
//! (ai.google.dev/api/embeddings#method:-models.batchembedcontents).

use serde::Deserialize;
use serde_json::{Map, Value};
use std::borrow::Cow;

use super::vectors::Vector;
use super::{Batch, Decoded, EmbeddingWire, Limits, Target, google, listed};
use crate::error::Error;
use crate::wire::json::number::Number;
use crate::wire::{Failure, gemini, json};

pub(in crate::wire) static GEMINI: EmbeddingWire = EmbeddingWire {
    path: |target| Cow::Owned(gemini::method_path(target.model, "batchEmbedContents")),
    required: &["requests"],
    fixed: &[],
    limits,
    encode,
    decode,
};

/// 100 texts: "BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch"
/// (geldata/gel #9032).
///
/// That longer texts are cut off is an assumption: Google documents `autoTruncate` for Vertex AI
/// alone, and does not say what the Gemini API does (discuss.ai.google.dev, topic 190649). If it
/// refused them, nothing would be billed, so a budget holds either way.
fn limits(target: Target<'_>) -> Limits {
    Limits {
        texts: 100,
        text_tokens: Some(google::text_tokens(target.model)),
        truncates: true,
        added_tokens: google::PREFIX_TOKENS,
        ..Limits::DEFAULT
    }
}

fn encode(batch: &Batch<'_>) -> Result<Map<String, Value>, Error> {
    let request = batch.request;
    if request.truncation.is_some() {
        return Err(Error::invalid_request(
            "the request sets a truncation, but the Gemini API has no setting for it; leave it \
             unset, and shorten long texts before the call",
        ));
    }
    // They would end up beside the list of requests, where the service does not know them.
    for name in ["title", "taskType", "outputDimensionality"] {
        if request.extra.contains_key(name) {
            return Err(Error::invalid_request(format!(
                "the request sets {name:?} in extra, but Gemini takes it for each text; set \
                 input_type or dimensions, or use Client::post"
            )));
        }
    }
    let model = batch.target.model;
    let resource = gemini::resource(model);
    let requests = batch.texts.iter().map(|text| {
        let mut one = Map::with_capacity(4);
        one.insert("model".to_owned(), resource.clone().into());
        one.insert("content".to_owned(), google::content(text, model, request.input_type));
        if let Some(input_type) = request.input_type.filter(|_| !google::has_prefixes(model)) {
            one.insert("taskType".to_owned(), google::task_type(input_type).into());
        }
        if let Some(dimensions) = request.dimensions {
            one.insert("outputDimensionality".to_owned(), dimensions.into());
        }
        Value::Object(one)
    });
    Ok(Map::from_iter([("requests".to_owned(), requests.collect())]))
}

#[derive(Deserialize)]
struct Body {
    embeddings: Option<Vec<Embedding>>,
    #[serde(default, rename = "usageMetadata")]
    usage: Usage,
}

#[derive(Deserialize)]
struct Embedding {
    values: Vector,
}

/// Older models report no usage.
#[derive(Deserialize, Default)]
struct Usage {
    #[serde(default, rename = "promptTokenCount")]
    tokens: Number,
}

fn decode(body: &[u8]) -> Result<Decoded, Failure> {
    let mut repaired = None;
    let read: Body = json::read(body, &mut repaired)?;
    let Some(embeddings) = read.embeddings else { return Err(listed::missing(body, "embeddings")) };
    let vectors = embeddings.into_iter().map(|embedding| embedding.values).collect();
    Ok(Decoded {
        rows: listed::rows(vectors)?,
        usage: listed::usage(read.usage.tokens),
        model: String::new(),
        id: None,
    })
}
