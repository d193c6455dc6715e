//! A call is reserved for and settled, in three accounts, over and over.

use serde::Serialize;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;
use tollgate::Usage;
use tollgate::cost::ledger::{Hold, Ledger, Line, MemoryLedger};
use tollgate::cost::{Bill, Budget, CallPlan, CostConfig, CostTracker, Money, Price, Prices};

use super::naive::{ACCOUNTS, Naive, SCOPES};
use crate::rounds::{Effort, median, ratio, spread};

pub const NAMES: [&str; 3] = ["map", "ledger", "tracker"];

/// No call is refused.
pub const LIMIT: Money = Money::dollars(1_000_000_000);

/// One way to keep count of a call.
pub trait Account: Sync {
    /// One call, from before it is sent until its cost is booked.
    fn call(&self);
}

/// Makes each way anew, so that no round sees what another has booked.
pub const ALL: [fn() -> Box<dyn Account>; 3] = [
    || Box::new(Naive::default()),
    || Box::new(Bare(MemoryLedger::new())),
    || Box::new(Whole(tracker(LIMIT))),
];

impl Account for Naive {
    fn call(&self) {
        assert!(self.bears(&ACCOUNTS, Money::picos(1_000_000), LIMIT));
        self.count(&ACCOUNTS, Money::picos(400_000));
    }
}

/// The ledger alone, its lines known before.
struct Bare(MemoryLedger);

impl Account for Bare {
    fn call(&self) {
        let lines = lines(LIMIT);
        let most = Money::picos(1_000_000);
        let hold = Hold { lines: &lines, least: most, most, now: NOW };
        let grant = self.0.reserve(&hold).expect("all the money there is");
        let postings = self.0.settle(grant.id, Money::picos(400_000), NOW).expect("a reservation");
        black_box(postings);
    }
}

const NOW: i64 = 1_800_000_000;

pub fn lines(limit: Money) -> [Line<'static>; SCOPES] {
    ACCOUNTS.map(|account| Line {
        account,
        slot: NOW,
        from: NOW,
        until: NOW + 86_400,
        limit: Some(limit),
    })
}

/// The full path of a client: finds and names the accounts, computes the upper bound, prices the
/// call and adds it to the report.
struct Whole(CostTracker);

impl Account for Whole {
    fn call(&self) {
        let plan = CallPlan::new("openai", "gpt-4o-mini")
            .input_tokens(1_200)
            .output_tokens(500)
            .tag("customer", "acme");
        let call = self.0.reserve(plan).expect("all the money there is").send();
        black_box(call.settle(Bill::new(Usage::reported(1_100, 320))));
    }
}

/// With three budgets that every call falls under.
pub fn tracker(limit: Money) -> CostTracker {
    let price = Price::per_million(Money::cents(15), Money::cents(60));
    CostConfig::default()
        .prices(Prices::builtin().set("openai", "gpt-4o-mini", price))
        .budget(Budget::daily(limit))
        .budget(Budget::monthly(limit).per_tag("customer"))
        .budget(Budget::total(limit).per_model())
        .build()
        .expect("a valid configuration")
}

#[derive(Debug, Serialize)]
pub struct Calls {
    pub threads: usize,
    /// In the order of the names: time for each call of all threads together.
    pub nanos: [f64; 3],
    /// How far the middle half of the rounds lies apart, of their median.
    pub spread: [f64; 3],
    pub ledger_to_naive: f64,
    pub tracker_to_ledger: f64,
    pub tracker_to_naive: f64,
}

pub fn measure(effort: Effort, threads: usize) -> Calls {
    let times = if threads == 1 { 20_000 } else { 64_000 };
    let found = effort.rotate(&ALL, |new| {
        let account = new();
        turns(&*account, 1, 1_000);
        turns(&*account, threads, times)
    });
    let nanos = |nanos: &f64| *nanos;
    let [naive, ledger, tracker] = &found;
    Calls {
        threads,
        ledger_to_naive: ratio(ledger, naive, nanos),
        tracker_to_ledger: ratio(tracker, ledger, nanos),
        tracker_to_naive: ratio(tracker, naive, nanos),
        spread: [naive, ledger, tracker].map(|values| spread(values)),
        nanos: found.map(median),
    }
}

/// Makes so many calls in one of the ways, to be looked at by a profiler.
pub fn repeat(name: &str, times: usize) {
    if let Some(at) = NAMES.iter().position(|known| *known == name) {
        turns(&*ALL[at](), 1, times);
    }
}

/// Makes so many calls in all; returns how many nanoseconds each took.
fn turns(account: &dyn Account, threads: usize, times: usize) -> f64 {
    let each = times / threads;
    let ready = Barrier::new(threads);
    let spans: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let work = || {
            ready.wait();
            let begun = Instant::now();
            (0..each).for_each(|_| account.call());
            (begun, Instant::now())
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("no call is refused")).collect()
    });
    let begun = spans.iter().map(|(begun, _)| *begun).min();
    let ended = spans.iter().map(|(_, ended)| *ended).max();
    let took = ended.zip(begun).map(|(ended, begun)| ended - begun).unwrap_or_default();
    took.as_secs_f64() * 1e9 / (each * threads) as f64
}
