//! The settings of the connection pool.

use std::time::Duration;

/// How a client shares and keeps connections.
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
    /// The most connections in total: in use, opening and idle. Default: 100.
    ///
    /// More callers than that wait in a queue. Raise it if more threads call at the same time, or
    /// if more streams are open: each stream holds a connection. Lower it to limit the load on a
    /// server.
    pub max_size: usize,
    /// The most connections to one origin (scheme, host and port). Default: 100.
    ///
    /// Each provider's address is an origin, and all of them share [`max_size`](Self::max_size).
    /// Set it lower than that so that one slow provider cannot take every connection.
    pub max_per_origin: usize,
    /// How long a connection may stay idle before the client closes it. Default: 90 s.
    ///
    /// Set it below the limit of a proxy or load balancer that drops idle connections silently.
    /// Raise it if calls are rare and TLS handshakes expensive.
    pub idle_timeout: Duration,
    /// The minimum time between two sweeps that close expired connections. Default: 1 s.
    ///
    /// The cleaner thread sleeps until the next connection expires; this limits how often it wakes
    /// when they expire one by one. A connection may therefore stay open for up to this much
    /// longer.
    pub cleanup_period: Duration,
    /// How old a connection may get before the client replaces it; `None` for no limit. Default: 30
    /// minutes.
    ///
    /// A new connection resolves the host again, so this is how soon the client follows a DNS
    /// change. Each connection's own limit is up to a tenth shorter, at random, so that connections
    /// opened together are not all replaced together. A connection in use is replaced after its
    /// call.
    pub max_lifetime: Option<Duration>,
    /// The longest a call waits for a free connection; `None` for as long as its timeout allows.
    /// Default: `None`.
    ///
    /// Set it to fail fast when every connection is in use, and to leave the rest of the call's
    /// timeout for the model.
    pub acquire_timeout: Option<Duration>,
    /// Whether the client sends a request a second time, on a fresh connection, if a reused one
    /// closes before the first byte of the response. Default: `true`.
    ///
    /// The server nearly always closed such a connection while it was idle. But the request may
    /// have arrived, so turn this off if serving it twice would do harm. A [budget](crate::Budget)
    /// does not charge the second sending separately. With this setting off, a retry is an attempt
    /// of its own, the budget charges it, and it charges the first attempt as possibly billed. Each
    /// second sending takes a token from the [retry budget](crate::RetryBudget).
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
    /// What is wrong with the settings, one sentence each.
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
                format!("the pool's {name} is 0, which allows no connection; set it to 1 or more"),
            );
        }
        must(
            !self.idle_timeout.is_zero(),
            "the pool's idle_timeout is zero; no connection could ever be reused; set it above zero"
                .to_owned(),
        );
        must(
            !self.cleanup_period.is_zero(),
            "the pool's cleanup_period is zero; the cleaner would never rest; set it above zero"
                .to_owned(),
        );
        if let Some(lifetime) = self.max_lifetime {
            must(
                lifetime >= self.idle_timeout,
                format!(
                    "the pool's max_lifetime of {lifetime:?} is shorter than its idle_timeout of {:?}; \
                     raise the one or lower the other",
                    self.idle_timeout
                ),
            );
        }
        must(
            self.acquire_timeout != Some(Duration::ZERO),
            "the pool's acquire_timeout is zero; no call could wait for a connection; set it \
             above zero, or to None"
                .to_owned(),
        );
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_setting_has_its_own_error() {
        const SECOND: Duration = Duration::from_secs(1);
        let default = PoolConfig::default();
        for (config, sentence) in [
            (PoolConfig { max_size: 0, ..default }, "max_size is 0"),
            (PoolConfig { max_per_origin: 0, ..default }, "max_per_origin is 0"),
            (PoolConfig { idle_timeout: Duration::ZERO, ..default }, "idle_timeout is zero"),
            (PoolConfig { cleanup_period: Duration::ZERO, ..default }, "cleanup_period is zero"),
            (
                PoolConfig { max_lifetime: Some(SECOND), ..default },
                "max_lifetime of 1s is shorter than its idle_timeout of 90s",
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
