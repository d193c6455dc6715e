//! The deadline and the cancel tokens of one exchange.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::bounds::Bounds;
use crate::cancel::CancelToken;
use crate::deadline::Deadline;
use crate::sync::Lock;
use crate::sync::ordered::Mutex;

/// The limits of one exchange, shared by both of its ends: the connection, inside ureq, and the
/// reader of a stream, which extends the deadline as it goes.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Guards only itself ([`Lock::ExchangeDeadline`]).
    deadline: Mutex<Deadline>,
    /// Either token ends the exchange.
    tokens: [Option<CancelToken>; 2],
    /// Written by the reader of the body, read by the connection. Both run on the same thread; if a
    /// stream moves to another one, starting that thread orders the accesses.
    chunked: AtomicBool,
    last: AtomicBool,
    reading: AtomicBool,
}

impl Watch {
    /// `stop` ends the exchange as well as the caller's own token.
    pub(crate) fn new(bounds: &Bounds, stop: Option<CancelToken>) -> Self {
        Self {
            deadline: Mutex::new(Lock::ExchangeDeadline, bounds.deadline),
            tokens: [bounds.cancel.clone(), stop],
            chunked: AtomicBool::new(false),
            last: AtomicBool::new(false),
            reading: AtomicBool::new(false),
        }
    }

    /// Moves the deadline. Reads already in progress keep theirs.
    pub(crate) fn set_deadline(&self, deadline: Deadline) {
        *self.deadline.lock() = deadline;
    }

    /// Moves the deadline unless it is already earlier.
    pub(crate) fn tighten_deadline(&self, deadline: Deadline) {
        let mut current = self.deadline.lock();
        *current = current.earlier(deadline);
    }

    pub(crate) fn deadline(&self) -> Deadline {
        *self.deadline.lock()
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.tokens().any(CancelToken::is_cancelled)
    }

    /// Records that the body is chunked.
    pub(super) fn set_chunked(&self) {
        self.chunked.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_chunked(&self) -> bool {
        self.chunked.load(Ordering::Relaxed)
    }

    /// Records that the connection must not be reused.
    pub(super) fn set_last(&self) {
        self.last.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_last(&self) -> bool {
        self.last.load(Ordering::Relaxed)
    }

    /// Records whether the body is being read right now. If ureq drops the connection during a read
    /// and no read failed, the body was complete.
    pub(super) fn set_reading(&self, reading: bool) {
        self.reading.store(reading, Ordering::Relaxed);
    }

    pub(super) fn is_reading(&self) -> bool {
        self.reading.load(Ordering::Relaxed)
    }

    pub(super) fn tokens(&self) -> impl Iterator<Item = &CancelToken> {
        self.tokens.iter().flatten()
    }
}
