//! The strategies beside simpler rules, over the same calls.

use std::sync::Mutex;

use super::*;

/// One target after the other.
#[derive(Default)]
pub(super) struct RoundRobin(Mutex<usize>);

impl Strategy for RoundRobin {
    fn name(&self) -> &str {
        "round_robin"
    }

    fn choose(&self, all: &[Candidate<'_>], _: &RoutedCall, _: &mut dyn FnMut() -> f64) -> usize {
        let mut next = self.0.lock().unwrap();
        *next = next.wrapping_add(1);
        *next % all.len()
    }
}

/// One of five is ten times slower.
fn one_slow() -> Vec<Simulated> {
    let slow = Simulated { latency: |_| SECOND * 2, ..Simulated::default() };
    let mut targets: Vec<_> = (0..4).map(|_| Simulated::default()).collect();
    targets.insert(2, slow);
    targets
}

fn run(targets: Vec<Simulated>, strategy: impl Strategy + 'static) -> Report {
    World::new(targets, strategy, BreakerConfig::default()).run(10_000, MILLISECOND * 20, 200)
}

#[test]
fn a_slow_target_hardly_slows_the_calls_down() {
    let mut usual = run(one_slow(), RoundRobin::default());
    for mut report in [run(one_slow(), Balanced), run(one_slow(), Fastest::first_token())] {
        let (ours, theirs) = (report.quantile(0.95), usual.quantile(0.95));
        assert!(ours * 2 <= theirs, "p95 {ours:?} beside {theirs:?}");
        let (ours, theirs) = (report.quantile(0.5), usual.quantile(0.5));
        assert!(ours <= theirs.mul_f64(1.05), "p50 {ours:?} beside {theirs:?}");
    }
    let (mut balanced, p99) = (run(one_slow(), Balanced), usual.quantile(0.99));
    let ours = balanced.quantile(0.99);
    assert!(ours * 2 <= p99, "p99 {ours:?} beside {p99:?}");
}

#[test]
fn the_cheapest_comes_near_the_best_choice_in_hindsight() {
    // The second has the lowest price, but writes four times as much.
    let targets = || {
        vec![
            Simulated { rates: |_| (1.0, 0.1, 4.0), output: 200, ..Simulated::default() },
            Simulated { rates: |_| (0.8, 0.1, 3.0), output: 800, ..Simulated::default() },
            Simulated { rates: |_| (2.0, 0.2, 8.0), output: 300, ..Simulated::default() },
        ]
    };
    let ours = run(targets(), Cheapest).cost;
    let best = (0..3)
        .map(|only| {
            let target = targets().into_iter().nth(only).into_iter().collect();
            run(target, Failover).cost
        })
        .fold(f64::INFINITY, f64::min);
    assert!(ours <= best * 1.02, "{ours} beside {best}");
}

#[test]
fn sticky_finds_its_prompts_in_the_cache() {
    let report = run((0..5).map(|_| Simulated::default()).collect(), Sticky::default());
    let share = report.cache_hits as f64 / 10_000.0;
    // The first call of each of the 200 conversations is a miss.
    assert!(share >= 0.95, "{share}");
    let usual = run((0..5).map(|_| Simulated::default()).collect(), RoundRobin::default());
    assert!(usual.cache_hits < report.cache_hits);
}

#[test]
fn sticky_conversations_return_to_the_cache_after_an_outage() {
    let mut targets: Vec<_> = (0..5).map(|_| Simulated::default()).collect();
    targets[0].failure = |now, _| (now.as_secs() / 40 == 1).then(server_error);
    let report = run(targets, Sticky::default());
    assert_eq!(report.failed, 0);
    let share = report.cache_hits as f64 / 10_000.0;
    assert!(share >= 0.94, "{share}");
}
