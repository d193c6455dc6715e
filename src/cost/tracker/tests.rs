//! A tracker with a simple price and a clock that tests can set.

mod alerts;
mod availability;
mod endings;
mod failures;
mod reserving;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::cost::ledger::{Balance, Hold, HoldError, Line, ReservationId};
use crate::cost::{BudgetAlert, CallOutcome, CostEvent, CostSource, Money, Price, UtcOffset};
use crate::upper_bound::{ModelLimits, Unbounded};

/// One pico-dollar per input token, a thousand per output token.
fn price() -> Price {
    Price::per_million(Money::picos(1_000_000), Money::picos(1_000_000_000))
}

fn config() -> CostConfig {
    CostConfig::default().prices(Prices::empty().set("openai", "m", price()))
}

fn tracker(budgets: impl IntoIterator<Item = Budget>) -> CostTracker {
    config().budgets(budgets).build().unwrap()
}

/// A call of at most 100 input and 50 output tokens: 50,100 pico-dollars.
fn plan() -> CallPlan {
    CallPlan::new("openai", "m").input_tokens(100).output_tokens(50)
}

fn bill(input: u64, output: u64) -> Bill {
    Bill::new(Usage::reported(input, output))
}

fn picos(picos: i128) -> Money {
    Money::picos(picos)
}

/// Spent and reserved money of all accounts, in the order of the budgets.
fn balances(costs: &CostTracker) -> Vec<(i128, i128)> {
    let report = costs.report();
    let balance =
        |status: &crate::cost::BudgetStatus| (status.spent.as_picos(), status.reserved.as_picos());
    report.budgets.iter().map(balance).collect()
}

/// A clock that stands still until it is set, in seconds since the Unix epoch.
#[derive(Clone, Default)]
struct Watch(Arc<AtomicU64>);

impl Watch {
    fn at(seconds: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seconds)))
    }

    fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::SeqCst);
    }

    fn clock(&self) -> impl Fn() -> SystemTime + Send + Sync + use<> {
        let watch = self.clone();
        move || UNIX_EPOCH + Duration::from_secs(watch.0.load(Ordering::SeqCst))
    }
}
