//! Tests of encoding a request.

use super::*;
use crate::chat::{JsonSchema, ReasoningEffort};
use crate::error::ErrorKind;

fn body(request: &ChatRequest) -> Result<Value, Error> {
    encode(request, Target::gemini("gemini-2.5-flash"), Delivery::Whole, &Service::GEMINI)
        .map(Value::Object)
}

fn hi() -> ChatRequest {
    ChatRequest::from("hi")
}

#[test]
fn settings_go_to_the_generation_config() {
    let schema = json!({"type": "object", "properties": {"a": {"const": "x"}}});
    for (request, expected) in [
        (hi(), Value::Null),
        (hi().temperature(0.5).top_p(0.9), json!({"temperature": 0.5, "topP": 0.9})),
        (hi().max_output_tokens(7), json!({"maxOutputTokens": 7})),
        (hi().stop("a").stop("b"), json!({"stopSequences": ["a", "b"]})),
        (hi().seed(-5), json!({"seed": -5})),
        (hi().n(3), json!({"candidateCount": 3})),
        (hi().logprobs(0), json!({"responseLogprobs": true})),
        (hi().logprobs(4), json!({"responseLogprobs": true, "logprobs": 4})),
        (hi().response_format(ResponseFormat::Text), Value::Null),
        (
            hi().response_format(ResponseFormat::JsonObject),
            json!({"responseMimeType": "application/json"}),
        ),
        (
            hi().response_format(JsonSchema::new("s", schema).description("A thing")),
            json!({"responseMimeType": "application/json", "responseJsonSchema":
                {"type": "object", "properties": {"a": {"type": "string", "enum": ["x"]}},
                    "description": "A thing"}}),
        ),
        (
            hi().reasoning_effort(ReasoningEffort::Low),
            json!({"thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": true}}),
        ),
        (
            hi().max_output_tokens(7).extra("generationConfig", json!({"topK": 3})),
            json!({"maxOutputTokens": 7, "topK": 3}),
        ),
    ] {
        let body = body(&request).unwrap();
        let config = body.get("generationConfig").cloned().unwrap_or_default();
        assert_eq!(config, expected, "{request:?}");
    }
}

#[test]
fn extra_sets_other_members() {
    let settings = json!([{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]);
    let request = hi()
        .extra("safetySettings", settings.clone())
        .extra("cachedContent", "cachedContents/abc")
        .extra("model", "gemini-2.5-flash");
    assert_eq!(
        body(&request).unwrap(),
        json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}],
            "safetySettings": settings, "cachedContent": "cachedContents/abc"})
    );
}

#[test]
fn inexpressible_requests_are_rejected_with_an_alternative() {
    let pattern = json!({"type": "object", "properties": {"a": {"not": {"type": "string"}}}});
    for (request, expected) in [
        (hi().seed(1 << 40), "the seed is 1099511627776, but Gemini takes only 32 bits"),
        (hi().extra("stream", true), "call stream() or chat()"),
        (hi().response_format(JsonSchema::new("s", pattern)), "$.properties.a, \"not\""),
        (hi().extra("model", "other"), "extra sets a model other than"),
    ] {
        let error = body(&request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains(expected), "{error}");
    }
    let target = Target::gemini("gemini-2.5-flash");
    for request in [hi().n(2), hi().extra("generationConfig", json!({"candidateCount": 2}))] {
        let error = encode(&request, target, Delivery::Stream, &Service::GEMINI).unwrap_err();
        assert!(error.message().contains("a stream yields one choice"), "{error}");
    }
}
