use serde_json::{Value, json};

use super::{Envelope, finish_reason};
use crate::chat::{FinishReason, Message, Part, Reasoning, Role, ToolCall};
use crate::provider::bounded::{Content, Detail};
use crate::provider::object::{Object, members};
use crate::provider::{Decoded, Failure, MAX_PARTS, Provider, json as wire};

#[derive(Default)]
struct Choice {
    message: Object<Answer>,
    finish_reason: Detail,
    /// OpenRouter's, where the upstream failed in the middle of the answer.
    error: Detail,
}

members!(Choice {
    "message" => message,
    "finish_reason" => finish_reason,
    "error" => error,
});

#[derive(Default)]
struct Answer {
    content: Content,
    refusal: Detail,
    /// DeepSeek's, also xAI's, Z.AI's and older vLLM's.
    reasoning_content: Detail,
    /// OpenRouter's, Groq's, and newer vLLM's.
    reasoning: Detail,
    tool_calls: Content,
    /// What `tool_calls` replaced; answers to `functions` still have it.
    function_call: Content,
    /// The sources a search found.
    annotations: Detail,
    /// The answer of an audio model.
    audio: Content,
}

members!(Answer {
    "content" => content,
    "refusal" => refusal,
    "reasoning_content" => reasoning_content,
    "reasoning" => reasoning,
    "tool_calls" => tool_calls,
    "function_call" => function_call,
    "annotations" => annotations,
    "audio" => audio,
});

/// Reads a chat completion: the first choice, with reasoning first, then the
/// content, a refusal, and the tool calls.
///
/// A refusal with `stop`, as OpenAI sends it, is
/// [`Refusal`](FinishReason::Refusal). Tool calls with `stop` or no reason, as
/// some servers send them, are [`ToolCalls`](FinishReason::ToolCalls).
pub(in crate::provider) fn decode(body: &[u8]) -> Result<Decoded, Failure> {
    let (envelope, choice) = Envelope::read::<Choice>(body)?;
    if choice.error.value.is_object() {
        return Err(Failure::inside(&choice.error.value));
    }
    let raw = wire::text(choice.finish_reason.value);
    let Object(answer) = choice.message;
    let content = answer.parts(body)?;
    let calls = content.iter().any(|part| match part {
        Part::ToolCall(_) => true,
        Part::Other { value, .. } => is_custom_call(value),
        _ => false,
    });
    let refused = content.iter().any(|part| matches!(part, Part::Refusal(_)));
    let finish_reason = match finish_reason(raw.as_deref()) {
        FinishReason::Stop if calls => FinishReason::ToolCalls,
        FinishReason::Other if calls && raw.is_none() => FinishReason::ToolCalls,
        FinishReason::Stop if refused => FinishReason::Refusal,
        reason => reason,
    };
    Ok(Decoded {
        message: Message { role: Role::Assistant, content, name: None },
        finish_reason,
        finish_reason_raw: raw,
        usage: envelope.usage,
        model: envelope.model.unwrap_or_default(),
        service_tier: envelope.service_tier,
        id: envelope.id,
    })
}

impl Answer {
    /// The parts; `body` is what calls without an id are named after.
    fn parts(self, body: &[u8]) -> Result<Vec<Part>, Failure> {
        let mut parts = Vec::new();
        let named = [("reasoning_content", self.reasoning_content), ("reasoning", self.reasoning)];
        parts.extend(named.into_iter().find_map(|(field, value)| {
            let field = Some(field.to_owned());
            Some(Part::Reasoning(Reasoning { field, ..thought(wire::text(value.value)?) }))
        }));
        match bounded(self.content)? {
            Value::String(text) if !text.is_empty() => parts.push(Part::text(text)),
            Value::Array(blocks) => parts.extend(blocks.into_iter().filter_map(block)),
            _ => {}
        }
        cite(&mut parts, self.annotations.value);
        parts.extend(wire::text(self.refusal.value).map(Part::Refusal));
        if let audio @ Value::Object(_) = bounded(self.audio)? {
            parts.push(other(json!({"type": "audio", "audio": audio})));
        }
        let calls = match bounded(self.tool_calls)? {
            Value::Array(calls) => calls,
            _ => Vec::new(),
        };
        let function_call = bounded(self.function_call)?;
        if calls.is_empty() && function_call.is_object() {
            parts.push(Part::ToolCall(call(0, None, &function_call, body)));
        }
        parts.extend(calls.into_iter().enumerate().filter_map(|(index, value)| {
            match value.get("function") {
                Some(function) => {
                    Some(Part::ToolCall(call(index, value.get("id"), function, body)))
                }
                None if value.is_object() => Some(other(value)),
                None => None,
            }
        }));
        Ok(parts)
    }
}

/// What the model wrote, unless it is more than any model writes.
fn bounded(content: Content) -> Result<Value, Failure> {
    let many = content.value.as_array().is_some_and(|items| items.len() > MAX_PARTS);
    match content.exceeded || many {
        true => Err(Failure::protocol("the answer has more parts than any model writes")),
        false => Ok(content.value),
    }
}

/// Puts a message's annotations on its text. They count its characters, so they
/// stand with the first where it comes in several.
fn cite(parts: &mut [Part], annotations: Value) {
    let text = parts.iter_mut().find_map(|part| match part {
        Part::Text(text) => Some(text),
        _ => None,
    });
    if let (Some(text), Value::Array(annotations)) = (text, annotations) {
        text.citations = annotations;
    }
}

fn thought(text: String) -> Reasoning {
    Reasoning { provider: Some(Provider::OpenAi.name().to_owned()), ..Reasoning::new(text) }
}

/// Reads a part of a content array, as Mistral's reasoning models send it:
/// `text`, and `thinking` that holds text parts itself
/// (spring-projects/spring-ai #5019). Other kinds are kept as they are.
fn block(value: Value) -> Option<Part> {
    match value {
        Value::String(text) => (!text.is_empty()).then(|| Part::text(text)),
        Value::Object(_) => {
            let member = |name: &str| value.get(name).map(joined).filter(|text| !text.is_empty());
            match value.get("type").and_then(Value::as_str) {
                Some("text" | "output_text") => member("text").map(Part::text),
                Some("refusal") => member("refusal").map(Part::Refusal),
                Some("thinking") => member("thinking").map(|text| Part::Reasoning(thought(text))),
                _ => Some(other(value)),
            }
        }
        _ => None,
    }
}

/// A string, or the texts of an array of text parts.
fn joined(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        _ => String::new(),
    }
}

/// Reads a call of a function.
///
/// A call without an id (the old `function_call`, and some servers) is given one,
/// since a result must be tied to its call by an id when the conversation goes
/// back. It is made of the call's place and of the whole body, so that no two
/// answers of a conversation share one: bodies tell each other apart by their own
/// id or time. OpenAI takes no id longer than 40 characters. Arguments that are a JSON object instead of text,
/// as Ollama has them, become text; none at all become `{}`.
fn call(index: usize, id: Option<&Value>, function: &Value, body: &[u8]) -> ToolCall {
    let id = match id.and_then(Value::as_str) {
        Some(id) if !id.is_empty() => id.to_owned(),
        _ => format!("call_{:016x}_{index}", fingerprint(body)),
    };
    let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
    let arguments = match function.get("arguments") {
        Some(Value::String(text)) if !text.trim().is_empty() => text.clone(),
        Some(value @ (Value::Object(_) | Value::Array(_))) => value.to_string(),
        _ => "{}".to_owned(),
    };
    ToolCall::new(id, name, arguments)
}

/// FNV-1a (datatracker.ietf.org/doc/html/draft-eastlake-fnv), the same on every
/// machine.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn other(value: Value) -> Part {
    Part::Other { provider: Provider::OpenAi.name().to_owned(), value }
}

/// Whether a block is the call of a `custom` tool, whose input is free text and
/// not JSON. It is kept as it is and answered by its `id` like any other.
fn is_custom_call(value: &Value) -> bool {
    value.get("type").and_then(Value::as_str) == Some("custom")
}

#[cfg(test)]
mod tests;
