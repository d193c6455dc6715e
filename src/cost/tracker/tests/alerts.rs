//! Alerts are sent once per threshold, outside all locks, and a listener cannot harm a call.

use parking_lot::Mutex;
use std::sync::OnceLock;

use super::*;
use crate::cost::CostEvents;

const DAY: u64 = 86_400;

/// Keeps the alerts that a callback receives.
#[derive(Clone, Default)]
struct AlertLog(Arc<Mutex<Vec<BudgetAlert>>>);

impl AlertLog {
    fn attach(&self, config: CostConfig) -> CostConfig {
        let log = self.clone();
        config.on_alert(move |alert| log.0.lock().push(alert.clone()))
    }

    /// The alerts since the last call: the account and the percentage of each.
    fn take(&self) -> Vec<(String, u16)> {
        let alerts = std::mem::take(&mut *self.0.lock());
        alerts.into_iter().map(|alert| (alert.account, alert.threshold)).collect()
    }
}

/// Spends a thousand pico-dollars for each output token.
fn spend(costs: &CostTracker, plan: CallPlan, output: u64) {
    costs.reserve(plan.input_tokens(0)).unwrap().send().settle(bill(0, output));
}

fn thresholds(log: &AlertLog) -> Vec<u16> {
    log.take().into_iter().map(|(_, percent)| percent).collect()
}

#[test]
fn every_threshold_alerts_once_in_a_window() {
    let (log, watch) = (AlertLog::default(), Watch::at(DAY * 20_000));
    let config = log.attach(config()).clock(watch.clock()).budget(Budget::daily(picos(100_000)));
    let costs = config.build().unwrap();
    spend(&costs, plan(), 49);
    assert_eq!(log.take(), []);
    spend(&costs, plan(), 1);
    assert_eq!(thresholds(&log), [50]);
    spend(&costs, plan().output_tokens(40), 29);
    assert_eq!(log.take(), []);
    // Two at once, one of them because the call cost more than was reserved.
    spend(&costs, plan().output_tokens(1), 30);
    assert_eq!(thresholds(&log), [80, 100]);
    costs.track(plan(), bill(0, 500)).unwrap();
    assert_eq!(log.take(), []);
    watch.set(DAY * 20_001);
    spend(&costs, plan(), 50);
    assert_eq!(thresholds(&log), [50], "the next day");
}

#[test]
fn every_account_has_its_own_alerts() {
    let log = AlertLog::default();
    let budget = Budget::total(picos(100_000)).per_tag("customer").alert_at([50]);
    let costs = log.attach(config()).budget(budget).build().unwrap();
    for customer in ["acme", "bolt", "acme"] {
        spend(&costs, plan().tag("customer", customer), 50);
    }
    let of = |customer: &str| (format!("customer={customer}"), 50);
    assert_eq!(log.take(), [of("acme"), of("bolt")]);
}

#[test]
fn a_rolling_window_alerts_again_after_its_length() {
    let (log, watch) = (AlertLog::default(), Watch::at(1_000_000));
    let budget = Budget::rolling(Duration::from_secs(600), picos(100_000)).alert_at([50]);
    let costs = log.attach(config()).clock(watch.clock()).budget(budget).build().unwrap();
    spend(&costs, plan(), 50);
    assert_eq!(thresholds(&log), [50]);
    // The first spending still counts.
    watch.set(1_000_500);
    spend(&costs, plan(), 10);
    assert_eq!(log.take(), []);
    // Spending falls below the threshold and reaches it again.
    watch.set(1_000_700);
    spend(&costs, plan(), 40);
    assert_eq!(thresholds(&log), [50]);
    watch.set(1_001_110);
    spend(&costs, plan(), 10);
    assert_eq!(log.take(), [], "not twice within the length");
}

#[test]
fn a_soft_budget_alerts_and_refuses_nothing() {
    let log = AlertLog::default();
    let budgets = [Budget::total(picos(50_000)).soft().alert_at([100, 200])];
    let costs = log.attach(config()).budgets(budgets).build().unwrap();
    spend(&costs, plan(), 50);
    spend(&costs, plan(), 50);
    assert_eq!(thresholds(&log), [100, 200]);
    assert_eq!(balances(&costs), [(100_000, 0)]);
}

#[test]
fn a_soft_per_request_limit_alerts_for_each_request_that_exceeds_it() {
    let log = AlertLog::default();
    let budget = Budget::per_request(picos(30_000)).soft().alert_at([100]).per_tag("customer");
    let costs = log.attach(config()).budget(budget).build().unwrap();
    for output in [30, 29, 31, 0] {
        spend(&costs, plan().tag("customer", "acme"), output);
    }
    let passed = || ("customer=acme".to_owned(), 100);
    assert_eq!(log.take(), [passed(), passed()]);
    // A hard limit refuses and needs no alert.
    let hard = Budget::per_request(picos(100_000)).alert_at([10]);
    let costs = log.attach(config()).budget(hard).build().unwrap();
    spend(&costs, plan(), 50);
    assert_eq!(log.take(), []);
}

#[test]
fn a_listener_may_use_the_tracker() {
    let seen: Arc<OnceLock<CostTracker>> = Arc::default();
    let (heard, tracker) = (Arc::new(AtomicU64::new(0)), Arc::clone(&seen));
    let count = Arc::clone(&heard);
    let config = config().budget(Budget::total(picos(100_000)).alert_at([50]));
    let config = config.on_alert(move |_| {
        let costs: &CostTracker = tracker.get().unwrap();
        // If a lock were held during the call, this would deadlock.
        assert_eq!(costs.report().budgets[0].spent, picos(50_000));
        drop(costs.reserve(plan().output_tokens(40)).unwrap());
        assert!(costs.reserve(plan().output_tokens(60)).is_err());
        drop(costs.events());
        count.fetch_add(1, Ordering::SeqCst);
    });
    let costs = config.build().unwrap();
    seen.set(costs.clone()).unwrap();
    spend(&costs, plan(), 50);
    assert_eq!(heard.load(Ordering::SeqCst), 1);
}

#[test]
fn a_panic_in_a_listener_harms_nothing() {
    let config = config().budget(Budget::total(picos(100_000)).alert_at([50, 60]));
    let costs = config.on_alert(|_| panic!("a mistake in the listener")).build().unwrap();
    let mut events = costs.events();
    spend(&costs, plan(), 50);
    assert_eq!(balances(&costs), [(50_000, 0)]);
    // Not even if another panic drops the call.
    let costs_too = costs.clone();
    let outcome = std::thread::spawn(move || {
        let _charge = costs_too.reserve(plan().output_tokens(20)).unwrap().send();
        panic!("in between");
    })
    .join();
    assert!(outcome.is_err());
    assert_eq!(balances(&costs), [(70_100, 0)]);
    assert_eq!(alerts(&mut events), [50, 60]);
}

/// The thresholds among the waiting events.
fn alerts(events: &mut CostEvents) -> Vec<u16> {
    let waiting = std::iter::from_fn(|| events.try_next());
    waiting
        .filter_map(|event| match event {
            CostEvent::Alert(alert) => Some(alert.threshold),
            _ => None,
        })
        .collect()
}

#[test]
fn a_reader_of_events_sees_calls_alerts_and_refusals() {
    let costs = tracker([Budget::total(picos(60_000)).alert_at([50])]);
    let mut events = costs.events();
    spend(&costs, plan().tag("customer", "acme"), 50);
    costs.reserve(plan()).unwrap_err();
    drop(costs.reserve(plan().output_tokens(5)).unwrap());
    let Some(CostEvent::Spent(call)) = events.try_next() else { panic!("no call") };
    assert_eq!(call.cost.unwrap().total, picos(50_000));
    assert_eq!(call.tags["customer"], "acme");
    let Some(CostEvent::Alert(alert)) = events.try_next() else { panic!("no alert") };
    assert_eq!((alert.threshold, alert.limit), (50, picos(60_000)));
    let Some(CostEvent::Refused(refusal)) = events.try_next() else { panic!("no refusal") };
    assert_eq!((refusal.spent, refusal.needed), (picos(50_000), picos(50_100)));
    assert_eq!(events.try_next(), None);
    drop(costs);
    assert_eq!(events.next(), None, "the end, with the last of the tracker");
}

#[test]
fn a_call_is_in_the_report_before_its_event_is_sent() {
    const CALLS: u64 = 1_000;
    let costs = tracker([]);
    let events = costs.events();
    std::thread::scope(|scope| {
        scope.spawn(|| (0..CALLS).for_each(|_| spend(&costs, plan(), 1)));
        for (seen, _) in (1..=CALLS).zip(events) {
            assert!(costs.report().total.calls >= seen, "{seen}");
        }
    });
}

#[test]
fn a_threshold_reached_by_many_threads_alerts_once() {
    let log = AlertLog::default();
    let budget =
        Budget::total(picos(1_200_000)).alert_at([10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    let costs = log.attach(config()).budget(budget).build().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..12).for_each(|_| spend(&costs, plan().output_tokens(20), 10)));
        }
    });
    let mut log = thresholds(&log);
    log.sort_unstable();
    assert_eq!(log, [10, 20, 30, 40, 50, 60, 70, 80]);
}
