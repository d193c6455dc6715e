//! Keeps the write-ahead log of the SQLite file short.

use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The length in bytes at which the log is emptied by force, and by which it grows before the next
/// try. That is twice the length at which SQLite empties it in passing, and as much as SQLite
/// leaves then (`journal_size_limit`).
const LONG: u64 = 8 << 20;

/// How long emptying may wait for writers and readers, who wait for it in turn.
const PATIENCE: Duration = Duration::from_millis(50);

/// The log beside the file (`-wal`), and when to empty it.
///
/// SQLite copies it into the file after every 1000 pages, and restarts it if nobody wrote
/// meanwhile. If several processes write all the time, that never happens and the log would grow
/// forever ("checkpoint starvation", <https://www.sqlite.org/wal.html>).
pub(super) struct Wal {
    path: PathBuf,
    /// The length at which to try to empty it next.
    limit: u64,
}

impl Wal {
    /// The log at `path`.
    pub(super) fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), limit: LONG }
    }

    /// Empties the log if it is long. Errors are ignored: the next operation meets and reports
    /// them.
    pub(super) fn shorten(&mut self, connection: &Connection) {
        let length = || self.path.metadata().map_or(0, |metadata| metadata.len());
        if length() < self.limit {
            return;
        }
        let _ = connection.busy_timeout(PATIENCE);
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
        let _ = connection.busy_timeout(Duration::ZERO);
        self.limit = length() + LONG;
    }
}
