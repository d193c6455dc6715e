//! Tables of bodies and what they mean.

use serde_json::{Value, json};

use super::*;
use crate::chat::{FinishReason, Part, Usage};
use crate::error::ErrorKind;

fn decoded(body: &Value) -> Result<Decoded, Failure> {
    decode(body.to_string().as_bytes().into())
}

fn with(message: Value) -> Value {
    json!({"id": "r", "finish_reason": "COMPLETE", "message": message})
}

#[test]
fn content_plan_and_calls_become_parts_in_this_order() {
    let citation = |kind: &str, index: u64| {
        json!({"start": 0, "end": 1, "text": "a", "type": kind, "content_index": index,
            "sources": [{"type": "tool", "id": "t:0"}]})
    };
    let block = json!({"type": "hologram", "data": [1]});
    let answer = decoded(&with(json!({
        "role": "assistant",
        "tool_plan": "I look it up.",
        "tool_calls": [
            {"id": "c", "type": "function", "mark": 7,
                "function": {"name": "f", "arguments": "{\"n\":12345678901234567890123}"}},
            {"type": "function", "function": {"name": "g", "arguments": "null"}},
        ],
        "citations": [citation("TEXT_CONTENT", 1), citation("THINKING_CONTENT", 0),
            citation("PLAN", 5)],
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "abc"}, block],
    })))
    .unwrap();
    let [
        Part::Reasoning(thought),
        Part::Text(text),
        Part::Other { value, .. },
        Part::Reasoning(plan),
        Part::ToolCall(first),
        Part::ToolCall(second),
    ] = &answer.message.content[..]
    else {
        panic!("{:?}", answer.message)
    };
    assert_eq!((thought.text.as_str(), thought.field.as_deref()), ("hm", None));
    assert_eq!(thought.extra["citations"], json!([citation("THINKING_CONTENT", 0)]));
    assert_eq!(
        (text.text.as_str(), &text.citations[..]),
        ("abc", &[citation("TEXT_CONTENT", 1)][..])
    );
    assert_eq!(*value, block);
    assert_eq!((plan.text.as_str(), plan.field.as_deref()), ("I look it up.", Some("tool_plan")));
    assert_eq!(plan.extra["citations"], json!([citation("PLAN", 5)]));
    assert_eq!((first.id.as_str(), first.name.as_str()), ("c", "f"));
    assert_eq!(first.arguments, "{\"n\":12345678901234567890123}");
    assert_eq!(first.opaque.as_ref().unwrap().members["mark"], 7);
    assert!(second.id.starts_with("call_") && second.id.ends_with("_1"), "{}", second.id);
    assert_eq!(second.arguments, "{}");
}

#[test]
fn minimal_and_odd_answers_are_read() {
    for (body, text, reason) in [
        (with(json!({"content": [{"type": "text", "text": "a"}]})), "a", FinishReason::Stop),
        (with(json!({"content": "a"})), "a", FinishReason::Stop),
        (with(json!({"content": []})), "", FinishReason::Stop),
        (with(json!({"content": [null, {}, 3, {"type": "text"}]})), "", FinishReason::Stop),
        (
            with(json!({"content": null, "tool_calls": null, "citations": 3})),
            "",
            FinishReason::Stop,
        ),
        (
            json!({"finish_reason": "MAX_TOKENS", "message": {"content": "a"}}),
            "a",
            FinishReason::Length,
        ),
        (json!({"finish_reason": "STOP_SEQUENCE", "message": {}}), "", FinishReason::Stop),
        (json!({"finish_reason": null, "message": {"content": "a"}}), "a", FinishReason::Other),
    ] {
        let answer = decoded(&body).unwrap_or_else(|failure| panic!("{body}: {failure:?}"));
        assert_eq!(
            (answer.message.text().as_str(), answer.finish_reason),
            (text, reason),
            "{body}"
        );
        assert_eq!(answer.usage, Usage::default(), "{body}");
    }
    let loose = json!({"start": 0, "sources": [], "content_index": 0});
    let answer = decoded(&with(json!({"citations": [loose]}))).unwrap();
    assert_eq!(answer.extra["citations"], json!([loose]));
}

#[test]
fn a_body_without_an_answer_is_an_error() {
    use ErrorKind::*;
    for (body, kind, expected) in [
        (json!({}), Protocol, "it has no message"),
        (json!({"id": "r", "generations": []}), Protocol, "it has no message"),
        (json!({"message": {"role": "assistant"}}), Protocol, "neither content nor"),
        (json!({"id": "r", "message": "too many requests"}), RateLimited, "too many requests"),
        (json!({"error": {"message": "it broke"}}), Server, "it broke"),
        (
            json!({"finish_reason": "ERROR", "message": {"content": "a"}, "error": "it broke"}),
            Server,
            "it broke",
        ),
        (json!({"finish_reason": "TIMEOUT", "message": {"content": "a"}}), Server, "\"TIMEOUT\""),
        (json!([]), Protocol, "not a JSON object"),
    ] {
        let failure = decoded(&body).unwrap_err();
        assert_eq!(failure.kind, kind, "{body} {failure:?}");
        assert!(failure.message.contains(expected), "{body} {failure:?}");
    }
}
