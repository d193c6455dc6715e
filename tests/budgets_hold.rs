//! Budgets hold, whatever the number of threads.

mod support;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use support::{builder, loopback};
use tollgate::cost::ledger::{
    Balance, Grant, Hold, HoldError, Ledger, LedgerError, Line, MemoryLedger, Posting,
    ReservationId,
};
use tollgate::testing::{Reply, Request};
use tollgate::{Budget, ChatRequest, CostConfig, ErrorKind, Money, PoolConfig, Price, Prices};

const THREADS: usize = 64;
const RUNS: usize = 1_000;

/// $1 per million input tokens and $2 per million output tokens: 10⁶ and 2 · 10⁶ pico-dollars a
/// token.
const INPUT: u64 = 1_000_000;
const OUTPUT: u64 = 2_000_000;

/// Enough for a few calls at a time, but not for one of each thread.
fn limit() -> Money {
    "0.01".parse().unwrap()
}

/// A ledger that checks its books after every operation, while the other threads go on.
#[derive(Debug, Default)]
struct Observed {
    books: MemoryLedger,
    open: Mutex<HashMap<ReservationId, (String, i64)>>,
    observations: AtomicU64,
}

impl Observed {
    fn observe(&self, account: &str, slot: i64) {
        let line = Line { account, slot, from: slot, until: i64::MAX, limit: None };
        let balance = self.books.balances(&[line]).unwrap()[0];
        assert!(balance.committed() <= limit(), "{account}: {balance:?}");
        assert!(!balance.reserved.is_negative() && !balance.spent.is_negative(), "{balance:?}");
        self.observations.fetch_add(1, Ordering::Relaxed);
    }
}

impl Ledger for Observed {
    fn reserve(&self, hold: &Hold<'_>) -> Result<Grant, HoldError> {
        let line = hold.lines[0];
        let granted = self.books.reserve(hold);
        if let Ok(grant) = &granted {
            self.open.lock().unwrap().insert(grant.id, (line.account.to_owned(), line.slot));
        }
        self.observe(line.account, line.slot);
        granted
    }

    fn settle(
        &self,
        id: ReservationId,
        amount: Money,
        now: i64,
    ) -> Result<Vec<Posting>, LedgerError> {
        let postings = self.books.settle(id, amount, now)?;
        let (account, slot) = self.open.lock().unwrap().remove(&id).unwrap();
        self.observe(&account, slot);
        Ok(postings)
    }

    fn balances(&self, lines: &[Line<'_>]) -> Result<Vec<Balance>, LedgerError> {
        self.books.balances(lines)
    }
}

#[test]
fn no_number_of_threads_overruns_a_budget() {
    let server = loopback();
    server.record_requests(false);
    // What the calls of all runs really used, as the provider counts it.
    let counted: Arc<Vec<AtomicU64>> = Arc::new((0..RUNS).map(|_| AtomicU64::new(0)).collect());
    server.respond({
        let counted = Arc::clone(&counted);
        move |request: &Request| {
            let content = request.messages()[0]["content"].as_str().unwrap();
            let (run, _) = content.split_once(':').unwrap();
            // Not zero: zero counts as unreported.
            let input = fastrand::u64(1..=content.len() as u64);
            let most = request.json()["max_tokens"].as_u64().unwrap();
            let output = fastrand::u64(1..=most);
            let picos = input * INPUT + output * OUTPUT;
            counted[run.parse::<usize>().unwrap()].fetch_add(picos, Ordering::SeqCst);
            Some(Reply::text("ok").model("m").usage(input, output))
        }
    });
    let ledger = Arc::new(Observed::default());
    let price = Price::per_million(Money::dollars(1), Money::dollars(2)).max_output(1_000);
    let costs = CostConfig::default()
        .prices(Prices::empty().set("openai", "m", price))
        .shared_ledger(Arc::clone(&ledger) as Arc<dyn Ledger>)
        .budget(Budget::daily(limit()).per_tag("run"));
    let client = builder(&server, "openai")
        .model("m")
        .pool(PoolConfig { max_per_origin: 64, ..PoolConfig::default() })
        .costs(costs)
        .build()
        .unwrap();

    let refused = AtomicU64::new(0);
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (client, refused, barrier) = (&client, &refused, &barrier);
            scope.spawn(move || {
                for run in 0..RUNS {
                    barrier.wait();
                    let mut request =
                        ChatRequest::from(format!("{run}:{}", "x".repeat(thread * 7)))
                            .tag("run", run.to_string());
                    // Half of them leave the limit to the budget.
                    if thread % 2 == 0 {
                        request = request.max_output_tokens(fastrand::u32(200..1_100));
                    }
                    match client.chat(request) {
                        Ok(response) => assert!(response.cost.is_some()),
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::BudgetExceeded, "{error}");
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });

    let report = client.costs();
    let refused = refused.into_inner();
    assert_eq!(report.budgets.len(), RUNS);
    for budget in &report.budgets {
        let run: usize = budget.account.strip_prefix("run=").unwrap().parse().unwrap();
        let counted = Money::picos(counted[run].load(Ordering::SeqCst).into());
        assert_eq!((budget.reserved, budget.spent), (Money::ZERO, counted), "{budget:?}");
        assert!(budget.spent <= limit());
    }
    assert_eq!((report.refused, report.total.calls + refused), (refused, (THREADS * RUNS) as u64));
    // The test is meaningful only if some calls were refused and some were not.
    assert!(refused > RUNS as u64 && report.total.calls > RUNS as u64, "{refused} refused");
    assert!(ledger.observations.load(Ordering::Relaxed) > 2 * report.total.calls);
}
