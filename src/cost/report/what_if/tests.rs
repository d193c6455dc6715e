//! Tests of what-if prices against pricing call by call.

use super::*;
use crate::cost::totals::{BORDERS, Totals, TotalsConfig};
use crate::cost::{CallOutcome, CallRecord, CostSource, Prices};
use crate::usage::Usage;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// The prompt size above which input costs $2 instead of $1 per million tokens. Each call costs a
/// cent more.
const BORDER: u64 = 200_000;

fn one(prompt: u64) -> Money {
    many(prompt, 1, prompt)
}

fn many(prompts: u64, calls: u64, size: u64) -> Money {
    let rate = if size > BORDER { 2_000_000 } else { 1_000_000 };
    Money::picos(rate) * prompts + Money::cents(1) * calls
}

fn reprice(class: &UsageClass) -> Cost {
    let Tally { calls, usage, .. } = &class.tally;
    let total = many(usage.prompt_tokens, *calls, class.most_prompt_tokens);
    Cost { total, ..Cost::default() }
}

fn report(borders: &[u64], calls: &[(&str, u64, Option<Money>)]) -> CostReport {
    let config = TotalsConfig { borders: borders.to_vec(), ..TotalsConfig::default() };
    let mut totals = Totals::new(config);
    for (model, prompt, cost) in calls {
        let call = CallRecord {
            at: SystemTime::UNIX_EPOCH,
            provider: "openai".into(),
            model: (*model).into(),
            served_model: String::new(),
            service_tier: None,
            tags: BTreeMap::new(),
            usage: Usage::reported(*prompt, 0),
            cost: cost.map(|total| Cost { total, ..Cost::default() }),
            outcome: CallOutcome::Answered,
        };
        totals.record(call.into());
    }
    totals.report()
}

#[test]
fn the_price_of_a_sum_equals_the_sum_of_single_prices() {
    let mut random = fastrand::Rng::with_seed(11);
    let prompts: Vec<u64> = (0..500)
        .map(|_| random.u64(0..2 * BORDER))
        .chain([BORDER - 1, BORDER, BORDER + 1])
        .collect();
    let calls: Vec<_> = prompts.iter().map(|prompt| ("m", *prompt, Some(Money::ZERO))).collect();
    let found = report(&BORDERS, &calls).what_if("other", &[BORDER], reprice);
    assert!(found.exact);
    assert_eq!(found.would_be, prompts.iter().map(|prompt| one(*prompt)).sum());
    assert_eq!((found.calls, found.rows.len()), (503, 1));
}

/// With real prices that have parts of every kind.
#[test]
fn repricing_a_report_is_exact_to_the_pico_dollar() {
    let text = r#"{"a": {"b": {
        "input": 1.25, "output": 10, "cached_input": 0.125, "cache_write": 1.5,
        "cache_write_1h": 2, "input_audio": 7, "reasoning": 11, "request": 0.003,
        "web_search": 0.01,
        "above": {"1000": {"input": 2.5, "output": 15}, "3000": {"input": 0.7, "output": 1}},
        "service_tiers": {"flex": {"input": 0.5, "output": 5, "cached_input": 0,
            "above": {"2000": {"input": 9, "output": 8}}}}
    }}}"#;
    let prices = Prices::empty().parse(text).unwrap();
    let price = prices.find("a", "b").unwrap();
    let at = SystemTime::UNIX_EPOCH;
    let mut random = fastrand::Rng::with_seed(13);
    let mut totals = Totals::new(TotalsConfig::of(&prices));
    let mut expected = Money::ZERO;
    for number in 0..2_000 {
        let prompt = [random.u64(0..4_000), 1_000, 2_000, 3_001][random.usize(0..4)];
        let usage = Usage {
            cached_tokens: random.u64(0..2_000),
            cache_write_tokens: random.u64(0..2_000),
            cache_write_1h_tokens: random.u64(0..2_000),
            prompt_audio_tokens: random.u64(0..2_000),
            reasoning_tokens: random.u64(0..90),
            web_searches: random.u64(0..2),
            ..Usage::reported(prompt, random.u64(0..60))
        };
        let tier = (number % 2 == 0).then(|| "flex".to_owned());
        expected += price.cost(&usage, tier.as_deref(), at).total;
        let call = CallRecord {
            at,
            provider: "x".into(),
            model: "y".into(),
            served_model: String::new(),
            service_tier: tier,
            tags: BTreeMap::new(),
            usage,
            cost: Some(Cost { source: CostSource::Reported, ..Cost::default() }),
            outcome: CallOutcome::Answered,
        };
        totals.record(call.into());
    }
    let found = totals.report().what_if("b", &price.borders(at), |class| {
        let Tally { calls, usage, .. } = &class.tally;
        let tier = class.service_tier.as_deref();
        price.cost_of(usage, *calls, class.most_prompt_tokens, tier, at)
    });
    assert_eq!((found.would_be, found.exact), (expected, true));
}

#[test]
fn an_unknown_border_makes_a_result_inexact_only_where_it_matters() {
    let some = Some(Money::ZERO);
    for (prompts, exact) in [
        ([BORDER - 5, BORDER], true),
        ([BORDER + 1, BORDER + 5], true),
        ([BORDER, BORDER + 1], false),
    ] {
        let report = report(&[], &prompts.map(|prompt| ("m", prompt, some)));
        let found = report.what_if("other", &[BORDER], reprice);
        assert_eq!(found.exact, exact, "{prompts:?}");
        let size = prompts[1];
        assert_eq!(found.would_be, many(prompts[0] + prompts[1], 2, size), "{prompts:?}");
    }
}

#[test]
fn calls_of_unknown_cost_are_left_out() {
    let calls = [
        ("known", 100_000, Some(Money::dollars(1))),
        ("unknown", 300_000, None),
        ("known", 100_000, Some(Money::dollars(1))),
        ("cheap", 50_000, Some(Money::cents(1))),
    ];
    let found = report(&BORDERS, &calls).what_if("gpt\u{1b}[1m", &[BORDER], reprice);
    assert_eq!((found.calls, found.left_out), (3, 1));
    assert_eq!(found.actual, Money::cents(201));
    assert_eq!(found.would_be, Money::cents(28));
    assert_eq!(found.saved(), Money::cents(173));
    assert_eq!(
        found.to_string(),
        "\
3 calls on gpt\\u{1b}[1m would have cost $0.28 instead of $2.01 (86 % less).
1 call is left out, because its usage or price is not known.

Model                                           Calls         Cost      Would be
openai known                                        2      $2.0000       $0.2200
openai cheap                                        1      $0.0100       $0.0600
openai unknown                                      1      unknown       $0.6100
"
    );
    let stored = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<WhatIf>(&stored).unwrap(), found);
}

#[test]
fn a_change_is_shown_in_percent() {
    for (actual, would_be, expected) in [
        (0, 5, None),
        (200, 20, Some("90 % less")),
        (20, 200, Some("900 % more")),
        (20, 219, Some("995 % more")),
        (20, 220, Some("11 times as much")),
        (20, 330, Some("17 times as much")),
        (1_000, 1_004, Some("the same")),
        (1_000, 1_005, Some("1 % more")),
        (5, 0, Some("100 % less")),
    ] {
        let found = percent(Money::picos(actual), Money::picos(would_be));
        assert_eq!(found.as_deref(), expected, "{actual} → {would_be}");
    }
    assert!(percent(Money::picos(1), Money::MAX).unwrap().ends_with(" times as much"));
}

#[test]
fn an_empty_report_reprices_to_zero() {
    let found = CostReport::default().what_if("other", &[1], reprice);
    assert_eq!(found.to_string(), "0 calls on other would have cost $0.00 instead of $0.00.\n");
}
