//! The files of a ledger: the database, and beside it SQLite's log (`-wal`) and the log's index
//! (`-shm`).
//!
//! A process keeps using the files it opened, whatever happens to their names. A process that
//! opens the names later gets other files, and then both spend the same money. SQLite does not
//! notice (<https://www.sqlite.org/howtocorrupt.html>, "Unlinking or renaming a database file
//! while in use" and "Multiple links to the same file"), so this module checks. While the files
//! are open, every name must lead to the file that was opened under it. Before they are opened,
//! nobody may have them open with a log under another name.

use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fault::Fault;
use crate::sqlite_file::target;

/// The names of a ledger's files, and the files they led to when they were opened.
///
/// SQLite creates the log and its index with the first transaction, deletes them when the last
/// connection to the database closes, and replaces neither in between: a checkpoint truncates or
/// overwrites the log (<https://www.sqlite.org/wal.html>, "Read-Only Databases" and "Avoiding
/// Excessively Large WAL Files"). So while a connection is open that has made a transaction, all
/// three files stay the same.
#[derive(Debug)]
pub(super) struct Files {
    /// The path with which the ledger was opened.
    given: PathBuf,
    names: Names,
    /// The files of the database, its log and the log's index.
    ids: [Option<FileId>; 3],
}

/// The names that SQLite uses: beside the file itself, not beside a link to it.
#[derive(Debug)]
struct Names {
    database: PathBuf,
    log: PathBuf,
    index: PathBuf,
}

impl Names {
    /// The names for the database at `path`, or for the one that would be created there.
    fn of(path: &Path) -> Self {
        let database = path.canonicalize().unwrap_or_else(|_| target(path));
        let beside = |suffix: &str| {
            let mut name = database.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        };
        Self { log: beside(LOG), index: beside(INDEX), database }
    }
}

const LOG: &str = "-wal";
const INDEX: &str = "-shm";

impl Files {
    /// The files of the database at `path`, which is open and has made a transaction.
    pub(super) fn of(path: &Path) -> Result<Self, Fault> {
        let names = Names::of(path);
        let ids = [&names.database, &names.log, &names.index].map(|name| FileId::behind(name));
        let files = Self { given: path.to_owned(), names, ids };
        files.check()?;
        Ok(files)
    }

    /// The path of the log.
    pub(super) fn log(&self) -> &Path {
        &self.names.log
    }

    /// Checks that every name still leads to the file that is open.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let Names { database, log, index } = &self.names;
        let [database_id, log_id, index_id] = &self.ids;
        let is = |name: &Path, id: &Option<FileId>| {
            !cfg!(unix) || (id.is_some() && FileId::behind(name) == *id)
        };
        if !is(database, database_id) {
            return Err(Fault::Moved);
        }
        // A link through which it was opened may lead elsewhere by now.
        if self.given != *database && FileId::of(&self.given) != *database_id {
            return Err(Fault::Moved);
        }
        match () {
            () if !is(log, log_id) => Err(Fault::LogLost(LOG)),
            () if !is(index, index_id) => Err(Fault::LogLost(INDEX)),
            () => Ok(()),
        }
    }
}

/// Checks that the database at `path` may be opened or created under that name: it has no other
/// name, no log has lost its database, and nobody has it open with a log elsewhere.
///
/// A missing log or index alone proves nothing: SQLite deletes both when the last connection
/// closes, and creates them with the first transaction. But it holds a lock on the database all
/// the while, and deletes them under an exclusive lock. So whoever gets the exclusive lock is
/// alone, and if the lock is taken, both files must soon exist.
///
/// # Errors
///
/// [`LogMissing`](Fault::LogMissing) if one is missing and the database is locked. Retry that for a
/// while.
pub(super) fn check_before_opening(path: &Path) -> Result<(), Fault> {
    let Names { database, log, index } = Names::of(path);
    let metadata = database.metadata().ok();
    if metadata.as_ref().is_some_and(|metadata| !metadata.is_file()) {
        return Ok(());
    }
    // A log begins only once its database is not empty. SQLite would delete this one.
    if metadata.as_ref().is_none_or(|metadata| metadata.len() == 0) {
        return match log.metadata() {
            Ok(log) if log.len() > 0 => Err(Fault::LogAlone),
            _ => Ok(()),
        };
    }
    #[cfg(unix)]
    if metadata.is_some_and(|metadata| std::os::unix::fs::MetadataExt::nlink(&metadata) > 1) {
        return Err(Fault::Linked);
    }
    if !cfg!(unix) {
        return Ok(());
    }
    let missing = [(&log, LOG), (&index, INDEX)].into_iter().find(|(name, _)| !name.exists());
    let Some((_, suffix)) = missing else { return Ok(()) };
    match locks_alone(&database) {
        Err(fault) if fault.is_busy() => Err(Fault::LogMissing(suffix)),
        // Reported when it is opened for use.
        _ => Ok(()),
    }
}

/// Takes the exclusive lock on a database for a moment.
fn locks_alone(database: &Path) -> Result<(), Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    // Before its first read, so that the lock is taken before a log is created.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.execute_batch("BEGIN EXCLUSIVE; ROLLBACK")?;
    Ok(())
}

/// Identifies a file by its device and inode, where the system has them.
#[derive(Debug, PartialEq)]
struct FileId(u64, u64);

#[cfg(unix)]
impl FileId {
    /// The file that a path leads to through links.
    fn of(path: &Path) -> Option<Self> {
        path.metadata().ok().map(Self::from)
    }

    /// The file or link at the path itself.
    fn behind(path: &Path) -> Option<Self> {
        // Does not open the file: closing it would drop SQLite's locks.
        path.symlink_metadata().ok().map(Self::from)
    }
}

#[cfg(unix)]
impl From<std::fs::Metadata> for FileId {
    fn from(metadata: std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(metadata.dev(), metadata.ino())
    }
}

/// On Windows an open file can be neither deleted nor renamed.
#[cfg(not(unix))]
impl FileId {
    fn of(_: &Path) -> Option<Self> {
        None
    }

    fn behind(_: &Path) -> Option<Self> {
        None
    }
}
