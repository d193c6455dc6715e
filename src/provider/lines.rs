//! Lines out of pieces of a byte stream, for [`sse`](super::sse) and
//! [`ndjson`](super::ndjson).

use super::Failure;
use crate::error::{Error, ErrorKind};

/// The most bytes a buffer keeps when it has become empty: what a stream of usual
/// events needs is not allocated again and again, and one huge event does not hold
/// its memory until the stream ends.
pub(super) const KEPT: usize = 64 * 1024;

/// The bytes that are searched for the end of a line at once.
const BLOCK: usize = 32;

/// Why a stream is not read any further.
///
/// As a [`tollgate::Error`](Error) it is of kind
/// [`Protocol`](crate::ErrorKind::Protocol).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// A line is longer than its limit.
    #[error("a line of the stream is longer than {limit} bytes")]
    LineTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The lines of one event are together longer than their limit.
    #[error("an event of the stream is longer than {limit} bytes")]
    EventTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The callback of an earlier push failed, so that the rest of what was pushed
    /// then is lost.
    #[error("the stream was abandoned in the middle")]
    Abandoned,
}

impl From<ParseError> for Error {
    fn from(cause: ParseError) -> Self {
        Self::new(ErrorKind::Protocol, cause.to_string()).with_source(cause)
    }
}

impl From<ParseError> for Failure {
    fn from(cause: ParseError) -> Self {
        Self::protocol(cause.to_string())
    }
}

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// CR, LF or CRLF.
    Any,
    /// LF.
    Lf,
}

/// A line without its ending.
#[derive(Debug)]
pub(super) enum Line<'b> {
    /// It lies whole in the bytes at hand.
    Whole(&'b [u8]),
    /// It was put together from several pieces.
    Joined(Vec<u8>),
}

/// Splits a stream into lines.
///
/// Every byte is looked at once and, where its line is not whole in one piece,
/// copied once, so the work is linear in the length of the stream however it is cut.
pub(super) struct Lines {
    ending: Ending,
    limit: usize,
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    /// The last byte was a CR that ended a line: an LF right after it belongs to it.
    after_cr: bool,
    /// No line has ended yet, so the byte order mark may stand before the next.
    first: bool,
}

impl Lines {
    pub(super) fn new(ending: Ending, limit: usize) -> Self {
        Self { ending, limit, partial: Vec::new(), after_cr: false, first: true }
    }

    /// Takes the next line off `bytes`. None when no line ends in them; they are
    /// kept then.
    pub(super) fn next<'b>(
        &mut self,
        bytes: &mut &'b [u8],
    ) -> Result<Option<Line<'b>>, ParseError> {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            *bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        let end = match self.ending {
            Ending::Any => position(bytes, |byte| byte == b'\n' || byte == b'\r'),
            Ending::Lf => position(bytes, |byte| byte == b'\n'),
        };
        let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        if piece.len() > self.limit - self.partial.len() {
            return Err(ParseError::LineTooLong { limit: self.limit });
        }
        let Some((ending, rest)) = rest.split_first() else {
            self.partial.extend_from_slice(piece);
            *bytes = rest;
            return Ok(None);
        };
        *bytes = rest;
        self.after_cr = *ending == b'\r';
        if self.partial.is_empty() {
            return Ok(Some(Line::Whole(if self.starts() { without_mark(piece) } else { piece })));
        }
        self.partial.extend_from_slice(piece);
        Ok(self.last().map(Line::Joined))
    }

    /// Takes the line whose end has not come; none where it has no bytes.
    pub(super) fn last(&mut self) -> Option<Vec<u8>> {
        if self.partial.is_empty() {
            return None;
        }
        let mut line = std::mem::take(&mut self.partial);
        if self.starts() {
            line.drain(..line.len() - without_mark(&line).len());
        }
        Some(line)
    }

    /// Takes a joined line's buffer back for the next.
    pub(super) fn reuse(&mut self, mut line: Vec<u8>) {
        empty(&mut line);
        self.partial = line;
    }

    /// Whether the line at hand is the stream's first.
    fn starts(&mut self) -> bool {
        std::mem::take(&mut self.first)
    }
}

/// Empties a buffer for its next use.
pub(super) fn empty(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(KEPT);
}

/// The line without the byte order mark, which "UTF-8 decode" of the Encoding
/// Standard (encoding.spec.whatwg.org, section 6) takes off the beginning of a
/// stream.
fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line)
}

/// Where the first byte that ends a line is.
fn position(bytes: &[u8], ends: impl Fn(u8) -> bool) -> Option<usize> {
    let mut start = 0;
    for block in bytes.chunks_exact(BLOCK) {
        // Without a way out in the middle, so that the compiler looks at all the
        // bytes of a block at once.
        if block.iter().fold(false, |found, byte| found | ends(*byte)) {
            break;
        }
        start += BLOCK;
    }
    bytes[start..].iter().position(|byte| ends(*byte)).map(|at| start + at)
}
