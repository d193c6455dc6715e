//! Encodes tools and the tool choice.

use serde_json::{Map, Value, json};

use crate::chat::{ChatRequest, Function, Tool, ToolChoice};
use crate::error::Error;
use crate::wire::json::object_of;
use crate::wire::schema::{self, Subset};

/// Writes `toolConfig`. A native tool is an element of its own, such as
/// `{"systemTool": {"name": "nova_grounding"}}` or a cache point.
pub(super) fn write(request: &ChatRequest, body: &mut Map<String, Value>) -> Result<(), Error> {
    let refuse = |what: &str| Err(Error::invalid_request(what));
    let tools = request.tools.iter().map(|tool| match tool {
        Tool::Function(function) => specification(function),
        Tool::Native(value) => Ok(value.clone()),
    });
    let tools = tools.collect::<Result<Vec<_>, Error>>()?;
    let has_tools = !tools.is_empty() || request.extra.contains_key("toolConfig");
    if has_tools && request.parallel_tool_calls == Some(false) {
        return refuse(
            "the request forbids parallel tool calls, but Bedrock's Converse has no setting for that; \
             leave parallel_tool_calls unset, and answer every call",
        );
    }
    let choice = match &request.tool_choice {
        None => None,
        Some(ToolChoice::None) if has_tools => {
            return refuse(
                "the request forbids tool calls, but Bedrock's Converse has no setting for that; \
                 remove the tools, or leave tool_choice unset",
            );
        }
        Some(ToolChoice::None) => None,
        Some(ToolChoice::Auto) => Some(json!({"auto": {}})),
        Some(ToolChoice::Required) => Some(json!({"any": {}})),
        Some(ToolChoice::Function(name)) => Some(json!({"tool": {"name": name}})),
    };
    let mut config = Map::new();
    if !tools.is_empty() {
        config.insert("tools".into(), tools.into());
    }
    if let Some(choice) = choice.filter(|_| has_tools) {
        config.insert("toolChoice".into(), choice);
    }
    if !config.is_empty() {
        body.insert("toolConfig".into(), config.into());
    }
    Ok(())
}

/// `ToolSpecification`.
fn specification(function: &Function) -> Result<Value, Error> {
    let schema = schema::of_tool(function, Subset::Anthropic)?;
    let mut tool = Map::with_capacity(4);
    tool.insert("name".into(), function.name.as_str().into());
    if let Some(description) = function.description.as_deref().filter(|text| !text.is_empty()) {
        tool.insert("description".into(), description.into());
    }
    tool.insert("inputSchema".into(), object_of!("json": schema));
    if let Some(strict) = function.strict {
        tool.insert("strict".into(), strict.into());
    }
    Ok(object_of!("toolSpec": tool.into()))
}

/// Refuses a conversation with tool calls and a request without tools: "The toolConfig field must be
/// defined when using toolUse and toolResult content blocks" (BerriAI/litellm #5388).
pub(super) fn check(body: &Map<String, Value>) -> Result<(), Error> {
    if body.get("toolConfig").is_some_and(|config| !config.is_null()) {
        return Ok(());
    }
    let messages = body.get("messages").and_then(Value::as_array).into_iter().flatten();
    let mut blocks = messages.filter_map(|message| message.get("content")?.as_array()).flatten();
    if blocks.any(|block| block.get("toolUse").or_else(|| block.get("toolResult")).is_some()) {
        return Err(Error::invalid_request(
            "the conversation contains tool calls, but the request has no tools, which Bedrock \
             rejects; add the tools",
        ));
    }
    Ok(())
}
