//! Tests of encoding bodies, and of the requests that are rejected.

use super::*;
use crate::chat::{JsonSchema, Message, ReasoningEffort, Tool, ToolChoice};
use crate::error::ErrorKind;

fn hi() -> ChatRequest {
    ChatRequest::from("hi")
}

fn body(model: &str, request: ChatRequest) -> Value {
    Value::Object(encode(&request, Target::openai(model), Delivery::Whole).unwrap())
}

#[test]
fn a_plain_request_is_not_stored() {
    assert_eq!(
        body("gpt-4o", hi().system("Be brief.")),
        json!({
            "model": "gpt-4o",
            "instructions": "Be brief.",
            "input": [{"role": "user", "content": "hi"}],
            "store": false,
        })
    );
}

#[test]
fn reasoning_models_are_asked_for_encrypted_reasoning() {
    for (model, asked) in [
        ("gpt-5", true),
        ("o3-pro", true),
        ("grok-4", true),
        ("openai/gpt-5.5", true),
        ("gpt-4o", false),
        ("gpt-5-chat-latest", false),
        ("deepseek-v4-flash", false),
    ] {
        let include = body(model, hi()).get("include").cloned();
        assert_eq!(include, asked.then(|| json!(["reasoning.encrypted_content"])), "{model}");
    }
}

#[test]
fn every_option_has_its_place() {
    let request = hi()
        .tool(Tool::function("f", "d", json!({"type": "object"})))
        .tool_choice(ToolChoice::Function("f".into()))
        .parallel_tool_calls(false)
        .response_format(JsonSchema::new("answer", json!({"type": "object"})).description("a"))
        .max_output_tokens(100)
        .temperature(0.5)
        .top_p(0.25)
        .reasoning_effort(ReasoningEffort::High)
        .extra("reasoning", json!({"summary": "auto"}))
        .extra("text", json!({"verbosity": "low"}))
        .extra("store", true)
        .extra("previous_response_id", "resp_1");
    assert_eq!(
        body("gpt-5", request),
        json!({
            "model": "gpt-5",
            "input": [{"role": "user", "content": "hi"}],
            "tools": [{"type": "function", "name": "f", "description": "d",
                "parameters": {"type": "object", "properties": {}}}],
            "tool_choice": {"type": "function", "name": "f"},
            "parallel_tool_calls": false,
            "text": {
                "format": {"type": "json_schema", "name": "answer", "description": "a",
                    "schema": {"type": "object", "properties": {}, "required": [],
                        "additionalProperties": false},
                    "strict": true},
                "verbosity": "low",
            },
            "max_output_tokens": 100,
            "temperature": 0.5,
            "top_p": 0.25,
            "reasoning": {"effort": "high", "summary": "auto"},
            "store": true,
            "include": ["reasoning.encrypted_content"],
            "previous_response_id": "resp_1",
        })
    );
    for (format, expected) in [
        (ResponseFormat::Text, json!({"format": {"type": "text"}})),
        (ResponseFormat::JsonObject, json!({"format": {"type": "json_object"}})),
    ] {
        assert_eq!(body("m", hi().response_format(format))["text"], expected);
    }
}

#[test]
fn unsupported_options_are_rejected_with_an_alternative() {
    for (request, expected) in [
        (hi().stop("END"), "stop sequences"),
        (hi().seed(7), "a seed"),
        (hi().n(2), "several choices"),
        (hi().logprobs(1), "log probabilities"),
        (hi().extra("background", true), "call stream()"),
        (hi().tool_choice(ToolChoice::Auto), "there are no tools"),
        (hi().parallel_tool_calls(true), "there are no tools"),
        (ChatRequest::new([Message::system("s")]), "only instructions"),
    ] {
        let error = encode(&request, Target::openai("gpt-5"), Delivery::Whole).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains(expected), "{error}");
    }
    let background = hi().extra("background", true);
    let streamed = encode(&background, Target::openai("gpt-5"), Delivery::Stream).unwrap();
    assert_eq!((&streamed["stream"], &streamed["background"]), (&json!(true), &json!(true)));
    assert_eq!(streamed.get("stream_options"), None);
    encode(&hi().n(1), Target::openai("gpt-5"), Delivery::Whole).unwrap();
}
