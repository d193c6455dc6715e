//! Tests of reading usage.

use super::*;
use serde_json::{Value, json};

fn read(usage: &Value) -> Usage {
    let Object(report) = serde_json::from_value(usage.clone()).unwrap();
    super::read(&report)
}

#[test]
fn every_count_is_read() {
    let usage = read(&json!({
        "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30, "audio_tokens": 4, "image_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 5, "image_tokens": 6, "accepted_prediction_tokens": 0},
    }));
    let expected = Usage {
        cached_tokens: 60,
        cache_write_tokens: 30,
        prompt_audio_tokens: 4,
        reasoning_tokens: 20,
        completion_audio_tokens: 5,
        prompt_image_tokens: 3,
        completion_image_tokens: 6,
        ..Usage::reported(100, 50)
    };
    assert_eq!(usage, expected);
}

#[test]
fn usage_without_counts_is_missing() {
    for nothing in [json!(null), json!({}), json!({"prompt_tokens": null}), json!("12"), json!([])]
    {
        assert_eq!(read(&nothing), Usage::default(), "{nothing}");
    }
}

#[test]
fn zero_or_missing_counts_do_not_replace_earlier_ones() {
    let (input, output) = (UsageSource::EstimatedOutput, UsageSource::EstimatedInput);
    let of = |source, prompt, completion| Usage { source, ..Usage::reported(prompt, completion) };
    let cached = Usage { cached_tokens: 3, reasoning_tokens: 2, ..Usage::reported(9, 5) };
    for (before, now, expected) in [
        (
            cached,
            Usage::reported(10, 6),
            Usage { prompt_tokens: 10, completion_tokens: 6, total_tokens: 16, ..cached },
        ),
        (
            cached,
            Usage { cached_tokens: 4, ..Usage::reported(10, 1) },
            Usage { cached_tokens: 4, reasoning_tokens: 1, ..Usage::reported(10, 1) },
        ),
        (Usage::default(), cached, cached),
        (cached, Usage::default(), cached),
        (Usage::default(), Usage::default(), Usage::default()),
        (cached, Usage::reported(0, 0), cached),
        (cached, of(input, 9, 0), cached),
        (cached, Usage::reported(0, 7), Usage { total_tokens: 16, completion_tokens: 7, ..cached }),
        (of(input, 9, 0), of(output, 0, 5), Usage::reported(9, 5)),
        (Usage::reported(9, 0), Usage::reported(9, 0), Usage::reported(9, 0)),
        (Usage::reported(0, 0), of(input, 9, 0), Usage::reported(9, 0)),
    ] {
        assert_eq!(merged(before, now), expected, "{before:?} {now:?}");
    }
    let bill = |cents| Usage { reported_cost: Some(Money::cents(cents)), ..cached };
    assert_eq!(merged(bill(1), cached), bill(1));
    assert_eq!(merged(bill(1), bill(2)), bill(2));
    assert_eq!(merged(bill(1), bill(0)), bill(1));
}

#[test]
fn nulls_and_missing_totals_are_tolerated() {
    let usage = read(&json!({
        "prompt_tokens": 3, "completion_tokens": null, "prompt_tokens_details": null,
        "completion_tokens_details": {"reasoning_tokens": null},
    }));
    let output_missing = UsageSource::EstimatedOutput;
    assert_eq!(usage, Usage { source: output_missing, ..Usage::reported(3, 0) });
    let huge = read(&json!({"prompt_tokens": u64::MAX, "completion_tokens": u64::MAX}));
    assert_eq!(huge.total_tokens, u64::MAX);
}

#[test]
fn a_missing_count_is_not_zero() {
    use UsageSource::{EstimatedInput, EstimatedOutput, Reported};
    for (usage, input, output, source) in [
        (json!({"prompt_tokens": 1000}), 1000, 0, EstimatedOutput),
        (json!({"prompt_tokens": 1000, "total_tokens": 1000}), 1000, 0, EstimatedOutput),
        (json!({"prompt_tokens": 1000, "completion_tokens": -1}), 1000, 0, EstimatedOutput),
        (json!({"prompt_tokens": 1000, "completion_tokens": 0.5}), 1000, 0, EstimatedOutput),
        (json!({"prompt_tokens": 1000, "total_tokens": 1500}), 1000, 500, Reported),
        (json!({"completion_tokens": 500, "total_tokens": 1500}), 1000, 500, Reported),
        (json!({"completion_tokens": 500}), 0, 500, EstimatedInput),
        (json!({"prompt_tokens": 1000.0, "completion_tokens": 500.0}), 1000, 500, Reported),
    ] {
        let expected = Usage { source, ..Usage::reported(input, output) };
        assert_eq!(read(&usage), expected, "{usage}");
    }
}

#[test]
fn every_spelling_of_cached_tokens_is_read() {
    for usage in [
        json!({"prompt_tokens": 9, "completion_tokens": 1, "prompt_token_details": {"cached_tokens": 7}}),
        json!({"prompt_tokens": 9, "completion_tokens": 1, "num_cached_tokens": 7}),
        json!({"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 7, "prompt_cache_miss_tokens": 2}),
        json!({"prompt_tokens": 9, "completion_tokens": 1, "cached_tokens": 7}),
    ] {
        assert_eq!(read(&usage).cached_tokens, 7, "{usage}");
    }
}

#[test]
fn counts_omitted_from_the_sum_are_added_back() {
    let xai = read(&json!({
        "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 45,
        "completion_tokens_details": {"reasoning_tokens": 30},
    }));
    assert_eq!(xai, Usage { reasoning_tokens: 30, ..Usage::reported(10, 35) });
    let vertex = read(&json!({
        "prompt_tokens": 2181, "completion_tokens": 57, "total_tokens": 2518,
        "reasoning_tokens": 280,
    }));
    assert_eq!(vertex, Usage { reasoning_tokens: 280, ..Usage::reported(2181, 337) });
    let mistral = read(&json!({
        "prompt_tokens": 9, "completion_tokens": 248, "total_tokens": 632,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 375},
    }));
    assert_eq!(mistral, Usage { prompt_audio_tokens: 375, ..Usage::reported(384, 248) });
    let cached = read(&json!({
        "prompt_tokens": 4, "completion_tokens": 5, "total_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 100},
    }));
    assert_eq!(cached, Usage { cached_tokens: 100, ..Usage::reported(104, 5) });
    // Unexplained tokens count as reasoning; a total that is too small is ignored.
    for (total, output) in [(9, 8), (2, 1), (1, 1)] {
        let usage =
            read(&json!({"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": total}));
        assert_eq!(usage, Usage::reported(1, output), "{total}");
    }
}

#[test]
fn the_providers_own_cost_is_read_exactly() {
    let cost = |mut usage: Value| {
        usage["prompt_tokens"] = json!(1);
        read(&usage).reported_cost.map(|cost| cost.to_string())
    };
    for (usage, shown) in [
        (json!({"cost": 0.00014}), Some("$0.00014")),
        (json!({"cost": 1.2e-7}), Some("$0.00000012")),
        (json!({"cost": 0}), Some("$0.00")),
        (json!({"cost": 0.95, "cost_details": {"upstream_inference_cost": 19}}), Some("$0.95")),
        (
            json!({"cost": 0.95, "is_byok": true, "cost_details": {"upstream_inference_cost": 19}}),
            Some("$19.95"),
        ),
        (json!({"cost": 0.95, "is_byok": true, "cost_details": null}), None),
        (json!({"cost": 0.95, "is_byok": false}), Some("$0.95")),
        (json!({"cost_in_usd_ticks": 37_756_000}), Some("$0.0037756")),
        (json!({"cost_in_usd_ticks": 1}), Some("$0.0000000001")),
        (json!({"cost_in_usd_ticks": u64::MAX}), Some("$1844674407.3709551615")),
        (json!({"cost_in_usd_ticks": -1}), None),
        (json!({"cost": -0.5}), None),
        (json!({"cost": 1e300}), None),
        (json!({"cost": "0.5"}), None),
        (json!({"cost": {"input_tokens_cost": 0.25, "total_cost": 1}}), Some("$1.00")),
        (json!({"cost": {"total_cost": "1"}}), None),
        (json!({"cost": [1]}), None),
        (json!({"estimated_cost": 0.0000268}), Some("$0.0000268")),
        (json!({}), None),
    ] {
        assert_eq!(cost(usage.clone()).as_deref(), shown, "{usage}");
    }
}
