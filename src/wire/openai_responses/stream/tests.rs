//! Tests of streams from OpenAI and compatible servers.
#![allow(clippy::redundant_clone, reason = "the rows of a table look alike")]

use super::*;
use crate::chat::{FinishReason, Part, ToolCall};
use crate::error::ErrorKind;
use crate::wire::{Decoder, Wire};
use serde_json::json;

/// The events of a stream, its failure, and the answer.
fn run(data: &[Value]) -> (Vec<StreamEvent>, Option<Failure>, Decoded) {
    let mut decoder = Decoder::new(Wire::OpenAiResponses, 0, usize::MAX);
    let mut events = Vec::new();
    let body: String = data.iter().map(|data| format!("data: {data}\n\n")).collect();
    let pushed = decoder.push(body.as_bytes(), &mut events);
    let failure = pushed.and_then(|_| decoder.finish(&mut events)).err();
    let decoded = decoder.partial();
    (events, failure, decoded)
}

fn whole(data: &[Value]) -> (Vec<StreamEvent>, Decoded) {
    let (events, failure, decoded) = run(data);
    assert_eq!(failure, None, "{data:?}");
    (events, decoded)
}

fn created() -> Value {
    json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}})
}

fn completed(output: Value) -> Value {
    json!({"type": "response.completed", "response": {"id": "resp_1", "model": "m",
        "status": "completed", "output": output,
        "usage": {"input_tokens": 5, "output_tokens": 2}}})
}

fn texts(events: &[StreamEvent]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        StreamEvent::TextDelta(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn message(text: &str) -> Value {
    json!({"type": "message", "id": "msg_1", "role": "assistant",
        "content": [{"type": "output_text", "text": text}]})
}

#[test]
fn a_text_is_complete_whichever_events_are_missing() {
    let added = json!({"type": "response.output_item.added", "output_index": 0,
        "item": {"type": "message", "id": "msg_1", "role": "assistant", "content": []}});
    let delta = |text: &str| json!({"type": "response.output_text.delta", "output_index": 0, "item_id": "msg_1", "content_index": 0, "delta": text});
    let bare = |text: &str| json!({"type": "response.output_text.delta", "item_id": "msg_1", "delta": text});
    let anonymous = |text: &str| json!({"type": "response.output_text.delta", "delta": text});
    let text_done = json!({"type": "response.output_text.done", "output_index": 0, "item_id": "msg_1", "content_index": 0, "text": "Hi all"});
    let part_done = json!({"type": "response.content_part.done", "item_id": "msg_1", "part": {"type": "output_text", "text": "Hi all"}});
    let item_done =
        json!({"type": "response.output_item.done", "output_index": 0, "item": message("Hi all")});
    let last = completed(json!([message("Hi all")]));
    for data in [
        vec![
            created(),
            added.clone(),
            delta("Hi"),
            delta(" all"),
            text_done.clone(),
            item_done.clone(),
            last.clone(),
        ],
        vec![
            created(),
            added.clone(),
            bare("Hi"),
            bare(" all"),
            part_done.clone(),
            item_done.clone(),
            last.clone(),
        ],
        vec![anonymous("Hi"), anonymous(" all"), last.clone()],
        vec![delta("Hi"), delta(" all"), completed(Value::Null)],
        vec![delta("Hi"), delta(" all"), json!({"type": "response.completed"})],
        // Later events have the text that the deltas lack.
        vec![created(), delta("Hi"), text_done.clone(), last.clone()],
        vec![created(), delta("Hi"), part_done, last.clone()],
        vec![created(), delta("Hi"), item_done.clone(), last.clone()],
        vec![created(), delta("Hi"), last.clone()],
        vec![created(), item_done, completed(Value::Null)],
        vec![created(), last.clone()],
        vec![last.clone()],
        // The id changes.
        vec![
            created(),
            added,
            delta("Hi all"),
            completed(
                json!([{"type": "message", "id": "msg_2", "content": [{"type": "output_text", "text": "Hi all"}]}]),
            ),
        ],
    ] {
        let (events, decoded) = whole(&data);
        assert_eq!(decoded.message.text(), "Hi all", "{data:?}");
        assert_eq!(texts(&events), "Hi all", "{data:?}");
        let texts = decoded.message.content.iter().filter(|part| matches!(part, Part::Text(_)));
        assert_eq!((texts.count(), decoded.message.content.len()), (1, 1), "{data:?}");
        assert_eq!(decoded.finish_reason, FinishReason::Stop, "{data:?}");
    }
}

#[test]
fn text_already_shown_wins_over_a_whole_text_that_differs() {
    let delta = json!({"type": "response.output_text.delta", "output_index": 0, "delta": "Hi "});
    let (events, decoded) = whole(&[delta, completed(json!([message("Hallo")]))]);
    assert_eq!((texts(&events).as_str(), decoded.message.text().as_str()), ("Hi ", "Hi "));
}

#[test]
fn a_call_is_complete_whichever_events_are_missing() {
    let item = |arguments: &str| json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": arguments});
    let added = json!({"type": "response.output_item.added", "output_index": 0, "item": item("")});
    let delta = |text: &str| json!({"type": "response.function_call_arguments.delta", "output_index": 0, "item_id": "fc_1", "delta": text});
    let arguments_done = json!({"type": "response.function_call_arguments.done", "output_index": 0, "item_id": "fc_1", "arguments": "{\"a\":1}"});
    let item_done =
        json!({"type": "response.output_item.done", "output_index": 0, "item": item("{\"a\":1}")});
    let last = completed(json!([item("{\"a\":1}")]));
    for data in [
        vec![
            created(),
            added.clone(),
            delta("{\"a\""),
            delta(":1}"),
            arguments_done.clone(),
            item_done.clone(),
            last.clone(),
        ],
        vec![created(), added.clone(), arguments_done.clone(), last.clone()],
        vec![created(), added.clone(), delta("{\"a\""), last.clone()],
        vec![created(), delta("{\"a\""), delta(":1}"), item_done.clone(), last.clone()],
        vec![created(), added.clone(), delta("{\"a\":1}"), completed(Value::Null)],
        vec![created(), item_done.clone(), last.clone()],
        vec![last.clone()],
    ] {
        let (events, decoded) = whole(&data);
        let calls: Vec<&ToolCall> = decoded.message.tool_calls().collect();
        assert_eq!(calls.len(), 1, "{data:?}");
        assert_eq!(
            (calls[0].id.as_str(), calls[0].name.as_str(), calls[0].arguments.as_str()),
            ("call_1", "f", "{\"a\":1}")
        );
        let mut told = String::new();
        let mut steps = Vec::new();
        for event in &events {
            match event {
                StreamEvent::ToolCallStarted { .. } => steps.push("started"),
                StreamEvent::ToolArgumentsDelta { delta, .. } => told += delta,
                StreamEvent::ToolCallComplete { call, .. } => {
                    steps.push("complete");
                    assert_eq!(&**call, calls[0], "{data:?}");
                }
                _ => {}
            }
        }
        assert_eq!((told.as_str(), steps), ("{\"a\":1}", vec!["started", "complete"]), "{data:?}");
        assert_eq!(decoded.finish_reason, FinishReason::ToolCalls);
    }
}

#[test]
fn parts_of_reasoning_become_paragraphs() {
    let delta = |kind: &str, index: &str, at: u64, text: &str| json!({"type": format!("response.{kind}.delta"), "output_index": 0, "item_id": "rs_1", index: at, "delta": text});
    let (events, decoded) = whole(&[
        created(),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1", "summary": []}}),
        delta("reasoning_summary_text", "summary_index", 0, "on"),
        delta("reasoning_summary_text", "summary_index", 0, "e"),
        delta("reasoning_summary_text", "summary_index", 1, "two"),
        delta("reasoning_text", "content_index", 0, "three"),
        json!({"type": "response.output_item.done", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1", "encrypted_content": "E",
            "summary": [{"type": "summary_text", "text": "one"}, {"type": "summary_text", "text": "two"}],
            "content": [{"type": "reasoning_text", "text": "three"}]}}),
        completed(Value::Null),
    ]);
    let told: String = events
        .iter()
        .filter_map(|event| match event {
            StreamEvent::ReasoningDelta(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        (told.as_str(), decoded.message.reasoning().as_str()),
        ("one\n\ntwo\n\nthree", "one\n\ntwo\n\nthree")
    );
    let [Part::Reasoning(thought)] = &*decoded.message.content else { panic!() };
    assert_eq!(thought.encrypted.as_deref(), Some("E"));
}

#[test]
fn only_the_last_event_ends_a_stream() {
    let delta = json!({"type": "response.output_text.delta", "output_index": 0, "delta": "Hi"});
    for data in [
        vec![created()],
        vec![created(), delta.clone()],
        vec![
            created(),
            delta.clone(),
            json!({"type": "response.output_item.done", "item": message("Hi")}),
        ],
    ] {
        let (_, failure, _) = run(&data);
        assert_eq!(failure.unwrap().kind, ErrorKind::Truncated, "{data:?}");
        // Neither does the end marker of Chat Completions.
        let mut decoder = Decoder::new(Wire::OpenAiResponses, 0, usize::MAX);
        let body: String = data.iter().map(|data| format!("data: {data}\n\n")).collect();
        decoder.push((body + "data: [DONE]\n\n").as_bytes(), &mut Vec::new()).unwrap();
        assert_eq!(decoder.finish(&mut Vec::new()).unwrap_err().kind, ErrorKind::Truncated);
    }
    let incomplete = json!({"type": "response.incomplete", "response": {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}});
    let (_, decoded) = whole(&[created(), delta, incomplete]);
    assert_eq!(
        (decoded.finish_reason, decoded.message.text().as_str()),
        (FinishReason::Length, "Hi")
    );
}

#[test]
fn failures_are_read_in_all_three_forms() {
    for (event, kind, message) in [
        (
            json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error", "message": "gone"}}}),
            ErrorKind::Server,
            "gone",
        ),
        (
            json!({"type": "error", "code": "rate_limit_exceeded", "message": "slow", "param": null}),
            ErrorKind::RateLimited,
            "slow",
        ),
        (
            json!({"type": "error", "error": {"type": "insufficient_quota", "code": "insufficient_quota", "message": "no money"}}),
            ErrorKind::QuotaExhausted,
            "no money",
        ),
        (
            json!({"error": {"message": "bad", "type": "invalid_request_error"}}),
            ErrorKind::InvalidRequest,
            "bad",
        ),
        (json!({"type": "response.failed"}), ErrorKind::Server, ""),
    ] {
        let (_, failure, _) = run(&[created(), event.clone()]);
        let failure = failure.unwrap_or_else(|| panic!("{event}"));
        assert_eq!(failure.kind, kind, "{event}");
        assert!(failure.message.contains(message), "{event}");
    }
}

#[test]
fn only_new_content_counts_as_progress() {
    let mut decoder = Decoder::new(Wire::OpenAiResponses, 0, usize::MAX);
    let mut step = |data: Value| {
        decoder.push(format!("data: {data}\n\n").as_bytes(), &mut Vec::new()).unwrap()
    };
    let started = json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "id": "m", "content": []}});
    for (data, moves) in [
        (created(), false),
        (json!({"type": "response.in_progress", "response": {"status": "in_progress"}}), false),
        (json!({"type": "response.in_progress", "response": {"status": "in_progress"}}), false),
        (json!({"type": "keepalive", "sequence_number": 2}), false),
        (json!({"type": "response.output_text.delta", "output_index": 0, "delta": ""}), false),
        (json!({"type": "response.output_text.delta", "output_index": 0, "delta": "a"}), true),
        (json!({"type": "response.web_search_call.searching", "output_index": 1}), false),
        (
            json!({"type": "response.code_interpreter_call_code.delta", "output_index": 1, "delta": "n = 1"}),
            true,
        ),
        (json!({"type": "response.something_new", "output_index": 1}), false),
        (json!({"type": "novel"}), false),
        (started, true),
        (completed(json!([])), true),
    ] {
        assert_eq!(step(data.clone()), moves, "{data}");
    }
}

#[test]
fn usage_is_estimated_until_the_last_event_reports_it() {
    let delta =
        json!({"type": "response.output_text.delta", "output_index": 0, "delta": "12345678"});
    let (_, _, decoded) = run(&[created(), delta.clone()]);
    assert_eq!(
        (decoded.usage.source, decoded.usage.completion_tokens),
        (UsageSource::Estimated, 2)
    );
    let (_, decoded) = whole(&[created(), delta, completed(Value::Null)]);
    assert_eq!(decoded.usage, Usage::reported(5, 2));
}

#[test]
fn a_stream_is_bounded_in_bytes_and_items() {
    let long = "x".repeat(600);
    let delta = json!({"type": "response.output_text.delta", "output_index": 0, "delta": long});
    let added = |index: u64| json!({"type": "response.output_item.added", "output_index": index, "item": {"type": "novel", "id": index.to_string()}});
    let push = |limit: usize, mut data: Box<dyn Iterator<Item = Value>>| {
        let mut decoder = Decoder::new(Wire::OpenAiResponses, 0, limit);
        data.try_for_each(|data| {
            decoder.push(format!("data: {data}\n\n").as_bytes(), &mut Vec::new()).map(|_| ())
        })
    };
    push(1000, Box::new([delta.clone()].into_iter())).unwrap();
    assert!(
        push(1000, Box::new([delta.clone(), delta].into_iter()))
            .unwrap_err()
            .message
            .contains("larger than")
    );
    let many = push(usize::MAX, Box::new((0..20_000).map(added))).unwrap_err();
    assert!(many.message.contains("more parts"), "{many:?}");
}
