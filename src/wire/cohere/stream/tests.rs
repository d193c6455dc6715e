//! Tables of events and the answers they make.

use serde_json::{Value, json};

use super::*;
use crate::chat::{FinishReason, Part, ToolCall, UsageSource};
use crate::error::ErrorKind;

type Streamed = (Vec<StreamEvent>, Decoded);

/// Decodes events up to the end marker.
fn streamed(data: &[Value]) -> Result<Streamed, Failure> {
    let mut stream = Stream::new(SizeLimit::new(1 << 20));
    let mut events = Vec::new();
    for data in data {
        if stream.event(None, &data.to_string(), &mut events)? == Step::End {
            stream.close(&mut events);
            return Ok((events, Box::new(stream).decoded(40)));
        }
    }
    panic!("no end marker")
}

fn start() -> Value {
    json!({"type": "message-start", "id": "r", "delta": {"message": {
        "role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}})
}

fn says(index: u64, kind: &str, text: &str) -> Value {
    json!({"type": "content-delta", "index": index,
        "delta": {"message": {"content": {kind: text}}}})
}

fn piece(index: u64, text: &str) -> Value {
    json!({"type": "tool-call-delta", "index": index,
        "delta": {"message": {"tool_calls": {"function": {"arguments": text}}}}})
}

fn call(index: u64, id: &str, name: &str) -> Value {
    json!({"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": {
        "id": id, "type": "function", "function": {"name": name, "arguments": ""}}}}})
}

fn end(reason: &str) -> Value {
    json!({"type": "message-end", "delta": {"finish_reason": reason, "usage": {
        "billed_units": {"input_tokens": 9, "output_tokens": 5},
        "tokens": {"input_tokens": 504, "output_tokens": 7}}}})
}

#[test]
fn a_stream_makes_the_same_answer_as_a_whole_body() {
    let citation = json!({"start": 0, "end": 2, "text": "Hi", "type": "TEXT_CONTENT",
        "content_index": 1, "sources": []});
    let begins = |index: u64, kind: &str| {
        json!({"type": "content-start", "index": index,
            "delta": {"message": {"content": {"type": kind, kind: ""}}}})
    };
    let plan =
        |text: &str| json!({"type": "tool-plan-delta", "delta": {"message": {"tool_plan": text}}});
    let ended = |kind: &str, index: u64| json!({"type": kind, "index": index});
    let (events, answer) = streamed(&[
        start(),
        begins(0, "thinking"),
        says(0, "thinking", "h"),
        says(0, "thinking", "m"),
        ended("content-end", 0),
        begins(1, "text"),
        says(1, "text", "Hi "),
        json!({"type": "citation-start", "index": 0, "delta": {"message": {"citations": citation}}}),
        ended("citation-end", 0),
        says(1, "text", "there"),
        ended("content-end", 1),
        plan("I look"),
        plan("."),
        call(0, "a", "f"),
        piece(0, "{\"x\""),
        piece(0, ":1}"),
        ended("tool-call-end", 0),
        call(1, "b", "g"),
        ended("tool-call-end", 1),
        end("TOOL_CALL"),
    ])
    .unwrap();
    let function = |name: &str, arguments: &str| json!({"name": name, "arguments": arguments});
    let body = json!({"id": "r", "finish_reason": "TOOL_CALL", "usage": end("")["delta"]["usage"],
    "message": {"role": "assistant", "tool_plan": "I look.", "citations": [citation],
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hi there"}],
        "tool_calls": [
            {"id": "a", "type": "function", "function": function("f", "{\"x\":1}")},
            {"id": "b", "type": "function", "function": function("g", "")},
        ]}});
    let whole = super::super::decode::decode(body.to_string().as_bytes().into()).unwrap();
    assert_eq!(answer.message, whole.message);
    assert_eq!((&answer.usage, &answer.extra, &answer.id), (&whole.usage, &whole.extra, &whole.id));
    assert_eq!(answer.finish_reason, FinishReason::ToolCalls);
    let text = |text: &str| StreamEvent::TextDelta(text.into());
    let thought = |text: &str| StreamEvent::ReasoningDelta(text.into());
    let begun = |index, id: &str, name: &str| StreamEvent::ToolCallStarted {
        index,
        id: id.into(),
        name: name.into(),
    };
    let delta = |delta: &str| StreamEvent::ToolArgumentsDelta { index: 0, delta: delta.into() };
    let done = |index, id: &str, name: &str, arguments: &str| StreamEvent::ToolCallComplete {
        index,
        call: ToolCall::new(id, name, arguments).into(),
    };
    assert_eq!(
        events,
        [
            thought("h"),
            thought("m"),
            text("Hi "),
            text("there"),
            thought("I look"),
            thought("."),
            begun(0, "a", "f"),
            delta("{\"x\""),
            delta(":1}"),
            done(0, "a", "f", "{\"x\":1}"),
            begun(1, "b", "g"),
            done(1, "b", "g", "{}"),
        ]
    );
}

#[test]
fn imitators_may_omit_indexes_starts_and_types() {
    let bare = |text: &str| json!({"type": "content-delta", "delta": {"message": {"content": {"text": text}}}});
    let (_, answer) = streamed(&[bare("a"), bare("b"), end("COMPLETE")]).unwrap();
    assert_eq!(answer.message.text(), "ab");
    let calls = json!({"type": "tool-call-delta", "delta": {"message": {"tool_calls": [
        {"function": {"name": "f", "arguments": {"x": 1}}}]}}});
    let (events, answer) = streamed(&[calls, end("TOOL_CALL")]).unwrap();
    let call = answer.message.tool_calls().next().unwrap();
    assert_eq!((call.name.as_str(), call.arguments.as_str()), ("f", "{\"x\":1}"));
    assert!(matches!(&events[0], StreamEvent::ToolCallStarted { id, .. } if *id == call.id));
    assert!(call.id.starts_with("call_"));
    // The name of the event replaces its type.
    let mut stream = Stream::new(SizeLimit::new(1 << 20));
    let data = json!({"delta": {"message": {"content": {"text": "a"}}}}).to_string();
    let step = stream.event(Some("content-delta"), &data, &mut Vec::new()).unwrap();
    assert_eq!(step, Step::Progress);
    let step = stream.event(Some("message-end"), "{}", &mut Vec::new()).unwrap();
    assert_eq!(step, Step::End);
}

#[test]
fn a_block_of_an_unknown_kind_is_kept_with_its_pieces() {
    let starts = json!({"type": "content-start", "index": 0, "delta": {"message": {"content": {
        "type": "hologram", "data": "a"}}}});
    let grows = json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {
        "data": "b", "size": 3}}}});
    let (events, answer) = streamed(&[starts, grows, end("COMPLETE")]).unwrap();
    assert_eq!(events, []);
    let [Part::Other { value, .. }] = &answer.message.content[..] else { panic!() };
    assert_eq!(*value, json!({"type": "hologram", "data": "ab", "size": 3}));
}

#[test]
fn only_content_is_progress() {
    let mut stream = Stream::new(SizeLimit::new(1 << 20));
    let ended = |kind: &str| json!({"type": kind, "index": 0});
    for (data, expected) in [
        (start(), Step::Known),
        (says(0, "text", ""), Step::Known),
        (says(0, "text", "a"), Step::Progress),
        (says(0, "text", "b"), Step::Progress),
        (says(0, "text", ""), Step::Known),
        (ended("content-end"), Step::Known),
        (call(0, "c", "f"), Step::Progress),
        (piece(0, ""), Step::Known),
        (piece(0, "{"), Step::Progress),
        (ended("tool-call-end"), Step::Progress),
        (json!({"type": "debug", "prompt": "x"}), Step::Unknown),
        (json!({"type": "heartbeat"}), Step::Unknown),
        (end("COMPLETE"), Step::End),
    ] {
        let step = stream.event(None, &data.to_string(), &mut Vec::new()).unwrap();
        assert_eq!(step, expected, "{data}");
    }
    for data in ["", " ", "[DONE]"] {
        assert_eq!(stream.event(None, data, &mut Vec::new()).unwrap(), Step::Nothing);
    }
}

#[test]
fn an_error_in_a_stream_is_classified() {
    use ErrorKind::*;
    let failed = |reason: &str, error: Value| json!({"type": "message-end", "delta": {"finish_reason": reason, "error": error}});
    for (name, data, kind, expected) in [
        (None, failed("ERROR", json!("it broke")), Server, "it broke"),
        (None, failed("ERROR", json!({"message": "rate limit"})), RateLimited, "rate limit"),
        (None, failed("ERROR", Value::Null), Server, "\"ERROR\""),
        (None, failed("TIMEOUT", Value::Null), Server, "\"TIMEOUT\""),
        (Some("error"), json!({"message": "it broke"}), Server, "it broke"),
        (None, json!({"type": "error", "message": "overloaded"}), Overloaded, "overloaded"),
        (
            None,
            json!({"id": "r", "message": "too many tokens: the limit"}),
            ContextWindowExceeded,
            "",
        ),
        (None, json!({"error": {"code": 429, "message": "slow"}}), RateLimited, "slow"),
    ] {
        let mut stream = Stream::new(SizeLimit::new(1 << 20));
        let failure = stream.event(name, &data.to_string(), &mut Vec::new()).unwrap_err();
        assert_eq!(failure.kind, kind, "{data} {failure:?}");
        assert!(failure.message.contains(expected), "{data} {failure:?}");
    }
    let mut stream = Stream::new(SizeLimit::new(8));
    let failure = stream.event(None, &says(0, "text", "123456789").to_string(), &mut Vec::new());
    assert_eq!(failure.unwrap_err().kind, Protocol);
}

#[test]
fn usage_is_estimated_until_the_end() {
    let mut stream = Stream::new(SizeLimit::new(1 << 20));
    stream.event(None, &says(0, "text", "12345678").to_string(), &mut Vec::new()).unwrap();
    let usage = stream.usage(40);
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (40, 2));
    assert_eq!(usage.source, UsageSource::Estimated);
    stream.event(None, &end("COMPLETE").to_string(), &mut Vec::new()).unwrap();
    assert_eq!(stream.usage(40), Usage::reported(9, 5));
}
