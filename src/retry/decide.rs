//! Decides whether to retry after an error, and how long to wait first.

use std::time::Duration;

use super::RetryConfig;
use super::backoff::Draw;
use crate::error::{Decision, Error, ErrorKind, GiveUp, Phase, Wait};

/// The longest wait that a server may ask for. The official SDKs use the same limit (openai-python
/// 3.54, `_base_client.py`).
const LONGEST_SERVER_WAIT: Duration = Duration::from_secs(120);

/// Whether to retry, and when.
///
/// `retries` counts the retries made so far, `ours` is the client's own wait, and `left` is the
/// time to the deadline (`None`: no deadline). What the headers said is in the error. This function
/// does not ask the retry budget, because asking takes a token.
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
    if !policy.retry_ambiguous && may_have_been_served(error) {
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
            // Not before the reset, not beyond the maximum, and not all clients at once.
            let after = if reset < most {
                reset.saturating_add(ours.spread.min(most - reset))
            } else {
                let share = 1.0 - ours.share.min(0.5);
                let shorter = Duration::try_from_secs_f64(most.as_secs_f64() * share);
                shorter.map_or(most, |shorter| shorter.min(most))
            };
            (after, Wait::RateLimitReset)
        }
        (None, None) => (ours.wait, Wait::Backoff),
    };
    if fits(after) { Retry { after, wait } } else { Stop(GiveUp::DeadlineTooNear) }
}

/// When every used-up rate limit has refilled.
fn reset(error: &Error) -> Option<Duration> {
    let is_limited = error.kind() == ErrorKind::RateLimited;
    error.rate_limit().filter(|_| is_limited)?.refilled_in()
}

/// Whether the provider may have started to serve the request, and will bill it.
///
/// Assume so unless the request is known to have been rejected. A provider rejects it for a rate
/// limit or an overload that it names; a plain 503 may come from a gateway that lost its upstream
/// midway. Cloudflare, in front of both providers, answers 521, 523, 525 and 526 before the request
/// reaches them (developers.cloudflare.com/support, "5xx errors"). Without a response, the phase
/// says how far the request got.
pub(crate) fn may_have_been_served(error: &Error) -> bool {
    let named = error.code().is_some_and(|code| code.contains("overload"));
    if named || error.kind() == ErrorKind::RateLimited {
        return false;
    }
    match (error.status(), error.phase()) {
        (Some(429 | 498 | 529 | 521 | 523 | 525 | 526), _) => false,
        (Some(_), _) => true,
        (None, Some(Phase::Encode | Phase::Resolve | Phase::Connect | Phase::Tls)) => false,
        (None, _) => true,
    }
}

#[cfg(test)]
mod tests;
