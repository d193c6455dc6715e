//! Encodes a request's body.

use serde_json::{Map, Value, json};

use super::{messages, thinking};
use crate::chat::{ChatRequest, Function, ResponseFormat, Tool, ToolChoice};
use crate::error::Error;
use crate::wire::schema::{self, Subset};
use crate::wire::{Delivery, Target, json, tool_turns, validate};

/// Encodes the body.
///
/// Sampling settings and the output limit go into `options`. Members of `extra` are merged into
/// the body, so `extra("options", json!({"num_ctx": 32768}))` adds a setting, and
/// `extra("keep_alive", "30m")` a member.
///
/// If a prompt is longer than the context window, Ollama drops the oldest messages without an
/// error, unless `truncate` is false (`truncate` of `ChatRequest`). On machines with little memory
/// the window is 4,096 tokens, whatever the model supports (docs/context-length.mdx), unless
/// `options.num_ctx` is set. Only the caller sets either.
///
/// Fields that are documented as optional for providers are left out: the speaker's name, an
/// image's detail, cache points, a tool's `strict`. Anything else that the format cannot express is
/// an error that names it.
pub(super) fn encode(
    request: &ChatRequest,
    target: Target<'_>,
    delivery: Delivery,
) -> Result<Map<String, Value>, Error> {
    validate::validate(request, target.model)?;
    tool_turns::check(&request.messages)?;
    // Most requests have no more members.
    let mut body = Map::with_capacity(6);
    body.insert("model".into(), target.model.into());
    body.insert("messages".into(), messages::encode(&request.messages, target)?.into());
    tools(request, &mut body)?;
    if let Some(format) = &request.response_format {
        response_format(format, &mut body)?;
    }
    if let Some(effort) = request.reasoning_effort {
        body.insert("think".into(), thinking::think(effort, target)?);
    }
    if let Some(alternatives) = request.logprobs {
        body.insert("logprobs".into(), true.into());
        if alternatives > 0 {
            body.insert("top_logprobs".into(), alternatives.into());
        }
    }
    let options = options(request)?;
    if !options.is_empty() {
        body.insert("options".into(), options.into());
    }
    // A stream is the default.
    if delivery == Delivery::Whole {
        body.insert("stream".into(), false.into());
    }
    json::merge(&mut body, &request.extra);
    delivery.write(request, &mut body)?;
    Ok(body)
}

/// `Options` in `api/types.go`.
fn options(request: &ChatRequest) -> Result<Map<String, Value>, Error> {
    let mut options = Map::new();
    for (name, value) in [("temperature", request.temperature), ("top_p", request.top_p)] {
        if let Some(value) = value {
            options.insert(name.into(), value.into());
        }
    }
    if let Some(tokens) = request.max_output_tokens {
        options.insert("num_predict".into(), tokens.into());
    }
    if !request.stop.is_empty() {
        options.insert("stop".into(), request.stop.clone().into());
    }
    if let Some(seed) = request.seed {
        options.insert("seed".into(), seed.into());
    }
    if let Some(choices) = request.n.filter(|choices| *choices > 1) {
        return Err(Error::invalid_request(format!(
            "n is {choices}, but Ollama answers a request once; leave n unset, and send the \
             request {choices} times"
        )));
    }
    Ok(options)
}

/// Writes `tools`.
///
/// The format has no tool choice: the model decides. [`ToolChoice::None`] leaves the tools out, so
/// the model cannot call any. Ollama does not enforce the schema of arguments, so `strict` is
/// left out. Tools of other kinds are sent unchanged.
fn tools(request: &ChatRequest, body: &mut Map<String, Value>) -> Result<(), Error> {
    let any_tools = !request.tools.is_empty() || request.extra.contains_key("tools");
    if any_tools && request.parallel_tool_calls == Some(false) {
        return Err(Error::invalid_request(
            "the request forbids parallel tool calls, but Ollama has no setting for that; leave \
             parallel_tool_calls unset, and answer every call",
        ));
    }
    match &request.tool_choice {
        Some(ToolChoice::None) => return Ok(()),
        None | Some(ToolChoice::Auto) => {}
        Some(ToolChoice::Required | ToolChoice::Function(_)) => {
            return Err(Error::invalid_request(
                "the request forces a tool call, but Ollama has no tool choice; leave tool_choice \
                 unset and ask for the call in the prompt, or set a response format with the \
                 schema of the arguments",
            ));
        }
    }
    let tools = request.tools.iter().map(|tool| match tool {
        Tool::Function(function) => declaration(function),
        Tool::Native(value) => Ok(value.clone()),
    });
    let tools: Vec<_> = tools.collect::<Result<_, _>>()?;
    if !tools.is_empty() {
        body.insert("tools".into(), tools.into());
    }
    Ok(())
}

/// `Tool` in `api/types.go`.
fn declaration(function: &Function) -> Result<Value, Error> {
    // Without `strict`, nothing restricts the schema to a subset.
    let schema = schema::of_tool(&Function { strict: None, ..function.clone() }, Subset::Any)?;
    let mut declared = Map::with_capacity(3);
    declared.insert("name".into(), function.name.as_str().into());
    if let Some(description) = &function.description {
        declared.insert("description".into(), description.as_str().into());
    }
    declared.insert("parameters".into(), schema);
    Ok(json!({"type": "function", "function": declared}))
}

/// Writes `format`: `"json"`, or a schema, which Ollama compiles into a grammar
/// (docs/capabilities/structured-outputs.mdx). The format has no member for the schema's name. The
/// description goes into the schema.
fn response_format(format: &ResponseFormat, body: &mut Map<String, Value>) -> Result<(), Error> {
    let format = match format {
        ResponseFormat::Text => return Ok(()),
        ResponseFormat::JsonObject => "json".into(),
        ResponseFormat::JsonSchema(format) => {
            let is_strict = format.strict == Some(true);
            let mut schema = schema::of_answer(format, is_strict, Subset::Any)?;
            if let (Some(description), Value::Object(schema)) = (&format.description, &mut schema) {
                schema.entry("description").or_insert_with(|| json!(description));
            }
            schema
        }
    };
    body.insert("format".into(), format);
    Ok(())
}

#[cfg(test)]
mod tests;
