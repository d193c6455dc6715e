//! The settings of a journal.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a run keeps its journal, and how.
///
/// A path converts into a journal with all defaults.
///
/// ```
/// use tollgate::bulk::{Flush, Journal};
///
/// let journal = Journal::new("descriptions.journal")
///     .job("descriptions of November")
///     .flush(Flush::EveryItems(100))
///     .repeat_failures(true);
/// # let _ = journal;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Journal {
    pub(crate) path: PathBuf,
    pub(crate) job: Option<String>,
    pub(crate) flush: Flush,
    pub(crate) sync: bool,
    pub(crate) repeat_failures: bool,
    pub(crate) replay: bool,
}

/// When the lines of a journal are handed to the operating system. Lines that it has survive a kill
/// of the process. Calls whose lines it does not have are made again by the next run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flush {
    /// After each item.
    #[default]
    EachItem,
    /// After this many items.
    EveryItems(u32),
    /// With the first item that ends this long after the last flush, and in time while the run waits
    /// for calls.
    Every(Duration),
}

impl Journal {
    /// Keeps the journal in this file, which is created if it does not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            job: None,
            flush: Flush::default(),
            sync: false,
            repeat_failures: false,
            replay: false,
        }
    }

    /// Names the job. A journal with another name is refused. Without a name, the first item of a
    /// run decides: a journal that began with another one is refused. So name the job if its items
    /// come in a varying order, or if later runs leave out what is done. Default: no name.
    pub fn job(mut self, name: impl Into<String>) -> Self {
        self.job = Some(name.into());
        self
    }

    /// Sets when lines are handed to the operating system. Default: after each item.
    pub fn flush(mut self, flush: Flush) -> Self {
        self.flush = flush;
        self
    }

    /// Sets whether each flush also waits until the lines are on the disk, so that they survive a
    /// crash of the whole machine. That takes milliseconds on most disks. Default: `false`.
    pub fn sync_to_disk(mut self, on: bool) -> Self {
        self.sync = on;
        self
    }

    /// Sets whether a run sends the items again that have failed in an earlier one. Default:
    /// `false`.
    pub fn repeat_failures(mut self, on: bool) -> Self {
        self.repeat_failures = on;
        self
    }

    /// Sets whether a run yields the answers and failures of earlier runs again, from the journal,
    /// when it comes to their items. Otherwise it skips them. An answer from the journal has no
    /// [`raw`](crate::ChatResponse::raw) body. Default: `false`.
    pub fn replay(mut self, on: bool) -> Self {
        self.replay = on;
        self
    }
}

impl From<&str> for Journal {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

impl From<String> for Journal {
    fn from(path: String) -> Self {
        Self::new(path)
    }
}

impl From<&String> for Journal {
    fn from(path: &String) -> Self {
        Self::new(path)
    }
}

impl From<PathBuf> for Journal {
    fn from(path: PathBuf) -> Self {
        Self::new(path)
    }
}

impl From<&PathBuf> for Journal {
    fn from(path: &PathBuf) -> Self {
        Self::new(path)
    }
}

impl From<&Path> for Journal {
    fn from(path: &Path) -> Self {
        Self::new(path)
    }
}
