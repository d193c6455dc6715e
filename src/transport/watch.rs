//! The deadline and the cancel tokens of one exchange.

use crate::bounds::Bounds;
use crate::cancel::CancelToken;
use crate::deadline::Deadline;
use crate::sync::Lock;
use crate::sync::ordered::Mutex;

/// The limits of one exchange, shared by the exchange and by the reader of a stream, which extends
/// the deadline as it goes.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Guards only itself ([`Lock::ExchangeDeadline`]).
    deadline: Mutex<Deadline>,
    /// Either token ends the exchange.
    tokens: [Option<CancelToken>; 2],
}

impl Watch {
    /// `stop` ends the exchange as well as the caller's own token.
    pub(crate) fn new(bounds: &Bounds, stop: Option<CancelToken>) -> Self {
        Self {
            deadline: Mutex::new(Lock::ExchangeDeadline, bounds.deadline),
            tokens: [bounds.cancel.clone(), stop],
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

    pub(super) fn tokens(&self) -> impl Iterator<Item = &CancelToken> {
        self.tokens.iter().flatten()
    }
}
