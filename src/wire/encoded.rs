//! An encoded request, with accessors that hide the members' names.

use serde_json::{Map, Value};
use std::ops::Deref;

use super::body::Body;
use super::format::Path;
use super::measure::{measure, output_limit, states_limit, thinking_budget};
use super::{Delivery, Target, Wire, append, json};
use crate::chat::{ChatRequest, Provenance};
use crate::error::Error;
use crate::upper_bound::{ModelLimits, Unbounded, UpperBound};

/// An encoded request.
pub(crate) struct Encoded<'a> {
    wire: Wire,
    target: Target<'a>,
    delivery: Delivery,
    request: Request<'a>,
    body: Body<'a>,
    written: Vec<u8>,
}

/// The request that was encoded. Boxed if it is a copy, because every call moves it.
enum Request<'a> {
    Original(&'a ChatRequest),
    Changed(Box<ChatRequest>),
}

impl Deref for Request<'_> {
    type Target = ChatRequest;

    fn deref(&self) -> &ChatRequest {
        match self {
            Self::Original(request) => request,
            Self::Changed(request) => request,
        }
    }
}

impl<'a> Encoded<'a> {
    pub(super) fn new(
        wire: Wire,
        request: &'a ChatRequest,
        target: Target<'a>,
        delivery: Delivery,
        may_be_limited: bool,
    ) -> Result<Self, Error> {
        let (request, body) = match may_be_limited && has_null_limit(request, wire) {
            true => {
                let request = without_null_limits(request, wire);
                let members = wire.members(&request, target, delivery)?;
                (Request::Changed(request.into()), members.into())
            }
            false => (Request::Original(request), wire.body(request, target, delivery)?),
        };
        let written = body.write()?;
        Ok(Self { wire, target, delivery, request, body, written })
    }

    /// Returns the bytes that would be sent.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.written
    }

    /// Returns the bytes of text in the request, to estimate its tokens from.
    pub(crate) fn text_bytes(&self) -> usize {
        let is_sent = |sender: &Provenance| {
            self.target.dialect.unknown_members && self.target.sent(sender, self.wire.name())
        };
        self.written.len().saturating_sub(self.request.media_bytes(is_sent))
    }

    /// Returns the requested service tier.
    pub(crate) fn service_tier(&self) -> Option<&str> {
        let member = |name| json::member(&self.body.members, name).and_then(Value::as_str);
        // The second is Gemini's.
        member("service_tier").or_else(|| member("serviceTier"))
    }

    /// Returns the upper bound on what the request can use.
    ///
    /// # Errors
    ///
    /// [`Unbounded`] if nothing bounds it; its text says why and what to do.
    pub(crate) fn upper_bound(&self, limits: &ModelLimits<'_>) -> Result<UpperBound, Unbounded> {
        measure(&self.body, self.wire, limits, self.request.max_input_tokens)
    }

    /// Returns the request's thinking budget. An output limit must be greater.
    pub(crate) fn thinking_budget(&self) -> u64 {
        thinking_budget(&self.body.members)
    }

    /// Returns true if the caller set an output limit, or explicitly set none.
    pub(crate) fn is_limited_by_caller(&self) -> bool {
        self.request.max_output_tokens.is_some()
            || states_limit(&self.request.extra, self.output_limits())
            || self.request.omit.iter().any(|name| {
                // An object that is omitted takes the limit inside with it.
                self.output_limits().iter().any(|path| path.first() == Some(&&**name))
            })
    }

    /// Returns true if the request has an output limit, even one that the format requires.
    pub(crate) fn is_limited(&self) -> bool {
        output_limit(&self.body.members, self.output_limits()).is_some()
    }

    fn output_limits(&self) -> &'static [Path] {
        self.wire.format().output_limits
    }

    /// Sets the output limit of each answer.
    ///
    /// # Errors
    ///
    /// Those of encoding.
    pub(crate) fn limit_output(&mut self, tokens: u32) -> Result<(), Error> {
        let path = (self.wire.format().output_limit)(self.target);
        match output_limit(&self.body.members, self.output_limits()) {
            Some(stated) if stated == u64::from(tokens) => {}
            // The common case: the serialized body stays as it is.
            None if path.len() == 1 => append(&mut self.written, path[0], tokens),
            // The format has a default limit, and the reasoning can be a share of it, so encode
            // again.
            Some(_) if self.request.reasoning_effort.is_some() => {
                let request = self.request.clone().max_output_tokens(tokens);
                self.request = Request::Changed(request.into());
                self.body = self.wire.members(&self.request, self.target, self.delivery)?.into();
                self.written = self.body.write()?;
            }
            _ => {
                insert(&mut self.body.members, path, tokens.into());
                self.written = self.body.write()?;
            }
        }
        Ok(())
    }

    /// Returns the bytes of the body.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.written
    }
}

/// Inserts a member into a body and creates the objects around it.
fn insert(body: &mut Map<String, Value>, path: Path, value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        body.insert((*first).to_owned(), value);
        return;
    }
    let inner = body.entry(*first).or_insert_with(|| Map::new().into());
    if !inner.is_object() {
        *inner = Map::new().into();
    }
    if let Value::Object(inner) = inner {
        insert(inner, rest, value);
    }
}

/// Removes a member from a body if it is null.
fn remove_null(body: &mut Map<String, Value>, path: Path) {
    let Some((first, rest)) = path.split_first() else { return };
    match body.get_mut(*first) {
        Some(Value::Object(inner)) => remove_null(inner, rest),
        Some(Value::Null) if rest.is_empty() => {
            body.shift_remove(*first);
        }
        _ => {}
    }
}

/// Returns true if a request has a null output limit.
fn has_null_limit(request: &ChatRequest, wire: Wire) -> bool {
    !request.extra.is_empty()
        && wire.format().output_limits.iter().any(|path| {
            let (first, rest) = path.split_first().unzip();
            let value = first.and_then(|first| request.extra.get(*first));
            let inside = rest.unwrap_or_default();
            let value = value
                .and_then(|value| inside.iter().try_fold(value, |value, name| value.get(name)));
            value.is_some_and(Value::is_null)
        })
}

/// Removes null limits from the request, so that another can be sent. To a server, a null limit is
/// the same as none.
fn without_null_limits(request: &ChatRequest, wire: Wire) -> ChatRequest {
    let mut request = request.clone();
    for path in wire.format().output_limits {
        remove_null(&mut request.extra, path);
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ReasoningEffort;
    use serde_json::json;

    fn limited(wire: Wire, request: &ChatRequest, tokens: u32) -> Value {
        let target = match wire {
            Wire::Anthropic => Target::anthropic("claude-haiku-4-5"),
            Wire::Gemini => Target::gemini("gemini-2.5-flash"),
            Wire::Ollama => Target::ollama("qwen3"),
            _ => Target::openai("gpt-4o"),
        };
        let mut encoded = wire.encode(request, target, Delivery::Whole, true).unwrap();
        encoded.limit_output(tokens).unwrap();
        serde_json::from_slice(&encoded.into_bytes()).unwrap()
    }

    #[test]
    fn an_output_limit_goes_into_the_formats_own_member() {
        let hi = || ChatRequest::from("hi");
        for wire in [Wire::OpenAiChat, Wire::OpenAiCompletions, Wire::Anthropic, Wire::Cohere] {
            for request in [hi(), hi().extra("max_tokens", Value::Null)] {
                assert_eq!(limited(wire, &request, 77)["max_tokens"], 77, "{wire:?}");
            }
            let stated = hi().max_output_tokens(5);
            assert_eq!(limited(wire, &stated, 5)["max_tokens"], 5);
        }
        for request in [hi(), hi().extra("max_output_tokens", Value::Null)] {
            assert_eq!(limited(Wire::OpenAiResponses, &request, 77)["max_output_tokens"], 77);
        }
        let null = json!({"maxOutputTokens": null, "topK": 4});
        for request in [hi(), hi().extra("generationConfig", null), hi().temperature(0.5)] {
            let body = limited(Wire::Gemini, &request, 77);
            assert_eq!(body["generationConfig"]["maxOutputTokens"], 77, "{request:?}");
        }
        let null = json!({"num_predict": null, "top_k": 4});
        for request in [hi(), hi().extra("options", null), hi().temperature(0.5)] {
            let body = limited(Wire::Ollama, &request, 77);
            assert_eq!(body["options"]["num_predict"], 77, "{request:?}");
        }
        let newer = Target::openai("o3-mini");
        let request = hi();
        let mut encoded = Wire::OpenAiChat.encode(&request, newer, Delivery::Whole, true).unwrap();
        assert!(!encoded.is_limited() && !encoded.is_limited_by_caller());
        encoded.limit_output(9).unwrap();
        let body: Value = serde_json::from_slice(&encoded.into_bytes()).unwrap();
        assert_eq!((&body["max_completion_tokens"], body.get("max_tokens")), (&json!(9), None));
        // Thinking is a share of the limit.
        let thinking = hi().reasoning_effort(ReasoningEffort::High);
        let body = limited(Wire::Anthropic, &thinking, 2000);
        assert_eq!(body["max_tokens"], 2000);
        let thoughts = body["thinking"]["budget_tokens"].as_u64();
        assert!(thoughts.is_none_or(|tokens| tokens < 2000), "{body}");
    }

    #[test]
    fn a_limit_set_by_the_caller_is_detected() {
        let hi = || ChatRequest::from("hi");
        let members = [
            (Wire::OpenAiChat, "max_completion_tokens"),
            (Wire::OpenAiChat, "max_tokens"),
            (Wire::OpenAiCompletions, "max_tokens"),
            (Wire::OpenAiResponses, "max_output_tokens"),
            (Wire::Anthropic, "max_tokens"),
            (Wire::Bedrock, "inferenceConfig"),
            (Wire::Cohere, "max_tokens"),
            (Wire::Gemini, "generationConfig"),
            (Wire::Ollama, "options"),
        ];
        for (wire, member) in members {
            let extra = |limit: Value| match wire {
                Wire::Bedrock => hi().extra(member, json!({"maxTokens": limit})),
                Wire::Gemini => hi().extra(member, json!({"maxOutputTokens": limit})),
                Wire::Ollama => hi().extra(member, json!({"num_predict": limit})),
                _ => hi().extra(member, limit),
            };
            for (request, is_limited) in [
                (hi(), false),
                (hi().max_output_tokens(5), true),
                (extra(json!(5)), true),
                (extra(json!(-1)), true),
                (extra(Value::Null), false),
                (hi().omit(member), true),
            ] {
                let target = Target::openai("m");
                let encoded = wire.encode(&request, target, Delivery::Whole, true);
                // Anthropic's format requires a limit.
                let Ok(encoded) = encoded else {
                    assert!(wire == Wire::Anthropic && !request.omit.is_empty(), "{wire:?}");
                    continue;
                };
                assert_eq!(encoded.is_limited_by_caller(), is_limited, "{wire:?} {request:?}");
            }
        }
    }
}
