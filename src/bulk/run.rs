//! `Run`: the iterator over the results.

use std::fmt;

use super::progress::{Progress, Status};
use crate::error::Error;

/// A run: an iterator over its items' ids and results.
///
/// Each item that is read is yielded once, unless the journal has it already. Items that a stopped
/// run did not send are yielded too, with the reason as their error. The run makes progress while
/// the program waits for the next result; between results, the workers go on with the items that
/// have been read.
///
/// Dropping it cancels the calls in flight and waits for the workers. Batches go on at the provider,
/// and a run with the same journal reads their results. A panic of the program's own
/// iterator or map comes out of [`next`](Iterator::next).
#[must_use = "a run reads its items while it is iterated"]
pub struct Run<'a, T>(Box<dyn Runner<T> + 'a>);

/// A run with its kind of calls hidden.
pub(super) trait Runner<T> {
    fn next(&mut self) -> Option<(String, Result<T, Error>)>;

    fn progress(&self) -> &Progress;

    fn finish(&mut self) -> Result<Status, Error>;
}

impl<'a, T> Run<'a, T> {
    pub(super) fn new(runner: impl Runner<T> + 'a) -> Self {
        Self(Box::new(runner))
    }

    /// Shows how far the run is, from any thread.
    pub fn progress(&self) -> Progress {
        self.0.progress().clone()
    }

    /// Ends the run, as dropping it does, and says how far it came. After the last result, it only
    /// says that.
    ///
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration) if the journal or the file of failures
    /// could not be written, or turned out to belong to another job. Unless that happened after the
    /// last item, an item has ended with the same error.
    pub fn finish(mut self) -> Result<Status, Error> {
        self.0.finish()
    }
}

impl<T> Iterator for Run<'_, T> {
    type Item = (String, Result<T, Error>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl<T> std::iter::FusedIterator for Run<'_, T> {}

impl<T> fmt::Debug for Run<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("status", &self.0.progress().status()).finish_non_exhaustive()
    }
}
