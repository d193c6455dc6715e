use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

use crate::chat::{ChatRequest, Function, Tool, ToolChoice};
use crate::error::Error;

/// The `tools` member; none where there are none.
pub(super) fn encode(request: &ChatRequest) -> Result<Option<Value>, Error> {
    let mut names = BTreeSet::new();
    let mut tools = Vec::new();
    for (index, tool) in request.tools.iter().enumerate() {
        tools.push(match tool {
            Tool::Native(value) => value.clone(),
            Tool::Function(function) => {
                if function.name.is_empty() {
                    return Err(Error::invalid_request(format!(
                        "tools[{index}] has no name; give every function one"
                    )));
                }
                if !names.insert(function.name.as_str()) {
                    return Err(Error::invalid_request(format!(
                        "two tools are named {:?}; give every function a name of its own",
                        function.name
                    )));
                }
                encode_function(function)?
            }
        });
    }
    Ok((!tools.is_empty()).then_some(Value::Array(tools)))
}

/// OpenAI takes a function without `parameters` as one without arguments, so
/// null is left out.
fn encode_function(function: &Function) -> Result<Value, Error> {
    let mut member = Map::new();
    member.insert("name".to_owned(), function.name.as_str().into());
    if let Some(description) = &function.description {
        member.insert("description".to_owned(), description.as_str().into());
    }
    if function.parameters.is_object() {
        member.insert("parameters".to_owned(), function.parameters.clone());
    } else if !function.parameters.is_null() {
        return Err(Error::invalid_request(format!(
            "the parameters of tool {:?} are not a JSON object; give the JSON Schema of its arguments",
            function.name
        )));
    }
    if let Some(strict) = function.strict {
        member.insert("strict".to_owned(), strict.into());
    }
    Ok(json!({"type": "function", "function": member}))
}

/// The `tool_choice` member. OpenAI refuses it without tools, and
/// `parallel_tool_calls` too ("only allowed when 'tools' are specified",
/// openai/swarm #30). Tools given by [`extra`](ChatRequest::extra) count, but are
/// not looked into.
pub(super) fn encode_choice(request: &ChatRequest) -> Result<Option<Value>, Error> {
    let by_extra = request.extra.contains_key("tools");
    if request.tools.is_empty() && !by_extra {
        for (name, given) in [
            ("tool_choice", request.tool_choice.is_some()),
            ("parallel_tool_calls", request.parallel_tool_calls.is_some()),
        ] {
            if given {
                return Err(Error::invalid_request(format!(
                    "{name} is set but there are no tools; add tools or leave it unset"
                )));
            }
        }
    }
    Ok(match &request.tool_choice {
        None => None,
        Some(ToolChoice::Auto) => Some("auto".into()),
        Some(ToolChoice::None) => Some("none".into()),
        Some(ToolChoice::Required) => Some("required".into()),
        Some(ToolChoice::Function(name)) => {
            if !by_extra && !request.tools.iter().any(|tool| function_name(tool) == Some(name)) {
                return Err(Error::invalid_request(format!(
                    "tool_choice names the function {name:?}, which is not among the tools"
                )));
            }
            Some(json!({"type": "function", "function": {"name": name}}))
        }
    })
}

fn function_name(tool: &Tool) -> Option<&str> {
    match tool {
        Tool::Function(function) => Some(&function.name),
        Tool::Native(value) => value.pointer("/function/name").and_then(Value::as_str),
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
            encode(&request).unwrap(),
            Some(json!([
                {"type": "function", "function": {
                    "name": "f", "description": "d", "parameters": {"type": "object"},
                }},
                {"type": "function", "function": {"name": "g", "strict": true}},
                native,
            ]))
        );
        assert_eq!(encode(&"Hi".into()).unwrap(), None);
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
            assert_eq!(
                encode_choice(&request.clone().tool_choice(choice)).unwrap(),
                Some(expected)
            );
        }
        let extra = ChatRequest::from("Hi").extra("tools", json!([])).tool_choice(ToolChoice::Auto);
        assert_eq!(encode_choice(&extra).unwrap(), Some(json!("auto")));
    }

    #[test]
    fn what_is_wrong_with_tools_is_said() {
        let hi = || ChatRequest::from("Hi");
        for (request, expected) in [
            (hi().tool(function("")), "tools[0] has no name"),
            (hi().tool(function("f")).tool(function("f")), "two tools are named \"f\""),
            (hi().tool(bare(json!("x"), None)), "not a JSON object"),
            (hi().tool_choice(ToolChoice::None), "tool_choice is set but there are no tools"),
            (hi().parallel_tool_calls(true), "parallel_tool_calls is set but"),
            (
                hi().tool(function("f")).tool_choice(ToolChoice::Function("g".into())),
                "names the function \"g\"",
            ),
        ] {
            let error = encode(&request).and_then(|_| encode_choice(&request)).unwrap_err();
            assert!(error.message().contains(expected), "{expected}: {}", error.message());
        }
    }
}
