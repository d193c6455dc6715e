//! An event of a stream, as far as it is read. Texts are borrowed from it, and what most events do
//! not have is boxed: there is one for every word, and it is moved.

use super::decode::Body;
use crate::wire::json::bounded::{Content, Detail};
use crate::wire::json::object::{Object, members};
use crate::wire::json::string::{Count, LooseString};

/// An event of any kind (`response_stream_event.py`); each has some of these.
#[derive(Default)]
pub(super) struct Event<'a> {
    pub(super) kind: LooseString<'a>,
    pub(super) output_index: Count,
    pub(super) content_index: Count,
    pub(super) summary_index: Count,
    pub(super) item_id: LooseString<'a>,
    /// More of a text.
    pub(super) delta: LooseString<'a>,
    /// The whole text, at its end.
    pub(super) text: LooseString<'a>,
    pub(super) refusal: LooseString<'a>,
    pub(super) arguments: LooseString<'a>,
    pub(super) item: Option<Box<Content>>,
    pub(super) part: Option<Box<Content>>,
    pub(super) annotation: Option<Box<Detail>>,
    pub(super) annotation_index: Count,
    pub(super) response: Option<Box<Object<Body<'a>>>>,
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
