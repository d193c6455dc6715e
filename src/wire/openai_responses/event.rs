//! The members of a stream's event that are read.
//!
//! A stream has an event for every word. To keep events cheap, texts are borrowed and rare members
//! are boxed.

use super::decode::Body;
use crate::wire::json::bounded::{Content, Detail};
use crate::wire::json::object::{Object, members};
use crate::wire::json::string::{Count, LooseString};

/// An event of any kind (`response_stream_event.py`). Each kind has some of these members.
#[derive(Default)]
pub(super) struct Event<'a> {
    pub(super) kind: LooseString<'a>,
    pub(super) output_index: Count,
    pub(super) content_index: Count,
    pub(super) summary_index: Count,
    pub(super) item_id: LooseString<'a>,
    /// The next piece of a text.
    pub(super) delta: LooseString<'a>,
    /// The whole text, once it is complete.
    pub(super) text: LooseString<'a>,
    pub(super) refusal: LooseString<'a>,
    pub(super) arguments: LooseString<'a>,
    pub(super) item: Option<Box<Content>>,
    pub(super) part: Option<Box<Content>>,
    pub(super) annotation: Option<Box<Detail>>,
    pub(super) annotation_index: Count,
    pub(super) response: Option<Object<Box<Body<'a>>>>,
    pub(super) error: Option<Box<Detail>>,
}

members!(impl [] Event<'de> {
    "type" => kind,
    "output_index" => output_index,
    "content_index" => content_index,
    "summary_index" => summary_index,
    "item_id" => item_id,
    "delta" => delta,
    "text" => text,
    "refusal" => refusal,
    "arguments" => arguments,
    "item" => item,
    "part" => part,
    "annotation" => annotation,
    "annotation_index" => annotation_index,
    "response" => response,
    "error" => error,
});
