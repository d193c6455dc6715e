//! Accounts by name and by number, each with its slots in order of time.

use std::collections::{HashMap, VecDeque};

use super::number::ByNumber;
use crate::cost::Money;
use crate::cost::ledger::Balance;

/// Below this capacity the map of names never shrinks.
const SMALL: usize = 64;

/// The number that no account has.
pub(super) const NONE: u64 = 0;

/// Identifies a slot: the number of its account, and its start. An account that was deleted and
/// created again has a new number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) account: u64,
    pub(super) slot: i64,
}

/// A slot of time in an account.
#[derive(Debug)]
pub(super) struct Slot {
    start: i64,
    /// When it stops counting: the latest time that any of its lines gave.
    pub(super) until: i64,
    /// When it may be deleted.
    pub(super) kept_until: i64,
    pub(super) spent: Money,
    /// The sum of the open reservations in it.
    pub(super) reserved: Money,
    /// How many reservations are open in it.
    pub(super) open: u32,
    /// Whether it is queued to be checked when it is due.
    pub(super) queued: bool,
}

impl Slot {
    fn new(start: i64) -> Self {
        Self {
            start,
            until: i64::MIN,
            kept_until: i64::MIN,
            spent: Money::ZERO,
            reserved: Money::ZERO,
            open: 0,
            queued: false,
        }
    }
}

/// An account and its slots.
#[derive(Debug)]
pub(super) struct Account {
    name: Box<str>,
    /// By start, each once, latest last.
    slots: VecDeque<Slot>,
}

impl Account {
    fn new(name: &str) -> Self {
        Self { name: name.into(), slots: VecDeque::new() }
    }

    /// What is spent and reserved in the slots from `from` up to, but not including, `until`.
    pub(super) fn balance(&self, from: i64, until: i64) -> Balance {
        let mut sum = Balance::default();
        for slot in self.slots.iter().rev().skip_while(|slot| slot.start >= until) {
            if slot.start < from {
                break;
            }
            sum.spent += slot.spent;
            sum.reserved += slot.reserved;
        }
        sum
    }

    pub(super) fn slot_mut(&mut self, start: i64) -> Option<&mut Slot> {
        let index = self.place(start).ok()?;
        self.slots.get_mut(index)
    }

    /// The index of the slot, or else where it belongs.
    fn place(&self, start: i64) -> Result<usize, usize> {
        // Usually the last one.
        match self.slots.back() {
            Some(last) if last.start == start => Ok(self.slots.len() - 1),
            Some(last) if last.start < start => Err(self.slots.len()),
            _ => self.slots.binary_search_by_key(&start, |slot| slot.start),
        }
    }
}

/// The accounts that have slots.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    numbers: HashMap<Box<str>, u64>,
    /// By number: the same accounts as in `numbers`.
    accounts: ByNumber<u64, Account>,
    /// The number of the latest account; the first is 1.
    last: u64,
}

impl Accounts {
    /// The number of an account; `None` if it has no slots.
    pub(super) fn find(&self, name: &str) -> Option<u64> {
        self.numbers.get(name).copied()
    }

    /// Like [`find`](Self::find), but faster if it is the account with the number `likely`.
    pub(super) fn find_likely(&self, name: &str, likely: u64) -> Option<u64> {
        match self.accounts.get(&likely) {
            Some(account) if *account.name == *name => Some(likely),
            _ => self.find(name),
        }
    }

    pub(super) fn get(&self, number: u64) -> Option<&Account> {
        self.accounts.get(&number)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Account> {
        self.accounts.get_mut(&number)
    }

    /// Creates an account without slots, and returns its number.
    pub(super) fn begin(&mut self, name: &str) -> u64 {
        self.last += 1;
        self.numbers.insert(name.into(), self.last);
        self.last
    }

    /// The slot of an account. Creates both if they do not exist.
    pub(super) fn slot(&mut self, number: u64, name: &str, start: i64) -> &mut Slot {
        let account = self.accounts.entry(number).or_insert_with(|| Account::new(name));
        let index = account.place(start).unwrap_or_else(|index| {
            account.slots.insert(index, Slot::new(start));
            index
        });
        &mut account.slots[index]
    }

    /// Deletes a slot, and its account with its last slot.
    pub(super) fn forget(&mut self, key: Key) {
        let Some(account) = self.accounts.get_mut(&key.account) else { return };
        if let Ok(index) = account.place(key.slot) {
            account.slots.remove(index);
        }
        if !account.slots.is_empty() {
            return;
        }
        self.numbers.remove(&account.name);
        self.accounts.remove(&key.account);
        // Leaves room for twice as many, so that shrinking costs little per deletion.
        let kept = 2 * self.numbers.len();
        if self.numbers.capacity() > SMALL.max(4 * kept) {
            self.numbers.shrink_to(kept);
            self.accounts.shrink_to(kept);
        }
    }
}

#[cfg(test)]
impl Accounts {
    /// The number of accounts and of slots.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.numbers.len(), self.slots().count())
    }

    /// How many accounts fit without another allocation.
    pub(super) fn capacity(&self) -> usize {
        self.numbers.capacity().max(self.accounts.capacity())
    }

    /// The total reserved in all slots, and the number of reservations.
    pub(super) fn reserved(&self) -> (Money, u32) {
        (self.slots().map(|slot| slot.reserved).sum(), self.slots().map(|slot| slot.open).sum())
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.accounts.values().flat_map(|account| &account.slots)
    }
}
