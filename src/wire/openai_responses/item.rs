//! Converts an output item to the parts of a message, and some parts back to items.

use serde_json::{Map, Value};

use crate::chat::{
    FinishReason, Format, Image, MediaSource, Opaque, Part, Provenance, Reasoning, Text, ToolCall,
};
use crate::wire::finish_reason::finish_reason;
use crate::wire::json::{member, object_of};
use crate::wire::openai_chat::tool_call;

/// The sender of a part; [`Wire::decode`](crate::wire::Wire::decode) names the real provider.
pub(super) const PROVENANCE: Provenance = Provenance::inventor(Format::OpenAiResponses);

/// Separates the parts of a summary, because each is a paragraph with its own heading (recorded).
pub(super) const BETWEEN_THOUGHTS: &str = "\n\n";

/// The member of an image's [`Opaque`] that holds the item without its bytes.
pub(super) const IMAGE_ITEM: &str = "item";

/// The member of a text's [`Opaque`] that holds the other members of its content part.
pub(super) const CONTENT: &str = "content";

/// Adds the parts of the output item at `index`. `seed` makes the id of a call that has none.
///
/// Other items become [`Part::Other`], unchanged: calls of tools that the provider runs
/// (`web_search_call`), special calls of tools that the caller runs (`custom_tool_call`,
/// `computer_call`), `compaction`, and messages of roles other than the assistant.
pub(super) fn add_parts(index: usize, item: Value, seed: u64, parts: &mut Vec<Part>) {
    let Value::Object(mut members) = item else { return };
    match kind(&members) {
        "message" if is_assistant(&members) => message(members, parts),
        "reasoning" => parts.push(Part::Reasoning(reasoning(members))),
        "function_call" => parts.push(Part::ToolCall(call(index, members, seed))),
        "image_generation_call" if has_text(&members, "result") => {
            let result = members.shift_remove("result");
            parts.push(image(members, result.unwrap_or_default()).into());
        }
        _ if members.is_empty() => {}
        _ => parts.push(Part::Other { provenance: Some(PROVENANCE), value: members.into() }),
    }
}

/// Returns the type of an item. Compatible servers may leave out that of a message, as OpenAI allows
/// in requests (`EasyInputMessageParam`).
pub(super) fn kind(item: &Map<String, Value>) -> &str {
    match member(item, "type").and_then(Value::as_str) {
        Some(kind) => kind,
        None if item.contains_key("content") => "message",
        None => "",
    }
}

pub(super) fn is_assistant(message: &Map<String, Value>) -> bool {
    member(message, "role").is_none_or(|role| role == "assistant")
}

fn has_text(members: &Map<String, Value>, name: &str) -> bool {
    members.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty())
}

/// Adds the content parts of a message (`response_output_message.py`). Each text keeps the
/// message's id, status and phase: "preserve and resend phase on all assistant messages" (the same
/// file). A content part of an unknown type becomes a message of its own.
fn message(mut members: Map<String, Value>, parts: &mut Vec<Part>) {
    let content = match members.shift_remove("content") {
        Some(Value::Array(content)) => content,
        Some(text @ Value::String(_)) => vec![text],
        _ => Vec::new(),
    };
    members.retain(|name, value| !matches!(name.as_str(), "type" | "role") && !value.is_null());
    for part in content {
        match part {
            Value::String(text) if !text.is_empty() => {
                parts.push(Part::Text(Text { opaque: opaque(members.clone()), ..text.into() }));
            }
            Value::Object(part) => parts.extend(content_part(part, &members)),
            _ => {}
        }
    }
}

fn content_part(mut part: Map<String, Value>, message: &Map<String, Value>) -> Option<Part> {
    match kind(&part) {
        "output_text" | "text" => {
            let text = taken_text(&mut part, "text");
            let citations = match part.shift_remove("annotations") {
                Some(Value::Array(citations)) => citations,
                _ => Vec::new(),
            };
            if text.is_empty() && citations.is_empty() {
                return None;
            }
            let mut members = message.clone();
            // OpenAI does not need them back, and callers find them in the raw body.
            part.retain(|name, value| {
                !matches!(name.as_str(), "type" | "logprobs") && has_content(value)
            });
            if !part.is_empty() {
                members.insert(CONTENT.to_owned(), part.into());
            }
            Some(Part::Text(Text { text, citations, opaque: opaque(members) }))
        }
        "refusal" => {
            let refusal = taken_text(&mut part, "refusal");
            (!refusal.is_empty()).then_some(Part::Refusal(refusal))
        }
        _ if part.is_empty() => None,
        _ => {
            let mut item = Map::from_iter([
                ("type".to_owned(), "message".into()),
                ("role".to_owned(), "assistant".into()),
            ]);
            item.extend(message.clone());
            item.insert("content".to_owned(), vec![Value::Object(part)].into());
            Some(Part::Other { provenance: Some(PROVENANCE), value: item.into() })
        }
    }
}

fn taken_text(members: &mut Map<String, Value>, name: &str) -> String {
    match members.shift_remove(name) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    }
}

/// Returns false for null and empty values.
fn has_content(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn opaque(members: Map<String, Value>) -> Option<Box<Opaque>> {
    (!members.is_empty()).then(|| Opaque::new(PROVENANCE, members).into())
}

/// Converts a reasoning item (`response_reasoning_item.py`). Its text is the summary and the full
/// reasoning, if the provider shows them. The lists are kept only if [`reasoning_item`] could not
/// rebuild them from the text.
fn reasoning(mut members: Map<String, Value>) -> Reasoning {
    let texts = |list: Option<&Value>| -> Vec<String> {
        let list = list.and_then(Value::as_array).into_iter().flatten();
        let texts = list.filter_map(|part| part.get("text").unwrap_or(part).as_str());
        texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
    };
    let (summary, content) = (texts(members.get("summary")), texts(members.get("content")));
    let length = |name| members.get(name).and_then(Value::as_array).map_or(0, Vec::len);
    let field = match (length("summary"), length("content")) {
        (1, 0) if is_plain(&members["summary"][0], "summary_text") => Some("summary"),
        (0, 1) if is_plain(&members["content"][0], "reasoning_text") => Some("content"),
        _ => None,
    };
    if field.is_some() {
        members.shift_remove("summary");
        members.shift_remove("content");
    }
    let id = Some(taken_text(&mut members, "id")).filter(|id| !id.is_empty());
    let encrypted = Some(taken_text(&mut members, "encrypted_content"));
    members.retain(|name, value| name != "type" && has_content(value));
    Reasoning {
        text: [summary, content].concat().join(BETWEEN_THOUGHTS),
        signature: None,
        encrypted: encrypted.filter(|encrypted| !encrypted.is_empty()),
        id,
        provenance: Some(PROVENANCE),
        field: field.map(str::to_owned),
        extra: members,
    }
}

/// Returns true if a part has only a type and a text.
fn is_plain(part: &Value, kind: &str) -> bool {
    part.as_object().is_some_and(|part| part.len() == 2 && part.contains_key("text"))
        && part.get("type").is_some_and(|it| it == kind)
}

/// Converts reasoning back to an item. This drops the `status`, which OpenAI rejects ("Unknown
/// parameter: 'input[1].status'"; BerriAI/litellm #13420).
pub(super) fn reasoning_item(reasoning: &Reasoning) -> Value {
    let mut item = Map::from_iter([("type".to_owned(), "reasoning".into())]);
    let mut set = |name: &str, value: Value| {
        item.insert(name.to_owned(), value);
    };
    if let Some(id) = &reasoning.id {
        set("id", id.as_str().into());
    }
    let part = |kind: &str| {
        vec![object_of!(
            "type": kind.into(),
            "text": reasoning.text.as_str().into(),
        )]
    };
    // Required even if it is empty (`response_reasoning_item_param.py`).
    set("summary", Value::Array(Vec::new()));
    match reasoning.field.as_deref() {
        Some("summary") => set("summary", part("summary_text").into()),
        Some("content") => set("content", part("reasoning_text").into()),
        _ => {}
    }
    if let Some(encrypted) = &reasoning.encrypted {
        set("encrypted_content", encrypted.as_str().into());
    }
    for (name, value) in reasoning.extra.iter().filter(|(name, _)| *name != "status") {
        set(name, value.clone());
    }
    item.into()
}

/// Converts a function call (`response_function_tool_call.py`). Its result refers to the `call_id`.
/// The item's own id is kept, to be sent back.
pub(super) fn call(index: usize, mut members: Map<String, Value>, seed: u64) -> ToolCall {
    let name = taken_text(&mut members, "name");
    let call_id = taken_text(&mut members, "call_id");
    let arguments = arguments(members.shift_remove("arguments"));
    members.retain(|name, value| name != "type" && has_content(value));
    let call = tool_call(index, call_id, name, arguments, || seed);
    ToolCall { opaque: opaque(members), ..call }
}

/// Returns the JSON text of a call's arguments. Some servers send the value itself.
pub(super) fn arguments(value: Option<Value>) -> String {
    match value {
        Some(Value::String(arguments)) => arguments,
        Some(value @ (Value::Object(_) | Value::Array(_))) => value.to_string(),
        _ => String::new(),
    }
}

/// Converts a generated image (`ImageGenerationCall` in `response_output_item.py`): base64 in the
/// tool's `output_format`, PNG by default.
fn image(item: Map<String, Value>, result: Value) -> Image {
    let format = item.get("output_format").and_then(Value::as_str).unwrap_or("png");
    let source = MediaSource::Base64 {
        media_type: format!("image/{format}"),
        data: match result {
            Value::String(data) => data,
            _ => String::new(),
        },
    };
    let members = Map::from_iter([(IMAGE_ITEM.to_owned(), item.into())]);
    Image { opaque: opaque(members), ..Image::from_source(source) }
}

/// Converts a generated image back to its item.
pub(super) fn image_item(image: &Image, opaque: &Opaque) -> Option<Value> {
    let mut item = opaque.members.get(IMAGE_ITEM)?.clone();
    if let MediaSource::Base64 { data, .. } = &image.source {
        item["result"] = data.as_str().into();
    }
    Some(item)
}

/// Returns the finish reason, and the provider's word for it.
///
/// A response has a `status`. An incomplete one also has a reason (`incomplete_details.reason`:
/// `max_output_tokens` or `content_filter`, `response.py`). Only the parts show tool calls and
/// refusals.
pub(super) fn finish_reasons(
    status: &str,
    incomplete: &str,
    parts: &[Part],
) -> (FinishReason, Option<String>) {
    let raw = match status {
        "" => None,
        "incomplete" if !incomplete.is_empty() => Some(incomplete),
        status => Some(status),
    };
    let refused = parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let reason = match finish_reason(raw) {
        FinishReason::Stop if awaits_caller(parts) => FinishReason::ToolCalls,
        FinishReason::Other if raw.is_none() && awaits_caller(parts) => FinishReason::ToolCalls,
        FinishReason::Stop if refused => FinishReason::Refusal,
        reason => reason,
    };
    (reason, raw.map(str::to_owned))
}

/// Returns true if the caller must act before the model can continue.
fn awaits_caller(parts: &[Part]) -> bool {
    parts.iter().any(|part| match part {
        Part::ToolCall(_) => true,
        Part::Other { value, .. } => match value.get("type").and_then(Value::as_str) {
            Some(
                "custom_tool_call"
                | "computer_call"
                | "local_shell_call"
                | "apply_patch_call"
                | "mcp_approval_request",
            ) => true,
            // If the provider runs it in a container, the output follows. If not, the caller runs it.
            Some("shell_call") => !has_output(parts, value, "shell_call_output"),
            _ => false,
        },
        _ => false,
    })
}

fn has_output(parts: &[Part], call: &Value, kind: &str) -> bool {
    parts.iter().any(|part| match part {
        Part::Other { value, .. } => {
            value.get("type").is_some_and(|it| it == kind) && value["call_id"] == call["call_id"]
        }
        _ => false,
    })
}

/// Counts the billed web searches of an answer. OpenAI bills `search`, but not `open_page` or
/// `find_in_page` (its page "Pricing", "Built-in tools").
pub(super) fn web_searches(parts: &[Part]) -> u64 {
    let is_search = |part: &&Part| match part {
        Part::Other { value, .. } => {
            let action = value.pointer("/action/type").and_then(Value::as_str);
            value.get("type").is_some_and(|kind| kind == "web_search_call")
                && value.get("status").is_none_or(|status| status != "failed")
                && action.is_none_or(|action| action == "search")
        }
        _ => false,
    };
    parts.iter().filter(is_search).count() as u64
}
