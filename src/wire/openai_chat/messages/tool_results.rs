//! Encodes tool results.

use serde_json::{Value, json};

use super::{Place, content};
use crate::chat::{Message, Part, ToolResult};
use crate::error::Error;
use crate::wire::json::{member, object_of};

/// Encodes a message of tool results; each becomes a message of its own.
pub(super) fn encode(
    place: &Place<'_>,
    message: &Message,
    out: &mut Vec<Value>,
) -> Result<(), Error> {
    let before = out.len();
    for part in &message.content {
        match part {
            Part::ToolResult(result) => {
                add(place, result, message.name.as_deref(), out)?;
            }
            Part::CachePoint(ttl) => {
                if let Some(content) = out.last_mut().and_then(|result| result.get_mut("content")) {
                    if place.dialect.cache_points && content.is_string() {
                        *content = json!([{"type": "text", "text": content.take()}]);
                    }
                    place.mark(content.as_array_mut().and_then(|all| all.last_mut()), *ttl);
                }
            }
            Part::Reasoning(_) => {}
            Part::Other { provenance, .. } if !place.allows(provenance) => {}
            _ => {
                return Err(place.invalid(
                    "holds something beside tool results; put it into a result's content or into \
                     a user message",
                ));
            }
        }
    }
    if out.len() == before {
        return Err(place.invalid("holds no tool result; use Message::tool_result"));
    }
    Ok(())
}

/// Adds a result as a message of its own.
///
/// Its content is sent unchanged, even for a failure: the format has no flag for failures,
/// and vercel/ai (`packages/openai/src/chat/`) sends only the text too. Only text is accepted
/// (`ChatCompletionToolMessageParam` in openai-python).
pub(super) fn add(
    place: &Place<'_>,
    result: &ToolResult,
    name: Option<&str>,
    out: &mut Vec<Value>,
) -> Result<(), Error> {
    if result.call_id.is_empty() {
        return Err(
            place.invalid("holds a tool result without a call id; use the id of its ToolCall")
        );
    }
    let mut blocks = Vec::new();
    for part in &result.content {
        match part {
            Part::CachePoint(ttl) => place.mark(blocks.last_mut(), *ttl),
            Part::Text(_) | Part::Reasoning(_) | Part::Other { .. } => {
                blocks.extend(place.block(part)?);
            }
            _ => {
                return Err(place.invalid(
                    "holds a tool result with more than text, which Chat Completions does not \
                     support; put images and documents into a user message after the results",
                ));
            }
        }
    }
    let content = if blocks.is_empty() { "".into() } else { content(blocks) };
    let mut encoded = object_of!(
        "role": "tool".into(),
        "tool_call_id": place.call_id(&result.call_id).into(),
        "content": content,
    );
    if let Some(name) = name {
        encoded["name"] = name.into();
    }
    insert_after_call(out, encoded);
    Ok(())
}

/// Inserts a result right after its call and earlier results, where OpenAI wants it, whatever was
/// said in between.
fn insert_after_call(out: &mut Vec<Value>, result: Value) {
    let id = part_of(&result, "tool_call_id");
    let has_call = |message: &Value| {
        let calls = part_of(message, "tool_calls").and_then(Value::as_array);
        calls.is_some_and(|calls| calls.iter().any(|call| part_of(call, "id") == id))
    };
    let place = out.iter().rposition(has_call).map_or(out.len(), |call| {
        let results = out[call + 1..]
            .iter()
            .take_while(|message| part_of(message, "role").is_some_and(|role| role == "tool"));
        call + 1 + results.count()
    });
    out.insert(place, result);
}

fn part_of<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    member(value.as_object()?, name)
}
