//! The members to read from an event of a stream and from a whole body. Texts are borrowed.

use crate::wire::beside::Beside;
use crate::wire::json::bounded::{Content, Detail};
use crate::wire::json::object::{Object, members};
use crate::wire::json::string::{Count, LooseString, Written};

/// An event of any kind (`StreamedChatResponseV2`); each kind has some of these. Gateways imitate
/// the format, so any member can be missing, null or malformed.
#[derive(Default)]
pub(super) struct Event<'a> {
    pub(super) kind: LooseString<'a>,
    pub(super) id: LooseString<'a>,
    pub(super) index: Count,
    pub(super) delta: Object<Delta<'a>>,
    /// The log probability of a `content-delta`'s token (`LogprobItem`).
    pub(super) logprobs: Option<Box<Content>>,
    /// Other members, such as `meta`.
    pub(super) beside: Beside,
}

members!(impl [] Event<'de> {
    "type" => kind,
    "id" => id,
    "index" => index,
    "delta" => delta,
    "logprobs" => logprobs,
    _ => |event: &mut Self, name, members| event.beside.take(name, members),
});

/// Every event except `message-end` has its content inside `message`.
#[derive(Default)]
pub(super) struct Delta<'a> {
    pub(super) message: Object<News<'a>>,
    pub(super) finish_reason: LooseString<'a>,
    pub(super) usage: Option<Box<Detail>>,
    /// Why an answer with the finish reason `ERROR` failed.
    pub(super) error: Option<Box<Detail>>,
    pub(super) beside: Beside,
}

members!(impl [] Delta<'de> {
    "message" => message,
    "finish_reason" => finish_reason,
    "usage" => usage,
    "error" => error,
    _ => |delta: &mut Self, name, members| delta.beside.take(name, members),
});

/// What an event adds to the message. In `message-start` it has empty lists.
#[derive(Default)]
pub(super) struct News<'a> {
    pub(super) content: Object<Words<'a>>,
    pub(super) plan: LooseString<'a>,
    pub(super) call: Option<Box<Content>>,
    pub(super) citation: Option<Box<Content>>,
}

members!(impl [] News<'de> {
    "content" => content,
    "tool_plan" => plan,
    "tool_calls" => call,
    "citations" => citation,
});

/// A content block or a piece of one. A piece has no `type`.
#[derive(Default)]
pub(super) struct Words<'a> {
    pub(super) kind: LooseString<'a>,
    pub(super) text: Option<LooseString<'a>>,
    pub(super) thinking: Option<LooseString<'a>>,
    /// True if it has other members.
    pub(super) more: bool,
}

members!(impl [] Words<'de> {
    "type" => kind,
    "text" => text,
    "thinking" => thinking,
    _ => |words: &mut Self, _, _| {
        words.more = true;
        Ok(false)
    },
});

/// `ChatResponseV2`.
#[derive(Default)]
pub(super) struct Body<'a> {
    pub(super) id: LooseString<'a>,
    pub(super) finish_reason: LooseString<'a>,
    pub(super) message: Option<Object<Message<'a>>>,
    pub(super) usage: Option<Box<Detail>>,
    pub(super) logprobs: Option<Box<Content>>,
    pub(super) error: Option<Box<Detail>>,
    /// Other members, such as `meta` with warnings.
    pub(super) beside: Beside,
}

members!(impl [] Body<'de> {
    "id" => id,
    "finish_reason" => finish_reason,
    "message" => message,
    "usage" => usage,
    "logprobs" => logprobs,
    "error" => error,
    _ => |body: &mut Self, name, members| body.beside.take(name, members),
});

/// `AssistantMessageResponse`.
#[derive(Default)]
pub(super) struct Message<'a> {
    pub(super) content: Written<'a>,
    pub(super) plan: LooseString<'a>,
    pub(super) calls: Content,
    pub(super) citations: Content,
    pub(super) beside: Beside,
}

members!(impl [] Message<'de> {
    "content" => content,
    "tool_plan" => plan,
    "tool_calls" => calls,
    "citations" => citations,
    _ => |message: &mut Self, name, members| message.beside.take(name, members),
});
