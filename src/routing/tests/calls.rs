//! Calls one after the other, by the loop that every call of a client runs through: in random
//! worlds, with a clock that only waits and attempts move on.

use std::sync::Mutex;

use super::*;
use crate::bounds::Bounds;
use crate::cancel::CancelToken;
use crate::deadline::Deadline;
use crate::error::Phase;
use crate::retry::{self, Bucket, Retrier, RetryBudget, SecondSending, Sleeper, Steps, Turn};

/// A clock that stands still between waits and attempts.
struct Clock(Mutex<Instant>);

impl Clock {
    fn now(&self) -> Instant {
        *self.0.lock().unwrap()
    }

    fn pass(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

impl Sleeper for Clock {
    fn sleep(&self, wait: Duration, _: Option<&CancelToken>) {
        self.pass(wait);
    }
}

struct Anywhere;

impl retry::Target for Anywhere {
    fn provider(&self) -> &str {
        "acme"
    }

    fn model(&self) -> &str {
        "m"
    }
}

/// The steps of a call, as `call/routed.rs` takes them.
struct Call<'a> {
    clock: &'a Clock,
    random: &'a mut fastrand::Rng,
    walk: Walk,
    chosen: Option<(usize, Ticket)>,
    deadline: Instant,
    /// The share of attempts that fail.
    failing: f64,
    /// A target that always fails, at a short rate limit.
    limited: Option<usize>,
    naive: &'a mut [naive::Breaker],
    start: Instant,
    /// The targets of its attempts.
    attempts: Vec<usize>,
}

impl Call<'_> {
    fn failure(&mut self, at: usize) -> Option<Error> {
        if self.limited == Some(at) {
            return Some(rate_limited(MILLISECOND * 100));
        }
        let of = |kind, status| Error::new(kind, "failed").with_status(status);
        (self.random.f64() < self.failing).then(|| match self.random.u8(..7) {
            0 => of(ErrorKind::Server, 500),
            1 => of(ErrorKind::Overloaded, 529),
            2 => Error::new(ErrorKind::Connection, "reset").with_phase(Phase::FirstByte),
            3 => rate_limited(MILLISECOND * self.random.u32(..5_000)),
            4 => rate_limited(SECOND * self.random.u32(2..200)),
            5 => of(ErrorKind::Authentication, 401),
            _ => Error::timeout(Phase::FirstByte),
        })
    }
}

impl Steps for Call<'_> {
    type Target = Anywhere;
    type Answer = ();

    fn choose(&mut self) -> Result<Turn<Anywhere>, Error> {
        let now = self.clock.now();
        match self.walk.choose(now, &mut || self.random.f64(), &|_, _| None) {
            Chosen::Target(at, ticket) => {
                self.chosen = Some((at, ticket));
                Ok(Turn::Attempt(Anywhere))
            }
            Chosen::Full(_) | Chosen::None => {
                Err(Error::new(ErrorKind::Configuration, "no target"))
            }
            Chosen::Resting { until, .. } => {
                let wait = (until.saturating_duration_since(now)).max(MILLISECOND * 50);
                let waits = self.walk.route.rules.wait_for_targets;
                if waits && now + wait < self.deadline {
                    return Ok(Turn::Wait(wait));
                }
                Err(Error::new(ErrorKind::Overloaded, "all rest"))
            }
        }
    }

    fn attempt(
        &mut self,
        _: Anywhere,
        _: u32,
        begun: Instant,
        _: &mut SecondSending<'_>,
    ) -> Result<(), Error> {
        let (at, mut ticket) = self.chosen.take().expect("a target was chosen");
        assert!(begun < self.deadline, "nothing is sent after the deadline");
        let permit = self.naive[at].begins(begun - self.start);
        let permit = permit.unwrap_or_else(|why| panic!("t{at}: {why}"));
        self.attempts.push(at);
        // The deadline of the call ends an attempt, too.
        let took = MILLISECOND * self.random.u32(1..3_000);
        let took = took.min(self.deadline - begun);
        self.clock.pass(took);
        let now = self.clock.now();
        let (outcome, result) = match self.failure(at) {
            None => {
                ticket.served(now);
                (Outcome::Served, Ok(()))
            }
            Some(error) => {
                ticket.failed(&error, took, false, now);
                (outcome::outcome(&error, BreakerConfig::default().rest), Err(error))
            }
        };
        self.naive[at].ends(permit, outcome, now - self.start);
        result
    }

    fn decide(&mut self, failed: &Failed<'_>) -> Decision {
        self.walk.failed(failed, self.clock.now())
    }

    fn without_retry(&mut self) -> Decision {
        self.walk.without_retry()
    }

    fn ended(&mut self, _: &crate::error::Attempt) {}
}

/// A route, and everything that its calls share.
struct Client {
    route: Arc<RouteState>,
    clock: Clock,
    start: Instant,
    policy: RetryConfig,
    bucket: Bucket,
    naive: Vec<naive::Breaker>,
    random: fastrand::Rng,
}

impl Client {
    fn new(seed: u64, targets: usize, policy: RetryConfig, waits: bool) -> Self {
        let start = Instant::now();
        let mut route = route(targets, Failover, BreakerConfig::default(), start);
        route.rules.wait_for_targets = waits;
        let naive = (0..targets).map(|_| naive::Breaker::new(BreakerConfig::default()));
        Self {
            route: Arc::new(route),
            clock: Clock(Mutex::new(start)),
            start,
            policy,
            bucket: Bucket::new(policy.budget),
            naive: naive.collect(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Makes a call. Returns the targets of its attempts.
    fn call(
        &mut self,
        timeout: Duration,
        failing: f64,
        limited: Option<usize>,
    ) -> Result<Vec<usize>, (Error, Vec<usize>)> {
        let Self { route, clock, start, policy, bucket, naive, random } = self;
        let begun = clock.now();
        let bounds = Bounds { deadline: Deadline::after(begun, timeout), cancel: None };
        let now = || clock.now();
        let retrier = Retrier {
            policy,
            bucket,
            backoff: policy.backoff_with_seed(random.u64(..)),
            sleeper: clock,
            clock: &now,
            bounds: &bounds,
            begun,
        };
        let walk = Walk::new(Arc::clone(route), RoutedCall::new(false, random.u64(..)));
        let mut call = Call {
            clock,
            random,
            walk,
            chosen: None,
            deadline: begun + timeout,
            failing,
            limited,
            naive,
            start: *start,
            attempts: Vec::new(),
        };
        match retrier.run(&mut call) {
            Ok(_) => Ok(call.attempts),
            Err(error) => Err((error, call.attempts)),
        }
    }
}

/// Makes fifty calls by the same route.
fn calls(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let targets = random.usize(1..6);
    // Often fewer tokens than the calls would take.
    let budget = RetryBudget { capacity: random.u32(..200), refill: 0.2 };
    let policy = RetryConfig { max_retries: random.u32(..4), budget, ..RetryConfig::default() };
    let mut client = Client::new(seed, targets, policy, random.bool());
    for _ in 0..50 {
        client.clock.pass(MILLISECOND * random.u32(..20_000));
        let timeout = MILLISECOND * random.u32(100..120_000);
        let made = match client.call(timeout, random.f64(), None) {
            Ok(attempts) | Err((_, attempts)) => attempts.len(),
        };
        let most = targets + policy.max_retries as usize;
        assert!(made <= most, "seed {seed}: {made} attempts, and at most {most} may be made");
        let busy = |target: &RoutedTarget| target.state.with(|guarded| guarded.health.in_flight);
        assert_eq!(client.route.targets.iter().map(busy).sum::<u32>(), 0, "seed {seed}");
    }
}

#[test]
fn whatever_fails_a_call_keeps_to_its_deadline_its_attempts_and_the_breakers() {
    (0..400).for_each(calls);
}

#[test]
fn a_call_that_may_not_retry_goes_on_to_another_target() {
    let budget = RetryBudget { capacity: 0, refill: 0.0 };
    let policy = RetryConfig { budget, ..RetryConfig::default() };
    let mut client = Client::new(1, 2, policy, false);
    let attempts = client.call(SECOND * 60, 0.0, Some(0)).expect("the second is healthy");
    assert_eq!(attempts, [0, 1], "a short rate limit, but no token to wait for its end");
    let mut alone = Client::new(1, 1, policy, false);
    let (error, attempts) = alone.call(SECOND * 60, 0.0, Some(0)).expect_err("no other");
    assert_eq!((error.kind(), attempts), (ErrorKind::RateLimited, vec![0]));
}
