//! A function call whose arguments arrive in pieces.

use std::borrow::Cow;

use super::sink::Sink;
use crate::chat::{StreamEvent, ToolCall};
use crate::wire::Failure;
use crate::wire::json::halves::Halves;
use crate::wire::stream::arguments::Arguments;

/// A function call, as far as it has arrived.
#[derive(Debug, Default, Clone)]
pub(super) struct StreamedCall {
    /// Its place among the calls of the answer.
    index: usize,
    arguments: Arguments,
    halves: Halves,
    is_started: bool,
    is_complete: bool,
}

impl StreamedCall {
    pub(super) fn new(index: usize) -> Self {
        Self { index, ..Self::default() }
    }

    pub(super) fn is_started(&self) -> bool {
        self.is_started
    }

    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    pub(super) fn arguments(&self) -> &str {
        self.arguments.as_str()
    }

    pub(super) fn into_arguments(self) -> String {
        self.arguments.into_text()
    }

    /// Appends a piece of the arguments.
    pub(super) fn push(&mut self, piece: Cow<'_, str>, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let piece = self.halves.join(piece, sink.marked);
        sink.room.write(&piece)?;
        self.arguments.push(piece);
        Ok(())
    }

    /// Appends what `whole` has beyond the arguments so far. If the two differ, the arguments so
    /// far stay, because the caller has already seen them.
    pub(super) fn push_rest(&mut self, whole: &str, sink: &mut Sink<'_>) -> Result<(), Failure> {
        let Some(rest) = whole.strip_prefix(self.arguments.as_str()) else { return Ok(()) };
        self.halves = Halves::default();
        self.push(Cow::Borrowed(rest), sink)
    }

    /// Ends the arguments, with a replacement character for a half whose other half never arrived
    /// if there is room for one. Returns true if it added one.
    pub(super) fn end(&mut self, sink: &mut Sink<'_>) -> bool {
        let Some(lost) = self.halves.end().filter(|lost| sink.room.write(lost).is_ok()) else {
            return false;
        };
        self.arguments.push(lost.into());
        true
    }

    /// Sends events for the start of the call and for new arguments.
    pub(super) fn report(&mut self, id: &str, name: &str, events: &mut Vec<StreamEvent>) {
        self.start(id, name, events);
        if let Some(delta) = self.arguments.next_delta() {
            events.push(StreamEvent::ToolArgumentsDelta { index: self.index, delta });
        }
    }

    /// Sends the events that are still missing, then the complete call.
    pub(super) fn complete(&mut self, call: ToolCall, events: &mut Vec<StreamEvent>) {
        let index = self.index;
        self.is_complete = true;
        self.start(&call.id, &call.name, events);
        if let Some(delta) = self.arguments.last_delta() {
            events.push(StreamEvent::ToolArgumentsDelta { index, delta });
        }
        events.push(StreamEvent::ToolCallComplete { index, call: call.into() });
    }

    fn start(&mut self, id: &str, name: &str, events: &mut Vec<StreamEvent>) {
        if !self.is_started {
            self.is_started = true;
            let (index, id, name) = (self.index, id.to_owned(), name.to_owned());
            events.push(StreamEvent::ToolCallStarted { index, id, name });
        }
    }
}
