//! Tests of decoding non-streaming messages.

use super::*;
use crate::error::ErrorKind;
use serde_json::json;

fn decoded(value: Value) -> Decoded {
    decode(value.to_string().as_bytes().into()).unwrap()
}

#[test]
fn a_complete_message_is_read() {
    let search = json!({"type": "server_tool_use", "id": "srv_1", "input": {"query": "x"}});
    let found = json!({"type": "char_location", "document_index": 0, "cited_text": "x"});
    let answer = decoded(json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": "Hello", "citations": null},
            {"type": "text", "text": "World", "citations": [found]},
            search,
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": [1, "ü"]}},
            {"type": "tool_use", "id": "t2", "name": "g", "input": {},
                "caller": {"type": "direct"}},
            {"type": "tool_use", "id": "t3", "name": "h"},
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 3, "output_tokens": 5, "service_tier": "priority"},
    }));
    let mut called = ToolCall::new("t2", "g", "{}");
    let members = Map::from_iter([("caller".to_owned(), json!({"type": "direct"}))]);
    called.opaque = Some(Opaque::new(PROVENANCE, members).into());
    let signature = Some("s".to_owned());
    let expected = Message::new(
        Role::Assistant,
        [
            Part::from(Reasoning { signature, text: "hm".into(), ..reasoning(&Map::new()) }),
            reasoning(&Map::new()).into(),
            Reasoning { encrypted: Some("x".into()), ..reasoning(&Map::new()) }.into(),
            "Hello".into(),
            Text { citations: vec![found], ..Text::from("World") }.into(),
            Part::Other { provenance: Some(PROVENANCE), value: search },
            ToolCall::new("t1", "f", r#"{"a":[1,"ü"]}"#).into(),
            called.into(),
            ToolCall::new("t3", "h", "{}").into(),
        ],
    );
    assert_eq!(answer.message, expected);
    assert_eq!(answer.usage, Usage::reported(3, 5));
    assert_eq!(answer.finish_reason, FinishReason::ToolCalls);
    assert_eq!(answer.finish_reason_raw.as_deref(), Some("tool_use"));
    assert_eq!(answer.service_tier.as_deref(), Some("priority"));
    assert_eq!((answer.model.as_str(), answer.id.as_deref()), ("claude-opus-5", Some("msg_1")));
}

#[test]
fn members_that_other_servers_omit_are_optional() {
    let broken = json!({"type": "tool_use", "name": "f"});
    let answer = decoded(json!({"content": [broken], "stop_reason": null, "usage": null}));
    let other = Part::Other { provenance: Some(PROVENANCE), value: broken };
    assert_eq!(answer.message.content, [other]);
    assert_eq!(answer.usage.source, UsageSource::Missing);
    assert_eq!((answer.finish_reason, answer.finish_reason_raw), (FinishReason::Other, None));
    assert_eq!((answer.model.as_str(), answer.id, answer.service_tier), ("", None, None));
    let nothing = json!({"content": [], "stop_reason": "end_turn"});
    assert!(decoded(nothing).message.content.is_empty());
}

#[test]
fn malformed_metadata_does_not_cost_the_answer() {
    for (body, expected) in [
        (r#"{"content": [{"type": "text", "text": "a"}], "model": 5, "id": {}}"#, "a"),
        (r#"{"id": 1, "id": 2, "content": [], "content": [{"type":"text","text":"a"}]}"#, "a"),
        (r#"{"content": [{"type": "text", "text": "a"}], "usage": {"input_tokens": 1e999}}"#, "a"),
        (r#"{"content": [{"type": "text", "text": "hi \ud83d there"}]}"#, "hi \u{fffd} there"),
        (r#"{"content": [{"type": "text", "text": "a"}], "stop_reason": [], "usage": 7}"#, "a"),
    ] {
        assert_eq!(decode(body.as_bytes().into()).unwrap().message.text(), expected, "{body}");
    }
}

#[test]
fn stop_reasons_are_mapped() {
    for (reason, expected) in [
        ("end_turn", FinishReason::Stop),
        ("stop_sequence", FinishReason::Stop),
        ("max_tokens", FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::Length),
        ("tool_use", FinishReason::ToolCalls),
        ("pause_turn", FinishReason::Pause),
        ("refusal", FinishReason::Refusal),
        ("compaction", FinishReason::Other),
    ] {
        assert_eq!(finish_reason(Some(reason)), expected, "{reason}");
    }
}

#[test]
fn usage_is_converted_to_our_form() {
    for (value, expected) in [
        (Value::Null, Usage::default()),
        (json!("many"), Usage::default()),
        (json!({}), Usage::default()),
        (json!({"input_tokens": -3, "output_tokens": 1.5}), Usage::default()),
        (json!({"service_tier": "standard"}), Usage::default()),
        (json!({"input_tokens": 0, "output_tokens": 0}), Usage::reported(0, 0)),
        (json!({"input_tokens": 1000.0, "output_tokens": 5.0}), Usage::reported(1000, 5)),
        (
            json!({"input_tokens": 1000}),
            Usage { source: UsageSource::EstimatedOutput, ..Usage::reported(1000, 0) },
        ),
        (
            json!({"output_tokens": 5}),
            Usage { source: UsageSource::EstimatedInput, ..Usage::reported(0, 5) },
        ),
        (
            json!({
                "input_tokens": 10,
                "cache_creation_input_tokens": 200,
                "cache_read_input_tokens": 3000,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": 150,
                    "ephemeral_1h_input_tokens": 50,
                },
                "output_tokens": 40,
                "output_tokens_details": {"thinking_tokens": 30},
                "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
            }),
            Usage {
                cached_tokens: 3000,
                cache_write_tokens: 200,
                cache_write_1h_tokens: 50,
                reasoning_tokens: 30,
                web_searches: 2,
                ..Usage::reported(3210, 40)
            },
        ),
        (
            json!({
                "input_tokens": 10, "output_tokens": 4, "cache_creation": null,
                "cache_creation_input_tokens": null, "cache_read_input_tokens": null,
                "server_tool_use": null, "output_tokens_details": null, "iterations": null,
            }),
            Usage::reported(10, 4),
        ),
        // As in the recording pydantic-ai-test_anthropic_compaction_usage_with_cache-0.
        (
            json!({
                "input_tokens": 229, "output_tokens": 5,
                "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
                "iterations": [
                    {
                        "type": "compaction", "input_tokens": 100, "output_tokens": 131,
                        "cache_creation_input_tokens": 55_096, "cache_read_input_tokens": 0,
                    },
                    {"type": "message", "input_tokens": 229, "output_tokens": 5},
                    {"type": "advisor_message", "input_tokens": 9, "output_tokens": 9},
                ],
            }),
            Usage {
                cache_write_tokens: 55_096,
                source: UsageSource::OtherModel,
                ..Usage::reported(229 + 100 + 55_096 + 9, 5 + 131 + 9)
            },
        ),
        (
            json!({"input_tokens": u64::MAX, "output_tokens": u64::MAX}),
            Usage::reported(u64::MAX, u64::MAX),
        ),
    ] {
        assert_eq!(usage(&value), expected, "{value}");
    }
}

#[test]
fn an_error_with_status_200_is_classified() {
    for (body, kind) in [
        (
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}),
            ErrorKind::Overloaded,
        ),
        (
            json!({"type": "error", "error": {"type": "invalid_request_error"}}),
            ErrorKind::InvalidRequest,
        ),
        (json!({"error": {"type": "api_error", "message": "x"}}), ErrorKind::Server),
        (json!({"error": {"code": 529, "message": "x"}}), ErrorKind::Overloaded),
        (json!({"error": "slow down"}), ErrorKind::Server),
        (json!({"type": "error", "message": "prompt is too long"}), {
            ErrorKind::ContextWindowExceeded
        }),
        (json!({"content": vec![json!({}); MAX_PARTS + 1]}), ErrorKind::Protocol),
        (json!({"type": "message", "content": "secret"}), ErrorKind::Protocol),
        (json!({"type": "message"}), ErrorKind::Protocol),
    ] {
        let failure = decode(body.to_string().as_bytes().into()).unwrap_err();
        assert_eq!(failure.kind, kind, "{body}");
        assert!(!failure.message.contains("secret"));
    }
    assert_eq!(decode(b"<html>".as_slice().into()).unwrap_err().kind, ErrorKind::Protocol);
    assert_eq!(decode(b"[]".as_slice().into()).unwrap_err().kind, ErrorKind::Protocol);
}
