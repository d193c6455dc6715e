//! Keeps the write-ahead log of the SQLite file short.

use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The length at which the log is emptied by force, in bytes, and by which it grows
/// before that is tried again: twice as long as when SQLite empties it in passing, and as
/// long as it leaves it then (`journal_size_limit`).
const LONG: u64 = 8 << 20;

/// For how long that may wait for writers and readers, who wait for it in turn.
const PATIENCE: Duration = Duration::from_millis(50);

/// The log beside the file (`-wal`), and when to empty it.
///
/// SQLite copies it into the file after every 1000 pages, and begins it anew if nobody
/// wrote meanwhile. Where several processes write all the time that never is, and the log
/// would grow for ever ("checkpoint starvation", <https://www.sqlite.org/wal.html>).
pub(super) struct Wal {
    path: PathBuf,
    /// The length at which to try next.
    limit: u64,
}

impl Wal {
    /// The one of this name.
    pub(super) fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), limit: LONG }
    }

    /// Empties the log if it is long. What fails here does so at the next operation
    /// too, and is told there.
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
