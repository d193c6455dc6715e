//! What happens while a batch is submitted, and who remembers it.

use serde::{Deserialize, Serialize};

use super::Batch;
use crate::error::Error;

/// Keeps the steps of a submission, so that a later process finds what it created.
pub(crate) trait SubmissionLog {
    /// Nothing of this batch has been sent yet. Its jobs have no ids.
    ///
    /// # Errors
    ///
    /// If it cannot be kept. Nothing is sent then.
    fn submits(&mut self, batch: &Batch) -> Result<(), Error>;

    /// The job with this number is about to be created.
    ///
    /// # Errors
    ///
    /// As for [`submits`](Self::submits).
    fn creates(&mut self, job: usize, mark: &Mark) -> Result<(), Error>;

    /// The job with this number has this id.
    ///
    /// # Errors
    ///
    /// If it cannot be kept. No other job is created then.
    fn created(&mut self, job: usize, id: &str) -> Result<(), Error>;
}

/// Keeps nothing.
pub(crate) struct NoLog;

impl SubmissionLog for NoLog {
    fn submits(&mut self, _: &Batch) -> Result<(), Error> {
        Ok(())
    }

    fn creates(&mut self, _: usize, _: &Mark) -> Result<(), Error> {
        Ok(())
    }

    fn created(&mut self, _: usize, _: &str) -> Result<(), Error> {
        Ok(())
    }
}

/// What a job is recognized by in the provider's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Its name.
    pub(crate) name: String,
    /// The id of its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    /// Set if the provider's list may show neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unnamed: Option<Unnamed>,
}

/// A job without a name in the list: it is newer than all others, and has as many requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unnamed {
    /// The newest job before it; `None` if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
    pub(crate) requests: u64,
}

impl Mark {
    /// Whether a listed job is the one, by its own mark, its number of requests, and whether it is
    /// newer than [`Unnamed::after`].
    pub(crate) fn is_of(&self, mark: Option<&str>, requests: u64, is_new: bool) -> bool {
        match (mark, &self.unnamed) {
            (Some(mark), _) => mark == self.name || Some(mark) == self.file.as_deref(),
            // Its ids are checked when the results are read.
            (None, Some(unnamed)) => is_new && requests == unnamed.requests,
            (None, None) => false,
        }
    }

    /// The newest job before it, if it is known.
    pub(crate) fn after(&self) -> Option<&str> {
        self.unnamed.as_ref()?.after.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_recognized_by_its_mark_or_else_by_its_size_and_age() {
        let (name, file) = ("tollgate-1".to_owned(), Some("file-1".to_owned()));
        let named = Mark { name, file, unnamed: None };
        assert!(named.is_of(Some("file-1"), 0, false) && named.is_of(Some("tollgate-1"), 0, false));
        assert!(!named.is_of(Some("file-2"), 0, true) && !named.is_of(None, 0, true));
        let unnamed = Unnamed { after: None, requests: 7 };
        let either = Mark { unnamed: Some(unnamed), ..named };
        assert!(either.is_of(None, 7, true) && either.is_of(Some("file-1"), 3, false));
        assert!(!either.is_of(None, 7, false) && !either.is_of(None, 8, true));
    }
}
