//! Accounts, their slots, and what is reserved in them, as values. Pure: the time comes
//! from outside, and whoever shares it locks it.

mod account;
mod number;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::super::{Balance, Grant, Hold, HoldError, LedgerError, Line, Posting, ReservationId};
use crate::cost::Money;
use account::{Accounts, Key, NONE, Slot};
use number::ByNumber;

/// The most that one reservation books: more than there is, and so much less than
/// [`Money::MAX`] that the sum of 2³² of them is exact.
const MOST: Money = Money::picos(i128::MAX >> 32);

/// How many slots are looked at with every reservation whether they can be forgotten, beyond
/// as many as it may begin: more than are begun, and few enough that no caller pays for
/// all.
const SWEEP: usize = 4;

/// So many slots that may ever be forgotten are kept even so: they take little, and a clock
/// that was far ahead for a moment does no harm.
pub(super) const KEEP: usize = 1024;

/// How many lists of entries are kept for the next reservations.
const SPARE: usize = 64;

/// Everything that is spent and reserved.
#[derive(Debug)]
pub(super) struct State {
    /// How many slots are kept though they may be forgotten.
    keep: usize,
    accounts: Accounts,
    open: ByNumber<ReservationId, Reservation>,
    last_id: u64,
    /// When slots may be forgotten, the earliest first: each slot that ever may be is in
    /// it once, or was looked at in vain and has a reservation open.
    due: BinaryHeap<Reverse<(i64, Key)>>,
    /// When something spent was last forgotten, the latest such time: by then every slot
    /// before it may be gone.
    forgot_at: Option<i64>,
    /// Lists of ended reservations, to be used again.
    spare: Vec<Vec<Entry>>,
}

/// What is reserved, on every one of its lines the same amount.
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
    /// Books in which nothing is spent. So many slots are kept that may be forgotten.
    pub(super) fn new(keep: usize) -> Self {
        Self {
            keep,
            accounts: Accounts::default(),
            open: ByNumber::default(),
            last_id: 0,
            due: BinaryHeap::new(),
            forgot_at: None,
            spare: Vec::new(),
        }
    }

    /// As [`Ledger::reserve`](super::Ledger::reserve).
    pub(super) fn reserve(&mut self, hold: &Hold<'_>) -> Result<Grant, HoldError> {
        check(hold)?;
        let mut entries = self.spare.pop().unwrap_or_default();
        // Each name is looked up once: that takes more time than all the rest.
        entries.extend(hold.lines.iter().map(|line| {
            let account = self.accounts.find(line.account).unwrap_or(NONE);
            Entry { key: Key { account, slot: line.slot }, from: line.from, until: line.until }
        }));
        match self.greatest(hold, &entries) {
            Ok(amount) => Ok(Grant { id: self.book(hold, entries, amount), amount }),
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
            // Nothing always fits.
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

    fn book(&mut self, hold: &Hold<'_>, mut entries: Vec<Entry>, amount: Money) -> ReservationId {
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
        self.last_id += 1;
        let id = ReservationId(self.last_id);
        self.open.insert(id, Reservation { amount, entries });
        self.sweep(hold.now, hold.lines.len() + SWEEP);
        id
    }

    /// Keeps an empty list of entries for the next reservation.
    fn spare(&mut self, mut entries: Vec<Entry>) {
        if self.spare.len() < SPARE {
            entries.clear();
            self.spare.push(entries);
        }
    }

    /// As [`Ledger::settle`](super::Ledger::settle); tells `post` of each line.
    pub(super) fn settle(
        &mut self,
        id: ReservationId,
        amount: Money,
        mut post: impl FnMut(Posting),
    ) -> Result<(), LedgerError> {
        if amount.is_negative() {
            return Err(LedgerError::new(format!("{amount} cannot be booked: it is negative")));
        }
        let Some(Reservation { amount: reserved, entries }) = self.open.remove(&id) else {
            return Err(LedgerError::new(format!(
                "there is no reservation {}; it was ended before, or made by another ledger",
                id.0
            )));
        };
        for &Entry { key, from, until } in &entries {
            // There is one: a slot is not forgotten while something is reserved in it.
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

    /// Forgets what is due, the earliest first, looking at `most` slots.
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

/// Has a slot looked at when it is due, unless it will be.
fn queue(due: &mut BinaryHeap<Reverse<(i64, Key)>>, key: Key, slot: &mut Slot) {
    if !slot.queued && slot.kept_until < i64::MAX {
        slot.queued = true;
        due.push(Reverse((slot.kept_until, key)));
    }
}

/// What in a hold makes no sense.
fn check(hold: &Hold<'_>) -> Result<(), LedgerError> {
    if hold.least.is_negative() || hold.least > hold.most.min(MOST) {
        return Err(LedgerError::new(format!(
            "between {} and {} there is nothing to reserve",
            hold.least, hold.most
        )));
    }
    for (number, line) in hold.lines.iter().enumerate() {
        if hold.lines[..number].iter().any(|other| other.account == line.account) {
            return Err(LedgerError::new(format!(
                "the account {:?} occurs twice in one reservation",
                line.account
            )));
        }
    }
    Ok(())
}

/// Whether slots that count on the line at `now` may have been forgotten. At a time t
/// those are gone that counted until t less what such slots are kept.
fn may_be_forgotten(line: &Line<'_>, now: i64, forgot_at: i64) -> bool {
    line.until < i64::MAX && now < forgot_at.saturating_sub(line.kept())
}

fn gone(line: &Line<'_>, now: i64, forgot_at: i64) -> LedgerError {
    LedgerError::new(format!(
        "the clock went back by {} seconds, and what {:?} had spent by then may be forgotten; \
         set it right or begin a new ledger",
        forgot_at.saturating_sub(now),
        line.account
    ))
}

#[cfg(test)]
mod tests;
