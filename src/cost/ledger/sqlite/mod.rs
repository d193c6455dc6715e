//! A ledger in a SQLite file that several processes can share.

mod fault;
mod files;
mod operations;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod wal;

use rusqlite::{Connection, TransactionBehavior};
use std::fmt;
use std::mem;
use std::path::{self, Path, PathBuf};
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use super::{
    Balance, Grant, Hold, HoldError, Ledger, LedgerError, Line, Money, Posting, ReservationId,
};
use crate::error::{Error, ErrorKind};
use crate::sqlite_file;
use crate::sync::Lock;
use crate::sync::ordered::Mutex;
use fault::Fault;
use files::Files;
use operations::{Held, Reported};
use rows::Periods;
use wal::Wal;

/// How many slots are kept although they may be deleted.
const KEEP: u32 = 1024;

/// A ledger in a SQLite file that many threads and processes of one machine can share.
///
/// ```no_run
/// use tollgate::cost::ledger::SqliteLedger;
///
/// let ledger = SqliteLedger::open("budget.db")?;
/// # Ok::<(), tollgate::Error>(())
/// ```
///
/// Every operation is one transaction (`BEGIN IMMEDIATE`), so it happens completely or not at all,
/// even if the process is killed in the middle of it. The file is in WAL mode, with `-wal` and
/// `-shm` files beside it while it is in use.
///
/// The file does not grow forever. Slots of rolling windows are deleted after they were
/// [kept](Line::kept), and those of calendar windows (whose [`from`](Line::from) is the slot
/// itself) after [`history`](Self::history) more. Whenever a new slot begins, a few are deleted,
/// earliest first, while there are more than 1024. So a clock that runs far ahead for a moment
/// usually does no harm. If it does delete slots that still count once it is right again, reserving
/// on lines with a limit fails until they no longer count, because the same money might be given
/// out twice. `DELETE FROM forgotten` gives up what was spent in them and ends that wait.
///
/// # Processes that die
///
/// What a dead process had reserved may have been billed. Once a reservation is open for longer
/// than [`abandon_after`](Self::abandon_after), the next [`reserve`](Ledger::reserve) or
/// [`settle`](Ledger::settle) of any process records it as spent in full. If its owner was only
/// slow and settles it within a week after all, the ledger corrects it to the real amount.
///
/// If that reaches a threshold, the next call that ends in any process sends the alert, once for
/// all processes. A correction causes no second alert.
///
/// # What is in the file
///
/// Amounts are whole pico-dollars in 64 bits, so none can exceed 9.2 million dollars, and limits
/// above that are refused. Times are seconds since the Unix epoch.
///
/// | Table | Columns |
/// |---|---|
/// | `slots` | `account`, `slot` (its start), `until` (when it stops counting; 2⁶³ − 1: never), `kept_until` (when it may be deleted), `spent`, `reserved`, `told` (how much of `spent` alerts have covered) |
/// | `reservations` | `id`, `amount`, `made`, `abandon_at`, `abandoned` (1: now counted in `spent`) |
/// | `reservation_lines` | `reservation`, `line`, `account`, `slot`, `counted_from`, `until` |
/// | `forgotten` | `latest` (the time until which slots counted that were deleted with spending in them) |
///
/// The views `balances` and `pending` show dollars and dates for people:
///
/// ```text
/// $ sqlite3 budget.db 'SELECT * FROM balances'
/// daily/customer=acme|2025-06-01 00:00:00|2025-06-02 00:00:00|1.25|0.04
/// ```
///
/// Any SQLite tool may read the file while it is in use, and may write to it: for example, set
/// `spent` and `told` to 0 to reset a budget. `PRAGMA application_id` is 0x746f6c6c, and
/// `user_version` is the version of the tables, 1.
///
/// # What SQLite requires
///
/// - A local disk: WAL does not work over a network
///   (<https://www.sqlite.org/wal.html>).
/// - While a process has the ledger open, nothing else in that process may open the file, neither
///   as a file nor through another copy of SQLite: closing it would drop everyone's locks
///   (<https://www.sqlite.org/howtocorrupt.html>). Copy it with `VACUUM INTO` or `.backup`.
/// - A process that forks must open its ledger after the fork. A ledger opened before refuses to
///   work in the child.
///
/// # Files that are moved or deleted
///
/// While a ledger is open, its file and the `-wal` and `-shm` files beside it must stay where they
/// are. On Unix, every operation checks this. If one was deleted, renamed or replaced, even by a
/// link, nothing is reserved any more, because other processes would see different amounts.
/// Another process cannot [open](Self::open) such a file either while the first one has it open.
/// Stop every program that uses the ledger, and start them again: the last one to end writes its
/// log into the file.
///
/// A file with hard links is refused too, because each name would have its own log. Symbolic links
/// are followed.
pub struct SqliteLedger {
    path: PathBuf,
    files: Files,
    /// The id of the process that opened it.
    owner: u32,
    periods: Periods,
    busy_timeout: Duration,
    survive_power_loss: bool,
    /// Guards the process's only connection ([`Lock::SqliteLedger`]): whoever holds it is in the
    /// only transaction. Unlike our other locks it is held over I/O and while waiting for other
    /// processes, because its waiters would have to wait for the same. Here they are woken in turn
    /// instead of polling. `None` while the ledger is dropped.
    connection: Mutex<Option<(Connection, Wal)>>,
}

impl SqliteLedger {
    /// Opens the file, or creates it; its directory must exist. An empty file is a ledger with
    /// nothing spent.
    ///
    /// On Unix, only the current user may read and write a file that this creates (mode 0600).
    /// SQLite gives the files beside it the same mode. An existing file keeps its mode: if several
    /// users share a ledger, create an empty file with the mode they need.
    ///
    /// A file of up to 64 MiB is checked for damage.
    ///
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration) if the file cannot be opened or written,
    /// is damaged, is another program's database or was written by a newer version of this
    /// library, was separated from the `-wal` and `-shm` files beside it, or has hard links. The
    /// message says which, and what to do.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_within(path.as_ref(), Duration::from_secs(5))
    }

    /// Opens the file, and waits at most `busy_timeout` for other processes.
    fn open_within(path: &Path, busy_timeout: Duration) -> Result<Self, Error> {
        // No URI, no `:memory:`, and the same file after a change of directory.
        let path = path::absolute(path).map_err(|error| {
            let message =
                format!("{} cannot be a ledger's file; give another path", path.display());
            Error::new(ErrorKind::Configuration, message).with_source(error)
        })?;
        let open = || {
            let deadline = deadline(busy_timeout);
            retry_busy(deadline, || files::check_before_opening(&path))?;
            sqlite_file::create(&path);
            let connection = retry_busy(deadline, || connect(&path))?;
            Ok((connection, Files::of(&path)?))
        };
        let (connection, files) = open().map_err(|fault: Fault| fault.on_open(&path))?;
        let wal = Wal::of(files.log());
        Ok(Self {
            files,
            owner: process::id(),
            periods: Periods { abandon_after: 15 * 60, history: 400 * 24 * 60 * 60, keep: KEEP },
            busy_timeout,
            survive_power_loss: true,
            connection: Mutex::new(Lock::SqliteLedger, Some((connection, wal))),
            path,
        })
    }

    /// Sets how long a reservation may stay open before its process counts as dead. Choose more
    /// than any call takes. Rounded up to seconds. Default: 15 minutes.
    #[must_use]
    pub fn abandon_after(mut self, after: Duration) -> Self {
        self.periods.abandon_after = seconds(after);
        self
    }

    /// Sets how long slots of calendar windows are kept for reading after they stop counting. It
    /// applies to slots that begin through this ledger. Rounded up to seconds. Default: 400 days.
    #[must_use]
    pub fn history(mut self, kept: Duration) -> Self {
        self.periods.history = seconds(kept);
        self
    }

    /// Sets how long an operation waits for other threads and processes before it fails. Default:
    /// 5 seconds.
    ///
    /// A call waits at most this long before it is sent, and once more when it has ended. Neither
    /// its timeout nor its [`CancelToken`](crate::CancelToken) shortens that, so choose less than
    /// the timeouts of calls if they must be exact. A call that could not be settled in time stays
    /// reserved, and is charged in full once it counts as abandoned.
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Sets whether a reservation is flushed to disk before it counts as made, so that not even a
    /// power failure loses a call. Each flush takes some milliseconds. With `false`, a power
    /// failure may lose the last seconds, but the file stays intact. A killed process loses nothing
    /// either way. Default: `true`.
    ///
    /// (`PRAGMA synchronous` is `FULL` for operations that increase an amount. To settle at most
    /// the reserved amount it is `NORMAL`: if that is lost, the reservation remains and is charged
    /// in full.)
    #[must_use]
    pub fn survive_power_loss(mut self, survive: bool) -> Self {
        self.survive_power_loss = survive;
        self
    }

    /// Runs an operation as soon as no other process holds the lock.
    fn operate<T>(
        &self,
        mut operation: impl FnMut(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, LedgerError> {
        let deadline = deadline(self.busy_timeout);
        let mut operate = || {
            // First, because a lock that was held at the time of a fork is never released.
            if self.owner != process::id() {
                return Err(Fault::Forked);
            }
            let mut guard = self.connection.try_lock_until(deadline).ok_or(Fault::Busy)?;
            let (connection, wal) = guard.as_mut().ok_or(Fault::Forked)?;
            // A file that other processes do not see would enforce nothing.
            self.files.check()?;
            let result = retry_busy(deadline, || operation(connection))?;
            // It may have been replaced meanwhile.
            self.files.check()?;
            wal.shorten(connection);
            Ok(result)
        };
        operate().map_err(|fault| fault.on_use(&self.path))
    }

    /// Ends a reservation.
    fn end(
        &self,
        id: ReservationId,
        amount: Money,
        now: i64,
        reported: Reported,
    ) -> Result<Vec<Posting>, LedgerError> {
        self.operate(|connection| {
            let reserved = operations::reserved(connection, id)?;
            self.set_flush(connection, amount > reserved)?;
            write(connection, |tables| {
                operations::settle(tables, id, amount, now, reported, self.periods)
            })
        })
    }

    /// Sets whether the next transaction is flushed to disk.
    fn set_flush(&self, connection: &Connection, flush: bool) -> Result<(), Fault> {
        let mode = if flush && self.survive_power_loss { "FULL" } else { "NORMAL" };
        Ok(connection.pragma_update(None, "synchronous", mode)?)
    }
}

impl Ledger for SqliteLedger {
    fn reserve(&self, hold: &Hold<'_>) -> Result<Grant, HoldError> {
        let held = self.operate(|connection| {
            operations::check(hold)?;
            self.set_flush(connection, true)?;
            write(connection, |tables| operations::reserve(tables, hold, self.periods))
        })?;
        match held {
            Held::Granted(grant) => Ok(grant),
            Held::Refused { line, balance } => Err(HoldError::Refused { line, balance }),
        }
    }

    fn settle(
        &self,
        id: ReservationId,
        amount: Money,
        now: i64,
    ) -> Result<Vec<Posting>, LedgerError> {
        self.end(id, amount, now, Reported::Yes)
    }

    fn release(&self, id: ReservationId, now: i64) -> Result<(), LedgerError> {
        self.end(id, Money::ZERO, now, Reported::No).map(|_| ())
    }

    fn balances(&self, lines: &[Line<'_>]) -> Result<Vec<Balance>, LedgerError> {
        self.operate(|connection| {
            // Sees the file at one moment, and blocks no writer.
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
            operations::balances(&transaction, lines)
        })
    }

    /// 9.2 million dollars: whole pico-dollars in 64 bits.
    /// The file's absolute path.
    fn identity(&self) -> Option<String> {
        Some(self.path.display().to_string())
    }

    fn greatest(&self) -> Money {
        Money::picos(i64::MAX.into())
    }
}

impl fmt::Debug for SqliteLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteLedger")
            .field("path", &self.path)
            .field("periods", &self.periods)
            .field("busy_timeout", &self.busy_timeout)
            .field("survive_power_loss", &self.survive_power_loss)
            .finish_non_exhaustive()
    }
}

impl Drop for SqliteLedger {
    fn drop(&mut self) {
        if self.owner != process::id() {
            // Closing it in a forked child would corrupt the file for the parent.
            mem::forget(self.connection.get_mut().take());
        }
    }
}

fn connect(path: &Path) -> Result<Connection, Fault> {
    let mut connection = sqlite_file::open(path)?;
    // `retry_busy` waits instead.
    connection.busy_timeout(Duration::ZERO)?;
    schema::prepare(&mut connection)?;
    operations::prepare(&connection)?;
    Ok(connection)
}

fn write<T>(
    connection: &mut Connection,
    operation: impl FnOnce(&Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let result = operation(&transaction)?;
    transaction.commit()?;
    Ok(result)
}

/// Retries until no other process holds the lock. SQLite's own waiting sleeps for up to 100 ms
/// between two tries, and may find the file locked every time.
fn retry_busy<T>(
    deadline: Instant,
    mut attempt: impl FnMut() -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut longest = Duration::from_micros(250);
    loop {
        match attempt() {
            Err(fault) if fault.is_busy() && Instant::now() < deadline => {
                thread::sleep(longest.mul_f64(fastrand::f64()));
                longest = (longest * 2).min(Duration::from_millis(4));
            }
            other => return other,
        }
    }
}

fn deadline(timeout: Duration) -> Instant {
    let now = Instant::now();
    // A year stands for forever.
    now.checked_add(timeout).unwrap_or(now + Duration::from_secs(365 * 24 * 60 * 60))
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> i64 {
    let whole = duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0));
    i64::try_from(whole).unwrap_or(i64::MAX)
}
