//! A parser for newline-delimited JSON (ndjson.org, jsonlines.org): one JSON text per line, as
//! Ollama streams its answers (docs.ollama.com, "Streaming").
//!
//! It takes the bytes of a stream in pieces of any size, for programs with their own transport. The
//! client reads Ollama's streams with it; all other formats stream [events](crate::sse).
//!
//! ```
//! use tollgate::ndjson::{ParseError, Parser};
//!
//! let mut parser = Parser::new();
//! let mut seen = Vec::new();
//! let mut keep = |line: &str| {
//!     seen.push(line.to_owned());
//!     Ok::<_, ParseError>(())
//! };
//! parser.push(b"{\"n\":", &mut keep)?;
//! parser.push(b"1}\r\n\n{\"n\":2}", &mut keep)?;
//! parser.finish(&mut keep)?;
//! assert_eq!(seen, ["{\"n\":1}", "{\"n\":2}"]);
//! # Ok::<_, ParseError>(())
//! ```

use std::fmt;

pub use crate::wire::framing::lines::ParseError;
use crate::wire::framing::lines::{Ending, Line, Lines};
use crate::wire::framing::sse::Limits;

/// Parses a stream of lines as you push its bytes.
///
/// The lines do not depend on how the stream is cut into pushes. The work is linear in its length,
/// and the longest allowed line bounds the memory.
pub struct Parser {
    lines: Lines,
    /// Why the parser accepts no more bytes.
    broken: Option<ParseError>,
}

impl fmt::Debug for Parser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parser").field("broken", &self.broken).finish_non_exhaustive()
    }
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl Parser {
    /// Creates a parser for lines of up to 32 MiB.
    pub fn new() -> Self {
        Self::with_limit(Limits::default().line)
    }

    /// Creates a parser for lines of up to `line` bytes, without the LF. Default of
    /// [`new`](Self::new): 32 MiB.
    pub fn with_limit(line: usize) -> Self {
        Self { lines: Lines::new(Ending::Lf, line), broken: None }
    }

    /// Parses the next bytes of the stream and calls `on_line` for every line that ends in them,
    /// without its LF or CRLF. Invalid UTF-8 becomes U+FFFD. Lines with only JSON white space are
    /// skipped.
    ///
    /// A line that is complete in `bytes` is borrowed from there, not copied.
    ///
    /// # Errors
    ///
    /// - [`ParseError`] if a line is longer than the limit, after `on_line` got the lines before
    ///   it. Every later push fails the same way.
    /// - The error of `on_line`, which ends the push at once. The rest of `bytes` is lost, so every
    ///   later push fails with [`ParseError::Abandoned`].
    pub fn push<E: From<ParseError>>(
        &mut self,
        mut bytes: &[u8],
        mut on_line: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(cause) = self.broken {
            return Err(cause.into());
        }
        // Until this push completes: `on_line` can fail or panic.
        self.broken = Some(ParseError::Abandoned);
        while let Some(line) = self.lines.next(&mut bytes).inspect_err(|cause| {
            self.broken = Some(*cause);
        })? {
            match line {
                Line::Whole(line) => yield_line(line, &mut on_line)?,
                Line::Joined(line) => {
                    yield_line(&line, &mut on_line)?;
                    self.lines.reuse(line);
                }
            }
        }
        self.broken = None;
        Ok(())
    }

    /// Ends the stream and calls `on_line` for a last line without LF.
    ///
    /// The parser cannot tell if that line is complete; its JSON can.
    ///
    /// # Errors
    ///
    /// The [`ParseError`] of an earlier push, or the error of `on_line`.
    pub fn finish<E: From<ParseError>>(
        mut self,
        mut on_line: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(cause) = self.broken {
            return Err(cause.into());
        }
        self.lines.last().map_or(Ok(()), |line| yield_line(&line, &mut on_line))
    }
}

fn yield_line<E>(line: &[u8], on_line: &mut impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // JSON white space (RFC 8259 section 2); LF cannot occur here.
    if line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
        return Ok(());
    }
    on_line(&String::from_utf8_lossy(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::framing::lines::work;

    /// Returns the lines of a stream that arrives in these pieces.
    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut parser = Parser::new();
        let mut all = Vec::new();
        let mut keep = |line: &str| {
            all.push(line.to_owned());
            Ok::<_, ParseError>(())
        };
        for piece in pieces {
            parser.push(piece, &mut keep).unwrap();
        }
        parser.finish(&mut keep).unwrap();
        all
    }

    #[test]
    fn lines_end_with_lf_or_crlf_wherever_the_stream_is_cut() {
        for pieces in [
            &[&b"{}\n[]\n"[..]][..],
            &[b"{}\r\n[]\r\n"],
            &[b"{", b"}\r", b"\n", b"[", b"]", b"\n"],
            &[b"", b"{}", b"", b"\n[]\n", b""],
            &[b"\xEF\xBB", b"\xBF{}\n[]\n"],
        ] {
            assert_eq!(lines(pieces), ["{}", "[]"], "{pieces:?}");
        }
        assert_eq!(lines(&[b"{\r}\n"]), ["{\r}"], "a CR alone ends nothing");
    }

    #[test]
    fn blank_lines_are_skipped_and_the_last_line_needs_no_ending() {
        assert_eq!(lines(&[b"\n\r\n \t\n{}\n\n[]"]), ["{}", "[]"]);
        assert_eq!(lines(&[b"{}\n[", b"]\r"]), ["{}", "[]"]);
        assert_eq!(lines(&[b"{}\n \r"]), ["{}"]);
        assert!(lines(&[b""]).is_empty());
    }

    #[test]
    fn split_characters_are_joined_and_invalid_utf_8_is_replaced() {
        assert_eq!(lines(&[b"\"\xF0\x9F", b"\x92\x99\"\n"]), ["\"\u{1F499}\""]);
        assert_eq!(lines(&[b"\"\xF0\x9F\"\n"]), ["\"\u{FFFD}\""]);
    }

    #[test]
    fn a_line_complete_in_the_bytes_is_borrowed() {
        let bytes = b"{}\n[]\r\n";
        let mut count = 0;
        let mut parser = Parser::new();
        parser
            .push(bytes, |line| {
                count += 1;
                assert!(bytes.as_ptr_range().contains(&line.as_ptr()));
                Ok::<_, ParseError>(())
            })
            .unwrap();
        assert_eq!(count, 2);
    }

    #[test]
    fn a_failed_parser_keeps_failing() {
        let ignore = |_: &str| Ok::<_, ParseError>(());
        let cause = ParseError::LineTooLong { limit: 4 };
        for pieces in [&[&b"1234\n12345\n"[..]][..], &[b"1234\n123", b"45"]] {
            let mut parser = Parser::with_limit(4);
            let pushed: Result<(), _> =
                pieces.iter().try_for_each(|piece| parser.push(piece, ignore));
            assert_eq!(pushed, Err(cause));
            assert_eq!(parser.push(b"\n", ignore), Err(cause));
            assert_eq!(parser.finish(ignore), Err(cause));
        }
        let mut parser = Parser::new();
        let failed = parser.push(b"1\n2\n", |_| Err(crate::Error::cancelled()));
        assert_eq!(failed.unwrap_err().kind(), crate::ErrorKind::Cancelled);
        assert_eq!(parser.push(b"3\n", ignore), Err(ParseError::Abandoned));
    }

    #[test]
    fn hostile_streams_take_linear_work() {
        const SIZE: usize = 256 * 1024;
        for stream in [vec![b'x'; SIZE], b"\n".repeat(SIZE), b" \r\n".repeat(SIZE / 3)] {
            for size in [1, 7, 1_000, SIZE] {
                let work = work::of(|| {
                    let mut parser = Parser::new();
                    for piece in stream.chunks(size) {
                        parser.push(piece, |_| Ok::<_, ParseError>(())).unwrap();
                    }
                });
                assert!(work <= 2 * SIZE, "{work} in pieces of {size}");
            }
        }
    }
}
