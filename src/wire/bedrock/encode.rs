//! Encodes a request's body.

use serde_json::{Map, Value, json};

use super::model::Vendor;
use super::{messages, reasoning, tools};
use crate::chat::{ChatRequest, ResponseFormat};
use crate::error::Error;
use crate::header::HeaderValue;
use crate::wire::json::object_of;
use crate::wire::schema::{self, Subset};
use crate::wire::{Delivery, Target, json as wire, tool_turns, validate};

/// The member for settings that only some models have. Bedrock passes it on to the model.
pub(super) const ADDITIONAL: &str = "additionalModelRequestFields";

/// Encodes the body. It is the same for a whole answer and a stream; the path decides between them.
///
/// Fields that are documented as best effort are left out: the seed, the speaker's name, an image's
/// detail. Converse has none of them. Anything else that the format cannot express is an error that
/// names it. Bedrock itself rejects what only some models do not support.
pub(super) fn encode(
    request: &ChatRequest,
    target: Target<'_>,
    _delivery: Delivery,
) -> Result<Map<String, Value>, Error> {
    validate::validate(request, target.model)?;
    tool_turns::check(&request.messages)?;
    // Most requests have no more members.
    let mut body = Map::with_capacity(5);
    messages::write(&request.messages, target, &mut body)?;
    let mut inference = inference(request)?;
    let mut additional = Map::new();
    tools::write(request, &mut body)?;
    let mut output = Map::new();
    if let Some(format) = &request.response_format {
        if let Some(format) = text_format(format)? {
            output.insert("textFormat".into(), format);
        }
    }
    if let Some(effort) = request.reasoning_effort {
        reasoning::write(effort, target, &mut inference, &mut additional, &mut output)?;
    }
    if !request.betas.is_empty() {
        if Vendor::of(target.model) != Vendor::Anthropic {
            return Err(Error::invalid_request(format!(
                "the request names the beta {:?}, but only Anthropic's models have betas; remove it",
                request.betas[0]
            )));
        }
        additional.insert("anthropic_beta".into(), request.betas.clone().into());
    }
    for (name, members) in
        [("inferenceConfig", inference), ("outputConfig", output), (ADDITIONAL, additional)]
    {
        if !members.is_empty() {
            body.insert(name.into(), members.into());
        }
    }
    wire::merge(&mut body, &request.extra);
    if request.extra.contains_key("stream") {
        return Err(Error::invalid_request(
            "extra sets \"stream\", but Bedrock's path decides between a stream and a whole answer; \
             remove it, and call stream() or chat()",
        ));
    }
    // The path names the model.
    for name in ["model", "modelId"] {
        body.shift_remove(name);
    }
    tools::check(&body)?;
    Ok(body)
}

/// The betas of Anthropic's models are in the body.
///
/// # Errors
///
/// None; [`encode`] refuses betas for other models.
pub(super) fn betas(
    _request: &ChatRequest,
    _set: Option<&HeaderValue>,
) -> Result<Option<HeaderValue>, Error> {
    Ok(None)
}

/// `InferenceConfiguration`.
fn inference(request: &ChatRequest) -> Result<Map<String, Value>, Error> {
    let refuse = |what: &str| Err(Error::invalid_request(what));
    if request.n.is_some_and(|choices| choices > 1) {
        return refuse(
            "the request asks for several choices, but Bedrock's Converse makes one; leave n unset \
             and make several calls",
        );
    }
    if request.logprobs.is_some() {
        return refuse(
            "the request asks for logprobs, which Bedrock's Converse does not have; leave them unset",
        );
    }
    let mut config = Map::new();
    if let Some(tokens) = request.max_output_tokens {
        config.insert("maxTokens".into(), tokens.into());
    }
    for (name, value) in [("temperature", request.temperature), ("topP", request.top_p)] {
        if let Some(value) = value {
            config.insert(name.into(), value.into());
        }
    }
    if !request.stop.is_empty() {
        config.insert("stopSequences".into(), request.stop.clone().into());
    }
    Ok(config)
}

/// `OutputFormat`, whose schema is JSON in a text.
fn text_format(format: &ResponseFormat) -> Result<Option<Value>, Error> {
    let format = match format {
        ResponseFormat::Text => return Ok(None),
        ResponseFormat::JsonObject => {
            return Err(Error::invalid_request(
                "the request asks for JSON mode without a schema, which Bedrock does not have; set a \
                 schema with ResponseFormat::json_schema",
            ));
        }
        ResponseFormat::JsonSchema(format) => format,
    };
    let schema = schema::of_answer(format, true, Subset::Anthropic)?;
    let mut definition = Map::with_capacity(3);
    definition.insert("schema".into(), schema.to_string().into());
    definition.insert("name".into(), format.name.as_str().into());
    if let Some(description) = &format.description {
        definition.insert("description".into(), description.as_str().into());
    }
    Ok(Some(
        object_of!("type": "json_schema".into(), "structure": json!({"jsonSchema": definition})),
    ))
}

#[cfg(test)]
mod tests;
