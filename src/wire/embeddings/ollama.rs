//! Ollama's embeddings: `POST /api/embed` (docs.ollama.com/api/embed).
//!
//! [`extra`](crate::embed::EmbedRequest::extra) sets `options` and `keep_alive`.

use serde::Deserialize;
use serde_json::{Map, Value};
use std::borrow::Cow;

use super::vectors::Vector;
use super::{Batch, Decoded, EmbeddingWire, Limits, listed, no_input_type, openai, truncates_end};
use crate::error::Error;
use crate::wire::json::number::Number;
use crate::wire::{Failure, json};

pub(in crate::wire) static OLLAMA: EmbeddingWire = EmbeddingWire {
    path: |_| Cow::Borrowed("/api/embed"),
    required: &["model", "input"],
    fixed: &[],
    limits: |_| Limits { truncates: true, ..Limits::DEFAULT },
    encode,
    decode,
};

fn encode(batch: &Batch<'_>) -> Result<Map<String, Value>, Error> {
    no_input_type(batch)?;
    let mut body = openai::members(batch);
    if let Some(truncates) = truncates_end(batch)? {
        body.insert("truncate".to_owned(), truncates.into());
    }
    if let Some(dimensions) = batch.request.dimensions {
        body.insert("dimensions".to_owned(), dimensions.into());
    }
    Ok(body)
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    model: Option<String>,
    embeddings: Option<Vec<Vector>>,
    #[serde(default)]
    prompt_eval_count: Number,
}

fn decode(body: &[u8]) -> Result<Decoded, Failure> {
    let mut repaired = None;
    let read: Body = json::read(body, &mut repaired)?;
    let Some(vectors) = read.embeddings else { return Err(listed::missing(body, "embeddings")) };
    Ok(Decoded {
        rows: listed::rows(vectors)?,
        usage: listed::usage(read.prompt_eval_count),
        model: read.model.unwrap_or_default(),
        id: None,
    })
}
