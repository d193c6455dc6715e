//! Events of streams.

use super::*;
use crate::chat::{FinishReason, Part, ToolCall};
use crate::error::ErrorKind;
use serde_json::json;

fn events(stream: &[(&str, Value)]) -> Result<(Vec<StreamEvent>, Decoded, Vec<Step>), Failure> {
    let mut fold = Stream::new(SizeLimit::new(1 << 20));
    let (mut events, mut steps) = (Vec::new(), Vec::new());
    for (name, data) in stream {
        let step = fold.event(Some(name), &data.to_string(), &mut events)?;
        steps.push(step);
        if step == Step::End {
            fold.close(&mut events);
        }
    }
    Ok((events, Box::new(fold).decoded(10), steps))
}

fn delta(index: u64, delta: Value) -> (&'static str, Value) {
    ("contentBlockDelta", json!({"contentBlockIndex": index, "delta": delta, "p": "abcdefgh"}))
}

fn stop(index: u64) -> (&'static str, Value) {
    ("contentBlockStop", json!({"contentBlockIndex": index}))
}

fn end(reason: &str) -> [(&'static str, Value); 2] {
    [
        ("messageStop", json!({"stopReason": reason})),
        (
            "metadata",
            json!({"usage": {"inputTokens": 7, "outputTokens": 4, "totalTokens": 11},
                "metrics": {"latencyMs": 9}, "serviceTier": {"type": "default"}}),
        ),
    ]
}

#[test]
fn texts_reasoning_and_calls_arrive_in_pieces() {
    let mut stream = vec![
        ("messageStart", json!({"role": "assistant"})),
        delta(0, json!({"reasoningContent": {"text": "h"}})),
        delta(0, json!({"reasoningContent": {"text": "m"}})),
        delta(0, json!({"reasoningContent": {"signature": "SIG"}})),
        stop(0),
        delta(1, json!({"text": "Hi"})),
        delta(1, json!({"text": " there"})),
        stop(1),
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}}),
        ),
        delta(2, json!({"toolUse": {"input": "{\"a\":"}})),
        delta(2, json!({"toolUse": {"input": "1}"}})),
        stop(2),
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 3, "start": {"toolUse": {"toolUseId": "u", "name": "g"}}}),
        ),
        stop(3),
    ];
    stream.extend(end("tool_use"));
    let (events, made, steps) = events(&stream).unwrap();
    assert_eq!(steps.last(), Some(&Step::End));
    assert_eq!(steps[..2], [Step::Known, Step::Progress]);
    let text: String = events
        .iter()
        .filter_map(|event| match event {
            StreamEvent::TextDelta(text) => Some(&**text),
            _ => None,
        })
        .collect();
    assert_eq!(text, "Hi there");
    let parts = made.message.content;
    let Part::Reasoning(reasoning) = &parts[0] else { panic!() };
    assert_eq!((&*reasoning.text, reasoning.signature.as_deref()), ("hm", Some("SIG")));
    assert_eq!(parts[1], Part::text("Hi there"));
    assert_eq!(parts[2], ToolCall::new("t", "f", "{\"a\":1}").into());
    assert_eq!(parts[3], ToolCall::new("u", "g", "{}").into());
    assert_eq!(made.finish_reason, FinishReason::ToolCalls);
    assert_eq!(made.usage, Usage::reported(7, 4));
    assert_eq!(made.service_tier.as_deref(), Some("default"));
    assert_eq!(Value::Object(made.extra), json!({"metrics": {"latencyMs": 9}}));
}

#[test]
fn blocks_of_bedrocks_own_tools_are_the_same_as_in_a_whole_answer() {
    let mut stream = vec![
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 0, "start": {"toolUse":
                {"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use"}}}),
        ),
        delta(0, json!({"toolUse": {"input": "{\"q\":\"x\"}"}})),
        stop(0),
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 1, "start": {"toolResult":
                {"toolUseId": "s", "type": "nova_grounding_result", "status": "success"}}}),
        ),
        delta(1, json!({"toolResult": [{"text": "found"}]})),
        stop(1),
        delta(2, json!({"text": "So"})),
        delta(2, json!({"citation": {"title": "T"}})),
        stop(2),
        delta(3, json!({"reasoningContent": {"redactedContent": "AAA="}})),
        delta(3, json!({"reasoningContent": {"redactedContent": "AQID"}})),
    ];
    stream.extend(end("end_turn"));
    let (_, made, _) = events(&stream).unwrap();
    let parts = made.message.content;
    let values: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Other { value, .. } => Some(value.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(
        values,
        [
            json!({"toolUse": {"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use",
                "input": {"q": "x"}}}),
            json!({"toolResult": {"toolUseId": "s", "type": "nova_grounding_result",
                "status": "success", "content": [{"text": "found"}]}}),
        ]
    );
    let Part::Text(text) = &parts[2] else { panic!() };
    assert_eq!((&*text.text, &text.citations), ("So", &vec![json!({"title": "T"})]));
    let Part::Reasoning(redacted) = &parts[3] else { panic!() };
    assert_eq!(redacted.encrypted.as_deref(), Some("AAABAgM="));
}

#[test]
fn the_stop_reason_and_the_metadata_can_come_in_either_order() {
    let [stopped, metadata] = end("end_turn");
    let text = delta(0, json!({"text": "Hi"}));
    for (stream, ended) in [
        (vec![text.clone(), stopped.clone(), metadata.clone()], true),
        (vec![text.clone(), metadata.clone(), stopped.clone()], true),
        (vec![text.clone(), stopped.clone()], false),
        (vec![text.clone(), metadata], false),
        (vec![stopped, text], false),
    ] {
        let (_, _, steps) = events(&stream).unwrap();
        assert_eq!(steps.last() == Some(&Step::End), ended);
    }
}

#[test]
fn exceptions_are_classified() {
    use ErrorKind::*;
    for (code, message, kind) in [
        ("throttlingException", "slow", RateLimited),
        ("throttlingException", "Too many tokens per day, please wait", QuotaExhausted),
        ("modelStreamErrorException", "broke", Server),
        ("internalServerException", "broke", Server),
        ("serviceUnavailableException", "busy", Overloaded),
        ("validationException", "bad", InvalidRequest),
        ("validationException", "Input is too long for requested model.", ContextWindowExceeded),
        ("somethingNew", "?", Server),
    ] {
        let stream =
            [delta(0, json!({"text": "Hi"})), (ERROR, json!({"code": code, "message": message}))];
        let failure = events(&stream).unwrap_err();
        assert_eq!((failure.kind, failure.code.as_deref()), (kind, Some(code)), "{message}");
        assert_eq!(failure.message, message);
    }
    let failure = events(&end("malformed_tool_use")).unwrap_err();
    assert_eq!(failure.kind, Server);
}

#[test]
fn other_events_and_members_are_tolerated() {
    let stream = [
        ("novelty", json!({"a": 1})),
        ("contentBlockStart", json!({"contentBlockIndex": 0, "start": {"novelty": {}}})),
        delta(0, json!({"novelty": {"a": 1}})),
        delta(0, json!({"text": null})),
        ("contentBlockStop", json!({"contentBlockIndex": "x"})),
        ("messageStart", json!([])),
    ];
    let (events, made, steps) = events(&stream).unwrap();
    assert_eq!(events, []);
    assert_eq!(steps[0], Step::Unknown);
    assert!(steps[1..].iter().all(|step| *step == Step::Known), "{steps:?}");
    assert!(made.message.content.is_empty());
    let mut fold = Stream::new(SizeLimit::new(1 << 20));
    let failed = fold.event(Some("messageStop"), "{", &mut Vec::new());
    assert_eq!(failed.unwrap_err().kind, ErrorKind::Protocol);
}
