//! The content of a chat completion, grouped by the members of its message.

use serde_json::{Map, Value};
use std::borrow::Cow;

use super::media::{self, PROVENANCE};
use super::opaque::Unknown;
use crate::chat::{FinishReason, Image, Part, Reasoning, ToolCall};
use crate::wire::call_id;
use crate::wire::finish_reason::finish_reason;
use crate::wire::json::object_of;
use crate::wire::stream::arguments::without_placeholder;

/// A model's answer, grouped by the members of its message.
#[derive(Default, Clone)]
pub(super) struct Answer {
    pub(super) reasoning: Option<Reasoning>,
    pub(super) content: Vec<Part>,
    /// The sources of a search.
    pub(super) annotations: Vec<Value>,
    pub(super) refusal: String,
    /// Images outside the content.
    pub(super) images: Vec<Image>,
    pub(super) calls: Vec<Part>,
    /// Unmodelled members of the message.
    pub(super) unknown: Unknown,
}

impl Answer {
    /// Returns its parts in the order of a message: reasoning first, then the content, a refusal,
    /// images, and tool calls.
    pub(super) fn parts(self) -> Vec<Part> {
        let mut parts = self.content;
        if let Some(reasoning) = self.reasoning {
            parts.insert(0, Part::Reasoning(reasoning));
        }
        cite(&mut parts, self.annotations);
        if !self.refusal.is_empty() {
            parts.push(Part::Refusal(self.refusal));
        }
        parts.extend(self.images.into_iter().map(Part::Image));
        parts.extend(self.calls);
        parts
    }
}

/// Attaches a message's annotations to its text. They refer to character positions, so if there are
/// several texts they go to the first.
fn cite(parts: &mut [Part], annotations: Vec<Value>) {
    let text = parts.iter_mut().find_map(|part| match part {
        Part::Text(text) => Some(text),
        _ => None,
    });
    if let Some(text) = text {
        text.citations = annotations;
    }
}

/// Returns the finish reason of an answer with these parts.
///
/// A refusal with `stop`, as OpenAI sends it, is [`Refusal`](FinishReason::Refusal). Tool calls
/// with `stop` or no reason, as some servers send them, are [`ToolCalls`](FinishReason::ToolCalls).
pub(super) fn reason(raw: Option<&str>, parts: &[Part]) -> FinishReason {
    let calls = parts.iter().any(|part| match part {
        Part::ToolCall(_) => true,
        Part::Other { value, .. } => is_custom_call(value),
        _ => false,
    });
    let refused = parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    match finish_reason(raw) {
        FinishReason::Stop if calls => FinishReason::ToolCalls,
        FinishReason::Other if calls && raw.is_none() => FinishReason::ToolCalls,
        FinishReason::Stop if refused => FinishReason::Refusal,
        reason => reason,
    }
}

pub(super) fn thought(text: String) -> Reasoning {
    Reasoning { provenance: Some(PROVENANCE), ..Reasoning::new(text) }
}

/// Reads a part of a content array, as Mistral's reasoning models send it: `text`, [`thinking`] that
/// itself has parts, and images that the model generated. Other kinds are kept unchanged.
pub(super) fn block(value: Value) -> Option<Part> {
    match value {
        Value::String(text) => (!text.is_empty()).then(|| Part::text(text)),
        Value::Object(ref members) if members.is_empty() => None,
        Value::Object(_) => {
            let member = |name: &str| value.get(name).map(joined).filter(|text| !text.is_empty());
            match value.get("type").and_then(Value::as_str) {
                Some("text" | "output_text") => member("text").map(Part::text),
                Some("refusal") => member("refusal").map(Part::Refusal),
                Some("thinking") => thinking(value).map(Part::Reasoning),
                Some("image_url" | "image") => {
                    Some(media::image("content", value).map_or_else(other, Part::Image))
                }
                _ => Some(other(value)),
            }
        }
        _ => None,
    }
}

/// Reads a `thinking` part (`ThinkChunk` in Mistral's OpenAPI file): texts and references, and a
/// "signature to replay some reasoning blocks across turns". It goes back as [`thinking_part`]
/// writes it. `closed` is only for a part that the model shall continue, so it is not kept.
fn thinking(value: Value) -> Option<Reasoning> {
    let Value::Object(members) = value else { return None };
    let mut reasoning = thought(String::new());
    for (name, value) in members {
        match (name.as_str(), value) {
            ("type" | "closed", _) | (_, Value::Null) => {}
            (THINKING, Value::Array(parts)) => {
                let mut others = parts;
                reasoning.text = joined_text(&others);
                others.retain(|part| part.get("text").is_none_or(|text| !text.is_string()));
                if !others.is_empty() {
                    reasoning.extra.insert(name, others.into());
                }
            }
            (THINKING, text) => reasoning.text = joined(&text),
            ("signature", Value::String(signature)) => {
                reasoning.signature = Some(signature).filter(|signature| !signature.is_empty());
            }
            (_, value) => {
                reasoning.extra.insert(name, value);
            }
        }
    }
    let Reasoning { text, signature, extra, .. } = &reasoning;
    let says = !text.is_empty() || signature.is_some() || !extra.is_empty();
    says.then_some(reasoning)
}

/// The kind of a part with reasoning, and its member with the parts of the reasoning.
const THINKING: &str = "thinking";

/// Builds the `thinking` part that reasoning came from. References come after the text.
pub(super) fn thinking_part(reasoning: &Reasoning) -> Value {
    let mut parts = Vec::new();
    if !reasoning.text.is_empty() {
        parts.push(object_of!("type": "text".into(), "text": reasoning.text.as_str().into()));
    }
    let mut members = Map::new();
    members.insert("type".to_owned(), THINKING.into());
    members.insert(THINKING.to_owned(), Value::Null);
    for (name, value) in &reasoning.extra {
        match (name.as_str(), value) {
            (THINKING, Value::Array(others)) => parts.extend(others.iter().cloned()),
            _ => {
                members.insert(name.clone(), value.clone());
            }
        }
    }
    members.insert(THINKING.to_owned(), parts.into());
    if let Some(signature) = &reasoning.signature {
        members.insert("signature".to_owned(), signature.as_str().into());
    }
    members.into()
}

/// Adds the next piece of a `thinking` part to the ones before it.
pub(super) fn think_on(last: &mut Reasoning, piece: Reasoning) {
    last.text.push_str(&piece.text);
    last.signature = piece.signature.or(last.signature.take());
    for (name, value) in piece.extra {
        match (last.extra.get_mut(&name), value) {
            (Some(Value::Array(parts)), Value::Array(more)) => parts.extend(more),
            (_, value) => {
                last.extra.insert(name, value);
            }
        }
    }
}

/// Returns a string, or the joined texts of an array of text parts.
fn joined(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => joined_text(parts),
        _ => String::new(),
    }
}

fn joined_text(parts: &[Value]) -> String {
    parts.iter().filter_map(|part| part.get("text")?.as_str()).collect()
}

/// Builds the call of a function.
///
/// A call without an id gets [one](call_id::or_new). Empty arguments become `{}`.
pub(in crate::wire) fn tool_call(
    index: usize,
    id: String,
    name: String,
    arguments: String,
    seed: impl FnOnce() -> u64,
) -> ToolCall {
    let id = call_id::or_new(id, seed, index);
    let arguments = match without_placeholder(&arguments) {
        Cow::Owned(real) => real,
        Cow::Borrowed(blank) if blank.trim().is_empty() => "{}".to_owned(),
        Cow::Borrowed(_) => arguments,
    };
    ToolCall::new(id, name, arguments)
}

pub(super) fn other(value: Value) -> Part {
    Part::Other { provenance: Some(PROVENANCE), value }
}

/// Returns true if a block is the call of a `custom` tool, whose input is free text and not JSON.
/// It is kept unchanged and answered by its `id` like any other.
fn is_custom_call(value: &Value) -> bool {
    value.get("type").and_then(Value::as_str) == Some("custom")
}
