//! Records a stream while it is read.

use std::time::{Duration, Instant};

use super::Slot;
use super::stored::Response;
use crate::error::Error;

/// Records a stream while it is read. Dropping it before [`finish`](Self::finish) records nothing:
/// a part of a stream is no answer.
pub(crate) struct Tape {
    response: Response,
    /// When the last piece arrived, if the times are recorded.
    last: Option<Instant>,
    slot: Slot,
}

impl Tape {
    /// A tape that begins with the head of a response.
    pub(super) fn new(slot: Slot, head: Response, timed: bool) -> Self {
        let last = timed.then(Instant::now);
        let response = Response { streamed: true, pieces: Vec::new(), ..head };
        Self { response, last, slot }
    }

    /// Sets whether only the end of the connection ends the stream.
    pub(crate) fn until_close(&mut self, until_close: bool) {
        self.response.until_close = until_close;
    }

    /// Adds a piece. An empty one only marks the end.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        self.response.pieces.push(piece.to_vec());
        if let Some(last) = &mut self.last {
            let now = Instant::now();
            let waited = now.saturating_duration_since(*last).as_millis();
            self.response.waits.push(u64::try_from(waited).unwrap_or(u64::MAX));
            *last = now;
        }
    }

    /// Keeps what was recorded: the answer is complete, or it `failed`.
    pub(crate) fn finish(self, failed: Option<&Error>) {
        self.slot.keep(self.response, failed);
    }
}

/// The pieces of a recorded stream, one after another.
#[derive(Debug)]
pub(crate) struct Pieces {
    pieces: std::vec::IntoIter<Vec<u8>>,
    waits: std::vec::IntoIter<u64>,
    pub(crate) until_close: bool,
}

impl Pieces {
    pub(crate) fn of(response: Response) -> Self {
        let Response { pieces, waits, until_close, .. } = response;
        Self { pieces: pieces.into_iter(), waits: waits.into_iter(), until_close }
    }

    /// The next piece that is not empty, which means the end to the reader, and how long it took
    /// to arrive.
    pub(crate) fn next(&mut self) -> (Duration, Option<Vec<u8>>) {
        loop {
            let wait = Duration::from_millis(self.waits.next().unwrap_or_default());
            match self.pieces.next() {
                Some(piece) if piece.is_empty() => {}
                piece => return (wait, piece),
            }
        }
    }
}
