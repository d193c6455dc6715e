//! Encodes one part of a message.

use serde_json::{Map, Value, json};

use super::media::{self, Names};
use super::messages::cache_point;
use super::model::Vendor;
use crate::chat::{
    Format, Image, MediaSource, Part, Provenance, Reasoning, Role, ToolCall, ToolResult,
};
use crate::wire::Target;
use crate::wire::json::object_of;
use crate::wire::part_name::{misplaced, misplaced_in_result};
use crate::wire::tool_input::{self, Ids};

/// Adds the block for a part in a message of `role`, unless it is left out. The error says what is
/// wrong, to follow the message's index.
pub(super) fn encode(
    part: &Part,
    role: Role,
    target: Target<'_>,
    names: &mut Names,
    blocks: &mut Vec<Value>,
) -> Result<(), String> {
    match (part, role) {
        (Part::Text(text), Role::System | Role::User | Role::Assistant) => {
            blocks.extend(text_block(&text.text));
        }
        (Part::Refusal(text), Role::Assistant) => blocks.extend(text_block(text)),
        (Part::Audio(audio), Role::Assistant) => blocks.extend(text_block(&audio.transcript)),
        (Part::Image(image), Role::Assistant) => blocks.extend(made_image(image, target)),
        (Part::Image(image), Role::User) => blocks.push(media::image(image)?),
        (Part::Document(document), Role::User) => blocks.push(media::document(document, names)?),
        (Part::Reasoning(reasoning), Role::Assistant) => {
            blocks.extend(reasoning_content(reasoning, target));
        }
        (Part::ToolCall(call), Role::Assistant) => blocks.push(tool_use(call, target)?),
        (Part::ToolResult(result), Role::User | Role::Tool) => {
            tool_result(result, target, names, blocks)?;
        }
        (Part::Other { provenance, value }, _) => {
            blocks.extend(allows(provenance.as_ref(), target).then(|| value.clone()));
        }
        (part, role) => return Err(misplaced(part, role)),
    }
    Ok(())
}

/// Blank texts are left out, because Bedrock rejects them ("The text field in the ContentBlock
/// object is blank", BerriAI/litellm #5747).
fn text_block(text: &str) -> Option<Value> {
    (!text.trim().is_empty()).then(|| object_of!("text": text.into()))
}

/// An image that a Bedrock model made goes back; another provider's is left out.
fn made_image(image: &Image, target: Target<'_>) -> Option<Value> {
    let opaque = image.opaque.as_deref()?;
    match &image.source {
        MediaSource::Base64 { .. } if allows(Some(&opaque.provenance), target) => {
            media::image(image).ok()
        }
        _ => None,
    }
}

/// Only reasoning with a signature or encrypted reasoning goes back, unchanged: "include the text
/// and its signature unmodified" (`ReasoningTextBlock`). Models without signatures do not want it:
/// "sending it back in multi-turn tool use can leak raw reasoning into the visible response"
/// (vercel/ai).
fn reasoning_content(reasoning: &Reasoning, target: Target<'_>) -> Option<Value> {
    if !allows(reasoning.provenance.as_ref(), target) {
        return None;
    }
    let content = match (&reasoning.signature, &reasoning.encrypted) {
        (Some(signature), _) => {
            json!({"reasoningText": {"text": reasoning.text, "signature": signature}})
        }
        (None, Some(data)) => json!({"redactedContent": data}),
        (None, None) => return None,
    };
    Some(object_of!("reasoningContent": content))
}

fn tool_use(call: &ToolCall, target: Target<'_>) -> Result<Value, String> {
    if call.id.is_empty() || call.name.is_empty() {
        return Err("holds a tool call without an id or a name; set both".into());
    }
    let mut block = Map::with_capacity(3);
    block.insert("toolUseId".into(), id(&call.id, target));
    block.insert("name".into(), call.name.as_str().into());
    block.insert("input".into(), tool_input::object(&call.arguments).into());
    let opaque = call.opaque.as_deref().filter(|own| allows(Some(&own.provenance), target));
    for (name, value) in opaque.into_iter().flat_map(|opaque| &opaque.members) {
        block.entry(name.as_str()).or_insert_with(|| value.clone());
    }
    Ok(object_of!("toolUse": block.into()))
}

/// Adds a result. Its cache points follow it, because a result cannot contain one
/// (`ToolResultContentBlock`).
fn tool_result(
    result: &ToolResult,
    target: Target<'_>,
    names: &mut Names,
    blocks: &mut Vec<Value>,
) -> Result<(), String> {
    if result.call_id.is_empty() {
        return Err(
            "holds a tool result without the id of its call; use the id of its ToolCall".into()
        );
    }
    let (mut content, mut points) = (Vec::new(), Vec::new());
    for part in &result.content {
        match part {
            Part::CachePoint(ttl) => points.push(cache_point(*ttl)),
            Part::Text(text) => content.extend(text_block(&text.text)),
            Part::Image(image) => content.push(media::image(image)?),
            Part::Document(document) => content.push(media::document(document, names)?),
            Part::Other { provenance, value } => {
                content.extend(allows(provenance.as_ref(), target).then(|| value.clone()));
            }
            part => return Err(misplaced_in_result(part)),
        }
    }
    // A result needs content, and a text must not be blank.
    if content.is_empty() {
        content.push(object_of!("text": "(empty)".into()));
    }
    let status = if result.is_error { "error" } else { "success" };
    blocks.push(json!({"toolResult":
        {"toolUseId": id(&result.call_id, target), "content": content, "status": status}}));
    blocks.extend(points);
    Ok(())
}

/// The id of a call: letters, digits, `_`, `.`, `:` and `-`, at most 64 (`ToolUseId`); nine letters
/// and digits for Mistral's models (vercel/ai `normalize-tool-call-id.ts`).
fn id(id: &str, target: Target<'_>) -> Value {
    let ids = match Vendor::of(target.model) {
        Vendor::Mistral => Ids::Nine,
        _ if id.len() > 64 => Ids::UpTo40,
        _ => Ids::Word,
    };
    match ids {
        Ids::UpTo40 => tool_input::id(&tool_input::id(id, Ids::UpTo40), Ids::Word).into(),
        ids => tool_input::id(id, ids).into(),
    }
}

/// Returns true if the request may include content with this provenance.
fn allows(provenance: Option<&Provenance>, target: Target<'_>) -> bool {
    provenance.is_some_and(|it| target.sent(it, Format::Bedrock))
}
