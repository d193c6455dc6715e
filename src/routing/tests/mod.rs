//! Routes in virtual time: many calls at simulated targets.

mod promises;
mod strategies;

use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::state::RoutedTarget;
use super::*;
use crate::error::{Decision, Error, ErrorKind};
use crate::money::Money;
use crate::retry::{Failed, RetryConfig};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A simulated target: what an attempt that begins at a time would see.
struct Simulated {
    /// The median latency.
    latency: fn(Duration) -> Duration,
    /// The failure of an attempt; `None` for an answer. The number is random, from 0 to 1.
    failure: fn(Duration, f64) -> Option<Error>,
    /// Dollars per million tokens of input, cached input and output.
    rates: (f64, f64, f64),
    /// The output tokens of an answer.
    output: u64,
}

impl Default for Simulated {
    fn default() -> Self {
        Self {
            latency: |_| Duration::from_millis(200),
            failure: |_, _| None,
            rates: (1.0, 0.1, 4.0),
            output: 300,
        }
    }
}

fn server_error() -> Error {
    Error::new(ErrorKind::Server, "it broke").with_status(500)
}

/// What came of the calls.
#[derive(Default, Debug)]
struct Report {
    /// The latency of each answered call.
    latencies: Vec<Duration>,
    /// The calls that failed.
    failed: u64,
    attempts: Vec<u64>,
    /// The most attempts of one call.
    most_attempts: usize,
    cost: f64,
    cache_hits: u64,
    /// Attempts that were admitted while the target rested, other than probes.
    while_resting: u64,
}

impl Report {
    fn quantile(&mut self, share: f64) -> Duration {
        self.latencies.sort_unstable();
        let last = self.latencies.len().saturating_sub(1);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let at = (share * last as f64).round() as usize;
        self.latencies.get(at).copied().unwrap_or_default()
    }
}

/// One call on its way.
struct Running {
    walk: Walk,
    ticket: Ticket,
    at: usize,
    key: u64,
    begun: Duration,
    attempt_begun: Duration,
    attempts: usize,
    failure: Option<Error>,
}

/// A world of simulated targets, in which time passes as the calls need it.
struct World {
    start: Instant,
    targets: Vec<Simulated>,
    route: Arc<RouteState>,
    policy: RetryConfig,
    random: fastrand::Rng,
    /// When each target last served a conversation.
    caches: Vec<std::collections::HashMap<u64, Duration>>,
    report: Report,
}

impl World {
    fn new(
        targets: Vec<Simulated>,
        strategy: impl Strategy + 'static,
        breaker: BreakerConfig,
    ) -> Self {
        let start = Instant::now();
        let routed = (0..targets.len())
            .map(|at| RoutedTarget {
                name: format!("t{at}"),
                weight: 1.0,
                region: None,
                context_window: None,
                state: Arc::new(TargetState::new("acme", &format!("t{at}"), breaker, start)),
            })
            .collect();
        let rules =
            Rules { short_wait: SECOND * 2, reroute_refusals: false, wait_for_targets: false };
        let route = Arc::new(RouteState::new("r".into(), Arc::new(strategy), rules, routed));
        let report = Report { attempts: vec![0; targets.len()], ..Report::default() };
        let caches = targets.iter().map(|_| Default::default()).collect();
        Self {
            start,
            targets,
            route,
            policy: RetryConfig::default(),
            random: fastrand::Rng::with_seed(7),
            caches,
            report,
        }
    }

    /// Runs `calls` calls that arrive at random, on average one per `gap`, of `conversations`
    /// conversations. A `plain` rule chooses instead of the strategy if there is one.
    fn run(mut self, calls: u64, gap: Duration, conversations: u64) -> Report {
        let mut events: BinaryHeap<std::cmp::Reverse<(Duration, u64)>> = BinaryHeap::new();
        let mut running: std::collections::HashMap<u64, Running> = Default::default();
        let mut at = Duration::ZERO;
        for number in 0..calls {
            at += gap.mul_f64(-(1.0 - self.random.f64()).ln());
            events.push(std::cmp::Reverse((at, number)));
        }
        while let Some(std::cmp::Reverse((now, number))) = events.pop() {
            let ends = match running.remove(&number) {
                None => {
                    let key = self.random.u64(..conversations);
                    let walk = Walk::new(Arc::clone(&self.route), RoutedCall::new(false, key));
                    self.attempt(walk, key, now, now, 0)
                }
                Some(call) => self.ended(call, now),
            };
            if let Some((at, call)) = ends {
                running.insert(number, call);
                events.push(std::cmp::Reverse((at, number)));
            }
        }
        self.report
    }

    /// Begins an attempt. Returns when it will end.
    fn attempt(
        &mut self,
        mut walk: Walk,
        key: u64,
        begun: Duration,
        now: Duration,
        attempts: usize,
    ) -> Option<(Duration, Running)> {
        let instant = self.start + now;
        let resting: Vec<_> =
            self.route.targets.iter().map(|target| target.state.rests(instant)).collect();
        let random = &mut self.random;
        let (targets, caches) = (&self.targets, &self.caches);
        let cost = |at: usize, expected: Expected| {
            let _ = caches;
            let (input, cached, output) = targets[at].rates;
            let price = input * (1.0 - expected.cached_share) + cached * expected.cached_share;
            Money::try_from((price * 1_000.0 + output * expected.output_tokens) / 1e6).ok()
        };
        let (at, ticket) = match walk.choose(instant, &mut || random.f64(), &cost) {
            Chosen::Target(at, ticket) => (at, ticket),
            Chosen::Resting { .. } | Chosen::None => {
                self.report.failed += 1;
                return None;
            }
        };
        self.report.while_resting += u64::from(resting[at].is_some());
        self.report.attempts[at] += 1;
        self.report.most_attempts = self.report.most_attempts.max(attempts + 1);
        let failure = (self.targets[at].failure)(now, self.random.f64());
        let latency = (self.targets[at].latency)(now).mul_f64(0.8 + 0.4 * self.random.f64());
        let call = Running {
            walk,
            ticket,
            at,
            key,
            begun,
            attempt_begun: now,
            attempts: attempts + 1,
            failure,
        };
        // Failures are fast.
        let after = if call.failure.is_some() { MILLISECOND * 5 } else { latency };
        Some((now + after, call))
    }

    /// Ends an attempt, and begins the next one of the call if there is one.
    fn ended(&mut self, call: Running, now: Duration) -> Option<(Duration, Running)> {
        let Running { mut walk, mut ticket, at, key, begun, attempt_begun, attempts, failure } =
            call;
        let (instant, after) = (self.start + now, now - attempt_begun);
        let Some(error) = failure else {
            let hit = self.caches[at].get(&key).is_some_and(|last| now - *last < SECOND * 300);
            self.caches[at].insert(key, now);
            self.report.cache_hits += u64::from(hit);
            let (input, cached, output) = self.targets[at].rates;
            let tokens = self.targets[at].output;
            let cost = (if hit { cached } else { input } * 1_000.0 + output * tokens as f64) / 1e6;
            self.report.cost += cost;
            ticket.served(instant);
            ticket.answered(
                &Answered {
                    whole: Some(after),
                    written: Some((after, tokens)),
                    input_tokens: 1_000,
                    cached_tokens: if hit { 1_000 } else { 0 },
                    output_tokens: tokens,
                    ..Answered::default()
                },
                instant,
            );
            walk.answered(instant);
            self.report.latencies.push(now - begun);
            return None;
        };
        ticket.failed(&error, after, false, instant);
        drop(ticket);
        let failed = Failed {
            error: &error,
            policy: &self.policy,
            retries: 0,
            ours: self.policy.backoff().draw(),
            left: Some(SECOND * 60),
        };
        match walk.failed(&failed, instant) {
            Decision::FailOver => self.attempt(walk, key, begun, now, attempts),
            Decision::Retry { after, .. } => self.attempt(walk, key, begun, now + after, attempts),
            Decision::GiveUp(_) => {
                self.report.failed += 1;
                None
            }
        }
    }
}
