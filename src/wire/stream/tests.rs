//! Tests of streams of every format: their ends, failures and bounds.

mod exact_numbers;
mod failed_answers;
mod halves;
mod progress;
mod repeated;

use super::*;
use crate::chat::{FinishReason, Message, Part, Usage, UsageSource};
use crate::error::ErrorKind;
use crate::wire::{HeaderFields, Reply};
use serde_json::{Value, json};

const LIMIT: usize = 1 << 20;

/// A decoder, its events and its result.
pub(in crate::wire) struct Run {
    pub(in crate::wire) events: Vec<StreamEvent>,
    pub(in crate::wire) end: Result<(), Failure>,
    pub(in crate::wire) decoded: Decoded,
}

/// Reads a body at once, byte by byte, and with every second event changed, and checks that the
/// results are equal.
pub(in crate::wire) fn run(wire: Wire, body: &str) -> Run {
    let read = |pieces: std::slice::Chunks<'_, u8>| {
        let mut decoder = Decoder::new(wire, 40, LIMIT);
        let mut events = Vec::new();
        let pushed = pieces.map(|piece| decoder.push(piece, &mut events).map(|_| ()));
        let mut end = pushed.fold(Ok(()), Result::and);
        let finished = decoder.finish(&mut events);
        if end.is_ok() {
            end = finished;
        } else {
            assert_eq!(finished, end);
        }
        assert_eq!(decoder.is_done(), end.is_ok());
        Run { events, end, decoded: decoder.partial() }
    };
    let whole = read(body.as_bytes().chunks(body.len().max(1)));
    let bytes = read(body.as_bytes().chunks(1));
    assert_eq!(whole.events, bytes.events, "{body}");
    assert_eq!(whole.end, bytes.end, "{body}");
    assert_eq!(format!("{:?}", whole.decoded), format!("{:?}", bytes.decoded), "{body}");
    assert_eq!(whole.decoded.message, bytes.decoded.message, "{body}");
    let unlike = read(unlike(body).as_bytes().chunks(body.len().max(1)));
    assert_eq!(whole.events, unlike.events, "{body}");
    assert_eq!(whole.end.is_ok(), unlike.end.is_ok(), "{body}");
    assert_eq!(whole.decoded.message, unlike.decoded.message, "{body}");
    assert_eq!(whole.decoded.usage, unlike.decoded.usage, "{body}");
    whole
}

/// Adds a space to the JSON of every other event.
fn unlike(body: &str) -> String {
    let mut events = body.split("data: {");
    let first = events.next().unwrap_or_default().to_owned();
    let space = |number| if number % 2 == 1 { " " } else { "" };
    events.enumerate().fold(first, |all, (number, event)| all + "data: {" + space(number) + event)
}

/// Builds a stream with these data and no end marker.
pub(in crate::wire) fn lines<'a>(data: impl IntoIterator<Item = &'a Value>) -> String {
    data.into_iter().map(|data| format!("data: {data}\n\n")).collect()
}

fn chunk(delta: Value, finish: Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
}

fn hello() -> String {
    let chunks = [
        chunk(json!({"role": "assistant", "content": ""}), json!(null)),
        chunk(json!({"content": "Hello"}), json!(null)),
        chunk(json!({}), json!("stop")),
        json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 1}}),
    ];
    lines(&chunks) + "data: [DONE]\n\n"
}

#[test]
fn a_stream_ends_at_its_end_marker_and_the_rest_is_ignored() {
    for tail in ["", "data: {\"error\": \"late\"}\n\n", "data: not JSON\n\n", ": c\n\n", "\n{"] {
        let run = run(Wire::OpenAiChat, &(hello() + tail));
        assert_eq!(run.end, Ok(()));
        assert_eq!(
            run.events,
            [
                StreamEvent::TextDelta("Hello".into()),
                StreamEvent::Usage(Usage::reported(7, 1).into()),
                StreamEvent::Finished(FinishReason::Stop),
            ]
        );
        assert_eq!(run.decoded.message, Message::assistant("Hello"));
    }
    let mut decoder = Decoder::new(Wire::OpenAiChat, 0, LIMIT);
    let mut events = Vec::new();
    assert_eq!(decoder.push(hello().as_bytes(), &mut events), Ok(true));
    assert!(decoder.is_done());
    assert_eq!(decoder.push(b"data: {\"choices\": []}\n\n", &mut events), Ok(false));
    assert_eq!(decoder.finish(&mut events), Ok(()));
    assert_eq!(events.len(), 3);
    assert_eq!(decoder.into_decoded().message, Message::assistant("Hello"));
}

#[test]
fn a_truncated_stream_is_an_error_and_keeps_what_arrived() {
    let whole = hello();
    let marker = whole.find("[DONE").unwrap() + "[DONE".len();
    // After the finish reason, and after the usage.
    let finished = whole.find("\"stop\"}]}").unwrap() + "\"stop\"}]}".len();
    let counted = whole.find("data: [DONE").unwrap() - 2;
    let between = |end: usize, from: usize| (from..=from + 2 + "data".len()).contains(&end);
    for end in 1..=marker {
        let run = run(Wire::OpenAiChat, &whole[..end]);
        if between(end, finished) || between(end, counted) {
            continue;
        }
        let failure = run.end.unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Truncated, "{end}");
        assert!(failure.message.ends_with("its end marker, [DONE]"));
        assert!(run.events.len() <= 1);
        assert!("Hello".starts_with(&run.decoded.message.text()));
    }
    for end in [finished, finished + 2, counted, counted + 2] {
        assert_eq!(run(Wire::OpenAiChat, &whole[..end]).end, Ok(()), "{end}");
    }
    // The marker without its blank line.
    for end in marker + 1..whole.len() {
        assert_eq!(run(Wire::OpenAiChat, &whole[..end]).end, Ok(()));
    }
}

#[test]
fn a_finished_stream_is_complete_without_its_end_marker() {
    let usage = json!({"prompt_tokens": 7, "completion_tokens": 1});
    let mut last = chunk(json!({}), json!("stop"));
    last["usage"] = usage.clone();
    let mut counted = chunk(json!({"content": "b"}), json!(null));
    counted["usage"] = usage.clone();
    let text = chunk(json!({"content": "a"}), json!(null));
    let finish = chunk(json!({}), json!("stop"));
    let usage = json!({"choices": [], "usage": usage});
    let role = chunk(json!({"role": "assistant", "content": ""}), json!(null));
    let both = chunk(json!({"content": "a"}), json!("stop"));
    let others = json!({"choices": [{"index": 1, "delta": {}, "finish_reason": "stop"}]});
    for (chunks, whole) in [
        (vec![&text, &last], true),
        (vec![&text, &finish, &last], true),
        (vec![&text, &finish], true),
        (vec![&text, &finish, &usage], true),
        (vec![&text, &usage, &finish], true),
        (vec![&text, &finish, &finish], true),
        (vec![&finish], true),
        (vec![&text, &finish, &role, &others], true),
        (vec![&both], true),
        // An answer that continues has not finished.
        (vec![&text, &last, &text], false),
        (vec![&text, &finish, &text, &text], false),
        (vec![&text, &finish, &text, &finish], true),
        (vec![&text, &others], false),
        (vec![&text, &usage], false),
        (vec![&text, &counted], false),
        (vec![&text], false),
    ] {
        let chat = run(Wire::OpenAiChat, &lines(chunks.iter().copied()));
        assert_eq!(chat.end.is_ok(), whole, "{chunks:?}");
        let finished = chat.events.contains(&StreamEvent::Finished(FinishReason::Stop));
        assert_eq!(finished, whole);
        let counts = chunks.iter().any(|chunk| chunk["usage"].is_object());
        if whole && counts {
            assert_eq!(chat.decoded.usage, Usage::reported(7, 1), "{chunks:?}");
        }
        let said = |chunk: &&Value| {
            let mut said = (*chunk).clone();
            if let Some(choice) = said["choices"].get_mut(0) {
                choice["text"] = choice["delta"]["content"].take();
            }
            said
        };
        let chunks: Vec<_> = chunks.iter().map(said).collect();
        let completion = run(Wire::OpenAiCompletions, &lines(&chunks));
        assert_eq!(completion.end.is_ok(), whole, "{chunks:?}");
    }
}

#[test]
fn a_finished_anthropic_stream_is_complete_without_its_end_marker() {
    let start = json!({"type": "message_start", "message": {"id": "msg_1",
        "usage": {"input_tokens": 7, "output_tokens": 1}}});
    let begin = json!({"type": "content_block_start", "index": 0,
        "content_block": {"type": "text", "text": ""}});
    let text = json!({"type": "content_block_delta", "index": 0,
        "delta": {"type": "text_delta", "text": "a"}});
    let stop = json!({"type": "content_block_stop", "index": 0});
    let counted = json!({"type": "message_delta", "delta": {"stop_reason": null},
        "usage": {"output_tokens": 1}});
    let end = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 1}});
    let ping = json!({"type": "ping"});
    for (events, whole) in [
        (vec![&start, &begin, &text, &stop, &end], true),
        (vec![&start, &begin, &text, &stop, &end, &ping, &ping], true),
        (vec![&start, &begin, &text, &stop, &end, &counted], true),
        (vec![&start, &end], true),
        (vec![&begin, &text, &end, &stop], true),
        // An answer that continues has not finished.
        (vec![&start, &end, &begin], false),
        (vec![&start, &begin, &text, &end, &text], false),
        (vec![&start, &begin, &text, &end, &text, &text], false),
        (vec![&start, &begin, &text, &stop, &counted], false),
        (vec![&start, &begin, &text, &stop], false),
        (vec![&start], false),
    ] {
        let run = run(Wire::Anthropic, &lines(events.iter().copied()));
        assert_eq!(run.end.is_ok(), whole, "{events:?}");
        let finished = run.events.contains(&StreamEvent::Finished(FinishReason::Stop));
        assert_eq!(finished, whole);
        if whole && events.contains(&&start) {
            assert_eq!(run.decoded.usage, Usage::reported(7, 1), "{events:?}");
        }
    }
}

#[test]
fn a_failure_is_permanent_and_keeps_what_arrived() {
    let broken = lines(&[chunk(json!({"content": "a"}), json!(null))]) + "data: {\"secret\": \n\n";
    let run = run(Wire::OpenAiChat, &broken);
    let failure = run.end.unwrap_err();
    assert_eq!(failure.kind, ErrorKind::Protocol);
    assert!(failure.message.contains("is not JSON") && !failure.message.contains("secret"));
    assert_eq!(run.events, [StreamEvent::TextDelta("a".into())]);
    assert_eq!(run.decoded.message, Message::assistant("a"));
    assert_eq!(run.decoded.usage.source, UsageSource::Estimated);
}

#[test]
fn a_body_that_is_not_an_event_stream_is_read_at_once() {
    let answer = json!({"id": "x", "choices": [{"finish_reason": "tool_calls", "message": {
        "reasoning_content": "hm", "content": "a", "tool_calls": [
            {"id": "c", "function": {"name": "f", "arguments": "{\"x\": 1}"}},
        ],
    }}]});
    for before in ["", "\n\n \r\n", "\u{feff}"] {
        let run = run(Wire::OpenAiChat, &format!("{before}{answer}\n"));
        assert_eq!(run.end, Ok(()), "{before:?}");
        let shown = format!("{:?}", run.events);
        let order =
            ["ReasoningDelta", "TextDelta", "Started", "ArgumentsDelta", "Complete", "Usage"];
        let places = order.map(|event| shown.find(event).unwrap());
        assert!(places.is_sorted(), "{shown}");
        assert_eq!(run.events.last(), Some(&StreamEvent::Finished(FinishReason::ToolCalls)));
        // "hm", "a", "f" and the arguments: 12 bytes.
        assert_eq!(run.decoded.usage.completion_tokens, 3);
        assert_eq!(run.decoded.usage.source, UsageSource::Estimated);
        assert_eq!(run.decoded.id.as_deref(), Some("x"));
    }
    for (body, kind) in [
        // xAI's, under status 200 (vercel/ai, `packages/xai`).
        (r#"{"code": "x", "error": "The service is busy"}"#, ErrorKind::Server),
        (r#"{"error": {"code": 429, "message": "slow"}}"#, ErrorKind::RateLimited),
        (r#"{"choices": [{"message": {"content": "half"#, ErrorKind::Protocol),
        ("<html>maintenance</html>", ErrorKind::Protocol),
        ("[1]", ErrorKind::Protocol),
    ] {
        let run = run(Wire::OpenAiChat, body);
        assert_eq!(run.end.unwrap_err().kind, kind, "{body}");
        assert_eq!(run.events, []);
    }
    let message = json!({"type": "message", "content": [{"type": "text", "text": "a"}],
        "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 2}});
    let run = run(Wire::Anthropic, &message.to_string());
    assert_eq!(run.end, Ok(()));
    assert_eq!(run.decoded.usage, Usage::reported(1, 2));
}

#[test]
fn a_body_without_events_fails_as_in_a_non_streaming_call() {
    for wire in [Wire::OpenAiChat, Wire::OpenAiCompletions, Wire::Anthropic] {
        for body in [
            &b""[..],
            b" \n\n",
            b"null",
            b"null\n",
            b"true",
            b"\"text\"",
            b"Internal error",
            b"error: upstream\n",
            b"database is gone\n\n",
            b"upstream: failed\nat: 12:00\n\n",
            b"\xff\xfe{\0}\0",
            b"\xfe\xff\0{\0}",
            b"{\0}\0",
            b"\0{\0}",
            b"\x1f\x8b\x08\0\0\0",
        ] {
            let headers = HeaderFields::default();
            let reply = Reply { status: 200, headers: &headers, body, sent: None };
            let whole = wire.decode(reply, &wire.inventor()).unwrap_err();
            assert_eq!(whole.kind, ErrorKind::Protocol, "{body:?}");
            for size in [1, 3, body.len().max(1)] {
                let mut decoder = Decoder::new(wire, 0, LIMIT);
                let mut events = Vec::new();
                for piece in body.chunks(size) {
                    decoder.push(piece, &mut events).unwrap();
                }
                let failure = decoder.finish(&mut events).unwrap_err();
                assert_eq!((failure, events), (whole.clone(), Vec::new()), "{body:?}");
            }
        }
    }
}

#[test]
fn a_stream_without_events_is_a_protocol_error_unless_truncated() {
    for (body, kind) in [
        (": keep-alive\n\n", ErrorKind::Protocol),
        (":\n\n: keep-alive\n", ErrorKind::Protocol),
        ("\u{feff}\n: keep-alive\n\n", ErrorKind::Protocol),
        ("retry: 3000\n\n", ErrorKind::Protocol),
        ("event: ping\n\n", ErrorKind::Protocol),
        ("d", ErrorKind::Truncated),
        ("data", ErrorKind::Truncated),
        ("data: {", ErrorKind::Truncated),
        (": keep-alive\n\nevent: x\nda", ErrorKind::Truncated),
        ("event: ping\n", ErrorKind::Truncated),
    ] {
        for wire in [Wire::OpenAiChat, Wire::OpenAiCompletions, Wire::Anthropic] {
            let run = run(wire, body);
            let failure = run.end.unwrap_err();
            assert_eq!(failure.kind, kind, "{body:?}: {}", failure.message);
            let none = failure.message.contains("without a single event");
            assert_eq!(none, kind == ErrorKind::Protocol, "{}", failure.message);
            assert_eq!(run.events, []);
        }
    }
}

#[test]
fn memory_is_bounded() {
    let piece = lines(&[chunk(json!({"content": "x".repeat(100)}), json!(null))]);
    let mut decoder = Decoder::new(Wire::OpenAiChat, 0, 1_000);
    let mut events = Vec::new();
    let failure = (0..).find_map(|_| decoder.push(piece.as_bytes(), &mut events).err()).unwrap();
    assert_eq!((failure.kind, events.len()), (ErrorKind::Protocol, 10));
    assert!(failure.message.contains("larger than the 1000 bytes"), "{}", failure.message);
    assert_eq!(decoder.partial().message.text().len(), 1_000);
    assert_eq!(decoder.push(piece.as_bytes(), &mut events), Err(failure));
    // A body that is not a stream, an event without an end, comments without end.
    let mut decoder = Decoder::new(Wire::OpenAiChat, 0, 1_000);
    assert!((0..).any(|_| decoder.push(b"{      ", &mut events).is_err()));
    let mut decoder = Decoder::new(Wire::OpenAiChat, 0, 1_000);
    assert!((0..).any(|_| decoder.push(b"data: xxxxxxxxxxxxxxxxx\n", &mut events).is_err()));
    let mut decoder = Decoder::new(Wire::OpenAiChat, 0, 1_000);
    assert!((0..10_000).all(|_| decoder.push(b": keep-alive\n\n", &mut events).is_ok()));
}

#[test]
fn unreported_usage_is_estimated() {
    let chunks = [chunk(json!({"content": "12345"}), json!("stop"))];
    let run = run(Wire::OpenAiChat, &(lines(&chunks) + "data: [DONE]\n\n"));
    let usage = run.decoded.usage;
    // From 40 bytes of request and 5 of answer.
    assert_eq!((usage.prompt_tokens, usage.completion_tokens, usage.total_tokens), (10, 2, 12));
    assert_eq!(usage.source, UsageSource::Estimated);
    assert_eq!(run.events[1], StreamEvent::Usage(usage.into()));
}

#[test]
fn half_an_event_does_not_keep_a_finished_answer_from_completing() {
    let stop =
        "data: {\"type\": \"message_delta\", \"delta\": {\"stop_reason\": \"end_turn\"}}\n\n";
    let begun = "data: {\"type\": \"content_block_delta\", \"index\": 0, \"delta\": {\"type\": \
                 \"text_delta\", \"text\": \"Hi\"}}\n\n";
    for (body, expected) in [([begun, stop].concat(), true), (begun.to_owned(), false)] {
        let mut decoder = Decoder::new(Wire::Anthropic, 0, 1 << 20);
        let mut events = Vec::new();
        decoder.push(format!("{body}event: ping\ndata: {{\"ty").as_bytes(), &mut events).unwrap();
        assert_eq!(decoder.complete(&mut events), expected);
        let finished = events.iter().any(|event| matches!(event, StreamEvent::Finished(_)));
        assert_eq!(finished, expected, "{events:?}");
    }
}
