//! By load: the better of two.

use super::{Candidate, EXPLORE, RoutedCall, Strategy, draw};

/// Draws two targets at random, in proportion to their weights, and takes the one with less load:
/// latency × calls in progress, and more if its calls fail.
///
/// The better of two spreads calls nearly as well as the best of all (M. Mitzenmacher, "The Power
/// of Two Choices in Randomized Load Balancing", IEEE Transactions on Parallel and Distributed
/// Systems 12(10), 2001), and threads that choose at the same moment do not all choose the same
/// target. tower's `load::PeakEwma` computes the load in the same way. A target without a
/// measurement is taken to be as fast as the fastest, so it gets calls at once, until its own calls
/// in progress raise its load. One call in a hundred goes to the first of the two, whatever its
/// load, so that a target which has become faster is noticed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Balanced;

impl Strategy for Balanced {
    fn name(&self) -> &str {
        "balanced"
    }

    fn choose(
        &self,
        candidates: &[Candidate<'_>],
        _: &RoutedCall,
        random: &mut dyn FnMut() -> f64,
    ) -> usize {
        let shares = candidates.iter().map(Candidate::share);
        let first = draw(shares.clone(), random);
        if random() < EXPLORE {
            return first;
        }
        let without = shares.enumerate().map(|(at, share)| if at == first { 0.0 } else { share });
        let second = draw(without, random);
        let latencies = candidates.iter().filter_map(|one| one.latency);
        let best = latencies.min().map_or(1.0, |latency| latency.as_secs_f64());
        let load = |at: usize| {
            let one = &candidates[at];
            let latency = one.latency.map_or(best, |latency| latency.as_secs_f64());
            // Calls that take no time have a load, too.
            latency.max(1e-6) * (f64::from(one.in_flight) + 1.0) * one.attempts_per_answer()
        };
        if load(second) < load(first) { second } else { first }
    }
}
