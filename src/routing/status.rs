//! The state of a target, for people and dashboards.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

use super::RestReason;
use crate::money::Money;

/// The state of a target, taken at one moment; see [`Client::targets`](crate::Client::targets).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TargetStatus {
    /// The route.
    pub route: String,
    /// The target's name in the route.
    pub name: String,
    /// The id of its provider.
    pub provider: String,
    /// The model, under the provider's name.
    pub model: String,
    /// Whether calls may go to it.
    pub enabled: bool,
    /// Why it rests; `None` if it does not.
    pub rests: Option<RestReason>,
    /// How long it will rest. Zero if it waits for the call that tries it.
    pub returns_in: Option<Duration>,
    /// How much of its load it gets, above 0 and at most 1. Below 1 after it has returned from a
    /// rest.
    pub recovery: f64,
    /// The calls in progress there.
    pub in_flight: u32,
    /// The attempts that were answered, since the start.
    pub answered: u64,
    /// The attempts that failed, since the start. Requests that the target was right to refuse do
    /// not count.
    pub failed: u64,
    /// The share of failed calls in the breaker's window, from 0 to 1.
    pub failure_share: f64,
    /// A moving average of the time to the whole answer; `None` before the first one. It forgets
    /// within seconds and jumps up at once.
    pub latency: Option<Duration>,
    /// The mean time to the first event of a stream, in the last five minutes.
    pub first_token: Option<Duration>,
    /// The mean output tokens per second, in the last five minutes.
    pub tokens_per_second: Option<f64>,
    /// The mean cost of a call, in the last five minutes.
    pub cost_per_call: Option<Money>,
}

impl fmt::Display for TargetStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} answered, {} failed", self.name, self.answered, self.failed)?;
        if !self.enabled {
            f.write_str(", disabled")?;
        }
        if self.in_flight > 0 {
            write!(f, ", {} in progress", self.in_flight)?;
        }
        if let Some(latency) = self.latency {
            write!(f, ", {latency:.1?}")?;
        }
        if let (Some(reason), Some(left)) = (self.rests, self.returns_in) {
            write!(f, "; rests for {left:.1?}, because {reason}")?;
        }
        Ok(())
    }
}
