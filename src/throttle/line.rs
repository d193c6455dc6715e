//! The lines of callers that wait for room: who is first. Pure.
//!
//! Each full account has a line, in which callers stand by the order of their arrival. Only a
//! caller with nobody ahead of it in any of its accounts may ask the store. It stands only in the
//! lines of the accounts that were full when it last asked. So a caller that waits for one limit
//! does not hold up others at another limit, where there is room.

use std::collections::{BTreeSet, HashMap};

use super::store::{AccountKey, Demand};

/// How often a caller may leave a line because it has to wait elsewhere. From then on it stays in
/// each of its lines until it is served. Otherwise a caller that needs two scarce limits could find
/// one of them taken for ever.
const MAX_PASSES: u32 = 8;

/// The lines of all accounts.
#[derive(Debug, Default)]
pub(super) struct Lines {
    arrived: u64,
    lines: HashMap<AccountKey, BTreeSet<Ticket>>,
    callers: HashMap<Ticket, Caller>,
}

/// A caller, by the order of its arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// A caller that stands in line.
#[derive(Debug, Default)]
struct Caller {
    accounts: Vec<AccountKey>,
    /// How often it has left a line.
    passes: u32,
    /// Whether it should ask again.
    called: bool,
}

/// The callers that should ask again.
pub(super) type Called = Vec<Ticket>;

impl Lines {
    /// A caller arrives.
    pub(super) fn arrive(&mut self) -> Ticket {
        self.arrived += 1;
        Ticket(self.arrived)
    }

    /// How many callers are ahead of this one in each account.
    pub(super) fn ahead(&self, ticket: Ticket, demand: &Demand) -> Vec<u64> {
        let ahead = |key: &AccountKey| match self.lines.get(key) {
            Some(line) => u64::try_from(line.range(..ticket).count()).unwrap_or(u64::MAX),
            None => 0,
        };
        demand.accounts.iter().map(ahead).collect()
    }

    /// Whether anyone waits for one of these accounts.
    pub(super) fn is_waited_for(&self, demand: &Demand) -> bool {
        !self.lines.is_empty() && demand.accounts.iter().any(|key| self.lines.contains_key(key))
    }

    /// Lets a caller stand in the lines of these accounts, and in no others. Returns whether it
    /// stands in a new line, and whom that lets ask.
    pub(super) fn stand(&mut self, ticket: Ticket, accounts: Vec<AccountKey>) -> (bool, Called) {
        let caller = self.callers.entry(ticket).or_default();
        let mut joined = false;
        let mut stays = Vec::with_capacity(accounts.len());
        for key in accounts {
            if stays.contains(&key) {
                continue;
            }
            if !caller.accounts.contains(&key) {
                joined = true;
                self.lines.entry(key.clone()).or_default().insert(ticket);
            }
            stays.push(key);
        }
        let mut left = Vec::new();
        for key in std::mem::take(&mut caller.accounts) {
            if stays.contains(&key) {
                continue;
            }
            if caller.passes >= MAX_PASSES {
                stays.push(key);
            } else {
                left.push(key);
            }
        }
        caller.passes += u32::from(!left.is_empty());
        caller.accounts = stays;
        let called = left.iter().filter_map(|key| self.remove(ticket, key)).collect();
        (joined, self.call(called))
    }

    /// A caller has been served, or waits no longer. Returns whom that lets ask.
    pub(super) fn leave(&mut self, ticket: Ticket) -> Called {
        let Some(caller) = self.callers.remove(&ticket) else { return Vec::new() };
        let called = caller.accounts.iter().filter_map(|key| self.remove(ticket, key)).collect();
        self.call(called)
    }

    /// There may be room in these accounts. Returns whom that lets ask.
    pub(super) fn room(&mut self, accounts: &[AccountKey]) -> Called {
        let first = |key| self.lines.get(key)?.first().copied();
        let called = accounts.iter().filter_map(first).collect();
        self.call(called)
    }

    /// Makes a caller ask again.
    pub(super) fn call(&mut self, mut called: Called) -> Called {
        called.sort_unstable();
        called.dedup();
        called.retain(|ticket| match self.callers.get_mut(ticket) {
            Some(caller) => !std::mem::replace(&mut caller.called, true),
            None => false,
        });
        called
    }

    /// Whether a caller should ask again, once.
    pub(super) fn is_called(&mut self, ticket: Ticket) -> bool {
        self.callers.get_mut(&ticket).is_some_and(|caller| std::mem::take(&mut caller.called))
    }

    /// How many callers wait for an account.
    pub(super) fn waiting(&self, key: &AccountKey) -> usize {
        self.lines.get(key).map_or(0, BTreeSet::len)
    }

    /// Takes a caller out of a line. Returns the new first one if it was the first.
    fn remove(&mut self, ticket: Ticket, key: &AccountKey) -> Option<Ticket> {
        let line = self.lines.get_mut(key)?;
        let was_first = line.first() == Some(&ticket);
        line.remove(&ticket);
        let first = line.first().copied();
        if first.is_none() {
            self.lines.remove(key);
        }
        first.filter(|_| was_first)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Amount;
    use super::*;

    fn key(rule: usize) -> AccountKey {
        AccountKey { rule, account: String::new() }
    }

    fn demand(rules: &[usize]) -> Demand {
        let accounts = rules.iter().map(|rule| key(*rule)).collect();
        Demand { accounts, amount: Amount::default() }
    }

    #[test]
    fn callers_stand_by_their_arrival() {
        let mut lines = Lines::default();
        let [first, second, third] = [(); 3].map(|()| lines.arrive());
        assert!(!lines.is_waited_for(&demand(&[0])));
        assert_eq!(lines.stand(second, vec![key(0)]), (true, vec![]));
        assert_eq!(lines.stand(third, vec![key(0)]), (true, vec![]));
        assert!(lines.is_waited_for(&demand(&[1, 0])));
        // It came first, but had to wait only now.
        assert_eq!(lines.stand(first, vec![key(0)]), (true, vec![]));
        assert_eq!(lines.ahead(third, &demand(&[0, 1])), [2, 0]);
        assert_eq!(lines.ahead(first, &demand(&[0, 1])), [0, 0]);
        assert_eq!(lines.waiting(&key(0)), 3);
        assert_eq!(lines.room(&[key(0), key(1)]), [first]);
        assert!(lines.is_called(first) && !lines.is_called(first));
        assert_eq!(lines.leave(first), [second], "the next one asks");
        assert_eq!(lines.leave(third), [], "others stay where they are");
        assert_eq!(lines.leave(second), []);
        assert!(lines.lines.is_empty() && lines.callers.is_empty());
        assert_eq!(lines.leave(second), [], "twice is once");
    }

    #[test]
    fn a_caller_that_waits_elsewhere_lets_the_others_pass() {
        let mut lines = Lines::default();
        let (first, second) = (lines.arrive(), lines.arrive());
        lines.stand(first, vec![key(0)]);
        lines.stand(second, vec![key(0)]);
        assert_eq!(lines.stand(first, vec![key(1)]), (true, vec![second]));
        assert_eq!(lines.ahead(second, &demand(&[0])), [0]);
        assert_eq!(lines.stand(first, vec![key(1)]), (false, vec![]));
    }

    #[test]
    fn a_caller_that_was_passed_too_often_stays_in_its_lines() {
        let mut lines = Lines::default();
        let (first, second) = (lines.arrive(), lines.arrive());
        lines.stand(second, vec![key(0), key(1)]);
        for pass in 0..MAX_PASSES + 4 {
            let place = pass as usize % 2;
            lines.stand(first, vec![key(place)]);
            let ahead = lines.ahead(second, &demand(&[1 - place]));
            assert_eq!(ahead == [0], pass <= MAX_PASSES, "{pass}");
        }
        lines.leave(first);
        assert_eq!(lines.ahead(second, &demand(&[0, 1])), [0, 0]);
    }
}
