//! The members to read from a whole body, or from a line of a stream, which has the same form.
//! Texts are borrowed.

use std::borrow::Cow;

use crate::wire::beside::Beside;
use crate::wire::json::array::Array;
use crate::wire::json::bounded::{Content, Detail};
use crate::wire::json::number::Number;
use crate::wire::json::object::{Object, members};
use crate::wire::json::string::LooseString;

/// `ChatResponse` in `api/types.go`. Other servers imitate the format, so any member can be
/// missing, null or malformed.
#[derive(Default)]
pub(super) struct Chunk<'a> {
    pub(super) model: LooseString<'a>,
    /// Not kept, because the caller has a clock.
    pub(super) created_at: LooseString<'a>,
    pub(super) message: Option<Object<Said<'a>>>,
    /// The text of `/api/generate`, which some servers send for `/api/chat` too.
    pub(super) response: Option<LooseString<'a>>,
    /// The thoughts of `/api/generate`.
    pub(super) thinking: Option<LooseString<'a>>,
    pub(super) done: Number,
    pub(super) done_reason: LooseString<'a>,
    pub(super) prompt_tokens: Number,
    pub(super) output_tokens: Number,
    pub(super) logprobs: Option<Box<Content>>,
    pub(super) error: Option<Box<Detail>>,
    /// What OpenAI's formats have instead of a message.
    pub(super) choices: Option<Box<Detail>>,
    /// Other members: durations in nanoseconds, the host of a remote model.
    pub(super) beside: Beside,
}

members!(impl [] Chunk<'de> {
    "model" => model,
    "created_at" => created_at,
    "message" => message,
    "response" => response,
    "thinking" => thinking,
    "done" => done,
    "done_reason" => done_reason,
    "prompt_eval_count" => prompt_tokens,
    "eval_count" => output_tokens,
    "logprobs" => logprobs,
    "error" => error,
    "choices" => choices,
    _ => |chunk: &mut Self, name, members| chunk.beside.take(name, members),
});

impl<'a> Chunk<'a> {
    /// Returns the text, and whether it is a thought, if the line adds nothing else and the text has
    /// no escapes.
    pub(super) fn only_text(&self) -> Option<(&'a str, bool)> {
        let Object(said) = self.message.as_ref()?;
        let (text, is_thought) = match (&said.content.0, &said.thinking.0) {
            (Cow::Borrowed(text), thought) if thought.is_empty() => (*text, false),
            (text, Cow::Borrowed(thought)) if text.is_empty() => (*thought, true),
            _ => return None,
        };
        let texts = [&self.response, &self.thinking];
        let alone = texts.iter().all(|text| text.is_none())
            && said.reasoning.0.is_empty()
            && said.calls.items.is_empty()
            && said.images.items.is_empty()
            && !said.calls.exceeded
            && !said.images.exceeded
            && !self.done.is_yes()
            && matches!(self.prompt_tokens, Number::None)
            && matches!(self.output_tokens, Number::None)
            && self.logprobs.is_none()
            && self.beside.is_empty();
        alone.then_some((text, is_thought))
    }

    /// Returns true if it has none of this format's members.
    pub(super) fn is_foreign(&self) -> bool {
        self.message.is_none()
            && self.response.is_none()
            && self.error.is_none()
            && !self.done.is_yes()
    }

    /// Returns the message. Some servers send it in the form of `/api/generate`.
    pub(super) fn said(&mut self) -> Said<'a> {
        let Object(mut said) = self.message.take().unwrap_or_default();
        if said.thinking.0.is_empty() {
            said.thinking = std::mem::take(&mut said.reasoning);
        }
        if said.content.0.is_empty() {
            said.content = self.response.take().unwrap_or_default();
        }
        if said.thinking.0.is_empty() {
            said.thinking = self.thinking.take().unwrap_or_default();
        }
        said
    }
}

/// `Message` in `api/types.go`; its role is always `assistant`.
#[derive(Default)]
pub(super) struct Said<'a> {
    pub(super) content: LooseString<'a>,
    pub(super) thinking: LooseString<'a>,
    reasoning: LooseString<'a>,
    pub(super) calls: Array<Content>,
    pub(super) images: Array<LooseString<'a>>,
}

members!(impl [] Said<'de> {
    "content" => content,
    "thinking" => thinking,
    // Servers that mix the formats (aimock) send the name that OpenAI's followers use.
    "reasoning_content" => reasoning,
    "tool_calls" => calls,
    "images" => images,
});
