//! Keeps what budgets have reserved and spent.

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

/// Keeps what budgets have reserved and spent.
///
/// A ledger knows nothing about budgets, models or prices. It has accounts, each divided into
/// slots of time, and for every slot what was spent and what is reserved. It must guarantee that
/// each operation changes all of its lines at once or none, whatever other threads, processes or
/// machines do at the same time. Budgets hold because of that.
///
/// Times are seconds since the Unix epoch. The caller passes them, so tests can control them. They
/// need not be in order: threads overtake each other, clocks of machines differ, and clocks are
/// set back. A slot that no longer counts is therefore kept for a while ([`Line::kept_until`]). An
/// operation fails if its slots may be gone even so, because it might give out the same money
/// twice.
///
/// Implement this trait to keep the amounts elsewhere, such as on a server that many machines
/// share. Each operation can be a single script that runs atomically there.
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
/// // While the call is in progress, two cents are left.
/// assert!(matches!(ledger.reserve(&hold), Err(HoldError::Refused { line: 0, .. })));
/// ledger.settle(call.id, Money::cents(3), now)?;
/// assert_eq!(ledger.reserve(&hold)?.amount, Money::cents(7));
/// # Ok::<(), HoldError>(())
/// ```
pub trait Ledger: Send + Sync + fmt::Debug {
    /// Reserves the same amount on every line, or on none.
    ///
    /// The amount is the greatest, up to [`most`](Hold::most), that keeps spent plus reserved
    /// money within the limit of every line. If that is less than [`least`](Hold::least), nothing
    /// is reserved. Zero always fits, even if a line is over its limit: free calls are not
    /// refused. The order of lines does not matter, and each account occurs once.
    ///
    /// # Errors
    ///
    /// [`Refused`](HoldError::Refused) with the line that has the least left, the first one if
    /// several do. [`Failed`](HoldError::Failed) if the ledger cannot be read or written, or if
    /// the hold is invalid: `least` is negative or more than `most`, or an account occurs twice.
    /// In both cases nothing is reserved.
    fn reserve(&self, hold: &Hold<'_>) -> Result<Grant, HoldError>;

    /// Ends a reservation: releases what was reserved and records `amount` as spent, in the slots
    /// in which it was reserved, however long ago that was. `amount` may be more than was reserved;
    /// it is recorded, because the money is gone. Returns how the balance of each line changed, in
    /// the order in which the lines were reserved. A line is still the one that was reserved: if
    /// its month has ended since, the balance is last month's.
    ///
    /// If the ledger has closed the reservation itself meanwhile, because its owner seemed to be
    /// gone, its amount is corrected to `amount`.
    ///
    /// # Errors
    ///
    /// If the ledger cannot be written, if `amount` is negative, or if there is no such
    /// reservation because it has already ended.
    fn settle(
        &self,
        id: ReservationId,
        amount: Money,
        now: i64,
    ) -> Result<Vec<Posting>, LedgerError>;

    /// Ends a reservation of which nothing was spent. It returns no posting, so a ledger that
    /// records spending by itself must not treat that spending as reported here.
    ///
    /// # Errors
    ///
    /// Like [`settle`](Self::settle).
    fn release(&self, id: ReservationId, now: i64) -> Result<(), LedgerError> {
        self.settle(id, Money::ZERO, now).map(|_| ())
    }

    /// What is spent and reserved on each line at one moment. An account may occur in several
    /// lines with different slots, such as those that will count an hour from now.
    ///
    /// # Errors
    ///
    /// If the ledger cannot be read.
    fn balances(&self, lines: &[Line<'_>]) -> Result<Vec<Balance>, LedgerError>;

    /// A name by which another process can tell that it has the same ledger open, such as the path
    /// of a file. A stored [`Batch`](crate::Batch) keeps it, so that the process that reads the
    /// results can settle what another one reserved. Default: `None`, which means that reservations
    /// end with the process.
    fn identity(&self) -> Option<String> {
        None
    }

    /// The highest limit that a line may have. [`CostConfig::build`](crate::CostConfig::build)
    /// refuses budgets above it. Default: [`Money::MAX`].
    fn greatest(&self) -> Money {
        Money::MAX
    }
}

/// What to reserve.
#[derive(Debug, Clone, Copy)]
pub struct Hold<'a> {
    /// The lines to reserve on: all of them or none.
    pub lines: &'a [Line<'a>],
    /// The smallest useful amount. Not negative.
    pub least: Money,
    /// The largest amount needed. Not less than `least`.
    pub most: Money,
    /// The current time.
    pub now: i64,
}

/// An account and the slots of it that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Line<'a> {
    /// The account's name, such as `daily/customer=acme`.
    pub account: &'a str,
    /// The start of the slot that is charged.
    pub slot: i64,
    /// Slots that start here or later, and before `until`, count towards the limit: only `slot`
    /// for a calendar window, earlier slots too for a rolling window. There may also be later
    /// slots, if times were out of order. Those before `until` share a rolling window with
    /// `slot`, and the limit holds in that window too.
    pub from: i64,
    /// When the slot stops counting; `i64::MAX` if it counts forever.
    pub until: i64,
    /// The most that may be spent and reserved in the slots that count. `None` only keeps count.
    pub limit: Option<Money>,
}

impl Line<'_> {
    /// How many seconds the slot is kept after it stops counting: as long as it counted, at least
    /// a minute and at most a day. Clocks may go back by this much and still find their slots.
    pub fn kept(&self) -> i64 {
        self.until.saturating_sub(self.slot).clamp(60, 86_400)
    }

    /// When the slot may be deleted, unless something is reserved in it; `i64::MAX` if
    /// never.
    pub fn kept_until(&self) -> i64 {
        self.until.saturating_add(self.kept())
    }
}

/// The state of a line.
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

/// Identifies a reservation in the ledger that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReservationId(pub u64);

/// A reservation that was made. It lasts until it is [settled](Ledger::settle) or
/// [released](Ledger::release).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the money stays reserved until it is settled or released"]
pub struct Grant {
    /// Its id.
    pub id: ReservationId,
    /// How much is reserved.
    pub amount: Money,
}

/// How a line's balance changed when a reservation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// What was spent before in the slots that count, as far as earlier postings of
    /// [`settle`](Ledger::settle) reported it. Alerts are sent for thresholds between this and the
    /// balance after. So spending that the ledger recorded by itself is not included yet, and
    /// spending that was corrected downwards still is.
    pub before: Money,
    /// The balance after.
    pub after: Balance,
}

/// Why nothing was reserved.
#[derive(Debug)]
pub enum HoldError {
    /// A limit has too little left.
    Refused {
        /// The index of the line that has the least left.
        line: usize,
        /// What is spent and reserved on that line.
        balance: Balance,
    },
    /// The ledger cannot be read or written.
    Failed(LedgerError),
}

/// A ledger cannot be read or written.
#[derive(Debug)]
pub struct LedgerError {
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// Whether it says that there is no such reservation.
    ended: bool,
}

impl LedgerError {
    /// Creates an error. `message` says what is wrong and what to do.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None, ended: false }
    }

    /// Creates the error of [`settle`](Ledger::settle) for a reservation that has already ended. If
    /// the results of a batch are read twice, this keeps their items from being charged twice.
    pub fn no_such_reservation(message: impl Into<String>) -> Self {
        Self { ended: true, ..Self::new(message) }
    }

    /// Whether it says that there is no such reservation.
    pub(in crate::cost) fn says_ended(&self) -> bool {
        self.ended
    }

    /// Adds the cause.
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
