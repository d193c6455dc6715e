//! Reserving and refusing.

use super::*;

#[test]
fn without_budgets_nothing_is_reserved_and_every_call_is_counted() {
    let costs = tracker([]);
    let reservation = costs.reserve(plan().output_tokens(u64::MAX)).unwrap();
    assert_eq!((reservation.amount(), reservation.output_tokens()), (Money::ZERO, u64::MAX));
    reservation.send().settle(bill(10, 1));
    let report = costs.report();
    assert_eq!((report.total.cost.total, report.budgets.len()), (picos(1_010), 0));
}

#[test]
fn all_budgets_reserve_for_a_call_or_none_does() {
    let costs = tracker([
        Budget::total(picos(100_000)),
        Budget::daily(picos(60_000)).per_tag("customer"),
        Budget::monthly(picos(1)).model("another"),
        Budget::total(picos(1)).name("soft").soft(),
    ]);
    let of = |customer: &str| plan().tag("customer", customer);
    let first = costs.reserve(of("acme")).unwrap();
    let report = costs.report();
    let held: Vec<_> = report
        .budgets
        .iter()
        .map(|held| (held.account.as_str(), held.reserved.as_picos()))
        .collect();
    assert_eq!(held, [("", 50_100), ("customer=acme", 50_100), ("", 0), ("", 50_100)]);
    // The customer's own account is used up, and the other one reserves nothing.
    let error = costs.reserve(of("acme").output_tokens(10)).unwrap_err();
    let refusal = error.budget().unwrap();
    assert_eq!(
        (refusal.budget.as_str(), refusal.account.as_str()),
        ("daily customer", "customer=acme")
    );
    assert_eq!(refusal.reserved, picos(50_100));
    assert!(refusal.ends.is_some());
    assert_eq!(costs.report().budgets[0].reserved, picos(50_100));
    // For another customer, the shared account is used up.
    let error = costs.reserve(of("bolt")).unwrap_err();
    assert_eq!(error.budget().unwrap().budget, "total");
    drop(first);
    costs.reserve(of("bolt")).unwrap().send().settle(bill(0, 1));
    assert_eq!(costs.report().refused, 2);
}

#[test]
fn the_output_limit_is_lowered_to_what_is_left() {
    let costs = tracker([Budget::total(picos(100_000))]);
    let _other = costs.reserve(plan()).unwrap();
    let lowered = costs.reserve(plan().output_tokens(1_000).min_output_tokens(20)).unwrap();
    // 49,900 are left, 100 of them for the input.
    assert_eq!((lowered.amount(), lowered.output_tokens()), (picos(49_900), 49));
    drop(lowered);
    let error = costs.reserve(plan().output_tokens(1_000).min_output_tokens(50)).unwrap_err();
    assert_eq!(error.budget().unwrap().needed, picos(50_100));
    assert!(costs.reserve(plan().output_tokens(50)).is_err(), "not lowered unless allowed");
    // A request for less than the minimum is not refused for that.
    assert_eq!(
        costs.reserve(plan().output_tokens(30).min_output_tokens(50)).unwrap().output_tokens(),
        30
    );
}

#[test]
fn a_refusal_says_for_how_many_tokens_and_what_would_help() {
    let costs = tracker([Budget::total(picos(50_000_000))]);
    let large = || plan().output_tokens(70_000);
    for (plan, end) in [
        (
            large(),
            "(for up to 100 input tokens, and 70000 output tokens; a lower max_output_tokens \
             needs less)",
        ),
        (
            large().min_output_tokens(60_000),
            "(for up to 100 input tokens, and as few as 60000 output tokens)",
        ),
    ] {
        let error = costs.reserve(plan).unwrap_err();
        assert!(error.message().ends_with(end), "{error}");
    }
}

#[test]
fn a_per_request_limit_lowers_the_output_or_refuses() {
    let limits = [
        Budget::per_request(picos(20_100)),
        Budget::per_request(picos(90_000)).name("more"),
        Budget::per_request(picos(1)).name("soft").soft(),
        Budget::per_request(picos(1)).model("another"),
    ];
    let costs = tracker(limits);
    let lowered = costs.reserve(plan().min_output_tokens(5)).unwrap();
    assert_eq!((lowered.amount(), lowered.output_tokens()), (Money::ZERO, 20));
    let error = costs.reserve(plan()).unwrap_err();
    let refusal = error.budget().unwrap();
    assert_eq!((refusal.limit, refusal.needed), (picos(20_100), picos(50_100)));
    assert_eq!((refusal.spent, refusal.ends), (Money::ZERO, None));
    assert_eq!(costs.report().refused, 1);
    // Together with a budget that has less left.
    let costs = tracker([Budget::per_request(picos(20_100)), Budget::total(picos(10_100))]);
    let lowered = costs.reserve(plan().min_output_tokens(5)).unwrap();
    assert_eq!((lowered.amount(), lowered.output_tokens()), (picos(10_100), 10));
}

#[test]
fn an_unknown_model_is_refused_only_if_there_are_budgets() {
    let new = || CallPlan::new("openai", "new").output_tokens(50);
    let costs = tracker([Budget::total(picos(100_000))]);
    let error = costs.reserve(new()).unwrap_err();
    assert_eq!((error.kind(), error.budget()), (ErrorKind::CostUnknown, None));
    assert_eq!(
        error.message(),
        "no price is known for model \"new\" of \"openai\", and a budget needs one; set one with \
         Prices::set, or change CostConfig::unknown_model"
    );
    let gemini = CallPlan::new("gemini-openai", "new").output_tokens(50);
    let message = costs.reserve(gemini).unwrap_err().message().to_owned();
    let expected = "model \"new\" of \"gemini-openai\" (\"google\" in the price table)";
    assert!(message.contains(expected), "{message}");
    assert_eq!(costs.report().refused, 2);
    let costs = tracker([]);
    assert_eq!(costs.reserve(new()).unwrap().send().settle(bill(1, 1)), None);
    let total = costs.report().total;
    assert_eq!((total.calls, total.unpriced, total.usage.prompt_tokens), (1, 1, 1));
}

#[test]
fn a_request_without_an_upper_bound_is_refused_and_counted() {
    let unbounded = |_: &ModelLimits<'_>| Err(Unbounded::Input("a file by its id".into()));
    let costs = tracker([Budget::total(picos(100_000))]);
    let error = costs.measure(&mut super::plan(), Some(256), unbounded).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CostUnknown, "{error}");
    assert_eq!(costs.report().refused, 1);
    // A soft budget lets it pass and reserves nothing.
    let costs = tracker([Budget::total(picos(1)).soft()]);
    let mut plan = CallPlan::new("openai", "m");
    costs.measure(&mut plan, None, unbounded).unwrap();
    assert_eq!(costs.reserve(plan).unwrap().amount(), Money::ZERO);
    // If no budget applies, nothing is measured.
    let costs = tracker([Budget::total(picos(100_000)).model("another")]);
    costs.measure(&mut super::plan(), Some(256), unbounded).unwrap();
}

#[test]
fn an_unknown_model_is_handled_as_configured() {
    let new = || CallPlan::new("openai", "new").input_tokens(100).output_tokens(50);
    let with = |policy: UnknownModel| {
        let config = config().budget(Budget::total(picos(100_000))).unknown_model(policy);
        config.build().unwrap()
    };
    let costs = with(UnknownModel::Assume(Arc::new(price())));
    let reservation = costs.reserve(new()).unwrap();
    assert_eq!(reservation.amount(), picos(50_100));
    assert_eq!(reservation.send().settle(bill(100, 1)).unwrap().total, picos(1_100));

    let costs = with(UnknownModel::Allow);
    let reservation = costs.reserve(new()).unwrap();
    assert_eq!((reservation.amount(), reservation.output_tokens()), (Money::ZERO, 50));
    drop(reservation.send());
    assert_eq!((balances(&costs), costs.report().total.unpriced), (vec![(0, 0)], 1));

    // The provider's own bill is recorded, and so is the price of the model that served the call.
    let reported_cost = Some(picos(7));
    let billed = Bill::new(Usage { reported_cost, ..Usage::reported(10, 1) });
    assert_eq!(costs.reserve(new()).unwrap().send().settle(billed).unwrap().total, picos(7));
    assert_eq!(balances(&costs), [(7, 0)]);
    costs.reserve(new()).unwrap().send().settle(bill(10, 1).served_model("m"));
    assert_eq!(balances(&costs), [(1_017, 0)]);

    let refusing = config().unknown_model(UnknownModel::Refuse).build().unwrap();
    assert!(refusing.reserve(new()).is_err());
    assert!(refusing.track(new(), bill(1, 1)).is_err());
    assert_eq!(refusing.report().total.unpriced, 1, "it was made, so it is counted");
}

#[test]
fn tracked_usage_is_charged_to_budgets_and_never_refused() {
    let costs = tracker([Budget::total(picos(1_000)).name("all"), Budget::per_request(picos(1))]);
    let usage = Usage::reported(10, 5);
    let cost = costs.track_usage("openai", "m", &usage).unwrap().unwrap();
    assert_eq!(cost.total, picos(5_010));
    assert_eq!(balances(&costs), [(5_010, 0)]);
    assert_eq!(costs.report().last[0].outcome, CallOutcome::Tracked);
    assert!(costs.reserve(plan()).is_err());
    let tagged = plan().tag("customer", "acme").service_tier("batch");
    costs.track(tagged, bill(1, 1).served_model("m-2026-01-01")).unwrap();
    let last = costs.report().last.pop().unwrap();
    assert_eq!(
        (last.served_model.as_str(), last.tags["customer"].as_str()),
        ("m-2026-01-01", "acme")
    );
}

#[test]
fn days_and_months_begin_by_the_budgets_clock() {
    // 2026-11-30 22:30 UTC.
    let watch = Watch::at(1_796_077_800);
    let east: UtcOffset = "+02:00".parse().unwrap();
    let budgets = [
        Budget::daily(picos(60_000)),
        Budget::monthly(picos(60_000)),
        Budget::monthly(picos(60_000)).name("east").utc_offset(east),
    ];
    let costs = config().budgets(budgets).clock(watch.clock()).build().unwrap();
    costs.reserve(plan()).unwrap().send().settle(bill(0, 50));
    assert_eq!(balances(&costs), [(50_000, 0); 3]);
    assert!(costs.reserve(plan()).is_err());
    // After midnight in UTC: the UTC day and month are new, the other month is not.
    watch.set(1_796_077_800 + 2 * 3_600);
    assert_eq!(balances(&costs), [(0, 0), (0, 0), (50_000, 0)]);
    let error = costs.reserve(plan()).unwrap_err();
    assert_eq!(error.budget().unwrap().budget, "east");
}

#[test]
fn a_plan_without_limits_is_refused_under_a_hard_budget() {
    for budget in [Budget::total(picos(100_000)), Budget::per_request(picos(100_000))] {
        let new = || CallPlan::new("openai", "m");
        let costs = tracker([budget.clone()]);
        for (plan, missing) in [
            (new(), "CallPlan::input_tokens"),
            (new().output_tokens(1), "CallPlan::input_tokens"),
            (new().input_tokens(1), "CallPlan::output_tokens"),
        ] {
            let error = costs.reserve(plan).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CostUnknown);
            assert!(error.message().contains(missing), "{error}");
        }
        assert_eq!(costs.report().refused, 3);
        drop(costs.reserve(new().input_tokens(0).output_tokens(0)).unwrap());
        drop(tracker([budget.clone().soft()]).reserve(new()).unwrap());
        drop(tracker([budget.model("another")]).reserve(new()).unwrap());
    }
}

#[test]
fn a_refused_retry_is_not_counted_as_a_refused_call() {
    let costs = tracker([Budget::total(picos(60_000))]);
    let mut events = costs.events();
    let first = costs.reserve(plan()).unwrap();
    let again = first.again();
    drop(first.send());
    while events.try_next().is_some() {}
    let error = costs.reserve_again(&again).unwrap_err();
    assert_eq!(error.budget().unwrap().spent, picos(50_100));
    assert!(matches!(events.try_next(), Some(CostEvent::Refused(_))));
    assert_eq!(costs.report().refused, 0);
    costs.reserve(plan()).unwrap_err();
    assert_eq!(costs.report().refused, 1);
}

#[test]
fn a_retry_reserves_the_output_limit_that_was_sent() {
    let costs = tracker([Budget::total(picos(60_000))]);
    let busy = costs.reserve(plan().output_tokens(30)).unwrap();
    let first = costs.reserve(plan().min_output_tokens(10)).unwrap();
    let (limit, again) = (first.output_tokens(), first.again());
    assert_eq!(limit, 29);
    drop((busy, first));
    let second = costs.reserve_again(&again).unwrap();
    assert_eq!((second.output_tokens(), second.amount()), (limit, picos(29_100)));
    let third = costs.reserve_again(&again).unwrap();
    // One token would fit, but the limit has gone to the provider.
    costs.reserve_again(&again).unwrap_err();
    drop(costs.reserve(plan().min_output_tokens(1)).unwrap());
    drop((second, third));
}
