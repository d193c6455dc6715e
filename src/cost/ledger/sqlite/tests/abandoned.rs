//! Reservations of dead processes.

use parking_lot::Mutex;

use super::*;

#[test]
fn the_reservation_of_a_dead_process_is_recorded_in_full() {
    let folder = Folder::new();
    let lines = [day("a", Some(100)), day("b", None)];
    let dead = folder.ledger().abandon_after(Duration::from_secs(60));
    let grant = dead.reserve(&hold(&lines, 70, 1_000)).unwrap();
    let ledger = folder.ledger();
    // The money stays committed, whether reserved or spent.
    let refused = ledger.reserve(&hold(&lines, 31, 1_059)).unwrap_err();
    assert!(matches!(refused, HoldError::Refused { line: 0, balance: b } if b == balance(0, 70)));
    let refused = ledger.reserve(&hold(&lines, 31, 1_060)).unwrap_err();
    assert!(matches!(refused, HoldError::Refused { line: 0, balance: b } if b == balance(70, 0)));
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(70, 0); 2]);

    // Its owner was only slow.
    let postings = dead.settle(grant.id, Money::picos(90), 2_000).unwrap();
    assert_eq!(postings, [Posting { before: Money::ZERO, after: balance(90, 0) }; 2]);
    assert!(dead.settle(grant.id, Money::picos(90), 2_000).is_err());

    let grant = dead.reserve(&hold(&lines, 10, 2_000)).unwrap();
    let other = ledger.reserve(&hold(&lines[1..], 5, 2_000)).unwrap();
    ledger.settle(other.id, Money::picos(5), 2_060).unwrap();
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(100, 0), balance(105, 0)]);
    dead.release(grant.id, 2_061).unwrap();
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(90, 0), balance(95, 0)]);
    assert_eq!(folder.ask::<i64>("SELECT count(*) FROM reservation_lines"), 0);
}

#[test]
fn spending_recorded_without_a_posting_is_reported_once_by_the_next() {
    let folder = Folder::new();
    let (ledger, dead) = (folder.ledger(), folder.ledger().abandon_after(Duration::from_secs(60)));
    // A rolling window: the dead process's slot is not the one that is charged then.
    let line = |slot| Line { slot, from: slot - 3_600, until: slot + 3_660, ..day("a", None) };
    let spend = |amount, now| {
        let grant = ledger.reserve(&hold(&[line(now)], amount, now)).unwrap();
        let posting = ledger.settle(grant.id, Money::picos(amount), now).unwrap()[0];
        (posting.before.as_picos(), posting.after.spent.as_picos())
    };
    assert_eq!(spend(10, 0), (0, 10));
    let slow = dead.reserve(&hold(&[line(0)], 80, 0)).unwrap();
    // A release reports no posting.
    ledger.release(ledger.reserve(&hold(&[line(60)], 5, 60)).unwrap().id, 60).unwrap();
    assert_eq!(ledger.balances(&[line(60)]).unwrap(), [balance(90, 0)]);
    assert_eq!(spend(2, 120), (10, 92));
    assert_eq!(spend(1, 120), (92, 93));
    // It was only slow.
    let posting = dead.settle(slow.id, Money::picos(20), 180).unwrap()[0];
    assert_eq!(posting, Posting { before: Money::picos(93), after: balance(33, 0) });
    assert_eq!(spend(60, 180), (33, 93));
    // Once its slot is over, so is what was reported of it.
    assert_eq!(spend(1, 3_660 + 120), (60, 61));
}

#[test]
fn a_threshold_that_a_dead_process_crossed_alerts_once() {
    use crate::Usage;
    use crate::cost::{Bill, Budget, CallPlan, CostConfig, Price, Prices};
    use std::sync::Arc;
    use std::time::UNIX_EPOCH;

    let folder = Folder::new();
    let alerts = Arc::new(Mutex::new(Vec::new()));
    // A pico-dollar per token.
    let price = Price::per_million(Money::picos(1_000_000), Money::picos(1_000_000));
    let costs = |now: u64| {
        let alerts = Arc::clone(&alerts);
        let config =
            CostConfig::default().prices(Prices::empty().set("openai", "m", price.clone()));
        config
            .ledger(folder.ledger())
            .budget(Budget::daily(Money::picos(100)))
            .clock(move || UNIX_EPOCH + Duration::from_secs(now))
            .on_alert(move |alert| alerts.lock().push(alert.threshold))
            .build()
            .unwrap()
    };
    let plan = |tokens| CallPlan::new("openai", "m").input_tokens(tokens).output_tokens(0);
    let dead = costs(0).reserve(plan(90)).unwrap().send();
    let spend = |costs: &crate::CostTracker, tokens| {
        let bill = Bill::new(Usage::reported(tokens, 0));
        costs.reserve(plan(tokens)).unwrap().send().settle(bill)
    };
    let alive = [costs(3_600), costs(3_600)];
    spend(&alive[0], 2);
    assert_eq!(std::mem::take(&mut *alerts.lock()), [50, 80]);
    // It was only slow, so both thresholds are reached again.
    dead.settle(Bill::new(Usage::reported(10, 0)));
    spend(&alive[1], 70);
    spend(&alive[0], 5);
    assert_eq!(*alerts.lock(), [0; 0]);
    spend(&alive[1], 13);
    assert_eq!(*alerts.lock(), [100]);
}
