//! Tests of the in-memory ledger: grants, slots, clocks and bounds.

mod against_a_naive_model;

use super::*;
use crate::cost::{UtcOffset, Window};
use std::collections::BTreeMap;
use std::time::Duration;

const DAY: i64 = 86_400;

fn cents(cents: i64) -> Money {
    Money::cents(cents)
}

/// The line of a window at `now`.
fn line(account: &str, window: Window, limit: Option<i64>, now: i64) -> Line<'_> {
    let span = window.span(UtcOffset::UTC, now).unwrap();
    let limit = limit.map(cents);
    Line { account, slot: span.slot, from: span.from, until: span.until, limit }
}

fn daily(account: &str, limit: i64, now: i64) -> Line<'_> {
    line(account, Window::Daily, Some(limit), now)
}

fn reserve(
    state: &mut State,
    lines: &[Line<'_>],
    least: i64,
    most: i64,
    now: i64,
) -> Result<Grant, HoldError> {
    state.reserve(&Hold { lines, least: cents(least), most: cents(most), now })
}

fn settle(state: &mut State, id: ReservationId, amount: i64) -> Vec<Posting> {
    let mut postings = Vec::new();
    state.settle(id, cents(amount), |posting| postings.push(posting)).unwrap();
    postings
}

/// Spends an amount at once.
fn spend(state: &mut State, lines: &[Line<'_>], amount: i64, now: i64) {
    let grant = reserve(state, lines, amount, amount, now).unwrap();
    settle(state, grant.id, amount);
}

fn is_gone(outcome: Result<Grant, HoldError>) -> bool {
    matches!(outcome, Err(HoldError::Failed(error)) if error.to_string().contains("went back"))
}

#[test]
fn a_grant_is_the_greatest_that_fits_on_every_line() {
    for (limits, least, most, expected) in [
        (&[Some(100)][..], 0, 50, Ok(50)),
        (&[Some(100)], 100, 100, Ok(100)),
        (&[Some(100)], 101, 200, Err(0)),
        (&[Some(100), Some(70), Some(80)], 1, 200, Ok(70)),
        (&[Some(100), Some(70), Some(70)], 71, 200, Err(1)),
        (&[None, Some(3)], 3, 9, Ok(3)),
        (&[None, Some(3)], 4, 9, Err(1)),
        (&[None], 4, 9, Ok(9)),
        (&[], 4, 9, Ok(9)),
        (&[Some(0)], 0, 9, Ok(0)),
        (&[Some(0)], 1, 9, Err(0)),
    ] {
        let names = ["a", "b", "c"];
        let lines: Vec<_> = names
            .iter()
            .zip(limits)
            .map(|(name, limit)| line(name, Window::Daily, *limit, 0))
            .collect();
        let mut state = State::new(0);
        match (reserve(&mut state, &lines, least, most, 0), expected) {
            (Ok(grant), Ok(amount)) => assert_eq!(grant.amount, cents(amount)),
            (Err(HoldError::Refused { line, balance }), Err(expected)) => {
                assert_eq!((line, balance), (expected, Balance::default()));
                assert_eq!(state.accounts.len(), (0, 0), "a refused call leaves no trace");
            }
            (found, _) => panic!("{limits:?} {least} {most}: {found:?}"),
        }
    }
}

#[test]
fn zero_fits_even_on_a_line_over_its_limit() {
    let mut state = State::new(0);
    let lines = [daily("a", 10, 0)];
    let grant = reserve(&mut state, &lines, 10, 10, 0).unwrap();
    let postings = settle(&mut state, grant.id, 25);
    let after = Balance { spent: cents(25), reserved: Money::ZERO };
    assert_eq!(postings, [Posting { before: Money::ZERO, after }]);
    assert_eq!(reserve(&mut state, &lines, 0, 5, 0).unwrap().amount, Money::ZERO);
    let refused = reserve(&mut state, &lines, 1, 5, 0).unwrap_err();
    assert!(matches!(refused, HoldError::Refused { line: 0, balance } if balance == after));
}

#[test]
fn invalid_operations_fail_and_reserve_nothing() {
    let mut state = State::new(0);
    let (a, b) = (daily("a", 10, 0), daily("b", 10, 0));
    for (lines, least, most) in
        [(&[a][..], 2, 1), (&[a], -1, 1), (&[a], -2, -1), (&[a, b, a], 1, 1)]
    {
        let outcome = reserve(&mut state, lines, least, most, 0);
        assert!(matches!(outcome, Err(HoldError::Failed(_))), "{outcome:?}");
    }
    let grant = reserve(&mut state, &[a], 5, 5, 0).unwrap();
    assert!(state.settle(grant.id, cents(-1), |_| {}).is_err());
    assert_eq!(state.balance(&a).reserved, cents(5), "it is still open");
    settle(&mut state, grant.id, 0);
    assert_eq!((state.balance(&a), state.balance(&b)), (Balance::default(), Balance::default()));
}

#[test]
fn amounts_beyond_all_money_add_up_exactly() {
    let mut state = State::new(0);
    let lines = [line("a", Window::Daily, None, 0)];
    let all = Hold { lines: &lines, least: Money::ZERO, most: Money::MAX, now: 0 };
    let (first, second) = (state.reserve(&all).unwrap(), state.reserve(&all).unwrap());
    let third = reserve(&mut state, &lines, 5, 5, 0).unwrap();
    assert!(first.amount > Money::dollars(i64::MAX / 1_000));
    settle(&mut state, first.id, 1);
    settle(&mut state, second.id, 2);
    assert_eq!(state.balance(&lines[0]), Balance { spent: cents(3), reserved: cents(5) });
    state.settle(third.id, Money::MAX, |_| {}).unwrap();
    assert_eq!(state.balance(&lines[0]).spent, Money::MAX);
}

#[test]
fn a_call_that_ends_in_the_next_window_is_charged_where_it_began() {
    let mut state = State::new(0);
    let (first, second) = ([daily("a", 10, 0)], [daily("a", 10, DAY)]);
    let grant = reserve(&mut state, &first, 8, 8, DAY - 1).unwrap();
    spend(&mut state, &second, 9, DAY);
    let after = Balance { spent: cents(7), reserved: Money::ZERO };
    assert_eq!(settle(&mut state, grant.id, 7), [Posting { before: Money::ZERO, after }]);
    assert_eq!(state.balance(&first[0]).spent, cents(7));
    assert_eq!(state.balance(&second[0]).spent, cents(9));
}

#[test]
fn a_clock_set_back_less_than_slots_are_kept_finds_its_slots() {
    let mut state = State::new(0);
    spend(&mut state, &[daily("a", 10, 0)], 6, 0);
    // Just before it may be deleted, a day after it stopped counting.
    spend(&mut state, &[daily("b", 10, 2 * DAY - 1)], 1, 2 * DAY - 1);
    let back = DAY - 1;
    assert_eq!(reserve(&mut state, &[daily("a", 10, back)], 1, 10, back).unwrap().amount, cents(4));
}

#[test]
fn a_clock_set_back_further_gives_no_money_out_twice() {
    let mut state = State::new(0);
    let now = 2 * DAY;
    spend(&mut state, &[daily("a", 10, 0), line("t", Window::Total, Some(20), 0)], 10, 0);
    spend(&mut state, &[daily("b", 10, now)], 1, now);
    assert_eq!(state.accounts.len(), (2, 2), "a is deleted");
    for back in [0, DAY - 1] {
        assert!(is_gone(reserve(&mut state, &[daily("a", 10, back)], 0, 1, back)), "{back}");
        // An account that lives on in another slot and a new one cannot be distinguished.
        assert!(is_gone(reserve(&mut state, &[daily("b", 10, back)], 0, 1, back)), "{back}");
        let lines =
            [line("a", Window::Daily, None, back), line("t", Window::Total, Some(20), back)];
        let counted = reserve(&mut state, &lines, 1, 1, back).unwrap();
        settle(&mut state, counted.id, 1);
    }
    let yesterday = [daily("a", 10, DAY)];
    assert_eq!(reserve(&mut state, &yesterday, 10, 10, DAY).unwrap().amount, cents(10));
}

#[test]
fn a_clock_that_was_far_ahead_for_a_moment_does_no_harm() {
    let mut state = State::new(KEEP);
    let year = 365 * DAY;
    let lines = |now| {
        [daily("a", 10, now), line("r", Window::Rolling(Duration::from_secs(60)), Some(10), now)]
    };
    spend(&mut state, &lines(0), 6, 0);
    spend(&mut state, &lines(year), 10, year);
    assert_eq!(reserve(&mut state, &lines(5), 1, 10, 5).unwrap().amount, cents(4));
}

#[test]
fn a_slot_is_kept_as_long_as_something_is_reserved_in_it() {
    let mut state = State::new(0);
    let old = [daily("a", 10, 0)];
    let grant = reserve(&mut state, &old, 5, 5, 0).unwrap();
    for day in 1..10 {
        spend(&mut state, &[daily("b", 10, day * DAY)], 1, day * DAY);
        assert_eq!(state.balance(&old[0]).reserved, cents(5));
    }
    // The clock was set back before it ended, so it is not due just then.
    assert_eq!(settle(&mut state, grant.id, 3)[0].after.spent, cents(3));
    spend(&mut state, &[daily("b", 10, 10 * DAY)], 1, 10 * DAY);
    assert_eq!(state.balance(&old[0]), Balance::default(), "deleted with the next reservation");
}

#[test]
fn a_slot_is_kept_until_the_latest_end_of_its_lines() {
    let mut state = State::new(0);
    let short = Line { account: "a", slot: 0, from: 0, until: 100, limit: Some(cents(10)) };
    spend(&mut state, &[short], 6, 0);
    let long = Line { until: 150, ..short };
    spend(&mut state, &[long], 1, 50);
    // Between the two times at which it may be deleted, 200 and 300.
    spend(&mut state, &[daily("b", 10, 250)], 1, 250);
    assert_eq!(state.balance(&long).spent, cents(7));
    spend(&mut state, &[daily("b", 10, 300)], 1, 300);
    assert_eq!(state.balance(&long).spent, Money::ZERO);
}

#[test]
fn memory_is_bounded_by_what_counts() {
    let mut state = State::new(0);
    let minute = Window::Rolling(Duration::from_secs(60));
    let mut most = 0;
    for second in 0..20_000_i64 {
        let now = second * 30;
        // A new customer every time.
        let customer = format!("daily customer={second}");
        let lines = [
            daily(&customer, 10, now),
            line("r", minute, None, now),
            line("t", Window::Total, None, now),
        ];
        spend(&mut state, &lines, 1, now);
        if second % 40 == 0 {
            let (_, slots) = state.accounts.len();
            most = most.max(slots);
            assert!(state.due.len() <= slots);
        }
    }
    // Two days with 2880 customers each, two minutes of slots, and the total.
    assert!((2 * 2_880 - 80..=2 * 2_880 + 10).contains(&most), "{most}");
    let much_later = 20_000 * 30 + 30 * DAY;
    for call in 0..4_000 {
        let now = much_later + call / 1_000;
        spend(
            &mut state,
            &[line("t", Window::Total, None, now), daily("a", 1_000_000, now)],
            1,
            now,
        );
    }
    assert_eq!(state.accounts.len(), (2, 2));
    assert_eq!(state.due.len(), 1);
    assert!(state.accounts.capacity() <= 256, "{}", state.accounts.capacity());
}

#[test]
fn accounts_that_come_and_go_are_not_mixed_up() {
    let mut state = State::new(0);
    let mut random = fastrand::Rng::with_seed(3);
    let mut totals = BTreeMap::new();
    for number in 0..3_000_i64 {
        let now = number * 20_000;
        let keep = random.u8(..4) == 0;
        let window = if keep { Window::Total } else { Window::Daily };
        let name = format!("{}", random.u16(..300));
        let name = if keep { format!("t{name}") } else { name };
        spend(&mut state, &[line(&name, window, None, now)], number, now);
        if keep {
            *totals.entry(name).or_insert(0) += number;
        }
        for (name, total) in &totals {
            let balance = state.balance(&line(name, Window::Total, None, now));
            assert_eq!(balance.spent, cents(*total), "{name}");
        }
    }
}
