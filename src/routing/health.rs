//! What has been measured of a target.

use std::time::{Duration, Instant};

use super::ewma::Ewma;
use super::latencies::Latencies;
use super::window::{Sum, Window};
use crate::money::Money;
use crate::usage::Usage;

/// How fast the moving average of the latency forgets.
const DECAY: Duration = Duration::from_secs(10);

/// How long the other measurements count.
const WINDOW: Duration = Duration::from_secs(300);

/// What has been measured of a target's answers.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    /// Seconds from sending a request to its whole answer.
    whole: Ewma,
    /// Seconds from sending a request to the first event of its stream.
    first_token: Ewma,
    first_tokens: Window<Mean>,
    answers: Window<Answers>,
    /// For hedges, kept only if a route needs them.
    percentiles: Option<Box<Percentiles>>,
    /// Calls in progress.
    pub(crate) in_flight: u32,
}

/// The latencies behind the 95th percentiles.
#[derive(Debug, Clone, Default)]
struct Percentiles {
    whole: Latencies,
    first_token: Latencies,
}

impl Percentiles {
    fn of(&mut self, streamed: bool) -> &mut Latencies {
        if streamed { &mut self.first_token } else { &mut self.whole }
    }
}

/// What an answer showed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Answered {
    /// The time to the first event of a stream.
    pub(crate) first_token: Option<Duration>,
    /// The time to the whole answer.
    pub(crate) whole: Option<Duration>,
    /// How long the model wrote, and how much.
    pub(crate) written: Option<(Duration, u64)>,
    pub(crate) input_tokens: u64,
    pub(crate) cached_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) cost: Option<Money>,
}

impl Answered {
    /// What an answer shows that took this long to write.
    pub(crate) fn of(usage: &Usage, cost: Option<Money>, written: Duration) -> Self {
        Self {
            written: Some((written, usage.completion_tokens)),
            input_tokens: usage.prompt_tokens,
            cached_tokens: usage.cached_tokens,
            output_tokens: usage.completion_tokens,
            cost,
            ..Self::default()
        }
    }
}

/// What answers that have ended showed, in one window: a call adds to all of it at once.
#[derive(Debug, Clone, Copy, Default)]
struct Answers {
    /// Output tokens, by the seconds that the model wrote.
    speed: Mean,
    output: Mean,
    /// Cached input tokens, by all input tokens.
    cached: Mean,
    cost: Money,
    costs: u64,
}

impl Sum for Answers {
    fn add(&mut self, other: Self) {
        self.speed.add(other.speed);
        self.output.add(other.output);
        self.cached.add(other.cached);
        self.cost += other.cost;
        self.costs += other.costs;
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Sum for Mean {
    fn add(&mut self, other: Self) {
        self.sum += other.sum;
        self.count += other.count;
    }
}

impl Mean {
    const fn of(value: f64) -> Self {
        Self { sum: value, count: 1.0 }
    }

    fn get(self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

impl Health {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            whole: Ewma::new(DECAY, WINDOW),
            first_token: Ewma::new(DECAY, WINDOW),
            first_tokens: Window::new(now, WINDOW),
            answers: Window::new(now, WINDOW),
            percentiles: None,
            in_flight: 0,
        }
    }

    /// Keeps from now on what the 95th percentiles need.
    pub(crate) fn keep_percentiles(&mut self) {
        self.percentiles.get_or_insert_default();
    }

    /// Adds what an answer showed. Failures have no part in it: they are often fast.
    pub(crate) fn answered(&mut self, answer: &Answered, now: Instant) {
        if let Some(after) = answer.first_token {
            self.first_token.add_peak(after.as_secs_f64(), now);
            self.first_tokens.add(Mean::of(after.as_secs_f64()), now);
        }
        if let Some(after) = answer.whole {
            self.whole.add_peak(after.as_secs_f64(), now);
        }
        if let Some(percentiles) = &mut self.percentiles {
            for (streamed, after) in [(true, answer.first_token), (false, answer.whole)] {
                if let Some(after) = after {
                    percentiles.of(streamed).add(after, now);
                }
            }
        }
        let mut shown = Answers::default();
        if let Some((time, tokens)) = answer.written.filter(|(time, _)| !time.is_zero()) {
            // Long answers count more: their pace is better known.
            shown.speed = Mean { sum: tokens as f64, count: time.as_secs_f64() };
        }
        if answer.output_tokens > 0 {
            shown.output = Mean::of(answer.output_tokens as f64);
        }
        if answer.input_tokens > 0 {
            let (cached, all) = (answer.cached_tokens as f64, answer.input_tokens as f64);
            shown.cached = Mean { sum: cached.min(all), count: all };
        }
        if let Some(cost) = answer.cost {
            (shown.cost, shown.costs) = (cost, 1);
        }
        self.answers.add(shown, now);
    }

    /// Adds how long a call waited in vain: the target is at least that slow. It counts as one value
    /// among others, because a busy target may lose a call now and then. If the target hangs, its
    /// calls in progress raise its load at once.
    pub(crate) fn timed_out(&mut self, after: Duration, streamed: bool, now: Instant) {
        let average = if streamed { &mut self.first_token } else { &mut self.whole };
        if average.get(now).is_none_or(|seconds| seconds < after.as_secs_f64()) {
            average.add(after.as_secs_f64(), now);
        }
        if let Some(percentiles) = &mut self.percentiles {
            percentiles.of(streamed).add_cut_off(after, now);
        }
        let seconds = after.as_secs_f64();
        // A target that has never answered in time must not pass for one that nobody has tried.
        if streamed && self.first_token(now).is_none_or(|mean| mean < seconds) {
            self.first_tokens.add(Mean::of(seconds), now);
        }
        if self.tokens_per_second(now).is_none() {
            let speed = Mean { sum: 0.0, count: seconds };
            self.answers.add(Answers { speed, ..Answers::default() }, now);
        }
    }

    /// Returns the latency that 95 % of the answers do not exceed: to the first event for streams.
    /// `None` if there are too few, or if no route needs it.
    pub(crate) fn p95(&mut self, streamed: bool, now: Instant) -> Option<Duration> {
        self.percentiles.as_mut()?.of(streamed).p95(now)
    }

    /// Returns the moving average of the latency, in seconds: to the first event for streams.
    /// `None` if nothing was measured in the last five minutes. Otherwise a target that was slow
    /// once, and gets no calls because of that, could never show that it is fast again.
    pub(crate) fn latency(&self, streamed: bool, now: Instant) -> Option<f64> {
        let average = if streamed { &self.first_token } else { &self.whole };
        average.get(now)
    }

    /// Returns the mean time to the first event, in seconds.
    pub(crate) fn first_token(&mut self, now: Instant) -> Option<f64> {
        self.first_tokens.sum(now).get()
    }

    /// Returns the output tokens per second.
    pub(crate) fn tokens_per_second(&mut self, now: Instant) -> Option<f64> {
        self.answers.sum(now).speed.get()
    }

    /// Returns the mean number of output tokens.
    pub(crate) fn output_tokens(&mut self, now: Instant) -> Option<f64> {
        self.answers.sum(now).output.get()
    }

    /// Returns the share of input tokens that came from a prompt cache.
    pub(crate) fn cached_share(&mut self, now: Instant) -> Option<f64> {
        self.answers.sum(now).cached.get()
    }

    /// Returns the mean cost of a call, in dollars.
    pub(crate) fn cost(&mut self, now: Instant) -> Option<f64> {
        let Answers { cost, costs, .. } = self.answers.sum(now);
        (costs > 0).then(|| cost.as_dollars() / costs as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn answers_are_averaged_over_the_window() {
        let start = Instant::now();
        let mut health = Health::new(start);
        assert_eq!(health.latency(true, start), None);
        for (tokens, seconds) in [(100, 1), (300, 3)] {
            health.answered(
                &Answered {
                    first_token: Some(SECOND * seconds),
                    written: Some((SECOND * seconds, tokens)),
                    input_tokens: 100 * tokens,
                    cached_tokens: 25 * tokens,
                    output_tokens: tokens,
                    cost: Some(Money::cents(2)),
                    ..Answered::default()
                },
                start,
            );
        }
        assert_eq!(health.first_token(start), Some(2.0));
        assert_eq!(health.tokens_per_second(start), Some(100.0));
        assert_eq!(health.output_tokens(start), Some(200.0));
        assert_eq!(health.cached_share(start), Some(0.25));
        assert_eq!(health.cost(start), Some(0.02));
        assert_eq!((health.latency(true, start), health.latency(false, start)), (Some(3.0), None));
        assert_eq!(health.first_token(start + WINDOW * 2), None);
    }

    #[test]
    fn a_timeout_makes_a_target_slow_and_never_fast() {
        let now = Instant::now();
        let mut health = Health::new(now);
        health.timed_out(SECOND * 5, false, now);
        assert_eq!(health.latency(false, now), Some(5.0));
        health.timed_out(SECOND, false, now + SECOND * 100);
        assert_eq!(health.latency(false, now), Some(5.0));
        assert_eq!(health.tokens_per_second(now), Some(0.0), "it has been tried");
        assert_eq!(health.first_token(now), None);
        health.timed_out(SECOND * 5, true, now);
        health.timed_out(SECOND, true, now);
        assert_eq!(health.first_token(now), Some(5.0));
    }

    #[test]
    fn the_percentiles_of_whole_answers_and_streams_are_kept_apart_and_only_if_needed() {
        let now = Instant::now();
        let fill = |health: &mut Health| {
            for seconds in 1..=20 {
                let (whole, first_token) = (Some(SECOND * seconds), Some(SECOND * seconds / 10));
                health.answered(&Answered { whole, first_token, ..Answered::default() }, now);
            }
        };
        let mut health = Health::new(now);
        fill(&mut health);
        assert_eq!(health.p95(false, now), None);
        health.keep_percentiles();
        fill(&mut health);
        assert_eq!(health.p95(false, now), Some(SECOND * 19));
        assert_eq!(health.p95(true, now), Some(SECOND * 19 / 10));
        (0..3).for_each(|_| health.timed_out(SECOND * 30, false, now));
        assert_eq!(health.p95(false, now), Some(SECOND * 22));
    }

    #[test]
    fn one_timeout_among_many_answers_hardly_counts() {
        let now = Instant::now();
        let mut health = Health::new(now);
        let answer = Answered { whole: Some(SECOND), ..Answered::default() };
        health.answered(&answer, now);
        let later = now + Duration::from_millis(100);
        health.timed_out(SECOND * 60, false, later);
        assert!(health.latency(false, later).is_some_and(|seconds| seconds < 2.0));
        health.timed_out(SECOND * 60, false, later + SECOND * 20);
        assert!(health.latency(false, later).is_some_and(|seconds| seconds > 50.0));
    }

    #[test]
    fn a_latency_is_forgotten_after_five_minutes_without_a_measurement() {
        let now = Instant::now();
        let mut health = Health::new(now);
        health.answered(&Answered { whole: Some(SECOND * 60), ..Answered::default() }, now);
        let later = now + WINDOW;
        assert_eq!(health.latency(false, later - SECOND), Some(60.0));
        assert_eq!(health.latency(false, later), None);
    }
}
