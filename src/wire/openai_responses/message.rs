//! Encodes the messages of the system, the user and tools as input items.

use serde_json::{Map, Value};
use std::borrow::Cow;

use super::content;
use crate::chat::{Format, Message, Opaque, Part, Provenance, Role, ToolResult};
use crate::wire::Target;
use crate::wire::json::{member, object_of};
use crate::wire::openai_chat::{CallIds, instruction_role};
use crate::wire::tool_input::{self, Ids};

/// The maximum length of a call's id, in bytes. OpenAI rejects a longer `input[].call_id`: "string
/// too long. Expected a string with maximum length 64" (decolua/9router #393).
pub(super) const LONGEST_ID: usize = 64;

/// Encodes one message for a target.
pub(super) struct MessageEncoder<'a> {
    pub(super) role: Role,
    pub(super) target: Target<'a>,
    /// True if the server stores this response and stored the earlier ones.
    pub(super) stored: bool,
}

impl MessageEncoder<'_> {
    pub(super) fn owns(&self, provenance: Option<&Provenance>) -> bool {
        provenance.is_some_and(|it| self.target.sent(it, Format::OpenAiResponses))
    }

    /// Returns the members to send back, if the target is the provider that sent them.
    pub(super) fn own<'o>(&self, opaque: Option<&'o Opaque>) -> Option<&'o Map<String, Value>> {
        let own = opaque.filter(|it| self.owns(Some(&it.provenance)));
        own.filter(|_| self.target.dialect.unknown_members).map(|opaque| &opaque.members)
    }

    pub(super) fn call_id<'i>(&self, id: &'i str) -> Cow<'i, str> {
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

    pub(super) fn instructions(
        &self,
        message: &Message,
        out: &mut Vec<Value>,
    ) -> Result<(), String> {
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
    pub(super) fn user(&self, message: &Message, out: &mut Vec<Value>) -> Result<(), String> {
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

    pub(super) fn tool(&self, message: &Message, out: &mut Vec<Value>) -> Result<(), String> {
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
}

/// Returns true if a native value is a content part rather than an item.
fn is_content(value: &Value) -> bool {
    value["type"].as_str().is_some_and(|kind| kind.starts_with("input_"))
}

pub(super) fn is_output(item: &Value) -> bool {
    item["type"].as_str().is_some_and(|kind| kind.ends_with("_output"))
}
