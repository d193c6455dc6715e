//! Encodes the `tools`, `tool_choice` and `parallel_tool_calls` members.

use serde_json::{Map, Value, json};

use super::dialect::Dialect;
use crate::chat::{ChatRequest, Function, Tool, ToolChoice};
use crate::error::Error;
use crate::wire::json::object_of;
use crate::wire::schema::{self, Subset};

/// Builds the `tools` member; `None` without tools.
pub(super) fn encode(request: &ChatRequest, dialect: &Dialect) -> Result<Option<Value>, Error> {
    if request.tools.is_empty() {
        return Ok(None);
    }
    let tools = request.tools.iter().map(|tool| match tool {
        Tool::Native(value) => Ok(value.clone()),
        Tool::Function(function) => encode_function(function, dialect),
    });
    tools.collect::<Result<Value, Error>>().map(Some)
}

/// Returns the subset of JSON Schema for strict schemas.
pub(in crate::wire) fn subset(dialect: &Dialect) -> Subset {
    if dialect.schema_subset { Subset::OpenAi } else { Subset::Any }
}

fn encode_function(function: &Function, dialect: &Dialect) -> Result<Value, Error> {
    let parameters = schema::of_tool(function, subset(dialect))?;
    let mut member = Map::with_capacity(4);
    member.insert("name".to_owned(), function.name.as_str().into());
    if let Some(description) = &function.description {
        member.insert("description".to_owned(), description.as_str().into());
    }
    member.insert("parameters".to_owned(), parameters);
    if let Some(strict) = function.strict.filter(|_| dialect.strict_tools) {
        member.insert("strict".to_owned(), strict.into());
    }
    Ok(object_of!("type": "function".into(), "function": member.into()))
}

/// Builds the `tool_choice` member.
pub(super) fn encode_choice(request: &ChatRequest) -> Option<Value> {
    Some(match request.tool_choice.as_ref()? {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Function(name) => json!({"type": "function", "function": {"name": name}}),
    })
}

/// Builds the `parallel_tool_calls` member, which is "only allowed when 'tools' are specified"
/// (openai/swarm #30). Tools in [`extra`](ChatRequest::extra) count. See
/// [`Dialect::parallel_tool_calls`] for servers that do not support it.
pub(in crate::wire) fn encode_parallel(
    request: &ChatRequest,
    dialect: &Dialect,
) -> Result<Option<Value>, Error> {
    if request.tools.is_empty()
        && request.parallel_tool_calls.is_some()
        && !request.extra.contains_key("tools")
    {
        return Err(Error::invalid_request(
            "parallel_tool_calls is set but there are no tools; add tools or leave it unset",
        ));
    }
    match request.parallel_tool_calls {
        Some(true) if !dialect.parallel_tool_calls => Ok(None),
        Some(false) if !dialect.parallel_tool_calls => Err(Error::invalid_request(
            "the request forbids parallel tool calls, which this provider does not support; leave \
             parallel_tool_calls unset, and expect several calls in an answer",
        )),
        allowed => Ok(allowed.map(Value::from)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str) -> Tool {
        Tool::function(name, "d", json!({"type": "object"}))
    }

    fn bare(parameters: Value, strict: Option<bool>) -> Tool {
        Tool::Function(Function { name: "g".into(), description: None, parameters, strict })
    }

    #[test]
    fn tools_are_written() {
        let native = json!({"type": "custom", "custom": {"name": "shell"}});
        let request = ChatRequest::from("Hi")
            .tool(function("f"))
            .tool(bare(Value::Null, Some(true)))
            .tool(Tool::Native(native.clone()));
        assert_eq!(
            encode(&request, &Dialect::OPENAI).unwrap(),
            Some(json!([
                {"type": "function", "function": {
                    "name": "f", "description": "d",
                    "parameters": {"type": "object", "properties": {}},
                }},
                {"type": "function", "function": {"name": "g", "parameters": {
                    "type": "object", "properties": {}, "required": [],
                    "additionalProperties": false,
                }, "strict": true}},
                native,
            ]))
        );
        assert_eq!(encode(&"Hi".into(), &Dialect::OPENAI).unwrap(), None);
    }

    #[test]
    fn choices_are_written() {
        let native = Tool::Native(json!({"type": "function", "function": {"name": "n"}}));
        let request = ChatRequest::from("Hi").tool(function("f")).tool(native);
        for (choice, expected) in [
            (ToolChoice::Auto, json!("auto")),
            (ToolChoice::None, json!("none")),
            (ToolChoice::Required, json!("required")),
            (
                ToolChoice::Function("f".into()),
                json!({"type": "function", "function": {"name": "f"}}),
            ),
            (
                ToolChoice::Function("n".into()),
                json!({"type": "function", "function": {"name": "n"}}),
            ),
        ] {
            assert_eq!(encode_choice(&request.clone().tool_choice(choice)), Some(expected));
        }
        let extra = ChatRequest::from("Hi").extra("tools", json!([])).tool_choice(ToolChoice::Auto);
        assert_eq!(encode_choice(&extra), Some(json!("auto")));
    }
}
