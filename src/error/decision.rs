//! What the client decides after a failed attempt.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// What happens after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Decision {
    /// Try again.
    Retry {
        /// How long to wait first.
        after: Duration,
        /// What set the length of the wait.
        wait: Wait,
    },
    /// Try another target of the [route](crate::route::Route) now.
    FailOver,
    /// The attempt was answered, but the [cascade](crate::route::Route::cascade) did not accept the
    /// answer: ask its next target now.
    MoveUp,
    /// Stop, and return the error.
    GiveUp(GiveUp),
}

/// What set the length of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Wait {
    /// The client's own [`Backoff`](crate::Backoff).
    Backoff,
    /// The provider asked for it (`retry-after` and similar headers). The client adds jitter,
    /// because the provider asks every client for the same wait.
    RetryAfter,
    /// A rate limit is used up, and the provider said when it refills (`x-ratelimit-reset-*`,
    /// `anthropic-ratelimit-*-reset`). Capped at
    /// [`max_interval`](crate::RetryConfig::max_interval): one request does not need a full refill.
    RateLimitReset,
}

/// Why there is no further attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GiveUp {
    /// The failure is permanent: a retry would fail the same way.
    Lasting,
    /// The caller cancelled the call.
    Cancelled,
    /// The provider forbade a retry (`x-should-retry: false`).
    Forbidden,
    /// The provider may have served the request, and
    /// [`retry_ambiguous`](crate::RetryConfig::retry_ambiguous) is off.
    Ambiguous,
    /// The client's own pool had no free connection; a retry would only go to the back of the
    /// queue.
    PoolFull,
    /// The call made [`max_retries`](crate::RetryConfig::max_retries) retries.
    RetriesSpent,
    /// The provider asked for a wait of more than 120 seconds.
    WaitTooLong,
    /// The deadline of the call has passed or comes before the end of the wait.
    DeadlineTooNear,
    /// The client's [retry budget](crate::RetryBudget) is empty.
    BudgetSpent,
    /// The stream had started; a retry would repeat text you already have.
    StreamStarted,
    /// All targets of the [route](crate::route::Route) rest.
    TargetsRest,
    /// Another attempt of a [hedged](crate::route::Hedge) call was answered first or ended the
    /// call, so this one was cancelled.
    Superseded,
    /// The [cascade](crate::route::Route::cascade) did not accept the answer, has no further target,
    /// and [requires](crate::route::Route::require_accepted) an accepted answer.
    NotAccepted,
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
            Self::StreamStarted => "stream_started",
            Self::TargetsRest => "targets_rest",
            Self::Superseded => "superseded",
            Self::NotAccepted => "not_accepted",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry { after, wait } => {
                let source = match wait {
                    Wait::Backoff => "backoff",
                    Wait::RetryAfter => "retry-after plus jitter",
                    Wait::RateLimitReset => "until the rate limit resets",
                };
                write!(f, "retry in {after:.0?} ({source})")
            }
            Self::FailOver => f.write_str("next target now"),
            Self::MoveUp => f.write_str("not accepted, next target now"),
            Self::GiveUp(reason) => write!(f, "no retry: {reason}"),
        }
    }
}

impl fmt::Display for GiveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lasting => "it would fail the same way",
            Self::Cancelled => "the caller cancelled the call",
            Self::Forbidden => "the provider forbids a retry",
            Self::Ambiguous => "the provider may have served the request",
            Self::PoolFull => "every connection of the pool is in use",
            Self::RetriesSpent => "max_retries reached",
            Self::WaitTooLong => "the provider asks for a wait of more than 120 s",
            Self::DeadlineTooNear => "the deadline leaves no time for a retry",
            Self::BudgetSpent => "the client's retry budget is empty",
            Self::StreamStarted => "the stream had started",
            Self::TargetsRest => "all targets of the route rest",
            Self::Superseded => "another attempt decided the call",
            Self::NotAccepted => "the answer was not accepted, and no target is left",
        })
    }
}
