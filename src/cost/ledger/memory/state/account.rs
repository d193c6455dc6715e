//! Accounts by name and by number, each with its slots in the order of time.

use std::collections::HashMap;
use std::sync::Arc;

use crate::cost::Money;
use crate::cost::ledger::Balance;

/// Of so many places for names the table does not let go, however few it holds.
const SMALL: usize = 64;

/// Names a slot: the number of its account, and when it starts. The number is another
/// account's when this one is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) account: usize,
    pub(super) slot: i64,
}

/// A slot of time in an account.
#[derive(Debug)]
pub(super) struct Slot {
    start: i64,
    /// From when on it counts for nothing: the latest that any of its lines said.
    pub(super) until: i64,
    /// From when on it may be forgotten.
    pub(super) kept_until: i64,
    pub(super) spent: Money,
    /// The sum of the open reservations in it.
    pub(super) reserved: Money,
    /// How many reservations are open in it.
    pub(super) open: u32,
    /// Whether it will be looked at when it is due.
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

/// The slots of an account that are not forgotten.
#[derive(Debug)]
pub(super) struct Account {
    name: Arc<str>,
    /// By their start, each once, the latest last.
    slots: Vec<Slot>,
}

impl Account {
    /// What is spent and reserved in the slots from `from` on and before `until`.
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

    /// Where the slot is, or else where it belongs.
    fn place(&self, start: i64) -> Result<usize, usize> {
        // Most often it is the last.
        match self.slots.last() {
            Some(last) if last.start == start => Ok(self.slots.len() - 1),
            Some(last) if last.start < start => Err(self.slots.len()),
            _ => self.slots.binary_search_by_key(&start, |slot| slot.start),
        }
    }
}

/// The accounts that have slots.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    numbers: HashMap<Arc<str>, usize>,
    /// By their numbers; `None` where one was forgotten.
    accounts: Vec<Option<Account>>,
    /// Numbers that may be given again; those beyond the end, or given since, are not.
    vacant: Vec<usize>,
}

impl Accounts {
    pub(super) fn find(&self, name: &str) -> Option<&Account> {
        self.accounts.get(*self.numbers.get(name)?)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut Account> {
        self.accounts.get_mut(number)?.as_mut()
    }

    /// The slot of an account and the account's number. Both are begun if there are none.
    pub(super) fn slot(&mut self, name: &str, start: i64) -> (usize, &mut Slot) {
        let number = match self.numbers.get(name) {
            Some(number) => *number,
            None => self.add(name),
        };
        let account = self.accounts[number].as_mut().expect("a number has an account");
        let index = account.place(start).unwrap_or_else(|index| {
            account.slots.insert(index, Slot::new(start));
            index
        });
        (number, &mut account.slots[index])
    }

    fn add(&mut self, name: &str) -> usize {
        let name: Arc<str> = name.into();
        let account = Some(Account { name: Arc::clone(&name), slots: Vec::new() });
        let number = loop {
            match self.vacant.pop() {
                Some(number) if self.accounts.get(number).is_some_and(Option::is_none) => {
                    self.accounts[number] = account;
                    break number;
                }
                Some(_) => {}
                None => {
                    self.accounts.push(account);
                    break self.accounts.len() - 1;
                }
            }
        };
        self.numbers.insert(name, number);
        number
    }

    /// Forgets a slot, and its account if it was the last.
    pub(super) fn forget(&mut self, key: Key) {
        let Some(account) = self.get_mut(key.account) else { return };
        if let Ok(index) = account.place(key.slot) {
            account.slots.remove(index);
        }
        if !account.slots.is_empty() {
            return;
        }
        let name = Arc::clone(&account.name);
        self.numbers.remove(&name);
        self.accounts[key.account] = None;
        self.vacant.push(key.account);
        while let Some(None) = self.accounts.last() {
            self.accounts.pop();
        }
        // Room for twice as many is left, so that this is paid for by what was forgotten.
        if self.numbers.capacity() > SMALL.max(8 * self.numbers.len()) {
            let room = 2 * self.numbers.len();
            self.numbers.shrink_to(room);
            self.accounts.shrink_to(room);
            self.vacant.retain(|number| *number < self.accounts.len());
            self.vacant.shrink_to(room);
        }
    }

    /// How many accounts and slots there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        let slots = self.accounts.iter().flatten().map(|account| account.slots.len()).sum();
        (self.numbers.len(), slots)
    }
}
