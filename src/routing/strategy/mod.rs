//! How a route chooses among its targets.

mod ascending;
mod balanced;
mod cheapest;
mod failover;
mod fastest;
mod ranked;
mod sticky;
mod weighted;

use std::time::Duration;

use crate::money::Money;
pub(crate) use ascending::Ascending;
pub use balanced::Balanced;
pub use cheapest::Cheapest;
pub use failover::Failover;
pub use fastest::Fastest;
pub(crate) use ranked::Ranked;
pub use sticky::Sticky;
pub use weighted::Weighted;

/// Chooses the target of each attempt among the candidates that can serve it.
///
/// The choice should depend on its arguments alone, so that it can be tested as a table. The
/// client measures the targets, leaves out those that rest or have been tried, and asks again
/// after a failure.
///
/// ```
/// use tollgate::route::{Candidate, RoutedCall, Strategy};
///
/// /// Prefers targets in Europe.
/// struct InEurope;
///
/// impl Strategy for InEurope {
///     fn name(&self) -> &str {
///         "in_europe"
///     }
///
///     fn choose(
///         &self,
///         candidates: &[Candidate<'_>],
///         _call: &RoutedCall,
///         _random: &mut dyn FnMut() -> f64,
///     ) -> usize {
///         let is_european = |one: &Candidate<'_>| one.region.is_some_and(|at| at.starts_with("eu"));
///         candidates.iter().position(is_european).unwrap_or(0)
///     }
/// }
/// ```
pub trait Strategy: Send + Sync {
    /// Its name in explanations, such as `balanced`.
    fn name(&self) -> &str;

    /// Returns the index of the candidate to try next. There is at least one; they are in the
    /// order of the route. An index out of range means the first. `random` returns numbers from 0
    /// up to but not including 1.
    fn choose(
        &self,
        candidates: &[Candidate<'_>],
        call: &RoutedCall,
        random: &mut dyn FnMut() -> f64,
    ) -> usize;

    /// Whether it needs to know what the call would cost at each candidate
    /// ([`Candidate::cost`]). Default: no.
    fn uses_cost(&self) -> bool {
        false
    }

    /// How long calls with the same [key](RoutedCall::key) stay at the target that served the
    /// last one. Default: they do not.
    fn pin(&self) -> Option<Duration> {
        None
    }
}

/// A target that can serve a call.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Candidate<'a> {
    /// Its name in the route.
    pub name: &'a str,
    /// The id of its provider.
    pub provider: &'a str,
    /// The model, under the provider's name.
    pub model: &'a str,
    /// Its region, if the route names one.
    pub region: Option<&'a str>,
    /// Its share of the load among the targets of the route. Default: 1.
    pub weight: f64,
    /// How much of its load it should get now, above 0 and at most 1. Below 1 for a target that
    /// has just returned from a rest.
    pub recovery: f64,
    /// The calls in progress there.
    pub in_flight: u32,
    /// A moving average of its latency that forgets within seconds and jumps up at once: to the
    /// first event for a streamed call, otherwise to the whole answer. `None` without an answer in
    /// the last five minutes.
    pub latency: Option<Duration>,
    /// The mean time to the first event of a stream in the last five minutes.
    pub first_token: Option<Duration>,
    /// The mean output tokens per second in the last five minutes.
    pub tokens_per_second: Option<f64>,
    /// The share of failed calls in the breaker's window, from 0 to 1.
    pub failure_share: f64,
    /// Whether it has answered in the last five minutes.
    pub is_measured: bool,
    /// What this call can be expected to cost, if the strategy [asks for it](Strategy::uses_cost)
    /// and a price is known.
    pub cost: Option<Money>,
    /// Whether calls with the same key stay here.
    pub pinned: bool,
}

/// What a strategy knows of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct RoutedCall {
    /// Whether the answer is streamed.
    pub streamed: bool,
    /// The same for all calls of a conversation: from
    /// [`ChatRequest::routing_key`](crate::ChatRequest::routing_key) if set, otherwise from the
    /// start of the conversation: its instructions and the first message of the user.
    pub key: u64,
}

impl RoutedCall {
    /// Makes a call for the tests of a strategy.
    pub fn new(streamed: bool, key: u64) -> Self {
        Self { streamed, key }
    }
}

impl<'a> Candidate<'a> {
    /// Makes a candidate that nothing has been measured of, for the tests of a strategy.
    pub fn new(provider: &'a str, model: &'a str) -> Self {
        Self {
            name: model,
            provider,
            model,
            region: None,
            weight: 1.0,
            recovery: 1.0,
            in_flight: 0,
            latency: None,
            first_token: None,
            tokens_per_second: None,
            failure_share: 0.0,
            is_measured: false,
            cost: None,
            pinned: false,
        }
    }

    /// Its share of the load now.
    fn share(&self) -> f64 {
        (self.weight * self.recovery).max(0.0)
    }

    /// How many attempts an answer takes here, as far as is known. A target that fails fast has
    /// few calls in progress, and must not look idle because of that.
    fn attempts_per_answer(&self) -> f64 {
        1.0 / (1.0 - self.failure_share).max(0.05)
    }
}

/// The share of calls that find out how a target performs now.
const EXPLORE: f64 = 0.01;

/// Returns an index at random, in proportion to the shares.
fn draw(shares: impl Iterator<Item = f64> + Clone, random: &mut dyn FnMut() -> f64) -> usize {
    let total: f64 = shares.clone().sum();
    let mut left = random() * total;
    let mut last = 0;
    for (at, share) in shares.enumerate().filter(|(_, share)| *share > 0.0) {
        last = at;
        left -= share;
        if left < 0.0 {
            break;
        }
    }
    last
}

/// Returns the index of the lowest score, and of the first of equals.
fn lowest(scores: impl Iterator<Item = f64>) -> usize {
    let mut best = (0, f64::INFINITY);
    for (at, score) in scores.enumerate() {
        if score < best.1 {
            best = (at, score);
        }
    }
    best.0
}

/// Returns the index of the candidate at which the call can be expected to cost least. Those without a
/// known price come last.
fn cheapest(candidates: &[Candidate<'_>]) -> usize {
    lowest(candidates.iter().map(|one| one.cost.map_or(f64::MAX, |cost| cost.as_dollars())))
}

#[cfg(test)]
mod tests;
