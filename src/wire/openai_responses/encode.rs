//! Encodes the body of a request.

use serde_json::{Map, Value, json};

use super::{input, tools};
use crate::chat::{ChatRequest, ResponseFormat};
use crate::error::Error;
use crate::wire::json::set;
use crate::wire::openai_chat::{Dialect, ReasoningControl, encode_parallel, response_format};
use crate::wire::{Delivery, Target, json, tool_turns, validate};

/// Asks for encrypted reasoning, which can be sent back even if the server stores nothing
/// (`response_includable.py`).
const ENCRYPTED: &str = "reasoning.encrypted_content";

/// Encodes the body (`response_create_params.py`).
///
/// OpenAI stores every response by default. This sends `store: false` and asks for encrypted
/// reasoning instead. To use stored responses, callers set `store` and `previous_response_id` in
/// [`extra`](ChatRequest::extra).
///
/// With `background`, the server immediately answers that the response is queued. Only a stream
/// waits for the response, so only a stream may set it.
///
/// # Errors
///
/// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for what the Responses API cannot express:
/// stop sequences, a seed, several choices, and log probabilities as
/// [`ChatResponse::logprobs`](crate::ChatResponse::logprobs) returns them.
pub(in crate::wire) fn encode(
    request: &ChatRequest,
    target: Target<'_>,
    delivery: Delivery,
) -> Result<Map<String, Value>, Error> {
    let Target { model, dialect, .. } = target;
    validate::validate(request, model)?;
    tool_turns::check(&request.messages)?;
    check_supported(request, delivery)?;
    let input = input::encode(request, target)?;
    // Enough for most requests.
    let mut body = Map::with_capacity(8);
    set(&mut body, "model", Some(model));
    set(&mut body, "instructions", input.instructions);
    set(&mut body, "input", Some(input.items));
    set(&mut body, "tools", tools::encode(request, dialect)?);
    set(&mut body, "tool_choice", tools::choice(request));
    set(&mut body, "parallel_tool_calls", encode_parallel(request, dialect)?);
    set(&mut body, "text", text(request, dialect)?);
    set(&mut body, "max_output_tokens", request.max_output_tokens);
    set(&mut body, "temperature", request.temperature);
    set(&mut body, "top_p", request.top_p);
    if let Some(effort) = request.reasoning_effort {
        if dialect.reasoning_control == ReasoningControl::Unsupported {
            return Err(Error::invalid_request(format!(
                "the request sets the reasoning effort \"{}\", but this provider has no control \
                 over reasoning; leave it unset, or choose another model",
                effort.as_str()
            )));
        }
        set(&mut body, "reasoning", Some(json!({"effort": effort.as_str()})));
    }
    set(&mut body, "store", Some(false));
    set(&mut body, "include", target.traits.encrypted_reasoning.then(|| json!([ENCRYPTED])));
    delivery.write(request, &mut body)?;
    json::merge(&mut body, &request.extra);
    Ok(body)
}

fn check_supported(request: &ChatRequest, delivery: Delivery) -> Result<(), Error> {
    let refused = if !request.stop.is_empty() {
        "the request sets stop sequences, which the Responses API does not support; remove them \
         and cut the text yourself, or use Chat Completions"
    } else if request.seed.is_some() {
        "the request sets a seed, which the Responses API does not support; leave it unset, or \
         use Chat Completions"
    } else if request.logprobs.is_some() {
        "the request asks for log probabilities, which are only supported in Chat Completions; \
         leave logprobs unset, or use Chat Completions"
    } else if request.n.is_some_and(|choices| choices > 1) {
        "the request asks for several choices, but the Responses API returns one; leave n unset, \
         and make several calls"
    } else if delivery == Delivery::Whole
        && request.extra.get("background").is_some_and(|it| it == true)
    {
        "the request sets background, so chat() would return before the response is complete; \
         call stream(), which waits for it, or send a RawRequest and poll the response"
    } else {
        return Ok(());
    };
    Err(Error::invalid_request(refused))
}

/// Encodes the `text` member (`response_text_config_param.py`). Unlike in Chat Completions, the
/// schema's members are not in an object of their own.
fn text(request: &ChatRequest, dialect: &Dialect) -> Result<Option<Value>, Error> {
    let Some(mut format) = response_format(request, dialect)? else { return Ok(None) };
    if let Some(ResponseFormat::JsonSchema(_)) = request.response_format {
        if let Some(Value::Object(schema)) = format.get_mut("json_schema").map(Value::take) {
            let mut flat = Map::from_iter([("type".to_owned(), "json_schema".into())]);
            flat.extend(schema);
            format = flat.into();
        }
    }
    Ok(Some(json!({"format": format})))
}

#[cfg(test)]
mod tests;
