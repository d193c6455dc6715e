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
    naive: &'a mut [naive::Breaker],
    start: Instant,
    /// The targets of its attempts.
    attempts: Vec<usize>,
}

impl Call<'_> {
    fn failure(&mut self) -> Option<Error> {
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
            Chosen::None => Err(Error::new(ErrorKind::Configuration, "no target")),
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

    fn attempt(&mut self, _: Anywhere, _: u32, _: &mut SecondSending<'_>) -> Result<(), Error> {
        let (at, mut ticket) = self.chosen.take().expect("a target was chosen");
        let begun = self.clock.now();
        assert!(begun < self.deadline, "nothing is sent after the deadline");
        let permit = self.naive[at].begins(begun - self.start);
        let permit = permit.unwrap_or_else(|why| panic!("t{at}: {why}"));
        self.attempts.push(at);
        // The deadline of the call ends an attempt, too.
        let took = MILLISECOND * self.random.u32(1..3_000);
        let took = took.min(self.deadline - begun);
        self.clock.pass(took);
        let now = self.clock.now();
        let (outcome, result) = match self.failure() {
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

    fn ended(&mut self, _: &crate::error::Attempt) {}
}

/// Makes fifty calls by the same route.
fn calls(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let start = Instant::now();
    let clock = Clock(Mutex::new(start));
    let count = random.usize(1..6);
    let mut state = route(count, Balanced, BreakerConfig::default(), start);
    state.rules.wait_for_targets = random.bool();
    let route = Arc::new(state);
    let policy = RetryConfig { max_retries: random.u32(..4), ..RetryConfig::default() };
    let bucket = Bucket::new(RetryBudget::UNLIMITED);
    let mut naive: Vec<_> =
        (0..count).map(|_| naive::Breaker::new(BreakerConfig::default())).collect();
    for number in 0..50 {
        clock.pass(MILLISECOND * random.u32(..20_000));
        let (begun, failing) = (clock.now(), random.f64());
        let timeout = MILLISECOND * random.u32(100..120_000);
        let bounds = Bounds { deadline: Deadline::after(begun, timeout), cancel: None };
        let backoff = policy.backoff_with_seed(number);
        let now = || clock.now();
        let retrier = Retrier {
            policy: &policy,
            bucket: &bucket,
            backoff,
            sleeper: &clock,
            clock: &now,
            bounds: &bounds,
            begun,
        };
        let mut call = Call {
            clock: &clock,
            random: &mut random,
            walk: Walk::new(Arc::clone(&route), RoutedCall::new(false, number)),
            chosen: None,
            deadline: begun + timeout,
            failing,
            naive: &mut naive,
            start,
            attempts: Vec::new(),
        };
        let _ = retrier.run(&mut call);
        let (made, most) = (call.attempts.len(), count + policy.max_retries as usize);
        assert!(made <= most, "seed {seed}: {made} attempts, and at most {most} may be made");
        let now = clock.now();
        let busy = |at: usize| route.targets[at].state.with(|guarded| guarded.health.in_flight);
        assert_eq!((0..count).map(busy).sum::<u32>(), 0, "seed {seed}");
    }
}

#[test]
fn whatever_fails_a_call_keeps_to_its_deadline_its_attempts_and_the_breakers() {
    (0..400).for_each(calls);
}
