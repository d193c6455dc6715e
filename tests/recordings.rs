//! Responses recorded from the providers decode to what their JSON says.
//!
//! The folder is named by `TOLLGATE_RECORDINGS`; without it these tests say that
//! they skip. What is expected of a response is found by a walk over its raw JSON
//! that shares no code with the crate.

mod support;

use serde_json::Value;
use support::recordings::{Recordings, member};
use support::{builder, loopback};
use tollgate::testing::Reply;
use tollgate::{ErrorKind, UsageSource};

struct Recording {
    file: String,
    provider: String,
    url: String,
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Recording {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("recorded JSON")
    }
}

/// The recorded responses of these formats that are not streams.
fn recordings() -> Option<Vec<Recording>> {
    let recordings = Recordings::open()?;
    let found = recordings
        .entries
        .iter()
        .filter(|entry| entry["kind"] == "json")
        .filter(|entry| {
            let url = entry["url"].as_str().unwrap_or_default();
            let path = url.split('?').next().unwrap_or_default();
            match entry["provider"].as_str().unwrap_or_default() {
                "openai_chat" | "azure_openai" => path.ends_with("/chat/completions"),
                "openai_completions" => path.ends_with("/completions"),
                // Counting tokens is another interface; its errors are the same.
                "anthropic" => path.ends_with("/messages") || entry["status"] != 200,
                _ => false,
            }
        })
        .map(|entry| Recording {
            file: member(entry, "file"),
            provider: member(entry, "provider"),
            url: member(entry, "url"),
            status: entry["status"].as_u64().and_then(|status| status.try_into().ok()).unwrap(),
            headers: entry["response_headers"]
                .as_object()
                .map(|headers| {
                    headers
                        .iter()
                        .map(|(name, value)| {
                            (name.to_lowercase(), value.as_str().unwrap_or_default().to_owned())
                        })
                        .collect()
                })
                .unwrap_or_default(),
            body: String::from_utf8(recordings.body(entry)).expect("a text"),
        })
        .collect::<Vec<_>>();
    Some(found)
}

/// What the client returns for a recording, over a real socket.
fn replayed(recording: &Recording) -> Result<tollgate::ChatResponse, tollgate::Error> {
    let server = loopback();
    let mut reply =
        Reply::raw(recording.status, "application/json", recording.body.clone().into_bytes());
    for (name, value) in &recording.headers {
        let framing = ["content-length", "transfer-encoding", "content-encoding", "connection"];
        if !framing.contains(&name.as_str()) && name != "content-type" {
            reply = reply.header(name, value);
        }
    }
    server.reply(reply);
    match recording.provider.as_str() {
        "anthropic" => builder(&server, "anthropic").build()?.chat("hi"),
        "openai_completions" => builder(&server, "openai").build()?.complete("hi"),
        _ => builder(&server, "openai").build()?.chat("hi"),
    }
}

/// What a response says, by its raw JSON.
#[derive(Debug, PartialEq)]
struct Expected {
    text: String,
    refusal: Option<String>,
    /// Name and arguments.
    calls: Vec<(String, Value)>,
    finish: Option<String>,
    prompt: u64,
    completion: u64,
    cached: u64,
    cache_write: u64,
    reasoning: u64,
    model: String,
}

fn count(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or(0)
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn arguments(text: &Value) -> Value {
    serde_json::from_str(text.as_str().expect("arguments")).expect("JSON arguments")
}

fn openai(body: &Value) -> Expected {
    let choice = &body["choices"][0];
    let message = &choice["message"];
    let mut calls: Vec<_> = message["tool_calls"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|call| &call["function"])
        .map(|call| (string(&call["name"]).unwrap(), arguments(&call["arguments"])))
        .collect();
    if let Some(name) = string(&message["function_call"]["name"]) {
        calls.push((name, arguments(&message["function_call"]["arguments"])));
    }
    let text = string(&message["content"]).or_else(|| string(&choice["text"]));
    Expected {
        text: text.unwrap_or_default(),
        refusal: string(&message["refusal"]),
        calls,
        finish: string(&choice["finish_reason"]),
        prompt: count(body, "/usage/prompt_tokens"),
        completion: count(body, "/usage/completion_tokens"),
        cached: count(body, "/usage/prompt_tokens_details/cached_tokens"),
        cache_write: 0,
        reasoning: count(body, "/usage/completion_tokens_details/reasoning_tokens"),
        model: string(&body["model"]).unwrap(),
    }
}

fn anthropic(body: &Value) -> Expected {
    let blocks = body["content"].as_array().expect("content");
    // With compaction the top-level counts leave out the compacting itself, which
    // is billed: https://docs.claude.com/en/docs/build-with-claude/compaction
    let passes = match body["usage"]["iterations"].as_array() {
        Some(passes) if !passes.is_empty() => passes.clone(),
        _ => vec![body["usage"].clone()],
    };
    let sum = |path: &str| passes.iter().map(|usage| count(usage, path)).sum::<u64>();
    let (cached, cache_write) =
        (sum("/cache_read_input_tokens"), sum("/cache_creation_input_tokens"));
    Expected {
        text: blocks
            .iter()
            .filter(|block| block["type"] == "text")
            .map(|block| block["text"].as_str().unwrap())
            .collect(),
        refusal: None,
        calls: blocks
            .iter()
            .filter(|block| block["type"] == "tool_use")
            .map(|block| (string(&block["name"]).unwrap(), block["input"].clone()))
            .collect(),
        finish: string(&body["stop_reason"]),
        prompt: sum("/input_tokens") + cached + cache_write,
        completion: sum("/output_tokens"),
        cached,
        cache_write,
        reasoning: count(body, "/usage/output_tokens_details/thinking_tokens"),
        model: string(&body["model"]).unwrap(),
    }
}

#[test]
fn every_recorded_answer_decodes_to_what_its_json_says() {
    let Some(recordings) = recordings() else { return };
    let answers: Vec<_> = recordings.iter().filter(|recording| recording.status == 200).collect();
    for recording in &answers {
        let body = recording.json();
        let expected = match recording.provider.as_str() {
            "anthropic" => anthropic(&body),
            _ => openai(&body),
        };
        let response =
            replayed(recording).unwrap_or_else(|error| panic!("{}: {error}", recording.file));
        let found = Expected {
            text: response.text(),
            refusal: response.message.refusal().map(str::to_owned),
            calls: response
                .tool_calls()
                .map(|call| (call.name.clone(), call.parse().expect("JSON arguments")))
                .collect(),
            finish: response.finish_reason_raw.clone(),
            prompt: response.usage.prompt_tokens,
            completion: response.usage.completion_tokens,
            cached: response.usage.cached_tokens,
            cache_write: response.usage.cache_write_tokens,
            reasoning: response.usage.reasoning_tokens,
            model: response.model.clone(),
        };
        assert_eq!(found, expected, "{}", recording.file);
        assert_eq!(response.usage.source, UsageSource::Reported, "{}", recording.file);
        assert_eq!(
            response.usage.total_tokens,
            expected.prompt + expected.completion,
            "{}",
            recording.file
        );
        assert_eq!(response.raw_json(), body, "{}", recording.file);
        assert_eq!(response.id, string(&body["id"]), "{}", recording.file);
    }
    eprintln!("{} recorded answers", answers.len());
    assert!(answers.len() >= 60, "only {} answers; is the folder whole?", answers.len());
}

#[test]
fn every_recorded_error_gets_its_class() {
    let Some(recordings) = recordings() else { return };
    let mut seen = 0;
    for recording in recordings.iter().filter(|recording| recording.status != 200) {
        let body = recording.json();
        let message = body["error"]["message"].as_str().unwrap();
        let expected = match recording.status {
            400 if message.starts_with("prompt is too long") => ErrorKind::ContextWindowExceeded,
            400 => ErrorKind::InvalidRequest,
            401 => ErrorKind::Authentication,
            404 => ErrorKind::NotFound,
            other => panic!("{}: no class is expected of {other}", recording.file),
        };
        let error = replayed(recording).unwrap_err();
        assert_eq!(error.kind(), expected, "{} {}: {error}", recording.file, recording.url);
        assert_eq!(error.status(), Some(recording.status), "{}", recording.file);
        assert_eq!(error.message(), message, "{}", recording.file);
        assert!(!error.is_retryable(), "{}", recording.file);
        seen += 1;
    }
    eprintln!("{seen} recorded errors");
    assert!(seen >= 13, "only {seen} errors; is the folder whole?");
}
