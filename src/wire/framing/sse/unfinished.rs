//! The last event of an SSE stream that ended without a blank line.

use std::fmt;

use super::Event;

/// What a stream ended with in place of a blank line.
///
/// `Debug` shows the size of the data, not the data.
#[derive(Clone, PartialEq, Eq)]
pub struct Unfinished {
    pub(super) name: String,
    pub(super) data: Option<String>,
    pub(super) id: String,
}

impl Unfinished {
    /// The event as it would be if the stream had ended with a blank line; none
    /// where it has no data.
    ///
    /// The standard drops it, and so do OpenAI's SDKs for Python, JavaScript and Go
    /// (`_streaming.py`, `streaming.ts`, `ssestream.go`). Readers that go by lines
    /// and not by events take it, and so do not notice a server that leaves the last
    /// blank line out. A caller that takes it must be able to tell from the data
    /// whether it is whole: this works for `[DONE]` and JSON objects, but not for plain text.
    pub fn event(&self) -> Option<Event<'_>> {
        let name = (!self.name.is_empty()).then_some(self.name.as_str());
        self.data.as_deref().map(|data| Event { name, data, id: &self.id })
    }
}

impl fmt::Debug for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unfinished").field(&self.event()).finish()
    }
}
