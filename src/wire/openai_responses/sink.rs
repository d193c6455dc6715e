//! Where a stream's new content goes.

use crate::chat::StreamEvent;
use crate::wire::stream::SizeLimit;

/// Takes new content: it is counted against the size limit, then passed on as events.
pub(super) struct Sink<'s> {
    pub(super) room: &'s mut SizeLimit,
    pub(super) events: &'s mut Vec<StreamEvent>,
    /// True if texts of the current event can have marks for halves of characters.
    pub(super) marked: bool,
}
