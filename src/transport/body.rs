//! The body of a response. Reading it to its end returns the connection to the pool.

use std::fmt;
use std::io;
use std::mem;
use std::ops::Range;

use super::exchange::Exchange;
use super::fault::Fault;
use super::http::{BodyReader, End, Framing};
use crate::error::{Error, Phase};

/// The most to read of an error's body, and the most to allocate before the announced body arrives.
const MAX_START: usize = 64 * 1024;

/// The body of a response, read as it arrives. Reading it to its end returns its connection to the
/// pool; dropping it earlier closes the connection.
pub(crate) struct Body {
    exchange: Exchange,
    reader: BodyReader,
    end: End,
    keeps_alive: bool,
    /// How many unread bytes of the connection were already returned.
    used: usize,
    /// Whether nothing was read so far.
    empty: bool,
    /// What is wrong with the framing; the next read returns it.
    wrong: Option<&'static str>,
}

impl Body {
    /// The body after a head, which is consumed.
    pub(super) fn new(exchange: Exchange, framing: Result<Framing, &'static str>) -> Self {
        let wrong = framing.err();
        let unknown = Framing { end: End::Close, keeps_alive: false };
        let Framing { end, keeps_alive } = framing.unwrap_or(unknown);
        let reader = BodyReader::new(end);
        Self { exchange, reader, end, keeps_alive, used: 0, empty: true, wrong }
    }

    /// Whether only the end of the connection ends the body, so that a truncated body looks like a
    /// complete one.
    pub(crate) fn is_until_close(&self) -> bool {
        self.end == End::Close && self.wrong.is_none()
    }

    /// Waits for the next piece of the body. It is empty at the end.
    ///
    /// # Errors
    ///
    /// [`Truncated`](crate::ErrorKind::Truncated) if the connection ended before the body did.
    pub(crate) fn read(&mut self) -> Result<&[u8], Error> {
        self.piece().map_err(Fault::into_stream_error)
    }

    fn piece(&mut self) -> Result<&[u8], Fault> {
        let piece = self.next()?;
        self.empty &= piece.is_empty();
        Ok(&self.exchange.unread()[piece])
    }

    /// Where the next piece is in the unread bytes of the connection.
    fn next(&mut self) -> Result<Range<usize>, Fault> {
        self.exchange.consume(mem::take(&mut self.used));
        loop {
            if let Some(wrong) = self.wrong.take() {
                return self.exchange.fail(Fault::Framing(wrong));
            }
            if self.reader.is_done() {
                self.exchange.finish(self.keeps_alive);
                return Ok(0..0);
            }
            if self.exchange.unread().is_empty() && self.exchange.fill()? == 0 {
                return self.ended();
            }
            let read = self.reader.read(self.exchange.unread_mut());
            self.wrong = read.outcome.err();
            if read.piece.is_empty() {
                self.exchange.consume(read.used);
            } else {
                self.used = read.used;
                return Ok(read.piece);
            }
        }
    }

    /// The connection has ended.
    fn ended(&mut self) -> Result<Range<usize>, Fault> {
        // No server sends an empty body here on purpose: the connection broke after the head.
        if self.end == End::Close && !self.empty {
            self.exchange.finish(false);
            return Ok(0..0);
        }
        Err(Fault::Broken(Phase::Body, io::ErrorKind::UnexpectedEof.into()))
    }

    pub(super) fn read_whole(mut self, limit: usize) -> Result<Vec<u8>, Fault> {
        let announced = match self.end {
            End::Length(length) => usize::try_from(length).unwrap_or(usize::MAX),
            End::Empty | End::Chunks | End::Close => 0,
        };
        if announced > limit && self.wrong.is_none() {
            return Err(Fault::TooLarge { limit });
        }
        // The server may announce more than it sends.
        let mut bytes = Vec::with_capacity(announced.min(MAX_START));
        loop {
            let piece = self.piece()?;
            if piece.is_empty() {
                return Ok(bytes);
            }
            if piece.len() > limit - bytes.len() {
                return Err(Fault::TooLarge { limit });
            }
            bytes.extend_from_slice(piece);
        }
    }

    /// Reads the useful part of an error's body. If the connection breaks or stalls meanwhile, the
    /// status is still reported.
    pub(super) fn read_start(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < MAX_START {
            match self.piece() {
                Ok([]) | Err(_) => break,
                Ok(piece) => {
                    let room = MAX_START - bytes.len();
                    bytes.extend_from_slice(&piece[..piece.len().min(room)]);
                }
            }
        }
        bytes
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("end", &self.end).finish_non_exhaustive()
    }
}
