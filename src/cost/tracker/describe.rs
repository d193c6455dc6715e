//! Builds the alerts, statuses, refusals and errors of budgets.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::cost::budget::Charge;
use crate::cost::ledger::{Balance, LedgerError};
use crate::cost::scope::Scope;
use crate::cost::{
    Availability, Budget, BudgetAlert, BudgetRefusal, BudgetStatus, CallPlan, Money, Window,
};
use crate::error::{Error, ErrorKind};
use crate::time::rfc3339::{instant, seconds};

/// An account reached `percent` of its limit through a call that began at `began` and ended at
/// `now`.
pub(super) fn alert(
    budget: &Budget,
    account: &str,
    percent: u16,
    spent: Money,
    began: SystemTime,
    now: SystemTime,
) -> BudgetAlert {
    let span = |at: SystemTime| budget.window.span(budget.utc_offset, seconds(at));
    // `spent` belongs to the calendar window in which the call began, which may be over.
    let over = matches!(budget.window, Window::Daily | Window::Monthly)
        && span(began).map(|span| span.start) != span(now).map(|span| span.start);
    let span = span(if over { began } else { now });
    let projected = budget.window.project(budget.utc_offset, spent, seconds(now));
    BudgetAlert {
        budget: budget.label(),
        account: budget.whose(account).to_owned(),
        threshold: percent,
        spent,
        limit: budget.limit,
        soft: budget.soft,
        starts: span.and_then(|span| instant(span.start)),
        ends: span.and_then(|span| instant(budget.window.ends(&span)?)),
        at: now,
        projected: projected.filter(|_| !over),
    }
}

pub(super) fn status(budget: &Budget, charge: &Charge, balance: Balance, now: i64) -> BudgetStatus {
    BudgetStatus {
        budget: budget.label(),
        account: budget.whose(&charge.account).to_owned(),
        window: budget.window.to_string(),
        starts: instant(charge.span.start),
        ends: budget.window.ends(&charge.span).and_then(instant),
        limit: budget.limit,
        soft: budget.soft,
        spent: balance.spent,
        reserved: balance.reserved,
        left: budget.limit.saturating_sub(balance.committed()),
        projected: budget.window.project(budget.utc_offset, balance.spent, now),
    }
}

pub(super) fn refusal(
    budget: &Budget,
    plan: &CallPlan,
    charge: Option<&Charge>,
    balance: Balance,
    needed: Money,
    available: Availability,
    at: SystemTime,
) -> BudgetRefusal {
    BudgetRefusal {
        at,
        provider: plan.scope.provider.clone(),
        model: plan.scope.model.clone(),
        tags: BTreeMap::clone(&plan.tags),
        budget: budget.label(),
        account: charge.map_or_else(String::new, |charge| budget.whose(&charge.account).to_owned()),
        limit: budget.limit,
        spent: balance.spent,
        reserved: balance.reserved,
        needed,
        ends: charge.and_then(|charge| instant(budget.window.ends(&charge.span)?)),
        available,
    }
}

/// The error for a call without a known price.
pub(super) fn unknown_price(plan: &CallPlan) -> Error {
    let Scope { model, provider, .. } = &*plan.scope;
    let prices = plan.scope.prices();
    let known_as = match prices == provider {
        true => String::new(),
        false => format!(" ({prices:?} in the price table)"),
    };
    Error::new(
        ErrorKind::CostUnknown,
        format!(
            "no price is known for model {model:?} of {provider:?}{known_as}, and a budget needs \
             one; set one with Prices::set, or change CostConfig::unknown_model"
        ),
    )
}

/// The error for a plan without an upper bound on its input or output, under a hard budget.
pub(super) fn unstated_tokens(what: &str) -> Error {
    Error::new(
        ErrorKind::CostUnknown,
        format!(
            "the plan has no upper bound on {what} tokens, and a budget needs one; set \
             CallPlan::{what}_tokens, to 0 if there are none"
        ),
    )
}

/// The error for a call that a budget cannot pay for.
pub(super) fn refusal_error(refusal: BudgetRefusal, plan: &CallPlan, output_tokens: u64) -> Error {
    let input = plan.bound.input_tokens;
    let output = match plan.min_output {
        Some(_) => format!("as few as {output_tokens} output tokens"),
        None => format!("{output_tokens} output tokens; a lower max_output_tokens needs less"),
    };
    let window = match plan.bound.is_window {
        true => {
            ", the whole context window, because only the provider can count part of the prompt, \
             such as a PDF; set ChatRequest::max_input_tokens, or send the text instead"
        }
        false => "",
    };
    let message = format!("{refusal} (for up to {input} input tokens{window}, and {output})");
    Error::new(ErrorKind::BudgetExceeded, message).with_refusal(refusal)
}

/// The error for a ledger that cannot be read or written.
pub(super) fn ledger_error(error: LedgerError) -> Error {
    Error::new(ErrorKind::Ledger, error.to_string()).with_source(error)
}
