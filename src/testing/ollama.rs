//! Renders answers in Ollama's own format, from its `docs/api.md`, `docs/api/errors.mdx` and
//! recorded responses.

use serde_json::{Value, json};
use std::time::SystemTime;

use super::content::{Answer, Failure, Finish, words};
use super::render::{Event, Filled, Renderer};
use super::reply::Reply;
use super::request::Request;
use crate::FinishReason;

/// `POST /api/chat`
pub(super) struct Chat;

impl Renderer for Chat {
    fn finish_reason(&self, reply: &Reply, _answer: &Answer) -> String {
        let word = match &reply.finish {
            Some(Finish::Raw(word)) => word,
            Some(Finish::Reason(FinishReason::Length)) => "length",
            // Calls end with the same word, and there is no other.
            Some(Finish::Reason(_)) | None => "stop",
        };
        word.to_owned()
    }

    fn whole(&self, filled: &Filled<'_>) -> Value {
        let answer = filled.answer;
        let text = answer.text.as_ref().map(|texts| texts.concat());
        let text = text.or_else(|| answer.refusal.clone()).unwrap_or_default();
        let mut message = json!({"role": "assistant", "content": text});
        if let Some(thoughts) = &answer.reasoning {
            message["thinking"] = thoughts.as_str().into();
        }
        let calls = calls(filled);
        if !calls.is_empty() {
            message["tool_calls"] = calls.into();
        }
        last(filled, message)
    }

    fn events(&self, filled: &Filled<'_>) -> Vec<Event> {
        let answer = filled.answer;
        let said = |member: &str, text: String| {
            let mut message = json!({"role": "assistant", "content": ""});
            message[member] = text.into();
            message
        };
        let mut messages = Vec::new();
        let thoughts = answer.reasoning.iter().flat_map(|text| words(text));
        messages.extend(thoughts.map(|text| said("thinking", text)));
        messages.extend(answer.text.iter().flatten().map(|text| said("content", text.clone())));
        // The format has no member for refusals.
        let refusal = answer.refusal.iter().flat_map(|text| words(text));
        messages.extend(refusal.map(|text| said("content", text)));
        let calls = calls(filled);
        if !calls.is_empty() {
            messages.push(json!({"role": "assistant", "content": "", "tool_calls": calls}));
        }
        let lines = messages.into_iter().map(|message| line(filled, message, false));
        let end = last(filled, json!({"role": "assistant", "content": ""}));
        lines.chain([end]).map(|line| Event::data(&line)).collect()
    }

    fn stream_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn frame(&self, event: &Event) -> Vec<u8> {
        format!("{}\n", event.data).into_bytes()
    }

    /// Ollama's errors have no code.
    fn error(&self, status: u16, failure: &Failure, _request_id: &str) -> Value {
        let message = match status {
            _ if !failure.message.is_empty() => &failure.message,
            401 => "unauthorized",
            404 => "model not found, try pulling it first",
            // `ErrMaxQueue` in server/sched.go.
            503 => "server busy, please try again.  maximum pending requests exceeded",
            400..=499 => "invalid request",
            _ => "an error was encountered while running the model",
        };
        json!({ "error": message })
    }

    /// Ollama has none, so it has a name that no client reads.
    fn request_id(&self, number: u64) -> (&'static str, String) {
        ("x-loopback-request-id", format!("{number:032x}"))
    }

    /// Ollama sends none.
    fn rate_limit(&self, _limit: u64, _remaining: u64, _now: SystemTime) -> Vec<(String, String)> {
        Vec::new()
    }

    fn not_found(&self, _request: &Request) -> Reply {
        Reply::error(404, "", "404 page not found")
    }
}

fn calls(filled: &Filled<'_>) -> Vec<Value> {
    let calls = filled.answer.calls.iter().enumerate();
    calls
        .map(|(index, call)| {
            let arguments: Value =
                serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
            json!({"id": format!("call_{:06x}{index:02}", filled.number), "function": {
                "index": index, "name": call.name, "arguments": arguments}})
        })
        .collect()
}

fn line(filled: &Filled<'_>, message: Value, done: bool) -> Value {
    json!({
        "model": filled.model,
        "created_at": "2026-01-01T00:00:00Z",
        "message": message,
        "done": done,
    })
}

/// The line that ends an answer. Durations are in nanoseconds.
fn last(filled: &Filled<'_>, message: Value) -> Value {
    let mut line = line(filled, message, true);
    line["done_reason"] = filled.finish.as_str().into();
    line["total_duration"] = 5_000_000.into();
    line["load_duration"] = 1_000_000.into();
    if let Some(usage) = filled.usage {
        line["prompt_eval_count"] = usage.prompt.into();
        line["prompt_eval_duration"] = 2_000_000.into();
        line["eval_count"] = usage.completion.into();
        line["eval_duration"] = 2_000_000.into();
    }
    line
}
