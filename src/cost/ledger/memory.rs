//! The books in the memory of this process: [`state`] keeps them, this shell locks.

mod state;
#[cfg(all(test, not(loom)))]
mod tests;

use std::fmt;

use super::{Balance, Grant, Hold, HoldError, Ledger, LedgerError, Line, Posting, ReservationId};
use crate::cost::Money;
use crate::sync::{Lock, Mutex};
use state::{KEEP, State};

/// Books in memory: for the threads of one process, gone when it ends.
///
/// It grows with what counts, not with time. A slot that counts no longer is forgotten when
/// it was [kept](Line::kept) and nothing is reserved in it: the earliest first, a few with
/// every reservation, while there are more than 1024 slots. When time goes back further
/// than a slot is kept, as a clock does that is set back, and anything spent was forgotten
/// meanwhile, then reserving fails on lines with a limit, until the clock is where it was
/// or a new ledger is begun: it might give the same money twice. Lines that count for ever
/// go on.
///
/// Every operation takes one lock, once: reserving and settling for well under a
/// microsecond, and reading balances for as long as it takes to read as many lines as were
/// asked for.
pub struct MemoryLedger {
    /// [`Lock::MemoryLedger`]. Guards that on every line at every moment what is spent and what is reserved are
    /// within its limit, settled amounts above their reservations aside, and that what is
    /// reserved is the sum of the open reservations. Held for bookkeeping only.
    state: Mutex<State>,
}

impl MemoryLedger {
    /// Books in which nothing is spent.
    pub fn new() -> Self {
        Self::keeping(KEEP)
    }

    /// Books that keep so many slots that may be forgotten.
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
        // Grown before the lock is taken, for all but long holds.
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
