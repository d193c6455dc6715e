//! Tests of decoding streamed answers.

use super::*;
use crate::chat::{Part, UsageSource};
use crate::wire::{Decoder, Wire};
use serde_json::json;

type Streamed = (Vec<StreamEvent>, Result<(), Failure>, Decoded);

/// Pushes the events one by one, and ends the body cleanly.
fn streamed(chunks: &[Value]) -> Streamed {
    let mut decoder = Decoder::new(Wire::Gemini, 400, 1 << 20);
    let mut events = Vec::new();
    let mut read = Ok(());
    for chunk in chunks {
        let event = format!("data: {chunk}\r\n\r\n");
        read = read.and_then(|()| decoder.push(event.as_bytes(), &mut events).map(|_| ()));
    }
    let read = read.and_then(|()| decoder.finish(&mut events));
    (events, read, decoder.into_decoded())
}

fn chunk(parts: &Value, reason: Option<&str>) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
    if let Some(reason) = reason {
        candidate["finishReason"] = reason.into();
    }
    json!({"candidates": [candidate], "modelVersion": "gemini-3.5-flash", "responseId": "r"})
}

fn text(text: &str) -> Value {
    chunk(&json!([{"text": text}]), None)
}

fn counted(mut chunk: Value, prompt: u64, candidates: u64, thoughts: u64) -> Value {
    chunk["usageMetadata"] = json!({"promptTokenCount": prompt, "candidatesTokenCount": candidates,
        "thoughtsTokenCount": thoughts, "totalTokenCount": prompt + candidates + thoughts});
    chunk
}

#[test]
fn a_stream_is_complete_after_a_finish_reason_and_the_end_of_its_body() {
    let last = |text: &str| counted(chunk(&json!([{"text": text}]), Some("STOP")), 9, 3, 4);
    for (chunks, is_whole) in [
        (vec![text("a"), last("b")], true),
        (vec![last("ab")], true),
        // Early models sent a reason with every chunk.
        (vec![last("a"), last("b")], true),
        (vec![chunk(&json!([]), Some("SAFETY"))], true),
        // Content after the finish reason.
        (vec![last("a"), text("b")], false),
        (vec![text("a"), text("b")], false),
        (vec![counted(text("ab"), 9, 3, 4)], false),
    ] {
        let (events, read, _) = streamed(&chunks);
        let is_finished = events.iter().any(|event| matches!(event, StreamEvent::Finished(_)));
        assert_eq!((read.is_ok(), is_finished), (is_whole, is_whole), "{chunks:?}");
        if let Err(failure) = read {
            assert_eq!(failure.kind, ErrorKind::Truncated);
            assert!(failure.message.contains("a finishReason"), "{}", failure.message);
        }
    }
}

#[test]
fn a_streamed_answer_equals_a_whole_one() {
    let call = json!({"functionCall": {"name": "f", "args": {"a": [1]}, "id": "c1"},
        "thoughtSignature": "S"});
    let chunks = [
        chunk(&json!([{"text": "hm", "thought": true}]), None),
        chunk(&json!([{"text": ", yes", "thought": true}]), None),
        text("It "),
        text("is."),
        chunk(&json!([call, {"text": ""}]), None),
        counted(chunk(&json!([{"text": "", "thoughtSignature": "T"}]), Some("STOP")), 9, 3, 4),
    ];
    let (events, read, answer) = streamed(&chunks);
    read.unwrap();
    let parts = json!([{"text": "hm, yes", "thought": true}, {"text": "It is."}, call,
        {"text": "", "thoughtSignature": "T"}]);
    let whole = counted(chunk(&parts, Some("STOP")), 9, 3, 4);
    let whole = crate::wire::gemini::decode::decode(whole.to_string().as_bytes().into()).unwrap();
    assert_eq!(answer.message, whole.message);
    assert_eq!((answer.usage, answer.finish_reason), (whole.usage, whole.finish_reason));
    assert_eq!((answer.usage.completion_tokens, answer.usage.reasoning_tokens), (7, 4));
    let kinds: Vec<_> = events
        .iter()
        .map(|event| match event {
            StreamEvent::TextDelta(text) => text.as_str(),
            StreamEvent::ReasoningDelta(text) => text.as_str(),
            StreamEvent::ToolCallStarted { .. } => "started",
            StreamEvent::ToolArgumentsDelta { delta, .. } => delta.as_str(),
            StreamEvent::ToolCallComplete { .. } => "complete",
            StreamEvent::Usage(_) => "usage",
            StreamEvent::Finished(_) => "finished",
            _ => "other",
        })
        .collect();
    assert_eq!(
        kinds,
        ["hm", ", yes", "It ", "is.", "started", "{\"a\":[1]}", "complete", "usage", "finished"]
    );
}

#[test]
fn the_last_usage_counts_and_a_truncated_stream_is_estimated() {
    let chunks = [counted(text("a"), 10, 1, 149), counted(text(&"b".repeat(40)), 776, 10, 149)];
    let (_, read, answer) = streamed(&chunks);
    assert_eq!(read.unwrap_err().kind, ErrorKind::Truncated);
    assert_eq!((answer.usage.prompt_tokens, answer.usage.completion_tokens), (776, 159));
    assert_eq!(answer.usage.source, UsageSource::EstimatedOutput);
    // Nothing was counted.
    let (_, _, answer) = streamed(&[text("abcd")]);
    assert_eq!((answer.usage.prompt_tokens, answer.usage.completion_tokens), (100, 1));
    assert_eq!(answer.usage.source, UsageSource::Estimated);
}

#[test]
fn failures_inside_a_stream_end_it() {
    let error = json!({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}});
    let blocked = json!({"promptFeedback": {"blockReason": "SAFETY"}});
    for (chunks, kind) in [
        (vec![text("a"), error.clone()], ErrorKind::Overloaded),
        (vec![json!([error])], ErrorKind::Overloaded),
        (vec![blocked.clone()], ErrorKind::ContentPolicy),
        (vec![text("a"), chunk(&json!([]), Some("MALFORMED_FUNCTION_CALL"))], ErrorKind::Server),
        (vec![json!({"candidates": []}), json!({"x": 1})], ErrorKind::Protocol),
    ] {
        let (_, read, _) = streamed(&chunks);
        assert_eq!(read.unwrap_err().kind, kind, "{chunks:?}");
    }
    // Text before a block is kept.
    let (_, read, answer) = streamed(&[text("a"), blocked, chunk(&json!([]), Some("SAFETY"))]);
    read.unwrap();
    assert_eq!(
        (answer.message.text(), answer.finish_reason),
        ("a".into(), FinishReason::ContentFilter)
    );
}

#[test]
fn only_additions_to_an_answer_are_progress() {
    let mut stream = Stream::new(SizeLimit::new(10_000));
    let mut step = |chunk: &Value| stream.event(None, &chunk.to_string(), &mut Vec::new()).unwrap();
    let grounded = |mut chunk: Value| {
        chunk["candidates"][0]["groundingMetadata"] = json!({"webSearchQueries": ["q"]});
        chunk
    };
    for (chunk, expected) in [
        (json!({"candidates": [], "modelVersion": "m"}), Step::Known),
        (text(""), Step::Known),
        (text("a"), Step::Progress),
        (counted(text(""), 9, 1, 0), Step::Progress),
        (counted(text(""), 9, 1, 0), Step::Known),
        (grounded(text("")), Step::Progress),
        (grounded(text("")), Step::Known),
        (chunk(&json!([]), Some("STOP")), Step::Progress),
        (chunk(&json!([]), Some("STOP")), Step::Known),
        (json!({"type": "ping"}), Step::Unknown),
    ] {
        assert_eq!(step(&chunk), expected, "{chunk}");
    }
    assert_eq!(stream.event(None, "[DONE]", &mut Vec::new()).unwrap(), Step::End);
    assert_eq!(stream.event(None, " ", &mut Vec::new()).unwrap(), Step::Nothing);
}

#[test]
fn speech_is_joined_and_images_are_events() {
    let audio = |data: &str| {
        chunk(&json!([{"inlineData": {"mimeType": "audio/L16;rate=24000", "data": data}}]), None)
    };
    let image = chunk(&json!([{"inlineData": {"mimeType": "image/png", "data": "Zm9v"}}]), None);
    let chunks = [audio("Zg=="), audio("b28="), image, chunk(&json!([]), Some("STOP"))];
    let (events, read, answer) = streamed(&chunks);
    read.unwrap();
    let [Part::Audio(audio), Part::Image(_)] = &*answer.message.content else { panic!() };
    assert_eq!(audio.to_bytes().unwrap(), b"foo");
    let is_media =
        |event: &&StreamEvent| matches!(event, StreamEvent::AudioDelta(_) | StreamEvent::Image(_));
    assert_eq!(events.iter().filter(is_media).count(), 3);
}

#[test]
fn halves_of_a_character_are_joined() {
    let data = |text: &str| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{text}\"}}]}}}}]}}\n\n"
        )
    };
    let mut decoder = Decoder::new(Wire::Gemini, 0, 1 << 20);
    let mut events = Vec::new();
    for text in ["Go \\ud83d", "\\ude80!"] {
        decoder.push(data(text).as_bytes(), &mut events).unwrap();
    }
    assert_eq!(decoder.partial().message.text(), "Go 🚀!");
}

#[test]
fn chunks_that_differ_only_in_text_and_counts_decode_as_if_they_were_parsed() {
    let thought = |text: &str| chunk(&json!([{"text": text, "thought": true}]), None);
    let chunks = [
        counted(thought("h"), 10, 0, 1),
        counted(thought("m \u{1f499}"), 10, 0, 2),
        counted(text("a"), 10, 1, 2),
        counted(text("b \"é\n"), 10, 2, 2),
        counted(text(""), 10, 2, 2),
        counted(text("c"), 10, 11, 2),
        counted(text("d"), 776, 12, 2),
        text("e"),
        text("f"),
        counted(chunk(&json!([]), Some("STOP")), 776, 14, 2),
    ];
    // Chunks with different white space never match the one before.
    let read = |spaced: bool, count: usize| {
        let mut decoder = Decoder::new(Wire::Gemini, 400, 1 << 20);
        let (mut events, mut progress, mut usages) = (Vec::new(), Vec::new(), Vec::new());
        for (index, chunk) in chunks[..count].iter().enumerate() {
            let data = chunk.to_string();
            let space = if spaced && index % 2 == 1 { " " } else { "" };
            let data = format!("data: {{{space}{}\n\n", &data[1..]);
            progress.push(decoder.push(data.as_bytes(), &mut events).unwrap());
            usages.push(decoder.usage());
        }
        let read = decoder.finish(&mut events).map_err(|failure| failure.kind);
        let answer = decoder.into_decoded();
        (events, progress, usages, read, (answer.message, answer.usage, answer.extra))
    };
    for count in 1..=chunks.len() {
        assert_eq!(read(false, count), read(true, count), "{count}");
    }
    let (_, _, usages, _, (message, ..)) = read(false, chunks.len());
    assert_eq!((message.reasoning(), message.text()), ("hm 💙".into(), "ab \"é\ncdef".into()));
    assert_eq!((usages[5].completion_tokens, usages[9].completion_tokens), (13, 16));
}
