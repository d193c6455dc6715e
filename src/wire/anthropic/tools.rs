//! Encodes tools and the tool choice.

use serde_json::{Map, Value, json};

use crate::chat::{ChatRequest, Function, Tool, ToolChoice};
use crate::error::Error;
use crate::wire::schema::{self, Subset};

/// Writes `tools` and `tool_choice`.
///
/// Tools in `extra` replace these. Without tools, a permission for parallel calls means nothing and
/// is left out.
pub(super) fn write(request: &ChatRequest, body: &mut Map<String, Value>) -> Result<(), Error> {
    let tools = request.tools.iter().map(|tool| match tool {
        Tool::Function(function) => definition(function),
        Tool::Native(value) => Ok(value.clone()),
    });
    let tools = tools.collect::<Result<Vec<_>, Error>>()?;
    let any_tools = !tools.is_empty() || request.extra.contains_key("tools");
    if let Some(choice) = tool_choice(request, any_tools) {
        body.insert("tool_choice".into(), choice);
    }
    if !tools.is_empty() {
        body.insert("tools".into(), tools.into());
    }
    Ok(())
}

/// Builds a function as Anthropic's custom tool (`tool_param.py`).
fn definition(function: &Function) -> Result<Value, Error> {
    let schema = schema::of_tool(function, Subset::Anthropic)?;
    let mut tool = Map::with_capacity(4);
    tool.insert("name".into(), function.name.as_str().into());
    if let Some(description) = &function.description {
        tool.insert("description".into(), description.as_str().into());
    }
    tool.insert("input_schema".into(), schema);
    if let Some(strict) = function.strict {
        tool.insert("strict".into(), strict.into());
    }
    Ok(tool.into())
}

/// Builds the choice with `disable_parallel_tool_use`, which all kinds but `none` accept
/// (`tool_choice_*_param.py`).
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

    fn written(request: &ChatRequest) -> Value {
        let mut body = Map::new();
        write(request, &mut body).unwrap();
        body.into()
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
            written(&request(tools)),
            json!({"tools": [
                {
                    "name": "weather",
                    "description": "Weather in a city",
                    "input_schema": {"type": "object", "properties": {}},
                },
                {"name": "now", "input_schema": {"type": "object", "properties": {},
                    "required": [], "additionalProperties": false}, "strict": true},
                native,
            ]})
        );
        strict.parameters = Value::Null;
        assert_eq!(
            written(&request([Tool::Function(strict)]))["tools"][0]["input_schema"],
            json!({"type": "object", "properties": {}, "required": [],
                "additionalProperties": false})
        );
        assert_eq!(written(&request([])), json!({}));
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
            assert_eq!(written(&request)["tool_choice"], expected);
        }
        assert_eq!(written(&request([]).parallel_tool_calls(false)), json!({}));
    }

    #[test]
    fn a_choice_among_tools_in_extra_is_sent() {
        let request = request([])
            .tool_choice(ToolChoice::Function("theirs".into()))
            .extra("tools", json!([{"name": "theirs"}]));
        assert_eq!(written(&request), json!({"tool_choice": {"type": "tool", "name": "theirs"}}));
    }
}
