//! Encodes an assistant's message: an answer that goes back to the model.

use serde_json::{Value, json};

use super::{Place, content, text_block};
use crate::chat::{Audio, Image, Message, Part, ToolCall};
use crate::error::Error;
use crate::wire::json::{object, object_of};
use crate::wire::openai_chat::answer::thinking_part;
use crate::wire::openai_chat::dialect::{ReasoningBack, ReasoningMember};
use crate::wire::openai_chat::{media, opaque};
use crate::wire::tool_input;

/// Builds an assistant's message.
///
/// An answer with only reasoning, for example because it hit the output limit, is sent back as an
/// empty string: OpenAI requires content if there is no tool call.
///
/// A refusal is sent back as a content part, or beside text as a member of the message: the content
/// is "one or more of type `text`, or exactly one of type `refusal`" (OpenAI's reference). A server
/// that has no refusals gets it as text.
///
/// Reasoning that came as a part of the content goes back in its place, for a server whose dialect
/// says so.
///
/// Only the id of speech is sent back, in `audio` (`ChatCompletionAssistantMessageParam` in
/// openai-python). Without an id, and to another provider, the transcript is sent as text. Images
/// that the model generated are sent back unchanged, only to the provider that sent them.
pub(super) fn encode(place: &Place<'_>, message: &Message) -> Result<Value, Error> {
    let mut blocks = Vec::new();
    let mut refusal = String::new();
    let mut calls = Vec::new();
    let mut audio = None;
    let mut images = Vec::new();
    let thinks_back = place.dialect.reasoning_member == ReasoningMember::ThinkingParts
        && match place.dialect.reasoning_back {
            ReasoningBack::Never => false,
            ReasoningBack::WithToolCalls => message.tool_calls().next().is_some(),
            ReasoningBack::Always => true,
        };
    for part in &message.content {
        match part {
            Part::Reasoning(reasoning) if thinks_back && reasoning.field.is_none() => {
                if place.allows(&reasoning.provenance) {
                    blocks.push(thinking_part(reasoning));
                }
            }
            Part::Refusal(text) if place.dialect.refusals => refusal.push_str(text),
            Part::Refusal(text) => blocks.push(text_block(text)),
            Part::ToolCall(call) => calls.push(encode_call(place, call)?),
            Part::Other { provenance, value } if place.allows(provenance) => {
                match value.get("type").and_then(Value::as_str) {
                    Some("custom") => calls.push(value.clone()),
                    Some("audio") => audio = value.pointer("/audio/id").cloned(),
                    _ => blocks.push(value.clone()),
                }
            }
            Part::Audio(Audio { id, opaque, transcript, .. }) => match id {
                Some(id) if place.sent(opaque.as_deref()) => audio = Some(id.as_str().into()),
                _ if transcript.is_empty() => {}
                _ => blocks.push(text_block(transcript)),
            },
            Part::Image(image @ Image { opaque: Some(opaque), .. }) => {
                if place.dialect.unknown_members && place.sent(Some(opaque)) {
                    match media::element(image) {
                        ("content", element) => blocks.push(element),
                        (_, element) => images.push(element),
                    }
                }
            }
            Part::CachePoint(ttl) => place.mark(blocks.last_mut(), *ttl),
            part => blocks.extend(place.block(part)?),
        }
    }
    let beside = !blocks.is_empty() && !refusal.is_empty();
    let content = if !blocks.is_empty() {
        content(blocks)
    } else if !refusal.is_empty() {
        json!([{"type": "refusal", "refusal": refusal}])
    } else if calls.is_empty() && audio.is_none() {
        "".into()
    } else {
        Value::Null
    };
    let mut encoded = place.named("assistant", message, content);
    if beside {
        encoded["refusal"] = refusal.into();
    }
    if let Some(id) = audio {
        encoded["audio"] = json!({"id": id});
    }
    if !images.is_empty() {
        // Elements that are not images are among the opaque members.
        if let Some(Value::Array(others)) = encoded.get_mut("images").map(Value::take) {
            images.extend(others);
        }
        encoded["images"] = images.into();
    }
    let goes_back = match place.dialect.reasoning_back {
        ReasoningBack::Never => false,
        ReasoningBack::WithToolCalls => !calls.is_empty(),
        ReasoningBack::Always => true,
    };
    if goes_back {
        add_reasoning(place, message, &mut encoded);
    }
    if !calls.is_empty() {
        encoded["tool_calls"] = calls.into();
    }
    Ok(encoded)
}

/// Adds reasoning that this server sent, in the member that it came in.
///
/// DeepSeek requires it; otherwise the next request fails with "Missing `reasoning_content` field
/// in the assistant message" (its guide "Thinking Mode", section "Tool Calls"; continuedev/continue
/// #10193, anomalyco/opencode #24722). Moonshot requires it next to tool calls. Both accept blank
/// reasoning for another provider's answer.
fn add_reasoning(place: &Place<'_>, message: &Message, encoded: &mut Value) {
    for member in ["reasoning_content", "reasoning"] {
        let is_sent = match member {
            "reasoning_content" => place.dialect.reasoning_member != ReasoningMember::ThinkingParts,
            // OpenRouter's `reasoning_details` contain the same and more.
            _ => {
                place.dialect.reasoning_member == ReasoningMember::Received
                    && encoded.get("reasoning_details").is_none()
            }
        };
        let texts = message.content.iter().filter_map(|part| match part {
            Part::Reasoning(reasoning)
                if place.allows(&reasoning.provenance)
                    && reasoning.field.as_deref() == Some(member) =>
            {
                Some(reasoning.text.as_str())
            }
            _ => None,
        });
        let text: String = texts.filter(|_| is_sent).collect();
        if !text.is_empty() {
            encoded[member] = text.into();
        }
    }
    if place.dialect.reasoning_required && encoded.get("reasoning_content").is_none() {
        encoded["reasoning_content"] = " ".into();
    }
}

fn encode_call(place: &Place<'_>, call: &ToolCall) -> Result<Value, Error> {
    if call.id.is_empty() {
        return Err(
            place.invalid("holds a tool call without an id; keep the id that the model sent")
        );
    }
    let function = [
        ("name", call.name.as_str().into()),
        ("arguments", tool_input::text(&call.arguments).into()),
    ];
    let mut encoded = object_of!(
        "id": place.call_id(&call.id).into(),
        "type": "function".into(),
        "function": object(function),
    );
    opaque::send_back(call.opaque.as_deref(), place.target, &mut encoded);
    Ok(encoded)
}
