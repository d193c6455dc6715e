//! Encodes a request's body.

use serde_json::{Map, Value, json};

use super::{Service, contents, thinking, tools};
use crate::chat::{ChatRequest, ResponseFormat};
use crate::error::Error;
use crate::wire::schema::{self, Subset};
use crate::wire::{Delivery, Target, json, tool_turns, validate};

/// Encodes the body. It is the same for a whole answer and a stream; the path decides between them.
///
/// Fields that are documented as optional for providers are left out: the speaker's name, an
/// image's detail, and cache points, because caching is automatic
/// (ai.google.dev/gemini-api/docs/caching, "Implicit caching"). Anything else that the format
/// cannot express is an error that names it. What only some models reject, such as a schema with
/// tools before Gemini 3, is left for Google to reject.
pub(in crate::wire) fn encode(
    request: &ChatRequest,
    target: Target<'_>,
    delivery: Delivery,
    service: &Service,
) -> Result<Map<String, Value>, Error> {
    validate::validate(request, target.model)?;
    tool_turns::check(&request.messages)?;
    // Most requests have no more members.
    let mut body = Map::with_capacity(5);
    contents::write(&request.messages, target, service, &mut body)?;
    tools::write(request, target, service, &mut body)?;
    let generation = generation(request, target)?;
    if !generation.is_empty() {
        body.insert("generationConfig".into(), generation.into());
    }
    json::merge(&mut body, &request.extra);
    let choices = body.get("generationConfig").and_then(|config| config.get("candidateCount"));
    let choices = choices.and_then(Value::as_u64).unwrap_or(1);
    if delivery == Delivery::Stream && choices > 1 {
        return Err(Error::invalid_request(format!(
            "n is {choices}, but a stream yields one choice; call chat() for several, or leave n \
             unset"
        )));
    }
    // Both are in the path.
    if request.extra.contains_key("stream") {
        return Err(Error::invalid_request(
            "extra sets \"stream\", but Gemini's path decides between a stream and a whole \
             answer; remove it, and call stream() or chat()",
        ));
    }
    if request.extra.contains_key("model") {
        body.shift_remove("model");
    }
    Ok(body)
}

/// `GenerationConfig`.
fn generation(request: &ChatRequest, target: Target<'_>) -> Result<Map<String, Value>, Error> {
    let mut config = Map::new();
    for (name, value) in [("temperature", request.temperature), ("topP", request.top_p)] {
        if let Some(value) = value {
            config.insert(name.into(), value.into());
        }
    }
    if let Some(tokens) = request.max_output_tokens {
        config.insert("maxOutputTokens".into(), tokens.into());
    }
    if !request.stop.is_empty() {
        config.insert("stopSequences".into(), request.stop.clone().into());
    }
    if let Some(seed) = request.seed {
        // An `int32`.
        let Ok(seed) = i32::try_from(seed) else {
            return Err(Error::invalid_request(format!(
                "the seed is {seed}, but Gemini takes only 32 bits; use a seed from {} to {}",
                i32::MIN,
                i32::MAX
            )));
        };
        config.insert("seed".into(), seed.into());
    }
    if let Some(choices) = request.n {
        config.insert("candidateCount".into(), choices.into());
    }
    if let Some(alternatives) = request.logprobs {
        config.insert("responseLogprobs".into(), true.into());
        if alternatives > 0 {
            config.insert("logprobs".into(), alternatives.into());
        }
    }
    if let Some(format) = &request.response_format {
        response_format(format, &mut config)?;
    }
    if let Some(effort) = request.reasoning_effort {
        if let Some(thinking) = thinking::config(effort, target, request.max_output_tokens)? {
            config.insert("thinkingConfig".into(), thinking);
        }
    }
    Ok(config)
}

/// Sets `responseMimeType` and `responseJsonSchema`. The format has no member for the schema's
/// name. The description goes into the schema, where the model reads it.
fn response_format(format: &ResponseFormat, config: &mut Map<String, Value>) -> Result<(), Error> {
    let format = match format {
        ResponseFormat::Text => return Ok(()),
        ResponseFormat::JsonObject => None,
        ResponseFormat::JsonSchema(format) => Some(format),
    };
    config.insert("responseMimeType".into(), "application/json".into());
    if let Some(format) = format {
        let is_strict = format.strict == Some(true);
        let mut schema = schema::of_answer(format, is_strict, Subset::Gemini)?;
        if let (Some(description), Value::Object(schema)) = (&format.description, &mut schema) {
            schema.entry("description").or_insert_with(|| json!(description));
        }
        config.insert("responseJsonSchema".into(), schema);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
