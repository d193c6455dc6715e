//! What is wrong with a budget, or with several together.

use std::time::Duration;

use super::Budget;
use crate::cost::{Money, Window};
use crate::error::{Error, ErrorKind};

impl Budget {
    /// Whether it makes sense, for one that was read from a file, say. A client that is
    /// built checks its budgets itself.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) with all that is wrong with it: a
    /// negative limit, a rolling window of no length, alerts that do not rise from 1
    /// percent on, empty names, or an offset that is nowhere.
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
            problems.push(format!("the limit is {}; it must be 0 or more", self.limit));
        }
        if self.window == Window::Rolling(Duration::ZERO) {
            problems.push(
                "the rolling window has no length; give one, or call Budget::per_request"
                    .to_owned(),
            );
        }
        if !self.alerts.iter().all(|percent| *percent > 0)
            || !self.alerts.windows(2).all(|pair| pair[0] < pair[1])
        {
            problems.push(format!(
                "the alerts are at {:?} percent; they must rise, each once, from 1 on",
                self.alerts
            ));
        }
        let blank = |text: &str| text.trim().is_empty();
        for (what, set) in
            [("name", &self.name), ("provider", &self.provider), ("model", &self.model)]
        {
            if set.as_deref().is_some_and(blank) {
                problems.push(format!("the {what} is empty; leave it out or give one"));
            }
        }
        if self.tags.keys().chain(&self.per_tags).any(|key| blank(key)) {
            problems.push("a tag's key is empty".to_owned());
        }
        problems.extend(self.utc_offset.problem());
        for problem in &mut problems {
            *problem = format!("in the budget \"{}\" {problem}", self.label());
        }
        problems
    }

    /// Which limits are more than a ledger can hold.
    pub(crate) fn beyond(budgets: &[Self], greatest: Money) -> impl Iterator<Item = String> {
        // Soft ones and those per request do without the ledger.
        let kept = |budget: &&Self| !budget.soft && budget.window != Window::Request;
        budgets.iter().filter(kept).filter(move |budget| budget.limit > greatest).map(
            move |budget| {
                format!(
                    "in the budget \"{}\" the limit is {}; the ledger can hold no more than \
                     {greatest}",
                    budget.label(),
                    budget.limit
                )
            },
        )
    }

    /// What is wrong with any of a client's budgets, or with two of them together.
    pub(crate) fn problems_of(budgets: &[Self]) -> Vec<String> {
        let mut problems: Vec<String> = budgets.iter().flat_map(Self::problems).collect();
        let mut accounts = Vec::new();
        for budget in budgets {
            // A budget for requests has no account. A hard one and a soft one, which warns
            // before, go together.
            let is_for_requests = budget.window == Window::Request;
            let account = (budget.accounts(), is_for_requests && budget.soft);
            if !accounts.contains(&account) {
                accounts.push(account);
            } else if is_for_requests {
                problems.push(format!(
                    "two budgets would both be \"{}\"; leave one out or give it another name",
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
