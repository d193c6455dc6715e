//! The limits of one process, in memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::account::Account;
use super::rule::Rule;
use super::status::LimitStatus;
use super::store::{AccountKey, Demand, Full, Report, Store};
use crate::sync::{Lock, Mutex};

/// Counts in memory.
#[derive(Debug)]
pub(crate) struct MemoryStore {
    rules: Arc<[Rule]>,
    /// Guards all accounts together ([`Lock::LimitAccounts`]), so that a call is reserved in all of
    /// its accounts or in none.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    accounts: HashMap<AccountKey, Account>,
    reserved: u64,
    /// How many accounts there may be before those that nobody would miss are dropped.
    many: usize,
}

impl MemoryStore {
    pub(crate) fn new(rules: Arc<[Rule]>) -> Self {
        Self { rules, state: Mutex::new(Lock::LimitAccounts, State::default()) }
    }
}

impl State {
    /// Makes the accounts that a demand needs.
    fn open(&mut self, rules: &[Rule], demand: &Demand, now: Instant) {
        if self.accounts.len() > self.many {
            self.accounts.retain(|_, account| !account.is_fresh(now));
            self.many = (self.accounts.len() * 2).max(64);
        }
        for key in &demand.accounts {
            if !self.accounts.contains_key(key) {
                let account = Account::new(&rules[key.rule].allowance, now);
                self.accounts.insert(key.clone(), account);
            }
        }
    }

    fn full(&self, demand: &Demand, ahead: &[u64], now: Instant) -> Vec<(usize, Full)> {
        let accounts = demand.accounts.iter().enumerate();
        let full = accounts.filter_map(|(place, key)| {
            let ahead = ahead.get(place).copied().unwrap_or(0);
            let full = self.accounts.get(key)?.full(demand.amount, ahead, now)?;
            Some((place, full))
        });
        full.collect()
    }

    fn each(&mut self, demand: &Demand, mut change: impl FnMut(&mut Account)) {
        for key in &demand.accounts {
            if let Some(account) = self.accounts.get_mut(key) {
                change(account);
            }
        }
    }
}

impl Store for MemoryStore {
    fn reserve(&self, demand: &Demand, now: Instant) -> Result<u64, Vec<(usize, Full)>> {
        let state = &mut *self.state.lock();
        state.open(&self.rules, demand, now);
        let full = state.full(demand, &[], now);
        if !full.is_empty() {
            return Err(full);
        }
        state.reserved += 1;
        let id = state.reserved;
        state.each(demand, |account| account.reserve(id, demand.amount, now));
        Ok(id)
    }

    fn full(&self, demand: &Demand, ahead: &[u64], now: Instant) -> Vec<(usize, Full)> {
        self.state.lock().full(demand, ahead, now)
    }

    fn settle(&self, demand: &Demand, id: u64, used: Option<u64>, now: Instant) {
        self.state.lock().each(demand, |account| account.settle(id, used, now));
    }

    fn learn(&self, demand: &Demand, id: u64, report: &Report<'_>, now: Instant) {
        let state = &mut *self.state.lock();
        // An account can have been dropped since the call ended.
        state.open(&self.rules, demand, now);
        state.each(demand, |account| account.learn(id, report, now));
    }

    fn status(&self, now: Instant) -> Vec<(AccountKey, LimitStatus)> {
        let state = self.state.lock();
        let mut accounts: Vec<_> = state
            .accounts
            .iter()
            .map(|(key, account)| {
                let status = account.status(&self.rules[key.rule], &key.account, now);
                (key.clone(), status)
            })
            .collect();
        drop(state);
        accounts.sort_by(|(one, _), (other, _)| one.cmp(other));
        accounts
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::throttle::rule::{Allowance, InFlight, Scope};
    use crate::throttle::{Amount, Rate};

    /// A thousand customers call one after the other, with this much time between them. Every
    /// hundredth call does not end. Returns the accounts that are left.
    fn accounts_left(between_calls: Duration) -> Vec<LimitStatus> {
        // A request refills in 100 µs.
        let requests = Some(Rate { per_minute: 600_000, burst: Duration::from_secs(60) });
        let allowance = Allowance::Set { requests, tokens: None, in_flight: InFlight::AtMost(1) };
        let rule = Rule { name: "each".to_owned(), scope: Scope::default(), allowance };
        let store = MemoryStore::new([rule].into());
        let mut now = Instant::now();
        for customer in 0..1_000 {
            let key = AccountKey { rule: 0, account: customer.to_string() };
            let demand = Demand { accounts: vec![key], amount: Amount::default() };
            let id = store.reserve(&demand, now).expect("an account of its own");
            if customer % 100 != 0 {
                store.settle(&demand, id, None, now);
            }
            now += between_calls;
        }
        store.status(now).into_iter().map(|(_, status)| status).collect()
    }

    #[test]
    fn accounts_that_nobody_would_miss_are_dropped() {
        let status = accounts_left(Duration::from_micros(150));
        assert!(status.len() < 200, "{}", status.len());
        assert_eq!(status.iter().filter(|limit| limit.in_flight == 1).count(), 10);
    }

    #[test]
    fn accounts_that_still_refill_are_kept() {
        assert_eq!(accounts_left(Duration::ZERO).len(), 1_000);
    }
}
