//! Encodes tool calls and their results as blocks.

use serde_json::Value;

use super::block;
use crate::chat::{Part, Role, ToolCall, ToolResult};
use crate::wire::Target;
use crate::wire::json::{object, object_of};
use crate::wire::part_name::misplaced_in_result;
use crate::wire::tool_input::{self, Ids};

/// Builds the block of a call. Other members that it came with, such as `caller`, go back with it
/// to the provider that sent them.
pub(super) fn tool_use(call: &ToolCall, target: Target<'_>) -> Result<Value, String> {
    if call.id.is_empty() || call.name.is_empty() {
        return Err(
            "holds a tool call without an id or a name; keep those that the model sent".into()
        );
    }
    let mut block = object_of!(
        "type": "tool_use".into(),
        "id": tool_input::id(&call.id, Ids::Word).into(),
        "name": call.name.as_str().into(),
        "input": tool_input::object(&call.arguments).into(),
    );
    if let (Some(opaque), Value::Object(block)) = (&call.opaque, &mut block) {
        if block::allows(Some(&opaque.provenance), target) {
            for (name, value) in &opaque.members {
                block.entry(name.as_str()).or_insert_with(|| value.clone());
            }
        }
    }
    Ok(block)
}

pub(super) fn tool_result(result: &ToolResult, target: Target<'_>) -> Result<Value, String> {
    if result.call_id.is_empty() {
        return Err(
            "holds a tool result without the id of its call; use the id of its ToolCall".into()
        );
    }
    let mut content = Vec::with_capacity(result.content.len());
    for part in &result.content {
        match part {
            Part::CachePoint(ttl) => block::mark(content.last_mut(), *ttl)?,
            Part::Text(_) | Part::Image(_) | Part::Document(_) | Part::Other { .. } => {
                content.extend(block::encode(part, Role::User, target)?);
            }
            _ => return Err(misplaced_in_result(part)),
        }
    }
    let kind = ("type", "tool_result".into());
    let id = ("tool_use_id", tool_input::id(&result.call_id, Ids::Word).into());
    let mut block = match content.is_empty() {
        true => object([kind, id]),
        false => object([kind, id, ("content", block::shorthand(content))]),
    };
    if result.is_error {
        block["is_error"] = true.into();
    }
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{CacheTtl, Format, Image, Opaque, Provenance};
    use serde_json::json;

    fn target() -> Target<'static> {
        Target::anthropic("m")
    }

    #[test]
    fn calls_go_back_with_all_their_members() {
        let mut call = ToolCall::new("t1", "f", "{\"a\": [1]}");
        let members = json!({"id": "no", "caller": {"type": "direct"}});
        let provenance = Provenance::new("anthropic", Format::Anthropic);
        let members = members.as_object().unwrap().clone();
        call.opaque = Some(Opaque::new(provenance, members).into());
        let mut foreign = call.clone();
        foreign.set_sender(&crate::Provider::new("deepseek-anthropic"));
        for (call, expected) in [
            (
                call,
                json!({"type": "tool_use", "id": "t1", "name": "f", "input": {"a": [1]},
                    "caller": {"type": "direct"}}),
            ),
            (foreign, json!({"type": "tool_use", "id": "t1", "name": "f", "input": {"a": [1]}})),
            (
                ToolCall::new("t1", "f", " "),
                json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}}),
            ),
        ] {
            assert_eq!(tool_use(&call, target()).unwrap(), expected);
        }
    }

    #[test]
    fn truncated_calls_and_foreign_ids_become_valid_input() {
        let call =
            tool_use(&ToolCall::new("functions.weather:0", "weather", "{\"city\": \"Os"), target());
        let result =
            tool_result(&ToolResult::error("functions.weather:0", "bad"), target()).unwrap();
        let call = call.unwrap();
        assert_eq!(call["input"], json!({"invalid_arguments": "{\"city\": \"Os"}));
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        assert!(call["id"].as_str().unwrap().bytes().all(is_fit));
        assert_eq!(call["id"], result["tool_use_id"]);
    }

    #[test]
    fn results_contain_a_text_or_blocks() {
        let image = || Image::from_url("https://x/y");
        for (result, expected) in [
            (
                ToolResult::new("t1", "ok"),
                json!({"type": "tool_result", "tool_use_id": "t1", "content": "ok"}),
            ),
            (
                ToolResult::error("t1", "bad"),
                json!({"type": "tool_result", "tool_use_id": "t1", "content": "bad",
                    "is_error": true}),
            ),
            (ToolResult::new("t1", ""), json!({"type": "tool_result", "tool_use_id": "t1"})),
            (
                ToolResult::new("t1", "see").with(image()).with(Part::CachePoint(CacheTtl::Short)),
                json!({"type": "tool_result", "tool_use_id": "t1", "content": [
                    {"type": "text", "text": "see"},
                    {"type": "image", "source": {"type": "url", "url": "https://x/y"},
                        "cache_control": {"type": "ephemeral"}},
                ]}),
            ),
        ] {
            let part = Part::from(result);
            assert_eq!(block::encode(&part, Role::Tool, target()).unwrap(), Some(expected.clone()));
            assert_eq!(block::encode(&part, Role::User, target()).unwrap(), Some(expected));
        }
    }
}
