use crate::cancel::CancelToken;
use crate::deadline::Deadline;

/// What ends a call before its time.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    pub(crate) deadline: Deadline,
    pub(crate) cancel: Option<CancelToken>,
}

impl Bounds {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.as_ref().is_some_and(CancelToken::is_cancelled)
    }
}
