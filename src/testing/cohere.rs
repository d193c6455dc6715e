//! Renders answers in Cohere's format, from its OpenAPI file
//! (cohere-ai/cohere-developer-experience, `cohere-openapi.yaml`) and recorded responses.

use serde_json::{Value, json};
use std::time::SystemTime;

use super::content::{Answer, Failure, Finish};
use super::render::{Event, Filled, Renderer, Usage, slices};
use super::reply::Reply;
use super::request::Request;
use crate::FinishReason;

/// What Cohere adds to a prompt, and does not bill.
const PREAMBLE: u64 = 495;

/// `POST /v2/chat`.
pub(super) struct Chat;

impl Renderer for Chat {
    fn finish_reason(&self, reply: &Reply, answer: &Answer) -> String {
        let word = match &reply.finish {
            Some(Finish::Raw(word)) => word,
            Some(Finish::Reason(reason)) => match reason {
                FinishReason::Stop => "COMPLETE",
                FinishReason::Length => "MAX_TOKENS",
                FinishReason::ToolCalls => "TOOL_CALL",
                // The format has none for these.
                FinishReason::ContentFilter => "content_filter",
                FinishReason::Refusal => "refusal",
                FinishReason::Pause => "pause_turn",
                FinishReason::Other => "OTHER",
            },
            None if answer.refusal.is_some() => "refusal",
            None if !answer.calls.is_empty() => "TOOL_CALL",
            None => "COMPLETE",
        };
        word.to_owned()
    }

    fn whole(&self, filled: &Filled<'_>) -> Value {
        let mut message = json!({"role": "assistant"});
        let content: Vec<_> = blocks(filled)
            .into_iter()
            .map(|(kind, texts)| json!({"type": kind, kind: texts.concat()}))
            .collect();
        if !content.is_empty() {
            message["content"] = content.into();
        }
        let calls: Vec<_> = calls(filled).collect();
        if !calls.is_empty() {
            message["tool_plan"] = PLAN.concat().into();
            message["tool_calls"] = calls.into();
        }
        let mut body = json!({
            "id": id(filled.number),
            "message": message,
            "finish_reason": filled.finish,
        });
        if let Some(counts) = filled.usage {
            body["usage"] = usage(counts);
        }
        body
    }

    fn events(&self, filled: &Filled<'_>) -> Vec<Event> {
        let mut events = Vec::new();
        let mut send = |name: &'static str, index: Option<usize>, message: Value| {
            let mut body = json!({"type": name});
            if let Some(index) = index {
                body["index"] = index.into();
            }
            if name == "message-start" {
                body["id"] = id(filled.number).into();
            }
            if !message.is_null() {
                body["delta"] = json!({ "message": message });
            }
            events.push(Event { name: Some(name), data: body.to_string() });
        };
        let empty = json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [],
            "citations": []});
        send("message-start", None, empty);
        for (index, (kind, texts)) in blocks(filled).into_iter().enumerate() {
            let index = Some(index);
            send("content-start", index, json!({"content": {"type": kind, kind: ""}}));
            for text in texts {
                send("content-delta", index, json!({"content": {kind: text}}));
            }
            send("content-end", index, Value::Null);
        }
        if !filled.answer.calls.is_empty() {
            for piece in PLAN {
                send("tool-plan-delta", None, json!({"tool_plan": piece}));
            }
        }
        for (index, mut call) in calls(filled).enumerate() {
            let arguments = call["function"]["arguments"].take();
            call["function"]["arguments"] = "".into();
            send("tool-call-start", Some(index), json!({"tool_calls": call}));
            for piece in slices(arguments.as_str().unwrap_or_default()) {
                let piece = json!({"function": {"arguments": piece}});
                send("tool-call-delta", Some(index), json!({"tool_calls": piece}));
            }
            send("tool-call-end", Some(index), Value::Null);
        }
        let mut delta = json!({"finish_reason": filled.finish});
        if let Some(counts) = filled.usage {
            delta["usage"] = usage(counts);
        }
        let data = json!({"type": "message-end", "delta": delta}).to_string();
        events.push(Event { name: Some("message-end"), data });
        events
    }

    /// The same form for every status; recorded: a code under `error_type`.
    fn error(&self, status: u16, failure: &Failure, request_id: &str) -> Value {
        let message = match status {
            401 => "invalid api token",
            402 => "Please add or update your payment method to continue",
            403 => "your api key is not allowed to do this",
            404 => "model not found, make sure the correct model ID was used",
            429 => "You are past the per minute request limit, please wait and try again later.",
            499 => "request cancelled",
            503 => "the service is unavailable, please try again later",
            504 => "the request timed out",
            500..=599 => "internal server error",
            _ => "invalid request",
        };
        let message = if failure.message.is_empty() { message } else { &failure.message };
        let mut error = json!({"id": request_id, "message": message});
        if !failure.code.is_empty() {
            error["error_type"] = failure.code.as_str().into();
        }
        error
    }

    /// The documentation names no event for errors. One with the form of an error body, whose
    /// `type` says so, is what clients of other formats expect.
    fn stream_error(&self, status: u16, failure: &Failure, request_id: &str) -> Value {
        let mut error = self.error(status, failure, request_id);
        error["type"] = "error".into();
        error
    }

    fn request_id(&self, number: u64) -> (&'static str, String) {
        ("x-debug-trace-id", format!("{number:032x}"))
    }

    fn rate_limit(&self, limit: u64, remaining: u64, _now: SystemTime) -> Vec<(String, String)> {
        vec![
            ("x-trial-endpoint-call-limit".to_owned(), limit.to_string()),
            ("x-trial-endpoint-call-remaining".to_owned(), remaining.to_string()),
        ]
    }

    fn not_found(&self, _request: &Request) -> Reply {
        Reply::error(404, "", "404 page not found")
    }
}

fn id(number: u64) -> String {
    format!("{:08x}-0000-4000-8000-{number:012x}", number & 0xffff_ffff)
}

/// The plan before tool calls, in its streamed pieces.
const PLAN: [&str; 4] = ["I will", " use", " the", " tools."];

/// The content blocks: the kind, which is also the name of the member with the text, and the pieces
/// of the text.
fn blocks(filled: &Filled<'_>) -> Vec<(&'static str, Vec<String>)> {
    let answer = filled.answer;
    let mut blocks = Vec::new();
    if let Some(text) = &answer.reasoning {
        blocks.push(("thinking", super::content::words(text)));
    }
    if let Some(texts) = &answer.text {
        blocks.push(("text", texts.clone()));
    }
    // The format has no block for refusals.
    if let Some(text) = &answer.refusal {
        blocks.push(("text", super::content::words(text)));
    }
    blocks
}

fn calls<'a>(filled: &'a Filled<'_>) -> impl Iterator<Item = Value> + 'a {
    filled.answer.calls.iter().enumerate().map(|(index, call)| {
        json!({
            "id": format!("{}_{:08x}{index:02}", call.name, filled.number),
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        })
    })
}

/// Billed units, and all tokens.
fn usage(counts: Usage) -> Value {
    let mut tokens = json!({
        "input_tokens": counts.prompt.saturating_add(PREAMBLE),
        "output_tokens": counts.completion.saturating_add(2),
    });
    if counts.reasoning > 0 {
        tokens["reasoning_tokens"] = counts.reasoning.into();
    }
    json!({
        "billed_units": {"input_tokens": counts.prompt, "output_tokens": counts.completion},
        "tokens": tokens,
        "cached_tokens": counts.cached,
    })
}
