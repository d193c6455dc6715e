use std::collections::HashMap;
use std::time::SystemTime;

use super::notice::alert;
use crate::cost::books::{Books, BooksConfig};
use crate::cost::ledger::{LedgerError, Posting};
use crate::cost::{Budget, BudgetAlert, CallRecord, CostConfig, CostReport, Window};
use crate::moment::seconds;

/// How many accounts of budgets the report knows.
const MAX_ACCOUNTS: usize = 10_000;

/// What reports are made of.
pub(super) struct Live {
    pub(super) books: Books,
    /// The accounts seen, each with its budget's place.
    accounts: HashMap<String, usize>,
    /// Until when an alert of a rolling window is not given again.
    alerted: HashMap<(String, u16), i64>,
    /// Reservations that the ledger could not end, and what it said last.
    unbooked: u64,
    ledger_error: Option<String>,
}

impl Live {
    pub(super) fn new(config: &CostConfig) -> Self {
        let budgets = config.budgets.iter().enumerate();
        // A budget with one account has it from the start.
        let accounts = budgets
            .filter(|(_, budget)| budget.window != Window::Request && !budget.is_split())
            .map(|(place, budget)| (budget.accounts(), place))
            .collect();
        Self {
            books: Books::new(BooksConfig {
                last: config.last_calls,
                ..BooksConfig::of(&config.prices)
            }),
            accounts,
            alerted: HashMap::new(),
            unbooked: 0,
            ledger_error: None,
        }
    }

    /// Keeps in mind that an account of a budget is in use.
    pub(super) fn meet(&mut self, place: usize, account: &str) {
        if !self.accounts.contains_key(account) && self.accounts.len() < MAX_ACCOUNTS {
            self.accounts.insert(account.to_owned(), place);
        }
    }

    /// Adds a call to the books, and finds the alerts that are due. `accounts` are those
    /// it was charged in, by the places of their budgets, and `began` is when.
    pub(super) fn record(
        &mut self,
        record: CallRecord,
        budgets: &[Budget],
        accounts: &[(usize, String)],
        postings: &[Posting],
        began: SystemTime,
    ) -> Vec<BudgetAlert> {
        let now = record.at;
        self.books.record(record);
        let mut alerts = Vec::new();
        for ((place, account), posting) in accounts.iter().zip(postings) {
            let budget = &budgets[*place];
            for percent in budget.reached(posting.before, posting.after.spent) {
                if self.is_due(budget, account, percent, seconds(now)) {
                    alerts.push(alert(budget, account, percent, posting.after.spent, began, now));
                }
            }
        }
        alerts
    }

    /// Keeps in mind that the ledger failed.
    pub(super) fn failed(&mut self, error: &LedgerError) {
        self.unbooked = self.unbooked.saturating_add(1);
        self.ledger_error = Some(error.to_string());
    }

    /// What the books say. Of balances they know nothing.
    pub(super) fn report(&self) -> CostReport {
        let mut report = self.books.report();
        report.unbooked = self.unbooked;
        report.ledger_error.clone_from(&self.ledger_error);
        report
    }

    /// The accounts seen, in the order of their budgets.
    pub(super) fn accounts(&self) -> Vec<(usize, String)> {
        let mut accounts: Vec<_> =
            self.accounts.iter().map(|(name, place)| (*place, name.clone())).collect();
        accounts.sort();
        accounts
    }

    /// Whether a threshold that is reached is to be told. A calendar's window is reached
    /// once, since what is spent in it only grows; a rolling one tells again when its
    /// length has passed.
    fn is_due(&mut self, budget: &Budget, account: &str, percent: u16, now: i64) -> bool {
        let Window::Rolling(length) = budget.window else { return true };
        let length = i64::try_from(length.as_secs()).unwrap_or(i64::MAX);
        if self.alerted.len() >= MAX_ACCOUNTS {
            self.alerted.retain(|_, until| now < *until);
        }
        let key = (account.to_owned(), percent);
        if self.alerted.get(&key).is_some_and(|until| now < *until) {
            return false;
        }
        self.alerted.insert(key, now.saturating_add(length));
        true
    }
}
