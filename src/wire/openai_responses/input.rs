//! Encodes messages as `instructions` and input items.

use serde_json::Value;

use super::message::{MessageEncoder, is_output};
use crate::chat::{ChatRequest, Part, Role};
use crate::error::Error;
use crate::wire::Target;

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

#[cfg(test)]
mod tests;
