//! Vectors that a body lists in the order of the texts.

use super::not_a_row;
use super::vectors::Vector;
use crate::embed::Rows;
use crate::usage::{Usage, UsageSource};
use crate::wire::json::bounded::Detail;
use crate::wire::json::number::Number;
use crate::wire::{Failure, failed, json};

/// Returns the rows of vectors in the order of the texts. A string is read as base64 of 32-bit
/// floats.
pub(super) fn rows(vectors: Vec<Vector>) -> Result<Rows, Failure> {
    let mut rows = Rows::default();
    let count = vectors.len();
    for (place, vector) in vectors.into_iter().enumerate() {
        let row = vector.floats().map_err(|problem| {
            Failure::protocol(format!("the embedding of text {place} {problem}"))
        })?;
        if place == 0 {
            rows.reserve(count, row.len());
        }
        rows.push(&row).map_err(|problem| not_a_row(place, problem))?;
    }
    Ok(rows)
}

/// Returns the usage for a count of tokens that the body may lack.
pub(super) fn usage(tokens: Number) -> Usage {
    match tokens.count() {
        Some(tokens) => Usage::reported(tokens, 0),
        None => Usage { source: UsageSource::Missing, ..Usage::default() },
    }
}

/// Returns the failure of a body without the `member` that has the embeddings: the failure that it
/// reports, if any.
pub(super) fn missing(body: &[u8], member: &str) -> Failure {
    let mut repaired = None;
    match json::read::<Detail>(body, &mut repaired) {
        Ok(read) => failed::report(&read.value).unwrap_or_else(|| {
            Failure::protocol(format!(
                "the response has no member {member:?}, which holds the embeddings"
            ))
        }),
        Err(failure) => failure,
    }
}
