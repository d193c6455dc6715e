//! The body of a stream: from the network or from a recording.

use std::fmt;

use crate::cache;
use crate::cancel::CancelToken;
use crate::error::{Error, Phase};
use crate::replay::{Pieces, Tape};
use crate::retry::{Interruptible, Sleeper};
use crate::transport::Body;

/// The body of a stream, piece by piece, and its recording if it is recorded.
pub(crate) struct StreamBody {
    feed: Feed,
    tape: Option<Tape>,
    /// What the cache will keep of it.
    cached: Option<cache::Tape>,
}

enum Feed {
    Network(Body),
    Recording {
        pieces: Pieces,
        /// The last piece that was read.
        piece: Vec<u8>,
        stop: CancelToken,
    },
}

impl StreamBody {
    pub(crate) fn live(body: Body) -> Self {
        Self { feed: Feed::Network(body), tape: None, cached: None }
    }

    /// A recorded body. `stop` ends its waits.
    pub(crate) fn replayed(pieces: Pieces, stop: CancelToken) -> Self {
        let feed = Feed::Recording { pieces, piece: Vec::new(), stop };
        Self { feed, tape: None, cached: None }
    }

    /// Records what is read from now on.
    pub(crate) fn record(&mut self, mut tape: Tape) {
        tape.until_close(self.is_until_close());
        self.tape = Some(tape);
    }

    /// Keeps what is read from now on for the cache.
    pub(crate) fn cache(&mut self, mut tape: cache::Tape) {
        tape.until_close = self.is_until_close();
        self.cached = Some(tape);
    }

    /// Stores the answer in the cache: it is complete.
    pub(crate) fn complete(&mut self) {
        if let Some(tape) = self.cached.take() {
            tape.finish();
        }
    }

    /// Notes that the reader waits for its caller. Calls that wait for this answer stop waiting.
    pub(crate) fn stalled(&self) {
        if let Some(tape) = &self.cached {
            tape.stalled();
        }
    }

    /// Keeps the recording: no more of the body belongs to the answer, or it `failed`.
    pub(crate) fn recorded(&mut self, failed: Option<&Error>) {
        if let Some(tape) = self.tape.take() {
            tape.finish(failed);
        }
    }

    /// Whether only the end of the connection ends the body.
    pub(super) fn is_until_close(&self) -> bool {
        match &self.feed {
            Feed::Network(body) => body.is_until_close(),
            Feed::Recording { pieces, .. } => pieces.until_close,
        }
    }

    /// Waits for the next piece. It is empty at the end.
    ///
    /// # Errors
    ///
    /// If the connection fails, or the wait for a recorded piece is cancelled.
    pub(crate) fn read(&mut self) -> Result<&[u8], Error> {
        match &mut self.feed {
            Feed::Network(body) => {
                let piece = body.read()?;
                if let Some(tape) = &mut self.tape {
                    tape.push(piece);
                }
                if let Some(tape) = &mut self.cached {
                    tape.push(piece);
                }
                Ok(piece)
            }
            Feed::Recording { pieces, piece, stop } => {
                let (wait, next) = pieces.next();
                if !wait.is_zero() {
                    Interruptible.sleep(wait, Some(stop));
                }
                if stop.is_cancelled() {
                    return Err(Error::cancelled().with_phase(Phase::Body));
                }
                *piece = next.unwrap_or_default();
                Ok(piece)
            }
        }
    }
}

impl fmt::Debug for StreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamBody").finish_non_exhaustive()
    }
}
