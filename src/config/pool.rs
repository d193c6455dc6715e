//! The settings of the connection pool.

use std::time::Duration;

/// How connections are shared and kept.
///
/// ```
/// use std::time::Duration;
/// use tollgate::PoolConfig;
///
/// let small = PoolConfig {
///     max_size: 8,
///     acquire_timeout: Some(Duration::from_secs(10)),
///     ..PoolConfig::default()
/// };
/// # let _ = small;
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PoolConfig {
    /// The most connections in all, in use, being opened and idle. Default: 100.
    ///
    /// Callers beyond that wait in line, so raise it when more threads than that
    /// call at the same time or more streams are open, each of which holds one; lower it to bound what you ask of a server at once.
    pub max_size: usize,
    /// The most connections to one origin (scheme, host and port). Default: 100.
    ///
    /// A client has one origin today, so the lower of this and
    /// [`max_size`](Self::max_size) counts.
    pub max_per_origin: usize,
    /// How long a connection may lie idle before it is closed. Default: 90 s.
    ///
    /// Set it below what a proxy or load balancer on the way allows, if those close
    /// connections without a word; raise it when calls are rare and TLS handshakes
    /// dear.
    pub idle_timeout: Duration,
    /// The least time between two sweeps for connections to close. Default: 1 s.
    ///
    /// The cleaner thread sleeps until the next connection expires; this bounds how
    /// often it wakes when they expire one by one. A connection may so stay open
    /// for up to this much longer than it should.
    pub cleanup_period: Duration,
    /// How old a connection may get before it is replaced, or `None` for any age.
    /// Default: 30 minutes.
    ///
    /// New connections look the host up anew, so this is how soon a change of its
    /// addresses is followed. Each connection's own limit is up to a tenth shorter,
    /// at random, so that those opened together are not all replaced together. One
    /// that is in use is replaced when its call has ended.
    pub max_lifetime: Option<Duration>,
    /// The longest a call waits in line for a connection, or `None` for as long as
    /// its timeout allows. Default: `None`.
    ///
    /// Set it to fail fast when all connections are taken, and leave the rest of
    /// the call's timeout to the model.
    pub acquire_timeout: Option<Duration>,
    /// Whether a request is sent once more, on a fresh connection, when a reused
    /// one ends before any byte of the answer. Default: true.
    ///
    /// Such a connection was nearly always closed by the server while idle; but the
    /// request may have arrived, so turn this off where answering one twice would
    /// do harm. The second sending is not charged to any [budget](crate::Budget) by itself;
    /// turned off, it is an attempt of its own that is, and the first is charged as one that
    /// may have been billed. Each second sending takes a token of the
    /// [budget](crate::RetryBudget) for retries.
    pub retry_stale: bool,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            max_size: 100,
            max_per_origin: 100,
            idle_timeout: Duration::from_secs(90),
            cleanup_period: Duration::from_secs(1),
            max_lifetime: Some(Duration::from_secs(30 * 60)),
            acquire_timeout: None,
            retry_stale: true,
        }
    }
}

impl PoolConfig {
    /// What is wrong with the settings, a sentence each.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut must = |is_so: bool, otherwise: String| {
            if !is_so {
                problems.push(otherwise);
            }
        };
        for (name, cap) in [("max_size", self.max_size), ("max_per_origin", self.max_per_origin)] {
            must(
                cap > 0,
                format!(
                    "the pool's {name} is 0, which allows no connection; it must be at least 1"
                ),
            );
        }
        must(
            !self.idle_timeout.is_zero(),
            "the pool's idle_timeout is zero, so that no connection could be used again".to_owned(),
        );
        must(
            !self.cleanup_period.is_zero(),
            "the pool's cleanup_period is zero, so that the cleaner could run without rest"
                .to_owned(),
        );
        if let Some(lifetime) = self.max_lifetime {
            must(
                lifetime >= self.idle_timeout,
                format!(
                    "the pool's max_lifetime, {lifetime:?}, is shorter than its idle_timeout, \
                     {:?}, which could then never pass",
                    self.idle_timeout
                ),
            );
        }
        must(
            self.acquire_timeout != Some(Duration::ZERO),
            "the pool's acquire_timeout is zero, so that no call could wait in line".to_owned(),
        );
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_setting_gets_its_own_sentence() {
        const SECOND: Duration = Duration::from_secs(1);
        let default = PoolConfig::default();
        for (config, sentence) in [
            (PoolConfig { max_size: 0, ..default }, "max_size is 0"),
            (PoolConfig { max_per_origin: 0, ..default }, "max_per_origin is 0"),
            (PoolConfig { idle_timeout: Duration::ZERO, ..default }, "idle_timeout is zero"),
            (PoolConfig { cleanup_period: Duration::ZERO, ..default }, "cleanup_period is zero"),
            (
                PoolConfig { max_lifetime: Some(SECOND), ..default },
                "max_lifetime, 1s, is shorter than its idle_timeout, 90s",
            ),
            (
                PoolConfig { acquire_timeout: Some(Duration::ZERO), ..default },
                "acquire_timeout is zero",
            ),
        ] {
            let problems = config.problems();
            assert!(problems.len() == 1 && problems[0].contains(sentence), "{problems:?}");
        }
        assert!(default.problems().is_empty());
        let unlimited = PoolConfig { max_lifetime: None, ..default };
        assert!(unlimited.problems().is_empty());
    }
}
