//! What follows a failed attempt, if a call has several targets.

use std::time::Duration;

use super::Hedge;
use crate::error::{Decision, ErrorKind, GiveUp, Phase, Wait};
use crate::retry::Failed;

/// The targets that have not been tried and could be now.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Others {
    /// Whether there is any.
    pub(super) any: bool,
    /// Whether one has a larger context window than the target that failed.
    pub(super) larger: bool,
}

/// The settings of a route that decide; its setters describe them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) short_wait: Duration,
    pub(crate) reroute_refusals: bool,
    pub(crate) wait_for_targets: bool,
    pub(crate) hedge: Option<Hedge>,
}

#[cfg(any(test, feature = "internals"))]
impl Rules {
    /// Those of a route without settings.
    pub(crate) const DEFAULT: Self = Self {
        short_wait: Duration::from_secs(2),
        reroute_refusals: false,
        wait_for_targets: false,
        hedge: None,
    };
}

/// Decides whether to try the same target again, another one, or none.
///
/// What is wrong with the target moves the call on: another may have a valid key, quota left, or
/// no outage. What is wrong with the request does not. A rate limit that refills soon is waited
/// for, because the other targets may be slower or cost more.
pub(super) fn decide(failed: &Failed<'_>, others: Others, rules: Rules) -> Decision {
    use ErrorKind as Kind;

    let error = failed.error;
    let same = failed.retry_or_stop();
    let moves = match error.kind() {
        _ if matches!(error.phase(), Some(Phase::LimitWait | Phase::PoolWait)) => false,
        Kind::ContextWindowExceeded => others.larger,
        Kind::ContentPolicy => others.any && rules.reroute_refusals,
        // If all rest, a call that may wait waits for the first to return. That is a retry.
        Kind::RateLimited if !is_short(same, rules.short_wait) => {
            let may_wait = rules.wait_for_targets && failed.retries < failed.policy.max_retries;
            if !others.any && !may_wait {
                return Decision::GiveUp(GiveUp::TargetsRest);
            }
            true
        }
        Kind::RateLimited => false,
        Kind::Authentication
        | Kind::Permission
        | Kind::NotFound
        | Kind::QuotaExhausted
        | Kind::Configuration
        | Kind::Tls => others.any,
        Kind::Server
        | Kind::Overloaded
        | Kind::Timeout
        | Kind::Connection
        | Kind::Protocol
        | Kind::Truncated => {
            if others.any && failed.is_forbidden_as_ambiguous() {
                return Decision::GiveUp(GiveUp::Ambiguous);
            }
            others.any
        }
        Kind::InvalidRequest
        | Kind::NotAccepted
        | Kind::Cancelled
        | Kind::BudgetExceeded
        | Kind::CostUnknown
        | Kind::Ledger
        | Kind::NotRecorded => false,
    };
    match moves {
        false => same,
        true if failed.left.is_some_and(|left| left.is_zero()) => {
            Decision::GiveUp(GiveUp::DeadlineTooNear)
        }
        true => Decision::FailOver,
    }
}

/// Whether a target named a wait that is short enough to stay.
fn is_short(same: Decision, short: Duration) -> bool {
    match same {
        Decision::Retry { after, wait: Wait::RetryAfter | Wait::RateLimitReset } => after <= short,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::retry::RetryConfig;

    const SECOND: Duration = Duration::from_secs(1);
    const RULES: Rules = Rules::DEFAULT;
    const ANY: Others = Others { any: true, larger: false };

    fn decided(error: &Error, others: Others, rules: Rules, policy: &RetryConfig) -> Decision {
        decide(
            &Failed {
                error,
                policy,
                retries: 0,
                ours: policy.backoff().draw(),
                left: Some(SECOND * 60),
            },
            others,
            rules,
        )
    }

    fn of(kind: ErrorKind, status: u16) -> Error {
        Error::new(kind, "failed").with_status(status)
    }

    #[test]
    fn the_kind_of_a_failure_decides_where_a_call_goes() {
        use ErrorKind as Kind;
        let stop = Decision::GiveUp(GiveUp::Lasting);
        let larger = Others { any: true, larger: true };
        let reroute = Rules { reroute_refusals: true, ..RULES };
        for (kind, status, others, rules, expected) in [
            (Kind::Authentication, 401, ANY, RULES, Decision::FailOver),
            (Kind::Permission, 403, ANY, RULES, Decision::FailOver),
            (Kind::NotFound, 404, ANY, RULES, Decision::FailOver),
            (Kind::QuotaExhausted, 402, ANY, RULES, Decision::FailOver),
            (Kind::Server, 500, ANY, RULES, Decision::FailOver),
            (Kind::Overloaded, 529, ANY, RULES, Decision::FailOver),
            (Kind::Protocol, 200, ANY, RULES, Decision::FailOver),
            (Kind::RateLimited, 429, ANY, RULES, Decision::FailOver),
            (Kind::ContextWindowExceeded, 400, ANY, RULES, stop),
            (Kind::ContextWindowExceeded, 400, larger, RULES, Decision::FailOver),
            (Kind::ContentPolicy, 400, ANY, RULES, stop),
            (Kind::ContentPolicy, 400, ANY, reroute, Decision::FailOver),
            (Kind::InvalidRequest, 400, larger, reroute, stop),
            (Kind::BudgetExceeded, 0, larger, reroute, stop),
            (Kind::CostUnknown, 0, larger, reroute, stop),
            (Kind::Authentication, 401, Others::default(), RULES, stop),
        ] {
            let error = of(kind, status);
            let decision = decided(&error, others, rules, &RetryConfig::default());
            assert_eq!(decision, expected, "{kind} {others:?}");
        }
        let alone =
            decided(&of(Kind::Server, 500), Others::default(), RULES, &RetryConfig::default());
        assert!(matches!(alone, Decision::Retry { .. }), "{alone:?}");
    }

    #[test]
    fn a_short_rate_limit_waits_and_a_long_one_moves_on() {
        let even = RetryConfig { jitter: 0.0, ..RetryConfig::default() };
        for (seconds, moves) in [(1, false), (2, false), (3, true), (300, true)] {
            let error =
                of(ErrorKind::RateLimited, 429).with_retry_hints(Some(SECOND * seconds), None);
            let decision = decided(&error, ANY, RULES, &even);
            assert_eq!(decision == Decision::FailOver, moves, "{seconds}: {decision:?}");
        }
    }

    #[test]
    fn if_all_targets_rest_a_rate_limit_ends_the_call_unless_it_may_wait() {
        let error = of(ErrorKind::RateLimited, 429).with_retry_hints(Some(SECOND * 9), None);
        let (none, policy) = (Others::default(), RetryConfig::default());
        let stop = Decision::GiveUp(GiveUp::TargetsRest);
        assert_eq!(decided(&error, none, RULES, &policy), stop);
        let waits = Rules { wait_for_targets: true, ..RULES };
        assert_eq!(decided(&error, none, waits, &policy), Decision::FailOver);
        let never = RetryConfig { max_retries: 0, ..policy };
        assert_eq!(decided(&error, none, waits, &never), stop, "the wait would be a retry");
    }

    #[test]
    fn what_may_have_been_billed_is_not_sent_elsewhere_in_strict_mode() {
        let strict = RetryConfig { retry_ambiguous: false, ..RetryConfig::default() };
        let ambiguous = Decision::GiveUp(GiveUp::Ambiguous);
        let broken = Error::new(ErrorKind::Connection, "reset").with_phase(Phase::FirstByte);
        let refused = Error::new(ErrorKind::Connection, "refused").with_phase(Phase::Connect);
        for (error, expected) in [
            (of(ErrorKind::Server, 500), ambiguous),
            (broken, ambiguous),
            (refused, Decision::FailOver),
            (of(ErrorKind::Authentication, 401), Decision::FailOver),
            (of(ErrorKind::Overloaded, 529), Decision::FailOver),
        ] {
            assert_eq!(decided(&error, ANY, RULES, &strict), expected, "{error}");
        }
    }

    #[test]
    fn a_call_out_of_time_or_without_a_connection_stops() {
        let policy = RetryConfig::default();
        let error = Error::timeout(Phase::FirstByte);
        let late = Failed {
            error: &error,
            policy: &policy,
            retries: 0,
            ours: policy.backoff().draw(),
            left: Some(Duration::ZERO),
        };
        assert_eq!(decide(&late, ANY, RULES), Decision::GiveUp(GiveUp::DeadlineTooNear));
        let pool = Error::timeout(Phase::PoolWait);
        assert_eq!(decided(&pool, ANY, RULES, &policy), Decision::GiveUp(GiveUp::PoolFull));
    }
}
