//! Lines out of pieces of a byte stream, for [`sse`](crate::wire::framing::sse) and
//! [`ndjson`](crate::wire::framing::ndjson).

use std::io::BufRead;

use crate::error::{Error, ErrorKind};
use crate::wire::Failure;

/// The most bytes a buffer keeps when it has become empty: what a stream of usual
/// events needs is not allocated again and again, and one huge event does not hold
/// its memory until the stream ends.
pub(in crate::wire) const KEPT: usize = 64 * 1024;

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
pub(in crate::wire) enum Ending {
    /// CR, LF or CRLF.
    Any,
    /// LF.
    Lf,
}

/// A line without its ending.
#[derive(Debug)]
pub(in crate::wire) enum Line<'b> {
    /// It lies whole in the bytes at hand.
    Whole(&'b [u8]),
    /// It was put together from several pieces.
    Joined(Vec<u8>),
}

/// Splits a stream into lines.
///
/// Every byte is looked at once for each of its two endings and, where its line is not
/// whole in one piece, copied once, so the work is linear in the length of the stream however it is cut.
pub(in crate::wire) struct Lines {
    ending: Ending,
    limit: usize,
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    /// The last byte was a CR that ended a line: an LF right after it belongs to it.
    after_cr: bool,
    /// No line has ended yet, so the byte order mark may stand before the next.
    first: bool,
    /// Kept while lines are taken off the same bytes, so that these are searched for it
    /// once, however many lines end by CR before it.
    lf: Lf,
}

/// Where the next LF is.
#[derive(Clone, Copy)]
enum Lf {
    Unknown,
    /// Before so many bytes at the end.
    Before(usize),
    Nowhere,
}

impl Lines {
    pub(in crate::wire) fn new(ending: Ending, limit: usize) -> Self {
        Self { ending, limit, partial: Vec::new(), after_cr: false, first: true, lf: Lf::Unknown }
    }

    /// Takes the next line off `bytes`. None when no line ends in them; they are
    /// kept then.
    pub(in crate::wire) fn next<'b>(
        &mut self,
        bytes: &mut &'b [u8],
    ) -> Result<Option<Line<'b>>, ParseError> {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            *bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        let end = self.end(bytes);
        let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        if piece.len() > self.limit - self.partial.len() {
            return Err(ParseError::LineTooLong { limit: self.limit });
        }
        let Some((ending, rest)) = rest.split_first() else {
            append(&mut self.partial, piece);
            *bytes = rest;
            self.lf = Lf::Unknown;
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

    /// Where the next line ends.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let lf = match self.lf {
            Lf::Nowhere => None,
            Lf::Before(rest) if rest < bytes.len() => Some(bytes.len() - rest - 1),
            Lf::Before(_) | Lf::Unknown => position(b'\n', bytes),
        };
        self.lf = lf.map_or(Lf::Nowhere, |at| Lf::Before(bytes.len() - at - 1));
        match self.ending {
            Ending::Any => position(b'\r', &bytes[..lf.unwrap_or(bytes.len())]).or(lf),
            Ending::Lf => lf,
        }
    }

    /// Takes the line whose end has not come; none where it has no bytes.
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

    /// Takes a joined line's buffer back for the next.
    pub(in crate::wire) fn reuse(&mut self, mut line: Vec<u8>) {
        empty(&mut line);
        self.partial = line;
    }

    #[cfg(test)]
    pub(in crate::wire) fn capacity(&self) -> usize {
        self.partial.capacity()
    }

    /// Whether the line at hand is the stream's first.
    fn starts(&mut self) -> bool {
        std::mem::take(&mut self.first)
    }
}

/// Copies bytes to the end of a buffer; all copying of this module and its two
/// parsers.
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

/// The line without the byte order mark, which "UTF-8 decode" of the Encoding
/// Standard (encoding.spec.whatwg.org, section 6) takes off the beginning of a
/// stream.
fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line)
}

/// Where a byte is first. The search that std has for a slice of bytes, which looks at many
/// at once, is to be had as that of a reader only.
fn position(byte: u8, bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    let read = rest.skip_until(byte).unwrap_or_default();
    #[cfg(test)]
    work::add(read);
    read.checked_sub(1).filter(|at| bytes[*at] == byte)
}

/// Counts the bytes that are looked at and copied.
#[cfg(test)]
pub(in crate::wire) mod work {
    use std::cell::Cell;

    thread_local!(static DONE: Cell<usize> = const { Cell::new(0) });

    pub(in crate::wire) fn add(bytes: usize) {
        DONE.set(DONE.get() + bytes);
    }

    /// What `task` looks at and copies.
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

    /// The lines that end in these pieces, and the beginning of the next.
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
    fn the_end_of_a_line_is_found_wherever_it_is() {
        for length in 0..80 {
            for at in 0..=length {
                let mut bytes = vec![b'x'; length];
                bytes.extend(b"\n");
                bytes[at] = b'\r';
                let cr = bytes.iter().position(|byte| *byte == b'\r');
                assert_eq!(position(b'\r', &bytes), cr);
                assert_eq!(position(b'\r', &bytes[..at]), None);
                let lf = bytes.iter().position(|byte| *byte == b'\n');
                assert_eq!(position(b'\n', &bytes), lf);
            }
        }
    }

    #[test]
    fn only_what_is_cut_is_joined() {
        let mut lines = Lines::new(Ending::Any, 100);
        let mut bytes = &b"a\nb\nc"[..];
        assert!(matches!(lines.next(&mut bytes), Ok(Some(Line::Whole(b"a")))));
        assert!(matches!(lines.next(&mut bytes), Ok(Some(Line::Whole(b"b")))));
        assert!(matches!(lines.next(&mut bytes), Ok(None)));
        let mut bytes = &b"d\ne\n"[..];
        assert!(matches!(lines.next(&mut bytes), Ok(Some(Line::Joined(line))) if line == b"cd"));
        assert!(matches!(lines.next(&mut bytes), Ok(Some(Line::Whole(b"e")))));
    }

    /// The vectors of the line decoder in OpenAI's SDK for JavaScript, in the file
    /// that `TOLLGATE_SSE_VECTORS` names. Those where a CR alone ends a line do not
    /// apply to newline-delimited JSON, which also leaves blank lines out.
    #[test]
    fn the_vectors_of_line_decoders_hold() {
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
