//! The state of a target, for people and dashboards.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::RestReason;
use crate::error::ErrorKind;
use crate::histogram::Histogram;
use crate::money::Money;

/// Whether a target's circuit breaker lets calls through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BreakerState {
    /// It lets calls through.
    Closed,
    /// It lets no call through: the target rests.
    Open,
    /// The rest is over, and one call at a time may try the target.
    HalfOpen,
}

impl BreakerState {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// Its name in metrics: `closed`, `open` or `half_open`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The state of a target, taken at one moment; see [`Client::targets`](crate::Client::targets).
///
/// Routes with the same provider, model and key share the breaker and what is measured. What is
/// counted since the start is of this route alone.
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
    /// Whether its circuit breaker lets calls through.
    pub breaker: BreakerState,
    /// Why it rests; `None` if it does not.
    pub rests: Option<RestReason>,
    /// How long it will rest. Zero if it waits for the call that tries it.
    pub returns_in: Option<Duration>,
    /// How much of its load it gets, above 0 and at most 1. Below 1 after it has returned from a
    /// rest.
    pub recovery: f64,
    /// The calls in progress there.
    pub in_flight: u32,
    /// The attempts that were answered to the end, since the start.
    pub answered: u64,
    /// The attempts that failed, since the start. Requests that the target was right to refuse do
    /// not count.
    pub failed: u64,
    /// All attempts that ended in an error, by its kind, since the start. Also those through no
    /// fault of the target.
    pub failures: BTreeMap<ErrorKind, u64>,
    /// The attempts after which the call went on to another target, since the start.
    pub failovers: u64,
    /// How often a call tried another target too because this one was silent, since the start; see
    /// [`Hedge`](crate::route::Hedge).
    #[serde(default)]
    pub hedged: u64,
    /// The answers that the [cascade](crate::route::Route::cascade) did not accept, since the start.
    /// They count as `answered` too.
    #[serde(default)]
    pub not_accepted: u64,
    /// How often it began to rest, by reason, since the start.
    pub rested: BTreeMap<RestReason, u64>,
    /// The attempts per minute, over the last minute.
    pub attempts_per_minute: f64,
    /// The share of failed calls in the breaker's window, from 0 to 1.
    pub failure_share: f64,
    /// A moving average of the time to the whole answer; `None` before the first one. It forgets
    /// within seconds and jumps up at once.
    pub latency: Option<Duration>,
    /// The mean time to the first event of a stream, in the last five minutes.
    pub first_token: Option<Duration>,
    /// The mean output tokens per second, in the last five minutes.
    pub tokens_per_second: Option<f64>,
    /// The times to the whole answer since the start, without streams.
    pub latencies: Histogram,
    /// The times to the first event of a stream since the start.
    pub first_tokens: Histogram,
    /// What its answers cost since the start, those of broken streams included.
    pub cost: Money,
    /// The mean cost of a call, in the last five minutes.
    pub cost_per_call: Option<Money>,
}

impl TargetStatus {
    /// The attempts that ended in an error through no fault of the target, since the start: the
    /// request was wrong, or the caller cancelled.
    pub fn excused(&self) -> u64 {
        let failures = self.failures.values().fold(0, |sum: u64, calls| sum.saturating_add(*calls));
        failures.saturating_sub(self.failed)
    }
}

impl fmt::Display for TargetStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} answered, {} failed", self.name, self.answered, self.failed)?;
        if self.hedged > 0 {
            write!(f, ", {} hedged", self.hedged)?;
        }
        if self.not_accepted > 0 {
            write!(f, ", {} not accepted", self.not_accepted)?;
        }
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
