//! Why an operation on the SQLite file failed, and what the user can do.

use rusqlite::{Error as SqliteError, ErrorCode};
use std::path::Path;

use super::super::{LedgerError, ReservationId};
use crate::cost::Money;
use crate::error::{Error, ErrorKind};

/// Why an operation on the file failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Sqlite(#[from] SqliteError),
    /// The damage check found this.
    #[error("{0}")]
    Damaged(String),
    /// Another program's database.
    #[error("its application_id is {0}")]
    Foreign(i64),
    /// Written by a newer version of this crate.
    #[error("its user_version is {0}")]
    Newer(i64),
    /// SQLite opened it for reading only.
    #[error("it was opened for reading only")]
    ReadOnly,
    /// SQLite keeps another kind of journal.
    #[error("its journal_mode stays {0}")]
    NoWal(String),
    /// The lock was not available in time.
    #[error("it was locked all the time")]
    Busy,
    /// The name leads to another file or to none.
    #[error("its name leads to another file or to none")]
    Moved,
    /// The name of a file beside it, with this suffix, leads to another file or to none.
    #[error("the name that ends in {0} leads to another file or to none")]
    LogLost(&'static str),
    /// Another process has it open, but the file beside it with this suffix is missing.
    #[error("there is no file of its name with {0}")]
    LogMissing(&'static str),
    /// There is a log beside it, but nothing in the file itself.
    #[error("there is a file of its name with -wal")]
    LogAlone,
    /// It has several names.
    #[error("it has hard links")]
    Linked,
    /// This process was forked from the one that opened it.
    #[error("another process opened it")]
    Forked,
    #[error("there is no reservation {}; it has already ended", .0.0)]
    Unknown(ReservationId),
    #[error("{0} cannot be reserved or spent; pass 0 or more")]
    Negative(Money),
    #[error("cannot reserve between {0} and {1}; the least must not be above the most")]
    Crossed(Money, Money),
    #[error(
        "spending in windows that last {0} more seconds may be deleted, because the clock of an \
         earlier call was that far ahead or this clock is behind; set the clocks right and wait \
         that long, or give up that spending with DELETE FROM forgotten in the ledger's file"
    )]
    Back(i64),
    #[error("the account {0:?} occurs twice in one reservation; list it once")]
    Twice(String),
    #[error(
        "{0} is more than the ledger's file can hold, which is {max}; use a smaller amount",
        max = Money::picos(i64::MAX.into())
    )]
    Beyond(Money),
}

impl Fault {
    /// Whether another process holds the lock, so that a retry may succeed.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Busy | Self::LogMissing(_)) || self.code().is_some_and(waits)
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code(),
            _ => None,
        }
    }

    /// What is wrong with the file at `path`, and what to do.
    fn explain(&self, path: &Path) -> String {
        let file = path.display();
        let about = match self {
            Self::Damaged(_) => DAMAGED,
            Self::Foreign(_) => "is another program's database; give the ledger its own file",
            Self::Newer(_) => "was written by a newer version of this library; update this program",
            Self::ReadOnly => READ_ONLY,
            Self::NoWal(_) => "is on a file system without shared memory; move it to a local disk",
            Self::Busy => BUSY,
            Self::Moved => {
                "was moved, replaced or deleted while this program had it open; put it back, or \
                 restart the program"
            }
            Self::LogLost(_) => {
                "lost a file beside it, which was moved, replaced or deleted while this program \
                 had it open; stop every program that uses the ledger, and start them again"
            }
            Self::LogMissing(_) => {
                "is open in another program without the files that belong beside it: they were \
                 moved or deleted, or that program opened it under another name; stop every \
                 program that uses the ledger, and start them again"
            }
            Self::LogAlone => {
                "is empty or gone, but there is a log beside it with the latest spending; put the \
                 file back, or delete the log too to start with an empty ledger"
            }
            Self::Linked => {
                "has several names, and each would have its own log; keep one, and use symbolic \
                 links instead of the others"
            }
            Self::Forked => {
                "was opened before this process was forked; open the ledger in each process"
            }
            Self::Sqlite(SqliteError::NulError(_)) => "has a NUL character in its name; remove it",
            Self::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => DAMAGED,
                Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => READ_ONLY,
                Some(ErrorCode::DiskFull) => "is on a full disk; free some space",
                Some(ErrorCode::CannotOpen) => why_unopened(path),
                Some(ErrorCode::SystemIoFailure) => {
                    "cannot be read or written; check that its disk works and has space left"
                }
                Some(code) if waits(code) => BUSY,
                Some(_) => CHANGED,
                None => CHANGED,
            },
            Self::Unknown(_)
            | Self::Negative(_)
            | Self::Crossed(..)
            | Self::Back(_)
            | Self::Twice(_)
            | Self::Beyond(_) => return self.to_string(),
        };
        format!("the ledger's file {file} {about} ({self})")
    }

    pub(super) fn on_use(self, path: &Path) -> LedgerError {
        let error = LedgerError::new(self.explain(path));
        match self {
            Self::Unknown(_) => LedgerError::no_such_reservation(self.explain(path)),
            Self::Sqlite(source) => error.with_source(source),
            _ => error,
        }
    }

    pub(super) fn on_open(self, path: &Path) -> Error {
        let error = Error::new(ErrorKind::Configuration, self.explain(path));
        match self {
            Self::Sqlite(source) => error.with_source(source),
            _ => error,
        }
    }
}

const DAMAGED: &str = "is damaged or not a SQLite database; restore a backup, or move it away to \
     start with an empty ledger";
const READ_ONLY: &str =
    "cannot be written; give this user permission to write it and its directory";
const BUSY: &str = "was locked by other processes for longer than the busy timeout; find the \
     program that holds a transaction open on it";
const CHANGED: &str = "cannot be used; undo any manual changes to its tables, or restore a backup";

fn waits(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed
    )
}

fn why_unopened(path: &Path) -> &'static str {
    if path.is_dir() {
        "is a directory; name a file in it"
    } else if path.parent().is_some_and(|parent| matches!(parent.try_exists(), Ok(false))) {
        "is in a directory that does not exist; create the directory"
    } else {
        "cannot be opened; give this user permission to read and write it and its directory"
    }
}
