//! Decodes a non-streaming chat completion.

use serde_json::{Map, Value};

use super::Envelope;
use super::answer::{Answer, block, other, reason, thought, tool_call};
use super::media;
use super::opaque::Unknown;
use crate::chat::{Message, Part, Reasoning, Role, ToolCall};
use crate::wire::call_id::fingerprint;
use crate::wire::json::bounded::{Content, Detail};
use crate::wire::json::exact;
use crate::wire::json::object::{Object, members};
use crate::wire::json::string::{LooseString, Written};
use crate::wire::{AnswerBody, Decoded, Failure, MAX_PARTS};

#[derive(Default)]
struct Choice<'a> {
    message: Object<Body<'a>>,
}

members!(impl [] Choice<'de> {
    "message" => message,
});

/// Rare members are boxed, because the whole struct is moved.
#[derive(Default)]
struct Body<'a> {
    content: Written<'a>,
    refusal: LooseString<'a>,
    /// From DeepSeek, xAI, Z.AI and older vLLM.
    reasoning_content: LooseString<'a>,
    /// From OpenRouter, Groq and newer vLLM.
    reasoning: LooseString<'a>,
    tool_calls: Option<Box<Content>>,
    /// The predecessor of `tool_calls`; answers to `functions` still have it.
    function_call: Option<Box<Content>>,
    /// The sources of a search.
    annotations: Option<Box<Detail>>,
    /// The answer of an audio model.
    audio: Option<Box<Content>>,
    /// Unmodelled members, such as state that goes back.
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

/// Decodes a chat completion: one choice, with reasoning first, then content, speech, a refusal,
/// images, and tool calls.
pub(in crate::wire) fn decode(body: AnswerBody<'_>) -> Result<Decoded, Failure> {
    let mut repaired = None;
    let (envelope, choice) = Envelope::read::<Choice<'_>>(body, &mut repaired)?;
    let Object(message) = choice.message;
    let mut answer = Answer::default();
    message.fill(&mut answer, body)?;
    let opaque = std::mem::take(&mut answer.unknown).opaque()?;
    let content = answer.parts();
    let finish_reason = reason(envelope.finish_reason.as_deref(), &content);
    let message = Message { role: Role::Assistant, content, name: None, opaque };
    envelope.decoded(message, finish_reason)
}

impl Body<'_> {
    /// Fills an empty answer, in place because it is large. Calls without an id get one made from
    /// `body`.
    fn fill(self, answer: &mut Answer, body: AnswerBody<'_>) -> Result<(), Failure> {
        answer.unknown = self.unknown;
        answer.images = answer.unknown.take_images();
        let named = [("reasoning_content", self.reasoning_content), ("reasoning", self.reasoning)];
        answer.reasoning = named.into_iter().find_map(|(field, value)| {
            let text = value.text()?;
            Some(Reasoning { field: Some(field.to_owned()), ..thought(text) })
        });
        match self.content {
            Written::Text(text) if text.is_empty() => {}
            Written::Text(text) => answer.content = vec![Part::text(text)],
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
        match bounded(self.audio)? {
            Value::Object(members) if !members.is_empty() => {
                answer.content.push(media::speech(members).into());
            }
            _ => {}
        }
        let mut tool_calls = bounded(self.tool_calls)?;
        let mut function_call = bounded(self.function_call)?;
        if has_floats(&tool_calls, &function_call) {
            if let Some(exact) = exact_message(body) {
                tool_calls = bounded(exact.0)?;
                function_call = bounded(exact.1)?;
            }
        }
        let calls = match tool_calls {
            Value::Array(calls) => calls,
            _ => Vec::new(),
        };
        let has_no_calls = calls.is_empty();
        let seed = || fingerprint(body.bytes);
        answer.calls.extend(calls.into_iter().enumerate().filter_map(
            |(index, value)| match value {
                Value::Object(members) if members.keys().any(|name| name == "function") => {
                    Some(Part::ToolCall(call(index, members, seed)))
                }
                Value::Object(_) => Some(other(value)),
                _ => None,
            },
        ));
        if let (true, Value::Object(members)) = (has_no_calls, function_call) {
            let Function { name, arguments, .. } = Function::of(members);
            answer.calls.push(Part::ToolCall(tool_call(0, String::new(), name, arguments, seed)));
        }
        Ok(())
    }
}

/// Returns true if any call has floats in arguments that are a JSON value instead of text.
fn has_floats(tool_calls: &Value, function_call: &Value) -> bool {
    let calls = tool_calls.as_array().into_iter().flatten();
    calls.filter_map(|call| member(call, "function")).chain([function_call]).any(|function| {
        member(function, "arguments")
            .is_some_and(|it| (it.is_object() || it.is_array()) && exact::has_float(it))
    })
}

/// Returns a member of a small object; comparing a few names is faster than a lookup.
fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.as_object()?.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Parses the calls of a body whose arguments have numbers that a value cannot represent, with
/// these [marked](exact).
#[allow(clippy::type_complexity)]
fn exact_message(body: AnswerBody<'_>) -> Option<(Option<Box<Content>>, Option<Box<Content>>)> {
    let marked = exact::marked(body.text?, Some("arguments"))?;
    let mut repaired = None;
    let (_, choice) = Envelope::read::<Choice<'_>>(marked.as_str().into(), &mut repaired).ok()?;
    let Object(message) = choice.message;
    Some((message.tool_calls, message.function_call))
}

/// Returns what the model wrote, or fails if it is more than any model writes.
fn bounded(content: Option<Box<Content>>) -> Result<Value, Failure> {
    let Some(content) = content else { return Ok(Value::Null) };
    let many = content.value.as_array().is_some_and(|items| items.len() > MAX_PARTS);
    match content.exceeded || many {
        true => Err(Failure::too_many_parts()),
        false => Ok(content.value),
    }
}

/// Reads a function call member by member. Searching for each name, and copying what it finds,
/// would take longer.
fn call(index: usize, members: Map<String, Value>, seed: impl FnOnce() -> u64) -> ToolCall {
    let (mut id, mut function) = (String::new(), Function::default());
    let mut unknown = Unknown::default();
    for (name, value) in members {
        match (name.as_str(), value) {
            ("id", Value::String(text)) => id = text,
            ("function", Value::Object(members)) => function = Function::of(members),
            ("id" | "function" | "custom", _) => {}
            (_, value) => unknown.insert(name, value),
        }
    }
    unknown.nest("function", function.unknown);
    let call = tool_call(index, id, function.name, function.arguments, seed);
    ToolCall { opaque: unknown.streamed(), ..call }
}

/// The function in a call.
#[derive(Default)]
struct Function {
    name: String,
    /// Arguments. A JSON object instead of text, as from Ollama, becomes text.
    arguments: String,
    unknown: Unknown,
}

impl Function {
    fn of(members: Map<String, Value>) -> Self {
        let mut function = Self::default();
        for (name, value) in members {
            match (name.as_str(), value) {
                ("name", Value::String(text)) => function.name = text,
                ("arguments", Value::String(text)) => function.arguments = text,
                ("arguments", value @ (Value::Object(_) | Value::Array(_))) => {
                    function.arguments = exact::unmarked(value.to_string());
                }
                ("name" | "arguments", _) => {}
                (_, value) => function.unknown.insert(name, value),
            }
        }
        function
    }
}

#[cfg(test)]
mod tests;
