//! The waits between retries: exponential, capped, with jitter.

use std::time::Duration;

use super::RetryConfig;

/// The waits before each retry: exponential, capped, and shortened by jitter.
///
/// Wait number `n`, counted from 0, is
/// `min(initial_interval · multiplierⁿ, max_interval) · (1 − jitter · random)`,
/// the formula of the official SDKs (openai-python, `_base_client.py`, `_calculate_retry_timeout`).
/// Jitter takes at most a fixed share off each wait. "Full jitter", which draws from zero up to the
/// whole wait, would waste one of a few retries on a wait close to zero. Set `jitter` to 1 for full
/// jitter.
///
/// ```
/// use std::time::Duration;
/// use tollgate::RetryConfig;
///
/// let even = RetryConfig { jitter: 0.0, ..RetryConfig::default() };
/// let waits: Vec<_> = even.backoff().take(6).map(|wait| wait.as_secs_f64()).collect();
/// assert_eq!(waits, [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]);
/// ```
#[derive(Debug, Clone)]
pub struct Backoff {
    config: RetryConfig,
    random: fastrand::Rng,
    /// The next wait without jitter, in seconds.
    interval: f64,
}

/// One draw from a [`Backoff`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draw {
    /// How long to wait.
    pub(crate) wait: Duration,
    /// How much jitter shortened it. The same amount spreads out clients that a server told the
    /// same wait.
    pub(crate) spread: Duration,
    /// The share that jitter took off, up to the `jitter` setting.
    pub(crate) share: f64,
}

impl Backoff {
    pub(super) fn new(config: RetryConfig, random: fastrand::Rng) -> Self {
        let interval = config.initial_interval.min(config.max_interval).as_secs_f64();
        Self { config, random, interval }
    }

    pub(crate) fn draw(&mut self) -> Draw {
        let most = self.config.max_interval;
        let share = self.config.jitter * self.random.f64();
        let spread = self.interval * share;
        let wait = self.interval - spread;
        self.interval = (self.interval * self.config.multiplier).min(most.as_secs_f64());
        let bounded = |seconds| Duration::try_from_secs_f64(seconds).map_or(most, |d| d.min(most));
        Draw { wait: bounded(wait), spread: bounded(spread), share }
    }
}

/// This iterator never ends.
impl Iterator for Backoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.draw().wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random_config(random: &mut fastrand::Rng) -> RetryConfig {
        let initial = Duration::from_micros(random.u64(1..10_000_000));
        RetryConfig {
            initial_interval: initial,
            max_interval: initial + Duration::from_micros(random.u64(0..60_000_000)),
            multiplier: 1.0 + random.f64() * 3.0,
            jitter: random.f64(),
            ..RetryConfig::default()
        }
    }

    #[test]
    fn every_wait_lies_within_the_jitter_of_its_interval() {
        let mut random = fastrand::Rng::with_seed(7);
        for seed in 0..500 {
            let config = random_config(&mut random);
            let most = config.max_interval.as_secs_f64();
            let mut interval = config.initial_interval.as_secs_f64();
            for wait in config.backoff_with_seed(seed).take(30) {
                let (wait, least) = (wait.as_secs_f64(), interval * (1.0 - config.jitter));
                assert!(wait <= interval + 1e-8 && wait >= least - 1e-8, "{config:?} {wait}");
                interval = (interval * config.multiplier).min(most);
            }
        }
    }

    #[test]
    fn without_jitter_waits_grow_by_the_multiplier_up_to_the_cap() {
        let config = RetryConfig { jitter: 0.0, multiplier: 3.0, ..RetryConfig::default() };
        let waits: Vec<_> = config.backoff().take(5).map(|wait| wait.as_millis()).collect();
        assert_eq!(waits, [500, 1500, 4500, 8000, 8000]);
        let level = RetryConfig { multiplier: 1.0, ..config };
        assert!(level.backoff().take(9).all(|wait| wait == level.initial_interval));
    }

    #[test]
    fn waits_are_spread_evenly_over_the_jitter() {
        let config = RetryConfig { multiplier: 1.0, ..RetryConfig::default() };
        let mut tenths = [0_u32; 10];
        let mut sum = Duration::ZERO;
        for wait in config.backoff_with_seed(42).take(10_000) {
            sum += wait;
            // Waits range from 375 ms to 500 ms.
            let tenth = (wait.as_micros() - 375_000) / 12_500;
            tenths[usize::try_from(tenth).unwrap().min(9)] += 1;
        }
        assert!(tenths.iter().all(|count| (850..1150).contains(count)), "{tenths:?}");
        let mean = (sum / 10_000).as_secs_f64();
        assert!((0.435..0.440).contains(&mean), "{mean}");
    }

    #[test]
    fn full_jitter_ranges_from_zero_to_the_whole_interval() {
        let config = RetryConfig { jitter: 1.0, multiplier: 1.0, ..RetryConfig::default() };
        let waits: Vec<_> = config.backoff_with_seed(1).take(10_000).collect();
        assert!(waits.iter().min() < Some(&Duration::from_millis(1)));
        assert!(waits.iter().max() > Some(&Duration::from_millis(499)));
    }

    #[test]
    fn two_clients_differ_and_the_same_seed_repeats() {
        let config = RetryConfig::default();
        let draws = |backoff: Backoff| backoff.take(20).collect::<Vec<_>>();
        let (one, other) = (draws(config.backoff()), draws(config.backoff()));
        assert!(one.iter().zip(&other).all(|(one, other)| one != other));
        assert_eq!(draws(config.backoff_with_seed(3)), draws(config.backoff_with_seed(3)));
    }

    #[test]
    fn extreme_settings_do_not_overflow() {
        for jitter in [0.0, 1.0] {
            let config = RetryConfig {
                initial_interval: Duration::MAX,
                max_interval: Duration::MAX,
                multiplier: f64::MAX,
                jitter,
                ..RetryConfig::default()
            };
            assert_eq!(config.backoff().take(50).count(), 50);
            let none = RetryConfig { initial_interval: Duration::ZERO, ..config };
            assert!(none.backoff().take(50).all(|wait| wait.is_zero()));
        }
    }
}
