//! Encodes a request's body.

use serde_json::{Map, Value, json};

use super::{cache_points, conversation, thinking, tools};
use crate::chat::{ChatRequest, ResponseFormat};
use crate::error::Error;
use crate::wire::schema::{self, Subset};
use crate::wire::{Delivery, Target, json, tool_turns, validate};

/// The `max_tokens` of a request that sets none; the format requires one.
const DEFAULT_MAX_TOKENS: u32 = 4096;

/// Builds the body.
///
/// Fields that are documented as best effort are left out, so that one request works with several
/// providers: `seed`, the speaker's name, an image's detail. Anthropic has none of them. Everything
/// else that the format cannot express is an error that names it. Anthropic itself rejects what
/// only some models do not support, such as a temperature with thinking.
pub(in crate::wire) fn encode(
    request: &ChatRequest,
    target: Target<'_>,
    delivery: Delivery,
) -> Result<Map<String, Value>, Error> {
    let model = target.model;
    validate::validate(request, model)?;
    tool_turns::check(&request.messages)?;
    let max_tokens = request.max_output_tokens.unwrap_or(DEFAULT_MAX_TOKENS);
    // The size of most requests.
    let mut body = Map::with_capacity(7);
    body.insert("model".into(), model.into());
    body.insert("max_tokens".into(), max_tokens.into());
    conversation::write(&request.messages, target, &mut body)?;
    tools::write(request, &mut body)?;
    sampling(request, &mut body)?;

    let mut output = Map::new();
    if let Some(format) = &request.response_format {
        if let Some(format) = response_format(format)? {
            output.insert("format".into(), format);
        }
    }
    if let Some(effort) = request.reasoning_effort {
        thinking::write(effort, target, max_tokens, &mut body, &mut output)?;
    }
    if !output.is_empty() {
        body.insert("output_config".into(), output.into());
    }
    delivery.write(request, &mut body)?;
    json::merge(&mut body, &request.extra);
    cache_points::check(request, &body)?;
    Ok(body)
}

fn sampling(request: &ChatRequest, body: &mut Map<String, Value>) -> Result<(), Error> {
    for (name, value) in [("temperature", request.temperature), ("top_p", request.top_p)] {
        if let Some(value) = value {
            body.insert(name.into(), value.into());
        }
    }
    if request.n.is_some_and(|choices| choices > 1) {
        return Err(Error::invalid_request(
            "the request asks for several choices, but Anthropic supports one; leave n unset and \
             make several calls",
        ));
    }
    if request.logprobs.is_some() {
        return Err(Error::invalid_request(
            "the request asks for logprobs, which Anthropic does not support; leave them unset",
        ));
    }
    // "each stop sequence must contain non-whitespace" (BerriAI/litellm #3286).
    if let Some(index) = request.stop.iter().position(|text| text.trim().is_empty()) {
        return Err(Error::invalid_request(format!(
            "stop[{index}] is only white space, which Anthropic rejects; remove it, and cut the \
             text there yourself"
        )));
    }
    if !request.stop.is_empty() {
        body.insert("stop_sequences".into(), request.stop.clone().into());
    }
    Ok(())
}

/// Builds `output_config.format`. It is generally available and replaces `output_format` of the
/// beta `structured-outputs-2025-11-13` (Vercel's page "Structured Outputs" of its Anthropic
/// gateway; `output_config_param.py`).
///
/// The format has no member for the schema's name, and it is always strict. The description goes
/// into the schema, where the model reads it.
fn response_format(format: &ResponseFormat) -> Result<Option<Value>, Error> {
    match format {
        ResponseFormat::Text => Ok(None),
        ResponseFormat::JsonObject => Err(Error::invalid_request(
            "Anthropic has no JSON mode without a schema; use ResponseFormat::json_schema",
        )),
        ResponseFormat::JsonSchema(format) => {
            let mut schema = schema::of_answer(format, true, Subset::Anthropic)?;
            if let (Some(description), Value::Object(schema)) = (&format.description, &mut schema) {
                schema.entry("description").or_insert_with(|| description.as_str().into());
            }
            Ok(Some(json!({"type": "json_schema", "schema": schema})))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Image, JsonSchema, Message, ReasoningEffort};
    use crate::error::ErrorKind;

    fn body(request: ChatRequest) -> Value {
        Value::Object(
            encode(&request, Target::anthropic("claude-sonnet-4-5"), Delivery::Whole).unwrap(),
        )
    }

    fn hi() -> ChatRequest {
        ChatRequest::from("hi")
    }

    #[test]
    fn a_plain_request_has_only_the_required_members() {
        assert_eq!(
            body(hi()),
            json!({
                "model": "claude-sonnet-4-5",
                "max_tokens": 4096,
                "messages": [{"role": "user", "content": "hi"}],
            })
        );
    }

    #[test]
    fn every_option_is_written() {
        let request = hi()
            .max_output_tokens(10_000)
            .temperature(0.25)
            .top_p(0.5)
            .stop("END")
            .response_format(ResponseFormat::json_schema("answer", json!({"type": "object"})))
            .reasoning_effort(ReasoningEffort::Low)
            .extra("top_k", 5)
            .extra("output_config", json!({"effort": "low"}));
        assert_eq!(
            body(request),
            json!({
                "model": "claude-sonnet-4-5",
                "max_tokens": 10_000,
                "messages": [{"role": "user", "content": "hi"}],
                "temperature": 0.25,
                "top_p": 0.5,
                "top_k": 5,
                "stop_sequences": ["END"],
                "thinking": {"type": "enabled", "budget_tokens": 2000},
                "output_config": {
                    "effort": "low",
                    "format": {"type": "json_schema", "schema": {"type": "object",
                        "properties": {}, "required": [], "additionalProperties": false}},
                },
            })
        );
    }

    #[test]
    fn a_response_format_becomes_an_output_config() {
        for (description, schema, expected) in [
            (None, json!({"type": "string"}), json!({"type": "string"})),
            (
                Some("What it is"),
                json!({"type": "string"}),
                json!({"type": "string", "description": "What it is"}),
            ),
            (
                Some("What it is"),
                json!({"type": "string", "description": "The schema's own"}),
                json!({"type": "string", "description": "The schema's own"}),
            ),
        ] {
            let schema = JsonSchema {
                name: "thing".into(),
                description: description.map(Into::into),
                schema,
                strict: None,
            };
            let body = body(hi().response_format(ResponseFormat::JsonSchema(schema)));
            assert_eq!(
                body["output_config"],
                json!({"format": {"type": "json_schema", "schema": expected}})
            );
        }
        assert_eq!(body(hi().response_format(ResponseFormat::Text)), body(hi()));
    }

    #[test]
    fn best_effort_options_are_left_out() {
        let mut plain = Message::user("hi").with(Image::from_url("https://x/y.png"));
        let expected = body(plain.clone().into());
        plain = Message::user("hi").named("Ann");
        plain =
            plain.with(Image::from_url("https://x/y.png").detail(crate::chat::ImageDetail::High));
        assert_eq!(body(ChatRequest::from(plain).seed(7)), expected);
    }

    #[test]
    fn unsupported_requests_are_rejected_before_sending() {
        for (request, expected) in [
            (hi().response_format(ResponseFormat::JsonObject), "JSON mode without a schema"),
            (hi().stop("END").stop("\n"), "stop[1] is only white space"),
            (hi().n(2), "asks for several choices"),
            (hi().logprobs(0), "asks for logprobs"),
            (hi().stop(" \t"), "stop[0] is only white space"),
            (
                hi().response_format(ResponseFormat::json_schema("x", json!(1))),
                "is a number, not a JSON Schema",
            ),
        ] {
            let error = encode(&request, Target::anthropic("claude-sonnet-4-5"), Delivery::Whole)
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.message().contains(expected), "{error}");
        }
    }
}
