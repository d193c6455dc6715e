//! JSON Schemas of tools and answers, written so that the provider accepts them.
//!
//! A strict schema is a promise that the model keeps to it exactly, and providers accept
//! one only in a subset of JSON Schema: every object closed, every member required. What
//! derived schemas leave open is completed, what only a keyword says is said in the
//! description, and what has no equivalent is refused with its place.

mod arguments;
mod keywords;
mod nullable;
mod path;
mod reference;
mod strict;

use serde_json::Value;

use crate::chat::{Function, JsonSchema};
use crate::error::Error;

/// The subset of JSON Schema that a strict schema is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subset {
    /// OpenAI's: "Structured model outputs", section "Supported schemas"
    /// (developers.openai.com/api/docs/guides/structured-outputs); the keywords as in
    /// pydantic-ai's `profiles/openai.py` and openai-node's `lib/transform.ts`.
    OpenAi,
    /// Anthropic's: "Structured outputs", section "JSON Schema limitations"
    /// (platform.claude.com/docs/en/build-with-claude/structured-outputs); the keywords as
    /// in anthropic-sdk-python's `lib/_parse/_transform.py`.
    Anthropic,
    /// Whatever a server takes that compiles the schema into a grammar itself, as vLLM and
    /// llama.cpp do.
    Any,
}

/// What a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The arguments of a tool, which are an object.
    Arguments,
    /// An answer.
    Answer,
}

/// The schema of a tool's arguments as it is sent.
pub(super) fn of_tool(function: &Function, subset: Subset) -> Result<Value, Error> {
    let schema = match function.strict {
        Some(true) => strict(&function.parameters, subset, Purpose::Arguments),
        _ => arguments::arguments(&function.parameters),
    };
    schema.map_err(|problem| {
        Error::invalid_request(format!("the parameters of tool {:?} {problem}", function.name))
    })
}

/// The schema of an answer as it is sent.
pub(super) fn of_answer(
    format: &JsonSchema,
    is_strict: bool,
    subset: Subset,
) -> Result<Value, Error> {
    if !is_strict && format.schema.is_object() {
        return Ok(format.schema.clone());
    }
    strict(&format.schema, subset, Purpose::Answer).map_err(|problem| {
        Error::invalid_request(format!(
            "the schema {:?} of the response format {problem}",
            format.name
        ))
    })
}

/// Completes a strict schema. Optional members become required and nullable, as OpenAI's
/// guide says to write them.
///
/// # Errors
///
/// What has no equivalent in the subset, with its place as a JSON path and the remedy.
fn strict(schema: &Value, subset: Subset, purpose: Purpose) -> Result<Value, String> {
    let complete = |required| strict::complete(schema, subset, purpose, required);
    let schema = complete(true)?;
    // Anthropic takes at most 16 unions in the strict schemas of a request, and optional
    // members as they are ("Structured outputs", section "Schema complexity limits").
    if subset == Subset::Anthropic && nullable::unions(&schema) > 16 {
        return complete(false);
    }
    Ok(schema)
}

#[cfg(test)]
mod tests;
