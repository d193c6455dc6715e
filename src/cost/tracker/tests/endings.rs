//! However a call ends, its reservation is settled or released.

use std::thread;

use super::*;
use crate::cost::UnreportedUsage;

#[test]
fn a_dropped_reservation_releases_the_money() {
    let costs = tracker([Budget::total(picos(100_000))]);
    let reservation = costs.reserve(plan()).unwrap();
    assert_eq!((reservation.amount(), reservation.output_tokens()), (picos(50_100), 50));
    assert_eq!(balances(&costs), [(0, 50_100)]);
    drop(reservation);
    assert_eq!(balances(&costs), [(0, 0)]);
    assert_eq!(costs.report().total.calls, 0);
}

#[test]
fn a_dropped_charge_is_charged_by_the_rule() {
    for (rule, spent, source) in [
        (UnreportedUsage::Reserved, 50_100, CostSource::Bound),
        (UnreportedUsage::Estimate, 100, CostSource::Estimated),
        (UnreportedUsage::Nothing, 0, CostSource::Estimated),
    ] {
        let config = config().unreported_usage(rule).budget(Budget::total(picos(100_000)));
        let costs = config.build().unwrap();
        drop(costs.reserve(plan()).unwrap().send());
        assert_eq!(balances(&costs), [(spent, 0)], "{rule:?}");
        let report = costs.report();
        let last = &report.last[0];
        assert_eq!((last.outcome, last.served_model.as_str()), (CallOutcome::Unanswered, ""));
        // The report has the usage that was charged.
        let priced = price().cost(&last.usage, None, last.at);
        assert_eq!(priced.total, picos(spent));
        assert_eq!(last.cost.unwrap().source, source);
        assert_eq!(report.total.bound, u64::from(rule == UnreportedUsage::Reserved));
    }
}

#[test]
fn a_call_without_an_upper_bound_is_charged_by_estimate() {
    let costs = tracker([]);
    let mut plan = CallPlan::new("openai", "m");
    plan.expect(30);
    let sent = || costs.reserve(plan.clone()).unwrap().send();
    drop(sent());
    let usage = Usage { source: crate::UsageSource::EstimatedOutput, ..Usage::reported(80, 3) };
    sent().settle(Bill::new(usage).broken());
    let report = costs.report();
    let charged = report.last.iter().map(|call| call.cost.unwrap());
    let charged: Vec<_> = charged.map(|cost| (cost.total.as_picos(), cost.source)).collect();
    assert_eq!(charged, [(30, CostSource::Estimated), (3_080, CostSource::Estimated)]);
    assert_eq!(report.total.bound, 0);
}

#[test]
fn a_settled_call_is_charged_its_cost_and_the_rest_is_released() {
    let costs = tracker([Budget::total(picos(100_000))]);
    let cost = costs.reserve(plan()).unwrap().send().settle(bill(90, 5)).unwrap();
    assert_eq!((cost.total, cost.source), (picos(5_090), CostSource::Priced));
    assert_eq!(balances(&costs), [(5_090, 0)]);
    // Certainly not billed.
    costs.reserve(plan()).unwrap().send().release();
    assert_eq!(balances(&costs), [(5_090, 0)]);
    assert_eq!(costs.report().total.calls, 1);
}

#[test]
fn a_cost_beyond_the_reservation_is_recorded_in_full() {
    let costs = tracker([Budget::total(picos(60_000))]);
    costs.reserve(plan()).unwrap().send().settle(bill(100, 90));
    let report = costs.report();
    assert_eq!((report.budgets[0].spent, report.budgets[0].left), (picos(90_100), Money::ZERO));
    let error = costs.reserve(plan()).unwrap_err();
    assert_eq!(error.budget().unwrap().spent, picos(90_100));
}

#[test]
fn a_broken_answer_is_charged_its_reserved_output_or_what_arrived() {
    // Whether the caller marks the count as unfinished, or passes what arrived as reported.
    let estimated = Usage { source: crate::UsageSource::EstimatedOutput, ..Usage::reported(80, 3) };
    for usage in [estimated, Usage::reported(80, 3)] {
        for (rule, output) in [
            (UnreportedUsage::Reserved, 50),
            (UnreportedUsage::Received, 12),
            (UnreportedUsage::Estimate, 3),
            (UnreportedUsage::Nothing, 0),
        ] {
            let config = config().unreported_usage(rule).budget(Budget::total(picos(100_000)));
            let costs = config.build().unwrap();
            costs.reserve(plan()).unwrap().send().settle(Bill::new(usage).broken());
            assert_eq!(balances(&costs), [(80 + i128::from(output) * 1_000, 0)], "{rule:?}");
            let report = costs.report();
            let last = &report.last[0];
            let charged = (last.outcome, last.usage.completion_tokens);
            assert_eq!(charged, (CallOutcome::Broken, output), "{rule:?}");
        }
    }
    // Usage that was reported before the break counts as reported.
    let costs = tracker([Budget::total(picos(100_000))]);
    costs.reserve(plan()).unwrap().send().settle(bill(80, 3).cut_off());
    assert_eq!(balances(&costs), [(80 + 3_000, 0)]);
}

#[test]
fn a_panic_between_reserving_and_settling_leaves_nothing_reserved() {
    let costs = tracker([Budget::total(picos(100_000))]);
    let before = costs.clone();
    thread::spawn(move || {
        let _reservation = before.reserve(plan()).unwrap();
        panic!("before it is sent");
    })
    .join()
    .unwrap_err();
    assert_eq!(balances(&costs), [(0, 0)]);
    let after = costs.clone();
    thread::spawn(move || {
        let _charge = after.reserve(plan()).unwrap().send();
        panic!("after it was sent");
    })
    .join()
    .unwrap_err();
    assert_eq!(balances(&costs), [(50_100, 0)]);
}

#[test]
fn the_served_model_and_tier_decide_the_price() {
    let double = Price::per_million(picos(2_000_000), picos(2_000_000_000));
    let tiered = price().service_tier("priority", double.clone());
    let prices = Prices::empty().set("openai", "m", tiered).set("openai", "expensive", double);
    let costs = CostConfig::default().prices(prices).build().unwrap();
    let of = |plan: CallPlan, bill: Bill| {
        costs.reserve(plan).unwrap().send().settle(bill).unwrap().total.as_picos()
    };
    assert_eq!(of(plan(), bill(10, 1)), 1_010);
    assert_eq!(of(plan(), bill(10, 1).served_model("expensive")), 2_020);
    assert_eq!(of(plan(), bill(10, 1).served_model("m-2026-01-01")), 1_010);
    assert_eq!(of(plan(), bill(10, 1).served_model("never heard of")), 1_010);
    assert_eq!(of(plan(), bill(10, 1).service_tier("priority")), 2_020);
    assert_eq!(of(plan().service_tier("priority"), bill(10, 1)), 2_020);
    assert_eq!(of(plan().service_tier("priority"), bill(10, 1).service_tier("default")), 1_010);
    let last = costs.report().last.pop().unwrap();
    assert_eq!((last.served_model.as_str(), last.service_tier.as_deref()), ("m", Some("default")));
}

#[test]
fn every_tier_that_may_serve_the_call_is_reserved_for() {
    let expensive = Price::per_million(picos(2_000_000), picos(2_000_000_000));
    let prices = Prices::empty().set("openai", "m", price().service_tier("priority", expensive));
    let config = CostConfig::default().prices(prices).budget(Budget::total(picos(200_000)));
    let costs = config.build().unwrap();
    // Without a tier, the project's settings decide.
    assert_eq!(costs.reserve(plan()).unwrap().amount(), picos(100_200));
    for (asked, amount) in [("priority", 100_200), ("default", 50_100)] {
        let reservation = costs.reserve(plan().service_tier(asked)).unwrap();
        assert_eq!(reservation.amount(), picos(amount), "{asked}");
    }
}

#[test]
fn a_call_is_charged_in_the_window_in_which_it_began() {
    const NOON: u64 = 1_795_435_200;
    const NEXT_DAY: u64 = NOON + 86_400;
    let watch = Watch::at(NOON);
    let budget = Budget::daily(picos(100_000)).alert_at([40]);
    let costs = config().budget(budget).clock(watch.clock()).build().unwrap();
    let mut events = costs.events();
    let charge = costs.reserve(plan()).unwrap().send();
    watch.set(NEXT_DAY);
    // The new day is unaffected.
    let next = costs.reserve(plan().output_tokens(99)).unwrap();
    assert_eq!(balances(&costs), [(0, 99_100)]);
    drop(next);
    charge.settle(bill(0, 50));
    assert_eq!(balances(&costs), [(0, 0)]);
    watch.set(NOON);
    assert_eq!(balances(&costs), [(50_000, 0)]);
    // And the alert is for the day it was charged in.
    let alert = events.by_ref().take(2).find_map(|event| match event {
        CostEvent::Alert(alert) => Some(alert),
        _ => None,
    });
    let alert = alert.unwrap();
    let time = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    assert_eq!((alert.at, alert.spent), (time(NEXT_DAY), picos(50_000)));
    let (starts, ends) = (NOON - 12 * 3_600, NOON + 12 * 3_600);
    assert_eq!((alert.starts, alert.ends), (Some(time(starts)), Some(time(ends))));
    assert_eq!(alert.projected, None);
}

#[test]
fn the_prices_at_the_start_of_a_call_apply() {
    let watch = Watch::at(1_000);
    let later = UNIX_EPOCH + Duration::from_secs(2_000);
    let expensive = price().since(later, Price::per_million(Money::dollars(1), Money::dollars(1)));
    let config = config().prices(Prices::empty().set("openai", "m", expensive));
    let costs = config.clock(watch.clock()).budget(Budget::total(picos(60_000))).build().unwrap();
    let charge = costs.reserve(plan()).unwrap().send();
    watch.set(3_000);
    assert_eq!(charge.settle(bill(100, 50)).unwrap().total, picos(50_100));
}

#[test]
fn a_running_stream_is_metered_by_what_arrived_under_any_rule() {
    let rules = [
        UnreportedUsage::Reserved,
        UnreportedUsage::Received,
        UnreportedUsage::Estimate,
        UnreportedUsage::Nothing,
    ];
    for rule in rules {
        let config = config().unreported_usage(rule).budget(Budget::per_request(picos(50_100)));
        let costs = config.build().unwrap();
        let charge = costs.reserve(plan()).unwrap().send();
        let meter = charge.meter();
        let came = |output| Usage {
            source: crate::UsageSource::EstimatedOutput,
            ..Usage::reported(100, output)
        };
        // An estimate may be twice too high.
        assert_eq!(meter.passed(&came(101)), None, "{rule:?}");
        assert_eq!(meter.passed(&came(102)), Some(picos(50_100)), "{rule:?}");
        assert_eq!(meter.passed(&Usage::reported(100, 50)), None, "{rule:?}");
        assert_eq!(meter.passed(&Usage::reported(100, 51)), Some(picos(50_100)), "{rule:?}");
    }
    let costs = tracker([Budget::total(picos(50_100))]);
    let meter = costs.reserve(plan()).unwrap().send().meter();
    assert!(!meter.is_limited());
    assert_eq!(meter.passed(&Usage::reported(0, u64::MAX)), None);
}
