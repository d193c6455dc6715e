//! The members of a response that are read: of a whole body, or of a line of a stream, which has
//! the same form. Texts are borrowed.

use serde::de::MapAccess;

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
    _ => |chunk: &mut Self, name, members| chunk.take_other(name, members),
});

impl<'a> Chunk<'a> {
    /// Takes an unmodelled member. The time is left out, because the caller has a clock.
    fn take_other<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        members: &mut A,
    ) -> Result<bool, A::Error> {
        if name == "created_at" {
            return Ok(false);
        }
        self.beside.take(name, members)
    }

    /// Returns true if it has none of this format's members.
    pub(super) fn is_foreign(&self) -> bool {
        self.message.is_none()
            && self.response.is_none()
            && self.error.is_none()
            && !self.done.is_yes()
    }

    /// Returns the message, also of a server that sends the form of `/api/generate`.
    pub(super) fn said(&mut self) -> Said<'a> {
        let Object(mut said) = self.message.take().unwrap_or_default();
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
    pub(super) calls: Array<Content>,
    pub(super) images: Array<LooseString<'a>>,
}

members!(impl [] Said<'de> {
    "content" => content,
    "thinking" => thinking,
    "tool_calls" => calls,
    "images" => images,
});
