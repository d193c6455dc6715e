//! How far each way lets threads run beyond a limit.

use serde::Serialize;
use std::thread;
use std::time::Duration;
use tollgate::cost::Money;
use tollgate::cost::ledger::{Hold, Ledger, MemoryLedger};

use super::calls::lines;
use super::naive::{ACCOUNTS, Naive};

const THREADS: usize = 64;

/// So many calls are within the limit.
const CALLS: i64 = 1_000;

const EACH: Money = Money::cents(1);

/// Spent of the limit: 1 is all of it.
#[derive(Debug, Serialize)]
pub struct Overshoot {
    pub naive: f64,
    pub ledger: f64,
}

pub fn measure() -> Overshoot {
    let limit = Money::cents(CALLS);
    let naive = Naive::default();
    spend(|| {
        let bears = naive.bears(&ACCOUNTS, EACH, limit);
        if bears {
            sent();
            naive.count(&ACCOUNTS, EACH);
        }
        bears
    });
    let (ledger, lines) = (MemoryLedger::new(), lines(limit));
    spend(|| {
        let hold = Hold { lines: &lines, least: EACH, most: EACH, now: 0 };
        let Ok(grant) = ledger.reserve(&hold) else { return false };
        sent();
        ledger.settle(grant.id, EACH, 0).expect("a reservation");
        true
    });
    let booked = ledger.balances(&lines).expect("books in memory")[0].spent;
    let share = |spent: Money| spent.as_dollars() / limit.as_dollars();
    Overshoot { naive: share(naive.spent(ACCOUNTS[0])), ledger: share(booked) }
}

/// What a call takes at the least.
fn sent() {
    thread::sleep(Duration::from_millis(1));
}

/// Each thread calls until it is refused.
fn spend(call: impl Fn() -> bool + Sync) {
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| while call() {});
        }
    });
}
