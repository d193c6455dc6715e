//! The client decodes answers recorded from Ollama correctly, in its own format and at its
//! OpenAI-compatible address.
//!
//! `TOLLGATE_RECORDINGS` names the folder of recordings; without it these tests are skipped, and
//! say so. The expected values come from the raw JSON, by code that shares nothing with the crate.

mod support;

use serde_json::Value;
use support::recordings::{Recordings, member};
use support::{builder, loopback};
use tollgate::testing::{Framing, Reply};
use tollgate::{
    ChatResponse, Error, ErrorKind, FinishReason, StreamDecoder, StreamEvent, UsageSource,
};

struct Recording {
    file: String,
    status: u16,
    kind: String,
    /// At an endpoint of Ollama's own format.
    native: bool,
    body: Vec<u8>,
}

fn recordings() -> Option<Vec<Recording>> {
    let recordings = Recordings::open()?;
    let of_ollama = recordings.entries.iter().filter(|entry| entry["provider"] == "ollama");
    let found = of_ollama.map(|entry| Recording {
        file: member(entry, "file"),
        status: entry["status"].as_u64().and_then(|status| status.try_into().ok()).unwrap(),
        kind: member(entry, "kind"),
        native: entry["url"].as_str().unwrap().contains("/api/"),
        body: recordings.body(entry),
    });
    Some(found.collect())
}

/// The values that an answer must have, from its raw JSON.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    text: String,
    reasoning: String,
    /// Names and arguments.
    calls: Vec<(String, Value)>,
    finish: Option<String>,
    prompt: u64,
    completion: u64,
    model: String,
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Reads the expected values from JSON texts of any of the three endpoints.
fn walk(texts: &[Value]) -> Expected {
    let mut expected = Expected::default();
    for text in texts {
        expected.model = string(&text["model"]);
        let (said, finish, counts) = match text.get("choices") {
            Some(choices) => {
                let choice = &choices[0];
                let counts = ("prompt_tokens", "completion_tokens");
                (&choice["message"], &choice["finish_reason"], (&text["usage"], counts))
            }
            None => {
                let counts = ("prompt_eval_count", "eval_count");
                (&text["message"], &text["done_reason"], (text, counts))
            }
        };
        expected.text += &string(&said["content"]);
        expected.text += &string(&text["response"]);
        expected.reasoning += &string(&said["thinking"]);
        expected.reasoning += &string(&said["reasoning"]);
        for call in said["tool_calls"].as_array().into_iter().flatten() {
            let arguments = match &call["function"]["arguments"] {
                Value::String(text) => serde_json::from_str(text).unwrap(),
                other => other.clone(),
            };
            expected.calls.push((string(&call["function"]["name"]), arguments));
        }
        if let Some(word) = finish.as_str() {
            expected.finish = Some(word.to_owned());
        }
        let (usage, (prompt, completion)) = counts;
        expected.prompt = usage[prompt].as_u64().unwrap_or(expected.prompt);
        expected.completion = usage[completion].as_u64().unwrap_or(expected.completion);
    }
    expected
}

/// Returns the values of a decoded answer.
fn found(answer: &ChatResponse) -> Expected {
    Expected {
        text: answer.text(),
        reasoning: answer.message.reasoning(),
        calls: answer
            .tool_calls()
            .map(|call| (call.name.clone(), call.parse().expect("JSON arguments")))
            .collect(),
        finish: answer.finish_reason_raw.clone(),
        prompt: answer.usage.prompt_tokens,
        completion: answer.usage.completion_tokens,
        model: answer.model.clone(),
    }
}

fn check(file: &str, answer: &ChatResponse, expected: &Expected) {
    assert_eq!(found(answer), *expected, "{file}");
    // Every recorded answer ended by itself.
    let reason = match expected.calls.is_empty() {
        true => FinishReason::Stop,
        false => FinishReason::ToolCalls,
    };
    assert_eq!(answer.finish_reason, reason, "{file}");
    assert_ne!(answer.usage.source, UsageSource::Missing, "{file}");
}

/// Replays a recording to a client over a real socket.
fn replayed(recording: &Recording) -> Result<ChatResponse, Error> {
    let server = loopback();
    server.reply(Reply::raw(recording.status, "application/json", recording.body.clone()));
    let provider = if recording.native { "ollama" } else { "ollama-openai" };
    builder(&server, provider).build()?.chat("hi")
}

#[test]
fn every_recorded_answer_is_decoded_correctly() {
    let Some(recordings) = recordings() else { return };
    let is_answer = |recording: &&Recording| recording.kind == "json" && recording.status == 200;
    let (mut native, mut compatible) = (0, 0);
    for recording in recordings.iter().filter(is_answer) {
        let body: Value = serde_json::from_slice(&recording.body).unwrap();
        let answer =
            replayed(recording).unwrap_or_else(|error| panic!("{}: {error}", recording.file));
        check(&recording.file, &answer, &walk(std::slice::from_ref(&body)));
        if recording.native {
            let durations = ["total_duration", "load_duration", "eval_duration"];
            assert!(durations.iter().all(|name| answer.extra[*name] == body[*name]));
            native += 1;
        } else {
            compatible += 1;
        }
    }
    assert_eq!((native, compatible), (2, 7), "is the folder whole?");
}

#[test]
fn the_recorded_error_is_classified() {
    let Some(recordings) = recordings() else { return };
    let errors: Vec<_> = recordings.iter().filter(|recording| recording.status != 200).collect();
    assert_eq!(errors.len(), 1, "is the folder whole?");
    let error = replayed(errors[0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
}

type Decoded = (Vec<StreamEvent>, Result<(), Error>, ChatResponse);

fn decoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = StreamDecoder::ollama();
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(piece, &mut events).unwrap();
    }
    let end = decoder.finish(&mut events);
    (events, end, decoder.into_response())
}

/// Returns the position after each line of a body.
fn ends(body: &[u8]) -> Vec<usize> {
    (1..=body.len()).filter(|end| body[end - 1] == b'\n').collect()
}

#[test]
fn every_recorded_stream_is_decoded_correctly_however_it_is_split() {
    let Some(recordings) = recordings() else { return };
    let streams: Vec<_> = recordings.iter().filter(|it| it.kind == "ndjson").collect();
    for Recording { file, body, .. } in &streams {
        let text = std::str::from_utf8(body).unwrap();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (events, end, answer) = decoded([&body[..]]);
        end.unwrap_or_else(|error| panic!("{file}: {error}"));
        check(file, &answer, &walk(&lines));
        let bytewise = decoded(body.chunks(1));
        assert_eq!(bytewise.0, events, "{file}");
        assert_eq!(bytewise.2, answer, "{file}");
        // The body also ends cleanly after every line but the last.
        let ends = ends(body);
        assert!(ends.len() >= lines.len() - 1, "{file}");
        for end in ends.iter().filter(|end| text[**end..].contains('{')) {
            let (_, cut, partial) = decoded([&body[..*end]]);
            assert_eq!(cut.unwrap_err().kind(), ErrorKind::Truncated, "{file} cut after {end}");
            assert!(answer.text().starts_with(&partial.text()), "{file}");
            assert_eq!(partial.usage.source, UsageSource::Estimated, "{file}");
        }
    }
    assert_eq!(streams.len(), 3, "is the folder whole?");
    // The streams at the compatible address are in the test of OpenAI's streams.
    assert_eq!(recordings.iter().filter(|it| it.kind == "sse").count(), 3);
}

#[test]
fn a_recorded_stream_that_ends_early_is_truncated() {
    let Some(recordings) = recordings() else { return };
    let server = loopback();
    let client = builder(&server, "ollama").build().unwrap();
    let mut cuts = 0;
    for Recording { file, body, .. } in recordings.iter().filter(|it| it.kind == "ndjson") {
        for end in ends(body).into_iter().filter(|end| body[*end..].contains(&b'{')).step_by(7) {
            let reply = Reply::raw(200, "application/x-ndjson", body.clone());
            server.reply(reply.framing(Framing::Chunked).cut_after(end));
            let error = match client.stream("hi") {
                Ok(mut stream) => stream.finish().unwrap_err(),
                Err(error) => error,
            };
            assert_eq!(error.kind(), ErrorKind::Truncated, "{file} cut after {end}: {error}");
            cuts += 1;
        }
    }
    eprintln!("{cuts} cuts");
    assert!(cuts >= 20, "only {cuts}; is the folder whole?");
}
