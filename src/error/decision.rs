//! What was decided when an attempt had failed.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// What is done after an attempt has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Decision {
    /// Another attempt.
    Retry {
        /// How long to wait before it.
        after: Duration,
        /// Where the wait comes from.
        wait: Wait,
    },
    /// None.
    GiveUp(GiveUp),
}

/// Where the length of a wait comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Wait {
    /// Our own choice, see [`Backoff`](crate::Backoff).
    Backoff,
    /// The provider asked for it (`retry-after` and its kin); a random share of
    /// our own wait is added, since it asks the same of everyone.
    RetryAfter,
    /// A rate limit is used up, and the provider said when it is full again
    /// (`x-ratelimit-reset-*`, `anthropic-ratelimit-*-reset`); at most
    /// [`max_interval`](crate::RetryConfig::max_interval), since one request needs less
    /// than all of it.
    RateLimitReset,
}

/// Why there is no further attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GiveUp {
    /// The failure does not pass by itself.
    Lasting,
    /// The caller cancelled the call.
    Cancelled,
    /// The provider said not to (`x-should-retry: false`).
    Forbidden,
    /// The provider may have served the request, and
    /// [`retry_ambiguous`](crate::RetryConfig::retry_ambiguous) is off.
    Ambiguous,
    /// There was no free connection in the client's own pool; another attempt would
    /// only join the end of the line.
    PoolFull,
    /// All retries are used up ([`max_retries`](crate::RetryConfig::max_retries)).
    RetriesSpent,
    /// The provider asked for a wait of more than 120 seconds.
    WaitTooLong,
    /// The call's deadline leaves no time for the wait, or has passed.
    DeadlineTooNear,
    /// The client's [budget](crate::RetryBudget) for retries is spent.
    BudgetSpent,
    /// The stream had begun, so that another attempt would say again what was said.
    StreamBegun,
}

impl Wait {
    /// A short name in `snake_case`, for labels and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backoff => "backoff",
            Self::RetryAfter => "retry_after",
            Self::RateLimitReset => "rate_limit_reset",
        }
    }
}

impl GiveUp {
    /// A short name in `snake_case`, for labels and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lasting => "lasting",
            Self::Cancelled => "cancelled",
            Self::Forbidden => "forbidden",
            Self::Ambiguous => "ambiguous",
            Self::PoolFull => "pool_full",
            Self::RetriesSpent => "retries_spent",
            Self::WaitTooLong => "wait_too_long",
            Self::DeadlineTooNear => "deadline_too_near",
            Self::BudgetSpent => "budget_spent",
            Self::StreamBegun => "stream_begun",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry { after, wait } => {
                let source = match wait {
                    Wait::Backoff => "backoff",
                    Wait::RetryAfter => "as the provider asked, spread by chance",
                    Wait::RateLimitReset => "until the rate limit resets",
                };
                write!(f, "again after {after:.0?} ({source})")
            }
            Self::GiveUp(reason) => write!(f, "given up: {reason}"),
        }
    }
}

impl fmt::Display for GiveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lasting => "another attempt would fail alike",
            Self::Cancelled => "the caller cancelled it",
            Self::Forbidden => "the provider says not to try again",
            Self::Ambiguous => "the provider may have served it",
            Self::PoolFull => "the pool is full",
            Self::RetriesSpent => "no retries left",
            Self::WaitTooLong => "the provider asks for too long a wait",
            Self::DeadlineTooNear => "the deadline leaves no time for another",
            Self::BudgetSpent => "the client's retry budget is spent",
            Self::StreamBegun => "the stream had begun",
        })
    }
}
