//! The alternating turns of the user and the assistant, for formats that require them.

use serde_json::Value;

use crate::chat::{Message, Part, Role};
use crate::error::Error;
use crate::wire::json::object_of;
use crate::wire::validate;

/// The turns of a conversation, each with its content blocks.
#[derive(Default)]
pub(in crate::wire) struct Turns(Vec<Turn>);

struct Turn {
    role: &'static str,
    blocks: Vec<Value>,
}

impl Turns {
    /// Returns the last block of the last turn.
    pub(in crate::wire) fn last_block(&mut self) -> Option<&mut Value> {
        self.0.last_mut()?.blocks.last_mut()
    }

    /// Returns true if the blocks of a message with this role would extend the last turn.
    pub(in crate::wire) fn continues(&self, role: Role) -> bool {
        self.0.last().is_some_and(|turn| turn.role == word(role))
    }

    /// Adds the blocks of a message to the last turn if it has the same role, otherwise to a new
    /// one. An assistant message without blocks is left out, such as one with only another
    /// provider's reasoning; so is a user message with only cache points.
    ///
    /// # Errors
    ///
    /// If a user message has no blocks. The text follows the message's index.
    pub(in crate::wire) fn add(
        &mut self,
        message: &Message,
        blocks: Vec<Value>,
    ) -> Result<(), String> {
        let role = word(message.role);
        if blocks.is_empty() {
            let is_cache_point = |part: &Part| matches!(part, Part::CachePoint(_));
            return match role == "assistant" || message.content.iter().any(is_cache_point) {
                true => Ok(()),
                false => Err("holds nothing that can be sent; remove it".to_owned()),
            };
        }
        match self.0.last_mut() {
            Some(turn) if turn.role == role => turn.blocks.extend(blocks),
            _ => self.0.push(Turn { role, blocks }),
        }
        Ok(())
    }

    /// Returns the messages.
    ///
    /// - Tool results come first in their turn, in order, because the models want them right after
    ///   the calls. `is_result` recognises them; its second argument is true right after a result.
    /// - White space at the end of a final assistant turn is removed.
    /// - `content` encodes the blocks of a turn.
    ///
    /// # Errors
    ///
    /// If the first turn is not the user's, which the format of `vendor` requires.
    pub(in crate::wire) fn into_messages(
        mut self,
        vendor: &str,
        is_result: impl Fn(&Value, bool) -> bool,
        content: impl Fn(Vec<Value>) -> Value,
    ) -> Result<Value, Error> {
        match self.0.first() {
            None => {
                return Err(validate::no_user_message());
            }
            Some(turn) if turn.role == "assistant" => {
                return Err(Error::invalid_request(format!(
                    "the conversation starts with the assistant; {vendor} requires a user message \
                     first"
                )));
            }
            Some(_) => {}
        }
        for turn in &mut self.0 {
            let (mut results, mut after_result) = (0, false);
            for at in 0..turn.blocks.len() {
                after_result = is_result(&turn.blocks[at], after_result);
                if after_result {
                    turn.blocks[results..=at].rotate_right(1);
                    results += 1;
                }
            }
        }
        if let Some(turn) = self.0.last_mut().filter(|turn| turn.role == "assistant") {
            if let Some(last) = turn.blocks.last_mut() {
                trim_end(last);
            }
        }
        let messages = self
            .0
            .into_iter()
            .map(|turn| object_of!("role": turn.role.into(), "content": content(turn.blocks)));
        Ok(messages.collect())
    }
}

/// Tool messages count as the user's.
fn word(role: Role) -> &'static str {
    if role == Role::Assistant { "assistant" } else { "user" }
}

/// Removes the white space at the end of a text block, which has the type `text` or none.
fn trim_end(block: &mut Value) {
    if block.get("type").is_some_and(|kind| kind != "text") {
        return;
    }
    if let Some(Value::String(text)) = block.get_mut("text") {
        text.truncate(text.trim_end().len());
    }
}
