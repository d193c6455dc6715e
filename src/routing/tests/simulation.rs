//! The strategies beside round robin and the rules of other routers, over the same calls at the
//! same five targets. To see the figures:
//!
//! ```text
//! cargo test --lib routing::tests::simulation -- --nocapture
//! ```

use super::rules::{By, InOrder, LiteLlm, LiterLlm};
use super::strategies::RoundRobin;
use super::*;

const CALLS: u64 = 10_000;

/// Fifty calls a second.
const GAP: Duration = Duration::from_millis(20);

const CONVERSATIONS: u64 = 200;

/// Five targets, each with a trouble of its own.
fn targets() -> Vec<Simulated> {
    vec![
        // Fails now and then.
        Simulated { failure: |_, random| (random < 0.01).then(server_error), ..plain(1.0) },
        // Fast and dear, and down for 20 of each 120 seconds.
        Simulated {
            latency: |_| MILLISECOND * 150,
            failure: |now, _| ((now.as_secs() / 20) % 6 == 2).then(server_error),
            ..plain(1.1)
        },
        // Ten times slower.
        Simulated { latency: |_| SECOND * 2, ..plain(0.9) },
        // Cheap, and limited to 80 calls in 10 seconds.
        Simulated { limit: Some((80, SECOND * 10)), ..plain(0.8) },
        // Writes much, is cheap in the second half, and times out now and then.
        Simulated {
            latency: |_| MILLISECOND * 250,
            failure: |_, random| {
                (random < 0.002).then(|| Error::timeout(crate::error::Phase::FirstByte))
            },
            rates: |now| if now < SECOND * 100 { (1.0, 0.1, 4.0) } else { (0.4, 0.04, 1.6) },
            output: 800,
            ..Simulated::default()
        },
    ]
}

/// A target with one of these prices, in dollars per million tokens of input.
fn plain(price: f64) -> Simulated {
    let rates = match price {
        0.8 => |_| (0.8, 0.08, 3.2),
        0.9 => |_| (0.9, 0.09, 3.6),
        1.1 => |_| (1.1, 0.11, 4.4),
        _ => |_| (1.0, 0.1, 4.0),
    };
    Simulated { rates, ..Simulated::default() }
}

fn ours(strategy: impl Strategy + 'static) -> Report {
    World::new(targets(), strategy, BreakerConfig::default()).run(CALLS, GAP, CONVERSATIONS)
}

fn theirs(rule: impl rules::Rule + 'static) -> Report {
    World::of_rule(targets(), rule).run(CALLS, GAP, CONVERSATIONS)
}

/// The cheapest single target that could have served every call.
fn best_fixed() -> Report {
    let only = |at: usize| {
        let target = targets().into_iter().nth(at).into_iter().collect();
        World::new(target, Failover, BreakerConfig::default()).run(CALLS, GAP, CONVERSATIONS)
    };
    let able = (0..5).map(only).filter(|report| report.failed == 0);
    able.min_by(|one, other| one.cost.total_cmp(&other.cost)).expect("one never fails")
}

fn print(rows: &mut [(&str, Report)]) {
    println!("{CALLS} calls at five targets, in virtual time");
    println!(
        "{:28} {:>8} {:>8} {:>7} {:>12} {:>6}",
        "", "p50", "p99", "failed", "$/1000", "cached"
    );
    for (name, report) in rows {
        let [p50, p99] = [0.5, 0.99].map(|share| report.quantile(share).as_millis());
        let answered = report.latencies.len() as f64;
        println!(
            "{name:28} {p50:>5} ms {p99:>5} ms {:>7} {:>12.3} {:>4.1} %",
            report.failed,
            report.cost / answered * 1_000.0,
            report.cache_hits as f64 / answered * 100.0,
        );
    }
}

#[test]
fn the_strategies_reach_their_targets_beside_other_routers() {
    let mut rows = [
        ("balanced", ours(Balanced)),
        ("fastest", ours(Fastest::default())),
        ("cheapest", ours(Cheapest)),
        ("sticky", ours(Sticky::default())),
        ("round robin, with failover", ours(RoundRobin::default())),
        ("LiteLLM, simple-shuffle", theirs(LiteLlm::new(5, By::Shuffle))),
        ("LiteLLM, latency-based", theirs(LiteLlm::new(5, By::Latency))),
        ("liter-llm, latency-based", theirs(LiterLlm::new(5))),
        ("liter-llm, cost-based", theirs(InOrder(5))),
        ("the cheapest target alone", best_fixed()),
    ];
    print(&mut rows);
    let [balanced, fastest, cheapest, sticky, round_robin, .., alone] = &mut rows;

    for (name, report) in [&balanced, &fastest, &cheapest, &sticky, &round_robin] {
        assert_eq!((report.failed, report.latencies.len() as u64), (0, CALLS), "{name}");
    }
    let usual = round_robin.1.quantile(0.99);
    for (name, report) in [balanced, fastest] {
        let p99 = report.quantile(0.99);
        assert!(p99 * 2 <= usual, "{name}: p99 {p99:?} beside {usual:?}");
    }
    let (ours, best) = (cheapest.1.cost, alone.1.cost);
    assert!(ours <= best * 1.02, "cheapest: {ours} beside {best}");
    let cached = sticky.1.cache_hits as f64 / CALLS as f64;
    assert!(cached >= 0.95, "sticky: {cached}");
}
