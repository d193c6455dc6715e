//! What is wrong with a budget, or with several of them together.

use std::time::Duration;

use super::Budget;
use crate::cost::{Money, Window};
use crate::error::{Error, ErrorKind};

impl Budget {
    /// Checks that the budget makes sense, for example after reading it from a file. A client
    /// checks its budgets when it is built.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) with everything that is wrong: a negative
    /// limit, a rolling window of zero length, alerts that do not rise from 1 percent, empty
    /// names, or a UTC offset that does not exist.
    pub fn check(&self) -> Result<(), Error> {
        let problems = self.problems();
        if problems.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Configuration, problems.join("; ")))
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.limit.is_negative() {
            problems.push(format!("the limit is {}; set 0 or more", self.limit));
        }
        if self.window == Window::Rolling(Duration::ZERO) {
            problems.push(
                "the rolling window has zero length; set a length, or use Budget::per_request"
                    .to_owned(),
            );
        }
        if !self.alerts.iter().all(|percent| *percent > 0)
            || !self.alerts.windows(2).all(|pair| pair[0] < pair[1])
        {
            problems.push(format!(
                "the alerts are at {:?} percent; list them in rising order, from 1 up",
                self.alerts
            ));
        }
        let blank = |text: &str| text.trim().is_empty();
        for (what, set) in
            [("name", &self.name), ("provider", &self.provider), ("model", &self.model)]
        {
            if set.as_deref().is_some_and(blank) {
                problems.push(format!("the {what} is empty; set one or leave it out"));
            }
        }
        if self.dated && self.model.is_none() {
            problems.push("it is dated, but has no model; name one, or remove it".to_owned());
        }
        if self.tags.keys().chain(&self.per_tags).any(|key| blank(key)) {
            problems.push("a tag has an empty key; set one or leave the tag out".to_owned());
        }
        problems.extend(self.utc_offset.problem());
        for problem in &mut problems {
            *problem = format!("budget \"{}\": {problem}", self.label());
        }
        problems
    }

    /// The budgets whose limit exceeds what the ledger can hold.
    pub(crate) fn beyond(budgets: &[Self], greatest: Money) -> impl Iterator<Item = String> {
        // Soft budgets and per-request budgets need no room in the ledger.
        let kept = |budget: &&Self| !budget.soft && budget.window != Window::Request;
        budgets.iter().filter(kept).filter(move |budget| budget.limit > greatest).map(
            move |budget| {
                format!(
                    "budget \"{}\": the limit is {}, but the ledger can hold at most \
                     {greatest}; lower the limit",
                    budget.label(),
                    budget.limit
                )
            },
        )
    }

    /// What is wrong with any of a client's budgets, or between two of them.
    pub(crate) fn problems_of(budgets: &[Self]) -> Vec<String> {
        let mut problems: Vec<String> = budgets.iter().flat_map(Self::problems).collect();
        let mut accounts = Vec::new();
        for budget in budgets {
            // A per-request budget has no account. A hard one and a soft one, which alerts
            // earlier, may be combined.
            let is_for_requests = budget.window == Window::Request;
            let account = (budget.accounts(), is_for_requests && budget.soft);
            if !accounts.contains(&account) {
                accounts.push(account);
            } else if is_for_requests {
                problems.push(format!(
                    "two budgets would both be \"{}\"; remove one or give it another name",
                    account.0
                ));
            } else {
                problems.push(format!(
                    "two budgets would share the account \"{}\"; give one of them another name",
                    account.0
                ));
            }
        }
        problems
    }
}
