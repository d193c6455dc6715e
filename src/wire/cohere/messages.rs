//! Encodes messages, and the documents that they hold.

use serde_json::{Map, Value, json};

use super::{PLAN, media};
use crate::chat::{
    Format, Image, Message, Part, Provenance, Reasoning, Role, Text, ToolCall, ToolResult,
};
use crate::error::Error;
use crate::wire::json::object_of;
use crate::wire::part_name::{misplaced, part_name};
use crate::wire::{Target, tool_input, validate};

/// Writes `messages` and `documents`.
///
/// - The documents of all messages go to `documents`, because messages have no part for them. The
///   model can cite them in its answer. Those in a tool result stay there.
/// - Each tool result becomes a message, directly after the assistant's message with its call.
/// - An assistant message without anything to send is left out, such as one with only another
///   provider's reasoning.
pub(super) fn write(
    messages: &[Message],
    target: Target<'_>,
    body: &mut Map<String, Value>,
) -> Result<(), Error> {
    let mut out = Out::default();
    for (index, message) in messages.iter().enumerate() {
        out.add(message, target)
            .map_err(|what| Error::invalid_request(format!("messages[{index}] {what}")))?;
    }
    if out.messages.is_empty() {
        return Err(validate::no_user_message());
    }
    body.insert("messages".into(), out.messages.into());
    if !out.documents.is_empty() {
        body.insert("documents".into(), out.documents.into());
    }
    Ok(())
}

#[derive(Default)]
struct Out {
    messages: Vec<Value>,
    documents: Vec<Value>,
    /// Where the next tool result goes: after the last assistant message and its results so far.
    results_end: Option<usize>,
}

impl Out {
    /// The error says what is wrong; the caller puts the message's position before it.
    fn add(&mut self, message: &Message, target: Target<'_>) -> Result<(), String> {
        match message.role {
            Role::System => self.said("system", message, target),
            Role::Assistant => {
                if let Some(message) = assistant(message, target)? {
                    self.messages.push(message);
                    self.results_end = Some(self.messages.len());
                }
                Ok(())
            }
            Role::User => self.said("user", message, target),
            Role::Tool => self.results(message, target),
        }
    }

    /// Adds a system or user message, with tool results in front of it.
    fn said(&mut self, role: &str, message: &Message, target: Target<'_>) -> Result<(), String> {
        let (mut content, mut elsewhere) = (Vec::with_capacity(message.content.len()), false);
        for part in &message.content {
            match (part, message.role) {
                (Part::CachePoint(_), _) => {}
                (Part::Text(text), _) => content.push(text_block(&text.text)),
                (Part::Image(image), Role::User) => content.push(media::image(image)?),
                (Part::Document(document), Role::User) => {
                    self.documents.push(media::document(document)?);
                }
                (Part::ToolResult(result), Role::User) => {
                    elsewhere = true;
                    self.result(result, target)?;
                }
                (Part::Other { provenance, value }, _) => {
                    if allows(provenance.as_ref(), target) {
                        content.push(value.clone());
                    }
                }
                (part, role) => return Err(misplaced(part, role)),
            }
        }
        if content.is_empty() {
            return match elsewhere {
                true => Ok(()),
                // "message must be at least 1 token long" (docs.cohere.com/reference/errors).
                false => Err("holds no text and no image; add a text, or remove it".into()),
            };
        }
        self.messages.push(object_of!("role": role.into(), "content": shorthand(content)));
        Ok(())
    }

    fn results(&mut self, message: &Message, target: Target<'_>) -> Result<(), String> {
        let mut any = false;
        for part in &message.content {
            match part {
                Part::CachePoint(_) => {}
                Part::ToolResult(result) => {
                    any = true;
                    self.result(result, target)?;
                }
                Part::Other { provenance, .. } if !allows(provenance.as_ref(), target) => {}
                part => return Err(misplaced(part, Role::Tool)),
            }
        }
        match any {
            true => Ok(()),
            false => Err("holds no tool result; use Message::tool_result".into()),
        }
    }

    /// Adds a result as a message of its own. It is text or documents, which the model can cite;
    /// the format has no flag for failures.
    fn result(&mut self, result: &ToolResult, target: Target<'_>) -> Result<(), String> {
        if result.call_id.is_empty() {
            return Err("holds a tool result without the id of its call".into());
        }
        let mut content = Vec::with_capacity(result.content.len());
        for part in &result.content {
            match part {
                Part::CachePoint(_) => {}
                Part::Text(text) => content.push(text_block(&text.text)),
                Part::Document(document) => {
                    let document = media::document(document)?;
                    content.push(object_of!("type": "document".into(), "document": document));
                }
                Part::Other { provenance, value } => {
                    if allows(provenance.as_ref(), target) {
                        content.push(value.clone());
                    }
                }
                Part::Image(_) => {
                    return Err("holds a tool result with an image, but Cohere accepts only text \
                                and documents there; put the image into a user message after the \
                                results"
                        .into());
                }
                part => {
                    return Err(format!(
                        "holds a tool result that contains {}; use text or documents",
                        part_name(part)
                    ));
                }
            }
        }
        let content = if content.is_empty() { "".into() } else { shorthand(content) };
        let message = object_of!(
            "role": "tool".into(),
            "tool_call_id": result.call_id.as_str().into(),
            "content": content,
        );
        let end = self.results_end.unwrap_or(self.messages.len()).min(self.messages.len());
        self.messages.insert(end, message);
        self.results_end = Some(end + 1);
        Ok(())
    }
}

/// `AssistantMessageV2`. Plans, thinking and citations go back only to their sender. A citation
/// names its block by position. Positions are counted anew, because blocks may have been left out.
fn assistant(message: &Message, target: Target<'_>) -> Result<Option<Value>, String> {
    let (mut content, mut plan, mut calls) = (Vec::new(), String::new(), Vec::new());
    let mut citations = Vec::new();
    for part in &message.content {
        match part {
            Part::CachePoint(_) | Part::Image(Image { opaque: Some(_), .. }) => {}
            Part::Text(Text { text, citations: cited, .. }) => {
                if text.is_empty() {
                    continue;
                }
                citations.extend(own_citations(cited, Some(content.len())));
                content.push(text_block(text));
            }
            Part::Refusal(text) => content.push(text_block(text)),
            Part::Audio(audio) if audio.transcript.is_empty() => {}
            Part::Audio(audio) => content.push(text_block(&audio.transcript)),
            Part::Reasoning(reasoning) => {
                if !allows(reasoning.provenance.as_ref(), target) {
                    continue;
                }
                let cited = reasoning.extra.get("citations").and_then(Value::as_array);
                let cited = cited.map(Vec::as_slice).unwrap_or_default();
                if is_plan(reasoning) {
                    plan.push_str(&reasoning.text);
                    citations.extend(own_citations(cited, None));
                } else if !reasoning.text.is_empty() {
                    citations.extend(own_citations(cited, Some(content.len())));
                    content.push(json!({"type": "thinking", "thinking": reasoning.text}));
                }
            }
            Part::ToolCall(call) if call.id.is_empty() || call.name.is_empty() => {
                return Err("holds a tool call without an id or a name".into());
            }
            Part::ToolCall(call) => calls.push(tool_call(call, target)),
            Part::Other { provenance, value } => {
                if allows(provenance.as_ref(), target) {
                    content.push(value.clone());
                }
            }
            part => return Err(misplaced(part, Role::Assistant)),
        }
    }
    if content.is_empty() && plan.is_empty() && calls.is_empty() {
        return Ok(None);
    }
    let mut written = Map::with_capacity(5);
    written.insert("role".to_owned(), "assistant".into());
    if !content.is_empty() {
        written.insert("content".to_owned(), shorthand(content));
    }
    if !plan.is_empty() {
        written.insert(PLAN.to_owned(), plan.into());
    }
    if !calls.is_empty() {
        written.insert("tool_calls".to_owned(), calls.into());
    }
    if !citations.is_empty() {
        written.insert("citations".to_owned(), citations.into());
    }
    Ok(Some(written.into()))
}

/// `ToolCallV2`, with the unmodelled members that it arrived with.
fn tool_call(call: &ToolCall, target: Target<'_>) -> Value {
    let arguments = tool_input::text(&call.arguments);
    let mut written = json!({
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    });
    let own = call.opaque.as_deref().filter(|it| allows(Some(&it.provenance), target));
    if let (Some(own), Value::Object(written)) = (own, &mut written) {
        for (name, value) in &own.members {
            written.entry(name.as_str()).or_insert_with(|| value.clone());
        }
    }
    written
}

/// Returns the citations in Cohere's format (`Citation`), for the block at this position.
fn own_citations(citations: &[Value], at: Option<usize>) -> impl Iterator<Item = Value> {
    let is_own = |citation: &&Value| {
        citation.get("sources").is_some_and(Value::is_array)
            && citation.get("start").is_some_and(Value::is_number)
    };
    citations.iter().filter(is_own).map(move |citation| {
        let mut citation = citation.clone();
        if let (Some(index), Some(at)) = (citation.get_mut("content_index"), at) {
            *index = at.into();
        }
        citation
    })
}

fn is_plan(reasoning: &Reasoning) -> bool {
    reasoning.field.as_deref() == Some(PLAN)
}

fn text_block(text: &str) -> Value {
    object_of!("type": "text".into(), "text": text.into())
}

/// Returns the bare text if the content is one text.
fn shorthand(mut content: Vec<Value>) -> Value {
    if let [Value::Object(block)] = content.as_mut_slice() {
        if block.len() == 2 && block.get("type").is_some_and(|kind| kind == "text") {
            return block.get_mut("text").map(Value::take).unwrap_or_default();
        }
    }
    content.into()
}

/// Returns true if the request may include content with this provenance.
fn allows(provenance: Option<&Provenance>, target: Target<'_>) -> bool {
    provenance.is_some_and(|it| target.sent(it, Format::Cohere))
}

#[cfg(test)]
mod tests;
