//! The rules of other routers, to compare with.

use std::time::Duration;

use super::{Error, ErrorKind, MILLISECOND, SECOND};

/// How another router chooses. It has no health, breaker or walk of ours.
pub(super) trait Rule {
    /// Chooses the target of an attempt after so many others; `None` if it finds none.
    fn choose(
        &mut self,
        attempts: usize,
        now: Duration,
        random: &mut fastrand::Rng,
    ) -> Option<usize>;

    /// Notes how an attempt ended that took this long.
    fn ended(
        &mut self,
        at: usize,
        failure: Option<&Error>,
        took: Duration,
        tokens: u64,
        now: Duration,
    );

    /// Returns how long a call waits before its next attempt; `None` if it fails.
    fn again(&self, failure: &Error, attempts: usize) -> Option<Duration>;
}

/// LiteLLM's router: it retries twice among the targets that do not cool down, and cools one down
/// for 5 seconds after a rate limit, a refused key or an unknown model, or if more than half of its
/// calls in the calendar minute failed (`router.py`, `router_utils/cooldown_handlers.py`).
pub(super) struct LiteLlm {
    targets: Vec<Deployment>,
    by: By,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// `simple-shuffle`, the default: at random.
    Shuffle,
    /// `latency-based-routing`: the lowest mean of ten samples.
    Latency,
}

#[derive(Default, Clone)]
struct Deployment {
    cools_until: Duration,
    /// Seconds per output token. `[0]` before the first answer.
    samples: Vec<f64>,
    /// The calendar minute, and the calls and failures in it.
    minute: (u64, u32, u32),
}

impl LiteLlm {
    pub(super) fn new(targets: usize, by: By) -> Self {
        Self { targets: vec![Deployment::default(); targets], by }
    }
}

impl Rule for LiteLlm {
    fn choose(&mut self, _: usize, now: Duration, random: &mut fastrand::Rng) -> Option<usize> {
        let is_ready = |at: &usize| self.targets[*at].cools_until <= now;
        let ready: Vec<usize> = (0..self.targets.len()).filter(is_ready).collect();
        let mean = |at: &usize| {
            let samples = &self.targets[*at].samples;
            samples.iter().sum::<f64>() / samples.len().max(1) as f64
        };
        let least = ready.iter().map(mean).fold(f64::INFINITY, f64::min);
        let best: Vec<usize> = match self.by {
            By::Shuffle => ready,
            By::Latency => ready.into_iter().filter(|at| mean(at) <= least).collect(),
        };
        (!best.is_empty()).then(|| best[random.usize(..best.len())])
    }

    fn ended(
        &mut self,
        at: usize,
        failure: Option<&Error>,
        took: Duration,
        tokens: u64,
        now: Duration,
    ) {
        let target = &mut self.targets[at];
        let minute = now.as_secs() / 60;
        if target.minute.0 != minute {
            target.minute = (minute, 0, 0);
        }
        target.minute.1 += 1;
        let Some(failure) = failure else {
            // `latency[: max_latency_list_size - 1] + [final_value]`: nine old ones stay for ever.
            target.samples.truncate(9);
            target.samples.push(took.as_secs_f64() / tokens as f64);
            return;
        };
        target.minute.2 += 1;
        if failure.is_timeout() && self.by == By::Latency {
            target.samples.truncate(9);
            target.samples.push(1_000.0);
        }
        let (_, calls, failed) = target.minute;
        let is_refused = matches!(
            failure.kind(),
            ErrorKind::RateLimited | ErrorKind::Authentication | ErrorKind::NotFound
        );
        // `DEFAULT_FAILURE_THRESHOLD_MINIMUM_REQUESTS`: 5.
        if is_refused || calls >= 5 && f64::from(failed) / f64::from(calls) > 0.5 {
            target.cools_until = now + failure.retry_after().unwrap_or(SECOND * 5);
        }
    }

    fn again(&self, _: &Error, attempts: usize) -> Option<Duration> {
        // It does not wait while other targets are ready.
        (attempts <= 2).then_some(MILLISECOND)
    }
}

/// liter-llm's routers (`tower/router.rs`).
pub(super) struct LiterLlm {
    /// The moving average of each target, in seconds.
    averages: Vec<Option<f64>>,
}

impl LiterLlm {
    /// `LatencyBased`: the lowest moving average, in which failures count like answers. A target
    /// that was never called counts as 0. A failure reaches the caller.
    pub(super) fn new(targets: usize) -> Self {
        Self { averages: vec![None; targets] }
    }
}

impl Rule for LiterLlm {
    fn choose(&mut self, _: usize, _: Duration, _: &mut fastrand::Rng) -> Option<usize> {
        let averages = self.averages.iter().map(|average| average.unwrap_or(0.0));
        averages.enumerate().min_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(at, _)| at)
    }

    fn ended(&mut self, at: usize, _: Option<&Error>, took: Duration, _: u64, _: Duration) {
        let took = took.as_secs_f64();
        let average = &mut self.averages[at];
        *average = Some(average.map_or(took, |old| 0.3 * took + 0.7 * old));
    }

    fn again(&self, _: &Error, _: usize) -> Option<Duration> {
        None
    }
}

/// liter-llm's `Fallback`, and its `CostBased`, which does the same: each target in order, as long
/// as they fail in ways that may pass.
pub(super) struct InOrder(pub(super) usize);

impl Rule for InOrder {
    fn choose(&mut self, attempts: usize, _: Duration, _: &mut fastrand::Rng) -> Option<usize> {
        Some(attempts)
    }

    fn ended(&mut self, _: usize, _: Option<&Error>, _: Duration, _: u64, _: Duration) {}

    fn again(&self, failure: &Error, attempts: usize) -> Option<Duration> {
        let passes = !matches!(failure.kind(), ErrorKind::Authentication | ErrorKind::NotFound);
        (passes && attempts < self.0).then_some(Duration::ZERO)
    }
}
