//! Splits a byte stream into lines, for [`sse`](crate::wire::framing::sse) and
//! [`ndjson`](crate::wire::framing::ndjson).

use crate::error::{Error, ErrorKind};
use crate::scan::plain_blocks;
use crate::wire::Failure;

/// The most bytes that an emptied buffer keeps allocated. Events of the usual size then need no new
/// allocation, and one huge event does not hold its memory until the stream ends.
pub(in crate::wire) const KEPT: usize = 64 * 1024;

/// Why the parser stopped reading a stream.
///
/// Converted to a [`tollgate::Error`](Error), its kind is [`Protocol`](crate::ErrorKind::Protocol).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// A line is longer than the limit.
    #[error("a line of the stream is longer than the limit of {limit} bytes")]
    LineTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The lines of one event together are longer than the limit.
    #[error("an event of the stream is longer than the limit of {limit} bytes")]
    EventTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The callback failed in an earlier push, so the rest of those bytes is lost.
    #[error("the callback failed in an earlier push; the rest of the stream is lost")]
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

/// The line endings that a stream uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) enum Ending {
    /// CR, LF or CRLF.
    Any,
    /// LF.
    Lf,
}

impl Ending {
    /// The bytes that end a line.
    fn bytes(self) -> [u8; 2] {
        match self {
            Self::Any => *b"\r\n",
            Self::Lf => *b"\n\n",
        }
    }
}

/// A line without its ending.
#[derive(Debug)]
pub(in crate::wire) enum Line<'b> {
    /// The line is complete in the current bytes.
    Whole(&'b [u8]),
    /// The line was joined from several pieces.
    Joined(Vec<u8>),
}

/// Splits a stream into lines.
///
/// It searches each byte at most once, and copies it at most once, if its line arrives in several
/// pieces. The work is therefore linear in the length of the stream, however it
/// is cut.
pub(in crate::wire) struct Lines {
    ending: Ending,
    limit: usize,
    /// The start of a line whose end has not arrived.
    partial: Vec<u8>,
    /// The last byte was a CR that ended a line. An LF right after it belongs to it.
    after_cr: bool,
    /// No line has ended yet, so a byte order mark may come before the next one.
    first: bool,
}

impl Lines {
    pub(in crate::wire) fn new(ending: Ending, limit: usize) -> Self {
        Self { ending, limit, partial: Vec::new(), after_cr: false, first: true }
    }

    /// Takes the next line off `bytes`. If no line ends in them, returns `None` and keeps them.
    pub(in crate::wire) fn next<'b>(
        &mut self,
        bytes: &mut &'b [u8],
    ) -> Result<Option<Line<'b>>, ParseError> {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            *bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        let end = position(self.ending.bytes(), bytes);
        let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        if piece.len() > self.limit - self.partial.len() {
            return Err(ParseError::LineTooLong { limit: self.limit });
        }
        let Some((ending, rest)) = rest.split_first() else {
            append(&mut self.partial, piece);
            *bytes = rest;
            return Ok(None);
        };
        *bytes = rest;
        self.after_cr = *ending == b'\r';
        if self.partial.is_empty() {
            return Ok(Some(Line::Whole(if self.starts() { without_mark(piece) } else { piece })));
        }
        append(&mut self.partial, piece);
        Ok(self.last().map(Line::Joined))
    }

    /// Takes the unfinished last line; `None` if it is empty.
    pub(in crate::wire) fn last(&mut self) -> Option<Vec<u8>> {
        if self.partial.is_empty() {
            return None;
        }
        let mut line = std::mem::take(&mut self.partial);
        if self.starts() {
            line.drain(..line.len() - without_mark(&line).len());
        }
        Some(line)
    }

    /// Reuses a joined line's buffer for the next one.
    pub(in crate::wire) fn reuse(&mut self, mut line: Vec<u8>) {
        empty(&mut line);
        self.partial = line;
    }

    #[cfg(test)]
    pub(in crate::wire) fn capacity(&self) -> usize {
        self.partial.capacity()
    }

    /// Returns true for the stream's first line.
    fn starts(&mut self) -> bool {
        std::mem::take(&mut self.first)
    }
}

/// Appends bytes to a buffer. This module and its two parsers copy only through this function, so
/// that tests can count the work.
pub(in crate::wire) fn append(buffer: &mut Vec<u8>, bytes: &[u8]) {
    #[cfg(test)]
    work::add(bytes.len());
    buffer.extend_from_slice(bytes);
}

/// Empties a buffer for its next use.
pub(in crate::wire) fn empty(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(KEPT);
}

/// Strips a byte order mark, as "UTF-8 decode" of the Encoding Standard (encoding.spec.whatwg.org,
/// section 6) does at the start of a stream.
fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line)
}

/// Finds the first position of one of two bytes.
fn position([one, other]: [u8; 2], bytes: &[u8]) -> Option<usize> {
    let is_it = |byte: u8| (byte == one) | (byte == other);
    let mut start = plain_blocks::<32>(bytes, is_it);
    start += plain_blocks::<8>(&bytes[start..], is_it);
    let found = bytes[start..].iter().position(|byte| is_it(*byte)).map(|at| start + at);
    #[cfg(test)]
    work::add(found.map_or(bytes.len(), |at| at + 1));
    found
}

/// Counts the bytes that are searched and copied.
#[cfg(test)]
pub(in crate::wire) mod work {
    use std::cell::Cell;

    thread_local!(static DONE: Cell<usize> = const { Cell::new(0) });

    pub(in crate::wire) fn add(bytes: usize) {
        DONE.set(DONE.get() + bytes);
    }

    /// Returns how many bytes `task` searches and copies.
    pub(in crate::wire) fn of(task: impl FnOnce()) -> usize {
        let before = DONE.get();
        task();
        DONE.get() - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64;
    use crate::wire::framing::ndjson;
    use serde_json::Value;

    /// Splits the pieces; returns the complete lines and the start of the next.
    fn split(ending: Ending, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Option<Vec<u8>>) {
        let mut lines = Lines::new(ending, usize::MAX);
        let mut all = Vec::new();
        for mut piece in pieces.iter().copied() {
            while let Some(line) = lines.next(&mut piece).unwrap() {
                match line {
                    Line::Whole(line) => all.push(line.to_vec()),
                    Line::Joined(line) => {
                        all.push(line.clone());
                        lines.reuse(line);
                    }
                }
            }
        }
        (all, lines.last())
    }

    #[test]
    fn a_line_ending_is_found_at_any_position() {
        for length in 0..100 {
            for at in 0..=length {
                let mut bytes = vec![b'x'; length];
                bytes.extend(b"\n");
                bytes[at] = b'\r';
                let lf = bytes.iter().position(|byte| *byte == b'\n');
                assert_eq!(position(*b"\r\n", &bytes), Some(at));
                assert_eq!(position(*b"\r\n", &bytes[..at]), None);
                assert_eq!(position(*b"\n\n", &bytes), lf);
            }
        }
    }

    #[test]
    fn only_lines_in_several_pieces_are_joined() {
        let mut lines = Lines::new(Ending::Any, 100);
        let mut bytes = &b"a\nb\nc"[..];
        assert!(matches!(lines.next(&mut bytes), Ok(Some(Line::Whole(b"a")))));
        assert!(matches!(lines.next(&mut bytes), Ok(Some(Line::Whole(b"b")))));
        assert!(matches!(lines.next(&mut bytes), Ok(None)));
        let mut bytes = &b"d\ne\n"[..];
        assert!(matches!(lines.next(&mut bytes), Ok(Some(Line::Joined(line))) if line == b"cd"));
        assert!(matches!(lines.next(&mut bytes), Ok(Some(Line::Whole(b"e")))));
    }

    /// The test vectors of the line decoder in OpenAI's SDK for JavaScript, from the file in
    /// `TOLLGATE_SSE_VECTORS`. Vectors where a lone CR ends a line do not apply to
    /// newline-delimited JSON, which also skips blank lines.
    #[test]
    fn the_vectors_of_openais_line_decoder_pass() {
        let Some(file) = std::env::var_os("TOLLGATE_SSE_VECTORS") else {
            eprintln!("skipped: TOLLGATE_SSE_VECTORS does not name the file of vectors");
            return;
        };
        let all: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let mut of_json = 0;
        for vector in all["line_vectors"].as_array().unwrap() {
            let pieces: Vec<Vec<u8>> = vector["chunks_b64"]
                .as_array()
                .unwrap()
                .iter()
                .map(|piece| base64::decode(piece.as_str().unwrap()).unwrap())
                .collect();
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let expected: Vec<&str> = vector["expected_lines"]
                .as_array()
                .unwrap()
                .iter()
                .map(|line| line.as_str().unwrap())
                .collect();
            let flush = vector["flush"] == true;

            let (mut lines, last) = split(Ending::Any, &pieces);
            lines.extend(last.filter(|_| flush));
            assert_eq!(lines, expected.iter().map(|line| line.as_bytes()).collect::<Vec<_>>());

            let text = String::from_utf8(pieces.concat()).unwrap();
            if text.replace("\r\n", "").contains('\r') {
                continue;
            }
            of_json += 1;
            let mut lines = Vec::new();
            let mut keep = |line: &str| {
                lines.push(line.to_owned());
                Ok::<_, ParseError>(())
            };
            let mut parser = ndjson::Parser::new();
            for piece in pieces {
                parser.push(piece, &mut keep).unwrap();
            }
            if flush {
                parser.finish(&mut keep).unwrap();
            }
            let filled: Vec<&str> = expected.into_iter().filter(|line| !line.is_empty()).collect();
            assert_eq!(lines, filled);
        }
        println!("{of_json} of the vectors apply to newline-delimited JSON");
        assert!(of_json > 0);
    }
}
