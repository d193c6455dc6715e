//! The body of a response. Reading it to its end returns the connection to the pool.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use ureq::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use ureq::http::{StatusCode, Version, response};

use super::fault::Fault;
use super::watch::Watch;
use crate::error::{Error, Phase};

/// The most to read of an error's body, and the most to allocate on the server's word about the
/// length.
const MAX_START: usize = 64 * 1024;

/// The body of a response, read as it arrives. Reading it to its end returns its connection to the
/// pool; dropping it earlier closes the connection.
pub(crate) struct Body {
    reader: ureq::BodyReader<'static>,
    announced: Option<usize>,
    /// Whether only the end of the connection ends the body.
    until_close: bool,
    /// Whether nothing was read so far.
    empty: bool,
    /// Why the body cannot be read; the first read returns it.
    fault: Option<Fault>,
    watch: Arc<Watch>,
}

impl Body {
    /// The body after `head`.
    pub(super) fn new(body: ureq::Body, head: &response::Parts, watch: &Arc<Watch>) -> Self {
        let announced = body.content_length();
        let framing = Framing::of(head, announced.is_some());
        if let Ok(Framing::Chunks { last }) = framing {
            watch.set_chunked();
            if last {
                watch.set_last();
            }
        }
        Self {
            reader: body.into_with_config().limit(u64::MAX).reader(),
            announced: announced.and_then(|length| usize::try_from(length).ok()),
            until_close: matches!(framing, Ok(Framing::UntilClose)),
            empty: true,
            fault: framing.err(),
            watch: Arc::clone(watch),
        }
    }

    /// Whether only the end of the connection ends the body, so that a truncated body looks like a
    /// complete one.
    pub(crate) fn is_until_close(&self) -> bool {
        self.until_close
    }

    /// Reads what is there, or waits for it. Returns 0 at the end.
    ///
    /// # Errors
    ///
    /// [`Truncated`](crate::ErrorKind::Truncated) if the connection ended before the body did.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        self.read_some(buffer).map_err(Fault::into_stream_error)
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        self.watch.set_reading(true);
        let outcome = loop {
            match self.reader.read(buffer) {
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome,
            }
        };
        self.watch.set_reading(false);
        let length = outcome.map_err(ureq::Error::from)?;
        // No server sends an empty body here on purpose: the connection broke after the head.
        if length == 0 && self.until_close && self.empty && !buffer.is_empty() {
            return Err(Fault::Broken(Phase::Body, io::ErrorKind::UnexpectedEof.into()));
        }
        self.empty &= length == 0;
        Ok(length)
    }

    pub(super) fn read_whole(mut self, limit: usize) -> Result<Vec<u8>, Fault> {
        if self.announced.is_some_and(|length| length > limit) {
            return Err(Fault::TooLarge { limit });
        }
        // Allocates no more than this on the server's word.
        let mut bytes = Vec::with_capacity(self.announced.unwrap_or(0).min(MAX_START));
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        self.by_ref().take(most).read_to_end(&mut bytes).map_err(ureq::Error::from)?;
        if bytes.len() > limit {
            return Err(Fault::TooLarge { limit });
        }
        Ok(bytes)
    }

    /// Reads the useful part of an error's body. If the connection breaks or stalls meanwhile, the
    /// status is still reported.
    pub(super) fn read_start(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.by_ref().take(MAX_START as u64).read_to_end(&mut bytes);
        bytes
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_some(buffer).map_err(|fault| ureq::Error::from(fault).into_io())
    }
}

/// What ends a body (RFC 9112 section 6.3).
#[derive(Debug, PartialEq, Eq)]
enum Framing {
    /// Its length, or a status that allows no body.
    Length,
    /// `last`: whether the connection must not be reused.
    Chunks { last: bool },
    /// The end of the connection.
    UntilClose,
}

impl Framing {
    /// Reads the framing from the head. `announced`: whether ureq found a length above 0.
    ///
    /// ureq ignores every transfer coding but `chunked`, and would return its framing as part of
    /// the body.
    fn of(head: &response::Parts, announced: bool) -> Result<Self, Fault> {
        let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
        if let Some(coding) = codings.next() {
            let coding = coding.as_bytes().trim_ascii();
            let is = |name: &[u8]| coding.eq_ignore_ascii_case(name);
            match codings.next() {
                // It changes nothing; HTTP/1.1 has since removed it (RFC 2616 section 3.6).
                None if is(b"identity") => {}
                // Faulty by definition (RFC 9112 section 6.1).
                _ if head.version == Version::HTTP_10 => {
                    return Err(Fault::Framing("an HTTP/1.0 response has a transfer-encoding"));
                }
                // An intermediary may have relied on the length (section 6.3).
                None if is(b"chunked") => {
                    return Ok(Self::Chunks { last: head.headers.contains_key(CONTENT_LENGTH) });
                }
                _ => {
                    let wrong = "the transfer-encoding is not just \"chunked\"";
                    return Err(Fault::Framing(wrong));
                }
            }
        }
        let is_known = announced
            || head.headers.contains_key(CONTENT_LENGTH)
            || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        Ok(if is_known { Self::Length } else { Self::UntilClose })
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("announced", &self.announced).finish_non_exhaustive()
    }
}
