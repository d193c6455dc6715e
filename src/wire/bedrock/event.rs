//! The members of a stream's events.

use crate::wire::beside::Beside;
use crate::wire::json::bounded::{Content, Detail};
use crate::wire::json::object::{Object, members};
use crate::wire::json::string::{Count, LooseString};

/// The members of all events (`ConverseStreamOutput`). The event's name decides which ones can occur.
#[derive(Default)]
pub(super) struct Event<'a> {
    pub(super) index: Count,
    pub(super) delta: Object<Delta<'a>>,
    pub(super) start: Option<Box<Content>>,
    pub(super) stop_reason: LooseString<'a>,
    pub(super) usage: Option<Box<Detail>>,
    pub(super) tier: Option<Box<Detail>>,
    /// Other members: metrics, traces, and `p`, which hides the length of the others.
    pub(super) beside: Beside,
}

members!(impl [] Event<'de> {
    "contentBlockIndex" => index,
    "delta" => delta,
    "start" => start,
    "stopReason" => stop_reason,
    "usage" => usage,
    "serviceTier" => tier,
    _ => |event: &mut Self, name, members| match name {
        "p" | "role" => Ok(false),
        name => event.beside.take(name, members),
    },
});

/// `ContentBlockDelta`, of which one member is set.
#[derive(Default)]
pub(super) struct Delta<'a> {
    pub(super) text: LooseString<'a>,
    pub(super) tool_use: Object<Input<'a>>,
    pub(super) reasoning: Object<Reasoning<'a>>,
    pub(super) citation: Option<Box<Detail>>,
    pub(super) tool_result: Option<Box<Content>>,
    pub(super) image: Option<Box<Content>>,
}

members!(impl [] Delta<'de> {
    "text" => text,
    "toolUse" => tool_use,
    "reasoningContent" => reasoning,
    "citation" => citation,
    "toolResult" => tool_result,
    "image" => image,
});

/// `ToolUseBlockDelta`.
#[derive(Default)]
pub(super) struct Input<'a> {
    pub(super) input: LooseString<'a>,
}

members!(impl [] Input<'de> {
    "input" => input,
});

/// `ReasoningContentBlockDelta`.
#[derive(Default)]
pub(super) struct Reasoning<'a> {
    pub(super) text: LooseString<'a>,
    pub(super) signature: LooseString<'a>,
    pub(super) redacted: LooseString<'a>,
}

members!(impl [] Reasoning<'de> {
    "text" => text,
    "signature" => signature,
    "redactedContent" => redacted,
});
