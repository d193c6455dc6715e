//! The files of a ledger: the database, and SQLite's log (`-wal`) and its index (`-shm`)
//! beside it.
//!
//! A process goes on with the files it has opened, whatever becomes of their names, and a
//! process that opens the names later sees other files: then both spend the same money.
//! SQLite does not notice that (<https://www.sqlite.org/howtocorrupt.html>, "Unlinking or
//! renaming a database file while in use" and "Multiple links to the same file"), so it is
//! looked for here: while the files are open, every name must lead to the file that was
//! opened by it; and before they are opened, nobody may have them open whose log is not
//! under its name.

use rusqlite::{Connection, OpenFlags};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fault::Fault;

/// The names of a ledger's files, and which files they led to when they were opened.
///
/// SQLite makes the log and its index with the first transaction, deletes them when the
/// last connection to the database closes, and replaces neither in between: a checkpoint
/// truncates the log or writes over it (<https://www.sqlite.org/wal.html>, "Read-Only
/// Databases" and "Avoiding Excessively Large WAL Files"). So while a connection is open
/// that has made a transaction, all three stay the same.
#[derive(Debug)]
pub(super) struct Files {
    /// The name by which the ledger was opened.
    given: PathBuf,
    names: Names,
    /// Of the database, its log and the log's index.
    ids: [Option<FileId>; 3],
}

/// The names that SQLite uses: those beside the file itself, and not beside a link to it.
#[derive(Debug)]
struct Names {
    database: PathBuf,
    log: PathBuf,
    index: PathBuf,
}

impl Names {
    /// Those of the database at `path`, or of the one that would be created there.
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
    /// Those of the database at `path`, which is open and has seen a transaction.
    pub(super) fn of(path: &Path) -> Result<Self, Fault> {
        let names = Names::of(path);
        let ids = [&names.database, &names.log, &names.index].map(|name| FileId::behind(name));
        let files = Self { given: path.to_owned(), names, ids };
        files.check()?;
        Ok(files)
    }

    /// The log.
    pub(super) fn log(&self) -> &Path {
        &self.names.log
    }

    /// Sees that every name still leads to the file that is open.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let Names { database, log, index } = &self.names;
        let [database_id, log_id, index_id] = &self.ids;
        let is = |name: &Path, id: &Option<FileId>| {
            !cfg!(unix) || (id.is_some() && FileId::behind(name) == *id)
        };
        if !is(database, database_id) {
            return Err(Fault::Moved);
        }
        // A link by which it was opened may lead elsewhere by now.
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

/// Creates the database at `path` where there is none, for its user alone (mode 0600). SQLite
/// gives its log and the log's index the mode of the database.
///
/// What fails here does so again when SQLite opens the file, and is told there.
pub(super) fn create(path: &Path) {
    let mut options = OpenOptions::new();
    // Never one that is there: to close it would drop the locks that SQLite holds on it.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _ = options.open(target(path));
}

/// Where a link leads, be it to nothing, as SQLite follows it.
fn target(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // As many as Linux follows.
    for _ in 0..40 {
        let Ok(link) = path.read_link() else { break };
        path = path.parent().map_or(link.clone(), |parent| parent.join(&link));
    }
    path
}

/// Sees that the database at `path` may be opened by that name, or created: that it has no
/// other name, that there is no log that has lost its database, and that nobody has it open
/// whose log is not under the name where it would be looked for.
///
/// A log or an index that is missing is no sign by itself: SQLite deletes them when the last
/// connection closes, and makes them with the first transaction. But it holds a lock on the
/// database all the while, and deletes them under an exclusive one. So whoever gets the
/// exclusive lock is alone, and where it is not to be had, both must soon be there.
///
/// # Errors
///
/// [`LogMissing`](Fault::LogMissing) while one is missing and the database is locked, so that
/// it is to be tried again for a while.
pub(super) fn check_before_opening(path: &Path) -> Result<(), Fault> {
    let Names { database, log, index } = Names::of(path);
    let metadata = database.metadata().ok();
    if metadata.as_ref().is_some_and(|metadata| !metadata.is_file()) {
        return Ok(());
    }
    // A log begins when its database is not empty any more. SQLite would delete this one.
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
        // It is told when it is opened to be used.
        _ => Ok(()),
    }
}

/// Takes the exclusive lock on a database for a moment.
fn locks_alone(database: &Path) -> Result<(), Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    // Before its first read, so that the lock is taken before a log is made.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.execute_batch("BEGIN EXCLUSIVE; ROLLBACK")?;
    Ok(())
}

/// A file, where the system tells: its device and its number there.
#[derive(Debug, PartialEq)]
struct FileId(u64, u64);

#[cfg(unix)]
impl FileId {
    /// The file that a name leads to through links.
    fn of(path: &Path) -> Option<Self> {
        path.metadata().ok().map(Self::from)
    }

    /// The file, or the link, that has the name itself.
    fn behind(path: &Path) -> Option<Self> {
        // Not opened: closing it would drop SQLite's locks.
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

/// An open file can be neither deleted nor renamed there.
#[cfg(not(unix))]
impl FileId {
    fn of(_: &Path) -> Option<Self> {
        None
    }

    fn behind(_: &Path) -> Option<Self> {
        None
    }
}
