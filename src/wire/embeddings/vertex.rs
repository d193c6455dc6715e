//! Embeddings on Vertex AI: `POST /publishers/google/models/{model}:predict`
//! (docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api), and
//! `:embedContent` for Gemini's second generation (python-genai 3.6, `models.py`,
//! `_EmbedContentConfig_to_vertex`).

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

use super::vectors::Vector;
use super::{Batch, Decoded, EmbeddingWire, Limits, Target, google, listed, truncates_end};
use crate::error::Error;
use crate::usage::Usage;
use crate::wire::json::number::Number;
use crate::wire::{Failure, json, vertex};

pub(in crate::wire) static VERTEX: EmbeddingWire = EmbeddingWire {
    path: |target| {
        let method = if embeds_content(target.model) { "embedContent" } else { "predict" };
        Cow::Owned(vertex::method_path(target.model, method))
    },
    required: &["content", "instances"],
    fixed: &[],
    limits,
    encode,
    decode,
};

/// Returns whether the model has `embedContent` only.
fn embeds_content(model: &str) -> bool {
    model.contains("gemini-embedding-2")
}

/// Models before Gemini: "up to 250 input texts" and "up to 20,000 tokens"; Gemini: one text in each
/// request. 2,048 tokens for each text, and longer ones are cut off unless the request says
/// otherwise (the page above, "Get text embeddings", and `autoTruncate`).
fn limits(target: Target<'_>) -> Limits {
    let limits = Limits {
        text_tokens: Some(google::text_tokens(target.model)),
        truncates: true,
        ..Limits::DEFAULT
    };
    match target.model.contains("gemini") {
        true => Limits { texts: 1, added_tokens: google::PREFIX_TOKENS, ..limits },
        false => Limits { texts: 250, tokens: Some(20_000), ..limits },
    }
}

fn encode(batch: &Batch<'_>) -> Result<Map<String, Value>, Error> {
    let Batch { request, texts, target } = *batch;
    let task_type =
        request.input_type.filter(|_| !google::has_prefixes(target.model)).map(google::task_type);
    let mut settings = Map::new();
    if let Some(truncates) = truncates_end(batch)? {
        settings.insert("autoTruncate".to_owned(), truncates.into());
    }
    if let Some(dimensions) = request.dimensions {
        settings.insert("outputDimensionality".to_owned(), dimensions.into());
    }
    let mut body = Map::with_capacity(2);
    let name = if embeds_content(target.model) {
        // The split gives each request one text.
        let text = texts.first().map_or("", String::as_str);
        let content = google::content(text, target.model, request.input_type);
        body.insert("content".to_owned(), content);
        if let Some(task_type) = task_type {
            settings.insert("taskType".to_owned(), task_type.into());
        }
        "embedContentConfig"
    } else {
        let instance = |text: &String| match task_type {
            Some(task_type) => json!({ "content": text, "task_type": task_type }),
            None => json!({ "content": text }),
        };
        body.insert("instances".to_owned(), texts.iter().map(instance).collect());
        "parameters"
    };
    if !settings.is_empty() {
        body.insert(name.to_owned(), settings.into());
    }
    Ok(body)
}

#[derive(Deserialize)]
struct Body {
    predictions: Option<Vec<Prediction>>,
    embedding: Option<Values>,
    #[serde(default, rename = "usageMetadata")]
    usage: Counts,
}

#[derive(Deserialize)]
struct Prediction {
    embeddings: Values,
}

#[derive(Deserialize)]
struct Values {
    values: Vector,
    #[serde(default)]
    statistics: Statistics,
}

#[derive(Deserialize, Default)]
struct Statistics {
    #[serde(default)]
    token_count: Number,
}

#[derive(Deserialize, Default)]
struct Counts {
    #[serde(default, rename = "promptTokenCount")]
    tokens: Number,
}

fn decode(body: &[u8]) -> Result<Decoded, Failure> {
    let mut repaired = None;
    let read: Body = json::read(body, &mut repaired)?;
    let (vectors, usage) = match (read.embedding, read.predictions) {
        (Some(embedding), _) => (vec![embedding.values], listed::usage(read.usage.tokens)),
        (None, Some(predictions)) => {
            // Counts of some texts alone would be too low.
            let counts =
                predictions.iter().map(|one| one.embeddings.statistics.token_count.count());
            let tokens = counts.sum::<Option<u64>>().filter(|_| !predictions.is_empty());
            let usage = tokens
                .map_or_else(|| listed::usage(Number::None), |tokens| Usage::reported(tokens, 0));
            (predictions.into_iter().map(|one| one.embeddings.values).collect(), usage)
        }
        (None, None) => return Err(listed::missing(body, "predictions")),
    };
    Ok(Decoded { rows: listed::rows(vectors)?, usage, model: String::new(), id: None })
}
