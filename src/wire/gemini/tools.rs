//! Encodes tools and tool choice.

use serde_json::{Map, Value, json};

use super::Service;
use crate::chat::{ChatRequest, Function, Tool, ToolChoice};
use crate::error::Error;
use crate::wire::Target;
use crate::wire::schema::{self, Subset};

/// Writes `tools` and `toolConfig`.
///
/// All functions share one element. Each of Google's tools has its own, such as
/// `{"googleSearch": {}}`. A request with both needs `includeServerSideToolInvocations`, which only
/// Gemini 3 and later accept (ai.google.dev/gemini-api/docs/tool-combination), and only the Gemini
/// API has.
///
/// Tools in `extra` replace these.
pub(super) fn write(
    request: &ChatRequest,
    target: Target<'_>,
    service: &Service,
    body: &mut Map<String, Value>,
) -> Result<(), Error> {
    let (mut functions, mut tools, mut strict) = (Vec::new(), Vec::new(), false);
    for tool in &request.tools {
        match tool {
            Tool::Function(function) => {
                strict |= function.strict == Some(true);
                functions.push(declaration(function)?);
            }
            Tool::Native(value) => tools.push(value.clone()),
        }
    }
    let combines = !functions.is_empty() && !tools.is_empty();
    if !functions.is_empty() {
        tools.insert(0, json!({"functionDeclarations": functions}));
    }
    let any_tools = !tools.is_empty() || request.extra.contains_key("tools");
    if any_tools && request.parallel_tool_calls == Some(false) {
        return Err(Error::invalid_request(
            "the request forbids parallel tool calls, but Gemini has no setting for that; leave \
             parallel_tool_calls unset, and answer every call",
        ));
    }
    let mut config = Map::new();
    if let Some(calling) = calling(request.tool_choice.as_ref(), strict) {
        config.insert("functionCallingConfig".into(), calling);
    }
    if combines && service.tool_invocations && target.traits.gemini_3 == Some(true) {
        config.insert("includeServerSideToolInvocations".into(), true.into());
    }
    if !tools.is_empty() {
        body.insert("tools".into(), tools.into());
    }
    if !config.is_empty() {
        body.insert("toolConfig".into(), config.into());
    }
    Ok(())
}

/// `FunctionDeclaration`, with the arguments as JSON Schema.
fn declaration(function: &Function) -> Result<Value, Error> {
    let schema = schema::of_tool(function, Subset::Gemini)?;
    let mut declaration = Map::with_capacity(3);
    declaration.insert("name".into(), function.name.as_str().into());
    if let Some(description) = &function.description {
        declaration.insert("description".into(), description.as_str().into());
    }
    declaration.insert("parametersJsonSchema".into(), schema);
    Ok(declaration.into())
}

/// Returns `FunctionCallingConfig`. Arguments follow their schemas in the modes `ANY` and
/// `VALIDATED`; `VALIDATED` also allows an answer in text (`FunctionCallingConfigMode`). The mode
/// applies to all functions, so one strict function makes all of them strict.
fn calling(choice: Option<&ToolChoice>, strict: bool) -> Option<Value> {
    Some(match choice {
        Some(ToolChoice::None) => json!({"mode": "NONE"}),
        Some(ToolChoice::Required) => json!({"mode": "ANY"}),
        Some(ToolChoice::Function(name)) => {
            json!({"mode": "ANY", "allowedFunctionNames": [name]})
        }
        Some(ToolChoice::Auto) | None if strict => json!({"mode": "VALIDATED"}),
        Some(ToolChoice::Auto) => json!({"mode": "AUTO"}),
        None => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn weather() -> Tool {
        Tool::function("weather", "Weather in a city", json!({"type": "object"}))
    }

    fn written(request: &ChatRequest, model: &str) -> Result<Value, Error> {
        let mut body = Map::new();
        write(request, Target::gemini(model), &Service::GEMINI, &mut body)?;
        Ok(body.into())
    }

    #[test]
    fn functions_share_one_element_and_each_of_googles_tools_has_its_own() {
        let declaration = json!({"name": "weather", "description": "Weather in a city",
            "parametersJsonSchema": {"type": "object", "properties": {}}});
        let search = || Tool::Native(json!({"googleSearch": {}}));
        let request = ChatRequest::from("hi").tool(weather());
        assert_eq!(
            written(&request, "gemini-2.5-flash").unwrap(),
            json!({"tools": [{"functionDeclarations": [declaration]}]})
        );
        let request = ChatRequest::from("hi").tool(search()).tool(weather());
        let tools = json!([{"functionDeclarations": [declaration]}, {"googleSearch": {}}]);
        assert_eq!(written(&request, "gemini-2.5-flash").unwrap(), json!({"tools": tools}));
        assert_eq!(
            written(&request, "gemini-3.5-flash").unwrap(),
            json!({"tools": tools, "toolConfig": {"includeServerSideToolInvocations": true}})
        );
    }

    #[test]
    fn the_tool_choice_decides_the_mode() {
        let mode = |mode: &str| json!({"mode": mode});
        for (choice, strict, expected) in [
            (None, false, Value::Null),
            (None, true, mode("VALIDATED")),
            (Some(ToolChoice::Auto), false, mode("AUTO")),
            (Some(ToolChoice::Auto), true, mode("VALIDATED")),
            (Some(ToolChoice::None), true, mode("NONE")),
            (Some(ToolChoice::Required), true, mode("ANY")),
            (
                Some(ToolChoice::Function("weather".into())),
                false,
                json!({"mode": "ANY", "allowedFunctionNames": ["weather"]}),
            ),
        ] {
            let mut request = ChatRequest::from("hi").tool(weather().strict(strict));
            request.tool_choice = choice;
            let body = written(&request, "gemini-2.5-flash").unwrap();
            let calling = body.pointer("/toolConfig/functionCallingConfig");
            assert_eq!(calling.cloned().unwrap_or_default(), expected);
        }
    }

    #[test]
    fn forbidding_parallel_calls_is_rejected() {
        let mut request = ChatRequest::from("hi").tool(weather());
        request.parallel_tool_calls = Some(true);
        assert!(written(&request, "gemini-2.5-flash").is_ok());
        request.parallel_tool_calls = Some(false);
        let error = written(&request, "gemini-2.5-flash").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains("leave parallel_tool_calls unset"), "{error}");
    }
}
