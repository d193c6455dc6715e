//! Whole responses.

use super::*;
use crate::chat::{FinishReason, Format, Part, Provenance, Text, Usage};
use crate::error::ErrorKind;
use serde_json::json;

fn decoded(body: &Value) -> Result<Decoded, Failure> {
    decode(body.to_string().as_bytes().into())
}

fn answer(content: Value, stop_reason: &str) -> Value {
    json!({"output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_reason, "metrics": {"latencyMs": 5},
        "usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}})
}

#[test]
fn every_kind_of_block_is_decoded() {
    let own = || Some(Provenance::new("bedrock", Format::Bedrock));
    let server = json!({"toolUse": {"toolUseId": "s", "name": "nova_grounding", "input": {},
        "type": "server_tool_use"}});
    let content = json!([
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "S"}}},
        {"reasoningContent": {"redactedContent": "AAAA"}},
        {"text": "Hi"},
        {"text": ""},
        {"citationsContent": {"content": [{"text": "a"}, {"text": "b"}], "citations": [{"title": "T"}]}},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"n": 0.1}}},
        {"toolUse": {"toolUseId": "u", "name": "g", "input": {}}},
        server,
        {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}},
    ]);
    let made = decoded(&answer(content, "tool_use")).unwrap();
    assert_eq!(made.finish_reason, FinishReason::ToolCalls);
    assert_eq!(made.usage, Usage::reported(3, 2));
    assert_eq!(Value::Object(made.extra), json!({"metrics": {"latencyMs": 5}}));
    let mut parts = made.message.content.into_iter();
    let mut next = || parts.next().unwrap();
    let Part::Reasoning(reasoning) = next() else { panic!() };
    assert_eq!((&*reasoning.text, reasoning.signature.as_deref()), ("hm", Some("S")));
    assert_eq!(reasoning.provenance, own());
    let Part::Reasoning(redacted) = next() else { panic!() };
    assert_eq!(redacted.encrypted.as_deref(), Some("AAAA"));
    assert_eq!(next(), Part::text("Hi"));
    let cited = Text { citations: vec![json!({"title": "T"})], ..Text::from("ab") };
    assert_eq!(next(), cited.into());
    let Part::ToolCall(call) = next() else { panic!() };
    assert_eq!((&*call.id, &*call.name, &*call.arguments), ("t", "f", "{\"n\":0.1}"));
    assert_eq!(call.opaque, None);
    let Part::ToolCall(call) = next() else { panic!() };
    assert_eq!(call.arguments, "{}");
    assert_eq!(next(), Part::Other { provenance: own(), value: server });
    assert!(matches!(next(), Part::Image(_)));
    assert_eq!(parts.next(), None);
}

#[test]
fn numbers_in_arguments_stay_exact() {
    let body = r#"{"output":{"message":{"content":[{"toolUse":{"toolUseId":"t","name":"f",
        "input":{"a":1.10,"b":1e400}}}]}},"stopReason":"tool_use"}"#;
    let made = decode(body.as_bytes().into()).unwrap();
    let Some(Part::ToolCall(call)) = made.message.content.first() else { panic!() };
    assert_eq!(call.arguments, "{\"a\":1.1,\"b\":1e400}");
}

#[test]
fn guardrails_filter_and_failures_fail() {
    let blocked = decoded(&answer(json!([{"text": "Sorry"}]), "guardrail_intervened")).unwrap();
    assert_eq!(blocked.finish_reason, FinishReason::ContentFilter);
    assert_eq!(blocked.finish_reason_raw.as_deref(), Some("guardrail_intervened"));
    for (body, kind) in [
        (answer(json!([]), "malformed_model_output"), ErrorKind::Server),
        (json!({"message": "no", "__type": "com.x#ThrottlingException"}), ErrorKind::RateLimited),
        (json!({"output": {}}), ErrorKind::Protocol),
        (json!({"output": {"message": {"content": []}}}), ErrorKind::Protocol),
    ] {
        assert_eq!(decoded(&body).unwrap_err().kind, kind, "{body}");
    }
    let mut tier = answer(json!([{"text": "a"}]), "end_turn");
    tier["serviceTier"] = json!({"type": "flex"});
    assert_eq!(decoded(&tier).unwrap().service_tier.as_deref(), Some("flex"));
}
