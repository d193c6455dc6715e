//! What a failed attempt says about its target.

use std::time::Duration;

use super::Outcome;
use crate::error::{Error, ErrorKind, Phase};

/// Returns what the failure of an attempt says about the health of its target. A rate limit
/// without a time rests it for `rest`.
///
/// A target that was right to refuse a request is healthy.
pub(crate) fn outcome(error: &Error, rest: Duration) -> Outcome {
    use ErrorKind as Kind;

    // These are about the client, not the target.
    if matches!(error.phase(), Some(Phase::LimitWait | Phase::PoolWait | Phase::Encode)) {
        return Outcome::Neutral;
    }
    match error.kind() {
        Kind::RateLimited => Outcome::Limited(refill(error).unwrap_or(rest)),
        Kind::Authentication | Kind::QuotaExhausted => Outcome::Unusable,
        Kind::Permission
        | Kind::NotFound
        | Kind::Server
        | Kind::Overloaded
        | Kind::Timeout
        | Kind::Connection
        | Kind::Tls
        | Kind::Protocol
        | Kind::Truncated => Outcome::Failed,
        Kind::InvalidRequest
        | Kind::ContextWindowExceeded
        | Kind::ContentPolicy
        | Kind::NotAccepted
        | Kind::Cancelled
        | Kind::Configuration
        | Kind::BudgetExceeded
        | Kind::CostUnknown
        | Kind::Ledger
        | Kind::NotRecorded => Outcome::Neutral,
    }
}

/// When the provider says that the rate limit will have refilled.
fn refill(error: &Error) -> Option<Duration> {
    error.retry_after().or_else(|| error.rate_limit()?.refilled_in())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn only_what_the_target_is_to_blame_for_counts() {
        let of = |kind| Error::new(kind, "failed");
        for (error, expected) in [
            (of(ErrorKind::Server), Outcome::Failed),
            (of(ErrorKind::Timeout), Outcome::Failed),
            (Error::timeout(Phase::PoolWait), Outcome::Neutral),
            (of(ErrorKind::Authentication).with_phase(Phase::Encode), Outcome::Neutral),
            (of(ErrorKind::Authentication), Outcome::Unusable),
            (of(ErrorKind::QuotaExhausted), Outcome::Unusable),
            (of(ErrorKind::InvalidRequest), Outcome::Neutral),
            (of(ErrorKind::ContentPolicy), Outcome::Neutral),
            (Error::cancelled(), Outcome::Neutral),
            (of(ErrorKind::RateLimited), Outcome::Limited(SECOND * 5)),
            (
                of(ErrorKind::RateLimited).with_retry_hints(Some(SECOND * 40), None),
                Outcome::Limited(SECOND * 40),
            ),
        ] {
            assert_eq!(outcome(&error, SECOND * 5), expected, "{error}");
        }
    }
}
