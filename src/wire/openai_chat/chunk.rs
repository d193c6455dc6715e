//! The members of a stream's chunk that are read. Texts are borrowed, and rare members are boxed,
//! because there is a chunk for every word and chunks are moved.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess};
use std::borrow::Cow;

use super::envelope::Groq;
use super::opaque::Unknown;
use super::usage::Report;
use crate::wire::beside::Beside;
use crate::wire::json::array::{self, Array, Each};
use crate::wire::json::bounded::{Content, Detail};
use crate::wire::json::object::{Members, Object, members};
use crate::wire::json::string::{Count, LooseString, Written};

/// A chunk of either format.
#[derive(Default)]
pub(super) struct Chunk<'a> {
    pub(super) id: LooseString<'a>,
    pub(super) model: LooseString<'a>,
    pub(super) service_tier: LooseString<'a>,
    pub(super) object: LooseString<'a>,
    pub(super) usage: Option<Object<Box<Report>>>,
    pub(super) x_groq: Option<Object<Box<Groq>>>,
    pub(super) error: Option<Box<Detail>>,
    /// MiniMax's.
    pub(super) base_resp: Option<Box<Detail>>,
    pub(super) choices: Choices<'a>,
    /// Random padding that hides the length of words from observers of packet sizes (OpenAI's API
    /// reference, `stream_options.include_obfuscation`).
    pub(super) obfuscation: LooseString<'a>,
    /// OpenAI's; in every chunk, so it is not part of `beside`.
    pub(super) system_fingerprint: LooseString<'a>,
    /// Other members: the provider behind a gateway, the sources of a search.
    pub(super) beside: Beside,
}

members!(impl [] Chunk<'de> {
    "id" => id,
    "model" => model,
    "service_tier" => service_tier,
    "object" => object,
    "usage" => usage,
    "x_groq" => x_groq,
    "error" => error,
    "base_resp" => base_resp,
    "choices" => choices,
    "obfuscation" => obfuscation,
    "system_fingerprint" => system_fingerprint,
    _ => |chunk: &mut Self, name, members| chunk.beside.take(name, members),
});

/// The choice with index 0, or without an index.
#[derive(Default)]
pub(super) struct Choices<'a> {
    /// True if there was a list at all.
    pub(super) listed: bool,
    /// True if there were other choices.
    pub(super) others: bool,
    pub(super) first: Option<Choice<'a>>,
}

#[derive(Default)]
pub(in crate::wire) struct Choice<'a> {
    index: Count,
    pub(super) finish_reason: LooseString<'a>,
    /// OpenRouter's: the finish reason of the provider behind it.
    pub(super) native: LooseString<'a>,
    /// OpenRouter's, if the upstream provider failed.
    pub(super) error: Option<Box<Detail>>,
    /// Moonshot's place for usage.
    pub(super) usage: Option<Object<Box<Report>>>,
    /// The text of a text completion.
    pub(in crate::wire) text: Written<'a>,
    delta: Option<Object<Delta<'a>>>,
    message: Option<Object<Box<Delta<'a>>>>,
    pub(in crate::wire) logprobs: Option<Box<Content>>,
    /// Other members: Azure's `content_filter_results`, vLLM's `stop_reason`.
    pub(super) beside: Beside,
}

members!(impl [] Choice<'de> {
    "index" => index,
    "finish_reason" => finish_reason,
    "native_finish_reason" => native,
    "error" => error,
    "usage" => usage,
    "text" => text,
    "delta" => delta,
    "message" => message,
    "logprobs" => logprobs,
    _ => |choice: &mut Self, name, members| choice.beside.take(name, members),
});

impl<'a> Choice<'a> {
    fn is_followed(&self) -> bool {
        matches!(self.index, Count(None | Some(0)))
    }

    /// Returns true if it has a complete message instead of a delta.
    pub(super) fn is_message(&self) -> bool {
        self.delta.is_none() && self.message.is_some()
    }

    /// Returns what it adds to the message. Some gateways answer a streaming request with one event
    /// that has the whole `message`. Perplexity has a `message` in every chunk, with everything so
    /// far, but next to a delta (recorded).
    pub(super) fn delta(self) -> Delta<'a> {
        match (self.delta, self.message) {
            (Some(Object(delta)), _) => delta,
            (None, Some(Object(message))) => *message,
            (None, None) => Delta::default(),
        }
    }
}

#[derive(Default)]
pub(super) struct Delta<'a> {
    pub(super) content: Written<'a>,
    pub(super) refusal: LooseString<'a>,
    /// The same two names as in [`Body`](super::decode), from the same servers.
    pub(super) reasoning_content: LooseString<'a>,
    pub(super) reasoning: LooseString<'a>,
    pub(super) tool_calls: Array<Object<CallDelta<'a>>>,
    pub(super) function_call: Option<Object<Box<FunctionDelta<'a>>>>,
    pub(super) annotations: Option<Box<Detail>>,
    pub(super) audio: Option<Box<Content>>,
    /// Unmodelled members: OpenRouter's encrypted reasoning and images, the tools that Groq runs,
    /// Gemini's signatures, and whatever else a server adds.
    pub(super) unknown: Unknown,
}

impl<'a> Delta<'a> {
    /// Returns its text if it has nothing else and the chunk has the text unescaped.
    pub(super) fn only_text(&self) -> Option<&'a str> {
        let Written::Text(Cow::Borrowed(text)) = self.content else { return None };
        let words = [&self.refusal, &self.reasoning_content, &self.reasoning];
        let alone = words.iter().all(|word| word.0.is_empty())
            && self.tool_calls.items.is_empty()
            && !self.tool_calls.exceeded
            && self.function_call.is_none()
            && self.annotations.is_none()
            && self.audio.is_none()
            && self.unknown.is_empty();
        alone.then_some(text)
    }
}

members!(impl [] Delta<'de> {
    "content" => content,
    "refusal" => refusal,
    "reasoning_content" => reasoning_content,
    "reasoning" => reasoning,
    "tool_calls" => tool_calls,
    "function_call" => function_call,
    "annotations" => annotations,
    "audio" => audio,
    _ => |delta: &mut Self, name, members| delta.unknown.take(name, members),
});

/// Parses the tool calls of the choice that is read.
pub(super) fn calls(chunk: &str) -> Option<Array<Object<CallDelta<'_>>>> {
    let Object(chunk): Object<Chunk<'_>> = serde_json::from_str(chunk).ok()?;
    Some(chunk.choices.first?.delta().tool_calls)
}

impl CallDelta<'_> {
    /// Returns true if its arguments are a JSON value instead of text.
    pub(super) fn has_values(&self) -> bool {
        matches!(self.function.0.arguments, Written::Value(Some(_)))
    }
}

#[derive(Default)]
pub(super) struct CallDelta<'a> {
    pub(super) index: Count,
    pub(super) id: LooseString<'a>,
    pub(super) kind: LooseString<'a>,
    pub(super) function: Object<FunctionDelta<'a>>,
    /// The call of a `custom` tool, instead of a function.
    pub(super) custom: Option<Object<Box<FunctionDelta<'a>>>>,
    pub(super) unknown: Unknown,
}

members!(impl [] CallDelta<'de> {
    "index" => index,
    "id" => id,
    "type" => kind,
    "function" => function,
    "custom" => custom,
    _ => |call: &mut Self, name, members| call.unknown.take(name, members),
});

#[derive(Default)]
pub(super) struct FunctionDelta<'a> {
    pub(super) name: LooseString<'a>,
    /// A custom tool's `input`.
    pub(super) arguments: Written<'a>,
    pub(super) unknown: Unknown,
}

members!(impl [] FunctionDelta<'de> {
    "name" => name,
    "arguments" => arguments,
    "input" => arguments,
    _ => |function: &mut Self, name, members| function.unknown.take(name, members),
});

/// A choice that is skipped as soon as its index shows that it is not the one to read: a request
/// for many choices has them in every chunk.
#[derive(Default)]
struct Followed<'a>(Choice<'a>);

impl<'de> Members<'de> for Followed<'de> {
    fn take<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<bool, A::Error> {
        Ok(self.0.is_followed() && self.0.take(name, members)?)
    }
}

impl<'de> Deserialize<'de> for Choices<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let take = |made: &mut Self, Object(Followed(choice)): Object<Followed<'de>>| {
            if !choice.is_followed() {
                made.others = true;
            } else if made.first.is_none() {
                made.first = Some(choice);
            }
        };
        let Each { listed, made } = array::each(deserializer, take)?;
        Ok(Self { listed, ..made })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_choice_with_index_0_or_without_index_is_read() {
        for (choices, expected) in [
            (r#"[{"index": 1, "text": "b"}, {"index": 0, "text": "a"}]"#, Some("a")),
            (r#"[{"text": "a"}, {"index": 0, "text": "b"}]"#, Some("a")),
            (r#"[{"index": 1, "text": "b"}]"#, None),
            (r#"[{"index": 4294967295, "text": "b"}]"#, None),
            ("[]", None),
            ("null", None),
        ] {
            let text = format!(r#"{{"choices": {choices}}}"#);
            let Object(chunk): Object<Chunk<'_>> = serde_json::from_str(&text).unwrap();
            let found = chunk.choices.first.map(|choice| match choice.text {
                Written::Text(text) => text,
                Written::Value(_) => "".into(),
            });
            assert_eq!(found.as_deref(), expected, "{choices}");
            assert_eq!(chunk.choices.listed, choices != "null");
        }
    }

    #[test]
    fn a_complete_message_replaces_a_delta() {
        for (choice, expected) in [
            (r#"{"delta": {"refusal": "a"}, "message": {"refusal": "b"}}"#, "a"),
            (r#"{"delta": null, "message": {"refusal": "b"}}"#, "b"),
            (r#"{"delta": {}, "message": {"refusal": "b"}}"#, ""),
            (r#"{"delta": 7}"#, ""),
            ("{}", ""),
        ] {
            let Object(choice): Object<Choice<'_>> = serde_json::from_str(choice).unwrap();
            assert_eq!(choice.delta().refusal.0, expected);
        }
    }
}
