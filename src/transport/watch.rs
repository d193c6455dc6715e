use parking_lot::Mutex;

use crate::bounds::Bounds;
use crate::cancel::CancelToken;
use crate::deadline::Deadline;

/// What bounds one exchange, seen from both of its ends: by the connection, deep in
/// ureq, and by whoever reads a stream and moves the deadline on as it goes.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Guards nothing but itself.
    deadline: Mutex<Deadline>,
    /// Either ends it.
    tokens: [Option<CancelToken>; 2],
}

impl Watch {
    /// `stop` ends it beside the caller's own token.
    pub(crate) fn new(bounds: &Bounds, stop: Option<CancelToken>) -> Self {
        Self { deadline: Mutex::new(bounds.deadline), tokens: [bounds.cancel.clone(), stop] }
    }

    /// Moves the deadline; reads begun before keep theirs.
    pub(crate) fn set_deadline(&self, deadline: Deadline) {
        *self.deadline.lock() = deadline;
    }

    pub(super) fn deadline(&self) -> Deadline {
        *self.deadline.lock()
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.tokens().any(CancelToken::is_cancelled)
    }

    pub(super) fn tokens(&self) -> impl Iterator<Item = &CancelToken> {
        self.tokens.iter().flatten()
    }
}
