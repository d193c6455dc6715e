//! Tests of the running totals: their rows, bounds and sums.

use super::*;
use crate::chat::UsageSource;
use crate::cost::{CallOutcome, CallRecord, Cost, CostSource, Money, Price, Prices};
use std::time::{Duration, UNIX_EPOCH};

/// 2026-11-23T00:00:00Z.
const DAY: u64 = 20_780 * 86_400;

fn call(model: &str, prompt: u64, cents: Option<i64>) -> CallRecord {
    CallRecord {
        at: UNIX_EPOCH + Duration::from_secs(DAY),
        provider: "openai".into(),
        model: model.into(),
        served_model: String::new(),
        service_tier: None,
        tags: BTreeMap::new(),
        usage: Usage::reported(prompt, 1),
        cost: cents.map(|cents| Cost { total: Money::cents(cents), ..Cost::default() }),
        outcome: CallOutcome::Answered,
    }
}

fn tagged(tags: &[(&str, &str)], cents: i64) -> CallRecord {
    let tags = tags.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    CallRecord { tags, ..call("m", 1, Some(cents)) }
}

fn small(max_rows: usize) -> Totals {
    Totals::new(TotalsConfig { max_rows, last: 3, ..TotalsConfig::default() })
}

fn keys(rows: &[Row]) -> Vec<(&str, u64)> {
    rows.iter().map(|row| (row.key.as_str(), row.tally.calls)).collect()
}

fn report_of(mut totals: Totals, calls: impl IntoIterator<Item = CallRecord>) -> CostReport {
    calls.into_iter().for_each(|call| totals.record(call.into()));
    totals.report()
}

#[test]
fn rows_are_sorted_by_cost_with_the_rest_last() {
    let calls = [
        call("cheap", 1, Some(1)),
        call("expensive", 1, Some(5)),
        call("late", 1, Some(90)),
        call("expensive", 1, Some(5)),
        call("later", 1, None),
    ];
    let report = report_of(small(2), calls);
    assert_eq!(keys(&report.by_model), [("expensive", 2), ("cheap", 1), (OTHER, 2)]);
    assert_eq!(report.by_model[0].provider.as_deref(), Some("openai"));
    assert_eq!(report.by_model[2].tally.unpriced, 1);
    assert_eq!(keys(&report.by_provider), [("openai", 5)]);
    assert_eq!(report.total.cost.total, Money::cents(101));
}

#[test]
fn the_same_model_at_two_providers_has_two_rows() {
    let other = CallRecord { provider: "azure".into(), ..call("m", 1, Some(3)) };
    let report = report_of(small(9), [call("m", 1, Some(1)), other]);
    let providers: Vec<_> = report.by_model.iter().map(|row| row.provider.as_deref()).collect();
    assert_eq!(providers, [Some("azure"), Some("openai")]);
}

#[test]
fn calls_without_a_tag_have_their_own_row() {
    let calls = [
        tagged(&[], 1),
        tagged(&[("customer", "acme")], 2),
        tagged(&[("customer", "b"), ("team", "x")], 7),
        tagged(&[("team", "x")], 1),
        tagged(&[("customer", "c")], 1),
    ];
    let report = report_of(small(2), calls);
    let customers = &report.by_tag["customer"];
    assert_eq!(keys(customers), [("b", 1), ("acme", 1), (NONE, 2), (OTHER, 1)]);
    assert_eq!(keys(&report.by_tag["team"]), [("x", 2), (NONE, 3)]);
}

#[test]
fn tag_names_beyond_the_limit_count_once_per_call() {
    let mut totals = small(5);
    for number in 0..TAGS + 4 {
        totals.record(tagged(&[(&format!("t{number:02}"), "v")], 1).into());
    }
    let many: Vec<String> = (0..99).map(|number| format!("z{number}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "v")).collect();
    totals.record(tagged(&many, 1).into());
    let report = totals.report();
    assert_eq!(report.by_tag.len(), TAGS + 1);
    assert_eq!(keys(&report.by_tag[OTHER]), [(OTHER, 5), (NONE, TAGS as u64)]);
    assert_eq!(report.last.last().unwrap().tags.len(), TAGS);
}

#[test]
fn the_latest_days_have_rows_in_whatever_order_calls_arrive() {
    let on = |day: u64| CallRecord {
        at: UNIX_EPOCH + Duration::from_secs(DAY + day * 86_400 + 3_600 * 23),
        ..call("m", 1, Some(1))
    };
    let report = report_of(small(2), [on(3), on(1), on(0), on(4), on(4), on(3)]);
    assert_eq!(keys(&report.by_day), [(OTHER, 2), ("2026-11-26", 2), ("2026-11-27", 2)]);
    assert_eq!(report.since, Some(on(0).at));
}

#[test]
fn only_the_most_recent_calls_are_kept() {
    let report = report_of(small(9), ["a", "b", "c", "d"].map(|model| call(model, 1, None)));
    let last: Vec<&str> = report.last.iter().map(|call| call.model.as_str()).collect();
    assert_eq!(last, ["b", "c", "d"]);
    let none = Totals::new(TotalsConfig { last: 0, ..TotalsConfig::default() });
    assert!(report_of(none, [call("a", 1, None)]).last.is_empty());
}

#[test]
fn long_names_are_cut() {
    let long = "ü".repeat(1_000_000);
    let mut record = tagged(&[(&long, &long)], 1);
    (record.model, record.service_tier) = (format!("x{long}"), Some(long));
    let report = report_of(small(9), [record]);
    let longest = serde_json::to_string(&report).unwrap().len();
    assert!(longest < 20_000, "{longest}");
    assert_eq!(report.by_model[0].key, format!("x{}", "ü".repeat(127)));
}

#[test]
fn usage_is_summed_separately_on_each_side_of_a_border() {
    let expensive = Price::free().above(20, Price::free()).above(10, Price::free());
    let prices = Prices::empty().set("a", "b", expensive.clone()).set("a", "c", expensive);
    let config = TotalsConfig::of(&prices);
    let mut calls: Vec<CallRecord> =
        [0, 10, 11, 20, 21, 99].map(|prompt| call("m", prompt, Some(1))).into();
    calls.push(call("m", 5, None));
    calls.push(CallRecord { service_tier: Some("flex".into()), ..call("m", 5, Some(1)) });
    let report = report_of(Totals::new(config), calls);
    let found: Vec<_> = report
        .usage_classes
        .iter()
        .map(|class| {
            let size = (class.least_prompt_tokens, class.most_prompt_tokens);
            (class.service_tier.as_deref(), class.comparable, size, class.tally.calls)
        })
        .collect();
    assert_eq!(
        found,
        [
            (None, false, (5, 5), 1),
            (None, true, (0, 10), 2),
            (None, true, (11, 20), 2),
            (None, true, (21, 99), 2),
            (Some("flex"), true, (5, 5), 1),
        ]
    );
}

#[test]
fn every_size_at_which_a_built_in_price_changes_is_a_border() {
    let prices = Prices::builtin();
    for provider in Prices::providers() {
        for model in prices.models(provider) {
            let price = prices.find(provider, model).unwrap();
            let unknown = price.all_borders().find(|border| !BORDERS.contains(border));
            assert_eq!(unknown, None, "{provider} {model}");
        }
    }
    let above = Price::free().above(7, Price::free());
    let set = prices.set("a", "b", Price::free().service_tier("flex", above));
    assert_eq!(set.custom_borders().collect::<Vec<_>>(), [7]);
}

#[test]
fn classes_beyond_the_limit_keep_their_prompt_size() {
    let models = (0..50)
        .flat_map(|model| [5, 300_000].map(|prompt| call(&format!("m{model}"), prompt, Some(1))));
    let report = report_of(small(10), models);
    assert_eq!(report.usage_classes.len(), 12);
    let others: Vec<_> = report.usage_classes.iter().filter(|class| class.model == OTHER).collect();
    let sizes: Vec<_> = others.iter().map(|class| class.most_prompt_tokens).collect();
    assert_eq!(sizes, [5, 300_000]);
    let calls: u64 = report.usage_classes.iter().map(|class| class.tally.calls).sum();
    assert_eq!(calls, 100);
}

#[test]
fn excess_parts_of_one_prompt_do_not_fill_another() {
    let mut cached_audio = call("m", 100, Some(1));
    cached_audio.usage.cached_tokens = 80;
    cached_audio.usage.prompt_audio_tokens = 50;
    let report = report_of(small(9), [cached_audio, call("m", 100, Some(1))]);
    let usage = report.usage_classes[0].tally.usage;
    assert_eq!((usage.prompt_tokens, usage.cached_tokens), (200, 80));
    assert_eq!(usage.prompt_audio_tokens, 20);
    assert_eq!(report.total.usage.prompt_audio_tokens, 50);
}

/// All tables, over calls of every kind, below and above the limits.
#[test]
fn every_table_adds_up_to_the_total() {
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..60 {
        let config = TotalsConfig {
            last: random.usize(0..5),
            max_rows: [0, 1, 3, 1_000][round % 4],
            ..TotalsConfig::default()
        };
        let (most, kept) = (config.max_rows, config.last);
        let mut totals = Totals::new(config);
        let calls = random.u64(0..200);
        for _ in 0..calls {
            totals.record(random_call(&mut random).into());
        }
        let report = totals.report();
        assert_eq!(report.total.calls, calls);
        let mut tables = vec![&report.by_model, &report.by_provider, &report.by_day];
        tables.extend(report.by_tag.values());
        for table in tables {
            let sum: Tally = table.iter().map(|row| &row.tally).sum();
            assert_eq!(sum, report.total, "{table:?}");
            assert!(table.len() <= most + 2);
        }
        let classes = report.usage_classes.iter();
        let cost: Money = classes.clone().map(|class| class.tally.cost.total).sum();
        let prompts: u64 = classes.clone().map(|class| class.tally.usage.prompt_tokens).sum();
        assert_eq!(cost, report.total.cost.total);
        assert_eq!(prompts, report.total.usage.prompt_tokens);
        assert!(classes.len() <= most + 2 * (BORDERS.len() + 1));
        assert!(report.by_tag.len() <= TAGS + 1 && report.last.len() <= kept);

        let stored: CostReport = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(stored, report);
    }
}

fn random_call(random: &mut fastrand::Rng) -> CallRecord {
    let name = |random: &mut fastrand::Rng, many: u32| format!("n{}", random.u32(0..many));
    let tags = random.usize(0..4);
    let source = [UsageSource::Reported, UsageSource::Estimated, UsageSource::Missing];
    let usage = Usage {
        cached_tokens: random.u64(0..900),
        web_searches: random.u64(0..3),
        reported_cost: random.bool().then(|| Money::picos(random.i128(0..9))),
        source: source[random.usize(0..3)],
        ..Usage::reported(random.u64(0..600_000), random.u64(0..1_000))
    };
    let sources =
        [CostSource::Priced, CostSource::Reported, CostSource::Bound, CostSource::Estimated];
    let cost = Cost {
        total: Money::picos(random.i128(0..1_000_000)),
        output: Money::picos(random.i128(0..1_000)),
        source: sources[random.usize(0..4)],
        ..Cost::default()
    };
    CallRecord {
        // To the millisecond, as it is stored.
        at: UNIX_EPOCH + Duration::from_millis(random.u64(0..50 * 86_400_000)),
        provider: name(random, 3),
        model: name(random, 20),
        served_model: String::new(),
        service_tier: random.bool().then(|| name(random, 2)),
        tags: (0..tags).map(|_| (name(random, 50), name(random, 9))).collect(),
        usage,
        cost: (random.u32(0..5) > 0).then_some(cost),
        outcome: CallOutcome::Answered,
    }
}

#[test]
fn calls_count_the_same_alone_and_in_a_streak() {
    let mut random = fastrand::Rng::with_seed(31);
    for _ in 0..200 {
        let (mut streaks, mut alone) = (small(3), small(3));
        let kinds: Vec<KeptRecord> = (0..3).map(|_| random_call(&mut random).into()).collect();
        for _ in 0..random.usize(..60) {
            let mut call = random.choice(&kinds).expect("there are three").clone();
            let CallRecord { usage, cost, .. } = random_call(&mut random);
            (call.usage, call.cost) = (usage, cost);
            alone.record(call.clone());
            alone.report();
            // Several in a row count in the same rows now and then.
            streaks.record(call);
        }
        assert_eq!(streaks.report(), alone.report());
    }
}
