//! What can end a call early: its deadline and its cancel token.

use crossbeam_channel::{Receiver, never};

use crate::cancel::{CancelToken, Listening};
use crate::deadline::Deadline;

/// The deadline and the cancel token of a call.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    pub(crate) deadline: Deadline,
    pub(crate) cancel: Option<CancelToken>,
}

impl Bounds {
    /// A channel that receives a message when the call is cancelled; never, if it has no token.
    pub(crate) fn cancelled(&self) -> (Receiver<()>, Option<Listening>) {
        match self.cancel.as_ref().map(CancelToken::channel) {
            Some((cancelled, listening)) => (cancelled, Some(listening)),
            None => (never(), None),
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.as_ref().is_some_and(CancelToken::is_cancelled)
    }
}
