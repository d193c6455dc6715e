//! A ledger in a SQLite file that several processes can share.

mod books;
mod fault;
mod files;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod wal;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
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
use crate::sync::Lock;
use crate::sync::ordered::Mutex;
use books::{Held, Told};
use fault::Fault;
use files::Files;
use rows::Periods;
use wal::Wal;

/// So many slots that may be deleted are kept even so.
const KEEP: u32 = 1024;

/// A ledger in a SQLite file, which many threads and processes of one machine share.
///
/// ```no_run
/// use tollgate::cost::ledger::SqliteLedger;
///
/// let ledger = SqliteLedger::open("budget.db")?;
/// # Ok::<(), tollgate::Error>(())
/// ```
///
/// Every operation is one transaction (`BEGIN IMMEDIATE`), so it happens wholly or not
/// at all, at whatever instant a process is killed. The file is in WAL mode, with
/// `-wal` and `-shm` files beside it while it is in use.
///
/// It does not grow for ever: slots of rolling windows are deleted when they were
/// [kept](Line::kept), those of a calendar's windows (in which [`from`](Line::from) is
/// the slot itself) after [`history`](Self::history) more; the earliest first, a few
/// whenever a new slot begins, while there are more than 1024 of them. So a clock that is
/// far ahead for a moment mostly does no harm. Where slots were deleted that still count
/// once it is right again, reserving fails on lines with a limit until they would have
/// counted no longer, since the same money might be given twice; `DELETE FROM forgotten`
/// gives up what was spent in them and goes on at once.
///
/// # Processes that die
///
/// What a dead process had reserved may have been billed. A reservation open for longer
/// than [`abandon_after`](Self::abandon_after) is therefore booked as spent in full by the next
/// [`reserve`](Ledger::reserve) or [`settle`](Ledger::settle) of any process. If its owner
/// was only slow and settles it after all, within a week, the books are corrected to
/// the real amount.
///
/// Thresholds that are reached so are told by the next call that ends in any process, once
/// for all of them; a correction tells none twice.
///
/// # What is in the file
///
/// Amounts are whole pico-dollars in 64 bits, so that no number is above 9.2 million
/// dollars; limits above that are refused. Times are seconds since the Unix epoch.
///
/// | Table | Columns |
/// |---|---|
/// | `slots` | `account`, `slot` (its beginning), `until` (from when on it counts for nothing; 2⁶³ − 1: never), `kept_until` (from when on it may be deleted), `spent`, `reserved`, `told` (the most of `spent` that alerts were given for) |
/// | `reservations` | `id`, `amount`, `made`, `abandon_at`, `abandoned` (1: counted in `spent` now) |
/// | `reservation_lines` | `reservation`, `line`, `account`, `slot`, `counted_from`, `until` |
/// | `forgotten` | `latest` (until when the slots counted that were deleted though something was spent in them) |
///
/// For people there are the views `balances` and `pending`, in dollars and dates:
///
/// ```text
/// $ sqlite3 budget.db 'SELECT * FROM balances'
/// daily/customer=acme|2025-06-01 00:00:00|2025-06-02 00:00:00|1.25|0.04
/// ```
///
/// Any SQLite tool may read the file while it is in use. One may write too: set `spent`
/// and `told` to 0 to begin a budget anew, say. `PRAGMA application_id` is 0x746f6c6c, and
/// `user_version` the version of the tables, 1.
///
/// # What SQLite asks for
///
/// - A local disk: WAL does not work over a network
///   (<https://www.sqlite.org/wal.html>).
/// - Within a process that has the ledger open, nobody else opens the file, neither as
///   a file nor through another copy of SQLite: closing it would drop the locks of
///   all (<https://www.sqlite.org/howtocorrupt.html>). Copy it with `VACUUM INTO` or
///   `.backup`.
/// - A process that forks opens its ledger after it. One opened before refuses to work
///   in the child.
///
/// # Files that are moved or deleted
///
/// While a ledger is open, its file and the `-wal` and `-shm` files beside it must stay where
/// they are. On Unix, every operation sees that they do: where one was deleted, renamed or
/// replaced, be it by a link, nothing is reserved any more, since other processes would see
/// other books. Nor is such a file [opened](Self::open) by another process while the first
/// one has it open. Stop every program that uses the ledger, and start them again: the last
/// one that ends writes what is in its log into the file.
///
/// A hard link to the file is refused too: its log would be beside it under another name. A
/// symbolic link is followed.
pub struct SqliteLedger {
    path: PathBuf,
    files: Files,
    /// The process that opened it.
    owner: u32,
    periods: Periods,
    busy_timeout: Duration,
    survive_power_loss: bool,
    /// Guards the one connection of the process ([`Lock::SqliteLedger`]): whoever holds it is in the only
    /// transaction. Unlike our other locks it is held over I/O and over waiting for
    /// other processes, since that is what the others would have to wait for as well; in
    /// line here they are woken in turn and do not poll. `None` while the ledger is dropped.
    connection: Mutex<Option<(Connection, Wal)>>,
}

impl SqliteLedger {
    /// Opens the file, or creates it; its directory must exist. A file that is empty is
    /// a ledger in which nothing was spent.
    ///
    /// On Unix, a file that it creates may be read and written by its user alone (mode 0600),
    /// and so may the files beside it, which get the mode of the file. The mode of a file that
    /// is there is not changed: where several users share a ledger, create an empty file with
    /// the mode they need.
    ///
    /// A file of up to 64 MiB is checked for damage.
    ///
    /// # Errors
    ///
    /// Of kind [`Configuration`](crate::ErrorKind::Configuration) where the file cannot be
    /// opened or written, is damaged, is another program's database or was written by a
    /// newer version of this library; and where it was separated from the `-wal` and `-shm`
    /// files beside it, or has a hard link. The message says which and what to do.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_within(path.as_ref(), Duration::from_secs(5))
    }

    /// Opens the file, and waits no longer than `busy_timeout` for other processes.
    fn open_within(path: &Path, busy_timeout: Duration) -> Result<Self, Error> {
        // Neither a URI nor `:memory:`, and the same file after a change of directory.
        let path = path::absolute(path).map_err(|error| {
            let message = format!("{} cannot be the name of a ledger's file", path.display());
            Error::new(ErrorKind::Configuration, message).with_source(error)
        })?;
        let open = || {
            let deadline = deadline(busy_timeout);
            patiently(deadline, || files::check_before_opening(&path))?;
            files::create(&path);
            let connection = patiently(deadline, || connect(&path))?;
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

    /// For how long a reservation made here may stay open before its process is taken
    /// for dead. Choose it longer than any call takes. Rounded up to seconds.
    /// Default: 15 minutes.
    #[must_use]
    pub fn abandon_after(mut self, after: Duration) -> Self {
        self.periods.abandon_after = seconds(after);
        self
    }

    /// For how long the slots of a calendar's windows that begin here are kept when they
    /// count no more, to look them up. Rounded up to seconds. Default: 400 days.
    #[must_use]
    pub fn history(mut self, kept: Duration) -> Self {
        self.periods.history = seconds(kept);
        self
    }

    /// For how long an operation waits for other threads and processes before it fails.
    /// Default: 5 seconds.
    ///
    /// A call waits so long at most before it is sent, and once more when it has ended. Neither
    /// its timeout nor its [`CancelToken`](crate::CancelToken) shortens that: choose it
    /// shorter than the timeouts of calls where these must be kept to. What could not be
    /// booked in time stays reserved, and is booked in full when it is taken for abandoned.
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Whether a reservation is on the disk before it counts as made, so that not even a
    /// power cut forgets a call that was made. That is a flush of the disk for each, some
    /// milliseconds. Without, a power cut may forget the last seconds; the file stays whole,
    /// and a process that is killed loses nothing either way. Default: true.
    ///
    /// (`PRAGMA synchronous` is `FULL` for what makes the books greater. Where an
    /// amount up to the reserved one is settled it is `NORMAL`: if that is forgotten,
    /// the reservation stands, and is booked in full.)
    #[must_use]
    pub fn survive_power_loss(mut self, survive: bool) -> Self {
        self.survive_power_loss = survive;
        self
    }

    /// Runs an operation as soon as no other process is in the way.
    fn operate<T>(
        &self,
        mut operation: impl FnMut(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, LedgerError> {
        let deadline = deadline(self.busy_timeout);
        let mut operate = || {
            // First, since a lock that was held when the process forked is never released.
            if self.owner != process::id() {
                return Err(Fault::Forked);
            }
            let mut guard = self.connection.try_lock_until(deadline).ok_or(Fault::Busy)?;
            let (connection, wal) = guard.as_mut().ok_or(Fault::Forked)?;
            // Books that nobody else sees keep no limit.
            self.files.check()?;
            let result = patiently(deadline, || operation(connection))?;
            // Nor do they where that happened meanwhile.
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
        told: Told,
    ) -> Result<Vec<Posting>, LedgerError> {
        self.operate(|connection| {
            let reserved = books::reserved(connection, id)?;
            self.set_flush(connection, amount > reserved)?;
            write(connection, |tables| books::settle(tables, id, amount, now, told, self.periods))
        })
    }

    /// Whether to flush the disk when a transaction ends.
    fn set_flush(&self, connection: &Connection, flush: bool) -> Result<(), Fault> {
        let mode = if flush && self.survive_power_loss { "FULL" } else { "NORMAL" };
        Ok(connection.pragma_update(None, "synchronous", mode)?)
    }
}

impl Ledger for SqliteLedger {
    fn reserve(&self, hold: &Hold<'_>) -> Result<Grant, HoldError> {
        let held = self.operate(|connection| {
            books::check(hold)?;
            self.set_flush(connection, true)?;
            write(connection, |tables| books::reserve(tables, hold, self.periods))
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
        self.end(id, amount, now, Told::Yes)
    }

    fn release(&self, id: ReservationId, now: i64) -> Result<(), LedgerError> {
        self.end(id, Money::ZERO, now, Told::No).map(|_| ())
    }

    fn balances(&self, lines: &[Line<'_>]) -> Result<Vec<Balance>, LedgerError> {
        self.operate(|connection| {
            // Sees the file as it is at one moment, and keeps nobody from writing.
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
            books::balances(&transaction, lines)
        })
    }

    /// 9.2 million dollars: whole pico-dollars in 64 bits.
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
            // To close it in a forked child would spoil the file for the parent.
            mem::forget(self.connection.get_mut().take());
        }
    }
}

fn connect(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    // We wait ourselves.
    connection.busy_timeout(Duration::ZERO)?;
    schema::prepare(&mut connection)?;
    books::prepare(&connection)?;
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

/// Tries until no other process is in the way. SQLite's own waiting would sleep for up
/// to 100 ms between two tries, and by chance find the file locked each time.
fn patiently<T>(
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
    // A year is for ever.
    now.checked_add(timeout).unwrap_or(now + Duration::from_secs(365 * 24 * 60 * 60))
}

/// Rounded up.
fn seconds(duration: Duration) -> i64 {
    let whole = duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0));
    i64::try_from(whole).unwrap_or(i64::MAX)
}
