//! A parser for server-sent events, by the rules of the HTML Standard (html.spec.whatwg.org,
//! sections 9.2.5 "Parsing an event stream" and 9.2.6 "Interpreting an event stream").
//!
//! It is for programs with their own transport; the client reads its streams with the same parser.
//! It takes the bytes of a stream in pieces of any size, and yields an event as soon as the blank
//! line after it arrives.
//!
//! ```
//! use tollgate::sse::{ParseError, Parser};
//!
//! let mut parser = Parser::new();
//! let mut seen = Vec::new();
//! for bytes in [&b"event: ping\nda"[..], b"ta: 1\n", b"\ndata: 2\n\n"] {
//!     parser.push(bytes, |event| {
//!         seen.push((event.name.map(str::to_owned), event.data.to_owned()));
//!         Ok::<_, ParseError>(())
//!     })?;
//! }
//! assert_eq!(seen, [(Some("ping".to_owned()), "1".to_owned()), (None, "2".to_owned())]);
//! assert!(parser.finish()?.is_none());
//! # Ok::<_, ParseError>(())
//! ```

mod unfinished;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::chat::Hidden;
pub use crate::wire::framing::lines::ParseError;
use crate::wire::framing::lines::{Ending, KEPT, Line, Lines, append, empty};
pub use unfinished::Unfinished;

/// Returns true if the value of a `Content-Type` header means an event stream: `text/event-stream`
/// in any case and with any parameters. A charset parameter has no effect, because an event stream
/// is always UTF-8 (HTML Standard, sections 9.2.3 and 9.2.5).
pub fn is_event_stream(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    // HTTP whitespace, as the Fetch Standard defines it.
    essence.trim_matches([' ', '\t', '\r', '\n']).eq_ignore_ascii_case("text/event-stream")
}

/// A server-sent event.
///
/// Its texts are borrowed, straight from the pushed bytes if they are complete there. Invalid UTF-8
/// becomes U+FFFD. `Debug` shows the size of the data instead of the data.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event<'a> {
    /// The `event` field; `None` if it is missing or empty. The standard calls such an event
    /// `message`.
    pub name: Option<&'a str>,
    /// The values of the `data` fields, joined by LF.
    pub data: &'a str,
    /// The last `id` of the stream up to this event; empty if there was none.
    pub id: &'a str,
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("name", &self.name)
            .field("data", &Hidden(self.data.len()))
            .field("id", &self.id)
            .finish()
    }
}

/// The sizes at which the parser stops reading a stream.
///
/// Both default to 32 MiB. OpenAI's SDK for Go allows as much per line
/// (`packages/ssestream/ssestream.go`), and it is enough for an image in base64, the largest thing
/// that models stream. The parser's buffers hold at most one line, one event and the previous
/// event's `id`, plus the same again as spare capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of a line, without its ending. Default: 32 MiB.
    pub line: usize,
    /// The most bytes of an event's name, data and id together. Default: 32 MiB.
    pub event: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line: 32 * 1024 * 1024, event: 32 * 1024 * 1024 }
    }
}

/// Parses an event stream as you push its bytes.
///
/// The events do not depend on how the stream is cut into pushes. The work is linear in its length,
/// and the [`Limits`] bound the memory.
pub struct Parser {
    lines: Lines,
    limit: usize,
    /// The part of the current event that earlier pushes brought.
    name: Vec<u8>,
    data: Vec<u8>,
    /// True if the event has data. `data` alone cannot say so: it is empty for one empty line.
    has_data: bool,
    /// True if a field came after the last blank line.
    begun: bool,
    /// The id of the last event.
    id: String,
    /// The id for the next event, if it set a new one.
    next_id: String,
    has_next_id: bool,
    retry: Option<Duration>,
    /// Why the parser accepts no more bytes.
    broken: Option<ParseError>,
}

/// The parts of an event found by the current push. They are only copied if the push ends before
/// the event does.
#[derive(Default)]
struct Found<'b> {
    name: Option<&'b [u8]>,
    /// The event's only line of data so far.
    data: Option<&'b [u8]>,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Parser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parser")
            .field("last_event_id", &self.id)
            .field("retry", &self.retry)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

impl Parser {
    /// Creates a parser with the default [`Limits`].
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    /// Creates a parser with these limits. Default of [`new`](Self::new): 32 MiB each.
    pub fn with_limits(limits: Limits) -> Self {
        Self {
            lines: Lines::new(Ending::Any, limits.line),
            limit: limits.event,
            name: Vec::new(),
            data: Vec::new(),
            has_data: false,
            begun: false,
            id: String::new(),
            next_id: String::new(),
            has_next_id: false,
            retry: None,
            broken: None,
        }
    }

    /// Parses the next bytes of the stream and calls `on_event` for every event that ends in them.
    ///
    /// An event with one line of data that is complete in `bytes` is borrowed from there. Only
    /// split or joined data is copied.
    ///
    /// # Errors
    ///
    /// - [`ParseError`] if a line or an event is larger than its limit, after `on_event` got the
    ///   events before it. Every later push fails the same way.
    /// - The error of `on_event`, which ends the push at once. The rest of `bytes` is lost, so
    ///   every later push fails with [`ParseError::Abandoned`].
    pub fn push<E: From<ParseError>>(
        &mut self,
        bytes: &[u8],
        on_event: impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(cause) = self.broken {
            return Err(cause.into());
        }
        // Until this push completes: `on_event` can fail or panic.
        self.broken = Some(ParseError::Abandoned);
        self.read(bytes, on_event)?;
        self.broken = None;
        Ok(())
    }

    fn read<E: From<ParseError>>(
        &mut self,
        mut bytes: &[u8],
        mut on_event: impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut found = Found::default();
        while let Some(line) = self.lines.next(&mut bytes).map_err(|cause| self.fail(cause))? {
            let blank = match line {
                Line::Whole(line) => {
                    self.field(line, &mut found).map_err(|cause| self.fail(cause))?;
                    line.is_empty()
                }
                // Its first piece came in an earlier push, so `found` is still empty.
                Line::Joined(line) => {
                    self.copied_field(&line).map_err(|cause| self.fail(cause))?;
                    let blank = line.is_empty();
                    self.lines.reuse(line);
                    blank
                }
            };
            if blank {
                self.dispatch(&mut found, &mut on_event)?;
            }
        }
        self.keep(found);
        Ok(())
    }

    /// Processes a line; `found` may borrow from it.
    fn field<'b>(&mut self, line: &'b [u8], found: &mut Found<'b>) -> Result<(), ParseError> {
        if line.is_empty() || line.starts_with(b":") {
            return Ok(());
        }
        self.begun = true;
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" if !self.has_data && found.data.is_none() => found.data = Some(value),
            b"data" => {
                if let Some(first) = found.data.take() {
                    self.add(first);
                }
                self.add(value);
            }
            b"event" => found.name = Some(value),
            b"id" if !value.contains(&0) => {
                self.next_id.clear();
                self.next_id.push_str(&String::from_utf8_lossy(value));
                self.has_next_id = true;
            }
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                self.retry = Some(Duration::from_millis(saturating(value)));
            }
            _ => {}
        }
        let name = found.name.map_or(self.name.len(), <[u8]>::len);
        let data = found.data.map_or(self.data.len(), <[u8]>::len);
        if name + data + self.coming_id().len() > self.limit {
            return Err(ParseError::EventTooLong { limit: self.limit });
        }
        Ok(())
    }

    /// Processes a line that does not outlive the push.
    fn copied_field(&mut self, line: &[u8]) -> Result<(), ParseError> {
        let mut found = Found::default();
        self.field(line, &mut found)?;
        self.keep(found);
        Ok(())
    }

    /// Adds a line of data.
    fn add(&mut self, line: &[u8]) {
        if self.has_data {
            self.data.push(b'\n');
        }
        append(&mut self.data, line);
        self.has_data = true;
    }

    /// Copies what the event needs after this push.
    fn keep(&mut self, found: Found<'_>) {
        if let Some(name) = found.name {
            self.name.clear();
            append(&mut self.name, name);
        }
        if let Some(data) = found.data {
            self.add(data);
        }
    }

    /// Dispatches the event at a blank line.
    fn dispatch<E>(
        &mut self,
        found: &mut Found<'_>,
        on_event: &mut impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.begun = false;
        if self.has_next_id {
            std::mem::swap(&mut self.id, &mut self.next_id);
            self.has_next_id = false;
            self.next_id.clear();
            self.next_id.shrink_to(KEPT);
        }
        let found = std::mem::take(found);
        if self.has_data || found.data.is_some() {
            let name = lossy(found.name.unwrap_or(&self.name));
            let data = lossy(found.data.unwrap_or(&self.data));
            on_event(Event {
                name: (!name.is_empty()).then_some(&*name),
                data: &data,
                id: &self.id,
            })?;
        }
        empty(&mut self.name);
        empty(&mut self.data);
        self.has_data = false;
        Ok(())
    }

    fn fail(&mut self, cause: ParseError) -> ParseError {
        self.broken = Some(cause);
        cause
    }

    /// Returns the id that the next event will have.
    fn coming_id(&self) -> &str {
        if self.has_next_id { &self.next_id } else { &self.id }
    }

    /// Returns the standard's "last event ID string", to send as `Last-Event-ID` when you reopen
    /// the stream: the last `id` whose event was ended by a blank line. Empty if there was none.
    pub fn last_event_id(&self) -> &str {
        &self.id
    }

    /// Returns how long the server asks clients to wait before they reopen the stream: its last
    /// `retry` field, which is in milliseconds. `None` if it sent none.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Ends the stream. Returns `None` if it ended after a blank line (comments aside). Otherwise
    /// the stream broke off inside an event, and this returns what came after the last blank line.
    /// The standard drops it.
    ///
    /// # Errors
    ///
    /// The [`ParseError`] of an earlier push, or of the last line.
    pub fn finish(mut self) -> Result<Option<Unfinished>, ParseError> {
        if let Some(cause) = self.broken {
            return Err(cause);
        }
        if let Some(line) = self.lines.last() {
            self.copied_field(&line)?;
        }
        Ok(self.begun.then(|| Unfinished {
            name: text(self.name),
            data: self.has_data.then(|| text(self.data)),
            id: if self.has_next_id { self.next_id } else { self.id },
        }))
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|invalid| String::from_utf8_lossy(invalid.as_bytes()).into_owned())
}

/// Converts bytes to text. The check for valid UTF-8 comes first because it is fast and almost
/// always succeeds.
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// Parses digits; the result saturates.
fn saturating(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number: u64, digit| {
        number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests;
