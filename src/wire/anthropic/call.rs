//! Tool calls and their results as blocks.

use serde_json::{Map, Value, json};

use super::block;
use crate::chat::{Part, Role, ToolCall, ToolResult};

/// The block of a call. Members it came with beside these, such as `caller`, go
/// back with it.
pub(super) fn tool_use(call: &ToolCall) -> Result<Value, String> {
    if call.id.is_empty() || call.name.is_empty() {
        return Err("holds a tool call without an id or a name".into());
    }
    check_id(&call.id)?;
    let arguments = call.arguments.trim();
    let input = if arguments.is_empty() { "{}" } else { arguments };
    let Ok(Value::Object(input)) = serde_json::from_str(input) else {
        return Err(format!(
            "holds the call {:?} of tool {:?} with arguments that are no JSON object",
            call.id, call.name
        ));
    };
    let mut block = Map::new();
    block.insert("type".into(), "tool_use".into());
    block.insert("id".into(), call.id.as_str().into());
    block.insert("name".into(), call.name.as_str().into());
    block.insert("input".into(), input.into());
    for (name, value) in &call.extra {
        block.entry(name.as_str()).or_insert_with(|| value.clone());
    }
    Ok(block.into())
}

pub(super) fn tool_result(result: &ToolResult) -> Result<Value, String> {
    if result.call_id.is_empty() {
        return Err("holds a tool result without the id of its call".into());
    }
    check_id(&result.call_id)?;
    let mut content = Vec::with_capacity(result.content.len());
    for part in &result.content {
        match part {
            Part::CachePoint(ttl) => block::mark(content.last_mut(), *ttl)?,
            Part::Text(_) | Part::Image(_) | Part::Document(_) | Part::Other { .. } => {
                content.extend(block::encode(part, Role::User)?);
            }
            _ => return Err(format!("holds a tool result with {} in it", block::noun(part))),
        }
    }
    let mut block = json!({"type": "tool_result", "tool_use_id": result.call_id});
    if !content.is_empty() {
        block["content"] = block::shorthand(content);
    }
    if result.is_error {
        block["is_error"] = true.into();
    }
    Ok(block)
}

/// "String should match pattern '^[a-zA-Z0-9_-]+$'" (RooCodeInc/Roo-Code #10649).
/// Ids of other providers may not, Moonshot's `functions.name:0` for one. They are
/// refused and not rewritten: what else the caller keeps by the id would come apart.
fn check_id(id: &str) -> Result<(), String> {
    let fits = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if fits {
        return Ok(());
    }
    Err(format!(
        "holds the tool call id {id:?}, but Anthropic takes only letters, digits, `_` and `-`; \
         give the call and its result another id"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{CacheTtl, Image};

    #[test]
    fn calls_go_back_with_all_they_came_with() {
        let mut call = ToolCall::new("t1", "f", "{\"a\": [1]}");
        call.extra = [("id", json!("no")), ("caller", json!({"type": "direct"}))]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        for (call, expected) in [
            (
                call,
                json!({"type": "tool_use", "id": "t1", "name": "f", "input": {"a": [1]},
                    "caller": {"type": "direct"}}),
            ),
            (
                ToolCall::new("t1", "f", " "),
                json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}}),
            ),
        ] {
            assert_eq!(tool_use(&call).unwrap(), expected);
        }
    }

    #[test]
    fn ids_that_anthropic_refuses_are_named() {
        for id in ["functions.weather:0", "a b", "é", "a\n"] {
            for error in [
                tool_use(&ToolCall::new(id, "f", "{}")).unwrap_err(),
                tool_result(&ToolResult::new(id, "secret")).unwrap_err(),
            ] {
                assert!(error.contains(&format!("{id:?}")) && !error.contains("secret"), "{error}");
            }
        }
        assert!(tool_use(&ToolCall::new("toolu_01-Ab", "f", "{}")).is_ok());
    }

    #[test]
    fn results_hold_a_text_or_blocks() {
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
            assert_eq!(block::encode(&part, Role::Tool).unwrap(), Some(expected.clone()));
            assert_eq!(block::encode(&part, Role::User).unwrap(), Some(expected));
        }
    }
}
