//! Encodes tools and tool choice.

use serde_json::{Map, Value};

use crate::chat::{ChatRequest, Function, Tool, ToolChoice};
use crate::error::Error;
use crate::wire::json::object_of;
use crate::wire::schema::{self, Subset};

/// Writes `tools`, `strict_tools` and `tool_choice`.
///
/// - `strict_tools` applies to all tools, so one strict tool makes all of them strict.
/// - The choice can be `REQUIRED` or `NONE`. To make the model call one function, the request
///   offers only that one and requires a call (vercel/ai `cohere-prepare-tools.ts`).
///
/// Tools in `extra` replace these.
pub(super) fn write(request: &ChatRequest, body: &mut Map<String, Value>) -> Result<(), Error> {
    let any_tools = !request.tools.is_empty() || request.extra.contains_key("tools");
    if any_tools && request.parallel_tool_calls == Some(false) {
        return Err(Error::invalid_request(
            "the request forbids parallel tool calls, but Cohere has no setting for that; leave \
             parallel_tool_calls unset, and answer every call",
        ));
    }
    let only = match &request.tool_choice {
        Some(ToolChoice::Function(name)) => Some(name.as_str()),
        _ => None,
    };
    let is_one_of_many = |tools: &Value| tools.as_array().is_none_or(|tools| tools.len() != 1);
    if only.is_some() && request.extra.get("tools").is_some_and(is_one_of_many) {
        return Err(Error::invalid_request(
            "tool_choice names one function and extra lists several tools, but Cohere can only \
             require a call of any tool; list that one tool in extra",
        ));
    }
    let offered = |tool: &&Tool| only.is_none_or(|only| name(tool) == Some(only));
    let (mut tools, mut strict) = (Vec::new(), false);
    for tool in request.tools.iter().filter(offered) {
        tools.push(match tool {
            Tool::Function(function) => {
                strict |= function.strict == Some(true);
                written(function)?
            }
            Tool::Native(value) => value.clone(),
        });
    }
    if !tools.is_empty() {
        body.insert("tools".into(), tools.into());
    }
    if strict {
        body.insert("strict_tools".into(), true.into());
    }
    let choice = match request.tool_choice {
        Some(ToolChoice::Required | ToolChoice::Function(_)) => "REQUIRED",
        Some(ToolChoice::None) => "NONE",
        Some(ToolChoice::Auto) | None => return Ok(()),
    };
    body.insert("tool_choice".into(), choice.into());
    Ok(())
}

fn name(tool: &Tool) -> Option<&str> {
    match tool {
        Tool::Function(function) => Some(&function.name),
        Tool::Native(value) => value.pointer("/function/name").and_then(Value::as_str),
    }
}

/// `ToolV2`.
fn written(function: &Function) -> Result<Value, Error> {
    let schema = schema::of_tool(function, Subset::Cohere)?;
    let mut members = Map::with_capacity(3);
    members.insert("name".into(), function.name.as_str().into());
    if let Some(description) = &function.description {
        members.insert("description".into(), description.as_str().into());
    }
    members.insert("parameters".into(), schema);
    Ok(object_of!("type": "function".into(), "function": members.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use serde_json::json;

    fn tool(name: &str) -> Tool {
        let city = json!({"city": {"type": "string"}});
        let schema = json!({"type": "object", "properties": city, "required": ["city"]});
        Tool::function(name, "Weather in a city", schema)
    }

    fn body(request: &ChatRequest) -> Result<Value, Error> {
        let mut body = Map::new();
        write(request, &mut body)?;
        Ok(body.into())
    }

    fn sent(name: &str, closed: bool) -> Value {
        let city = json!({"city": {"type": "string"}});
        let mut schema = json!({"type": "object", "properties": city, "required": ["city"]});
        if closed {
            schema["additionalProperties"] = false.into();
        }
        json!({"type": "function", "function": {
            "name": name, "description": "Weather in a city", "parameters": schema}})
    }

    #[test]
    fn a_strict_tool_makes_all_tools_strict() {
        let request = ChatRequest::from("hi").tool(tool("a")).tool(tool("b"));
        assert_eq!(body(&request).unwrap(), json!({"tools": [sent("a", false), sent("b", false)]}));
        let request = ChatRequest::from("hi").tool(tool("a").strict(true)).tool(tool("b"));
        assert_eq!(
            body(&request).unwrap(),
            json!({"tools": [sent("a", true), sent("b", false)], "strict_tools": true})
        );
    }

    #[test]
    fn a_choice_of_one_function_offers_only_that_one() {
        let native = || Tool::Native(sent("n", false));
        let both = json!([sent("a", false), sent("n", false)]);
        for (choice, expected) in [
            (ToolChoice::Auto, json!({"tools": both})),
            (ToolChoice::None, json!({"tools": both, "tool_choice": "NONE"})),
            (ToolChoice::Required, json!({"tools": both, "tool_choice": "REQUIRED"})),
            (
                ToolChoice::Function("a".into()),
                json!({"tools": [sent("a", false)], "tool_choice": "REQUIRED"}),
            ),
            (
                ToolChoice::Function("n".into()),
                json!({"tools": [sent("n", false)], "tool_choice": "REQUIRED"}),
            ),
        ] {
            let mut request = ChatRequest::from("hi").tool(tool("a")).tool(native());
            request.tool_choice = Some(choice);
            assert_eq!(body(&request).unwrap(), expected);
        }
    }

    #[test]
    fn what_cohere_cannot_be_told_is_rejected_with_an_alternative() {
        let mut parallel = ChatRequest::from("hi").tool(tool("a"));
        parallel.parallel_tool_calls = Some(true);
        assert!(body(&parallel).is_ok());
        parallel.parallel_tool_calls = Some(false);
        let named = |tools: Value| {
            ChatRequest::from("hi")
                .extra("tools", tools)
                .tool_choice(ToolChoice::Function("a".into()))
        };
        let one = body(&named(json!([sent("a", false)]))).unwrap();
        assert_eq!(one, json!({"tool_choice": "REQUIRED"}));
        for (request, expected) in [
            (parallel, "leave parallel_tool_calls unset"),
            (named(json!([sent("a", false), sent("b", false)])), "list that one tool"),
        ] {
            let error = body(&request).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.message().contains(expected), "{error}");
        }
    }
}
