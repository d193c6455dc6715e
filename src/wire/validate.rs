//! Rejects requests that no provider would accept, with the same message for all.

use serde_json::Value;

use crate::chat::{ChatRequest, Tool, ToolChoice};
use crate::error::Error;
use crate::sorted_map::SortedMap;

/// Checks what does not depend on the provider. The encoders check what only their provider
/// rejects. Limits that differ between servers (four stop sequences, the range of the temperature)
/// are left to the server.
///
/// Tools in [`extra`](ChatRequest::extra) replace the request's own, so the tool choice is then not
/// checked against names. `extra` cannot change the model, because prices, budgets and reports
/// depend on it.
pub(super) fn validate(request: &ChatRequest, model: &str) -> Result<(), Error> {
    if request.messages.is_empty() {
        return invalid("the request has no messages; add at least one");
    }
    if request.extra.get("model").is_some_and(|other| other != model) {
        return invalid(format!(
            "extra sets a model other than {model:?}; set it with ChatRequest::model"
        ));
    }
    // JSON has no NaN and no infinity; serde_json would write null.
    for (name, value) in [("temperature", request.temperature), ("top_p", request.top_p)] {
        if let Some(value) = value.filter(|value| !value.is_finite()) {
            return invalid(format!("{name} is {value}; it must be a finite number"));
        }
    }
    // Nobody takes these: "between 0 and 2" (OpenAI's reference), "from 0.0 to 1.0" (Anthropic's).
    if let Some(value) = request.temperature.filter(|value| *value < 0.0) {
        return invalid(format!("temperature is {value}; it must be 0 or more"));
    }
    if let Some(value) = request.top_p.filter(|value| !(0.0..=1.0).contains(value)) {
        return invalid(format!("top_p is {value}; it must be between 0 and 1"));
    }
    if request.max_output_tokens == Some(0) {
        return invalid(
            "max_output_tokens is 0; set at least 1, or leave it unset for the provider's default",
        );
    }
    if request.n == Some(0) {
        return invalid("n is 0; set at least 1, or leave it unset for one choice");
    }
    if let Some(index) = request.stop.iter().position(String::is_empty) {
        return invalid(format!("stop[{index}] is empty; remove it"));
    }
    let names = names(&request.tools)?;
    let by_extra = request.extra.contains_key("tools");
    match &request.tool_choice {
        Some(_) if request.tools.is_empty() && !by_extra => {
            invalid("tool_choice is set but there are no tools; add tools or leave it unset")
        }
        Some(ToolChoice::Function(name)) if !by_extra && !names.contains_key(name.as_str()) => {
            invalid(format!(
                "tool_choice names {name:?}, which is not among the tools; add it or name another"
            ))
        }
        _ => Ok(()),
    }
}

/// Returns the tools' names with their indexes. Tools in a provider's own format may have none.
fn names(tools: &[Tool]) -> Result<SortedMap<&str, usize>, Error> {
    let mut names = SortedMap::new();
    for (index, tool) in tools.iter().enumerate() {
        let name = match tool {
            Tool::Function(function) => Some(function.name.as_str()),
            // Anthropic's format, then OpenAI's two.
            Tool::Native(value) => ["/name", "/function/name", "/custom/name"]
                .into_iter()
                .find_map(|place| value.pointer(place).and_then(Value::as_str)),
        };
        let Some(name) = name else { continue };
        if name.is_empty() {
            return invalid(format!("tools[{index}] has no name; give it one"));
        }
        if let (Tool::Function(_), Some(odd)) = (tool, name.chars().find(|odd| !is_of_name(*odd))) {
            return invalid(format!(
                "tools[{index}] is named {name:?}, but names hold letters, digits, \"_\" and \"-\" \
                 only; leave out {odd:?}"
            ));
        }
        if let Some(other) = names.insert(name, index) {
            return invalid(format!(
                "tools[{other}] and tools[{index}] are both named {name:?}; give every tool a \
                 unique name"
            ));
        }
    }
    Ok(names)
}

/// Returns true if a tool's name may have this character. OpenAI and Anthropic allow fewer ("must
/// match pattern '^[a-zA-Z0-9_-]+$'"); Gemini also allows dots and colons.
fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_-.:".contains(character)
}

/// The error for a conversation without a user message, where a format needs one.
pub(in crate::wire) fn no_user_message() -> Error {
    Error::invalid_request("the request has no user message; add one")
}

fn invalid<T>(message: impl Into<String>) -> Result<T, Error> {
    Err(Error::invalid_request(message))
}

#[cfg(test)]
mod tests {
    use crate::chat::{ChatRequest, Message, Tool, ToolChoice};
    use crate::error::ErrorKind;
    use crate::wire::Target;
    use crate::wire::{Delivery, Wire};
    use serde_json::{Value, json};

    const WIRES: [Wire; 8] = [
        Wire::OpenAiChat,
        Wire::OpenAiResponses,
        Wire::Anthropic,
        Wire::Bedrock,
        Wire::Cohere,
        Wire::Gemini,
        Wire::Ollama,
        Wire::OpenAiCompletions,
    ];

    fn hi() -> ChatRequest {
        ChatRequest::from("the secret prompt")
    }

    fn tool(name: &str) -> Tool {
        Tool::function(name, "", json!({}))
    }

    #[test]
    fn invalid_requests_get_the_same_error_in_every_format() {
        let native = |name: Value| Tool::Native(json!({"type": "x", "name": name}));
        let custom = || Tool::Native(json!({"type": "custom", "custom": {"name": "f"}}));
        for (request, expected) in [
            (ChatRequest::new(Vec::<Message>::new()), "the request has no messages"),
            (hi().temperature(f64::NAN), "temperature is NaN; it must be a finite number"),
            (hi().top_p(f64::INFINITY), "top_p is inf; it must be a finite number"),
            (hi().max_output_tokens(0), "max_output_tokens is 0; set at least 1"),
            (hi().temperature(-0.5), "temperature is -0.5; it must be 0 or more"),
            (hi().top_p(1.5), "top_p is 1.5; it must be between 0 and 1"),
            (hi().top_p(-1.0), "top_p is -1; it must be between 0 and 1"),
            (
                hi().tool(Tool::function("get weather", "d", json!({}))),
                "tools[0] is named \"get weather\", but",
            ),
            (hi().n(0), "n is 0; set at least 1"),
            (hi().stop("END").stop(""), "stop[1] is empty"),
            (hi().extra("model", "dear"), "a model other than \"some-model\"; set it with"),
            (hi().extra("model", Value::Null), "a model other than \"some-model\"; set it with"),
            (hi().tool(tool("f")).tool(tool("")), "tools[1] has no name"),
            (hi().tool(native(json!(""))), "tools[0] has no name"),
            (hi().tool(tool("f")).tool(tool("f")), "are both named \"f\""),
            (hi().tool(tool("f")).tool(native(json!("f"))), "are both named \"f\""),
            (hi().tool(tool("f")).tool(custom()), "are both named \"f\""),
            (
                hi().tool(Tool::function("f", "", json!("x"))),
                "tool \"f\" are a string, not a JSON Schema",
            ),
            (hi().tool_choice(ToolChoice::None), "tool_choice is set but there are no tools"),
            (
                hi().tool(tool("f")).tool_choice(ToolChoice::Function("g".into())),
                "tool_choice names \"g\", which is not among the tools",
            ),
        ] {
            let about_tools = !request.tools.is_empty() || request.tool_choice.is_some();
            for wire in WIRES {
                if about_tools && wire == Wire::OpenAiCompletions {
                    continue; // Text completions take no tools at all.
                }
                let error = wire
                    .members(&request, Target::openai("some-model"), Delivery::Whole)
                    .unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidRequest);
                assert!(error.message().contains(expected), "{wire:?} {expected}: {error}");
                assert!(!error.message().contains("secret"));
            }
        }
    }

    #[test]
    fn extra_may_repeat_the_model() {
        for wire in WIRES {
            let body = wire
                .members(&hi().extra("model", "m"), Target::openai("m"), Delivery::Whole)
                .unwrap();
            // These have the model in their path.
            let in_path = matches!(wire, Wire::Bedrock | Wire::Gemini);
            let expected = (!in_path).then(|| json!("m"));
            assert_eq!(body.get("model"), expected.as_ref(), "{wire:?}");
        }
    }

    #[test]
    fn native_tools_without_a_name_and_tools_in_extra_pass() {
        let nameless = || Tool::Native(json!({"type": "x"}));
        let theirs = ToolChoice::Function("theirs".into());
        for request in [
            hi().tool(nameless()).tool(nameless()).tool_choice(ToolChoice::Required),
            hi().tool_choice(theirs).extra("tools", json!([{"name": "theirs"}])),
        ] {
            // Ollama cannot force a call.
            let others = [Wire::OpenAiCompletions, Wire::Ollama];
            for wire in WIRES.into_iter().filter(|wire| !others.contains(wire)) {
                let body = wire.members(&request, Target::openai("some-model"), Delivery::Whole);
                assert!(body.is_ok(), "{wire:?}: {body:?}");
            }
        }
    }
}
