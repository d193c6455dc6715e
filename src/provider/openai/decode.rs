use serde::Deserialize;
use serde_json::Value;

use super::{Envelope, envelope::text, failure, finish_reason};
use crate::chat::{FinishReason, Message, Part, Reasoning, Role, ToolCall};
use crate::provider::{Decoded, Failure, Provider};

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    message: Option<Answer>,
    #[serde(default, deserialize_with = "text")]
    finish_reason: Option<String>,
    /// OpenRouter's, where the upstream failed in the middle of the answer.
    #[serde(default)]
    error: Value,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    content: Value,
    #[serde(deserialize_with = "text")]
    refusal: Option<String>,
    /// DeepSeek's, also vLLM's and xAI's.
    #[serde(deserialize_with = "text")]
    reasoning_content: Option<String>,
    /// OpenRouter's, Groq's, and newer vLLM's.
    #[serde(deserialize_with = "text")]
    reasoning: Option<String>,
    tool_calls: Option<Vec<Value>>,
    /// What `tool_calls` replaced; answers to `functions` still have it.
    function_call: Value,
}

/// Reads a chat completion: the first choice, with reasoning first, then the
/// content, a refusal, and the tool calls.
///
/// A refusal with `stop`, as OpenAI sends it, is
/// [`Refusal`](FinishReason::Refusal). Tool calls with `stop` or no reason, as
/// some servers send them, are [`ToolCalls`](FinishReason::ToolCalls).
pub(in crate::provider) fn decode(body: &[u8]) -> Result<Decoded, Failure> {
    let (envelope, choice) = Envelope::<Choice>::read(body)?;
    if choice.error.is_object() {
        return Err(failure::under_200(choice.error));
    }
    let raw = choice.finish_reason;
    let content = choice.message.unwrap_or_default().parts();
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
        usage: envelope.usage(),
        model: envelope.model.unwrap_or_default(),
        service_tier: envelope.service_tier,
        id: envelope.id,
    })
}

impl Answer {
    fn parts(self) -> Vec<Part> {
        let mut parts = Vec::new();
        if let Some(text) = self.reasoning_content.or(self.reasoning) {
            parts.push(Part::Reasoning(Reasoning::new(text)));
        }
        match self.content {
            Value::String(text) if !text.is_empty() => parts.push(Part::text(text)),
            Value::Array(blocks) => parts.extend(blocks.into_iter().filter_map(block)),
            _ => {}
        }
        parts.extend(self.refusal.map(Part::Refusal));
        let calls = self.tool_calls.unwrap_or_default();
        if calls.is_empty() && self.function_call.is_object() {
            parts.push(Part::ToolCall(call(0, None, &self.function_call)));
        }
        parts.extend(calls.into_iter().enumerate().filter_map(|(index, value)| {
            match value.get("function") {
                Some(function) => Some(Part::ToolCall(call(index, value.get("id"), function))),
                None if value.is_object() => Some(other(value)),
                None => None,
            }
        }));
        parts
    }
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
                Some("thinking") => {
                    member("thinking").map(|text| Part::Reasoning(Reasoning::new(text)))
                }
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
/// A call without an id (the old `function_call`, and some servers) is given one
/// by its place, `call_0`, since a result must be tied to its call by an id when
/// the conversation goes back. Arguments that are a JSON object instead of text,
/// as Ollama has them, become text; none at all become `{}`.
fn call(index: usize, id: Option<&Value>, function: &Value) -> ToolCall {
    let id = match id.and_then(Value::as_str) {
        Some(id) if !id.is_empty() => id.to_owned(),
        _ => format!("call_{index}"),
    };
    let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
    let arguments = match function.get("arguments") {
        Some(Value::String(text)) if !text.trim().is_empty() => text.clone(),
        Some(value @ (Value::Object(_) | Value::Array(_))) => value.to_string(),
        _ => "{}".to_owned(),
    };
    ToolCall::new(id, name, arguments)
}

fn other(value: Value) -> Part {
    Part::Other { provider: Provider::OpenAi.name().to_owned(), value }
}

/// Whether a block is the call of a `custom` tool, whose input is free text and
/// not JSON. It is kept as it is and answered by its `id` like any other.
pub(super) fn is_custom_call(value: &Value) -> bool {
    value.get("type").and_then(Value::as_str) == Some("custom")
}

#[cfg(test)]
mod tests;
