//! Tables of requests and the bodies they make.

use serde_json::{Value, json};

use super::*;
use crate::chat::{JsonSchema, Message, ReasoningEffort, Tool};
use crate::error::ErrorKind;

fn body(request: &ChatRequest, delivery: Delivery) -> Value {
    encode(request, Target::cohere("command-a"), delivery).unwrap().into()
}

#[test]
fn every_setting_has_its_member() {
    let request = ChatRequest::from("hi")
        .system("Be brief.")
        .max_output_tokens(100)
        .temperature(0.5)
        .top_p(0.9)
        .stop("END")
        .seed(7)
        .logprobs(0)
        .reasoning_effort(ReasoningEffort::High)
        .extra("k", 5)
        .extra("safety_mode", "STRICT")
        .extra("citation_options", json!({"mode": "FAST"}));
    assert_eq!(
        body(&request, Delivery::Stream),
        json!({
            "model": "command-a",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "hi"},
            ],
            "max_tokens": 100,
            "stop_sequences": ["END"],
            "temperature": 0.5,
            "p": 0.9,
            "seed": 7,
            "logprobs": true,
            "thinking": {"type": "enabled", "token_budget": 80},
            "stream": true,
            "k": 5,
            "safety_mode": "STRICT",
            "citation_options": {"mode": "FAST"},
        })
    );
}

#[test]
fn a_schema_goes_into_the_json_format() {
    let format = |format: ResponseFormat| {
        let request = ChatRequest::from("hi").response_format(format);
        body(&request, Delivery::Whole).get("response_format").cloned().unwrap_or_default()
    };
    assert_eq!(format(ResponseFormat::Text), Value::Null);
    assert_eq!(format(ResponseFormat::JsonObject), json!({"type": "json_object"}));
    let schema = json!({"type": "object", "required": ["name"], "properties": {
        "name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0},
        "when": {"type": "string", "format": "email"}, "day": {"type": "string", "format": "date"}}});
    let named = JsonSchema::new("person", schema.clone()).description("A person");
    let expected = json!({"type": "object", "required": ["name"], "properties": {
        "name": {"type": "string", "description": "(minLength: 1)"},
        "age": {"type": "integer", "description": "(minimum: 0)"},
        "when": {"type": "string", "description": "(format: email)"},
        "day": {"type": "string", "format": "date"}},
        "additionalProperties": false, "description": "A person"});
    assert_eq!(
        format(named.clone().into()),
        json!({"type": "json_object", "json_schema": expected})
    );
    let loose = format(named.strict(false).into());
    assert_eq!(loose["json_schema"]["properties"], schema["properties"]);
}

#[test]
fn an_object_without_a_required_member_gets_all_of_them() {
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
    let request = ChatRequest::from("hi").json_schema("person", schema);
    let sent = &body(&request, Delivery::Whole)["response_format"]["json_schema"];
    assert_eq!(sent["required"], json!(["name"]));
    assert_eq!(sent["properties"]["name"], json!({"type": ["string", "null"]}));
}

#[test]
fn what_cohere_has_no_member_for_is_rejected() {
    for (request, expected) in [
        (ChatRequest::from("secret").n(3), "n is 3, but"),
        (ChatRequest::from("secret").logprobs(2), "logprobs is 2, but"),
        (ChatRequest::from("secret").seed(-4), "the seed is -4, but"),
        (
            ChatRequest::from("secret").tool(Tool::function("f", "", json!("x"))),
            "not a JSON Schema",
        ),
        (ChatRequest::new([Message::assistant("")]), "no user message"),
    ] {
        let error = encode(&request, Target::cohere("m"), Delivery::Whole).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains(expected), "{error}");
        assert!(!error.message().contains("secret"), "{error}");
    }
    let one = ChatRequest::from("hi").n(1).seed(0);
    assert_eq!(body(&one, Delivery::Whole)["seed"], 0);
}
