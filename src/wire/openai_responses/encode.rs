//! Encodes the body of a request.

use serde_json::{Map, Value, json};

use super::{input, tools};
use crate::chat::{ChatRequest, ResponseFormat};
use crate::error::Error;
use crate::wire::openai_chat::{
    Dialect, ReasoningControl, encode_parallel, is_newer, response_format,
};
use crate::wire::{Delivery, Target, json, tool_turns, validate};

/// What the server is to send so that reasoning can go back without being stored
/// (`response_includable.py`).
const ENCRYPTED: &str = "reasoning.encrypted_content";

/// Writes the body (`response_create_params.py`).
///
/// OpenAI stores every response by default. This sends `store: false`, and asks for encrypted
/// reasoning instead. A caller that wants stored
/// responses sets `store` in [`extra`](ChatRequest::extra), beside `previous_response_id`.
///
/// With `background` the server answers at once that the response is queued, so only a stream,
/// which lasts until the response is there, may ask for it.
///
/// # Errors
///
/// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for what Responses cannot express: stop
/// texts, a seed, several choices, and log probabilities as
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
    // As many as most requests have.
    let mut body = Map::with_capacity(8);
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    set("model", Some(model.into()));
    set("instructions", input.instructions.map(Value::from));
    set("input", Some(input.items.into()));
    set("tools", tools::encode(request, dialect)?);
    set("tool_choice", tools::choice(request));
    set("parallel_tool_calls", encode_parallel(request, dialect)?);
    set("text", text(request, dialect)?);
    set("max_output_tokens", request.max_output_tokens.map(Value::from));
    set("temperature", request.temperature.map(Value::from));
    set("top_p", request.top_p.map(Value::from));
    if let Some(effort) = request.reasoning_effort {
        if dialect.reasoning_control == ReasoningControl::Unsupported {
            return Err(Error::invalid_request(format!(
                "the request asks for the reasoning effort \"{}\", but this provider has no \
                 control of reasoning; leave it out, or choose another model",
                effort.as_str()
            )));
        }
        set("reasoning", Some(json!({"effort": effort.as_str()})));
    }
    set("store", Some(false.into()));
    set("include", reasons(model).then(|| json!([ENCRYPTED])));
    delivery.write(request, &mut body)?;
    json::merge(&mut body, &request.extra);
    Ok(body)
}

/// Whether to ask for encrypted reasoning: of OpenAI's models that reason, as vercel/ai does
/// (`openai-responses-language-model.ts`), and of xAI's, which send it only if asked (docs.x.ai,
/// "Reasoning").
fn reasons(model: &str) -> bool {
    is_newer(model) || model.rsplit('/').next().unwrap_or(model).starts_with("grok-")
}

fn check_supported(request: &ChatRequest, delivery: Delivery) -> Result<(), Error> {
    let refused = if !request.stop.is_empty() {
        "the request has stop texts, which Responses do not have; end the text where one occurs \
         yourself, or use Chat Completions"
    } else if request.seed.is_some() {
        "the request has a seed, which Responses do not have; leave it out, or use Chat Completions"
    } else if request.logprobs.is_some() {
        "the request asks for log probabilities, which are only read of Chat Completions; leave \
         them unset, or use Chat Completions"
    } else if request.n.is_some_and(|choices| choices > 1) {
        "the request asks for several choices, and Responses give one; leave n unset, and make \
         several calls"
    } else if delivery == Delivery::Whole
        && request.extra.get("background").is_some_and(|it| it == true)
    {
        "the request asks for a response in the background, which is not there yet when the call \
         returns; call stream(), which waits for it, or send it by RawRequest and poll it"
    } else {
        return Ok(());
    };
    Err(Error::invalid_request(refused))
}

/// The `text` member (`response_text_config_param.py`). The schema is not in an object of its own,
/// as in Chat Completions.
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
