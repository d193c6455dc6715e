//! What is said of budgets: that one was used up so far, or does not bear a call.

use std::time::SystemTime;

use crate::cost::budget::Charge;
use crate::cost::ledger::{Balance, LedgerError};
use crate::cost::{
    Availability, Budget, BudgetAlert, BudgetRefusal, BudgetStatus, CallPlan, Money, Window,
};
use crate::error::{Error, ErrorKind};
use crate::time::rfc3339::{instant, seconds};

/// That an account has reached a share of its limit by a call that began at `began` and
/// ended now.
pub(super) fn alert(
    budget: &Budget,
    account: &str,
    percent: u16,
    spent: Money,
    began: SystemTime,
    now: SystemTime,
) -> BudgetAlert {
    let span = |at: SystemTime| budget.window.span(budget.utc_offset, seconds(at));
    // What is spent is that of the calendar's window in which the call began, which may
    // be over.
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
        provider: plan.provider.clone(),
        model: plan.model.clone(),
        tags: plan.tags.clone(),
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

/// The error of a call whose price is not known.
pub(super) fn unknown_price(plan: &CallPlan) -> Error {
    let (model, provider, prices) = (&plan.model, &plan.provider, plan.prices());
    let known_as = match prices == provider {
        true => String::new(),
        false => format!(" ({prices:?} in the price table)"),
    };
    Error::new(
        ErrorKind::BudgetExceeded,
        format!(
            "there is no price for the model {model:?} of {provider:?}{known_as}, so no budget \
             could hold; set one with Prices::set, or choose what to do with \
             CostConfig::unknown_model"
        ),
    )
}

/// The error of a plan under a budget that does not say how much of something it can use.
pub(super) fn unstated_tokens(what: &str) -> Error {
    Error::new(
        ErrorKind::BudgetExceeded,
        format!(
            "the plan does not say how many {what} tokens the call can use at most, so that no \
             budget could hold; set them by CallPlan::{what}_tokens, 0 where there are none"
        ),
    )
}

/// The error of a call that a budget does not bear.
pub(super) fn refusal_error(refusal: BudgetRefusal, plan: &CallPlan, output_tokens: u64) -> Error {
    let input = plan.bound.input_tokens;
    let output = match plan.min_output {
        Some(_) => format!("no more than {output_tokens} of output"),
        None => format!("{output_tokens} of output; a lower max_output_tokens needs less"),
    };
    let window = match plan.bound.is_window {
        true => {
            ", the whole context window, since the prompt holds what only the provider can count, \
             such as a PDF; state its tokens by ChatRequest::max_input_tokens, or send the text"
        }
        false => "",
    };
    let message = format!("{refusal} (with up to {input} tokens of input{window} and {output})");
    Error::new(ErrorKind::BudgetExceeded, message).with_refusal(refusal)
}

/// The error of books that cannot be kept.
pub(super) fn ledger_error(error: LedgerError) -> Error {
    Error::new(ErrorKind::Ledger, error.to_string()).with_source(error)
}
