//! The unfinished last event of an SSE stream.

use std::fmt;

use super::Event;

/// What came after the last blank line of a stream.
///
/// `Debug` shows the size of the data instead of the data.
#[derive(Clone, PartialEq, Eq)]
pub struct Unfinished {
    pub(super) name: String,
    pub(super) data: Option<String>,
    pub(super) id: String,
}

impl Unfinished {
    /// Returns the event as if a blank line had ended the stream; `None` if it has no data.
    ///
    /// The standard drops this event, and so do OpenAI's SDKs for Python, JavaScript and Go
    /// (`_streaming.py`, `streaming.ts`, `ssestream.go`). Line-based readers accept it, so their
    /// users do not notice a server that omits the last blank line. Use it only if the data itself
    /// shows that it is complete, as `[DONE]` and JSON objects do. Plain text does not.
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
