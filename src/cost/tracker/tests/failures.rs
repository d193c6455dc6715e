//! When the ledger fails, no call goes unmetered, and the error is reported.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::cost::ledger::{Grant, LedgerError, Posting};

/// A ledger that fails on demand.
#[derive(Debug, Clone, Default)]
struct FaultyLedger(Arc<Faults>);

#[derive(Debug, Default)]
struct Faults {
    inner: MemoryLedger,
    fails_to_reserve: AtomicBool,
    refuses: AtomicBool,
    fails_to_settle: AtomicBool,
    fails_to_read: AtomicBool,
    panics: AtomicBool,
}

fn fail_if(flag: &AtomicBool) -> Result<(), LedgerError> {
    match flag.load(Ordering::SeqCst) {
        true => Err(LedgerError::new("the disk is full")),
        false => Ok(()),
    }
}

impl Ledger for FaultyLedger {
    fn reserve(&self, hold: &Hold<'_>) -> Result<Grant, HoldError> {
        fail_if(&self.0.fails_to_reserve)?;
        if self.0.refuses.load(Ordering::SeqCst) {
            return Err(HoldError::Refused { line: 0, balance: Balance::default() });
        }
        self.0.inner.reserve(hold)
    }

    fn settle(
        &self,
        id: ReservationId,
        amount: Money,
        now: i64,
    ) -> Result<Vec<Posting>, LedgerError> {
        fail_if(&self.0.fails_to_settle)?;
        assert!(!self.0.panics.load(Ordering::SeqCst), "a mistake in the ledger");
        self.0.inner.settle(id, amount, now)
    }

    fn balances(&self, lines: &[Line<'_>]) -> Result<Vec<Balance>, LedgerError> {
        fail_if(&self.0.fails_to_read)?;
        self.0.inner.balances(lines)
    }
}

fn with(ledger: &FaultyLedger) -> CostTracker {
    config().ledger(ledger.clone()).budget(Budget::total(picos(100_000))).build().unwrap()
}

#[test]
fn a_call_is_refused_if_the_ledger_fails() {
    let ledger = FaultyLedger::default();
    let costs = with(&ledger);
    ledger.0.fails_to_reserve.store(true, Ordering::SeqCst);
    let error = costs.reserve(plan()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ledger, "{error}");
    assert_eq!(error.to_string(), "budget ledger failed: the disk is full");
    assert!(std::error::Error::source(&error).unwrap().is::<LedgerError>());
    // No budget has refused it.
    assert_eq!((costs.report().refused, balances(&costs)), (0, vec![(0, 0)]));
    let error = costs.track(plan(), bill(1, 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ledger, "{error}");
}

#[test]
fn a_ledger_that_refuses_zero_is_an_error() {
    let ledger = FaultyLedger::default();
    let costs = config()
        .ledger(ledger.clone())
        .unknown_model(UnknownModel::Allow)
        .budget(Budget::total(picos(100_000)))
        .build()
        .unwrap();
    ledger.0.refuses.store(true, Ordering::SeqCst);
    let unpriced = CallPlan::new("openai", "unheard-of");
    for error in
        [costs.track(plan(), bill(90, 5)).unwrap_err(), costs.reserve(unpriced).unwrap_err()]
    {
        assert_eq!(error.kind(), ErrorKind::Ledger, "{error}");
        assert!(error.to_string().contains("Ledger::reserve must always grant"), "{error}");
    }
    // Neither counts as recorded.
    assert_eq!(costs.report().total.calls, 0);
}

#[test]
fn a_call_that_cannot_be_recorded_stays_reserved_and_is_reported() {
    let ledger = FaultyLedger::default();
    let costs = with(&ledger);
    let charge = costs.reserve(plan()).unwrap().send();
    ledger.0.fails_to_settle.store(true, Ordering::SeqCst);
    let cost = charge.settle(bill(90, 5));
    assert_eq!(cost.unwrap().total, picos(5_090), "the answer still has its cost");
    let report = costs.report();
    assert_eq!(report.unrecorded, 1);
    assert_eq!(report.ledger_error.as_deref(), Some("the disk is full"));
    assert_eq!((report.total.calls, report.total.cost.total), (1, picos(5_090)));
    assert_eq!(balances(&costs), [(0, 50_100)]);
    // A failed release is reported too.
    drop(costs.reserve(plan().output_tokens(10)).unwrap());
    assert_eq!(costs.report().unrecorded, 2);
    assert_eq!(balances(&costs), [(0, 60_200)]);
}

#[test]
fn a_report_without_balances_says_why() {
    let ledger = FaultyLedger::default();
    let costs = with(&ledger);
    costs.reserve(plan()).unwrap().send().settle(bill(90, 5));
    ledger.0.fails_to_read.store(true, Ordering::SeqCst);
    let report = costs.report();
    assert_eq!((report.budgets.len(), report.unrecorded, report.total.calls), (0, 0, 1));
    assert_eq!(report.ledger_error.as_deref(), Some("the disk is full"));
    ledger.0.fails_to_read.store(false, Ordering::SeqCst);
    assert_eq!((costs.report().ledger_error, balances(&costs)), (None, vec![(5_090, 0)]));
}

#[test]
fn a_ledger_that_panics_during_an_unwind_does_not_abort_the_process() {
    let ledger = FaultyLedger::default();
    let costs = with(&ledger);
    ledger.0.panics.store(true, Ordering::SeqCst);
    let calls = costs.clone();
    let outcome = std::thread::spawn(move || {
        let _charge = calls.reserve(plan().output_tokens(10)).unwrap().send();
        let _reservation = calls.reserve(plan().output_tokens(20)).unwrap();
        panic!("in between");
    })
    .join();
    assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "in between");
    let report = costs.report();
    assert_eq!(report.unrecorded, 2);
    assert!(report.ledger_error.unwrap().contains("panicked"));
    // The money stays reserved, as with any failing ledger.
    assert_eq!(balances(&costs), [(0, 30_200)].to_vec());
    ledger.0.panics.store(false, Ordering::SeqCst);
    drop(costs.reserve(plan().output_tokens(10)).unwrap());
    assert_eq!(costs.report().unrecorded, 2);
}

#[test]
fn a_clock_that_panics_during_an_unwind_does_not_abort_the_process() {
    let stopped = Arc::new(AtomicBool::new(false));
    let stops = Arc::clone(&stopped);
    let clock = move || {
        assert!(!stops.load(Ordering::SeqCst), "a mistake in the clock");
        UNIX_EPOCH
    };
    let budget = Budget::total(picos(100_000));
    let costs = config().clock(clock).budget(budget).build().unwrap();
    let (calls, stop) = (costs.clone(), Arc::clone(&stopped));
    let outcome = std::thread::spawn(move || {
        let _charge = calls.reserve(plan()).unwrap().send();
        stop.store(true, Ordering::SeqCst);
        panic!("in between");
    })
    .join();
    assert!(outcome.is_err());
    stopped.store(false, Ordering::SeqCst);
    assert_eq!((costs.report().unrecorded, balances(&costs)), (1, vec![(0, 50_100)]));
}
