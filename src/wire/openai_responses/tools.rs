//! Encodes the `tools` and `tool_choice` members.

use serde_json::{Map, Value};

use crate::chat::{ChatRequest, Function, Tool, ToolChoice};
use crate::error::Error;
use crate::wire::json::object_of;
use crate::wire::openai_chat::{Dialect, subset};
use crate::wire::schema;

/// Encodes the `tools` member; `None` if the request has no tools. Tools that the provider runs,
/// such as `{"type": "web_search"}`, are [`Tool::Native`].
pub(super) fn encode(request: &ChatRequest, dialect: &Dialect) -> Result<Option<Value>, Error> {
    let tools = request.tools.iter().map(|tool| match tool {
        Tool::Native(value) => Ok(value.clone()),
        Tool::Function(function) => definition(function, dialect),
    });
    let tools = tools.collect::<Result<Vec<_>, Error>>()?;
    Ok((!tools.is_empty()).then_some(Value::Array(tools)))
}

/// Encodes a function (`function_tool_param.py`). Unlike in Chat Completions, its members are not
/// in an object of their own. Without `strict`, OpenAI makes a schema strict if it can (its guide
/// "Migrate to the Responses API", "Functions are strict by default").
fn definition(function: &Function, dialect: &Dialect) -> Result<Value, Error> {
    let parameters = schema::of_tool(function, subset(dialect))?;
    let mut tool = Map::with_capacity(5);
    tool.insert("type".to_owned(), "function".into());
    tool.insert("name".to_owned(), function.name.as_str().into());
    if let Some(description) = &function.description {
        tool.insert("description".to_owned(), description.as_str().into());
    }
    tool.insert("parameters".to_owned(), parameters);
    if let Some(strict) = function.strict.filter(|_| dialect.strict_tools) {
        tool.insert("strict".to_owned(), strict.into());
    }
    Ok(tool.into())
}

/// Encodes the `tool_choice` member. The choice of a named tool includes the tool's type
/// (`tool_choice_function_param.py`, `tool_choice_custom_param.py`).
pub(super) fn choice(request: &ChatRequest) -> Option<Value> {
    Some(match request.tool_choice.as_ref()? {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Function(name) => {
            let native = request.tools.iter().find_map(|tool| match tool {
                Tool::Native(tool) if tool.get("name").is_some_and(|it| it == name.as_str()) => {
                    tool.get("type").cloned()
                }
                _ => None,
            });
            object_of!(
                "type": native.unwrap_or_else(|| "function".into()),
                "name": name.as_str().into(),
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn function(strict: Option<bool>) -> Tool {
        let parameters = json!({"type": "object"});
        Tool::Function(Function {
            name: "f".into(),
            description: Some("d".into()),
            parameters,
            strict,
        })
    }

    #[test]
    fn tools_are_written() {
        let search = json!({"type": "web_search"});
        let request =
            ChatRequest::from("Hi").tool(function(None)).tool(Tool::Native(search.clone()));
        assert_eq!(
            encode(&request, &Dialect::OPENAI).unwrap(),
            Some(json!([
                {"type": "function", "name": "f", "description": "d",
                    "parameters": {"type": "object", "properties": {}}},
                search,
            ]))
        );
        let strict = encode(&ChatRequest::from("Hi").tool(function(Some(true))), &Dialect::OPENAI);
        assert_eq!(
            strict.unwrap().unwrap()[0],
            json!({"type": "function", "name": "f", "description": "d", "parameters":
                {"type": "object", "properties": {}, "required": [], "additionalProperties": false},
                "strict": true})
        );
        assert_eq!(encode(&"Hi".into(), &Dialect::OPENAI).unwrap(), None);
    }

    #[test]
    fn choices_are_written() {
        let custom = Tool::Native(json!({"type": "custom", "name": "shell"}));
        let request = ChatRequest::from("Hi").tool(function(None)).tool(custom);
        for (choice, expected) in [
            (ToolChoice::Auto, json!("auto")),
            (ToolChoice::None, json!("none")),
            (ToolChoice::Required, json!("required")),
            (ToolChoice::Function("f".into()), json!({"type": "function", "name": "f"})),
            (ToolChoice::Function("shell".into()), json!({"type": "custom", "name": "shell"})),
        ] {
            assert_eq!(super::choice(&request.clone().tool_choice(choice)), Some(expected));
        }
    }
}
