//! Routes in virtual time: many calls at simulated targets.

mod calls;
mod cascade;
mod known_failures;
mod naive;
mod promises;
mod rules;
mod simulation;
mod strategies;

use std::collections::{BinaryHeap, HashMap};
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
    rates: fn(Duration) -> (f64, f64, f64),
    /// The output tokens of an answer.
    output: u64,
    /// The most calls in each of these periods. It refuses the others until the period ends.
    limit: Option<(u64, Duration)>,
}

impl Default for Simulated {
    fn default() -> Self {
        Self {
            latency: |_| Duration::from_millis(200),
            failure: |_, _| None,
            rates: |_| (1.0, 0.1, 4.0),
            output: 300,
            limit: None,
        }
    }
}

/// The tokens of each prompt.
const PROMPT: u64 = 1_000;

/// How long a target keeps a prompt in its cache.
const CACHED: Duration = Duration::from_secs(300);

/// The time limit of each call.
const TIMEOUT: Duration = Duration::from_secs(60);

impl Simulated {
    /// What a call with this share of its prompt in the cache costs, in dollars.
    fn cost(&self, cached: f64, output: f64, now: Duration) -> f64 {
        let (input, of_cached, of_output) = (self.rates)(now);
        let prompt = input * (1.0 - cached) + of_cached * cached;
        (prompt * PROMPT as f64 + of_output * output) / 1e6
    }
}

fn server_error() -> Error {
    Error::new(ErrorKind::Server, "it broke").with_status(500)
}

fn rate_limited(wait: Duration) -> Error {
    let error = Error::new(ErrorKind::RateLimited, "slow down").with_status(429);
    error.with_retry_hints(Some(wait), None)
}

/// What came of the calls.
#[derive(Default, Debug)]
struct Report {
    /// The latency of each answered call.
    latencies: Vec<Duration>,
    /// The calls that failed.
    failed: u64,
    attempts: Vec<u64>,
    /// When each target was last tried.
    last_tried: Vec<Duration>,
    /// The most attempts of one call.
    most_attempts: usize,
    cost: f64,
    cache_hits: u64,
    /// Where the choice differs from what the naive breakers allow.
    differences: Vec<String>,
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

/// Who chooses the targets of a call.
enum Way {
    Ours(Walk, Ticket, naive::Permit),
    /// Another router's rule.
    Rule,
}

/// One attempt under way.
struct Running {
    way: Way,
    at: usize,
    key: u64,
    begun: Duration,
    attempt_begun: Duration,
    attempts: usize,
    failure: Option<Error>,
}

/// What happens next to a call.
type Next = Option<(Duration, Event)>;

/// Something that happens at a time.
enum Event {
    Arrives,
    /// An attempt begins.
    Begins {
        walk: Option<Walk>,
        key: u64,
        begun: Duration,
        attempts: usize,
    },
    Ends(Running),
}

/// A world of simulated targets, in which time passes as the calls need it.
struct World {
    start: Instant,
    targets: Vec<Simulated>,
    route: Arc<RouteState>,
    /// Chooses instead of the route.
    rule: Option<Box<dyn rules::Rule>>,
    policy: RetryConfig,
    random: fastrand::Rng,
    /// When each target last served a conversation.
    caches: Vec<HashMap<u64, Duration>>,
    /// The period in which each target was last called, and how often.
    limits: Vec<(u128, u64)>,
    naive: Vec<naive::Breaker>,
    report: Report,
}

impl World {
    fn new(
        targets: Vec<Simulated>,
        strategy: impl Strategy + 'static,
        breaker: BreakerConfig,
    ) -> Self {
        let start = Instant::now();
        let count = targets.len();
        let route = Arc::new(route(count, strategy, breaker, start));
        Self {
            start,
            targets,
            route,
            rule: None,
            policy: RetryConfig::default(),
            random: fastrand::Rng::with_seed(7),
            caches: vec![HashMap::new(); count],
            limits: vec![(0, 0); count],
            naive: (0..count).map(|_| naive::Breaker::new(breaker)).collect(),
            report: Report {
                attempts: vec![0; count],
                last_tried: vec![Duration::ZERO; count],
                ..Report::default()
            },
        }
    }

    /// With another router's rule instead of a route.
    fn of_rule(targets: Vec<Simulated>, rule: impl rules::Rule + 'static) -> Self {
        let world = Self::new(targets, Failover, BreakerConfig::default());
        Self { rule: Some(Box::new(rule)), ..world }
    }

    fn with_seed(self, seed: u64) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), ..self }
    }

    /// Runs `calls` calls that arrive at random, on average one per `gap`, of `conversations`
    /// conversations.
    fn run(mut self, calls: u64, gap: Duration, conversations: u64) -> Report {
        let mut times: BinaryHeap<std::cmp::Reverse<(Duration, u64)>> = BinaryHeap::new();
        let mut events: HashMap<u64, Event> = HashMap::new();
        let mut at = Duration::ZERO;
        for number in 0..calls {
            at += gap.mul_f64(-(1.0 - self.random.f64()).ln());
            times.push(std::cmp::Reverse((at, number)));
        }
        while let Some(std::cmp::Reverse((now, number))) = times.pop() {
            let next = match events.remove(&number).unwrap_or(Event::Arrives) {
                Event::Arrives => {
                    let key = self.random.u64(..conversations);
                    let call = RoutedCall::new(false, key);
                    let is_ours = self.rule.is_none();
                    let walk = is_ours.then(|| Walk::new(Arc::clone(&self.route), call));
                    self.begin(walk, key, now, now, 0)
                }
                Event::Begins { walk, key, begun, attempts } => {
                    self.begin(walk, key, begun, now, attempts)
                }
                Event::Ends(attempt) => self.ended(attempt, now),
            };
            if let Some((at, event)) = next {
                events.insert(number, event);
                times.push(std::cmp::Reverse((at, number)));
            }
        }
        self.report
    }

    /// Begins an attempt.
    fn begin(
        &mut self,
        walk: Option<Walk>,
        key: u64,
        begun: Duration,
        now: Duration,
        attempts: usize,
    ) -> Next {
        let chosen = match walk {
            Some(walk) => self.chosen(walk, now),
            None => {
                let rule = self.rule.as_mut()?;
                rule.choose(attempts, now, &mut self.random).map(|at| (at, Way::Rule))
            }
        };
        let Some((at, way)) = chosen else {
            self.report.failed += 1;
            return None;
        };
        self.report.attempts[at] += 1;
        self.report.last_tried[at] = now;
        self.report.most_attempts = self.report.most_attempts.max(attempts + 1);
        let failure = self.failure(at, now);
        let latency = (self.targets[at].latency)(now).mul_f64(0.8 + 0.4 * self.random.f64());
        let after = match &failure {
            None => latency,
            Some(error) if error.is_timeout() => SECOND * 5,
            // Most failures are fast.
            Some(_) => MILLISECOND * 5,
        };
        let attempts = attempts + 1;
        let attempt = Running { way, at, key, begun, attempt_begun: now, attempts, failure };
        Some((now + after, Event::Ends(attempt)))
    }

    /// Lets the route choose, and compares what it may choose with the naive breakers.
    fn chosen(&mut self, mut walk: Walk, now: Duration) -> Option<(usize, Way)> {
        let random = &mut self.random;
        let targets = &self.targets;
        let cost = |at: usize, expected: Expected| {
            let cost = targets[at].cost(expected.cached_share, expected.output_tokens, now);
            Money::try_from(cost).ok()
        };
        match walk.choose(self.start + now, &mut || random.f64(), &cost) {
            Chosen::Target(at, ticket) => {
                let permit = self.naive[at].begins(now);
                let permit = permit.unwrap_or_else(|why| {
                    self.report.differences.push(format!("t{at} at {now:?}: {why}"));
                    naive::Permit::default()
                });
                Some((at, Way::Ours(walk, ticket, permit)))
            }
            Chosen::Resting { .. } => {
                if self.naive.iter().any(|breaker| breaker.is_ready(now)) {
                    self.report.differences.push(format!("at {now:?}: a target was ready"));
                }
                None
            }
            Chosen::None | Chosen::Full(_) => None,
        }
    }

    /// What an attempt at a target would see.
    fn failure(&mut self, at: usize, now: Duration) -> Option<Error> {
        let random = self.random.f64();
        let target = &self.targets[at];
        if let Some((most, period)) = target.limit {
            let current = now.as_nanos() / period.as_nanos();
            let (last, calls) = &mut self.limits[at];
            if *last != current {
                (*last, *calls) = (current, 0);
            }
            *calls += 1;
            if *calls > most {
                let ends = period.mul_f64((current + 1) as f64);
                return Some(rate_limited(ends.saturating_sub(now)));
            }
        }
        (target.failure)(now, random)
    }

    /// Counts an answer, and returns whether its prompt came from the cache, and its cost.
    fn answer(&mut self, at: usize, key: u64, now: Duration) -> (bool, f64) {
        let hit = self.caches[at].get(&key).is_some_and(|last| now - *last < CACHED);
        self.caches[at].insert(key, now);
        self.report.cache_hits += u64::from(hit);
        let target = &self.targets[at];
        let cost = target.cost(if hit { 1.0 } else { 0.0 }, target.output as f64, now);
        self.report.cost += cost;
        (hit, cost)
    }

    /// Ends an attempt, and begins the next one of the call if there is one.
    fn ended(&mut self, attempt: Running, now: Duration) -> Next {
        let Running { way, at, key, begun, attempt_begun, attempts, failure } = attempt;
        let (instant, after) = (self.start + now, now - attempt_begun);
        let (mut walk, mut ticket, permit) = match way {
            Way::Ours(walk, ticket, permit) => (walk, ticket, permit),
            Way::Rule => {
                let output = self.targets[at].output;
                let rule = self.rule.as_mut()?;
                rule.ended(at, failure.as_ref(), after, output, now);
                let again = failure.as_ref().and_then(|error| rule.again(error, attempts));
                match (failure, again) {
                    (None, _) => {
                        self.answer(at, key, now);
                        self.report.latencies.push(now - begun);
                    }
                    (Some(_), Some(wait)) => {
                        let next = Event::Begins { walk: None, key, begun, attempts };
                        return Some((now + wait, next));
                    }
                    (Some(_), None) => self.report.failed += 1,
                }
                return None;
            }
        };
        let Some(error) = failure else {
            let (hit, _) = self.answer(at, key, now);
            let tokens = self.targets[at].output;
            ticket.served(instant);
            self.naive[at].ends(permit, Outcome::Served, now);
            ticket.answered(
                &Answered {
                    whole: Some(after),
                    written: Some((after, tokens)),
                    input_tokens: PROMPT,
                    cached_tokens: if hit { PROMPT } else { 0 },
                    output_tokens: tokens,
                    ..Answered::default()
                },
                instant,
            );
            walk.answered(instant);
            self.report.latencies.push(now - begun);
            return None;
        };
        let rest = BreakerConfig::default().rest;
        self.naive[at].ends(permit, outcome::outcome(&error, rest), now);
        ticket.failed(&error, after, false, instant);
        drop(ticket);
        let failed = Failed {
            error: &error,
            policy: &self.policy,
            retries: 0,
            ours: self.policy.backoff_with_seed(key).draw(),
            left: Some((begun + TIMEOUT).saturating_sub(now)),
        };
        let wait = match walk.failed(&failed, instant) {
            Decision::FailOver | Decision::MoveUp => Duration::ZERO,
            Decision::Retry { after, .. } => after,
            Decision::GiveUp(_) => {
                self.report.failed += 1;
                return None;
            }
        };
        Some((now + wait, Event::Begins { walk: Some(walk), key, begun, attempts }))
    }
}

/// A route over targets named t0, t1 and so on.
fn route(
    targets: usize,
    strategy: impl Strategy + 'static,
    breaker: BreakerConfig,
    now: Instant,
) -> RouteState {
    let target = |at: usize| RoutedTarget::plain(format!("t{at}"), breaker, now);
    let targets = (0..targets).map(target).collect();
    RouteState::new("r".into(), Arc::new(strategy), Rules::DEFAULT, targets)
}
