//! Tools and the choice among them.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

use crate::chat::{ChatRequest, Function, Tool, ToolChoice};
use crate::error::Error;

/// Writes `tools` and `tool_choice`.
///
/// Tools given by `extra` replace these, so with them the choice is not checked
/// against the names. Allowing parallel calls means nothing without tools and is
/// then left out.
pub(super) fn write(request: &ChatRequest, body: &mut Map<String, Value>) -> Result<(), Error> {
    let mut names = BTreeSet::new();
    let mut tools = Vec::with_capacity(request.tools.len());
    for (index, tool) in request.tools.iter().enumerate() {
        let name = match tool {
            Tool::Function(function) => Some(function.name.as_str()),
            Tool::Native(value) => value.get("name").and_then(Value::as_str),
        };
        if name.is_some_and(str::is_empty) {
            return Err(Error::invalid_request(format!("tools[{index}] has an empty name")));
        }
        if let Some(name) = name {
            if !names.insert(name) {
                return Err(Error::invalid_request(format!("two tools are named {name:?}")));
            }
        }
        tools.push(match tool {
            Tool::Function(function) => definition(function)?,
            Tool::Native(value) => value.clone(),
        });
    }
    let elsewhere = request.extra.contains_key("tools");
    if let Some(choice) = &request.tool_choice {
        if tools.is_empty() && !elsewhere {
            return Err(Error::invalid_request("tool_choice is set, but there are no tools"));
        }
        if let ToolChoice::Function(name) = choice {
            if !elsewhere && !names.contains(name.as_str()) {
                return Err(Error::invalid_request(format!(
                    "tool_choice names {name:?}, but there is no such tool"
                )));
            }
        }
    }
    if let Some(choice) = tool_choice(request, !tools.is_empty() || elsewhere) {
        body.insert("tool_choice".into(), choice);
    }
    if !tools.is_empty() {
        body.insert("tools".into(), tools.into());
    }
    Ok(())
}

/// A function as Anthropic's custom tool. Its schema must say that it is an
/// object's (`tool_param.py`); `{}` and null stand for no arguments elsewhere,
/// so that is filled in.
fn definition(function: &Function) -> Result<Value, Error> {
    let mut schema = match &function.parameters {
        Value::Object(schema) => schema.clone(),
        Value::Null => Map::new(),
        _ => {
            return Err(Error::invalid_request(format!(
                "the parameters of tool {:?} are no JSON Schema object",
                function.name
            )));
        }
    };
    schema.entry("type").or_insert_with(|| "object".into());
    let mut tool = Map::new();
    tool.insert("name".into(), function.name.as_str().into());
    if let Some(description) = &function.description {
        tool.insert("description".into(), description.as_str().into());
    }
    tool.insert("input_schema".into(), schema.into());
    if let Some(strict) = function.strict {
        tool.insert("strict".into(), strict.into());
    }
    Ok(tool.into())
}

/// The choice, with `disable_parallel_tool_use` inside, which all kinds but
/// `none` take (`tool_choice_*_param.py`).
fn tool_choice(request: &ChatRequest, any_tools: bool) -> Option<Value> {
    let parallel = request.parallel_tool_calls.filter(|_| any_tools);
    let mut choice = match (&request.tool_choice, parallel) {
        (Some(ToolChoice::None), _) => return Some(json!({"type": "none"})),
        (Some(ToolChoice::Required), _) => json!({"type": "any"}),
        (Some(ToolChoice::Function(name)), _) => json!({"type": "tool", "name": name}),
        (Some(ToolChoice::Auto), _) | (None, Some(_)) => json!({"type": "auto"}),
        (None, None) => return None,
    };
    if let Some(allowed) = parallel {
        choice["disable_parallel_tool_use"] = (!allowed).into();
    }
    Some(choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weather() -> Tool {
        Tool::function("weather", "Weather in a city", json!({"type": "object"}))
    }

    fn request(tools: impl IntoIterator<Item = Tool>) -> ChatRequest {
        let mut request = ChatRequest::from("hi");
        request.tools.extend(tools);
        request
    }

    fn written(request: &ChatRequest) -> Result<Value, Error> {
        let mut body = Map::new();
        write(request, &mut body)?;
        Ok(body.into())
    }

    #[test]
    fn functions_and_native_tools_are_written() {
        let mut strict = Function {
            name: "now".into(),
            description: None,
            parameters: json!({}),
            strict: Some(true),
        };
        let native = json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 2});
        let tools = [weather(), Tool::Function(strict.clone()), Tool::Native(native.clone())];
        assert_eq!(
            written(&request(tools)).unwrap(),
            json!({"tools": [
                {
                    "name": "weather",
                    "description": "Weather in a city",
                    "input_schema": {"type": "object"},
                },
                {"name": "now", "input_schema": {"type": "object"}, "strict": true},
                native,
            ]})
        );
        strict.parameters = Value::Null;
        assert_eq!(
            written(&request([Tool::Function(strict)])).unwrap()["tools"][0]["input_schema"],
            json!({"type": "object"})
        );
        assert_eq!(written(&request([])).unwrap(), json!({}));
    }

    #[test]
    fn every_choice_is_written() {
        for (choice, parallel, expected) in [
            (None, None, Value::Null),
            (None, Some(false), json!({"type": "auto", "disable_parallel_tool_use": true})),
            (Some(ToolChoice::Auto), None, json!({"type": "auto"})),
            (
                Some(ToolChoice::Required),
                Some(true),
                json!({"type": "any", "disable_parallel_tool_use": false}),
            ),
            (Some(ToolChoice::None), Some(false), json!({"type": "none"})),
            (
                Some(ToolChoice::Function("weather".into())),
                Some(false),
                json!({"type": "tool", "name": "weather", "disable_parallel_tool_use": true}),
            ),
        ] {
            let mut request = request([weather()]);
            request.tool_choice = choice;
            request.parallel_tool_calls = parallel;
            assert_eq!(written(&request).unwrap()["tool_choice"], expected);
        }
        assert_eq!(written(&request([]).parallel_tool_calls(false)).unwrap(), json!({}));
    }

    #[test]
    fn a_choice_among_tools_from_extra_is_passed_on() {
        let request = request([])
            .tool_choice(ToolChoice::Function("theirs".into()))
            .extra("tools", json!([{"name": "theirs"}]));
        assert_eq!(
            written(&request).unwrap(),
            json!({"tool_choice": {"type": "tool", "name": "theirs"}})
        );
    }

    #[test]
    fn impossible_tools_are_refused() {
        let unnamed = || Tool::function("", "", json!({}));
        for (request, expected) in [
            (request([]).tool_choice(ToolChoice::Auto), "there are no tools"),
            (
                request([weather()]).tool_choice(ToolChoice::Function("other".into())),
                "tool_choice names \"other\"",
            ),
            (request([weather(), weather()]), "two tools are named \"weather\""),
            (
                request([weather(), Tool::Native(json!({"name": "weather"}))]),
                "two tools are named \"weather\"",
            ),
            (request([weather(), unnamed()]), "tools[1] has an empty name"),
            (
                request([Tool::function("f", "", json!([]))]),
                "the parameters of tool \"f\" are no JSON Schema object",
            ),
        ] {
            let error = written(&request).unwrap_err();
            assert!(error.message().contains(expected), "{error}");
        }
    }
}
