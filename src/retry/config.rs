//! The settings of retries.

use std::time::Duration;

use super::{Backoff, RetryBudget};

/// How calls are tried again.
///
/// Tried again are rate limits, overload, failures of the server, connections that
/// could not be made or broke, and timeouts of a single phase, unless the provider
/// says otherwise (`x-should-retry`). A wait that the provider asks for is honoured up to
/// 120 seconds, plus jitter. If it asks for more, or if a wait would pass the call's
/// deadline, the call fails with its last failure instead. Used-up quota is not a rate
/// limit and is not retried. A stream is never retried once it has begun.
///
/// The defaults are those of the official SDKs (openai-python 3.54 and
/// anthropic-sdk-python 2.12, `_base_client.py`), with a budget on top.
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
    /// The most attempts after the first. Default: 2.
    pub max_retries: u32,
    /// The wait before the first retry. Default: 500 ms.
    pub initial_interval: Duration,
    /// The longest wait of our own choosing, the first included. Default: 8 s.
    pub max_interval: Duration,
    /// What each wait is multiplied by to give the next, at least 1. Default: 2.
    pub multiplier: f64,
    /// The share of each wait that is left to chance, 0 to 1, so that clients that
    /// failed together do not return together. Default: 0.25, so that a wait is
    /// between 75 % and 100 % of its interval; see [`Backoff`].
    pub jitter: f64,
    /// Whether to try again when the provider may have served the attempt that
    /// failed, and will bill it: the connection broke or time ran out after the
    /// request was sent, or the answer does not say that it was turned away (a 500, a
    /// 504 or plain 503 of a gateway). Default: true, as the official SDKs do. With
    /// false, a request is sent again only where no connection was made, or where the
    /// provider says that it was turned away: rate limits, named overload. Then
    /// [`PoolConfig::retry_stale`](crate::PoolConfig::retry_stale) has no effect.
    pub retry_ambiguous: bool,
    /// What bounds the retries of all calls of a client together.
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
    /// The waits before each retry, without end, at random.
    pub fn backoff(&self) -> Backoff {
        Backoff::new(*self, fastrand::Rng::new())
    }

    /// The waits before each retry, the same for the same `seed`.
    pub fn backoff_with_seed(&self, seed: u64) -> Backoff {
        Backoff::new(*self, fastrand::Rng::with_seed(seed))
    }

    /// What is wrong with the settings, a sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !(self.multiplier >= 1.0 && self.multiplier.is_finite()) {
            problems.push(format!(
                "the retry multiplier is {}; it must be at least 1, or waits would shrink",
                self.multiplier
            ));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            problems.push(format!(
                "the retry jitter is {}; it is a share, between 0 and 1",
                self.jitter
            ));
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
