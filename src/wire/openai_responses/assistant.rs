//! Encodes an assistant's message as input items.

use serde_json::{Map, Value, json};

use super::item::{self, CONTENT};
use super::message::MessageEncoder;
use crate::chat::{Message, Part, Reasoning, Text, ToolCall};
use crate::wire::json::object_of;
use crate::wire::tool_input;

impl MessageEncoder<'_> {
    /// Encodes an assistant message as items, or as none if nothing is left of it.
    pub(super) fn assistant(&self, message: &Message, out: &mut Vec<Value>) -> Result<(), String> {
        let start = out.len();
        let mut open: Option<OpenMessage<'_>> = None;
        let mut lost = false;
        for part in &message.content {
            let (own, content) = match part {
                Part::Text(text) if text.text.is_empty() && text.citations.is_empty() => continue,
                Part::Text(text) => {
                    let own = self.own(text.opaque.as_deref());
                    (own, output_text(text, own))
                }
                Part::Refusal(text) => (
                    open.as_ref().and_then(|message| message.own),
                    object_of!("type": "refusal".into(), "refusal": text.as_str().into()),
                ),
                Part::Audio(audio) if audio.transcript.is_empty() => continue,
                Part::Audio(audio) => (None, output_text(&audio.transcript.as_str().into(), None)),
                part => {
                    out.extend(open.take().map(OpenMessage::into_item));
                    lost |= self.item(part, out)?;
                    continue;
                }
            };
            match &mut open {
                Some(message) if message.has(own) => message.content.push(content),
                open => {
                    let before = open.replace(OpenMessage { own, content: vec![content] });
                    out.extend(before.map(OpenMessage::into_item));
                }
            }
        }
        out.extend(open.map(OpenMessage::into_item));
        if lost {
            for item in &mut out[start..] {
                if let Value::Object(item) = item {
                    item.shift_remove("id");
                }
            }
        }
        Ok(())
    }

    /// Encodes a part that becomes an item of its own. Returns true if the part is this provider's
    /// reasoning but the server can no longer read it.
    fn item(&self, part: &Part, out: &mut Vec<Value>) -> Result<bool, String> {
        match part {
            Part::Reasoning(reasoning) => {
                if !self.owns(reasoning.provenance.as_ref()) {
                    return Ok(false);
                }
                if !self.stored && !is_readable(reasoning) {
                    return Ok(true);
                }
                out.push(item::reasoning_item(reasoning));
            }
            Part::ToolCall(call) => out.push(self.call(call)?),
            Part::Other { provenance, value } => {
                if self.owns(provenance.as_ref()) {
                    out.push(value.clone());
                }
            }
            Part::Image(image) => match image.opaque.as_deref() {
                Some(opaque) if self.owns(Some(&opaque.provenance)) => {
                    out.extend(item::image_item(image, opaque));
                }
                Some(_) => {}
                None => return Err("holds an image; put images into a user message".to_owned()),
            },
            Part::Document(_) => {
                return Err("holds a document; put documents into a user message".to_owned());
            }
            Part::ToolResult(_) => {
                return Err("holds a tool result; put it into a message of its own, with \
                            Message::tool_result"
                    .to_owned());
            }
            Part::CachePoint(_) | Part::Text(_) | Part::Refusal(_) | Part::Audio(_) => {}
        }
        Ok(false)
    }

    fn call(&self, call: &ToolCall) -> Result<Value, String> {
        if call.id.is_empty() {
            return Err(
                "holds a tool call without an id; keep the id the call came with".to_owned()
            );
        }
        let mut item = object_of!(
            "type": "function_call".into(),
            "call_id": self.call_id(&call.id).into(),
            "name": call.name.as_str().into(),
            "arguments": tool_input::text(&call.arguments).into(),
        );
        if let (Some(own), Value::Object(item)) = (self.own(call.opaque.as_deref()), &mut item) {
            for (name, value) in own {
                item.entry(name.as_str()).or_insert_with(|| value.clone());
            }
        }
        Ok(item)
    }
}

/// An assistant message under construction. Content parts that arrived in one item go back in one.
struct OpenMessage<'a> {
    /// The members of the item that the parts arrived in.
    own: Option<&'a Map<String, Value>>,
    content: Vec<Value>,
}

impl OpenMessage<'_> {
    fn has(&self, own: Option<&Map<String, Value>>) -> bool {
        let others = |members: &Map<String, Value>| -> Vec<(String, Value)> {
            let others = members.iter().filter(|(name, _)| *name != CONTENT);
            others.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        self.own.map(others) == own.map(others)
    }

    /// Returns the item. It has a `type` because llama.cpp needs one. Texts and refusals that did
    /// not arrive in an item become a plain string, which every server accepts: parts are only
    /// valid in an item with the server's `id` and `status` (`OutputMessage` beside
    /// `EasyInputMessage` in openai/openai-openapi, `openapi.yaml`).
    fn into_item(self) -> Value {
        let mut item = Map::from_iter([
            ("type".to_owned(), "message".into()),
            ("role".to_owned(), "assistant".into()),
        ]);
        let members = self.own.into_iter().flatten().filter(|(name, _)| *name != CONTENT);
        item.extend(members.map(|(name, value)| (name.clone(), value.clone())));
        let content = match self.own {
            Some(_) => self.content.into(),
            None => plain_text(&self.content).into(),
        };
        item.insert("content".to_owned(), content);
        item.into()
    }
}

/// Joins texts and refusals. Texts follow each other directly, like the pieces of an answer with
/// citations.
fn plain_text(content: &[Value]) -> String {
    let mut joined = String::new();
    let mut refused = false;
    for part in content {
        let refusal = part.get("refusal").and_then(Value::as_str);
        let text = part.get("text").and_then(Value::as_str);
        if (refusal.is_some() || refused) && !joined.is_empty() {
            joined.push_str("\n\n");
        }
        refused = refusal.is_some();
        joined.push_str(refusal.or(text).unwrap_or_default());
    }
    joined
}

/// Encodes a text of the assistant (`response_output_text_param.py`, which requires annotations).
/// Citations go back only to the provider that sent them.
fn output_text(text: &Text, own: Option<&Map<String, Value>>) -> Value {
    let mut part = json!({"type": "output_text", "text": text.text, "annotations": []});
    if let Some(own) = own {
        part["annotations"] = text.citations.clone().into();
        for (name, value) in own.get(CONTENT).and_then(Value::as_object).into_iter().flatten() {
            if part.get(name).is_none() {
                part[name.as_str()] = value.clone();
            }
        }
    }
    part
}

/// Returns true if a server that stores nothing can read the reasoning: it is encrypted, or has the
/// full text.
fn is_readable(reasoning: &Reasoning) -> bool {
    reasoning.encrypted.is_some()
        || reasoning.field.as_deref() == Some("content")
        || reasoning.extra.contains_key("content")
}
