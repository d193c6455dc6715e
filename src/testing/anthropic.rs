//! Anthropic's Messages, according to its API reference and recorded responses.

use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

use super::content::{Answer, Failure, Finish};
use super::render::{Event, Filled, Renderer, Usage, slices};
use super::reply::Reply;
use super::request::Request;
use crate::FinishReason;

/// Thinking is signed. Clients send the signature back without reading it.
const SIGNATURE: &str = "bG9vcGJhY2s=";

/// Messages.
pub(super) struct Messages;

impl Renderer for Messages {
    fn finish_reason(&self, reply: &Reply, answer: &Answer) -> String {
        stop_reason(reply, answer)
    }

    fn whole(&self, filled: &Filled<'_>) -> Value {
        message(filled)
    }

    fn events(&self, filled: &Filled<'_>) -> Vec<Event> {
        message_events(filled)
    }

    fn error(&self, status: u16, failure: &Failure, request_id: &str) -> Value {
        error(status, failure, request_id)
    }

    fn error_event(&self) -> Option<&'static str> {
        Some("error")
    }

    fn request_id(&self, number: u64) -> (&'static str, String) {
        ("request-id", format!("req_{number:024}"))
    }

    fn rate_limit(&self, limit: u64, remaining: u64, now: SystemTime) -> Vec<(String, String)> {
        rate_limit(limit, remaining, now)
    }

    fn not_found(&self, _request: &Request) -> Reply {
        Reply::error(404, "not_found_error", "Not found")
    }
}

fn stop_reason(reply: &Reply, answer: &Answer) -> String {
    let word = match &reply.finish {
        Some(Finish::Raw(word)) => word,
        Some(Finish::Reason(reason)) => match reason {
            FinishReason::Stop => "end_turn",
            FinishReason::Length => "max_tokens",
            FinishReason::ToolCalls => "tool_use",
            FinishReason::ContentFilter | FinishReason::Refusal => "refusal",
            FinishReason::Pause => "pause_turn",
            FinishReason::Other => "other",
        },
        None if !answer.calls.is_empty() => "tool_use",
        None if answer.refusal.is_some() => "refusal",
        None => "end_turn",
    };
    word.to_owned()
}

/// A content block: in its complete form, as a stream starts it, and the deltas that lead from the
/// start to the complete form.
struct Block {
    whole: Value,
    start: Value,
    deltas: Vec<Value>,
}

fn blocks(filled: &Filled<'_>) -> Vec<Block> {
    let answer = filled.answer;
    let mut blocks = Vec::new();
    if let Some(text) = &answer.reasoning {
        let mut deltas: Vec<_> = slices(text)
            .into_iter()
            .map(|piece| json!({"type": "thinking_delta", "thinking": piece}))
            .collect();
        deltas.push(json!({"type": "signature_delta", "signature": SIGNATURE}));
        blocks.push(Block {
            whole: json!({"type": "thinking", "thinking": text, "signature": SIGNATURE}),
            start: json!({"type": "thinking", "thinking": "", "signature": ""}),
            deltas,
        });
    }
    let text = answer.text.as_ref().map(|pieces| pieces.iter().map(String::as_str).collect());
    // There is no block for refusals: they are text with a stop reason.
    let refusal = answer.refusal.as_deref().map(slices);
    for pieces in [text, refusal].into_iter().flatten() {
        blocks.push(Block {
            whole: json!({"type": "text", "text": pieces.concat()}),
            start: json!({"type": "text", "text": ""}),
            deltas: pieces
                .into_iter()
                .map(|piece| json!({"type": "text_delta", "text": piece}))
                .collect(),
        });
    }
    for (index, call) in answer.calls.iter().enumerate() {
        let id = format!("toolu_{:018}{index:04}", filled.number);
        let input = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
        // In every recording, the first delta is empty.
        let deltas = [""].into_iter().chain(slices(&call.arguments));
        // The model called it itself, not from code that it ran.
        let block = |input: Value| {
            let caller = json!({"type": "direct"});
            json!({"type": "tool_use", "id": id, "name": call.name, "input": input, "caller": caller})
        };
        blocks.push(Block {
            whole: block(input),
            start: block(json!({})),
            deltas: deltas
                .map(|piece| json!({"type": "input_json_delta", "partial_json": piece}))
                .collect(),
        });
    }
    blocks
}

fn message(filled: &Filled<'_>) -> Value {
    let content = blocks(filled).into_iter().map(|block| block.whole).collect();
    let mut body = envelope(filled, content);
    body["stop_reason"] = json!(filled.finish);
    if let Some(counts) = filled.usage {
        body["usage"] = usage(counts, counts.completion);
    }
    body
}

fn message_events(filled: &Filled<'_>) -> Vec<Event> {
    let mut events = Vec::new();
    let mut send = |name: &'static str, mut body: Value| {
        body["type"] = json!(name);
        events.push(Event { name: Some(name), data: body.to_string() });
    };
    let mut start = envelope(filled, Vec::new());
    if let Some(counts) = filled.usage {
        // What was written so far, not the final count, which comes at the end.
        start["usage"] = usage(counts, counts.completion.min(1));
    }
    send("message_start", json!({"message": start}));
    let blocks = blocks(filled);
    if blocks.is_empty() {
        send("ping", json!({}));
    }
    for (index, block) in blocks.into_iter().enumerate() {
        send("content_block_start", json!({"index": index, "content_block": block.start}));
        if index == 0 {
            send("ping", json!({}));
        }
        for delta in block.deltas {
            send("content_block_delta", json!({"index": index, "delta": delta}));
        }
        send("content_block_stop", json!({"index": index}));
    }
    let mut delta = json!({"delta": {"stop_reason": filled.finish, "stop_sequence": null}});
    if let Some(counts) = filled.usage {
        // All counts again, as recorded, but without their breakdown.
        let usage = usage(counts, counts.completion);
        for count in [
            "input_tokens",
            "cache_creation_input_tokens",
            "cache_read_input_tokens",
            "output_tokens",
        ] {
            delta["usage"][count] = usage[count].clone();
        }
    }
    send("message_delta", delta);
    send("message_stop", json!({}));
    events
}

fn envelope(filled: &Filled<'_>, content: Vec<Value>) -> Value {
    json!({
        "id": format!("msg_{:024}", filled.number),
        "type": "message",
        "role": "assistant",
        "model": filled.model,
        "content": content,
        "stop_reason": null,
        "stop_sequence": null,
    })
}

/// Anthropic counts cached and written tokens separately from the input.
fn usage(counts: Usage, output: u64) -> Value {
    let written = counts.cache_write_5m.saturating_add(counts.cache_write_1h);
    let apart = counts.cached.saturating_add(written);
    json!({
        "input_tokens": counts.prompt.saturating_sub(apart),
        "cache_read_input_tokens": counts.cached,
        "cache_creation_input_tokens": written,
        "cache_creation": {
            "ephemeral_5m_input_tokens": counts.cache_write_5m,
            "ephemeral_1h_input_tokens": counts.cache_write_1h,
        },
        "output_tokens": output,
        "service_tier": "standard",
    })
}

fn error(status: u16, failure: &Failure, request_id: &str) -> Value {
    let (kind, message) = match status {
        401 => ("authentication_error", "invalid x-api-key"),
        402 => ("billing_error", "There is an issue with your billing."),
        403 => ("permission_error", "You may not use this resource."),
        404 => ("not_found_error", "Not found"),
        413 => ("request_too_large", "Request exceeds the maximum size"),
        429 => ("rate_limit_error", "This request would exceed your rate limit."),
        504 => ("timeout_error", "The request timed out."),
        529 => ("overloaded_error", "Overloaded"),
        500..=599 => ("api_error", "Internal server error"),
        _ => ("invalid_request_error", "The request was invalid."),
    };
    let kind = if failure.code.is_empty() { kind } else { &failure.code };
    let message = if failure.message.is_empty() { message } else { &failure.message };
    let error = json!({"type": kind, "message": message});
    json!({"type": "error", "error": error, "request_id": request_id})
}

fn rate_limit(limit: u64, remaining: u64, now: SystemTime) -> Vec<(String, String)> {
    let reset = timestamp(now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()) + 60);
    let mut headers = Vec::new();
    for (what, factor) in
        [("requests", 1), ("tokens", 1000), ("input-tokens", 800), ("output-tokens", 200)]
    {
        for (which, value) in [
            ("limit", limit.saturating_mul(factor).to_string()),
            ("remaining", remaining.saturating_mul(factor).to_string()),
            ("reset", reset.clone()),
        ] {
            headers.push((format!("anthropic-ratelimit-{what}-{which}"), value));
        }
    }
    headers
}

/// RFC 3339, with Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
fn timestamp(seconds: u64) -> String {
    let (days, time) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153;
    let date = day - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn timestamps_are_dates() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_432_149, "2026-11-23T11:09:09Z"),
        ] {
            assert_eq!(timestamp(seconds), date);
        }
    }
}
