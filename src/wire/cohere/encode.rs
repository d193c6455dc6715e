//! Encodes a request's body.

use serde_json::{Map, Value, json};

use super::{messages, thinking, tools};
use crate::chat::{ChatRequest, ResponseFormat};
use crate::error::Error;
use crate::wire::schema::{self, Subset};
use crate::wire::{Delivery, Target, json, tool_turns, validate};

/// Encodes the body.
///
/// Fields that are documented as optional for providers are left out: the speaker's name, and cache
/// points, because caching is automatic (`Usage.cached_tokens`). Anything else that the format
/// cannot express is an error that names it. Combinations of settings, such as a schema together with
/// documents, are left for Cohere to judge. `safety_mode`, `citation_options`, `priority`, `k` and
/// the penalties are set with [`ChatRequest::extra`].
pub(super) fn encode(
    request: &ChatRequest,
    target: Target<'_>,
    delivery: Delivery,
) -> Result<Map<String, Value>, Error> {
    validate::validate(request, target.model)?;
    tool_turns::check(&request.messages)?;
    refuse_unsupported(request)?;
    let mut body = Map::with_capacity(8);
    body.insert("model".into(), target.model.into());
    messages::write(&request.messages, target, &mut body)?;
    tools::write(request, &mut body)?;
    let mut set = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    if let Some(format) = &request.response_format {
        if let Some(format) = response_format(format)? {
            set("response_format", format);
        }
    }
    if let Some(tokens) = request.max_output_tokens {
        set("max_tokens", tokens.into());
    }
    if !request.stop.is_empty() {
        set("stop_sequences", request.stop.clone().into());
    }
    for (name, value) in [("temperature", request.temperature), ("p", request.top_p)] {
        if let Some(value) = value {
            set(name, value.into());
        }
    }
    if let Some(seed) = request.seed {
        set("seed", seed.into());
    }
    if request.logprobs.is_some() {
        set("logprobs", true.into());
    }
    if let Some(effort) = request.reasoning_effort {
        set("thinking", thinking::config(effort, request.max_output_tokens));
    }
    delivery.write(request, &mut body)?;
    json::merge(&mut body, &request.extra);
    Ok(body)
}

fn refuse_unsupported(request: &ChatRequest) -> Result<(), Error> {
    let problem = match request {
        ChatRequest { n: Some(2..), .. } => format!(
            "n is {}, but Cohere generates one choice per request; send the request several times",
            request.n.unwrap_or_default()
        ),
        ChatRequest { logprobs: Some(1..), .. } => format!(
            "logprobs is {}, but Cohere returns the log probabilities of the chosen tokens only; \
             set it to 0",
            request.logprobs.unwrap_or_default()
        ),
        ChatRequest { seed: Some(..0), .. } => format!(
            "the seed is {}, but Cohere accepts no negative seed; use a seed of 0 or more",
            request.seed.unwrap_or_default()
        ),
        _ => return Ok(()),
    };
    Err(Error::invalid_request(problem))
}

/// Builds `response_format`. The format has no member for the schema's name. The description goes
/// into the schema, where the model reads it.
fn response_format(format: &ResponseFormat) -> Result<Option<Value>, Error> {
    let format = match format {
        ResponseFormat::Text => return Ok(None),
        ResponseFormat::JsonObject => return Ok(Some(json!({"type": "json_object"}))),
        ResponseFormat::JsonSchema(format) => format,
    };
    let is_strict = format.strict == Some(true);
    let mut schema = schema::of_answer(format, is_strict, Subset::Cohere)?;
    if let (Some(description), Value::Object(schema)) = (&format.description, &mut schema) {
        schema.entry("description").or_insert_with(|| json!(description));
    }
    Ok(Some(json!({"type": "json_object", "json_schema": schema})))
}

#[cfg(test)]
mod tests;
