//! Tests of which accounts a report lists, and of alerts already sent.

use super::*;
use crate::cost::{Money, Prices};
use crate::tags::Tags;
use std::time::Duration;

fn state(budgets: impl IntoIterator<Item = Budget>) -> State {
    State::new(&CostConfig::default().prices(Prices::empty()).budgets(budgets))
}

/// Notes a use of an account of the second budget, whose window never ends.
fn note(state: &mut State, customer: &str) {
    let budget = Budget::total(Money::dollars(1));
    let account = format!("total {customer}").into();
    let charge = budget.line(&account, &Tags::default(), 0).expect("it adds up");
    state.note_account(1, &charge, 0);
}

#[test]
fn a_report_lists_the_most_recent_accounts_and_counts_those_left_out() {
    let total = Budget::total(Money::dollars(1)).per_tag("customer");
    let mut state = state([Budget::daily(Money::dollars(1)), total]);
    for number in 0..MAX_ACCOUNTS {
        note(&mut state, &format!("customer={number}"));
        note(&mut state, "customer=0");
    }
    assert_eq!((state.accounts().len(), state.report().budgets_left_out), (MAX_ACCOUNTS + 1, 0));
    for number in 0..3 {
        note(&mut state, &format!("customer=new-{number}"));
    }
    assert_eq!((state.accounts().len(), state.report().budgets_left_out), (MAX_ACCOUNTS + 1, 3));
    let known = |account: &str| state.accounts().iter().any(|(_, name)| name == account);
    assert!(known("daily") && known("total customer=0") && known("total customer=new-2"));
    assert!(!known("total customer=1") && !known("total customer=3"));
    assert_eq!(state.accounts.by_use.len(), state.accounts.by_name.len());
}

#[test]
fn accounts_whose_window_is_over_do_not_count_as_left_out() {
    let mut accounts = Accounts::default();
    for number in 0..MAX_ACCOUNTS {
        accounts.note_use(0, &number.to_string().into(), 100, 50);
    }
    accounts.note_use(0, &"still".into(), 200, 99);
    assert_eq!(accounts.left_out, 1);
    accounts.note_use(0, &"over".into(), 200, 100);
    assert_eq!(accounts.left_out, 1);
}

#[test]
fn sent_alerts_are_remembered_in_bounded_space() {
    let budget = Budget::rolling(Duration::from_secs(60), Money::dollars(1)).per_tag("customer");
    let mut state = state([budget.clone()]);
    for number in 0..=MAX_ACCOUNTS {
        assert!(state.is_due(&budget, &number.to_string().into(), 50, 0));
    }
    let one = "1".into();
    assert!(state.is_due(&budget, &one, 80, 1) && !state.is_due(&budget, &one, 80, 60));
    assert!(state.is_due(&budget, &one, 80, 61), "after its length");
    assert_eq!((state.alerted.len(), state.alerted_until.len()), (MAX_ACCOUNTS, MAX_ACCOUNTS));
}
