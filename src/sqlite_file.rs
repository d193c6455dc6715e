//! What all SQLite files of this crate share: how they are created, opened and told apart.

use rusqlite::{Connection, OpenFlags};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

/// Creates the file at `path` if there is none, for the current user only (mode 0600). SQLite gives
/// its log and the log's index the same mode.
///
/// Errors are ignored: SQLite meets and reports them when it opens the file.
pub(crate) fn create(path: &Path) {
    let mut options = OpenOptions::new();
    // Never opens an existing file: closing it would drop SQLite's locks on it.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _ = options.open(target(path));
}

/// Follows links as SQLite does, even to a file that does not exist.
pub(crate) fn target(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // As many as Linux follows.
    for _ in 0..40 {
        let Ok(link) = path.read_link() else { break };
        path = path.parent().map_or(link.clone(), |parent| parent.join(&link));
    }
    path
}

/// Opens the file at `path`, or creates it.
pub(crate) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
}

/// Whose tables a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    /// `PRAGMA application_id`.
    pub(crate) application: i64,
    /// `PRAGMA user_version`.
    pub(crate) version: i64,
    /// Whether the file has no tables and no marks.
    pub(crate) is_empty: bool,
}

impl Identity {
    /// Identifies a file with a single statement, so it sees one moment.
    pub(crate) fn of(connection: &Connection) -> rusqlite::Result<Self> {
        connection.query_row(
            "SELECT (SELECT application_id FROM pragma_application_id),
                    (SELECT user_version FROM pragma_user_version),
                    (SELECT count(*) FROM sqlite_schema)",
            (),
            |row| {
                let (application, version, objects): (i64, i64, i64) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                let is_empty = (application, version, objects) == (0, 0, 0);
                Ok(Self { application, version, is_empty })
            },
        )
    }

    /// Marks a file.
    pub(crate) fn write(self, connection: &Connection) -> rusqlite::Result<()> {
        connection.pragma_update(None, "application_id", self.application)?;
        connection.pragma_update(None, "user_version", self.version)
    }
}
