//! Decodes a whole chat completion.

use serde_json::Value;

use super::Envelope;
use super::answer::{Answer, block, fingerprint, other, reason, thought, tool_call};
use super::opaque::Unknown;
use crate::chat::{Message, Opaque, Part, Reasoning, Role, ToolCall};
use crate::wire::json::bounded::{Content, Detail};
use crate::wire::json::exact;
use crate::wire::json::object::{Object, members};
use crate::wire::json::string::{LooseString, Written};
use crate::wire::{Decoded, Failure, MAX_PARTS};

#[derive(Default)]
struct Choice<'a> {
    message: Object<Body<'a>>,
}

members!(impl [] Choice<'de> {
    "message" => message,
});

/// What most answers do not have is boxed, for all of it is moved.
#[derive(Default)]
struct Body<'a> {
    content: Written<'a>,
    refusal: LooseString<'a>,
    /// DeepSeek's, also xAI's, Z.AI's and older vLLM's.
    reasoning_content: LooseString<'a>,
    /// OpenRouter's, Groq's, and newer vLLM's.
    reasoning: LooseString<'a>,
    tool_calls: Option<Box<Content>>,
    /// What `tool_calls` replaced; answers to `functions` still have it.
    function_call: Option<Box<Content>>,
    /// The sources a search found.
    annotations: Option<Box<Detail>>,
    /// The answer of an audio model.
    audio: Option<Box<Content>>,
    /// What else is in it, such as state that goes back.
    unknown: Unknown,
}

members!(impl [] Body<'de> {
    "content" => content,
    "refusal" => refusal,
    "reasoning_content" => reasoning_content,
    "reasoning" => reasoning,
    "tool_calls" => tool_calls,
    "function_call" => function_call,
    "annotations" => annotations,
    "audio" => audio,
    _ => |body: &mut Self, name, members| body.unknown.take(name, members),
});

/// Reads a chat completion: one choice, with reasoning first, then the
/// content, a refusal, and the tool calls.
pub(in crate::wire) fn decode(body: &[u8]) -> Result<Decoded, Failure> {
    let mut repaired = None;
    let (envelope, choice) = Envelope::read::<Choice<'_>>(body, &mut repaired)?;
    let Object(message) = choice.message;
    let mut answer = message.answer(body)?;
    let opaque = std::mem::take(&mut answer.unknown).opaque()?;
    let content = answer.parts();
    let finish_reason = reason(envelope.finish_reason.as_deref(), &content);
    let message = Message { role: Role::Assistant, content, name: None, opaque };
    envelope.check_answer(message.is_blank() && message.opaque.is_none())?;
    Ok(Decoded {
        usage: envelope.usage.without_false_zeros(!message.is_blank()),
        finish_reason,
        message,
        finish_reason_raw: envelope.finish_reason,
        model: envelope.model.unwrap_or_default(),
        service_tier: envelope.service_tier,
        id: envelope.id,
        extra: envelope.extra,
    })
}

impl Body<'_> {
    /// What is in it; `body` is what calls without an id are named after.
    fn answer(self, body: &[u8]) -> Result<Answer, Failure> {
        let mut answer = Answer { unknown: self.unknown, ..Answer::default() };
        let named = [("reasoning_content", self.reasoning_content), ("reasoning", self.reasoning)];
        answer.reasoning = named.into_iter().find_map(|(field, value)| {
            let field = Some(field.to_owned());
            Some(Reasoning { field, ..thought(value.text()?) })
        });
        match self.content {
            Written::Text(text) if text.is_empty() => {}
            Written::Text(text) => answer.content.push(Part::text(text)),
            Written::Value(content) => {
                if let Value::Array(blocks) = bounded(content)? {
                    answer.content.extend(blocks.into_iter().filter_map(block));
                }
            }
        }
        if let Some(Value::Array(annotations)) = self.annotations.map(|found| found.value) {
            answer.annotations = annotations;
        }
        answer.refusal = self.refusal.0.into_owned();
        if let Value::Object(audio) = bounded(self.audio)? {
            answer.audio = Some(audio);
        }
        let mut tool_calls = bounded(self.tool_calls)?;
        let mut function_call = bounded(self.function_call)?;
        let has_float = exact::has_float(&tool_calls) || exact::has_float(&function_call);
        if has_float && has_values(&tool_calls, &function_call) {
            if let Some(exact) = exact_message(body) {
                tool_calls = bounded(exact.0)?;
                function_call = bounded(exact.1)?;
            }
        }
        let calls = match tool_calls {
            Value::Array(calls) => calls,
            _ => Vec::new(),
        };
        let seed = || fingerprint(body);
        if calls.is_empty() && function_call.is_object() {
            answer.calls.push(Part::ToolCall(call(0, None, &function_call, seed)));
        }
        answer.calls.extend(calls.into_iter().enumerate().filter_map(|(index, value)| {
            match value.get("function") {
                Some(function) => {
                    let call = call(index, value.get("id"), function, seed);
                    Some(Part::ToolCall(ToolCall { opaque: beside(&value, function), ..call }))
                }
                None if value.is_object() => Some(other(value)),
                None => None,
            }
        }));
        Ok(answer)
    }
}

/// What a call holds beside id, name and arguments.
fn beside(call: &Value, function: &Value) -> Option<Box<Opaque>> {
    let mut unknown = Unknown::beside(call, &["function", "custom"]);
    unknown.nest("function", Unknown::beside(function, &["name", "arguments"]));
    unknown.streamed()
}

/// Whether any call has arguments that are a value instead of text.
fn has_values(tool_calls: &Value, function_call: &Value) -> bool {
    let calls = tool_calls.as_array().into_iter().flatten().filter_map(|call| call.get("function"));
    calls
        .chain([function_call])
        .any(|function| function.get("arguments").is_some_and(|it| it.is_object() || it.is_array()))
}

/// The calls of a body whose arguments have numbers that a value cannot hold, with these
/// [marked](exact).
#[allow(clippy::type_complexity)]
fn exact_message(body: &[u8]) -> Option<(Option<Box<Content>>, Option<Box<Content>>)> {
    let marked = exact::marked(std::str::from_utf8(body).ok()?, Some("arguments"))?;
    let mut repaired = None;
    let (_, choice) = Envelope::read::<Choice<'_>>(marked.as_bytes(), &mut repaired).ok()?;
    let Object(message) = choice.message;
    Some((message.tool_calls, message.function_call))
}

/// What the model wrote, unless it is more than any model writes.
fn bounded(content: Option<Box<Content>>) -> Result<Value, Failure> {
    let Some(content) = content else { return Ok(Value::Null) };
    let many = content.value.as_array().is_some_and(|items| items.len() > MAX_PARTS);
    match content.exceeded || many {
        true => Err(Failure::too_many_parts()),
        false => Ok(content.value),
    }
}

/// Reads a call of a function. Arguments that are a JSON object instead of text, as
/// Ollama has them, become text.
fn call(
    index: usize,
    id: Option<&Value>,
    function: &Value,
    seed: impl FnOnce() -> u64,
) -> ToolCall {
    let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
    let arguments = match function.get("arguments") {
        Some(Value::String(text)) => text.clone(),
        Some(value @ (Value::Object(_) | Value::Array(_))) => exact::unmarked(value.to_string()),
        _ => String::new(),
    };
    let id = id.and_then(Value::as_str).unwrap_or_default().to_owned();
    tool_call(index, id, name.to_owned(), arguments, seed)
}

#[cfg(test)]
mod tests;
