//! When a cascade accepts an answer.

use serde::Deserialize;
use std::fmt;
use std::sync::Arc;

use crate::chat::{ChatResponse, FinishReason, Part, ResponseFormat};

/// A ready-made check of a [cascade](super::Route::cascade): a reason not to accept an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Check {
    /// The model declined to answer, or the provider's filter removed a part of the answer.
    Refusal,
    /// The answer hit the output limit or the context window.
    CutOff,
    /// There is neither text nor a tool call nor anything else but reasoning.
    Empty,
    /// The request asks for JSON, and the answer is not JSON or does not match the request's schema.
    /// A Markdown fence around the JSON is stripped first, as
    /// [`ChatResponse::parse`](crate::ChatResponse::parse) does. An answer with tool calls is not
    /// checked.
    ///
    /// It covers what providers enforce themselves: types, members, items, alternatives, constants,
    /// references and limits. It ignores `pattern`, `format`, `not` and other rare keywords.
    Format,
}

impl Check {
    /// All checks, which is the default of a cascade.
    pub const ALL: [Self; 4] = [Self::Refusal, Self::CutOff, Self::Empty, Self::Format];

    /// Why it does not accept an answer to a request for this format.
    fn objection(self, answer: &ChatResponse, format: Option<&ResponseFormat>) -> Option<String> {
        let has_calls = || answer.tool_calls().next().is_some();
        let reason = match self {
            Self::Refusal => match answer.finish_reason {
                FinishReason::ContentFilter => "a content filter removed a part of it",
                FinishReason::Refusal => "the model declined to answer",
                _ if answer.message.refusal().is_some() => "the model declined to answer",
                _ => return None,
            },
            Self::CutOff if answer.finish_reason == FinishReason::Length => {
                "it was cut off at the output limit"
            }
            Self::Empty if is_empty(answer) => "it is empty",
            Self::Format if !has_calls() => {
                let mismatch = answer.mismatch(format?)?;
                return Some(format!("it does not match the requested format: {mismatch}"));
            }
            Self::CutOff | Self::Empty | Self::Format => return None,
        };
        Some(reason.to_owned())
    }
}

/// A refusal has a reason of its own.
fn is_empty(answer: &ChatResponse) -> bool {
    answer.message.content.iter().all(|part| match part {
        Part::Text(text) => text.text.trim().is_empty(),
        Part::Reasoning(_) => true,
        _ => false,
    })
}

/// Whether a [cascade](super::Route::cascade) accepts an answer.
///
/// A `bool` converts into one, and so does a `Result`: its error says why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The answer will do.
    Accept,
    /// The next target should answer. The text says why, in [`RouteTrace`](crate::route::RouteTrace)
    /// and for [observers](crate::Observer), so it should not quote the answer.
    Reject(String),
}

impl From<bool> for Verdict {
    fn from(is_accepted: bool) -> Self {
        match is_accepted {
            true => Self::Accept,
            false => Self::Reject("the program's check did not accept it".to_owned()),
        }
    }
}

impl<T, E: fmt::Display> From<Result<T, E>> for Verdict {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(_) => Self::Accept,
            Err(reason) => Self::Reject(reason.to_string()),
        }
    }
}

/// A check of the caller's.
type Accept = Arc<dyn Fn(&ChatResponse) -> Verdict + Send + Sync>;

/// The settings of a cascade; the setters of [`Route`](super::Route) describe them.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Cascade {
    pub(super) checks: Vec<Check>,
    #[serde(skip)]
    pub(super) accept: Vec<Accept>,
    pub(crate) require_accepted: bool,
    pub(super) cheapest_first: bool,
}

impl Default for Cascade {
    fn default() -> Self {
        Self {
            checks: Check::ALL.to_vec(),
            accept: Vec::new(),
            require_accepted: false,
            cheapest_first: false,
        }
    }
}

impl Cascade {
    /// Whether it accepts an answer to a request for this format.
    pub(crate) fn judge(&self, answer: &ChatResponse, format: Option<&ResponseFormat>) -> Verdict {
        let objection = self.checks.iter().find_map(|check| check.objection(answer, format));
        if let Some(reason) = objection {
            return Verdict::Reject(reason);
        }
        let mut verdicts = self.accept.iter().map(|accept| accept(answer));
        verdicts.find(|verdict| *verdict != Verdict::Accept).unwrap_or(Verdict::Accept)
    }
}

impl fmt::Debug for Cascade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cascade")
            .field("checks", &self.checks)
            .field("accept", &self.accept.len())
            .field("require_accepted", &self.require_accepted)
            .field("cheapest_first", &self.cheapest_first)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ToolCall;
    use serde_json::{Value, json};

    fn answer(content: Value, reason: &str) -> ChatResponse {
        let stored = json!({
            "message": {"role": "assistant", "content": []},
            "finish_reason": reason,
            "usage": {},
            "model": "m",
            "provider": "openai",
            "rate_limit": {},
            "latency": {"secs": 0, "nanos": 0},
            "raw": "",
        });
        let mut answer: ChatResponse = serde_json::from_value(stored).unwrap();
        if let Value::String(text) = content {
            answer.message.content.push(Part::text(text));
        }
        answer
    }

    #[test]
    fn the_checks_find_what_no_program_wants() {
        let schema = json!({"type": "object", "required": ["name"]});
        let schema = ResponseFormat::json_schema("s", schema);
        let json = ResponseFormat::JsonObject;
        let mut refused = answer(json!(null), "stop");
        refused.message.content.push(Part::Refusal("no".into()));
        let mut called = answer(json!(null), "tool_calls");
        called.message.content.push(ToolCall::new("c", "f", "{}").into());
        for (answer, format, expected) in [
            (answer(json!("hi"), "stop"), None, None),
            (answer(json!("hi"), "length"), None, Some("it was cut off at the output limit")),
            (answer(json!("hi"), "refusal"), None, Some("the model declined to answer")),
            (refused, None, Some("the model declined to answer")),
            (
                answer(json!("hi"), "content_filter"),
                None,
                Some("a content filter removed a part of it"),
            ),
            (answer(json!(null), "stop"), None, Some("it is empty")),
            (answer(json!(" \n"), "stop"), None, Some("it is empty")),
            (called.clone(), None, None),
            (called, Some(&schema), None),
            (answer(json!("hi"), "stop"), Some(&ResponseFormat::Text), None),
            (answer(json!("{}"), "stop"), Some(&json), None),
            (answer(json!("```json\n{\"name\": 1}\n```"), "stop"), Some(&schema), None),
            (
                answer(json!("[]"), "stop"),
                Some(&json),
                Some("it does not match the requested format: it is JSON, but no object"),
            ),
            (
                answer(json!("{}"), "stop"),
                Some(&schema),
                Some("it does not match the requested format: it has no member \"name\""),
            ),
            (
                answer(json!("secret"), "stop"),
                Some(&schema),
                Some("it does not match the requested format: invalid JSON at line 1 column 1"),
            ),
        ] {
            let verdict = Cascade::default().judge(&answer, format);
            let expected = expected.map_or(Verdict::Accept, |why| Verdict::Reject(why.into()));
            assert_eq!(verdict, expected, "{format:?}");
            let none = Cascade { checks: Vec::new(), ..Cascade::default() };
            assert_eq!(none.judge(&answer, format), Verdict::Accept);
        }
    }

    #[test]
    fn a_verdict_comes_from_whatever_a_program_returns() {
        assert_eq!(Verdict::from(true), Verdict::Accept);
        assert!(matches!(Verdict::from(false), Verdict::Reject(_)));
        assert_eq!(Verdict::from(Ok::<_, String>(1)), Verdict::Accept);
        assert_eq!(Verdict::from(Err::<(), _>("no source")), Verdict::Reject("no source".into()));
    }
}
