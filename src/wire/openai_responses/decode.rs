//! Decodes the body of a response.

use serde::de::MapAccess;
use serde_json::{Map, Value, json};

use super::item;
use crate::chat::{Message, Role, Usage};
use crate::wire::call_id::fingerprint;
use crate::wire::json::bounded::{Content, Detail};
use crate::wire::json::object::{Object, members};
use crate::wire::json::string::LooseString;
use crate::wire::openai_chat::{Report, usage};
use crate::wire::{AnswerBody, Decoded, Failure, MAX_PARTS, failed, json as wire};

/// The members of a response that are read (`response.py`). Except for the output, each can be
/// missing, null or malformed: llama.cpp's first event has only an id and a status.
#[derive(Default)]
pub(super) struct Body<'a> {
    pub(super) id: LooseString<'a>,
    pub(super) model: LooseString<'a>,
    pub(super) service_tier: LooseString<'a>,
    pub(super) status: LooseString<'a>,
    incomplete: Object<Incomplete<'a>>,
    error: Option<Box<Detail>>,
    usage: Option<Object<Box<Report>>>,
    output: Option<Box<Content>>,
    /// All other members.
    extra: Map<String, Value>,
}

members!(impl [] Body<'de> {
    "id" => id,
    "model" => model,
    "service_tier" => service_tier,
    "status" => status,
    "incomplete_details" => incomplete,
    "error" => error,
    "usage" => usage,
    "output" => output,
    _ => |body: &mut Self, name, members| body.keep_extra(name, members),
});

#[derive(Default)]
struct Incomplete<'a> {
    reason: LooseString<'a>,
}

members!(impl [] Incomplete<'de> {
    "reason" => reason,
});

/// Members that repeat the request, and times. They are dropped: instructions and tools are long,
/// and the caller has them.
const REPEATED: &[&str] = &[
    "object",
    "created_at",
    "completed_at",
    "background",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "frequency_penalty",
    "presence_penalty",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
    // Added by OpenAI's SDKs; it repeats the texts.
    "output_text",
];

impl<'a> Body<'a> {
    fn keep_extra<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        members: &mut A,
    ) -> Result<bool, A::Error> {
        if REPEATED.contains(&name) {
            return Ok(false);
        }
        let Detail { value, .. } = members.next_value()?;
        let is_empty = match &value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            _ => false,
        };
        if !is_empty {
            self.extra.insert(name.to_owned(), value);
        }
        Ok(true)
    }

    /// Returns the failure that the response reports: an `error` with one of the codes in
    /// `response_error.py`, or just the status `failed`.
    pub(super) fn failure(&self) -> Option<Failure> {
        let error = self.error.as_ref().map(|error| &error.value);
        if let Some(error) = error.filter(|error| failed::is_error(error)) {
            return Some(Failure::inside(error));
        }
        let message = "the provider failed to generate the response and does not say why";
        let failed = || Failure::inside(&json!({"code": "server_error", "message": message}));
        (self.status.0 == "failed").then(failed)
    }

    /// Returns the reason why the response is incomplete, or an empty text.
    pub(super) fn incomplete(&self) -> &str {
        &self.incomplete.0.reason.0
    }

    pub(super) fn usage(&self) -> Option<Usage> {
        self.usage.as_ref().map(|Object(report)| usage::read(report))
    }

    /// Takes the output items. Returns `None` if the output is not a list.
    pub(super) fn take_output(&mut self) -> Result<Option<Vec<Value>>, Failure> {
        match self.output.take().map(|output| *output) {
            Some(Content { exceeded: true, .. }) => Err(Failure::too_many_parts()),
            Some(Content { value: Value::Array(items), .. }) if items.len() <= MAX_PARTS => {
                Ok(Some(items))
            }
            Some(Content { value: Value::Array(_), .. }) => Err(Failure::too_many_parts()),
            _ => Ok(None),
        }
    }

    pub(super) fn take_extra(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.extra)
    }
}

/// Reads the body of a successful response.
///
/// A program can poll a response that runs in the background, so it may not be complete. Its status
/// (`queued`, `in_progress` or `cancelled`) is then the raw finish reason.
pub(in crate::wire) fn decode(received: AnswerBody<'_>) -> Result<Decoded, Failure> {
    let mut repaired = None;
    let Object(mut body) = wire::read::<Object<Body<'_>>>(received, &mut repaired)?;
    if let Some(failure) = body.failure() {
        return Err(failure);
    }
    let Some(output) = body.take_output()? else {
        return Err(wire::detail(received.bytes).as_ref().and_then(failed::report).unwrap_or_else(
            || Failure::protocol("the response body is not a response: its output is not a list"),
        ));
    };
    let seed = fingerprint(received.bytes);
    let mut parts = Vec::with_capacity(output.len());
    for (index, item) in output.into_iter().enumerate() {
        item::add_parts(index, item, seed, &mut parts);
    }
    let (finish_reason, finish_reason_raw) =
        item::finish_reasons(&body.status.0, body.incomplete(), &parts);
    let message = Message::new(Role::Assistant, parts);
    if message.is_blank() && finish_reason_raw.is_none() {
        return Err(Failure::protocol(failed::NO_ANSWER));
    }
    let usage = body.usage().unwrap_or_default().without_false_zeros(!message.is_blank());
    Ok(Decoded {
        usage: Usage { web_searches: item::web_searches(&message.content), ..usage },
        message,
        finish_reason,
        finish_reason_raw,
        extra: body.take_extra(),
        model: body.model.text().unwrap_or_default(),
        service_tier: body.service_tier.text(),
        id: body.id.text(),
        logprobs: String::new(),
    })
}

#[cfg(test)]
mod tests;
