//! The members of a stream's event that are read. Texts are borrowed, and rare members are boxed,
//! because there is an event for every word and events are moved.

use crate::wire::json::bounded::{Content, Detail};
use crate::wire::json::object::{Object, members};
use crate::wire::json::string::{Count, LooseString};
use std::borrow::Cow;

/// An event of any kind (`raw_message_stream_event.py`); each kind has some of these.
#[derive(Default)]
pub(super) struct Event<'a> {
    pub(super) kind: LooseString<'a>,
    pub(super) index: Count,
    /// In `message_start`; in an `error` of some gateways, the error message.
    pub(super) message: Option<Box<Detail>>,
    pub(super) content_block: Option<Box<Content>>,
    /// The delta of a block, or of the message with its stop reason.
    pub(super) delta: Object<Delta<'a>>,
    pub(super) usage: Option<Box<Detail>>,
    pub(super) error: Option<Box<Detail>>,
}

members!(impl [] Event<'de> {
    "type" => kind,
    "index" => index,
    "message" => message,
    "content_block" => content_block,
    "delta" => delta,
    "usage" => usage,
    "error" => error,
});

/// (`raw_content_block_delta.py`, `raw_message_delta_event.py`)
#[derive(Default)]
pub(super) struct Delta<'a> {
    pub(super) kind: LooseString<'a>,
    pub(super) text: LooseString<'a>,
    pub(super) partial_json: LooseString<'a>,
    pub(super) thinking: LooseString<'a>,
    pub(super) signature: LooseString<'a>,
    pub(super) citation: Option<Box<Detail>>,
    pub(super) stop_reason: LooseString<'a>,
}

impl<'a> Delta<'a> {
    /// Returns the thinking or the text.
    pub(super) fn words(&mut self) -> &mut Cow<'a, str> {
        match &*self.kind.0 {
            "thinking_delta" => &mut self.thinking.0,
            _ => &mut self.text.0,
        }
    }
}

members!(impl [] Delta<'de> {
    "type" => kind,
    "text" => text,
    "partial_json" => partial_json,
    "thinking" => thinking,
    "signature" => signature,
    "citation" => citation,
    "stop_reason" => stop_reason,
});
