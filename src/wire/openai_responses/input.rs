//! Encodes messages as `instructions` and input items.

use serde_json::{Map, Value, json};
use std::borrow::Cow;

use super::content;
use super::item::{self, CONTENT};
use crate::chat::{
    ChatRequest, Format, Message, Opaque, Part, Provenance, Reasoning, Role, Text, ToolCall,
    ToolResult,
};
use crate::error::Error;
use crate::wire::Target;
use crate::wire::json::{member, object_of};
use crate::wire::openai_chat::{CallIds, instruction_role};
use crate::wire::tool_input::{self, Ids};

/// The maximum length of a call's id, in bytes. OpenAI rejects a longer `input[].call_id`: "string
/// too long. Expected a string with maximum length 64" (decolua/9router #393).
const LONGEST_ID: usize = 64;

/// An encoded conversation.
pub(super) struct Input {
    pub(super) instructions: Option<String>,
    pub(super) items: Vec<Value>,
}

/// Encodes a conversation.
///
/// - If the first message is a system message with a single text, it becomes `instructions`, unless
///   the caller sets these in `extra`. Other system messages get the role `developer` or `system`.
/// - Calls, results and reasoning become items of their own.
/// - The provider that sent an item gets it back unchanged: encrypted reasoning, the ids and phases
///   of messages, and the items of the provider's tools.
/// - Reasoning that the server cannot read is dropped, together with the ids of the items after it.
///   Without `store`, OpenAI keeps no items ("Items are not persisted when `store` is set to false",
///   vercel/ai #7543), and it rejects an item "provided without its required 'reasoning' item"
///   (cline/cline #12242). vercel/ai drops such reasoning too.
/// - If an answer was cut off after its reasoning, the reasoning is dropped: it "was provided
///   without its required following item" (continuedev/continue #8933).
/// - Speakers' names are dropped, because messages have none in this format.
pub(super) fn encode(request: &ChatRequest, target: Target<'_>) -> Result<Input, Error> {
    let mut input = Input { instructions: None, items: Vec::new() };
    let stored = request.extra.get("store").is_some_and(|store| store == true);
    for (index, message) in request.messages.iter().enumerate() {
        let encoder = MessageEncoder { role: message.role, target, stored };
        let result = match message.role {
            Role::System => match &*message.content {
                [Part::Text(text)] if index == 0 && !request.extra.contains_key("instructions") => {
                    input.instructions = Some(text.text.clone());
                    Ok(())
                }
                _ => encoder.instructions(message, &mut input.items),
            },
            Role::User => encoder.user(message, &mut input.items),
            Role::Assistant => encoder.assistant(message, &mut input.items),
            Role::Tool => encoder.tool(message, &mut input.items),
        };
        result.map_err(|what| {
            let role = match message.role {
                Role::System => "a system",
                Role::User => "a user",
                Role::Assistant => "an assistant",
                Role::Tool => "a tool",
            };
            Error::invalid_request(format!("messages[{index}], {role} message, {what}"))
        })?;
    }
    drop_trailing_reasoning(&mut input.items);
    let elsewhere = ["previous_response_id", "conversation", "prompt", "input"];
    if input.items.is_empty() && !elsewhere.iter().any(|name| request.extra.contains_key(*name)) {
        return Err(Error::invalid_request(
            "the request holds only instructions; add a user message",
        ));
    }
    Ok(input)
}

/// Removes reasoning that is not followed by another item of the assistant.
fn drop_trailing_reasoning(items: &mut Vec<Value>) {
    let mut followed = false;
    for at in (0..items.len()).rev() {
        let item = &items[at];
        if item["type"] != "reasoning" {
            followed = !is_output(item) && item.get("role").is_none_or(|role| role == "assistant");
        } else if !followed {
            items.remove(at);
        }
    }
}

/// Encodes one message for a target.
struct MessageEncoder<'a> {
    role: Role,
    target: Target<'a>,
    /// True if the server stores this response and stored the earlier ones.
    stored: bool,
}

impl MessageEncoder<'_> {
    fn owns(&self, provenance: Option<&Provenance>) -> bool {
        provenance.is_some_and(|it| self.target.sent(it, Format::OpenAiResponses))
    }

    /// Returns the members to send back, if the target is the provider that sent them.
    fn own<'o>(&self, opaque: Option<&'o Opaque>) -> Option<&'o Map<String, Value>> {
        let own = opaque.filter(|it| self.owns(Some(&it.provenance)));
        own.filter(|_| self.target.dialect.unknown_members).map(|opaque| &opaque.members)
    }

    fn call_id<'i>(&self, id: &'i str) -> Cow<'i, str> {
        match self.target.dialect.call_ids {
            CallIds::UpTo40 => tool_input::id(id, Ids::UpTo40),
            CallIds::Nine => tool_input::id(id, Ids::Nine),
            CallIds::Any if id.len() > LONGEST_ID => tool_input::id(id, Ids::UpTo40),
            CallIds::Any => Cow::Borrowed(id),
        }
    }

    /// Builds a message. A single text becomes a plain string.
    fn message(&self, role: &str, mut content: Vec<Value>) -> Result<Value, String> {
        let content = match content.as_mut_slice() {
            [] => return Err("has no content; give it some or leave it out".to_owned()),
            [Value::Object(only)]
                if only.len() == 2 && member(only, "type").is_some_and(|it| it == "input_text") =>
            {
                only.get_mut("text").map(Value::take).unwrap_or_default()
            }
            _ => Value::Array(content),
        };
        Ok(object_of!("role": role.into(), "content": content))
    }

    fn instructions(&self, message: &Message, out: &mut Vec<Value>) -> Result<(), String> {
        let role = instruction_role(self.target);
        let mut content = Vec::new();
        for part in &message.content {
            content.extend(content::encode(part, self.role, self.target)?);
        }
        out.push(self.message(role, content)?);
        Ok(())
    }

    /// Encodes a user message. Tool results and other native items, such as the approval of an MCP
    /// call, become items before the message.
    fn user(&self, message: &Message, out: &mut Vec<Value>) -> Result<(), String> {
        let (mut content, before) = (Vec::new(), out.len());
        for part in &message.content {
            match part {
                Part::ToolResult(result) => self.result(result, out)?,
                part => {
                    if let Some(part) = content::encode(part, self.role, self.target)? {
                        match is_content(&part) {
                            true => content.push(part),
                            false => out.push(part),
                        }
                    }
                }
            }
        }
        if !content.is_empty() || out.len() == before {
            out.push(self.message("user", content)?);
        }
        Ok(())
    }

    fn tool(&self, message: &Message, out: &mut Vec<Value>) -> Result<(), String> {
        let before = out.len();
        for part in &message.content {
            match part {
                Part::ToolResult(result) => self.result(result, out)?,
                Part::Reasoning(_) | Part::CachePoint(_) => {}
                Part::Other { provenance, value } => {
                    if self.owns(provenance.as_ref()) {
                        out.push(value.clone());
                    }
                }
                _ => {
                    return Err(
                        "holds something beside tool results; put it into the result's own \
                                content or into a user message"
                            .to_owned(),
                    );
                }
            }
        }
        match out.len() == before {
            true => Err("holds no tool result; use Message::tool_result".to_owned()),
            false => Ok(()),
        }
    }

    /// Inserts a tool result (`FunctionCallOutput` in `response_input_item_param.py`) directly after
    /// the calls of its turn, because DeepSeek rejects other items in between ("No tool output found
    /// for tool call", recorded). The format cannot mark a result as failed; its text has to say so.
    fn result(&self, result: &ToolResult, out: &mut Vec<Value>) -> Result<(), String> {
        if result.call_id.is_empty() {
            return Err("holds a tool result without a call id; give the id of the ToolCall it \
                        answers"
                .to_owned());
        }
        let mut content = Vec::new();
        for part in &result.content {
            match part {
                Part::Text(_)
                | Part::Image(_)
                | Part::Document(_)
                | Part::Reasoning(_)
                | Part::CachePoint(_)
                | Part::Other { .. } => {
                    content.extend(content::encode(part, Role::Tool, self.target)?);
                }
                _ => {
                    return Err(
                        "holds a tool result with more than text, images and files, which \
                                the Responses API does not accept; leave it out, or describe it in text"
                            .to_owned(),
                    );
                }
            }
        }
        let output = match content.as_mut_slice() {
            [] => "".into(),
            [Value::Object(only)] if only.len() == 2 && only.contains_key("text") => {
                only.get_mut("text").map(Value::take).unwrap_or_default()
            }
            _ => Value::Array(content),
        };
        let id = self.call_id(&result.call_id);
        let is_call = |item: &&Value| item["call_id"] == *id && !is_output(item);
        let is_custom =
            out.iter().rev().find(is_call).is_some_and(|it| it["type"] == "custom_tool_call");
        let kind = if is_custom { "custom_tool_call_output" } else { "function_call_output" };
        let item = object_of!("type": kind.into(), "call_id": (&*id).into(), "output": output);
        let call = out.iter().rposition(|item| is_call(&item));
        // Messages of other roles go after the result.
        let is_other = |item: &Value| item.get("role").is_some_and(|role| role != "assistant");
        let behind = call
            .and_then(|call| out[call..].iter().position(is_other).map(|message| call + message));
        out.insert(behind.unwrap_or(out.len()), item);
        Ok(())
    }

    /// Encodes an assistant message as items, or as none if nothing is left of it.
    fn assistant(&self, message: &Message, out: &mut Vec<Value>) -> Result<(), String> {
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

/// Returns true if a native value is a content part rather than an item.
fn is_content(value: &Value) -> bool {
    value["type"].as_str().is_some_and(|kind| kind.starts_with("input_"))
}

fn is_output(item: &Value) -> bool {
    item["type"].as_str().is_some_and(|kind| kind.ends_with("_output"))
}

#[cfg(test)]
mod tests;
