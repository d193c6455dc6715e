//! Accounts, their slots and reservations, as values. Pure: the caller passes the time and locks.

mod account;
mod number;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::iter;

use super::super::{Balance, Grant, Hold, HoldError, LedgerError, Line, Posting, ReservationId};
use crate::cost::Money;
use account::{Accounts, Key, NONE, Slot};
use number::ByNumber;

/// The most that one reservation can hold: more money than exists, and so much less than
/// [`Money::MAX`] that the sum of 2³² of them is exact.
const MOST: Money = Money::picos(i128::MAX >> 32);

/// How many slots each reservation checks for deletion, beyond as many as it may create. More are
/// checked than are created, but few enough that no single caller pays for all.
const SWEEP: usize = 4;

/// How many slots are kept although they may be deleted. They take little memory, and a clock that
/// runs far ahead for a moment does no harm.
pub(super) const KEEP: usize = 1024;

/// How many lists of entries are kept for later reservations.
const SPARE: usize = 64;

/// Everything spent and reserved.
#[derive(Debug)]
pub(super) struct State {
    /// How many slots are kept although they may be deleted.
    keep: usize,
    accounts: Accounts,
    open: ByNumber<ReservationId, Reservation>,
    last_id: u64,
    /// When slots may be deleted, earliest first. Each slot that ever may be is in it once, unless
    /// it was due while a reservation was open.
    due: BinaryHeap<Reverse<(i64, Key)>>,
    /// The latest time at which a slot with spending was deleted. Every slot that was due by then
    /// may be gone.
    forgot_at: Option<i64>,
    /// Lists of ended reservations, for reuse.
    spare: Vec<Vec<Entry>>,
    /// The account of each line of the latest reservation. Most calls charge the same ones again.
    latest: Vec<u64>,
}

/// An open reservation: the same amount on every one of its lines.
#[derive(Debug)]
struct Reservation {
    amount: Money,
    entries: Vec<Entry>,
}

/// A line of a reservation.
#[derive(Debug, Clone, Copy)]
struct Entry {
    key: Key,
    from: i64,
    until: i64,
}

impl State {
    /// A state with nothing spent, which keeps up to `keep` slots that may be deleted.
    pub(super) fn new(keep: usize) -> Self {
        Self {
            keep,
            accounts: Accounts::default(),
            open: ByNumber::default(),
            last_id: 0,
            due: BinaryHeap::new(),
            forgot_at: None,
            spare: Vec::new(),
            latest: Vec::new(),
        }
    }

    /// Like [`Ledger::reserve`](super::Ledger::reserve).
    pub(super) fn reserve(&mut self, hold: &Hold<'_>) -> Result<Grant, HoldError> {
        check(hold)?;
        let mut entries = self.spare.pop().unwrap_or_default();
        // Looks up each name once: that takes more time than everything else.
        let likely = self.latest.iter().copied().chain(iter::repeat(NONE));
        entries.extend(hold.lines.iter().zip(likely).map(|(line, likely)| {
            let account = self.accounts.find_likely(line.account, likely).unwrap_or(NONE);
            Entry { key: Key { account, slot: line.slot }, from: line.from, until: line.until }
        }));
        match self.greatest(hold, &entries) {
            Ok(amount) => Ok(Grant { id: self.open(hold, entries, amount), amount }),
            Err(error) => {
                self.spare(entries);
                Err(error)
            }
        }
    }

    /// The greatest amount that fits on every line.
    fn greatest(&self, hold: &Hold<'_>, entries: &[Entry]) -> Result<Money, HoldError> {
        let mut amount = hold.most.min(MOST);
        let mut tightest = None;
        for (number, (line, entry)) in hold.lines.iter().zip(entries).enumerate() {
            let Some(limit) = line.limit else { continue };
            if let Some(forgot_at) = self.forgot_at {
                if may_be_forgotten(line, hold.now, forgot_at) {
                    return Err(gone(line, hold.now, forgot_at).into());
                }
            }
            let balance = self.balance_of(entry.key.account, line);
            // Zero always fits.
            let left = limit.saturating_sub(balance.committed());
            if left < amount {
                amount = left;
                tightest = Some((number, balance));
            }
        }
        match tightest.filter(|_| amount < hold.least) {
            Some((line, balance)) => Err(HoldError::Refused { line, balance }),
            None => Ok(amount),
        }
    }

    fn open(&mut self, hold: &Hold<'_>, mut entries: Vec<Entry>, amount: Money) -> ReservationId {
        for (line, Entry { key, .. }) in hold.lines.iter().zip(&mut entries) {
            if key.account == NONE {
                key.account = self.accounts.begin(line.account);
            }
            let slot = self.accounts.slot(key.account, line.account, line.slot);
            slot.reserved += amount;
            slot.open += 1;
            if line.until > slot.until {
                slot.until = line.until;
                slot.kept_until = line.kept_until();
            }
            queue(&mut self.due, *key, slot);
        }
        self.latest.clear();
        self.latest.extend(entries.iter().map(|entry| entry.key.account));
        self.last_id += 1;
        let id = ReservationId(self.last_id);
        self.open.insert(id, Reservation { amount, entries });
        self.sweep(hold.now, hold.lines.len() + SWEEP);
        id
    }

    /// Keeps an empty list of entries for a later reservation.
    fn spare(&mut self, mut entries: Vec<Entry>) {
        if self.spare.len() < SPARE {
            entries.clear();
            self.spare.push(entries);
        }
    }

    /// Like [`Ledger::settle`](super::Ledger::settle). Calls `post` for each line.
    pub(super) fn settle(
        &mut self,
        id: ReservationId,
        amount: Money,
        mut post: impl FnMut(Posting),
    ) -> Result<(), LedgerError> {
        if amount.is_negative() {
            return Err(LedgerError::new(format!("cannot settle {amount}; pass 0 or more")));
        }
        let Some(Reservation { amount: reserved, entries }) = self.open.remove(&id) else {
            return Err(LedgerError::no_such_reservation(format!(
                "there is no reservation {}; it has already ended, or another ledger made it",
                id.0
            )));
        };
        for &Entry { key, from, until } in &entries {
            // Always found: a slot is not deleted while something is reserved in it.
            let Some(account) = self.accounts.get_mut(key.account) else { continue };
            let before = account.balance(from, until).spent;
            let Some(slot) = account.slot_mut(key.slot) else { continue };
            slot.reserved -= reserved;
            slot.open -= 1;
            slot.spent += amount;
            queue(&mut self.due, key, slot);
            post(Posting { before, after: account.balance(from, until) });
        }
        self.spare(entries);
        Ok(())
    }

    /// What is spent and reserved on a line.
    pub(super) fn balance(&self, line: &Line<'_>) -> Balance {
        self.balance_of(self.accounts.find(line.account).unwrap_or(NONE), line)
    }

    fn balance_of(&self, account: u64, line: &Line<'_>) -> Balance {
        let account = self.accounts.get(account);
        account.map(|account| account.balance(line.from, line.until)).unwrap_or_default()
    }

    /// Deletes slots that are due, earliest first, after checking at most `most` of them.
    fn sweep(&mut self, now: i64, most: usize) {
        for _ in 0..most.min(self.due.len().saturating_sub(self.keep)) {
            let Some(Reverse((at, key))) = self.due.peek().copied() else { return };
            if at > now {
                return;
            }
            self.due.pop();
            let Some(slot) = self.accounts.get_mut(key.account).and_then(|a| a.slot_mut(key.slot))
            else {
                continue;
            };
            slot.queued = false;
            if slot.kept_until > now {
                // It was charged again with a later end.
                queue(&mut self.due, key, slot);
            } else if slot.open == 0 {
                if !slot.spent.is_zero() {
                    self.forgot_at = self.forgot_at.max(Some(now));
                }
                self.accounts.forget(key);
            }
        }
    }
}

/// Queues a slot to be checked when it is due, unless it is queued already.
fn queue(due: &mut BinaryHeap<Reverse<(i64, Key)>>, key: Key, slot: &mut Slot) {
    if !slot.queued && slot.kept_until < i64::MAX {
        slot.queued = true;
        due.push(Reverse((slot.kept_until, key)));
    }
}

/// Refuses invalid holds.
fn check(hold: &Hold<'_>) -> Result<(), LedgerError> {
    if hold.least.is_negative() || hold.least > hold.most.min(MOST) {
        return Err(LedgerError::new(format!(
            "cannot reserve between {} and {}; the least must be 0 or more and not above the most",
            hold.least, hold.most
        )));
    }
    for (number, line) in hold.lines.iter().enumerate() {
        if hold.lines[..number].iter().any(|other| other.account == line.account) {
            return Err(LedgerError::new(format!(
                "the account {:?} occurs twice in one reservation; list it once",
                line.account
            )));
        }
    }
    Ok(())
}

/// Whether slots that count on the line at `now` may have been deleted. At any time, slots are gone
/// that stopped counting longer ago than they are kept.
fn may_be_forgotten(line: &Line<'_>, now: i64, forgot_at: i64) -> bool {
    line.until < i64::MAX && now < forgot_at.saturating_sub(line.kept())
}

fn gone(line: &Line<'_>, now: i64, forgot_at: i64) -> LedgerError {
    LedgerError::new(format!(
        "the clock went back by {} seconds, and earlier spending of {:?} may be deleted; set the \
         clock right, or create a new ledger",
        forgot_at.saturating_sub(now),
        line.account
    ))
}

#[cfg(test)]
mod tests;
