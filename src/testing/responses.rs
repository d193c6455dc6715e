//! OpenAI's Responses API, as its reference and recorded responses show it.

use serde_json::{Value, json};
use std::time::SystemTime;

use super::content::{Answer, Failure, Finish};
use super::openai;
use super::render::{Event, Filled, Renderer, Usage, slices};
use super::reply::Reply;
use super::request::Request;
use crate::FinishReason;

/// The encrypted reasoning. Clients send it back but cannot read it.
const ENCRYPTED: &str = "bG9vcGJhY2s=";

/// Responses.
pub(super) struct Responses;

impl Renderer for Responses {
    /// A status, or the reason why a response is incomplete.
    fn finish_reason(&self, reply: &Reply, _answer: &Answer) -> String {
        let word = match &reply.finish {
            Some(Finish::Raw(word)) => word,
            Some(Finish::Reason(reason)) => match reason {
                FinishReason::Length => "max_output_tokens",
                FinishReason::ContentFilter => "content_filter",
                FinishReason::Other => "cancelled",
                FinishReason::Stop
                | FinishReason::ToolCalls
                | FinishReason::Refusal
                | FinishReason::Pause => "completed",
            },
            None => "completed",
        };
        word.to_owned()
    }

    fn whole(&self, filled: &Filled<'_>) -> Value {
        let items = items(filled).into_iter().map(|item| item.whole).collect();
        response(filled, status(filled), items)
    }

    fn events(&self, filled: &Filled<'_>) -> Vec<Event> {
        events(filled)
    }

    fn error(&self, status: u16, failure: &Failure, _request_id: &str) -> Value {
        openai::CHAT.error(status, failure, "")
    }

    /// The error is in the event, and not in a member of it.
    fn stream_error(&self, status: u16, failure: &Failure, request_id: &str) -> Value {
        let mut event = self.error(status, failure, request_id)["error"].take();
        event["type"] = json!("error");
        event["sequence_number"] = json!(0);
        event
    }

    fn error_event(&self) -> Option<&'static str> {
        Some("error")
    }

    fn request_id(&self, number: u64) -> (&'static str, String) {
        openai::CHAT.request_id(number)
    }

    fn rate_limit(&self, limit: u64, remaining: u64, now: SystemTime) -> Vec<(String, String)> {
        openai::CHAT.rate_limit(limit, remaining, now)
    }

    fn not_found(&self, request: &Request) -> Reply {
        openai::CHAT.not_found(request)
    }
}

/// Returns the status of the whole response.
fn status<'f>(filled: &'f Filled<'_>) -> &'f str {
    match filled.finish.as_str() {
        "max_output_tokens" | "content_filter" => "incomplete",
        status => status,
    }
}

/// An output item: complete, as a stream starts it, and the events in between. The events do not have
/// the common members yet.
struct Item {
    whole: Value,
    start: Value,
    events: Vec<(&'static str, Value)>,
}

fn items(filled: &Filled<'_>) -> Vec<Item> {
    let answer = filled.answer;
    let mut items = Vec::new();
    if let Some(text) = &answer.reasoning {
        items.push(reasoning(filled, text));
    }
    let text = answer.text.as_ref().map(|pieces| pieces.iter().map(String::as_str).collect());
    let refusal = answer.refusal.as_deref().map(slices);
    if text.is_some() || refusal.is_some() {
        items.push(message(filled, text, refusal));
    }
    items.extend((0..answer.calls.len()).map(|index| call(filled, index)));
    items
}

fn reasoning(filled: &Filled<'_>, text: &str) -> Item {
    let id = format!("rs_{:048}", filled.number);
    let part = |text: &str| json!({"type": "summary_text", "text": text});
    let item = |summary: Value| json!({"id": id, "type": "reasoning", "summary": summary, "encrypted_content": ENCRYPTED});
    let mut events = vec![(
        "response.reasoning_summary_part.added",
        json!({"summary_index": 0, "part": part("")}),
    )];
    for piece in slices(text) {
        let delta = json!({"summary_index": 0, "delta": piece});
        events.push(("response.reasoning_summary_text.delta", delta));
    }
    events
        .push(("response.reasoning_summary_text.done", json!({"summary_index": 0, "text": text})));
    events.push((
        "response.reasoning_summary_part.done",
        json!({"summary_index": 0, "part": part(text)}),
    ));
    Item { whole: item(json!([part(text)])), start: item(json!([])), events }
}

fn message(filled: &Filled<'_>, text: Option<Vec<&str>>, refusal: Option<Vec<&str>>) -> Item {
    let id = format!("msg_{:047}", filled.number);
    let item = |status: &str, content: Value| {
        json!({"id": id, "type": "message", "status": status, "role": "assistant",
            "content": content})
    };
    let (mut content, mut events) = (Vec::new(), Vec::new());
    for (kind, pieces) in [(&OUTPUT_TEXT, text), (&REFUSAL, refusal)] {
        if let Some(pieces) = pieces {
            content.push(kind.part(content.len(), &pieces, &mut events));
        }
    }
    let ends = if status(filled) == "incomplete" { "incomplete" } else { "completed" };
    Item { whole: item(ends, content.into()), start: item("in_progress", json!([])), events }
}

/// A kind of content part.
struct ContentKind {
    part_type: &'static str,
    /// The member with the text, in the part and in the event `done`.
    member: &'static str,
    delta: &'static str,
    done: &'static str,
    /// The lists that a part also has, all empty.
    part_lists: &'static [&'static str],
    /// The lists that the events also have, all empty.
    event_lists: &'static [&'static str],
}

const OUTPUT_TEXT: ContentKind = ContentKind {
    part_type: "output_text",
    member: "text",
    delta: "response.output_text.delta",
    done: "response.output_text.done",
    part_lists: &["annotations", "logprobs"],
    event_lists: &["logprobs"],
};

const REFUSAL: ContentKind = ContentKind {
    part_type: "refusal",
    member: "refusal",
    delta: "response.refusal.delta",
    done: "response.refusal.done",
    part_lists: &[],
    event_lists: &[],
};

impl ContentKind {
    /// Returns the part at an index of the content, and adds its events.
    fn part(
        &self,
        index: usize,
        pieces: &[&str],
        events: &mut Vec<(&'static str, Value)>,
    ) -> Value {
        let whole = pieces.concat();
        let part = |text: &str| {
            with_empty_lists(json!({"type": self.part_type, self.member: text}), self.part_lists)
        };
        let part_event = |text: &str| json!({"content_index": index, "part": part(text)});
        let text_event = |member: &str, text: &str| {
            with_empty_lists(json!({"content_index": index, member: text}), self.event_lists)
        };
        events.push(("response.content_part.added", part_event("")));
        events.extend(pieces.iter().map(|piece| (self.delta, text_event("delta", piece))));
        events.push((self.done, text_event(self.member, &whole)));
        events.push(("response.content_part.done", part_event(&whole)));
        part(&whole)
    }
}

fn with_empty_lists(mut value: Value, names: &[&str]) -> Value {
    for name in names {
        value[*name] = json!([]);
    }
    value
}

fn call(filled: &Filled<'_>, index: usize) -> Item {
    let asked = &filled.answer.calls[index];
    let item = |status: &str, arguments: &str| {
        json!({
            "id": format!("fc_{:044}{index:04}", filled.number),
            "type": "function_call",
            "status": status,
            "arguments": arguments,
            "call_id": format!("call_{:020}{index:04}", filled.number),
            "name": asked.name,
        })
    };
    let mut events: Vec<_> = slices(&asked.arguments)
        .into_iter()
        .map(|piece| ("response.function_call_arguments.delta", json!({"delta": piece})))
        .collect();
    let done = json!({"arguments": asked.arguments});
    events.push(("response.function_call_arguments.done", done));
    Item { whole: item("completed", &asked.arguments), start: item("in_progress", ""), events }
}

fn response(filled: &Filled<'_>, status: &str, output: Vec<Value>) -> Value {
    let is_open = status == "in_progress";
    let reason = match filled.finish.as_str() {
        reason @ ("max_output_tokens" | "content_filter") if !is_open => json!({"reason": reason}),
        _ => Value::Null,
    };
    json!({
        "id": format!("resp_{:048}", filled.number),
        "object": "response",
        "created_at": filled.created,
        "status": status,
        "background": false,
        "error": null,
        "incomplete_details": reason,
        "instructions": null,
        "max_output_tokens": null,
        "model": filled.model,
        "output": output,
        "parallel_tool_calls": true,
        "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null},
        "service_tier": "default",
        "store": false,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": filled.usage.filter(|_| !is_open).map(usage),
        "user": null,
        "metadata": {},
    })
}

fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt,
        "input_tokens_details": {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_write_5m.saturating_add(usage.cache_write_1h),
        },
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt.saturating_add(usage.completion),
    })
}

/// Returns the events of a stream. Each has a number and its type, which is also its name. The events
/// of an item have the item's index; those between its start and end also have its id.
fn events(filled: &Filled<'_>) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut send = |kind: &'static str, mut data: Value| {
        data["type"] = json!(kind);
        data["sequence_number"] = json!(events.len());
        events.push(Event { name: Some(kind), data: data.to_string() });
    };
    let open = response(filled, "in_progress", Vec::new());
    send("response.created", json!({"response": open}));
    send("response.in_progress", json!({"response": open}));
    let mut output = Vec::new();
    for (index, item) in items(filled).into_iter().enumerate() {
        let added = json!({"output_index": index, "item": item.start});
        send("response.output_item.added", added);
        for (kind, mut data) in item.events {
            data["output_index"] = json!(index);
            data["item_id"] = item.whole["id"].clone();
            send(kind, data);
        }
        send("response.output_item.done", json!({"output_index": index, "item": item.whole}));
        output.push(item.whole);
    }
    let last = match status(filled) {
        "incomplete" => "response.incomplete",
        "failed" => "response.failed",
        _ => "response.completed",
    };
    send(last, json!({"response": response(filled, status(filled), output)}));
    events
}
