//! The settings of retries.

use std::time::Duration;

use super::{Backoff, RetryBudget};

/// When and how often the client retries a failed attempt.
///
/// The client retries rate limits, overload, server failures, connections that failed to open or
/// broke, and timeouts of a single phase, unless the provider says otherwise (`x-should-retry`). It
/// honours a wait that the provider asks for, up to 120 seconds, plus jitter. If the provider asks
/// for more, or if a wait would pass the call's deadline, the call fails with its last error. A
/// used-up quota is not a rate limit and is not retried. A stream is never retried after it has
/// started.
///
/// The defaults are those of the official SDKs (openai-python 3.54 and anthropic-sdk-python 2.12,
/// `_base_client.py`), plus a retry budget.
///
/// ```
/// use std::time::Duration;
/// use tollgate::RetryConfig;
///
/// let patient = RetryConfig { max_retries: 5, ..RetryConfig::default() };
/// let never = RetryConfig { max_retries: 0, ..RetryConfig::default() };
/// assert_eq!(patient.initial_interval, Duration::from_millis(500));
/// # let _ = never;
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryConfig {
    /// The most retries of a call after its first attempt. Default: 2.
    pub max_retries: u32,
    /// The wait before the first retry. Default: 500 ms.
    pub initial_interval: Duration,
    /// The longest wait that the client chooses itself, including the first. Default: 8 s.
    pub max_interval: Duration,
    /// The factor from each wait to the next, at least 1. Default: 2.
    pub multiplier: f64,
    /// The share of each wait that is random, from 0 to 1, so that clients that failed together do
    /// not retry together. Default: 0.25: a wait is between 75 % and 100 % of its interval; see
    /// [`Backoff`].
    pub jitter: f64,
    /// Whether to retry when the provider may have served the failed attempt, and will bill it: the
    /// connection broke or a time limit passed after the request was sent, or the response does not
    /// say that the provider rejected it (a 500, a 504, or a gateway's plain 503). Default: `true`,
    /// as in the official SDKs. With `false`, the client retries only if no connection was made, or
    /// if the provider says it rejected the request: rate limits, named overload.
    /// [`PoolConfig::retry_stale`](crate::PoolConfig::retry_stale) then has no effect.
    pub retry_ambiguous: bool,
    /// The limit on the retries of all calls together. Default: [`RetryBudget::default`].
    pub budget: RetryBudget,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            max_retries: 2,
            initial_interval: Duration::from_millis(500),
            max_interval: Duration::from_secs(8),
            multiplier: 2.0,
            jitter: 0.25,
            retry_ambiguous: true,
            budget: RetryBudget::default(),
        }
    }
}

impl RetryConfig {
    /// The waits before each retry, with random jitter. The iterator never ends.
    pub fn backoff(&self) -> Backoff {
        Backoff::new(*self, fastrand::Rng::new())
    }

    /// The waits before each retry, with jitter that is the same for the same `seed`.
    pub fn backoff_with_seed(&self, seed: u64) -> Backoff {
        Backoff::new(*self, fastrand::Rng::with_seed(seed))
    }

    /// What is wrong with the settings, one sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !(self.multiplier >= 1.0 && self.multiplier.is_finite()) {
            problems.push(format!(
                "the retry multiplier is {}; waits would shrink; set it to 1 or more",
                self.multiplier
            ));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            problems.push(format!("the retry jitter is {}; set it between 0 and 1", self.jitter));
        }
        problems.extend(self.budget.problem());
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_settings_are_named() {
        let fine = RetryConfig::default();
        assert!(fine.problems().is_empty());
        let budget = |refill| RetryBudget { refill, ..RetryBudget::default() };
        for (config, word) in [
            (RetryConfig { multiplier: 0.5, ..fine }, "multiplier"),
            (RetryConfig { multiplier: f64::NAN, ..fine }, "multiplier"),
            (RetryConfig { multiplier: f64::INFINITY, ..fine }, "multiplier"),
            (RetryConfig { jitter: 1.5, ..fine }, "jitter"),
            (RetryConfig { jitter: -0.1, ..fine }, "jitter"),
            (RetryConfig { jitter: f64::NAN, ..fine }, "jitter"),
            (RetryConfig { budget: budget(-1.0), ..fine }, "refill"),
            (RetryConfig { budget: budget(f64::NAN), ..fine }, "refill"),
        ] {
            let problems = config.problems();
            assert!(problems.len() == 1 && problems[0].contains(word), "{problems:?}");
        }
        let short = RetryConfig { max_interval: Duration::from_millis(1), ..fine };
        assert!(short.problems().is_empty());
    }
}
