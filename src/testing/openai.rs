//! OpenAI's Chat Completions and text completions, according to its API reference and recorded
//! responses.

use serde_json::{Map, Value, json};
use std::time::SystemTime;

use super::content::{Answer, Failure, Finish};
use super::render::{Event, Filled, Renderer, Usage, slices};
use super::reply::Reply;
use super::request::Request;
use crate::FinishReason;

/// A format of OpenAI's. They differ in the bodies of answers only.
pub(super) struct OpenAi {
    whole: fn(&Filled<'_>) -> Value,
    events: fn(&Filled<'_>) -> Vec<Event>,
}

/// Chat Completions.
pub(super) static CHAT: OpenAi = OpenAi { whole: chat, events: chat_events };

/// Text completions.
pub(super) static COMPLETIONS: OpenAi = OpenAi { whole: completion, events: completion_events };

impl Renderer for OpenAi {
    fn finish_reason(&self, reply: &Reply, answer: &Answer) -> String {
        finish_reason(reply, answer)
    }

    fn whole(&self, filled: &Filled<'_>) -> Value {
        (self.whole)(filled)
    }

    fn events(&self, filled: &Filled<'_>) -> Vec<Event> {
        (self.events)(filled)
    }

    fn error(&self, status: u16, failure: &Failure, _request_id: &str) -> Value {
        error(status, failure)
    }

    fn request_id(&self, number: u64) -> (&'static str, String) {
        ("x-request-id", format!("req_{number:032x}"))
    }

    fn rate_limit(&self, limit: u64, remaining: u64, _now: SystemTime) -> Vec<(String, String)> {
        rate_limit(limit, remaining)
    }

    fn not_found(&self, request: &Request) -> Reply {
        not_found(request)
    }
}

fn finish_reason(reply: &Reply, answer: &Answer) -> String {
    let word = match &reply.finish {
        Some(Finish::Raw(word)) => word,
        Some(Finish::Reason(reason)) => match reason {
            FinishReason::Length => "length",
            FinishReason::ToolCalls => "tool_calls",
            FinishReason::ContentFilter => "content_filter",
            FinishReason::Other => "other",
            FinishReason::Stop | FinishReason::Refusal | FinishReason::Pause => "stop",
        },
        None if !answer.calls.is_empty() => "tool_calls",
        None => "stop",
    };
    word.to_owned()
}

fn chat(filled: &Filled<'_>) -> Value {
    let answer = filled.answer;
    let mut message = json!({
        "role": "assistant",
        "content": answer.text.as_ref().map(|pieces| pieces.concat()),
        "refusal": answer.refusal,
        "annotations": [],
    });
    if let Some(reasoning) = &answer.reasoning {
        message["reasoning_content"] = json!(reasoning);
    }
    if !answer.calls.is_empty() {
        let calls: Vec<_> =
            (0..answer.calls.len()).map(|index| call(filled, index, true)).collect();
        message["tool_calls"] = Value::Array(calls);
    }
    let mut body = envelope(filled, "chat.completion", "chatcmpl-");
    body.insert(
        "choices".to_owned(),
        json!([{
            "index": 0, "message": message, "logprobs": null, "finish_reason": filled.finish,
        }]),
    );
    if let Some(usage) = filled.usage {
        body.insert("usage".to_owned(), chat_usage(usage));
    }
    Value::Object(body)
}

fn chat_events(filled: &Filled<'_>) -> Vec<Event> {
    let answer = filled.answer;
    let mut events = Vec::new();
    let mut send = |delta: Value, finish: Option<&str>| {
        let mut body = envelope(filled, "chat.completion.chunk", "chatcmpl-");
        let choice =
            json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        body.insert("choices".to_owned(), choice);
        if filled.include_usage {
            body.insert("usage".to_owned(), Value::Null);
        }
        events.push(Event::data(&Value::Object(body)));
    };
    let content = if answer.text.is_some() { json!("") } else { Value::Null };
    send(json!({"role": "assistant", "content": content, "refusal": null}), None);
    for piece in slices(answer.reasoning.as_deref().unwrap_or_default()) {
        send(json!({"reasoning_content": piece}), None);
    }
    for piece in answer.text.iter().flatten() {
        send(json!({"content": piece}), None);
    }
    for piece in slices(answer.refusal.as_deref().unwrap_or_default()) {
        send(json!({"refusal": piece}), None);
    }
    for (index, asked) in answer.calls.iter().enumerate() {
        send(json!({"tool_calls": [call(filled, index, false)]}), None);
        for piece in slices(&asked.arguments) {
            let delta = json!({"index": index, "function": {"arguments": piece}});
            send(json!({"tool_calls": [delta]}), None);
        }
    }
    send(json!({}), Some(&filled.finish));
    end(&mut events, filled, envelope(filled, "chat.completion.chunk", "chatcmpl-"), chat_usage);
    events
}

fn completion(filled: &Filled<'_>) -> Value {
    let mut body = envelope(filled, "text_completion", "cmpl-");
    body.insert(
        "choices".to_owned(),
        json!([{
            "text": completion_pieces(filled.answer).concat(),
            "index": 0, "logprobs": null, "finish_reason": filled.finish,
        }]),
    );
    if let Some(usage) = filled.usage {
        body.insert("usage".to_owned(), completion_usage(usage));
    }
    Value::Object(body)
}

fn completion_events(filled: &Filled<'_>) -> Vec<Event> {
    let mut pieces: Vec<_> =
        completion_pieces(filled.answer).into_iter().map(|piece| (piece, None)).collect();
    pieces.push(("", Some(&filled.finish)));
    let mut events = Vec::new();
    for (piece, finish) in pieces {
        let mut body = envelope(filled, "text_completion", "cmpl-");
        let choice =
            json!([{"text": piece, "index": 0, "logprobs": null, "finish_reason": finish}]);
        body.insert("choices".to_owned(), choice);
        if filled.include_usage {
            body.insert("usage".to_owned(), Value::Null);
        }
        events.push(Event::data(&Value::Object(body)));
    }
    end(&mut events, filled, envelope(filled, "text_completion", "cmpl-"), completion_usage);
    events
}

/// This format has only text.
fn completion_pieces(answer: &Answer) -> Vec<&str> {
    match &answer.text {
        Some(pieces) => pieces.iter().map(String::as_str).collect(),
        None => slices(answer.refusal.as_deref().unwrap_or_default()),
    }
}

/// The usage, if requested, and the end marker.
fn end(
    events: &mut Vec<Event>,
    filled: &Filled<'_>,
    mut body: Map<String, Value>,
    form: impl Fn(Usage) -> Value,
) {
    if let Some(usage) = filled.usage.filter(|_| filled.include_usage) {
        body.insert("choices".to_owned(), json!([]));
        body.insert("usage".to_owned(), form(usage));
        events.push(Event::data(&Value::Object(body)));
    }
    events.push(Event { name: None, data: "[DONE]".to_owned() });
}

/// The fields common to every body.
fn envelope(filled: &Filled<'_>, object: &str, prefix: &str) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("id".to_owned(), json!(format!("{prefix}{:029}", filled.number)));
    body.insert("object".to_owned(), json!(object));
    body.insert("created".to_owned(), json!(filled.created));
    body.insert("model".to_owned(), json!(filled.model));
    if object != "text_completion" {
        body.insert("service_tier".to_owned(), json!("default"));
        body.insert("system_fingerprint".to_owned(), json!("fp_loopback"));
    }
    body
}

/// A tool call. The first delta of a streamed call has no arguments yet.
fn call(filled: &Filled<'_>, index: usize, whole: bool) -> Value {
    let asked = &filled.answer.calls[index];
    let arguments = if whole { asked.arguments.as_str() } else { "" };
    let mut call = json!({
        "id": format!("call_{:020}{index:04}", filled.number),
        "type": "function",
        "function": {"name": asked.name, "arguments": arguments},
    });
    if !whole {
        call["index"] = json!(index);
    }
    call
}

fn chat_usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt.saturating_add(usage.completion),
        "prompt_tokens_details": {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_write_5m.saturating_add(usage.cache_write_1h),
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

/// The old format has no breakdown.
fn completion_usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt.saturating_add(usage.completion),
    })
}

fn error(status: u16, failure: &Failure) -> Value {
    let (usual_code, message) = match status {
        401 => (Some("invalid_api_key"), "Incorrect API key provided."),
        404 => {
            let message = "The model does not exist or you do not have access to it.";
            (Some("model_not_found"), message)
        }
        429 => (Some("rate_limit_exceeded"), "Rate limit reached."),
        500..=599 => (None, "The server had an error while processing your request."),
        _ => (None, "The request was invalid."),
    };
    let code = if failure.code.is_empty() { usual_code } else { Some(failure.code.as_str()) };
    let kind = match (status, code) {
        (_, Some("insufficient_quota")) => "insufficient_quota",
        (429, _) => "requests",
        (500..=599, _) => "server_error",
        _ => "invalid_request_error",
    };
    let message = if failure.message.is_empty() { message } else { &failure.message };
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

fn rate_limit(limit: u64, remaining: u64) -> Vec<(String, String)> {
    [
        ("x-ratelimit-limit-requests", limit.to_string()),
        ("x-ratelimit-remaining-requests", remaining.to_string()),
        ("x-ratelimit-reset-requests", "1s".to_owned()),
        ("x-ratelimit-limit-tokens", limit.saturating_mul(1000).to_string()),
        ("x-ratelimit-remaining-tokens", remaining.saturating_mul(1000).to_string()),
        ("x-ratelimit-reset-tokens", "1m0.5s".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// An unknown path has no code, unlike an unknown model.
fn not_found(request: &Request) -> Reply {
    let message = format!("Invalid URL ({} {})", request.method(), request.path());
    let error = json!({
        "message": message, "type": "invalid_request_error", "param": null, "code": null,
    });
    Reply::raw(404, "application/json", json!({"error": error}).to_string())
}
