//! The tracker's state in memory: totals, known accounts, and alerts already sent.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use super::describe::alert;
use crate::cost::budget::Charge;
use crate::cost::ledger::{LedgerError, Posting};
use crate::cost::record::KeptRecord;
use crate::cost::totals::{Totals, TotalsConfig};
use crate::cost::{Budget, BudgetAlert, CostConfig, CostReport, Window};
use crate::time::rfc3339::seconds;

/// How many accounts the report remembers for budgets that have several.
const MAX_ACCOUNTS: usize = 10_000;

/// How many uses of accounts pass before another use of one renews its place among them.
const RENEWED: u64 = MAX_ACCOUNTS as u64 / 8;

/// Everything reports are made of.
pub(super) struct State {
    pub(super) totals: Totals,
    /// The accounts of budgets with only one, each with its budget's index.
    only: Vec<(usize, String)>,
    /// The accounts of budgets with several.
    accounts: Accounts,
    /// Until when an alert of a rolling window is not repeated.
    alerted: HashMap<(Arc<str>, u16), i64>,
    /// The same, earliest first.
    alerted_until: VecDeque<(i64, (Arc<str>, u16))>,
    /// Reservations that the ledger could not end, and its latest error.
    unrecorded: u64,
    ledger_error: Option<String>,
}

impl State {
    pub(super) fn new(config: &CostConfig) -> Self {
        let budgets = config.budgets.iter().enumerate();
        // A budget with only one account has it from the start.
        let only = budgets
            .filter(|(_, budget)| budget.window != Window::Request && !budget.is_split())
            .map(|(place, budget)| (place, budget.accounts()))
            .collect();
        Self {
            totals: Totals::new(TotalsConfig {
                last: config.recent_calls,
                ..TotalsConfig::of(&config.prices)
            }),
            only,
            accounts: Accounts::default(),
            alerted: HashMap::new(),
            alerted_until: VecDeque::new(),
            unrecorded: 0,
            ledger_error: None,
        }
    }

    /// Notes that a call charges an account of a budget that has several.
    pub(super) fn note_account(&mut self, place: usize, charge: &Charge, now: i64) {
        self.accounts.note_use(place, &charge.account, charge.span.until, now);
    }

    /// Adds a call to the totals and returns the alerts that are due. `accounts` are the accounts
    /// it was charged in, each with its budget's index; `began` is when.
    pub(super) fn record(
        &mut self,
        record: KeptRecord,
        budgets: &[Budget],
        charges: &[(usize, Charge)],
        postings: &[Posting],
        began: SystemTime,
    ) -> Vec<BudgetAlert> {
        let now = record.at;
        self.totals.record(record);
        let mut alerts = Vec::new();
        for ((place, charge), posting) in charges.iter().zip(postings) {
            let (budget, account) = (&budgets[*place], &charge.account);
            for percent in budget.reached(posting.before, posting.after.spent) {
                if self.is_due(budget, account, percent, seconds(now)) {
                    alerts.push(alert(budget, account, percent, posting.after.spent, began, now));
                }
            }
        }
        alerts
    }

    /// Notes a failure of the ledger.
    pub(super) fn failed(&mut self, error: &LedgerError) {
        self.unrecorded = self.unrecorded.saturating_add(1);
        self.ledger_error = Some(error.to_string());
    }

    /// The report without balances, which only the ledger knows.
    pub(super) fn report(&mut self) -> CostReport {
        let mut report = self.totals.report();
        report.unrecorded = self.unrecorded;
        report.budgets_left_out = self.accounts.left_out;
        report.ledger_error.clone_from(&self.ledger_error);
        report
    }

    /// The known accounts, in the order of their budgets.
    pub(super) fn accounts(&self) -> Vec<(usize, String)> {
        let used = self.accounts.by_name.iter().map(|(name, used)| (used.place, (**name).into()));
        let mut accounts: Vec<_> = self.only.iter().cloned().chain(used).collect();
        accounts.sort();
        accounts
    }

    /// Whether to alert for a threshold that the ledger says was reached. In a rolling window
    /// spending can fall and reach it again, which alerts only after the window's length.
    fn is_due(&mut self, budget: &Budget, account: &Arc<str>, percent: u16, now: i64) -> bool {
        let Window::Rolling(length) = budget.window else { return true };
        let length = i64::try_from(length.as_secs()).unwrap_or(i64::MAX);
        let key: (Arc<str>, u16) = (Arc::clone(account), percent);
        if self.alerted.get(&key).is_some_and(|until| now < *until) {
            return false;
        }
        let until = now.saturating_add(length);
        if let Some(before) = self.alerted.insert(key.clone(), until) {
            if let Ok(place) = self.alerted_until.binary_search(&(before, key.clone())) {
                self.alerted_until.remove(place);
            }
        }
        let alerted = (until, key);
        let place = self.alerted_until.partition_point(|other| *other < alerted);
        self.alerted_until.insert(place, alerted);
        // Drops expired entries first, then those that expire soonest.
        while self.alerted_until.len() > MAX_ACCOUNTS {
            let Some((_, key)) = self.alerted_until.pop_front() else { break };
            self.alerted.remove(&key);
        }
        true
    }
}

/// The most recently used accounts of budgets that have several.
#[derive(Debug, Default)]
struct Accounts {
    by_name: HashMap<Arc<str>, Used>,
    /// By use, oldest first.
    by_use: BTreeMap<u64, Arc<str>>,
    /// The account that each budget used last, at the budget's index. Often the next call uses it
    /// too.
    latest: Vec<Option<(Arc<str>, Used)>>,
    uses: u64,
    /// How many accounts were dropped before their window was over.
    left_out: u64,
}

/// When an account was used.
#[derive(Debug, Clone, Copy)]
struct Used {
    /// The index of its budget.
    place: usize,
    /// The number of its latest use.
    number: u64,
    /// When its window is over.
    until: i64,
}

impl Accounts {
    /// Notes that an account is used at `now`, by a budget whose window lasts until `until`.
    fn note_use(&mut self, place: usize, account: &Arc<str>, until: i64, now: i64) {
        self.uses += 1;
        let number = self.uses;
        if let Some(Some((name, used))) = self.latest.get(place) {
            if name == account && until <= used.until && number - used.number < RENEWED {
                return;
            }
        }
        match self.by_name.get_mut(&**account) {
            Some(used) => {
                used.place = place;
                used.until = until.max(used.until);
                // Far from being dropped: its place among the others is near enough.
                if number - used.number < RENEWED {
                    let used = *used;
                    self.set_latest(place, account, used);
                    return;
                }
                let name = self.by_use.remove(&used.number);
                used.number = number;
                let used = *used;
                self.by_use.insert(number, name.unwrap_or_else(|| Arc::clone(account)));
                self.set_latest(place, account, used);
            }
            None => {
                let used = Used { place, number, until };
                self.by_name.insert(Arc::clone(account), used);
                self.by_use.insert(number, Arc::clone(account));
                self.set_latest(place, account, used);
            }
        }
        while self.by_use.len() > MAX_ACCOUNTS {
            let Some((_, name)) = self.by_use.pop_first() else { break };
            let dropped = self.by_name.remove(&name);
            if dropped.is_some_and(|used| now < used.until) {
                self.left_out = self.left_out.saturating_add(1);
            }
        }
    }

    fn set_latest(&mut self, place: usize, account: &Arc<str>, used: Used) {
        if self.latest.len() <= place {
            self.latest.resize(place + 1, None);
        }
        self.latest[place] = Some((Arc::clone(account), used));
    }
}

#[cfg(test)]
mod tests;
