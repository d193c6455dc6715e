//! Tests of the forms in which servers stream tool calls.

use super::super::stream::tests::{choice, deltas};
use super::*;
use crate::chat::FinishReason;
use crate::error::ErrorKind;
use crate::wire::Wire;
use crate::wire::stream::tests::{lines, run};
use serde_json::Value;

fn begun(index: usize, id: &str, name: &str) -> StreamEvent {
    StreamEvent::ToolCallStarted { index, id: id.into(), name: name.into() }
}

fn more(index: usize, delta: &str) -> StreamEvent {
    StreamEvent::ToolArgumentsDelta { index, delta: delta.into() }
}

fn complete(index: usize, id: &str, name: &str, arguments: &str) -> StreamEvent {
    StreamEvent::ToolCallComplete { index, call: ToolCall::new(id, name, arguments).into() }
}

#[test]
fn tool_calls_come_in_many_forms() {
    let part = |arguments: &str| json!({"index": 0, "function": {"arguments": arguments}});
    let expected = || {
        vec![
            begun(0, "c1", "f"),
            more(0, "{\"x\""),
            more(0, ": 1}"),
            complete(0, "c1", "f", "{\"x\": 1}"),
        ]
    };
    let whole = |index: Value, id: &str, name: &str| json!({"index": index, "id": id, "function": {"name": name, "arguments": "{}"}});
    let two = || {
        vec![
            begun(0, "c1", "f"),
            begun(1, "c2", "g"),
            // Until then it can be a placeholder.
            more(0, "{}"),
            complete(0, "c1", "f", "{}"),
            more(1, "{}"),
            complete(1, "c2", "g", "{}"),
        ]
    };
    for (calls, expected) in [
        // OpenAI's.
        (
            vec![
                json!({"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}),
                part("{\"x\""),
                part(": 1}"),
            ],
            expected(),
        ),
        // Id and name with every piece.
        (
            ["{\"x\"", ": 1}"]
                .map(|piece| json!({"index": 0, "id": "c1", "function": {"name": "f", "arguments": piece}}))
                .to_vec(),
            expected(),
        ),
        // Late; no event is sent before they arrive.
        (
            vec![
                part("{"),
                json!({"index": 0, "function": {"name": "f", "arguments": "\"x\""}}),
                json!({"index": 0, "id": "c1", "function": {"arguments": ""}}),
                part(": 1}"),
            ],
            expected(),
        ),
        // With the index as text.
        (
            vec![
                json!({"index": "0", "id": "c1", "function": {"name": "f", "arguments": "{"}}),
                json!({"index": "1", "id": "c2", "function": {"name": "g", "arguments": "{"}}),
                json!({"index": "0", "function": {"arguments": "}"}}),
                json!({"index": "1", "function": {"arguments": "}"}}),
            ],
            vec![
                begun(0, "c1", "f"),
                more(0, "{"),
                begun(1, "c2", "g"),
                more(1, "{"),
                more(0, "}"),
                more(1, "}"),
                complete(0, "c1", "f", "{}"),
                complete(1, "c2", "g", "{}"),
            ],
        ),
        // Without an index.
        (
            vec![
                json!({"id": "c1", "function": {"name": "f", "arguments": "{\"x\""}}),
                json!({"function": {"arguments": ": 1}"}}),
            ],
            expected(),
        ),
        // Complete calls: without an index, with the same one for all, and in the wrong order.
        (vec![whole(json!(null), "c1", "f"), whole(json!(null), "c2", "g")], two()),
        (vec![whole(json!(0), "c1", "f"), whole(json!(0), "c2", "g")], two()),
        (vec![whole(json!(7), "c1", "f"), whole(json!(3), "c2", "g")], two()),
        (vec![whole(json!(4294967295_u64), "c1", "f"), whole(json!(-1), "c2", "g")], two()),
        (vec![whole(json!(u64::MAX), "c1", "f"), whole(json!("1"), "c2", "g")], two()),
        // Arguments that are JSON.
        (
            vec![json!({"index": 0, "id": "c1", "function": {"name": "f", "arguments": {"x": 1}}})],
            vec![
                begun(0, "c1", "f"),
                more(0, "{\"x\":1}"),
                complete(0, "c1", "f", "{\"x\":1}"),
            ],
        ),
        // None at all.
        (
            vec![json!({"index": 0, "id": "c1", "function": {"name": "f"}}), json!(null), json!({})],
            vec![begun(0, "c1", "f"), complete(0, "c1", "f", "{}")],
        ),
    ] {
        let pieces: Vec<_> = calls.iter().map(|call| json!({"tool_calls": [call]})).collect();
        let apart = deltas(&pieces, "tool_calls");
        assert_eq!(apart.events[..apart.events.len() - 2], expected, "{calls:?}");
        // In one chunk the pieces are the same.
        let together = deltas(&[json!({"tool_calls": calls})], "stop");
        assert_eq!(together.events[..together.events.len() - 2], expected, "{calls:?}");
        assert_eq!(together.decoded.message, apart.decoded.message);
        for run in [apart, together] {
            assert_eq!(run.decoded.finish_reason, FinishReason::ToolCalls);
            let complete = run.events.iter().filter_map(|event| match event {
                StreamEvent::ToolCallComplete { call, .. } => Some(&**call),
                _ => None,
            });
            assert!(complete.eq(run.decoded.message.tool_calls()));
        }
    }
}

/// Returns the names and arguments of the calls in deltas, each in its own chunk.
fn assembled(calls: &[Value]) -> Vec<(String, String)> {
    let pieces: Vec<_> = calls.iter().map(|call| json!({"tool_calls": [call]})).collect();
    let run = deltas(&pieces, "tool_calls");
    assert_eq!(run.end, Ok(()));
    let calls = run.decoded.message.tool_calls();
    calls.map(|call| (call.name.clone(), call.arguments.clone())).collect()
}

#[test]
fn a_delta_goes_to_the_call_that_it_continues() {
    let delta = |index: Option<u64>, id: &str, name: &str, arguments: &str| {
        let mut delta = json!({"function": {"arguments": arguments}});
        if let Some(index) = index {
            delta["index"] = index.into();
        }
        if !id.is_empty() {
            delta["id"] = id.into();
        }
        if !name.is_empty() {
            delta["function"]["name"] = name.into();
        }
        delta
    };
    let (oslo, rome) = ("{\"city\":\"Oslo\"}", "{\"city\":\"Rome\"}");
    let start = "{\"city\":";
    for index in [None, Some(0)] {
        for (deltas, expected) in [
            // Complete calls without ids.
            (vec![("", "f", oslo), ("", "g", rome)], vec![("f", oslo), ("g", rome)]),
            (vec![("", "f", oslo), ("", "f", rome)], vec![("f", oslo), ("f", rome)]),
            (vec![("", "f", oslo), ("", "f", oslo)], vec![("f", oslo), ("f", oslo)]),
            (vec![("", "f", ""), ("", "g", "")], vec![("f", "{}"), ("g", "{}")]),
            (vec![("", "f", "{}"), ("", "f", rome)], vec![("f", "{}"), ("f", rome)]),
            // Several pieces each.
            (
                vec![
                    ("", "f", start),
                    ("", "", "\"Oslo\"}"),
                    ("", "g", start),
                    ("", "", "\"Rome\"}"),
                ],
                vec![("f", oslo), ("g", rome)],
            ),
            // Interleaved, with ids.
            (
                vec![
                    ("a", "f", start),
                    ("b", "f", start),
                    ("a", "f", "\"Oslo\"}"),
                    ("b", "f", "\"Rome\"}"),
                ],
                vec![("f", oslo), ("f", rome)],
            ),
            (
                vec![("a", "f", ""), ("b", "g", ""), ("a", "", oslo), ("b", "", rome)],
                vec![("f", oslo), ("g", rome)],
            ),
            // A new id in every delta.
            (
                vec![("a", "f", "{\"ci"), ("b", "f", "ty\":\"Os"), ("c", "f", "lo\"}")],
                vec![("f", oslo)],
            ),
            (
                vec![
                    ("a", "f", ""),
                    ("b", "", "{\"ci"),
                    ("c", "", "ty\":\"Oslo\"}"),
                    ("d", "", ""),
                ],
                vec![("f", oslo)],
            ),
            // The same id with the same arguments again.
            (vec![("a", "f", oslo), ("a", "f", oslo)], vec![("f", oslo)]),
            (vec![("a", "f", oslo), ("a", "g", rome)], vec![("f", oslo), ("g", rome)]),
            // A placeholder.
            (
                vec![("a", "f", "{}"), ("", "", "{\"city\""), ("", "", ":\"Oslo\"}")],
                vec![("f", oslo)],
            ),
            (vec![("a", "f", "{}"), ("a", "f", start), ("a", "f", "\"Oslo\"}")], vec![("f", oslo)]),
            (vec![("a", "f", "{}")], vec![("f", "{}")]),
        ] {
            let deltas: Vec<_> = deltas
                .into_iter()
                .map(|(id, name, arguments)| delta(index, id, name, arguments))
                .collect();
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(name, text)| (name.to_owned(), text.to_owned()))
                .collect();
            assert_eq!(assembled(&deltas), expected, "{deltas:?}");
        }
    }
    // A correct index wins over anything that looks like another call.
    let mixed = [
        delta(Some(0), "a", "f", "{}"),
        delta(Some(1), "b", "f", "{}"),
        delta(Some(0), "", "", oslo),
        delta(Some(1), "", "", rome),
    ];
    assert_eq!(assembled(&mixed), [("f".into(), oslo.into()), ("f".into(), rome.into())]);
}

#[test]
fn calls_without_an_id_get_one() {
    let no_id = |index: u64| json!({"index": index, "function": {"name": "f", "arguments": "{}"}});
    for (pieces, count) in [
        (vec![json!({"tool_calls": [no_id(0), no_id(1)]})], 2),
        (
            vec![
                json!({"function_call": {"name": "f", "arguments": ""}}),
                json!({"function_call": {"arguments": "{"}}),
                json!({"function_call": {"arguments": "}"}}),
            ],
            1,
        ),
        // Both: the new form wins.
        (
            vec![
                json!({"function_call": {"name": "f", "arguments": "{}"}, "tool_calls": [no_id(0)]}),
            ],
            1,
        ),
    ] {
        let run = deltas(&pieces, "function_call");
        let calls: Vec<_> = run.decoded.message.tool_calls().collect();
        assert_eq!(calls.len(), count);
        for (index, call) in calls.into_iter().enumerate() {
            assert!(call.id.starts_with("call_") && call.id.ends_with(&format!("_{index}")));
            assert_eq!((call.name.as_str(), call.arguments.as_str()), ("f", "{}"));
            assert!(run.events.contains(&begun(index, &call.id, "f")));
        }
        let again = deltas(&pieces, "stop");
        assert_eq!(again.decoded.message, run.decoded.message);
    }
}

#[test]
fn a_truncated_call_is_not_complete() {
    let call = json!({"index": 0, "id": "c1", "function": {"name": "f", "arguments": ""}});
    let run = run(Wire::OpenAiChat, &lines(&[choice(json!({"tool_calls": [call]}))]));
    assert_eq!(run.end.unwrap_err().kind, ErrorKind::Truncated);
    assert_eq!(run.events, [begun(0, "c1", "f")]);
    assert_eq!(run.decoded.message.content, [Part::ToolCall(ToolCall::new("c1", "f", ""))]);
    assert_eq!(run.decoded.finish_reason, FinishReason::Other);
}
