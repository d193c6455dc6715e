//! Tests of the in-memory ledger against the contract of all ledgers.

use super::super::tests::{agrees_with_a_model, keeps_the_contract};
use super::super::{Balance, HoldError, Line};
use super::*;
use std::thread;

fn line(account: &str, limit: i64) -> Line<'_> {
    Line { account, slot: 0, from: 0, until: 86_400, limit: Some(Money::cents(limit)) }
}

fn hold<'a>(lines: &'a [Line<'a>], least: i64, most: i64) -> Hold<'a> {
    Hold { lines, least: Money::cents(least), most: Money::cents(most), now: 0 }
}

fn balance(spent: i64, reserved: i64) -> Balance {
    Balance { spent: Money::cents(spent), reserved: Money::cents(reserved) }
}

#[test]
fn it_keeps_the_contract_of_ledgers() {
    keeps_the_contract(&MemoryLedger::new());
    keeps_the_contract(&MemoryLedger::keeping(0));
}

#[test]
fn it_agrees_with_a_simple_model() {
    for seed in 0..16 {
        agrees_with_a_model(&[&MemoryLedger::new()], seed, 600);
    }
}

#[test]
fn a_settled_reservation_is_released_and_its_amount_recorded() {
    let ledger = MemoryLedger::new();
    let lines = [line("a", 100), line("b", 50)];
    let first = ledger.reserve(&hold(&lines, 30, 30)).unwrap();
    let second = ledger.reserve(&hold(&lines, 1, 30)).unwrap();
    assert_eq!((first.amount, second.amount), (Money::cents(30), Money::cents(20)));
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(0, 50); 2]);

    let refused = ledger.reserve(&hold(&lines, 1, 30)).unwrap_err();
    assert!(
        matches!(refused, HoldError::Refused { line: 1, balance: found } if found == balance(0, 50)),
        "{refused:?}"
    );

    let postings = ledger.settle(first.id, Money::cents(10), 1).unwrap();
    let expected = Posting { before: Money::ZERO, after: balance(10, 20) };
    assert_eq!(postings, [expected; 2]);
    ledger.release(second.id, 1).unwrap();
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(10, 0); 2]);

    for id in [first.id, second.id, ReservationId(0), ReservationId(u64::MAX)] {
        assert!(ledger.settle(id, Money::ZERO, 1).is_err(), "{id:?}");
        assert!(ledger.release(id, 1).is_err(), "{id:?}");
    }
    assert_eq!(ledger.balances(&lines).unwrap(), [balance(10, 0); 2]);
}

#[test]
fn threads_never_spend_more_than_the_limit() {
    const LIMIT: i64 = 2_000;
    let ledger = MemoryLedger::new();
    let lines = [line("all", LIMIT), line("even", LIMIT), line("odd", LIMIT / 2)];
    let spent: i64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|number| {
                let (ledger, lines) = (&ledger, &lines);
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(number);
                    let lines = [lines[0], lines[if number % 2 == 0 { 1 } else { 2 }]];
                    let mut spent = 0;
                    for _ in 0..5_000 {
                        let Ok(grant) = ledger.reserve(&hold(&lines, 1, 7)) else { continue };
                        for balance in ledger.balances(&lines).unwrap() {
                            assert!(balance.committed() <= Money::cents(LIMIT));
                            assert!(balance.reserved >= grant.amount);
                        }
                        if random.bool() {
                            let amount = grant.amount.as_picos() / Money::cents(1).as_picos();
                            let amount = random.i64(0..=i64::try_from(amount).unwrap());
                            let _ = ledger.settle(grant.id, Money::cents(amount), 0).unwrap();
                            spent += amount;
                        } else {
                            ledger.release(grant.id, 0).unwrap();
                        }
                    }
                    spent
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let [all, even, odd] = ledger.balances(&lines).unwrap()[..] else { panic!() };
    assert_eq!(all, balance(spent, 0));
    assert_eq!(even.spent + odd.spent, all.spent);
    assert!(all.spent == Money::cents(LIMIT) && odd.spent <= Money::cents(LIMIT / 2), "{all:?}");
}
