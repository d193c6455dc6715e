use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

use super::RetryConfig;
use super::backoff::Draw;
use crate::error::{Error, ErrorKind, Phase};

/// A server that asks for a longer wait than this is not waited for. The official
/// SDKs do the same (openai-python 3.54, `_base_client.py`).
const LONGEST_SERVER_WAIT: Duration = Duration::from_secs(120);

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
    /// [`max_interval`](RetryConfig::max_interval), since one request needs less
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
    /// [`retry_ambiguous`](RetryConfig::retry_ambiguous) is off.
    Ambiguous,
    /// There was no free connection in the client's own pool; another attempt would
    /// only join the end of the line.
    PoolFull,
    /// All retries are used up ([`max_retries`](RetryConfig::max_retries)).
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

/// Whether to try again, and when.
///
/// `retries` counts those already made, `ours` is the wait of our own choosing, and
/// `left` what remains of the deadline, `None` for ever. What the headers said is in
/// the error. The budget is not asked here, for asking takes a token.
pub(super) fn decide(
    error: &Error,
    retries: u32,
    policy: &RetryConfig,
    ours: Draw,
    left: Option<Duration>,
) -> Decision {
    use Decision::{GiveUp as Stop, Retry};

    if error.is_cancelled() {
        return Stop(GiveUp::Cancelled);
    }
    if error.phase() == Some(Phase::PoolWait) {
        return Stop(GiveUp::PoolFull);
    }
    if !error.is_retryable() {
        let forbidden = error.should_retry() == Some(false);
        return Stop(if forbidden { GiveUp::Forbidden } else { GiveUp::Lasting });
    }
    if !policy.retry_ambiguous && may_be_served(error) {
        return Stop(GiveUp::Ambiguous);
    }
    if retries >= policy.max_retries {
        return Stop(GiveUp::RetriesSpent);
    }
    let fits = |wait: Duration| left.is_none_or(|left| wait < left);
    let (after, wait) = match (error.retry_after(), reset(error)) {
        (Some(asked), _) if asked > LONGEST_SERVER_WAIT => return Stop(GiveUp::WaitTooLong),
        (Some(asked), _) => {
            let later = asked.saturating_add(ours.spread);
            (if fits(later) { later } else { asked }, Wait::RetryAfter)
        }
        (None, Some(reset)) => {
            let most = policy.max_interval;
            // Neither below the reset nor beyond the most, and not all at once.
            let after = if reset < most {
                reset.saturating_add(ours.spread.min(most - reset))
            } else {
                let share = 1.0 - ours.chance.min(0.5);
                let shorter = Duration::try_from_secs_f64(most.as_secs_f64() * share);
                shorter.map_or(most, |shorter| shorter.min(most))
            };
            (after, Wait::RateLimitReset)
        }
        (None, None) => (ours.wait, Wait::Backoff),
    };
    if fits(after) { Retry { after, wait } } else { Stop(GiveUp::DeadlineTooNear) }
}

/// When every rate limit that is used up is full again. One that resets at once says
/// nothing.
fn reset(error: &Error) -> Option<Duration> {
    if error.kind() != ErrorKind::RateLimited {
        return None;
    }
    let limits = error.rate_limit()?;
    [limits.requests, limits.tokens, limits.input_tokens, limits.output_tokens]
        .into_iter()
        .filter(|quota| quota.remaining == Some(0))
        .filter_map(|quota| quota.reset)
        .max()
        .filter(|reset| !reset.is_zero())
}

/// Whether the provider may have begun to serve the request, and will bill it.
///
/// Only what is known to have been turned away was not: for a rate limit or overload,
/// by a provider that says so (a plain 503 may come from a gateway that lost its
/// upstream midway), or by Cloudflare, in front of both providers, before it reached
/// them (521, 523, 525 and 526, developers.cloudflare.com/support, "5xx errors"). Of a
/// failure without an answer, the phase tells how far it came.
fn may_be_served(error: &Error) -> bool {
    let named = error.code().is_some_and(|code| code.contains("overload"));
    if named || error.kind() == ErrorKind::RateLimited {
        return false;
    }
    match (error.status(), error.phase()) {
        (Some(429 | 498 | 529 | 521 | 523 | 525 | 526), _) => false,
        (Some(_), _) => true,
        (None, Some(Phase::Resolve | Phase::Connect | Phase::Tls)) => false,
        (None, _) => true,
    }
}

#[cfg(test)]
mod tests;
