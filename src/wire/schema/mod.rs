//! Adapts the JSON Schemas of tools and answers so that the provider accepts them.
//!
//! With a strict schema the model must match it exactly. Providers accept strict schemas only in a
//! subset of JSON Schema: every object closed, every member required. This module completes what
//! derived schemas leave open, moves unsupported limits into the description, and rejects what has
//! no equivalent with its place in the schema.

mod arguments;
mod gemini;
mod keywords;
mod kind;
mod nullable;
mod path;
mod reference;
mod required;
mod strict;

use serde_json::Value;

use crate::chat::{Function, JsonSchema};
use crate::error::Error;

/// The subset of JSON Schema for strict schemas.
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
    /// Cohere's: docs.cohere.com/docs/structured-outputs, "Supported schema features" and
    /// "Unsupported schema features". Members may be optional, but each object needs a required
    /// one ("Schema constraints").
    Cohere,
    /// Gemini's, of `responseJsonSchema` and `parametersJsonSchema`: the keywords that the API
    /// reference lists for the first (ai.google.dev/api/generate-content, `GenerationConfig`). It
    /// reads past others. Members may be optional, and objects open.
    Gemini,
    /// No restriction, for servers that compile the schema into a grammar themselves, as vLLM and
    /// llama.cpp do.
    Any,
}

/// What a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The arguments of a tool, always an object.
    Arguments,
    /// An answer.
    Answer,
}

/// Returns the schema of a tool's arguments as sent.
pub(super) fn of_tool(function: &Function, subset: Subset) -> Result<Value, Error> {
    let schema = match function.strict {
        Some(true) => strict(&function.parameters, subset, Purpose::Arguments),
        _ => arguments::arguments(&function.parameters).map(|schema| lenient(schema, subset)),
    };
    schema.map_err(|problem| {
        Error::invalid_request(format!("the parameters of tool {:?} {problem}", function.name))
    })
}

/// Returns the schema of an answer as sent.
pub(super) fn of_answer(
    format: &JsonSchema,
    is_strict: bool,
    subset: Subset,
) -> Result<Value, Error> {
    if !is_strict && format.schema.is_object() {
        return Ok(lenient(format.schema.clone(), subset));
    }
    strict(&format.schema, subset, Purpose::Answer).map_err(|problem| {
        Error::invalid_request(format!(
            "the schema {:?} of the response format {problem}",
            format.name
        ))
    })
}

/// Completes a strict schema. Optional members become required and nullable, as OpenAI's guide
/// recommends.
///
/// # Errors
///
/// A schema without an equivalent in the subset. The message has its place as a JSON path and what
/// to do instead.
fn strict(schema: &Value, subset: Subset, purpose: Purpose) -> Result<Value, String> {
    let complete = |required| strict::complete(schema, subset, purpose, required);
    if subset == Subset::Gemini {
        return complete(false);
    }
    if subset == Subset::Cohere {
        let schema = complete(false)?;
        return if required::has_any(&schema) { Ok(schema) } else { complete(true) };
    }
    let schema = complete(true)?;
    // Anthropic allows at most 16 unions in the strict schemas of a request, and accepts optional
    // members unchanged ("Structured outputs", section "Schema complexity limits").
    if subset == Subset::Anthropic && nullable::unions(&schema) > 16 {
        return complete(false);
    }
    Ok(schema)
}

/// A schema that need not be kept to exactly. Gemini reads past keywords that it lacks, so what
/// they say is said in other words as far as there are any; the others take the schema as it is.
fn lenient(schema: Value, subset: Subset) -> Value {
    match subset {
        Subset::Gemini => {
            strict::complete(&schema, subset, Purpose::Answer, false).unwrap_or(schema)
        }
        _ => schema,
    }
}

#[cfg(test)]
mod tests;
