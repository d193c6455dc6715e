//! When a target rests.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// When a target of a [`Route`](crate::route::Route) rests, and for how long.
///
/// A target rests if too many of its calls fail. After the rest, one call tries it. If the target
/// serves that call, it returns and gets its load back little by little. If not, it rests twice as
/// long. A target that is at its rate limit rests as long as the provider says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BreakerConfig {
    /// How long a call counts. Default: 30 s.
    #[serde(with = "super::seconds")]
    pub window: Duration,
    /// The fewest calls in the window for which the share of failures counts. Default: 5.
    pub min_calls: u32,
    /// The share of failed calls, above 0 and at most 1, at which the target rests. Default: 0.5.
    pub failure_share: f64,
    /// The number of calls that fail one after the other at which the target rests, whatever the
    /// share. At a busy target, the share alone would take long. Default: 5.
    pub consecutive_failures: u32,
    /// How long it rests the first time. Each failed try doubles it. Default: 5 s.
    #[serde(with = "super::seconds")]
    pub rest: Duration,
    /// The longest rest after failures, and the rest of a target whose key is refused or whose
    /// quota is used up. Default: 5 min.
    #[serde(with = "super::seconds")]
    pub max_rest: Duration,
    /// How long it takes a target that returns to get its full load. Default: 30 s.
    #[serde(with = "super::seconds")]
    pub recovery: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(30),
            min_calls: 5,
            failure_share: 0.5,
            consecutive_failures: 5,
            rest: Duration::from_secs(5),
            max_rest: Duration::from_secs(300),
            recovery: Duration::from_secs(30),
        }
    }
}

impl BreakerConfig {
    /// Sets how long a call counts. Default: 30 s.
    #[must_use]
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Sets the fewest calls for which the share of failures counts. Default: 5.
    #[must_use]
    pub fn min_calls(mut self, calls: u32) -> Self {
        self.min_calls = calls;
        self
    }

    /// Sets the share of failed calls at which a target rests. Default: 0.5.
    #[must_use]
    pub fn failure_share(mut self, share: f64) -> Self {
        self.failure_share = share;
        self
    }

    /// Sets the number of calls that fail one after the other at which a target rests. Default: 5.
    #[must_use]
    pub fn consecutive_failures(mut self, calls: u32) -> Self {
        self.consecutive_failures = calls;
        self
    }

    /// Sets how long a target rests the first time. Default: 5 s.
    #[must_use]
    pub fn rest(mut self, rest: Duration) -> Self {
        self.rest = rest;
        self
    }

    /// Sets the longest rest. Default: 5 min.
    #[must_use]
    pub fn max_rest(mut self, rest: Duration) -> Self {
        self.max_rest = rest;
        self
    }

    /// Sets how long it takes a target that returns to get its full load. Default: 30 s.
    #[must_use]
    pub fn recovery(mut self, recovery: Duration) -> Self {
        self.recovery = recovery;
        self
    }

    /// What is wrong with it.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !(self.failure_share > 0.0 && self.failure_share <= 1.0) {
            problems.push(format!(
                "the breaker's failure_share is {}; set it above 0 and at most 1",
                self.failure_share
            ));
        }
        for (name, value) in [("window", self.window), ("rest", self.rest)] {
            if value.is_zero() {
                problems.push(format!("the breaker's {name} is zero; set more than zero"));
            }
        }
        if self.max_rest < self.rest {
            problems.push(format!(
                "the breaker's max_rest ({:?}) is shorter than its rest ({:?}); set a longer one",
                self.max_rest, self.rest
            ));
        }
        problems
    }
}
