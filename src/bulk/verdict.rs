//! Decides the next step of an item whose call failed.

use std::time::{Duration, SystemTime};

use crate::cost::{Availability, BudgetRefusal};
use crate::error::{Error, ErrorKind, Phase};

/// What a run does when a [budget](crate::Budget) refuses an item because its money is spent.
///
/// Money that calls in flight only hold refuses no item: the item waits until they end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnBudget {
    /// Stop. Calls in flight finish. The refused item and all that were not sent yet end with the
    /// refusal as their error. They count as not done, so a run with the same journal sends them.
    #[default]
    Stop,
    /// Hold the item until the budget has room for it. Meanwhile other items go on, until the
    /// [look-ahead](super::Bulk::look_ahead) is full of items that wait. An item that the budget
    /// could never fit fails; a budget without a window, once it is spent, stops the run.
    Wait,
    /// Let the item fail, and continue with the others: the right choice for budgets of which each
    /// customer has one.
    Continue,
}

/// The next step of an item after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has failed.
    Failed,
    /// It is sent again later.
    Again(Again),
    /// It was not sent, or its call was cancelled: it is not done.
    Unfinished,
    /// It is not done, and the run stops.
    Stop,
}

/// When an item is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    After(Duration),
    /// When another call ends and releases money, but not earlier than this.
    Released {
        not_before: Duration,
    },
}

/// How often an item is sent again after a rate limit, each time with all the retries of a call.
/// The waits add up to a quarter of an hour and more.
pub(super) const ROUNDS: u32 = 20;

/// The shortest and longest wait after a rate limit without a time to wait.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The shortest wait, so that a time to wait of zero cannot keep a processor busy.
const SHORTEST: Duration = Duration::from_millis(10);

/// Decides the next step of an item that was sent again `rounds` times and now failed.
pub(super) fn verdict(error: &Error, on_budget: OnBudget, rounds: u32, now: SystemTime) -> Verdict {
    let backoff = || BACKOFF.0.saturating_mul(1 << rounds.min(6)).min(BACKOFF.1);
    let named = || error.retry_after().unwrap_or_else(backoff).max(SHORTEST);
    match error.kind() {
        ErrorKind::Cancelled => Verdict::Unfinished,
        ErrorKind::BudgetExceeded => match error.budget() {
            Some(refusal) => refused(refusal, on_budget, backoff, now),
            // The limit of a request, or its highest price.
            None => Verdict::Failed,
        },
        // The client's own limits will have room, however long the line is.
        ErrorKind::RateLimited if error.phase() == Some(Phase::LimitWait) => {
            Verdict::Again(Again::After(named()))
        }
        ErrorKind::RateLimited | ErrorKind::Overloaded if rounds < ROUNDS => {
            Verdict::Again(Again::After(named().max(backoff())))
        }
        ErrorKind::Timeout if rounds < ROUNDS && waited_too_long(error) => {
            Verdict::Again(Again::After(SHORTEST))
        }
        _ => Verdict::Failed,
    }
}

/// Whether a call that timed out waited longer for its turn, in the client's own limits, than it
/// then had for its attempt.
fn waited_too_long(error: &Error) -> bool {
    matches!(error.attempts(), [attempt] if attempt.started_after > attempt.duration)
}

fn refused(
    refusal: &BudgetRefusal,
    on_budget: OnBudget,
    backoff: impl Fn() -> Duration,
    now: SystemTime,
) -> Verdict {
    let until = |at: SystemTime| at.duration_since(now).unwrap_or_default();
    match (on_budget, refusal.available) {
        // A call ended right after the refusal and released enough.
        (_, Availability::From(at)) if at <= now => Verdict::Again(Again::After(SHORTEST)),
        // Nothing but calls in flight is in the way: the money is held, not spent.
        (_, Availability::OnceReleased { earliest, .. }) if earliest <= now => {
            Verdict::Again(Again::Released { not_before: Duration::ZERO })
        }
        (OnBudget::Stop, _) => Verdict::Stop,
        (OnBudget::Continue, _) => Verdict::Failed,
        // The others may fit.
        (_, Availability::Never) if refusal.needed > refusal.limit => Verdict::Failed,
        (_, Availability::Never) => Verdict::Stop,
        (_, Availability::From(at)) => Verdict::Again(Again::After(until(at))),
        (_, Availability::OnceReleased { earliest, .. }) => {
            Verdict::Again(Again::Released { not_before: until(earliest) })
        }
        (_, Availability::Unknown) => Verdict::Again(Again::After(backoff())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Money;
    use crate::error::Attempt;
    use std::collections::BTreeMap;
    use std::time::UNIX_EPOCH;

    const SECOND: Duration = Duration::from_secs(1);

    fn refusal(needed: i64, available: Availability) -> Error {
        let refusal = BudgetRefusal {
            at: UNIX_EPOCH,
            provider: "openai".into(),
            model: "m".into(),
            tags: BTreeMap::new(),
            budget: "daily".into(),
            account: String::new(),
            limit: Money::dollars(5),
            spent: Money::dollars(5),
            reserved: Money::ZERO,
            needed: Money::dollars(needed),
            ends: None,
            available,
        };
        Error::new(ErrorKind::BudgetExceeded, "refused").with_refusal(refusal)
    }

    #[test]
    fn a_refusal_by_a_budget_follows_the_setting() {
        let (now, later) = (UNIX_EPOCH, UNIX_EPOCH + SECOND * 30);
        let released = Availability::OnceReleased { earliest: later, latest: None };
        let held = Availability::OnceReleased { earliest: now, latest: None };
        let waits_for_calls = Verdict::Again(Again::Released { not_before: Duration::ZERO });
        let after = |wait| Verdict::Again(Again::After(wait));
        use OnBudget::{Continue, Stop, Wait};
        for (on_budget, needed, available, expected) in [
            (Stop, 1, Availability::From(later), Verdict::Stop),
            (Continue, 1, Availability::From(later), Verdict::Failed),
            (Continue, 1, Availability::Never, Verdict::Failed),
            (Wait, 1, Availability::From(later), after(SECOND * 30)),
            (Wait, 1, Availability::From(UNIX_EPOCH), after(SHORTEST)),
            (Stop, 1, Availability::From(now), after(SHORTEST)),
            (Continue, 1, Availability::From(now), after(SHORTEST)),
            (Stop, 1, held, waits_for_calls),
            (Continue, 1, held, waits_for_calls),
            (Stop, 1, released, Verdict::Stop),
            (Continue, 1, released, Verdict::Failed),
            (Wait, 1, released, Verdict::Again(Again::Released { not_before: SECOND * 30 })),
            // The request alone is too large, and the others may fit.
            (Wait, 6, Availability::Never, Verdict::Failed),
            // A total is spent: no item will fit.
            (Wait, 1, Availability::Never, Verdict::Stop),
            (Wait, 1, Availability::Unknown, after(SECOND)),
        ] {
            let error = refusal(needed, available);
            assert_eq!(verdict(&error, on_budget, 0, now), expected, "{on_budget:?} {error}");
        }
        let error = Error::new(ErrorKind::BudgetExceeded, "the limit of a request");
        assert_eq!(verdict(&error, OnBudget::Stop, 0, now), Verdict::Failed);
    }

    #[test]
    fn a_rate_limit_sends_the_item_again_and_gives_up_at_last() {
        let error = |kind| Error::new(kind, "slow down");
        let wait = |error: &Error, rounds| match verdict(error, OnBudget::Stop, rounds, UNIX_EPOCH)
        {
            Verdict::Again(Again::After(wait)) => Some(wait),
            _ => None,
        };
        let limited = error(ErrorKind::RateLimited);
        assert_eq!(
            [0, 1, 2].map(|rounds| wait(&limited, rounds)),
            [1, 2, 4].map(|n| Some(SECOND * n))
        );
        assert_eq!(wait(&limited, ROUNDS - 1), Some(BACKOFF.1));
        assert_eq!(wait(&limited, ROUNDS), None);
        assert_eq!(wait(&error(ErrorKind::Overloaded), 0), Some(SECOND));
        assert_eq!(wait(&error(ErrorKind::QuotaExhausted), 0), None);
        assert_eq!(wait(&error(ErrorKind::Server), 0), None);
        let named = error(ErrorKind::RateLimited).with_retry_hints(Some(SECOND * 90), None);
        assert_eq!(wait(&named, 0), Some(SECOND * 90));
        let own = named.with_phase(Phase::LimitWait);
        assert_eq!(wait(&own, 1_000), Some(SECOND * 90), "the client's own limit always refills");
        let at_once = error(ErrorKind::RateLimited)
            .with_retry_hints(Some(Duration::ZERO), None)
            .with_phase(Phase::LimitWait);
        assert_eq!(wait(&at_once, 0), Some(SHORTEST));
    }

    #[test]
    fn a_timeout_after_a_long_wait_for_the_own_limits_is_no_failure() {
        let timeout = |started_after, duration| {
            let attempt: Attempt = serde_json::from_value(serde_json::json!({
                "started_after": started_after, "duration": duration,
            }))
            .unwrap();
            let error = Error::timeout(Phase::FirstByte).with_attempts(vec![attempt]);
            verdict(&error, OnBudget::Stop, 0, UNIX_EPOCH)
        };
        assert_eq!(timeout(SECOND * 9, SECOND), Verdict::Again(Again::After(SHORTEST)));
        assert_eq!(timeout(SECOND, SECOND * 9), Verdict::Failed);
    }

    #[test]
    fn a_cancelled_call_is_not_done() {
        let verdict = verdict(&Error::cancelled(), OnBudget::Continue, 0, UNIX_EPOCH);
        assert_eq!(verdict, Verdict::Unfinished);
    }
}
