//! Reads OpenAI's answer: `{"data": [{"index", "embedding"}], "model", "usage"}`.

use serde::Deserialize;
use serde_json::Value;

use crate::embed::Rows;
use crate::usage::{Usage, UsageSource};
use crate::wire::embeddings::vectors::Vector;
use crate::wire::embeddings::{Decoded, listed, not_a_row};
use crate::wire::json::number::Number;
use crate::wire::{Failure, json};

#[derive(Deserialize)]
struct Body {
    data: Option<Vec<Item>>,
    #[serde(default)]
    model: Option<String>,
    id: Option<String>,
    #[serde(default)]
    usage: Option<Counts>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    index: Number,
    embedding: Option<Vector>,
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default)]
    prompt_tokens: Number,
    #[serde(default)]
    total_tokens: Number,
}

/// Decodes an answer whose base64 strings are floats.
pub(in crate::wire) fn decode(body: &[u8]) -> Result<Decoded, Failure> {
    decode_as(body, Vector::floats)
}

/// Decodes an answer; `components` reads one of its vectors.
pub(in crate::wire) fn decode_as(
    body: &[u8],
    components: fn(Vector) -> Result<Vec<f32>, &'static str>,
) -> Result<Decoded, Failure> {
    let mut repaired = None;
    let read: Body = json::read(body, &mut repaired)?;
    if let Some(error) = read.error.filter(|error| !error.is_null()) {
        return Err(Failure::inside(&error));
    }
    let Some(mut data) = read.data else { return Err(listed::missing(body, "data")) };
    order(&mut data)?;
    let mut rows = Rows::default();
    let count = data.len();
    for (place, item) in data.into_iter().enumerate() {
        let Some(vector) = item.embedding else {
            return Err(Failure::protocol(format!(
                "the response has no embedding of text {place}"
            )));
        };
        let row = components(vector).map_err(|problem| {
            Failure::protocol(format!("the embedding of text {place} {problem}"))
        })?;
        if place == 0 {
            rows.reserve(count, row.len());
        }
        rows.push(&row).map_err(|problem| not_a_row(place, problem))?;
    }
    Ok(Decoded {
        rows,
        usage: read.usage.map(usage).unwrap_or_default(),
        model: read.model.unwrap_or_default(),
        id: read.id,
    })
}

/// Puts the embeddings into the order of their indices. Without indices they keep their order.
fn order(data: &mut [Item]) -> Result<(), Failure> {
    if data.iter().all(|item| item.index == Number::None) {
        return Ok(());
    }
    let count = data.len();
    let mut seen = vec![false; count];
    for item in data.iter() {
        let index = item.index.count().ok_or_else(|| {
            Failure::protocol("an embedding has no index although others have one")
        })?;
        let place = usize::try_from(index).ok().and_then(|index| seen.get_mut(index));
        match place {
            None => {
                return Err(Failure::protocol(format!(
                    "an embedding has the index {index}, but the response has only {count}"
                )));
            }
            Some(true) => {
                return Err(Failure::protocol(format!("two embeddings have the index {index}")));
            }
            Some(seen) => *seen = true,
        }
    }
    // Most servers send them in order already; then this only compares neighbours.
    data.sort_by_key(|item| item.index.count());
    Ok(())
}

/// Voyage reports only the total, which is the same: there is no output.
fn usage(counts: Counts) -> Usage {
    let reported = |number: Number| number.count().filter(|count| *count > 0);
    match reported(counts.prompt_tokens).or_else(|| reported(counts.total_tokens)) {
        Some(tokens) => Usage::reported(tokens, 0),
        None => Usage { source: UsageSource::Missing, ..Usage::default() },
    }
}
