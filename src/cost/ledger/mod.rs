//! Where money is reserved and booked.

mod memory;
#[cfg(all(test, loom))]
mod model;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(all(test, any(not(loom), feature = "sqlite")))]
mod tests;

use std::error::Error as StdError;
use std::fmt;

use super::Money;
pub use memory::MemoryLedger;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteLedger;

/// The books that budgets are kept in.
///
/// A ledger knows nothing of budgets, models or prices: it holds accounts, each
/// with slots of time, and of every slot what was spent and what is reserved. What it
/// must promise is that each operation happens in all its lines at once or not at
/// all, whatever other threads, processes or machines do at the same time; budgets hold
/// because of that.
///
/// Instants are seconds since the Unix epoch. They are given by the caller, so that time
/// can be played through in tests. They need not be in order: threads overtake each
/// other, machines disagree, and clocks are set back. So a slot that counts no longer is
/// kept for a while ([`Line::kept_until`]); an operation whose books may be gone even so
/// fails, for it might give the same money twice.
///
/// Implement it to keep the books elsewhere, in a server that many machines share, say:
/// an operation needs no more than one script that runs atomically there.
///
/// ```
/// use tollgate::Money;
/// use tollgate::cost::ledger::{Hold, HoldError, Ledger, Line, MemoryLedger};
///
/// let ledger = MemoryLedger::new();
/// let limit = Some(Money::cents(10));
/// let line = Line { account: "total", slot: 0, from: 0, until: i64::MAX, limit };
/// let (least, most, now) = (Money::cents(6), Money::cents(8), 1_795_478_400);
/// let hold = Hold { lines: &[line], least, most, now };
///
/// let call = ledger.reserve(&hold)?;
/// assert_eq!(call.amount, Money::cents(8));
/// // While it is under way, two cents are left.
/// assert!(matches!(ledger.reserve(&hold), Err(HoldError::Refused { line: 0, .. })));
/// ledger.settle(call.id, Money::cents(3), now)?;
/// assert_eq!(ledger.reserve(&hold)?.amount, Money::cents(7));
/// # Ok::<(), HoldError>(())
/// ```
pub trait Ledger: Send + Sync + fmt::Debug {
    /// Reserves the same amount on every line, or on none.
    ///
    /// The amount is the greatest, up to [`most`](Hold::most), that leaves the sum of
    /// what is spent and what is reserved within the limit of every line; if that is less
    /// than [`least`](Hold::least), nothing is reserved. Nothing always fits, even where
    /// more is spent than the limit: what is free is not refused. The order of lines does
    /// not matter; an account occurs in them once.
    ///
    /// # Errors
    ///
    /// [`Refused`](HoldError::Refused) with the line that left the least, the first of
    /// several; [`Failed`](HoldError::Failed) where the books cannot be read or written, or
    /// the hold makes no sense: `least` is negative or more than `most`, or an account
    /// occurs twice. Nothing is reserved then.
    fn reserve(&self, hold: &Hold<'_>) -> Result<Grant, HoldError>;

    /// Ends a reservation: what was reserved is free again, and `amount` is spent, in
    /// the slots in which it was reserved, however long ago that was. It may be more than
    /// was reserved; the money is gone, so it is booked. Returns what each line's balance
    /// was and became, in the order in which they were reserved: the balance of the line as
    /// it was reserved, which is last month's where the month has ended since.
    ///
    /// A reservation that the ledger has meanwhile closed by itself, since its owner
    /// seemed to be gone, is corrected to `amount`.
    ///
    /// # Errors
    ///
    /// Where the books cannot be written, `amount` is negative, or there is no such
    /// reservation: it was ended before.
    fn settle(
        &self,
        id: ReservationId,
        amount: Money,
        now: i64,
    ) -> Result<Vec<Posting>, LedgerError>;

    /// Ends a reservation of which nothing was spent. It tells of no posting: a ledger that
    /// books anything by itself must not take that for told here.
    ///
    /// # Errors
    ///
    /// As [`settle`](Self::settle).
    fn release(&self, id: ReservationId, now: i64) -> Result<(), LedgerError> {
        self.settle(id, Money::ZERO, now).map(|_| ())
    }

    /// What is spent and reserved on each line at one moment. An account may occur in several
    /// lines, each with slots of its own, such as those that will count in an hour.
    ///
    /// # Errors
    ///
    /// Where the books cannot be read.
    fn balances(&self, lines: &[Line<'_>]) -> Result<Vec<Balance>, LedgerError>;

    /// The greatest limit that a line may have; a tracker with a budget above it is not
    /// [built](crate::CostConfig::build). Default: [`Money::MAX`].
    fn greatest(&self) -> Money {
        Money::MAX
    }
}

/// What is to be reserved.
#[derive(Debug, Clone, Copy)]
pub struct Hold<'a> {
    /// Where, on all of them or on none.
    pub lines: &'a [Line<'a>],
    /// Less than this is of no use. Not negative.
    pub least: Money,
    /// More than this is not needed. Not less than `least`.
    pub most: Money,
    /// When it is.
    pub now: i64,
}

/// One account and the time in it that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Line<'a> {
    /// The account's name, such as `daily/customer=acme`.
    pub account: &'a str,
    /// The start of the slot of time that is charged.
    pub slot: i64,
    /// Slots that start here or later, and before `until`, count towards the limit:
    /// `slot` itself for a calendar's window, earlier ones too for a rolling window. Later
    /// ones there are where time was not in order; before `until` they lie in a rolling
    /// window together with `slot`, and the limit holds in that too.
    pub from: i64,
    /// From when on the slot counts for nothing; `i64::MAX` where it counts for ever.
    pub until: i64,
    /// The most that may be spent and reserved in the slots that count; `None` only
    /// keeps count.
    pub limit: Option<Money>,
}

impl Line<'_> {
    /// How long, in seconds, the slot is kept after it counts no longer: as long as it
    /// counted, at least a minute and at most a day. That is how far back time may go
    /// and still find its books.
    pub fn kept(&self) -> i64 {
        self.until.saturating_sub(self.slot).clamp(60, 86_400)
    }

    /// From when on the slot may be forgotten, unless something is reserved in it;
    /// `i64::MAX` where it never may.
    pub fn kept_until(&self) -> i64 {
        self.until.saturating_add(self.kept())
    }
}

/// What a ledger holds on a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Balance {
    /// Spent, in the slots that count.
    pub spent: Money,
    /// Reserved and not yet spent, in the slots that count.
    pub reserved: Money,
}

impl Balance {
    /// Spent and reserved together: what counts against a limit.
    pub fn committed(self) -> Money {
        self.spent + self.reserved
    }
}

/// Names a reservation in the ledger that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReservationId(pub u64);

/// A reservation that was made. It stands until it is [settled](Ledger::settle) or
/// [released](Ledger::release).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the money stays reserved until it is settled or released"]
pub struct Grant {
    /// Its name.
    pub id: ReservationId,
    /// How much is reserved.
    pub amount: Money,
}

/// How a line's balance moved when a reservation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// Spent before, in the slots that count, as far as a posting of [`settle`](Ledger::settle)
    /// has told of it: alerts are given for what lies between this and the balance after. So
    /// what the ledger has booked by itself is not in it, and what was corrected downwards
    /// still is.
    pub before: Money,
    /// The balance after.
    pub after: Balance,
}

/// Why nothing was reserved.
#[derive(Debug)]
pub enum HoldError {
    /// A limit leaves too little.
    Refused {
        /// The line, counted from 0, that leaves the least.
        line: usize,
        /// What is spent and reserved on it.
        balance: Balance,
    },
    /// The books cannot be read or written.
    Failed(LedgerError),
}

/// Books that cannot be read or written.
#[derive(Debug)]
pub struct LedgerError {
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl LedgerError {
    /// An error that says in `message` what is wrong and what to do.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    /// With what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for LedgerError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}

impl From<LedgerError> for HoldError {
    fn from(error: LedgerError) -> Self {
        Self::Failed(error)
    }
}
