use super::*;

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
fn adding_is_recording_both() {
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
fn an_empty_one_is_all_zero() {
    let empty = Histogram::default();
    assert_eq!((empty.quantile(0.5), empty.max(), empty.count()), (micros(0), micros(0), 0));
    let mut endless = Histogram::default();
    endless.record(Duration::MAX);
    assert_eq!(endless.quantile(f64::NAN), micros(u64::MAX));
}
