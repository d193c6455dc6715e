//! The in-memory ledger under every interleaving of its locks (loom): no money is given out
//! twice, none is lost, and all lines of an operation change at once.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release --lib cost::ledger::model
//! ```

use loom::thread;
use std::sync::Arc;

use super::*;

const DAY: i64 = 86_400;

fn line(account: &'static str, day: i64, limit: i64) -> Line<'static> {
    let slot = day * DAY;
    let limit = Some(Money::cents(limit));
    Line { account, slot, from: slot, until: slot + DAY, limit }
}

fn reserve(ledger: &MemoryLedger, lines: &[Line<'_>], least: i64, most: i64) -> Option<Grant> {
    let (least, most) = (Money::cents(least), Money::cents(most));
    match ledger.reserve(&Hold { lines, least, most, now: lines[0].slot }) {
        Ok(grant) => Some(grant),
        Err(HoldError::Refused { .. }) => None,
        Err(HoldError::Failed(error)) => panic!("{error}"),
    }
}

fn balance(spent: i64, reserved: i64) -> Balance {
    Balance { spent: Money::cents(spent), reserved: Money::cents(reserved) }
}

#[test]
fn only_one_of_two_callers_gets_the_last_money() {
    loom::model(|| {
        let ledger = Arc::new(MemoryLedger::new());
        let lines = [line("a", 0, 10), line("b", 0, 100)];
        let take = move |ledger: &MemoryLedger| {
            let grant = reserve(ledger, &lines, 6, 10);
            if let Some(grant) = grant {
                assert_eq!(grant.amount, Money::cents(10));
                let _ = ledger.settle(grant.id, Money::cents(7), 0).unwrap();
            }
            i64::from(grant.is_some())
        };
        let other = {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || take(&ledger))
        };
        let served = take(&ledger) + other.join().unwrap();
        assert_eq!(served, 1);
        assert_eq!(ledger.balances(&lines).unwrap(), [balance(7, 0); 2]);
    });
}

#[test]
fn a_release_races_with_two_reservations() {
    loom::model(|| {
        let ledger = Arc::new(MemoryLedger::new());
        let lines = [line("a", 0, 10)];
        let held = reserve(&ledger, &lines, 10, 10).unwrap();
        let others = [(); 2].map(|()| {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || reserve(&ledger, &lines, 1, 6))
        });
        ledger.release(held.id, 0).unwrap();
        let grants = others.map(|other| other.join().unwrap());
        let reserved = grants.iter().flatten().map(|grant| grant.amount).sum::<Money>();
        assert!(reserved <= Money::cents(10));
        assert_eq!(ledger.balances(&lines).unwrap()[0].reserved, reserved);
        for grant in grants.into_iter().flatten() {
            ledger.release(grant.id, 0).unwrap();
        }
        assert_eq!(ledger.balances(&lines).unwrap(), [balance(0, 0)]);
        let all = reserve(&ledger, &lines, 10, 10).unwrap();
        ledger.release(all.id, 0).unwrap();
    });
}

#[test]
fn all_lines_change_at_once() {
    loom::model(|| {
        let ledger = Arc::new(MemoryLedger::new());
        let lines = [line("a", 0, 10), line("b", 0, 10)];
        let other = {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || {
                let grant = reserve(&ledger, &lines, 4, 4).unwrap();
                let _ = ledger.settle(grant.id, Money::cents(6), 0).unwrap();
            })
        };
        let seen = ledger.balances(&lines).unwrap();
        assert_eq!(seen[0], seen[1]);
        assert!([balance(0, 0), balance(0, 4), balance(6, 0)].contains(&seen[0]));
        other.join().unwrap();
    });
}

#[test]
fn a_reservation_ends_once() {
    loom::model(|| {
        let ledger = Arc::new(MemoryLedger::new());
        let lines = [line("a", 0, 10)];
        let grant = reserve(&ledger, &lines, 4, 4).unwrap();
        let other = {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || ledger.settle(grant.id, Money::cents(4), 0).is_ok())
        };
        let released = ledger.release(grant.id, 0).is_ok();
        let settled = other.join().unwrap();
        assert!(released != settled);
        let spent = if settled { 4 } else { 0 };
        assert_eq!(ledger.balances(&lines).unwrap(), [balance(spent, 0)]);
    });
}

/// One call begins before midnight and ends after it. Meanwhile the day's slot becomes due,
/// another reservation checks it, and a third may delete it.
#[test]
fn a_call_across_midnight_is_charged_to_the_day_it_began() {
    loom::model(|| {
        let ledger = Arc::new(MemoryLedger::keeping(0));
        let (first, third) = ([line("a", 0, 10)], [line("a", 2, 10)]);
        let grant = reserve(&ledger, &first, 10, 10).unwrap();
        let settling = {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || ledger.settle(grant.id, Money::cents(8), 2 * DAY).unwrap())
        };
        // From now on the first day's slot may be deleted.
        let sweeping = {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || {
                let other = reserve(&ledger, &[line("b", 2, 10)], 1, 1).unwrap();
                ledger.release(other.id, 2 * DAY).unwrap();
            })
        };
        let today = reserve(&ledger, &third, 10, 10).unwrap();
        let postings = settling.join().unwrap();
        assert_eq!(postings, [Posting { before: Money::ZERO, after: balance(8, 0) }]);
        sweeping.join().unwrap();
        assert_eq!(ledger.balances(&third).unwrap(), [balance(0, 10)]);
        ledger.release(today.id, 2 * DAY).unwrap();
        // The last reservation finds it due.
        let last = reserve(&ledger, &third, 10, 10).unwrap();
        assert_eq!(
            ledger.balances(&[first[0], third[0]]).unwrap(),
            [balance(0, 0), balance(0, 10)]
        );
        ledger.release(last.id, 2 * DAY).unwrap();
        let gone = Hold { lines: &first, least: Money::ZERO, most: Money::ZERO, now: 0 };
        assert!(matches!(ledger.reserve(&gone), Err(HoldError::Failed(_))));
    });
}
