//! Tables of choices.

use super::*;

fn call() -> RoutedCall {
    RoutedCall::new(false, 1)
}

fn candidates<'a>(names: &[&'a str]) -> Vec<Candidate<'a>> {
    names.iter().map(|name| Candidate::new("acme", name)).collect()
}

/// How often each candidate is chosen in 10,000 calls.
fn shares(strategy: &dyn Strategy, candidates: &[Candidate<'_>]) -> Vec<f64> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut counts = vec![0.0; candidates.len()];
    for key in 0..10_000 {
        let call = RoutedCall::new(true, key);
        counts[strategy.choose(candidates, &call, &mut || random.f64())] += 1.0 / 10_000.0;
    }
    counts
}

fn is_near(shares: &[f64], expected: &[f64]) {
    for (share, expected) in shares.iter().zip(expected) {
        assert!((share - expected).abs() < 0.02, "{shares:?} are not {expected:?}");
    }
}

#[test]
fn failover_takes_the_first() {
    is_near(&shares(&Failover, &candidates(&["a", "b"])), &[1.0, 0.0]);
}

#[test]
fn weighted_and_sticky_share_by_weight() {
    let mut three = candidates(&["a", "b", "c"]);
    (three[0].weight, three[2].weight) = (3.0, 0.0);
    is_near(&shares(&Weighted, &three), &[0.75, 0.25, 0.0]);
    is_near(&shares(&Sticky::default(), &three), &[0.75, 0.25, 0.0]);
    three[0].recovery = 0.1;
    is_near(&shares(&Weighted, &three), &[0.3 / 1.3, 1.0 / 1.3, 0.0]);
}

#[test]
fn balanced_prefers_the_target_with_less_load() {
    let mut three = candidates(&["a", "b", "c"]);
    three[0].latency = Some(Duration::from_millis(100));
    three[1].latency = Some(Duration::from_secs(1));
    three[2].latency = Some(Duration::from_millis(200));
    // The slowest is never the better of two; the middle one only beside the slowest.
    is_near(&shares(&Balanced, &three), &[2.0 / 3.0, 0.0, 1.0 / 3.0]);
    three[0].in_flight = 99;
    is_near(&shares(&Balanced, &three), &[0.0, 1.0 / 3.0, 2.0 / 3.0]);
    three[1].latency = None;
    three[0].in_flight = 1;
    is_near(&shares(&Balanced, &three)[1..2], &[2.0 / 3.0]);
    is_near(&shares(&Balanced, &candidates(&["a"])), &[1.0]);
}

#[test]
fn fastest_takes_the_fastest_and_looks_at_others_now_and_then() {
    let mut three = candidates(&["a", "b", "c"]);
    for (one, millis) in three.iter_mut().zip([300, 100, 200]) {
        one.first_token = Some(Duration::from_millis(millis));
    }
    is_near(&shares(&Fastest::first_token(), &three), &[0.003, 0.993, 0.003]);
    three[1].recovery = 0.1;
    is_near(&shares(&Fastest::first_token(), &three), &[0.005, 0.0, 0.995]);
    for (one, speed) in three.iter_mut().zip([30.0, 10.0, 20.0]) {
        (one.tokens_per_second, one.recovery) = (Some(speed), 1.0);
    }
    is_near(&shares(&Fastest::tokens_per_second(), &three), &[0.993, 0.003, 0.003]);
}

#[test]
fn fastest_measures_an_unknown_target_with_one_call_at_a_time() {
    let mut two = candidates(&["a", "b"]);
    two[0].latency = Some(Duration::from_millis(1));
    let choose = |two: &[Candidate<'_>]| Fastest::default().choose(two, &call(), &mut || 0.5);
    assert_eq!(choose(&two), 1);
    two[1].in_flight = 1;
    assert_eq!(choose(&two), 0);
}

#[test]
fn cheapest_takes_the_lowest_cost_and_unknown_prices_last() {
    let mut three = candidates(&["a", "b", "c"]);
    (three[1].cost, three[2].cost) = (Some(Money::cents(2)), Some(Money::cents(1)));
    let choose = |some: &[Candidate<'_>], random| Cheapest.choose(some, &call(), &mut || random);
    assert_eq!([1, 2, 3].map(|count| choose(&three[..count], 0.5)), [0, 1, 2]);
    three[2].is_measured = true;
    assert_eq!(choose(&three, 0.01), 1, "one in twenty finds out what the second costs");
    three[1].in_flight = 1;
    assert_eq!(choose(&three, 0.01), 2);
}

#[test]
fn only_the_conversations_of_a_lost_target_move() {
    let four = candidates(&["a", "b", "c", "d"]);
    let strategy = Sticky::default();
    let mut moved = 0;
    for key in 0..1_000 {
        let call = RoutedCall::new(false, key);
        let before = four[strategy.choose(&four, &call, &mut || 0.0)].name;
        let after = four[..3][strategy.choose(&four[..3], &call, &mut || 0.0)].name;
        assert!(before == after || before == "d");
        moved += usize::from(before != after);
    }
    assert!((200..300).contains(&moved), "{moved} of 1,000 moved");
}

#[test]
fn a_pinned_conversation_stays() {
    let mut three = candidates(&["a", "b", "c"]);
    for at in 0..3 {
        three.iter_mut().for_each(|one| one.pinned = false);
        three[at].pinned = true;
        for key in 0..20 {
            let call = RoutedCall::new(false, key);
            assert_eq!(Sticky::default().choose(&three, &call, &mut || 0.0), at);
        }
    }
}
