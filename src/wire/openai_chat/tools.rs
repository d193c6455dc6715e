//! Encodes the `tools`, `tool_choice` and `parallel_tool_calls` members.

use serde_json::{Map, Value, json};

use crate::chat::{ChatRequest, Function, Tool, ToolChoice};
use crate::error::Error;

/// The `tools` member; none where there are none.
pub(super) fn encode(request: &ChatRequest) -> Option<Value> {
    let tools: Vec<_> = request
        .tools
        .iter()
        .map(|tool| match tool {
            Tool::Native(value) => value.clone(),
            Tool::Function(function) => encode_function(function),
        })
        .collect();
    (!tools.is_empty()).then_some(Value::Array(tools))
}

/// OpenAI takes a function without `parameters` as one without arguments, so
/// null is left out.
fn encode_function(function: &Function) -> Value {
    let mut member = Map::new();
    member.insert("name".to_owned(), function.name.as_str().into());
    if let Some(description) = &function.description {
        member.insert("description".to_owned(), description.as_str().into());
    }
    if !function.parameters.is_null() {
        member.insert("parameters".to_owned(), function.parameters.clone());
    }
    if let Some(strict) = function.strict {
        member.insert("strict".to_owned(), strict.into());
    }
    json!({"type": "function", "function": member})
}

/// The `tool_choice` member.
pub(super) fn encode_choice(request: &ChatRequest) -> Option<Value> {
    Some(match request.tool_choice.as_ref()? {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Function(name) => json!({"type": "function", "function": {"name": name}}),
    })
}

/// The `parallel_tool_calls` member, which is "only allowed when 'tools' are
/// specified" (openai/swarm #30). Tools given by [`extra`](ChatRequest::extra)
/// count.
pub(super) fn encode_parallel(request: &ChatRequest) -> Result<Option<Value>, Error> {
    if request.tools.is_empty()
        && request.parallel_tool_calls.is_some()
        && !request.extra.contains_key("tools")
    {
        return Err(Error::invalid_request(
            "parallel_tool_calls is set but there are no tools; add tools or leave it unset",
        ));
    }
    Ok(request.parallel_tool_calls.map(Value::from))
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
            encode(&request),
            Some(json!([
                {"type": "function", "function": {
                    "name": "f", "description": "d", "parameters": {"type": "object"},
                }},
                {"type": "function", "function": {"name": "g", "strict": true}},
                native,
            ]))
        );
        assert_eq!(encode(&"Hi".into()), None);
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
