//! The client decodes answers recorded from Ollama correctly, in its own format and at its
//! OpenAI-compatible address.
//!
//! `TOLLGATE_RECORDINGS` names the folder of recordings; without it these tests are skipped, and
//! say so. The expected values come from the raw JSON, by code that shares nothing with the crate.

mod support;

use serde_json::Value;
use support::recordings::{Recording, recorded, string};
use support::{client, loopback};
use tollgate::{ChatResponse, Error, ErrorKind, FinishReason, StreamDecoder, UsageSource};

fn recordings() -> Option<Vec<Recording>> {
    recorded(|entry| entry["provider"] == "ollama")
}

/// Whether it comes from an endpoint of Ollama's own format.
fn is_native(recording: &Recording) -> bool {
    recording.url.contains("/api/")
}

/// Returns the positions in a stream at which an early end leaves out part of the answer.
fn cuts(recording: &Recording) -> Vec<usize> {
    let ends = recording.ends().into_iter();
    ends.filter(|end| recording.body[*end..].contains(&b'{')).collect()
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

fn replayed(recording: &Recording) -> Result<ChatResponse, Error> {
    recording.replayed(if is_native(recording) { "ollama" } else { "ollama-openai" })
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
        if is_native(recording) {
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

#[test]
fn every_recorded_stream_is_decoded_correctly_however_it_is_split() {
    let Some(recordings) = recordings() else { return };
    let streams: Vec<_> = recordings.iter().filter(|it| it.kind == "ndjson").collect();
    for recording in &streams {
        let file = &recording.file;
        let lines = recording.texts();
        assert!(recording.ends().len() >= lines.len() - 1, "{file}");
        let cuts = cuts(recording);
        let (_, answer, partials) = recording.decoded_however_split(StreamDecoder::ollama, &cuts);
        check(file, &answer, &walk(&lines));
        let is_estimated = |partial: &ChatResponse| partial.usage.source == UsageSource::Estimated;
        assert!(partials.iter().all(is_estimated), "{file}");
    }
    assert_eq!(streams.len(), 3, "is the folder whole?");
    // The streams at the compatible address are in the test of OpenAI's streams.
    assert_eq!(recordings.iter().filter(|it| it.kind == "sse").count(), 3);
}

#[test]
fn a_recorded_stream_that_ends_early_is_truncated() {
    let Some(recordings) = recordings() else { return };
    let server = loopback();
    let client = client(&server, "ollama");
    let mut count = 0;
    for recording in recordings.iter().filter(|it| it.kind == "ndjson") {
        let cuts: Vec<_> = cuts(recording).into_iter().step_by(7).collect();
        recording.check_truncated(&server, &client, &cuts);
        count += cuts.len();
    }
    eprintln!("{count} cuts");
    assert!(count >= 20, "only {count}; is the folder whole?");
}
