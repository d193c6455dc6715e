//! Tests of decoding streamed messages.

use super::*;
use crate::Usage;
use crate::chat::{FinishReason, Part, ToolCall, UsageSource};
use crate::error::ErrorKind;
use crate::wire::stream::tests::{Run, lines, run};
use crate::wire::{MAX_PARTS, Wire};

fn start() -> Value {
    json!({"type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [],
        "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 1,
            "service_tier": "standard"},
    }})
}

fn begin(index: u64, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u64, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn stop(index: u64) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn end(reason: &str) -> [Value; 2] {
    [
        json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 40}}),
        json!({"type": "message_stop"}),
    ]
}

fn text(piece: &str) -> Value {
    json!({"type": "text_delta", "text": piece})
}

fn json_piece(piece: &str) -> Value {
    json!({"type": "input_json_delta", "partial_json": piece})
}

/// Reads a message with these events between its start and its end.
fn message(events: &[Value], reason: &str) -> Run {
    let all = [&[start()], events, &end(reason)].concat();
    run(Wire::Anthropic, &lines(&all))
}

#[test]
fn a_stream_yields_the_same_answer_as_one_body() {
    let citation = json!({"type": "char_location", "cited_text": "x"});
    let search = json!({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}});
    let result =
        json!({"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"url": "u"}]});
    let events = [
        begin(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        json!({"type": "ping"}),
        delta(0, json!({"type": "thinking_delta", "thinking": "h"})),
        delta(0, json!({"type": "thinking_delta", "thinking": "m"})),
        delta(0, json!({"type": "signature_delta", "signature": "sig"})),
        stop(0),
        begin(1, json!({"type": "redacted_thinking", "data": "enc"})),
        stop(1),
        begin(2, json!({"type": "text", "text": ""})),
        delta(2, text("a é")),
        delta(2, text("\u{1f600}")),
        stop(2),
        begin(3, search),
        delta(3, json_piece("")),
        delta(3, json_piece("{\"query\"")),
        delta(3, json_piece(": \"q\"}")),
        stop(3),
        begin(4, result.clone()),
        stop(4),
        begin(5, json!({"type": "text", "text": "", "citations": []})),
        delta(5, json!({"type": "citations_delta", "citation": citation})),
        delta(5, text("cited")),
        delta(5, json!({"type": "citations_delta", "citation": citation})),
        stop(5),
        begin(6, json!({"type": "compaction", "content": null})),
        delta(6, json!({"type": "compaction_delta", "content": "sum"})),
        delta(6, json!({"type": "compaction_delta", "content": "mary"})),
        stop(6),
        begin(7, json!({"type": "text", "text": ""})),
        stop(7),
        begin(
            8,
            json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}, "caller": {"type": "direct"}}),
        ),
        delta(8, json_piece("")),
        delta(8, json_piece("{\"x\":")),
        delta(8, json_piece("[1]}")),
        stop(8),
        begin(9, json!({"type": "tool_use", "id": "t2", "name": "g", "input": {}})),
        delta(9, json_piece("")),
        stop(9),
    ];
    let whole = json!({
        "id": "msg_1", "model": "claude-x", "stop_reason": "tool_use",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "redacted_thinking", "data": "enc"},
            {"type": "text", "text": "a é\u{1f600}"},
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
            result,
            {"type": "text", "text": "cited", "citations": [citation, citation]},
            {"type": "compaction", "content": "summary"},
            {"type": "text", "text": ""},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"x": [1]}, "caller": {"type": "direct"}},
            {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
        ],
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 40,
            "service_tier": "standard"},
    });
    let whole = decode::decode(whole.to_string().as_bytes().into()).unwrap();
    let run = message(&events, "tool_use");
    assert_eq!(run.end, Ok(()));
    assert_eq!(run.decoded.message, whole.message);
    assert_eq!(run.decoded.finish_reason, whole.finish_reason);
    assert_eq!(run.decoded.finish_reason_raw, whole.finish_reason_raw);
    assert_eq!(run.decoded.usage, whole.usage);
    assert_eq!(run.decoded.service_tier, whole.service_tier);
    assert_eq!((run.decoded.model, run.decoded.id), (whole.model, whole.id));
    let call = |index: usize| Box::new(whole.message.tool_calls().nth(index).unwrap().clone());
    let begun = |index, id: &str, name: &str| StreamEvent::ToolCallStarted {
        index,
        id: id.into(),
        name: name.into(),
    };
    let more = |delta: &str| StreamEvent::ToolArgumentsDelta { index: 0, delta: delta.into() };
    assert_eq!(
        run.events,
        [
            StreamEvent::ReasoningDelta("h".into()),
            StreamEvent::ReasoningDelta("m".into()),
            StreamEvent::TextDelta("a é".into()),
            StreamEvent::TextDelta("\u{1f600}".into()),
            StreamEvent::TextDelta("cited".into()),
            begun(0, "t1", "f"),
            more("{\"x\":"),
            more("[1]}"),
            StreamEvent::ToolCallComplete { index: 0, call: call(0) },
            begun(1, "t2", "g"),
            StreamEvent::ToolCallComplete { index: 1, call: call(1) },
            StreamEvent::Usage(whole.usage.into()),
            StreamEvent::Finished(FinishReason::ToolCalls),
        ]
    );
}

#[test]
fn arguments_are_as_the_model_wrote_them() {
    let tool = |input: Value| {
        begin(0, json!({"type": "tool_use", "id": "t", "name": "f", "input": input}))
    };
    for (events, expected, told) in [
        (vec![tool(json!({})), delta(0, json_piece("{\"a\": 1 }")), stop(0)], "{\"a\": 1 }", 1),
        // Complete in the start, without a stop, truncated by the output limit.
        (vec![tool(json!({"a": 1})), stop(0)], "{\"a\":1}", 1),
        (vec![tool(json!({})), delta(0, json_piece("{}"))], "{}", 1),
        (vec![tool(json!({})), delta(0, json_piece("{\"a")), stop(0)], "{\"a", 1),
        (vec![tool(json!({})), stop(0), stop(0), delta(0, json_piece("late"))], "{}", 0),
    ] {
        let run = message(&events, "tool_use");
        let call = ToolCall::new("t", "f", expected);
        assert_eq!(run.decoded.message.content, [Part::ToolCall(call.clone())], "{events:?}");
        let deltas = run.events.iter();
        let deltas = deltas.filter(|event| matches!(event, StreamEvent::ToolArgumentsDelta { .. }));
        assert_eq!(deltas.count(), told, "{events:?}");
        let complete = StreamEvent::ToolCallComplete { index: 0, call: call.into() };
        assert_eq!(run.events.iter().filter(|event| **event == complete).count(), 1);
    }
}

#[test]
fn usage_is_replaced_and_never_added_up() {
    let ended = |usage: Value| json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage});
    let done = json!({"type": "message_stop"});
    let reported = |prompt, completion, cached| Usage {
        cached_tokens: cached,
        ..Usage::reported(prompt, completion)
    };
    for (deltas, expected) in [
        (vec![ended(json!({"output_tokens": 7}))], reported(15, 7, 5)),
        (
            vec![
                ended(json!({"output_tokens": 7})),
                ended(json!({"output_tokens": 9, "input_tokens": null})),
            ],
            reported(15, 9, 5),
        ),
        (
            vec![ended(
                json!({"input_tokens": 20, "cache_read_input_tokens": 0, "output_tokens": 2}),
            )],
            reported(20, 2, 0),
        ),
        (
            vec![ended(json!({"output_tokens": 7, "server_tool_use": {"web_search_requests": 3}}))],
            Usage { web_searches: 3, ..reported(15, 7, 5) },
        ),
        (
            vec![ended(
                json!({"output_tokens": 7, "iterations": [{"type": "compaction", "input_tokens": 100, "output_tokens": 30}]}),
            )],
            reported(115, 37, 5),
        ),
        // Only the start's count of what was written by then.
        (
            vec![ended(json!(null))],
            Usage { source: UsageSource::EstimatedOutput, ..reported(15, 1, 5) },
        ),
    ] {
        let mut events = vec![start()];
        events.extend(deltas);
        events.push(done.clone());
        assert_eq!(run(Wire::Anthropic, &lines(&events)).decoded.usage, expected, "{events:?}");
    }
}

#[test]
fn usage_before_a_break_is_reported_or_estimated() {
    let block = || [begin(0, json!({"type": "text", "text": ""})), delta(0, text("0123456789"))];
    let [ended, _] = end("end_turn");
    // 40 bytes of request; 10 of answer.
    for (events, prompt, completion, source) in [
        (vec![json!({"type": "ping"})], 10, 0, UsageSource::Estimated),
        (vec![start()], 15, 1, UsageSource::EstimatedOutput),
        ([&[start()][..], &block()].concat(), 15, 3, UsageSource::EstimatedOutput),
        (
            [&[start()][..], &block(), std::slice::from_ref(&ended)].concat(),
            15,
            40,
            UsageSource::Reported,
        ),
        // llama.cpp without its start.
        (
            [&block()[..], std::slice::from_ref(&ended)].concat(),
            10,
            40,
            UsageSource::EstimatedInput,
        ),
        (block().to_vec(), 10, 3, UsageSource::Estimated),
    ] {
        let run = run(Wire::Anthropic, &lines(&events));
        match run.end {
            Ok(()) => assert!(events.contains(&ended), "{events:?}"),
            Err(failure) => {
                assert!(!events.contains(&ended), "{events:?}");
                assert_eq!(failure.kind, ErrorKind::Truncated);
                assert!(failure.message.ends_with("message_stop"), "{}", failure.message);
            }
        }
        let usage = run.decoded.usage;
        assert_eq!((usage.prompt_tokens, usage.completion_tokens), (prompt, completion));
        assert_eq!(usage.total_tokens, prompt + completion);
        assert_eq!(usage.source, source, "{events:?}");
    }
}

#[test]
fn no_call_appears_without_its_events() {
    let unknown = json!({"type": "novelty", "id": "t", "name": "f", "kind": "tool_use"});
    let nameless = json!({"type": "tool_use", "id": "t"});
    let events = [&[start(), begin(0, nameless), delta(0, unknown), stop(0)][..], &end("end_turn")];
    let run = run(Wire::Anthropic, &lines(&events.concat()));
    assert_eq!(run.end, Ok(()));
    assert_eq!(run.decoded.message.tool_calls().count(), 0);
    assert!(!run.events.iter().any(|event| matches!(event, StreamEvent::ToolCallStarted { .. })));
}

#[test]
fn a_truncated_message_is_an_error_and_keeps_a_prefix() {
    let events = [
        begin(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
        stop(0),
        begin(1, json!({"type": "tool_use", "id": "t", "name": "f", "input": {}})),
        delta(1, json_piece("{\"a\"")),
        delta(1, json_piece(":1}")),
        stop(1),
    ];
    let body = lines([&[start()][..], &events, &end("tool_use")].concat().iter());
    let marker = body.rfind("message_stop\"}").unwrap() + "message_stop\"".len();
    // After the stop reason, with or without the end of its event.
    let stopped = body.find("\"message_delta\"").unwrap();
    let stopped = stopped + body[stopped..].find("\n\n").unwrap();
    let whole = |cut: usize| (stopped..=stopped + 2 + "data".len()).contains(&cut);
    for cut in 1..=marker {
        if whole(cut) {
            continue;
        }
        let run = run(Wire::Anthropic, &body[..cut]);
        assert_eq!(run.end.unwrap_err().kind, ErrorKind::Truncated, "{cut}");
        assert!("hm".starts_with(&run.decoded.message.reasoning()));
        for call in run.decoded.message.tool_calls() {
            assert!("{\"a\":1}".starts_with(&call.arguments), "{call:?}");
        }
        assert!(!run.events.iter().any(|event| matches!(event, StreamEvent::Finished(_))));
    }
    for cut in [stopped, stopped + 1, stopped + 2, marker + 1] {
        assert_eq!(run(Wire::Anthropic, &body[..cut]).end, Ok(()), "{cut}");
    }
}

#[test]
fn kinds_are_event_names_or_types_and_unknown_ones_are_ignored() {
    let body = "event: message_start\ndata: {\"message\": {\"model\": \"m\"}}\n\n\
        event: ping\ndata: {\"type\": \"ping\"}\n\n\
        event: vertex_event\ndata: {\"anything\": 1}\n\n\
        event: novelty\ndata: no JSON\n\n\
        data: {\"type\": \"novelty\", \"delta\": {\"text\": \"no\"}}\n\n\
        event: message\ndata: {\"type\": \"content_block_start\", \"index\": 0, \"content_block\": {\"type\": \"text\", \"text\": \"a\"}}\n\n\
        event: content_block_delta\ndata: {\"index\": 0, \"delta\": {\"type\": \"novelty\", \"text\": \"no\"}}\n\n\
        event: content_block_delta\ndata: {\"index\": 0, \"delta\": {\"type\": \"text_delta\", \"text\": \"b\"}}\n\n\
        data: [DONE]\n\n\
        event: message_stop\ndata: {}\n\n";
    let run = run(Wire::Anthropic, body);
    assert_eq!(run.end, Ok(()));
    assert_eq!(run.decoded.message, Message::assistant("ab"));
    assert_eq!(run.decoded.model, "m");
    let pieces: Vec<_> = ["a", "b"].map(|piece| StreamEvent::TextDelta(piece.into())).into();
    assert_eq!(run.events[..2], pieces);
}

#[test]
fn incomplete_blocks_of_imitators_are_read() {
    let thought = |piece: &str| json!({"type": "thinking_delta", "thinking": piece});
    for (events, reasoning, expected) in [
        // No start, and no index.
        (vec![delta(0, thought("hm")), delta(1, text("a"))], "hm", "a"),
        (
            vec![
                json!({"type": "content_block_start", "content_block": {"type": "text", "text": ""}}),
                json!({"type": "content_block_delta", "delta": text("a")}),
                json!({"type": "content_block_stop"}),
            ],
            "",
            "a",
        ),
        // The same index for all.
        (
            vec![
                begin(0, json!({"type": "thinking", "thinking": "h"})),
                delta(0, thought("m")),
                delta(0, text("a")),
            ],
            "hm",
            "a",
        ),
        (
            vec![
                begin(0, json!({"type": "text", "text": "a"})),
                begin(0, json!({"type": "text", "text": "b"})),
                delta(0, text("c")),
            ],
            "",
            "abc",
        ),
        (
            vec![begin(u64::MAX, json!({"type": "text", "text": "a"})), delta(u64::MAX, text("b"))],
            "",
            "ab",
        ),
        (vec![delta(4_294_967_295, json_piece("{}")), stop(9), delta(3, json!({}))], "", ""),
    ] {
        let run = message(&events, "end_turn");
        assert_eq!(run.end, Ok(()), "{events:?}");
        assert_eq!(run.decoded.message.text(), expected, "{events:?}");
        assert_eq!(run.decoded.message.reasoning(), reasoning, "{events:?}");
    }
}

#[test]
fn an_error_in_the_stream_is_classified() {
    let came = lines(&[start(), begin(0, json!({"type": "text", "text": "a"}))]);
    for (event, kind) in [
        (
            "event: error\ndata: {\"type\": \"error\", \"error\": {\"type\": \"overloaded_error\", \"message\": \"Overloaded\"}}\n\n",
            ErrorKind::Overloaded,
        ),
        (
            "data: {\"type\": \"error\", \"error\": {\"type\": \"rate_limit_error\", \"message\": \"x\"}}\n\n",
            ErrorKind::RateLimited,
        ),
        (
            "event: error\ndata: {\"type\": \"error\", \"error\": {\"type\": \"api_error\", \"message\": \"x\"}}\n\n",
            ErrorKind::Server,
        ),
        ("event: error\ndata: {\"type\": \"authentication_error\"}\n\n", ErrorKind::Authentication),
        ("event: error\ndata: upstream went away\n\n", ErrorKind::Server),
        ("data: {\"error\": {\"code\": 529, \"message\": \"x\"}}\n\n", ErrorKind::Overloaded),
        (
            "data: {\"type\": \"error\", \"message\": \"prompt is too long\"}\n\n",
            ErrorKind::ContextWindowExceeded,
        ),
        ("data: {\"type\": \"content_block_delta\", \n\n", ErrorKind::Protocol),
        ("event: message_delta\ndata: no JSON\n\n", ErrorKind::Protocol),
    ] {
        let run = run(Wire::Anthropic, &(came.clone() + event));
        assert_eq!(run.end.unwrap_err().kind, kind, "{event}");
        assert_eq!(run.decoded.message, Message::assistant("a"), "{event}");
        assert_eq!(run.events, [StreamEvent::TextDelta("a".into())]);
        assert_eq!(run.decoded.usage.prompt_tokens, 15);
    }
}

#[test]
fn an_oversized_answer_is_an_error() {
    let block = |index: usize| begin(index as u64, json!({"type": "text", "text": ""}));
    let blocks: Vec<_> = (0..=MAX_PARTS).map(block).collect();
    let values = json!(vec![0; 9_000]);
    let mut cited = vec![begin(0, json!({"type": "text", "text": ""}))];
    cited.extend((0..30).map(|_| delta(0, json!({"type": "citations_delta", "citation": values}))));
    let mut other = vec![begin(0, json!({"type": "novelty", "list": []}))];
    other.extend((0..30).map(|_| delta(0, json!({"type": "novelty_delta", "list": values}))));
    for events in [blocks, cited, other] {
        let mut decoder = crate::wire::Decoder::new(Wire::Anthropic, 0, 1 << 24);
        let read = decoder.push(lines(&events).as_bytes(), &mut Vec::new());
        assert!(read.unwrap_err().message.contains("more parts"));
        assert!(decoder.partial().message.content.len() <= MAX_PARTS);
    }
}

#[test]
fn unexpected_values_never_panic() {
    let odd = [
        json!(null),
        json!(0),
        json!(-1.5),
        json!("x"),
        json!([]),
        json!([{}]),
        json!({}),
        json!({"type": "tool_use", "id": 1, "name": [], "input": "x", "text": {}}),
        json!({"type": "text", "text": 1, "citations": {}}),
    ];
    for value in &odd {
        for kind in KINDS {
            for field in ["message", "index", "content_block", "delta", "usage", "error"] {
                let mut event = json!({"type": kind, "index": 0});
                event[field] = value.clone();
                let block = begin(0, json!({"type": "other"}));
                let _ = message(&[event.clone(), block, event.clone(), stop(0), event], "end_turn");
            }
        }
        for kind in ["text_delta", "input_json_delta", "signature_delta", "citations_delta", "x"] {
            for name in ["text", "partial_json", "signature", "citation", "thinking", "id", "name"]
            {
                let piece = json!({"type": kind, name: value});
                let events = [begin(0, value.clone()), delta(0, piece.clone()), delta(1, piece)];
                assert_eq!(message(&events, "end_turn").end, Ok(()));
            }
        }
    }
}

#[test]
fn events_that_differ_only_in_text_are_read_without_parsing() {
    let mut stream = Stream::new(SizeLimit::new(1 << 20));
    let mut events = Vec::new();
    let mut read = |kind: &str, name: &str, index: u64, words: &str| {
        let event = json!({
            "type": "content_block_delta",
            "index": index,
            "delta": {"type": kind, name: words},
        });
        let (event, before) = (event.to_string(), stream.template.clone());
        stream.event(Some("content_block_delta"), &event, &mut events).unwrap();
        before.written_in(&event).is_some()
    };
    assert!(!read("thinking_delta", "thinking", 0, "a"));
    assert!(read("thinking_delta", "thinking", 0, "\"b\"\n"));
    assert!(!read("text_delta", "text", 1, "c") && read("text_delta", "text", 1, "é"));
    assert!(!read("text_delta", "text", 2, "e") && read("text_delta", "text", 2, "f"));
    let mut data = r#"{"index": 2, "delta": {"type": "text_delta", "text": "g"}}"#;
    for _ in 0..2 {
        // Without a `type`, the event name is the kind.
        stream.event(Some("ping"), data, &mut events).unwrap();
        data = r#"{"type": "ping"}"#;
    }
    let words: Vec<_> = stream.blocks.parts().iter().map(|part| format!("{part:?}")).collect();
    assert_eq!(words.len(), 3);
    let expected = ["a", "\"b\"\n", "c", "é", "e", "f"];
    let told = events.iter().map(|event| match event {
        StreamEvent::TextDelta(words) | StreamEvent::ReasoningDelta(words) => words.as_str(),
        other => panic!("{other:?}"),
    });
    assert_eq!(told.collect::<Vec<_>>(), expected);
}
