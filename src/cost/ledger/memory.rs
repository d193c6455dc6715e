//! `MemoryLedger`: amounts in the memory of this process. [`state`] decides, this shell locks.

mod state;
#[cfg(all(test, not(loom)))]
mod tests;

use std::fmt;

use super::{Balance, Grant, Hold, HoldError, Ledger, LedgerError, Line, Posting, ReservationId};
use crate::cost::Money;
use crate::sync::{Lock, Mutex};
use state::{KEEP, State};

/// A ledger in memory: for the threads of one process, gone when it ends.
///
/// Its size depends on what counts now, not on how long it runs. A slot that no longer counts is
/// deleted once it was [kept](Line::kept) long enough and nothing is reserved in it. Each
/// reservation deletes a few, the earliest first, while there are more than 1024 slots.
///
/// If a clock is set back further than slots are kept, spending it would need to see may have been
/// deleted. Reserving on lines with a limit then fails until the clock is where it was, or a new
/// ledger is created, because the same money might be given out twice. Lines that count forever
/// are not affected.
///
/// Every operation takes one lock, once: reserving and settling for well under a microsecond, and
/// reading balances for as long as it takes to read the requested lines.
pub struct MemoryLedger {
    /// Invariant ([`Lock::MemoryLedger`]): on every line, spent plus reserved money is within the
    /// limit, except for settled amounts above their reservations; and reserved money is the sum
    /// of the open reservations. Held for bookkeeping only.
    state: Mutex<State>,
}

impl MemoryLedger {
    /// Creates a ledger with nothing spent.
    pub fn new() -> Self {
        Self::keeping(KEEP)
    }

    /// Creates a ledger that keeps up to `slots` slots that may be deleted.
    pub(super) fn keeping(slots: usize) -> Self {
        Self { state: Mutex::new(Lock::MemoryLedger, State::new(slots)) }
    }
}

impl Default for MemoryLedger {
    fn default() -> Self {
        Self::new()
    }
}

impl Ledger for MemoryLedger {
    fn reserve(&self, hold: &Hold<'_>) -> Result<Grant, HoldError> {
        self.state.lock().reserve(hold)
    }

    fn settle(
        &self,
        id: ReservationId,
        amount: Money,
        _now: i64,
    ) -> Result<Vec<Posting>, LedgerError> {
        // Allocated before the lock is taken, for all but long holds.
        let mut postings = Vec::with_capacity(8);
        self.state.lock().settle(id, amount, |posting| postings.push(posting))?;
        Ok(postings)
    }

    fn release(&self, id: ReservationId, _now: i64) -> Result<(), LedgerError> {
        self.state.lock().settle(id, Money::ZERO, |_| {})
    }

    fn balances(&self, lines: &[Line<'_>]) -> Result<Vec<Balance>, LedgerError> {
        let mut balances = Vec::with_capacity(lines.len());
        let state = self.state.lock();
        balances.extend(lines.iter().map(|line| state.balance(line)));
        Ok(balances)
    }
}

impl fmt::Debug for MemoryLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLedger").finish_non_exhaustive()
    }
}
