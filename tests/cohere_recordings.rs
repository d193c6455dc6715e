//! The client decodes answers recorded from Cohere correctly.
//!
//! `TOLLGATE_RECORDINGS` names the folder of recordings; without it these tests are skipped, and
//! say so. The expected values come from the raw JSON, by code that shares nothing with the crate.

mod support;

use serde_json::{Value, json};
use support::recordings::{Recording, decoded, recorded, string};
use support::{client, loopback};
use tollgate::testing::Reply;
use tollgate::{
    ChatResponse, ErrorKind, FinishReason, Message, Part, StreamDecoder, StreamEvent, UsageSource,
};

/// Returns the recorded answers of `/v2/chat`: streams, or whole ones.
fn recordings(streamed: bool) -> Option<Vec<Recording>> {
    recorded(|entry| {
        entry["url"].as_str().is_some_and(|url| url.ends_with(".cohere.com/v2/chat"))
            && (entry["kind"] == "sse") == streamed
    })
}

/// The values that an answer must have, from its raw JSON.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    text: String,
    thinking: String,
    plan: String,
    /// Ids, names and arguments.
    calls: Vec<(String, String, String)>,
    citations: Vec<Value>,
    finish: String,
    prompt: u64,
    completion: u64,
    reasoning_tokens: u64,
    image_tokens: u64,
    usage: Value,
    id: String,
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

impl Expected {
    fn end(&mut self, finish: &Value, usage: &Value) {
        self.finish = string(finish);
        self.prompt = count(&usage["billed_units"]["input_tokens"]);
        self.completion = count(&usage["billed_units"]["output_tokens"]);
        self.reasoning_tokens = count(&usage["tokens"]["reasoning_tokens"]);
        self.image_tokens = count(&usage["tokens"]["image_tokens"]);
        self.usage = usage.clone();
    }

    /// A tool without parameters gets no arguments at all.
    fn complete_calls(mut self) -> Self {
        for (_, _, arguments) in &mut self.calls {
            if arguments.is_empty() {
                "{}".clone_into(arguments);
            }
        }
        self
    }
}

fn walk_whole(body: &Value) -> Expected {
    let mut expected = Expected { id: string(&body["id"]), ..Expected::default() };
    let message = &body["message"];
    for block in message["content"].as_array().into_iter().flatten() {
        expected.text += &string(&block["text"]);
        expected.thinking += &string(&block["thinking"]);
    }
    assert!(message.get("tool_calls").is_none() && message.get("citations").is_none());
    expected.end(&body["finish_reason"], &body["usage"]);
    expected
}

fn walk_stream(events: &[Value]) -> Expected {
    let mut expected = Expected::default();
    for event in events {
        let message = &event["delta"]["message"];
        let call = &message["tool_calls"];
        match event["type"].as_str().unwrap() {
            "message-start" => expected.id = string(&event["id"]),
            "content-start" | "content-delta" => {
                expected.text += &string(&message["content"]["text"]);
                expected.thinking += &string(&message["content"]["thinking"]);
            }
            "tool-plan-delta" => expected.plan += &string(&message["tool_plan"]),
            "tool-call-start" => {
                let function = &call["function"];
                let arguments = string(&function["arguments"]);
                expected.calls.push((string(&call["id"]), string(&function["name"]), arguments));
            }
            "tool-call-delta" => {
                let call_at = count(&event["index"]);
                let arguments = &mut expected.calls[usize::try_from(call_at).unwrap()].2;
                *arguments += &string(&call["function"]["arguments"]);
            }
            "citation-start" => expected.citations.push(message["citations"].clone()),
            "content-end" | "tool-call-end" | "citation-end" => {}
            "message-end" => {
                expected.end(&event["delta"]["finish_reason"], &event["delta"]["usage"]);
            }
            other => panic!("{other}"),
        }
    }
    expected.complete_calls()
}

/// Returns the values of a decoded answer.
fn found(answer: &ChatResponse) -> Expected {
    let mut found = Expected::default();
    for part in &answer.message.content {
        match part {
            Part::Text(text) => {
                found.text += &text.text;
                found.citations.extend(text.citations.iter().cloned());
            }
            Part::Reasoning(reasoning) if reasoning.field.is_some() => {
                found.plan += &reasoning.text;
            }
            Part::Reasoning(reasoning) => found.thinking += &reasoning.text,
            Part::ToolCall(call) => {
                found.calls.push((call.id.clone(), call.name.clone(), call.arguments.clone()));
            }
            other => panic!("{other:?}"),
        }
    }
    Expected {
        finish: answer.finish_reason_raw.clone().unwrap_or_default(),
        prompt: answer.usage.prompt_tokens,
        completion: answer.usage.completion_tokens,
        reasoning_tokens: answer.usage.reasoning_tokens,
        image_tokens: answer.usage.prompt_image_tokens,
        usage: answer.extra["usage"].clone(),
        id: answer.id.clone().unwrap_or_default(),
        ..found
    }
}

fn check(file: &str, answer: &ChatResponse, expected: &Expected) {
    assert_eq!(found(answer), *expected, "{file}");
    assert_eq!(answer.usage.source, UsageSource::Reported, "{file}");
    let reason = match expected.finish.as_str() {
        "TOOL_CALL" => FinishReason::ToolCalls,
        "COMPLETE" => FinishReason::Stop,
        other => panic!("{file}: {other}"),
    };
    assert_eq!(answer.finish_reason, reason, "{file}");
}

#[test]
fn every_recorded_answer_and_error_is_decoded_correctly() {
    let Some(recordings) = recordings(false) else { return };
    let mut errors = 0;
    for recording in &recordings {
        let file = &recording.file;
        let json: Value = serde_json::from_slice(&recording.body).unwrap();
        match recording.replayed("cohere") {
            Ok(answer) => {
                check(file, &answer, &walk_whole(&json));
                assert_eq!(answer.raw_json(), json, "{file}");
            }
            Err(error) => {
                assert_eq!(error.status(), Some(400), "{file}");
                assert_eq!(error.kind(), ErrorKind::ContextWindowExceeded, "{file}: {error}");
                assert_eq!(error.code(), json["error_type"].as_str(), "{file}");
                assert_eq!(error.message(), string(&json["message"]), "{file}");
                errors += 1;
            }
        }
    }
    let answers = recordings.len() - errors;
    eprintln!("{answers} recorded answers, {errors} errors");
    assert!(answers >= 2 && errors >= 1, "only {}; is the folder whole?", recordings.len());
}

/// Returns the position after each event of a stream before the last one, `message-end`.
fn ends(recording: &Recording) -> Vec<usize> {
    let body = std::str::from_utf8(&recording.body).unwrap();
    let last = body.find("event: message-end").unwrap();
    recording.ends().into_iter().filter(|end| *end <= last).collect()
}

#[test]
fn every_recorded_stream_is_decoded_correctly_however_it_is_split() {
    let Some(recordings) = recordings(true) else { return };
    for recording in &recordings {
        let file = &recording.file;
        let raw = recording.texts();
        let expected = walk_stream(&raw);
        let ends = ends(recording);
        assert_eq!(ends.len(), raw.len() - 1, "{file}");
        let (events, answer, _) = recording.decoded_however_split(StreamDecoder::cohere, &ends);
        check(file, &answer, &expected);
        let mut said = [String::new(), String::new()];
        for event in &events {
            match event {
                StreamEvent::TextDelta(text) => said[0] += text,
                StreamEvent::ReasoningDelta(text) => said[1] += text,
                _ => {}
            }
        }
        assert_eq!(said, [expected.text, expected.thinking + &expected.plan], "{file}");
    }
    eprintln!("{} recorded streams", recordings.len());
    assert!(recordings.len() >= 8, "only {}; is the folder whole?", recordings.len());
}

#[test]
fn a_recorded_stream_that_ends_early_is_truncated() {
    let Some(recordings) = recordings(true) else { return };
    let server = loopback();
    let client = client(&server, "cohere");
    let mut cuts = 0;
    for recording in &recordings {
        let ends = ends(recording);
        recording.check_truncated(&server, &client, &ends);
        cuts += ends.len();
    }
    eprintln!("{cuts} cuts");
    assert!(cuts >= 200, "only {cuts}; is the folder whole?");
}

#[test]
fn a_second_turn_returns_plans_thinking_and_citations() {
    let Some(recordings) = recordings(true) else { return };
    let server = loopback();
    let client = client(&server, "cohere");
    for recording in &recordings {
        let file = &recording.file;
        let (_, _, answer) = decoded(StreamDecoder::cohere(), [&recording.body[..]]);
        let expected = walk_stream(&recording.texts());
        let mut messages = vec![Message::user("go"), answer.message.clone()];
        for call in answer.tool_calls() {
            messages.push(Message::tool_result(call.id.clone(), "done"));
        }
        if expected.calls.is_empty() {
            messages.push(Message::user("go on"));
        }
        server.reply(Reply::text("fine"));
        client.chat(messages).unwrap_or_else(|error| panic!("{file}: {error}"));
        let sent = server.requests().pop().unwrap().json().clone();
        let back = &sent["messages"][1];
        let calls = expected.calls.iter().map(|(id, name, arguments)| {
            json!({"id": id, "type": "function",
                "function": {"name": name, "arguments": arguments}})
        });
        let mut content = Vec::new();
        for (kind, text) in [("thinking", &expected.thinking), ("text", &expected.text)] {
            if !text.is_empty() {
                content.push(json!({"type": kind, kind: text}));
            }
        }
        let content = match &content[..] {
            [] => Value::Null,
            [text] => text["text"].clone(),
            blocks => json!(blocks),
        };
        let list = |items: Vec<Value>| if items.is_empty() { Value::Null } else { items.into() };
        assert_eq!(back.get("content").cloned().unwrap_or_default(), content, "{file}");
        assert_eq!(string(&back["tool_plan"]), expected.plan, "{file}");
        assert_eq!(back["tool_calls"], list(calls.collect()), "{file}");
        assert_eq!(back["citations"], list(expected.citations), "{file}");
    }
}
