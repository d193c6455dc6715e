use std::time::Duration;

/// How connections are shared and kept.
///
/// ```
/// use tollgate::PoolConfig;
///
/// let small = PoolConfig { max_size: 8, max_per_origin: 8, ..PoolConfig::default() };
/// # let _ = small;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolConfig {
    /// The most connections in all, in use and idle. Default: 100. Callers beyond
    /// that wait in line, so set it to at least the number of threads that call at
    /// the same time.
    pub max_size: usize,
    /// The most connections to one origin (scheme, host and port). Default: 100.
    pub max_per_origin: usize,
    /// How long a connection may lie idle before it is no longer used. Default:
    /// 90 s. Set it below what a proxy or load balancer on the way allows.
    pub idle_timeout: Duration,
    /// Whether a request is sent once more, on a fresh connection, when a reused
    /// one ends before any byte of the answer. Default: true. Such a connection
    /// was nearly always closed by the server while idle; but the request may have
    /// arrived, so turn this off where answering one twice would do harm.
    pub retry_stale: bool,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            max_size: 100,
            max_per_origin: 100,
            idle_timeout: Duration::from_secs(90),
            retry_stale: true,
        }
    }
}

impl PoolConfig {
    /// What is wrong with the settings, a sentence each.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.max_size == 0 || self.max_per_origin == 0 {
            problems.push(
                "the pool allows no connections; max_size and max_per_origin must be at least 1"
                    .to_owned(),
            );
        }
        problems
    }
}
