//! Whether and when to try again, decided by values alone.

use std::iter;
use std::time::Duration;

use crate::error::Error;

/// A server that asks for a longer wait than this is not waited for. The official
/// SDKs do the same (openai-python 3.54, `_base_client.py`).
const LONGEST_SERVER_WAIT: Duration = Duration::from_secs(120);

/// How calls are tried again.
///
/// Tried again are rate limits, overload, failures of the server, connections that
/// could not be made or broke, and timeouts of a single phase, unless the provider
/// says otherwise (`x-should-retry`). A wait the provider asks for is kept to; a
/// wait that would pass the call's deadline, or of more than 120 seconds, is not
/// begun, and the call fails with what made it fail last. Used-up quota is no rate
/// limit and is not tried again.
///
/// The defaults are those of the official SDKs.
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
    /// The longest wait of our own choosing. Default: 8 s.
    pub max_interval: Duration,
    /// What each wait is multiplied by to give the next, at least 1. Default: 2.
    pub multiplier: f64,
    /// The share of each wait that is left to chance, 0 to 1, so that clients that
    /// failed together do not return together. Default: 0.25, so that a wait is
    /// between 75 % and 100 % of its interval.
    pub jitter: f64,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            max_retries: 2,
            initial_interval: Duration::from_millis(500),
            max_interval: Duration::from_secs(8),
            multiplier: 2.0,
            jitter: 0.25,
        }
    }
}

impl RetryConfig {
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
        problems
    }

    /// The waits before each retry, without end: exponential, capped, each
    /// shortened by a random share of at most `jitter`.
    pub(crate) fn backoff(self, mut random: fastrand::Rng) -> impl Iterator<Item = Duration> {
        let most = self.max_interval.as_secs_f64();
        let mut interval = self.initial_interval.as_secs_f64().min(most);
        iter::repeat_with(move || {
            let wait = interval * (1.0 - self.jitter * random.f64());
            interval = (interval * self.multiplier).min(most);
            Duration::try_from_secs_f64(wait).unwrap_or(self.max_interval)
        })
    }
}

/// How long to wait before the next attempt; `None` to give up.
///
/// `retries` counts those already made, `backoff` is the wait of our own choosing,
/// and `left` what remains of the deadline.
pub(crate) fn decide(
    error: &Error,
    retries: u32,
    config: &RetryConfig,
    backoff: Duration,
    left: Option<Duration>,
) -> Option<Duration> {
    if retries >= config.max_retries || !error.is_retryable() {
        return None;
    }
    let wait = match error.retry_after() {
        Some(asked) if asked > LONGEST_SERVER_WAIT => return None,
        Some(asked) => asked,
        None => backoff,
    };
    if left.is_some_and(|left| wait >= left) { None } else { Some(wait) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, Phase};

    const SECOND: Duration = Duration::from_secs(1);

    fn decided(error: &Error) -> Option<Duration> {
        decide(error, 0, &RetryConfig::default(), SECOND, None)
    }

    #[test]
    fn what_is_tried_again() {
        for (kind, again) in [
            (ErrorKind::InvalidRequest, false),
            (ErrorKind::Authentication, false),
            (ErrorKind::Permission, false),
            (ErrorKind::NotFound, false),
            (ErrorKind::RateLimited, true),
            (ErrorKind::QuotaExhausted, false),
            (ErrorKind::ContextWindowExceeded, false),
            (ErrorKind::ContentPolicy, false),
            (ErrorKind::Server, true),
            (ErrorKind::Overloaded, true),
            (ErrorKind::Timeout, true),
            (ErrorKind::Connection, true),
            (ErrorKind::Tls, false),
            (ErrorKind::Protocol, false),
            (ErrorKind::Cancelled, false),
            (ErrorKind::Configuration, false),
            (ErrorKind::Budget, false),
        ] {
            let expected = again.then_some(SECOND);
            assert_eq!(decided(&Error::new(kind, "")), expected, "{kind}");
        }
    }

    #[test]
    fn the_provider_has_the_last_word_on_whether() {
        let never = Error::new(ErrorKind::Server, "").with_retry_hints(None, Some(false));
        let please = Error::new(ErrorKind::InvalidRequest, "").with_retry_hints(None, Some(true));
        assert_eq!(decided(&never), None);
        assert_eq!(decided(&please), Some(SECOND));
    }

    #[test]
    fn the_provider_has_the_first_word_on_when() {
        let error =
            |asked| Error::new(ErrorKind::RateLimited, "").with_retry_hints(Some(asked), None);
        assert_eq!(decided(&error(SECOND * 7)), Some(SECOND * 7));
        assert_eq!(decided(&error(SECOND * 120)), Some(SECOND * 120));
        assert_eq!(decided(&error(SECOND * 121)), None);
    }

    #[test]
    fn a_wait_that_would_pass_the_deadline_is_not_begun() {
        let error = Error::timeout(Phase::Connect);
        let config = RetryConfig::default();
        assert_eq!(decide(&error, 0, &config, SECOND, Some(SECOND)), None);
        assert_eq!(decide(&error, 0, &config, SECOND, Some(SECOND * 2)), Some(SECOND));
    }

    #[test]
    fn retries_end() {
        let error = Error::new(ErrorKind::Server, "");
        let config = RetryConfig::default();
        assert_eq!(decide(&error, 1, &config, SECOND, None), Some(SECOND));
        assert_eq!(decide(&error, 2, &config, SECOND, None), None);
    }

    #[test]
    fn backoff_doubles_up_to_its_cap_within_its_jitter() {
        let config = RetryConfig::default();
        for seed in 0..200 {
            let waits = config.backoff(fastrand::Rng::with_seed(seed)).take(12);
            for (wait, interval) in
                waits.zip([0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0])
            {
                let wait = wait.as_secs_f64();
                assert!(wait <= interval && wait >= 0.75 * interval - 1e-9, "{wait} {interval}");
            }
        }
    }

    #[test]
    fn extreme_settings_do_not_overflow() {
        let config = RetryConfig {
            initial_interval: Duration::MAX,
            max_interval: Duration::MAX,
            multiplier: f64::MAX,
            jitter: 0.0,
            max_retries: u32::MAX,
        };
        for wait in config.backoff(fastrand::Rng::with_seed(1)).take(5) {
            assert!(wait > Duration::from_secs(u64::MAX / 2));
        }
    }

    #[test]
    fn wrong_settings_are_named() {
        assert!(RetryConfig::default().problems().is_empty());
        for (config, word) in [
            (RetryConfig { multiplier: 0.5, ..RetryConfig::default() }, "multiplier"),
            (RetryConfig { multiplier: f64::NAN, ..RetryConfig::default() }, "multiplier"),
            (RetryConfig { jitter: 1.5, ..RetryConfig::default() }, "jitter"),
            (RetryConfig { jitter: f64::NAN, ..RetryConfig::default() }, "jitter"),
        ] {
            let problems = config.problems();
            assert!(problems.len() == 1 && problems[0].contains(word), "{problems:?}");
        }
    }
}
