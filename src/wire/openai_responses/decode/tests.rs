//! Tests of decoding bodies.

use super::*;
use crate::chat::{FinishReason, Format, Part, Provenance, UsageSource};
use crate::error::ErrorKind;

fn read(body: &Value) -> Result<Decoded, Failure> {
    decode(body.to_string().as_bytes().into())
}

fn response(status: &str, output: Value) -> Value {
    json!({"id": "resp_1", "object": "response", "model": "gpt-5", "status": status,
        "error": null, "output": output, "service_tier": "default",
        "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}})
}

fn text(text: &str) -> Value {
    json!({"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]})
}

#[test]
fn every_item_becomes_a_part() {
    let search = json!({"type": "web_search_call", "id": "ws_1", "status": "completed",
        "action": {"type": "search", "query": "q"}});
    let decoded = read(&response(
        "completed",
        json!([
            {"type": "reasoning", "id": "rs_1", "encrypted_content": "E", "status": "completed",
                "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]},
            search,
            text("Hi"),
            {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "Zm9v",
                "output_format": "webp"},
            {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f",
                "arguments": "{}", "status": "completed"},
            {"type": "message", "role": "assistant", "content": [
                {"type": "refusal", "refusal": "no"}, {"type": "novel", "x": 1}]},
            {},
            null,
        ]),
    ))
    .unwrap();
    let [
        Part::Reasoning(thought),
        Part::Other { value, .. },
        Part::Text(said),
        Part::Image(image),
        Part::ToolCall(call),
        Part::Refusal(no),
        Part::Other { value: novel, provenance },
    ] = &*decoded.message.content
    else {
        panic!("{:?}", decoded.message)
    };
    assert_eq!((thought.text.as_str(), thought.encrypted.as_deref()), ("a\n\nb", Some("E")));
    assert_eq!(
        (thought.id.as_deref(), thought.extra.contains_key("summary")),
        (Some("rs_1"), true)
    );
    assert_eq!(value, &search);
    assert_eq!(said.opaque.as_ref().unwrap().members["id"], "msg_1");
    assert_eq!(
        image.source,
        crate::chat::MediaSource::Base64 { media_type: "image/webp".into(), data: "Zm9v".into() }
    );
    assert_eq!((call.id.as_str(), call.arguments.as_str()), ("call_1", "{}"));
    assert_eq!(call.opaque.as_ref().unwrap().members["id"], "fc_1");
    assert_eq!(no, "no");
    assert_eq!(novel["content"], json!([{"type": "novel", "x": 1}]));
    assert_eq!(*provenance, Some(Provenance::new("openai", Format::OpenAiResponses)));
    assert_eq!(decoded.finish_reason, FinishReason::ToolCalls);
    assert_eq!(decoded.finish_reason_raw.as_deref(), Some("completed"));
    let expected = Usage { web_searches: 1, ..Usage::reported(5, 2) };
    assert_eq!(decoded.usage, expected);
    assert_eq!(
        (decoded.id.as_deref(), decoded.service_tier.as_deref()),
        (Some("resp_1"), Some("default"))
    );
}

#[test]
fn status_reason_and_parts_decide_the_finish_reason() {
    use FinishReason::{ContentFilter, Length, Other, Refusal, Stop, ToolCalls};
    let with = |status: &str, reason: Value, output: Value| {
        let mut body = response(status, output);
        body["incomplete_details"] = reason;
        body
    };
    let refusal = json!({"type": "message", "content": [{"type": "refusal", "refusal": "no"}]});
    let of = |kind: &str| json!([{"type": kind, "call_id": "c"}]);
    for (body, reason, raw) in [
        (with("completed", json!(null), json!([text("a")])), Stop, "completed"),
        (with("completed", json!(null), json!([])), Stop, "completed"),
        (with("completed", json!(null), json!([refusal])), Refusal, "completed"),
        (with("completed", json!(null), of("custom_tool_call")), ToolCalls, "completed"),
        (with("completed", json!(null), of("computer_call")), ToolCalls, "completed"),
        (with("completed", json!(null), of("mcp_approval_request")), ToolCalls, "completed"),
        (with("completed", json!(null), of("shell_call")), ToolCalls, "completed"),
        (
            with(
                "completed",
                json!(null),
                json!([{"type": "shell_call", "call_id": "c"},
                {"type": "shell_call_output", "call_id": "c"}]),
            ),
            Stop,
            "completed",
        ),
        (
            with("incomplete", json!({"reason": "max_output_tokens"}), json!([text("a")])),
            Length,
            "max_output_tokens",
        ),
        (
            with("incomplete", json!({"reason": "content_filter"}), json!([text("a")])),
            ContentFilter,
            "content_filter",
        ),
        (with("incomplete", json!(null), json!([text("a")])), Other, "incomplete"),
        (with("cancelled", json!(null), json!([text("a")])), Other, "cancelled"),
        (with("queued", json!(null), json!([])), Other, "queued"),
        (with("in_progress", json!(null), json!([])), Other, "in_progress"),
    ] {
        let decoded = read(&body).unwrap_or_else(|failure| panic!("{body}: {failure:?}"));
        assert_eq!(decoded.finish_reason, reason, "{body}");
        assert_eq!(decoded.finish_reason_raw.as_deref(), Some(raw), "{body}");
    }
    // llama.cpp and others leave out the status.
    let bare = json!({"output": [{"type": "function_call", "name": "f", "arguments": {"a": 1}}]});
    let decoded = read(&bare).unwrap();
    assert_eq!((decoded.finish_reason, decoded.finish_reason_raw), (ToolCalls, None));
    let Some(call) = decoded.message.tool_calls().next() else { panic!() };
    assert!(call.id.starts_with("call_") && call.arguments == "{\"a\":1}");
    assert_eq!(decoded.usage.source, UsageSource::Missing);
}

#[test]
fn the_code_of_a_failure_decides_its_kind() {
    use ErrorKind::*;
    let failed = |code: &str, message: &str| {
        let mut body = response("failed", json!([]));
        body["error"] = json!({"code": code, "message": message});
        body
    };
    for (body, kind) in [
        (failed("server_error", "The server had an error"), Server),
        (failed("rate_limit_exceeded", "Rate limit reached"), RateLimited),
        (failed("invalid_prompt", "Invalid prompt"), InvalidRequest),
        (failed("invalid_prompt", "violating our usage policy"), ContentPolicy),
        (failed("image_content_policy_violation", "no"), ContentPolicy),
        (failed("bio_policy", "no"), ContentPolicy),
        (failed("invalid_image_format", "no"), InvalidRequest),
        (failed("image_too_large", "no"), InvalidRequest),
        (failed("failed_to_download_image", "no"), InvalidRequest),
        (failed("vector_store_timeout", "slow"), Server),
        (failed("context_length_exceeded", "too long"), ContextWindowExceeded),
        (response("failed", json!([])), Server),
        (json!({"error": {"message": "busy", "code": 503}}), Overloaded),
        (json!({"object": "list", "data": []}), Protocol),
        (json!({"id": "resp_1", "output": null}), Protocol),
        (json!({"output": []}), Protocol),
    ] {
        let failure = read(&body).unwrap_err();
        assert_eq!(failure.kind, kind, "{body}: {failure:?}");
    }
}

#[test]
fn extra_members_are_kept_unless_they_repeat_the_request() {
    let mut body = response("completed", json!([text("a")]));
    for (name, value) in [
        ("instructions", json!("long")),
        ("tools", json!([{"type": "function"}])),
        ("metadata", json!({"a": "b"})),
        ("conversation", json!({"id": "conv_1"})),
        ("previous_response_id", json!("resp_0")),
        ("reasoning", json!({"effort": "high"})),
        ("content_filters", json!([])),
        ("moderation", json!(null)),
    ] {
        body[name] = value;
    }
    let decoded = read(&body).unwrap();
    assert_eq!(
        Value::Object(decoded.extra),
        json!({"conversation": {"id": "conv_1"}, "previous_response_id": "resp_0",
            "reasoning": {"effort": "high"}})
    );
}
