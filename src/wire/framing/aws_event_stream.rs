//! A parser for the binary frames in which AWS streams answers (content type
//! `application/vnd.amazon.eventstream`).
//!
//! It is for programs with their own transport, and takes the bytes of a stream in pieces of any
//! size. A [`Client`](crate::Client) reads Bedrock's streams with it.
//!
//! A frame consists of its total length, the length of its headers, a CRC of both, the headers, the
//! payload and a CRC of everything before it. Numbers are big-endian, and the CRCs are CRC-32 (IEEE
//! 802.3). The format is described in Smithy's "Amazon Event Stream Specification"
//! (smithy.io/2.0/aws/amazon-eventstream.html).
//!
//! ```
//! use tollgate::aws_event_stream::{ParseError, Parser};
//!
//! let frame = b"\x00\x00\x00\x1d\x00\x00\x00\x00\xfdR\x8cZ{'foo':'bar'}\xc3e96";
//! let mut parser = Parser::new();
//! let mut seen = Vec::new();
//! for bytes in frame.chunks(5) {
//!     parser.push(bytes, |message| {
//!         seen.push(message.payload().to_vec());
//!         Ok::<_, ParseError>(())
//!     })?;
//! }
//! assert_eq!(seen, [b"{'foo':'bar'}"]);
//! assert_eq!(parser.finish(), Ok(true));
//! # Ok::<_, ParseError>(())
//! ```

mod header;

use std::fmt;

use crate::error::{Error, ErrorKind};
use crate::wire::Failure;
use crate::wire::framing::lines::KEPT;
pub use header::{HeaderValue, Headers};

/// The lengths and their CRC.
const PRELUDE: usize = 12;

/// A frame's bytes besides its headers and its payload.
const OVERHEAD: usize = PRELUDE + 4;

/// The most bytes of headers in a frame ("Amazon Event Stream Specification").
const MAX_HEADERS: usize = 128 * 1024;

/// The most bytes of payload (`_MAX_PAYLOAD_LENGTH` in botocore; AWS raised it from 16 MiB).
const MAX_PAYLOAD: usize = 24 * 1024 * 1024;

/// Why the parser stopped reading a stream. Nothing can be read after it, because the start of the
/// next frame is unknown.
///
/// Converted to a [`tollgate::Error`](Error), its kind is [`Protocol`](ErrorKind::Protocol).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// A frame is longer than the limit.
    #[error("a frame of the stream has {length} bytes, more than the limit of {limit}")]
    FrameTooLong {
        /// The length that the frame states, in bytes.
        length: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The CRC of the lengths does not match them.
    #[error("the lengths of a frame are damaged: their CRC does not match")]
    DamagedLengths,
    /// The CRC of a frame does not match its content.
    #[error("a frame of the stream is damaged: its CRC does not match")]
    DamagedFrame,
    /// The lengths or headers of a frame contradict each other, although both CRCs match.
    #[error("a frame of the stream is malformed: {0}")]
    Malformed(&'static str),
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

/// A frame whose CRCs match.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    headers: Headers<'a>,
    payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// Returns the headers, in order.
    pub fn headers(&self) -> Headers<'a> {
        self.headers
    }

    /// Returns the value of a header, if it has one of this name.
    pub fn header(&self, name: &str) -> Option<HeaderValue<'a>> {
        self.headers.into_iter().find_map(|(own, value)| (own == name).then_some(value))
    }

    /// Returns the value of a header that is a text.
    pub fn text_header(&self, name: &str) -> Option<&'a str> {
        match self.header(name) {
            Some(HeaderValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns the payload. The header `:content-type` names its type.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// Hides the payload, which may contain an answer.
impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("payload_bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}

/// Parses a stream of frames as you push its bytes.
///
/// The frames do not depend on how the stream is cut into pushes. The work is linear in its length,
/// and the longest allowed frame bounds the memory.
pub struct Parser {
    /// The start of a frame whose end has not arrived.
    partial: Vec<u8>,
    limit: usize,
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
    /// Creates a parser for frames of any size that AWS allows: 24 MiB of payload and 128 KiB of
    /// headers.
    pub fn new() -> Self {
        Self::with_limit(OVERHEAD + MAX_HEADERS + MAX_PAYLOAD)
    }

    /// Creates a parser for frames of up to `frame` bytes, with everything in them. Default of
    /// [`new`](Self::new): 24 MiB, 128 KiB and 16 bytes.
    pub fn with_limit(frame: usize) -> Self {
        Self { partial: Vec::new(), limit: frame, broken: None }
    }

    /// Parses the next bytes of the stream and calls `on_message` for every frame that ends in
    /// them.
    ///
    /// A frame that is complete in `bytes` is borrowed from there, not copied.
    ///
    /// # Errors
    ///
    /// - [`ParseError`] for a damaged, malformed or too long frame, after `on_message` got the
    ///   frames before it. Every later push fails the same way.
    /// - The error of `on_message`, which ends the push at once. The rest of `bytes` is lost, so
    ///   every later push fails with [`ParseError::Abandoned`].
    pub fn push<E: From<ParseError>>(
        &mut self,
        mut bytes: &[u8],
        mut on_message: impl FnMut(Message<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(cause) = self.broken {
            return Err(cause.into());
        }
        // Until this push completes: `on_message` can fail or panic.
        self.broken = Some(ParseError::Abandoned);
        if !self.partial.is_empty() {
            self.take_up_to(PRELUDE, &mut bytes);
            if let Some(length) = self.length(&self.partial).map_err(|cause| self.fail(cause))? {
                self.take_up_to(length, &mut bytes);
                if self.partial.len() == length {
                    let mut frame = std::mem::take(&mut self.partial);
                    on_message(message(&frame).map_err(|cause| self.fail(cause))?)?;
                    frame.clear();
                    frame.shrink_to(KEPT);
                    self.partial = frame;
                }
            }
        }
        if self.partial.is_empty() {
            while let Some(length) = self.length(bytes).map_err(|cause| self.fail(cause))? {
                let Some((frame, rest)) = bytes.split_at_checked(length) else { break };
                on_message(message(frame).map_err(|cause| self.fail(cause))?)?;
                bytes = rest;
            }
            self.partial.extend_from_slice(bytes);
        }
        self.broken = None;
        Ok(())
    }

    /// Ends the stream. Returns false if it broke off inside a frame.
    ///
    /// # Errors
    ///
    /// The [`ParseError`] of an earlier push.
    pub fn finish(self) -> Result<bool, ParseError> {
        self.broken.map_or(Ok(self.partial.is_empty()), Err)
    }

    /// Moves bytes to the partial frame until it has `length`.
    fn take_up_to(&mut self, length: usize, bytes: &mut &[u8]) {
        let missing = length.saturating_sub(self.partial.len()).min(bytes.len());
        let (taken, rest) = bytes.split_at(missing);
        self.partial.extend_from_slice(taken);
        *bytes = rest;
    }

    /// Returns the length of the frame that starts here, once its prelude is complete. It is within
    /// the limit and not less than the frame's own parts need.
    fn length(&self, start: &[u8]) -> Result<Option<usize>, ParseError> {
        let Some(prelude) = start.get(..PRELUDE) else { return Ok(None) };
        let [total, headers, crc] = [0, 4, 8].map(|at| number(prelude, at));
        if crc32fast::hash(&prelude[..8]) != crc {
            return Err(ParseError::DamagedLengths);
        }
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let (total, headers) = (size(total), size(headers));
        if total > self.limit {
            return Err(ParseError::FrameTooLong { length: total, limit: self.limit });
        }
        if headers > MAX_HEADERS {
            return Err(ParseError::Malformed("it has more headers than AWS allows"));
        }
        if total < OVERHEAD + headers {
            return Err(ParseError::Malformed("it is shorter than its headers"));
        }
        Ok(Some(total))
    }

    fn fail(&mut self, cause: ParseError) -> ParseError {
        self.broken = Some(cause);
        cause
    }
}

/// Reads a complete frame whose lengths were checked.
fn message(frame: &[u8]) -> Result<Message<'_>, ParseError> {
    let (content, crc) = frame.split_at(frame.len().saturating_sub(4));
    if crc32fast::hash(content) != number(crc, 0) {
        return Err(ParseError::DamagedFrame);
    }
    let headers = usize::try_from(number(frame, 4)).unwrap_or(usize::MAX);
    let Some((headers, payload)) =
        content.get(PRELUDE..).and_then(|content| content.split_at_checked(headers))
    else {
        return Err(ParseError::Malformed("it is shorter than its headers"));
    };
    Ok(Message { headers: Headers::check(headers)?, payload })
}

/// Reads the number at this place; 0 if the bytes end before it does.
fn number(bytes: &[u8], at: usize) -> u32 {
    let digits = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    digits.map_or(0, |digits| u32::from_be_bytes(*digits))
}

/// Encodes a frame whose headers are these texts.
#[cfg(any(test, feature = "internals"))]
pub(crate) fn encode(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    let mut written = Vec::new();
    for (name, value) in headers {
        let [.., length] = length(name.len());
        written.push(length);
        written.extend_from_slice(name.as_bytes());
        written.push(7);
        written.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        written.extend_from_slice(value.as_bytes());
    }
    let mut frame = Vec::with_capacity(OVERHEAD + written.len() + payload.len());
    frame.extend(length(OVERHEAD + written.len() + payload.len()));
    frame.extend(length(written.len()));
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    frame.extend(written);
    frame.extend_from_slice(payload);
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    frame
}

#[cfg(test)]
mod tests;
