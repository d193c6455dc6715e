//! Jina's embeddings: `POST /v1/embeddings` (api.jina.ai/openapi.json).
//!
//! [`extra`](crate::embed::EmbedRequest::extra) sets what only Jina has, such as `late_chunking` and
//! `normalized`.

use serde_json::{Map, Value};

use super::{Batch, EmbeddingWire, Limits, Target, openai, other_input_type, truncates_end};
use crate::embed::InputType;
use crate::error::Error;

pub(in crate::wire) static JINA: EmbeddingWire = EmbeddingWire {
    fixed: &["embedding_type", "return_multivector"],
    limits,
    encode,
    ..openai::ROW
};

/// 8,192 tokens for each text until the third generation and in the small models (`nano`), 32,768 in
/// the others from the fourth on (the models' pages, jina.ai/models).
///
/// Two numbers are assumptions: 512 texts, which Jina states for `/v1/classify` alone, and at most
/// 16 tokens for the prompt of a task.
fn limits(target: Target<'_>) -> Limits {
    let is_short =
        ["-v1", "-v2", "-v3", "clip", "-nano"].iter().any(|part| target.model.contains(part));
    Limits {
        texts: 512,
        text_tokens: Some(if is_short { 8_192 } else { 32_768 }),
        added_tokens: 16,
        ..Limits::DEFAULT
    }
}

fn encode(batch: &Batch<'_>) -> Result<Map<String, Value>, Error> {
    let request = batch.request;
    let mut body = openai::members(batch);
    if let Some(input_type) = request.input_type {
        body.insert("task".to_owned(), task(batch, input_type)?.into());
    }
    if let Some(truncates) = truncates_end(batch)? {
        body.insert("truncate".to_owned(), truncates.into());
    }
    if let Some(dimensions) = request.dimensions {
        body.insert("dimensions".to_owned(), dimensions.into());
    }
    // Little-endian 32-bit floats, as LightRAG reads them (`lightrag/llm/jina.py`).
    body.insert("embedding_type".to_owned(), "base64".into());
    Ok(body)
}

/// Returns the task (api.jina.ai/openapi.json, `task` of each model). The third generation calls
/// clustering `separation`. The fourth has `code.query` instead of classification and clustering.
/// The models for code have pairs of tasks; the one for searching code with words is `nl2code`.
fn task(batch: &Batch<'_>, input_type: InputType) -> Result<&'static str, Error> {
    let model = batch.target.model;
    let is_third = model.contains("-v3");
    let is_code = model.contains("code-embeddings");
    let known: &[&str] = if is_code {
        &["query", "document", "code_query"]
    } else if is_third || model.contains("-v5") {
        &["query", "document", "similarity", "classification", "clustering"]
    } else if model.contains("-v2") || model.contains("-v1") {
        &[]
    } else {
        &["query", "document", "similarity", "code_query"]
    };
    if known.is_empty() {
        return Err(Error::invalid_request(format!(
            "the request sets the input type {input_type}, but {model} has none; leave it unset, or \
             use jina-embeddings-v3 or later"
        )));
    }
    if !known.contains(&input_type.as_str()) {
        return Err(other_input_type(batch, input_type, known));
    }
    Ok(match input_type {
        InputType::Query | InputType::CodeQuery if is_code => "nl2code.query",
        InputType::Document if is_code => "nl2code.passage",
        InputType::Query => "retrieval.query",
        InputType::Document => "retrieval.passage",
        InputType::Similarity => "text-matching",
        InputType::Classification => "classification",
        InputType::Clustering if is_third => "separation",
        InputType::Clustering => "clustering",
        InputType::CodeQuery => "code.query",
        other => return Err(other_input_type(batch, other, known)),
    })
}
