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
    /// The check of the file found this.
    #[error("{0}")]
    Damaged(String),
    /// Another program's database.
    #[error("its application_id is {0}")]
    Foreign(i64),
    /// Written by a version of this crate that is yet to come.
    #[error("its user_version is {0}")]
    Newer(i64),
    /// SQLite opened it for reading only.
    #[error("it was opened for reading only")]
    ReadOnly,
    /// SQLite keeps another kind of journal instead.
    #[error("its journal_mode stays {0}")]
    NoWal(String),
    /// The lock was not to be had in time.
    #[error("it was locked all the time")]
    Busy,
    /// The name leads to another file or to none.
    #[error("its name leads to another file or to none")]
    Moved,
    /// The name of a file beside it, which ends so, leads to another file or to none.
    #[error("the name that ends in {0} leads to another file or to none")]
    LogLost(&'static str),
    /// Somebody has it open, but the file beside it whose name ends so is not there.
    #[error("there is no file of its name with {0}")]
    LogMissing(&'static str),
    /// There is a log beside it, and nothing in it.
    #[error("there is a file of its name with -wal")]
    LogAlone,
    /// It has several names.
    #[error("it has hard links")]
    Linked,
    /// The process that opened it is this one's parent.
    #[error("another process opened it")]
    Forked,
    #[error("there is no reservation {}; it was ended before", .0.0)]
    Unknown(ReservationId),
    #[error("{0} is less than nothing, which cannot be reserved or spent")]
    Negative(Money),
    #[error("between {0} and {1} there is nothing to reserve")]
    Crossed(Money, Money),
    #[error(
        "what was spent in windows that go on for {0} seconds may be forgotten, since the clock \
         of an earlier call was that far ahead or this one is behind; set the clocks right and \
         wait so long, or give it up by DELETE FROM forgotten in the ledger's file"
    )]
    Back(i64),
    #[error("the account {0:?} occurs twice in one reservation")]
    Twice(String),
    #[error(
        "{0} is more than a number in the ledger's file can hold, which is {max}",
        max = Money::picos(i64::MAX.into())
    )]
    Beyond(Money),
}

impl Fault {
    /// Whether another process holds the lock, so that it may be different in a moment.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Busy | Self::LogMissing(_)) || self.code().is_some_and(waits)
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code(),
            _ => None,
        }
    }

    /// What is wrong with the file at `path` and what to do.
    fn tell(&self, path: &Path) -> String {
        let file = path.display();
        let about = match self {
            Self::Damaged(_) => DAMAGED,
            Self::Foreign(_) => "is another program's database; give the ledger a file of its own",
            Self::Newer(_) => "was written by a newer version of this library; update this program",
            Self::ReadOnly => READ_ONLY,
            Self::NoWal(_) => "is on a file system without shared memory; move it to a local disk",
            Self::Busy => BUSY,
            Self::Moved => {
                "was moved, replaced or deleted while this program had it open; put it back or \
                 start the program again"
            }
            Self::LogLost(_) => {
                "lost a file beside it, which was moved, replaced or deleted while this program \
                 had it open; stop every program that uses the ledger, and start them again"
            }
            Self::LogMissing(_) => {
                "is open in another program without the files that belong beside it: they were \
                 moved or deleted, or it is open there by another name; stop every program that \
                 uses the ledger, and start them again"
            }
            Self::LogAlone => {
                "is empty or gone, but there is a log beside it, which has the last of what was \
                 spent; put the file back, or delete the log too to begin with empty books"
            }
            Self::Linked => {
                "has several names, and each would have a log of its own; leave it one, and \
                 symbolic links"
            }
            Self::Forked => {
                "was opened before this process was forked off; open the ledger in each process"
            }
            Self::Sqlite(SqliteError::NulError(_)) => {
                "has a name that no file can have; take the NUL out of it"
            }
            Self::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => DAMAGED,
                Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => READ_ONLY,
                Some(ErrorCode::DiskFull) => "is on a disk that is full; free some space",
                Some(ErrorCode::CannotOpen) => why_unopened(path),
                Some(ErrorCode::SystemIoFailure) => {
                    "cannot be read or written; see that its disk works and has space left"
                }
                Some(code) if waits(code) => BUSY,
                Some(_) => "cannot be used; were its tables changed by hand?",
                None => "holds something else than it should; were its tables changed by hand?",
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
        let error = LedgerError::new(self.tell(path));
        match self {
            Self::Sqlite(source) => error.with_source(source),
            _ => error,
        }
    }

    pub(super) fn on_open(self, path: &Path) -> Error {
        let error = Error::new(ErrorKind::Configuration, self.tell(path));
        match self {
            Self::Sqlite(source) => error.with_source(source),
            _ => error,
        }
    }
}

const DAMAGED: &str = "is damaged or no SQLite database; restore a backup of it, or move it \
     away to begin with empty books";
const READ_ONLY: &str =
    "cannot be written; give this user permission to write it and its directory";
const BUSY: &str = "was locked by other processes for longer than the busy timeout; see which \
     program holds a transaction open on it";

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
