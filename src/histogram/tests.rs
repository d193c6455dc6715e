//! Tests of quantiles against exact ones, of addition and of storage.

use super::measure::Scale as _;
use super::*;
use crate::money::Money;

fn micros(value: u64) -> Duration {
    Duration::from_micros(value)
}

#[test]
fn every_value_lies_in_a_bucket_that_ends_at_most_a_32nd_above_it() {
    let mut random = fastrand::Rng::with_seed(1);
    let few = 0..100_000;
    let many = (0..100_000).map(|_| random.u64(..) >> random.u32(0..64));
    for value in few.chain(many).chain([u64::MAX]) {
        let end = greatest(bucket(value));
        assert!(end >= value, "{value}");
        assert!(end - value <= value / DIVISIONS, "{value}: {end}");
    }
    assert!((1..100_000).all(|value| bucket(value) - bucket(value - 1) <= 1));
}

#[test]
fn quantiles_are_close_to_exact_ones() {
    let mut random = fastrand::Rng::with_seed(2);
    let mut exact: Vec<u64> = (0..100_000).map(|_| 1 << random.u32(0..30)).collect();
    for value in &mut exact {
        *value += random.u64(0..*value);
    }
    let mut histogram = Histogram::default();
    exact.iter().for_each(|value| histogram.record(micros(*value)));
    exact.sort_unstable();
    for (share, rank) in [(0.0, 0), (0.5, 49_999), (0.9, 89_999), (0.99, 98_999), (1.0, 99_999)] {
        let (found, true_one) = (histogram.quantile(share), micros(exact[rank]));
        assert!(found >= true_one && found <= true_one + true_one / 32, "{share}");
    }
    assert_eq!(histogram.max(), micros(exact[99_999]));
    assert_eq!(histogram.count(), 100_000);
    assert_eq!(histogram.sum(), micros(exact.iter().sum()));
}

#[test]
fn adding_histograms_equals_recording_all_values() {
    let (mut left, mut right, mut both) =
        (Histogram::default(), Histogram::default(), Histogram::default());
    for value in 0..1000 {
        if value % 3 == 0 { &mut left } else { &mut right }.record(micros(value * value));
        both.record(micros(value * value));
    }
    left.add(&right);
    assert_eq!(left, both);
}

#[test]
fn an_empty_histogram_is_all_zero() {
    let empty = Histogram::default();
    assert_eq!((empty.quantile(0.5), empty.max(), empty.count()), (micros(0), micros(0), 0));
    let mut endless = Histogram::default();
    endless.record(Duration::MAX);
    assert_eq!(endless.quantile(f64::NAN), micros(u64::MAX));
}

#[test]
fn a_million_values_of_any_kind_have_quantiles_within_the_stated_error() {
    let mut random = fastrand::Rng::with_seed(3);
    // Realistic latencies: around a second, with a long tail.
    let mut exact: Vec<u64> = (0..1_000_000)
        .map(|_| {
            let normal = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
            (normal.exp() * 1e3).to_count()
        })
        .collect();
    let mut durations = Histogram::<Duration>::default();
    let mut amounts = Histogram::<Money>::default();
    let mut rates = Histogram::<f64>::default();
    let mut tokens = Histogram::<u64>::default();
    for value in &exact {
        durations.record(micros(*value));
        amounts.record(Money::picos((*value).into()));
        rates.record(*value as f64 / 1e3);
        tokens.record(*value);
    }
    exact.sort_unstable();
    for per_mille in [500_u16, 900, 990, 999] {
        let share = f64::from(per_mille) / 1e3;
        let true_one = exact[usize::from(per_mille) * 1_000 - 1];
        for found in [
            durations.quantile(share).to_count(),
            amounts.quantile(share).to_count(),
            rates.quantile(share).to_count(),
            tokens.quantile(share),
        ] {
            assert!(found >= true_one && found <= true_one + true_one / 32, "{share}: {found}");
        }
    }
    let max = exact[999_999];
    assert_eq!((durations.max(), tokens.max()), (micros(max), max));
    assert_eq!(amounts.sum(), Money::picos(exact.iter().map(|value| i128::from(*value)).sum()));
}

#[test]
fn values_up_to_a_bound_are_counted() {
    let mut tokens = Histogram::<u64>::default();
    for count in [0, 1, 4, 5, 256, 1_024, 1_100, 4_096, 100_000] {
        tokens.record(count);
    }
    for (bound, count) in
        [(1.0, 2), (4.0, 3), (255.0, 4), (256.0, 5), (1_024.0, 6), (4_096.0, 8), (1e9, 9)]
    {
        assert_eq!(tokens.up_to(bound), count, "{bound}");
    }
    let mut times = Histogram::<Duration>::default();
    [9_000, 10_000, 10_500, 20_000].into_iter().for_each(|time| times.record(micros(time)));
    assert_eq!([0.001, 0.01, 0.02, 81.92].map(|bound| times.up_to(bound)), [0, 2, 4, 4]);
    assert_eq!(Histogram::<u64>::default().up_to(1e300), 0);
}

#[test]
fn order_does_not_matter_and_the_stored_form_reads_back() {
    let mut random = fastrand::Rng::with_seed(4);
    let mut values: Vec<u64> = (0..1_000).map(|_| random.u64(..) >> random.u32(0..64)).collect();
    let of = |values: &[u64]| {
        let mut histogram = Histogram::<u64>::default();
        values.iter().for_each(|value| histogram.record(*value));
        histogram
    };
    let first = of(&values);
    random.shuffle(&mut values);
    assert_eq!(of(&values), first);
    let stored = serde_json::to_string(&first).unwrap();
    assert_eq!(serde_json::from_str::<Histogram<u64>>(&stored).unwrap(), first);
    for odd in [
        r#"{"first":18446744073709551615,"buckets":[1],"count":1,"sum":2,"max":1}"#,
        r#"{"first":1900,"buckets":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"count":0,"sum":2,"max":1}"#,
        r#"{"first":0,"buckets":[1,18446744073709551615],"count":0,"sum":2,"max":1}"#,
        r#"{"buckets":[0,2],"count":2,"sum":2,"max":1}"#,
        r#"{"first":0,"buckets":[1,2],"count":4,"sum":2,"max":1}"#,
    ] {
        assert!(serde_json::from_str::<Histogram>(odd).is_err(), "{odd}");
    }
}

#[test]
fn counts_beyond_32_bits_are_kept() {
    let stored = format!(
        r#"{{"first":3,"buckets":[{},0,7],"count":{},"sum":9,"max":5}}"#,
        1_u64 << 40,
        (1_u64 << 40) + 7
    );
    let large: Histogram<u64> = serde_json::from_str(&stored).unwrap();
    assert_eq!(serde_json::to_string(&large).unwrap(), stored);
    assert_eq!((large.quantile(0.5), large.quantile(1.0), large.up_to(4.0)), (3, 5, 1 << 40));
    let mut sum = Histogram::<u64>::default();
    sum.record(1);
    (0..8).for_each(|_| sum.add(&large));
    sum.record(0);
    assert_eq!((sum.count(), sum.up_to(3.0)), ((8 << 40) + 58, (8 << 40) + 2));
    // One more does not fit the lower half.
    let stored = r#"{"first":1,"buckets":[4294967295],"count":4294967295,"sum":0,"max":1}"#;
    let mut full: Histogram<u64> = serde_json::from_str(stored).unwrap();
    full.record(1);
    assert_eq!((full.up_to(1.0), full.quantile(0.5)), (1 << 32, 1));
    full.add(&full.clone());
    assert_eq!(full.up_to(1.0), 2 << 32);
}

#[test]
fn values_outside_the_range_count_as_the_nearest() {
    let mut rates = Histogram::<f64>::default();
    [f64::NAN, -1.0, f64::INFINITY].into_iter().for_each(|rate| rates.record(rate));
    assert_eq!((rates.count(), rates.up_to(0.0)), (3, 2));
    let mut amounts = Histogram::<Money>::default();
    [Money::cents(-1), Money::MAX].into_iter().for_each(|amount| amounts.record(amount));
    assert_eq!(
        (amounts.quantile(0.5), amounts.max()),
        (Money::ZERO, Money::picos(u64::MAX.into()))
    );
}
