//! Tests of decoding streamed answers.

use super::*;
use crate::chat::Part;
use crate::error::ErrorKind;
use crate::wire::{Decoder, Wire};
use serde_json::Value;

type Streamed = (Vec<StreamEvent>, Result<(), Failure>, Decoded);

/// Pushes a body in pieces of this size, and ends it cleanly.
fn pushed(body: &str, size: usize) -> Streamed {
    let mut decoder = Decoder::new(Wire::Ollama, 400, 1 << 20);
    let mut events = Vec::new();
    let mut read = Ok(());
    for piece in body.as_bytes().chunks(size) {
        read = read.and_then(|()| decoder.push(piece, &mut events).map(|_| ()));
    }
    let read = read.and_then(|()| decoder.finish(&mut events));
    (events, read, decoder.into_decoded())
}

fn streamed(lines: &[Value]) -> Streamed {
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    pushed(&body, usize::MAX)
}

fn line(message: &Value) -> Value {
    json!({"model": "m", "created_at": "t", "message": message, "done": false})
}

fn text(text: &str) -> Value {
    line(&json!({"role": "assistant", "content": text}))
}

fn done(reason: &str) -> Value {
    json!({"model": "m", "message": {"role": "assistant", "content": ""}, "done": true,
        "done_reason": reason, "total_duration": 5, "prompt_eval_count": 9, "eval_count": 4})
}

fn recorded() -> Vec<Value> {
    let call = json!({"content": "", "tool_calls": [
        {"function": {"name": "f", "arguments": {"a": [1]}}}]});
    vec![
        line(&json!({"content": "", "thinking": "hm"})),
        line(&json!({"content": "", "thinking": ", yes"})),
        text("It "),
        text("is."),
        line(&call),
        done("stop"),
    ]
}

#[test]
fn a_stream_yields_events_and_the_whole_answer() {
    let (events, read, answer) = streamed(&recorded());
    read.unwrap();
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
    assert_eq!(answer.finish_reason, FinishReason::ToolCalls);
    assert_eq!((answer.usage.prompt_tokens, answer.usage.completion_tokens), (9, 4));
    assert_eq!(answer.extra["total_duration"], 5);
    assert!(matches!(&answer.message.content[0], Part::Reasoning(it) if it.text == "hm, yes"));
    assert_eq!(answer.message.text(), "It is.");
}

#[test]
fn a_stream_decodes_the_same_however_it_is_cut_into_pieces() {
    let body: String = recorded().iter().map(|line| format!("{line}\r\n\n")).collect();
    let (_, _, whole) = pushed(&body, usize::MAX);
    for size in [1, 2, 7, 64] {
        let (_, read, answer) = pushed(&body, size);
        read.unwrap();
        assert_eq!((answer.message, answer.usage), (whole.message.clone(), whole.usage), "{size}");
    }
    // The last line needs no end.
    pushed(body.trim_end(), 5).1.unwrap();
}

#[test]
fn a_stream_without_its_last_line_is_truncated() {
    let lines = recorded();
    for count in 1..lines.len() {
        let (events, read, answer) = streamed(&lines[..count]);
        assert_eq!(read.unwrap_err().kind, ErrorKind::Truncated, "{count}");
        assert!(!events.iter().any(|event| matches!(event, StreamEvent::Finished(_))));
        assert_eq!(answer.usage.source, UsageSource::Estimated, "{count}");
    }
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let half = body.len() - 20;
    let read = pushed(&body[..half], 9).1;
    assert!(read.unwrap_err().message.contains("\"done\": true"));
}

#[test]
fn failures_inside_a_stream_end_it() {
    let openai = json!({"id": "c", "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"content": "a"}}]});
    for (lines, kind, message) in [
        (vec![text("a"), json!({"error": "an error was encountered"})], ErrorKind::Server, "an er"),
        (vec![json!({"error": "model 'x' not found"})], ErrorKind::NotFound, "not found"),
        (vec![json!({"error": {"message": "slow", "code": 429}})], ErrorKind::RateLimited, "slow"),
        (vec![openai], ErrorKind::Protocol, "ollama-openai"),
        (vec![json!({"status": "pulling"})], ErrorKind::Protocol, "none of the stream's 1 events"),
        (vec![json!({"done": true})], ErrorKind::Protocol, "neither content nor"),
    ] {
        let (_, read, _) = streamed(&lines);
        let failure = read.unwrap_err();
        assert_eq!(failure.kind, kind, "{lines:?} {}", failure.message);
        assert!(failure.message.contains(message), "{}", failure.message);
    }
}

#[test]
fn other_bodies_in_place_of_lines_are_read_or_reported() {
    let pretty = "{\n  \"error\": \"it broke\"\n}\n";
    let whole = serde_json::to_string_pretty(&done("stop")).unwrap();
    let events: String = recorded().iter().map(|line| format!("data: {line}\n\n")).collect();
    for (body, expected) in [
        (pretty.to_owned(), Err((ErrorKind::Server, "it broke"))),
        (format!("{}\n{pretty}", text("a")), Err((ErrorKind::Server, "it broke"))),
        ("<html><body>Bad gateway</body></html>".into(), Err((ErrorKind::Protocol, "HTML page"))),
        (whole, Ok("")),
        (events, Ok("It is.")),
        ("data: {\"choices\":[{}]}\n\n".into(), Err((ErrorKind::Protocol, "ollama-openai"))),
        ("not json\n".into(), Err((ErrorKind::Protocol, ""))),
    ] {
        for size in [1, usize::MAX] {
            let (_, read, answer) = pushed(&body, size);
            match (read, expected) {
                (Ok(()), Ok(text)) => assert_eq!(answer.message.text(), text),
                (Err(failure), Err((kind, message))) => {
                    assert_eq!(failure.kind, kind, "{body} {}", failure.message);
                    assert!(failure.message.contains(message), "{body} {}", failure.message);
                }
                (read, _) => panic!("{body} {read:?}"),
            }
        }
    }
}

#[test]
fn only_additions_to_an_answer_are_progress() {
    let mut stream = Stream::new(SizeLimit::new(10_000));
    let mut step = |line: &Value| stream.event(None, &line.to_string(), &mut Vec::new()).unwrap();
    for (line, expected) in [
        (text(""), Step::Known),
        (text("a"), Step::Progress),
        (json!({"model": "m", "message": {}, "remote_host": "h", "done": false}), Step::Known),
        (json!({"status": "x"}), Step::Unknown),
        (done("stop"), Step::End),
    ] {
        assert_eq!(step(&line), expected, "{line}");
    }
    assert_eq!(stream.event(None, " ", &mut Vec::new()).unwrap(), Step::Nothing);
}

#[test]
fn lines_that_differ_only_in_text_and_time_decode_as_if_they_were_parsed() {
    let at = |mut line: Value, time: usize| {
        line["created_at"] = format!("2026-01-01T00:00:{time:02}Z").into();
        line
    };
    let thought = |text: &str| line(&json!({"role": "assistant", "content": "", "thinking": text}));
    let lines: Vec<_> =
        [thought("h"), thought("m"), text("a"), text("b \"é\n"), text(""), text("c")]
            .into_iter()
            .chain([
                json!({"message": {"content": "d"}, "done": false, "model": "n"}),
                done("stop"),
            ])
            .enumerate()
            .map(|(time, line)| at(line, time))
            .collect();
    // Lines with different white space never match the one before.
    let read = |spaced: bool, count: usize| {
        let body = lines[..count].iter().enumerate().map(|(index, line)| {
            let space = if spaced && index % 2 == 1 { " " } else { "" };
            format!("{{{space}{}\n", &line.to_string()[1..])
        });
        let (events, read, answer) = pushed(&body.collect::<String>(), usize::MAX);
        (events, read.map_err(|failure| failure.kind), answer.message, answer.model, answer.usage)
    };
    for count in 1..=lines.len() {
        assert_eq!(read(false, count), read(true, count), "{count}");
    }
    let (_, _, message, model, _) = read(false, lines.len());
    assert_eq!((message.reasoning(), message.text()), ("hm".into(), "ab \"é\ncd".into()));
    assert_eq!(model, "m");
}
