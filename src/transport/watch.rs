//! The deadline and the cancel tokens of one exchange.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::bounds::Bounds;
use crate::cancel::CancelToken;
use crate::deadline::Deadline;
use crate::sync::Lock;
use crate::sync::ordered::Mutex;

/// What bounds one exchange, seen from both of its ends: by the connection, deep in
/// ureq, and by whoever reads a stream and moves the deadline on as it goes.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Guards nothing but itself ([`Lock::ExchangeDeadline`]).
    deadline: Mutex<Deadline>,
    /// Either ends it.
    tokens: [Option<CancelToken>; 2],
    /// What the reader of the body tells the connection. Both are on the same thread; where
    /// a stream moves to another one, starting that thread orders the accesses.
    chunked: AtomicBool,
    last: AtomicBool,
    reading: AtomicBool,
}

impl Watch {
    /// `stop` ends it beside the caller's own token.
    pub(crate) fn new(bounds: &Bounds, stop: Option<CancelToken>) -> Self {
        Self {
            deadline: Mutex::new(Lock::ExchangeDeadline, bounds.deadline),
            tokens: [bounds.cancel.clone(), stop],
            chunked: AtomicBool::new(false),
            last: AtomicBool::new(false),
            reading: AtomicBool::new(false),
        }
    }

    /// Moves the deadline; reads begun before keep theirs.
    pub(crate) fn set_deadline(&self, deadline: Deadline) {
        *self.deadline.lock() = deadline;
    }

    /// Moves the deadline unless an earlier one holds.
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

    /// The body is chunked.
    pub(super) fn set_chunked(&self) {
        self.chunked.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_chunked(&self) -> bool {
        self.chunked.load(Ordering::Relaxed)
    }

    /// The connection must not be used again.
    pub(super) fn set_last(&self) {
        self.last.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_last(&self) -> bool {
        self.last.load(Ordering::Relaxed)
    }

    /// Whether the body is being read right now. If ureq drops the connection meanwhile, and
    /// no read failed, the body was complete.
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
