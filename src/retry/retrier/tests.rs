//! The loop in a world in which time passes only by sleeping and by attempts.

use super::*;
use crate::cancel::CancelToken;
use crate::deadline::Deadline;
use crate::error::ErrorKind;
use crate::error::Wait;
use crate::retry::RetryBudget;
use std::cell::Cell;
use std::error::Error as _;
use std::sync::Mutex;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A world in which time passes only by sleeping and by attempts.
struct World {
    begun: Instant,
    passed: Mutex<Duration>,
    sleeps: Mutex<Vec<Duration>>,
    cancel_after: Option<usize>,
}

impl World {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            passed: Mutex::default(),
            sleeps: Mutex::default(),
            cancel_after: None,
        }
    }

    fn pass(&self, time: Duration) {
        *self.passed.lock().unwrap() += time;
    }

    fn sleeps(&self) -> Vec<Duration> {
        self.sleeps.lock().unwrap().clone()
    }

    fn call<T>(
        &self,
        policy: RetryConfig,
        bucket: &Bucket,
        timeout: Duration,
        mut attempt: impl FnMut(u32) -> Result<T, Error>,
    ) -> Result<Tried<T>, Error> {
        let clock = || self.begun + *self.passed.lock().unwrap();
        let retrier = Retrier {
            policy: &policy,
            bucket,
            backoff: policy.backoff_with_seed(1),
            sleeper: self,
            clock: &clock,
            bounds: &Bounds {
                deadline: Deadline::after(self.begun, timeout),
                cancel: Some(CancelToken::new()),
            },
            begun: self.begun,
        };
        retrier.run(&mut Attempts(&mut attempt))
    }
}

/// Attempts that a function makes.
struct Attempts<'a, F>(&'a mut F);

impl<T, F: FnMut(u32) -> Result<T, Error>> Steps for Attempts<'_, F> {
    type Target = Somewhere;
    type Answer = T;

    fn choose(&mut self) -> Result<Turn<Somewhere>, Error> {
        Ok(Turn::Attempt(Somewhere))
    }

    fn attempt(
        &mut self,
        _: Somewhere,
        retries: u32,
        _: Instant,
        _: &mut SecondSending<'_>,
    ) -> Result<T, Error> {
        (self.0)(retries)
    }

    fn ended(&mut self, _: &Attempt) {}
}

/// The only target in these tests.
struct Somewhere;

impl Target for Somewhere {
    fn provider(&self) -> &str {
        "acme"
    }

    fn model(&self) -> &str {
        "acme-7b"
    }
}

impl Sleeper for World {
    fn sleep(&self, wait: Duration, cancel: Option<&CancelToken>) {
        self.pass(wait);
        let mut sleeps = self.sleeps.lock().unwrap();
        sleeps.push(wait);
        if self.cancel_after == Some(sleeps.len()) {
            cancel.unwrap().cancel();
        }
    }
}

fn even(max_retries: u32) -> RetryConfig {
    RetryConfig { max_retries, jitter: 0.0, ..RetryConfig::default() }
}

fn unlimited() -> Bucket {
    Bucket::new(RetryBudget::UNLIMITED)
}

fn server_error() -> Error {
    Error::new(ErrorKind::Server, "it broke").with_status(500)
}

#[test]
fn every_attempt_is_listed_with_its_result_and_the_wait_after_it() {
    let world = World::new();
    let tried = world
        .call(even(5), &unlimited(), SECOND * 60, |retries| {
            world.pass(SECOND);
            match retries {
                0 => Err(server_error()),
                1 => Err(Error::new(ErrorKind::RateLimited, "slow down")
                    .with_status(429)
                    .with_retry_hints(Some(SECOND * 7), None)),
                _ => Ok("answer"),
            }
        })
        .unwrap();
    assert_eq!(tried.value, "answer");
    assert_eq!(world.sleeps(), [SECOND / 2, SECOND * 7]);
    let shown: Vec<_> = tried.attempts.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "server (status 500) after 1s; retry in 500ms (backoff)",
            "rate_limited (status 429) after 1s; retry in 7s (retry-after plus jitter)",
            "answered after 1s",
        ]
    );
    let starts: Vec<_> = tried.attempts.iter().map(|attempt| attempt.started_after).collect();
    assert_eq!(starts, [Duration::ZERO, SECOND * 3 / 2, SECOND * 19 / 2]);
    assert_eq!(tried.attempts[0].failure.as_ref().unwrap().message, "it broke");
}

#[test]
fn the_last_error_is_returned_and_lists_every_attempt() {
    let world = World::new();
    let count = Cell::new(0);
    let error = world
        .call(even(2), &unlimited(), SECOND * 60, |_| -> Result<(), _> {
            count.set(count.get() + 1);
            Err(Error::new(ErrorKind::Server, format!("failure {}", count.get())))
        })
        .unwrap_err();
    assert_eq!((error.message(), error.attempts().len()), ("failure 3", 3));
    let last = error.attempts()[2].decision;
    assert_eq!(last, Some(Decision::GiveUp(GiveUp::RetriesSpent)));
    assert!(error.source().is_none());
}

#[test]
fn a_wait_that_would_pass_the_deadline_is_not_started() {
    let world = World::new();
    let error = world
        .call(even(9), &unlimited(), SECOND * 3, |_| -> Result<(), _> {
            world.pass(SECOND / 2);
            Err(server_error())
        })
        .unwrap_err();
    // 0.5 + 0.5 + 0.5 + 1 + 0.5 leave no time for 2 s.
    assert_eq!(world.sleeps(), [SECOND / 2, SECOND]);
    assert_eq!(error.kind(), ErrorKind::Server);
    let last = error.attempts()[2].decision;
    assert_eq!(last, Some(Decision::GiveUp(GiveUp::DeadlineTooNear)));
    assert!(error.to_string().contains("leaves no time for a retry"), "{error}");
}

#[test]
fn a_timeout_names_the_phase_and_keeps_the_last_real_failure() {
    let world = World::new();
    let error = world
        .call(even(9), &unlimited(), SECOND * 2, |retries| -> Result<(), _> {
            if retries == 0 {
                return Err(server_error());
            }
            world.pass(SECOND * 2);
            Err(Error::timeout(Phase::FirstByte))
        })
        .unwrap_err();
    assert!(error.is_timeout());
    assert_eq!((error.phase(), error.attempts().len()), (Some(Phase::FirstByte), 2));
    let source = error.source().unwrap().downcast_ref::<Error>().unwrap();
    assert_eq!(source.status(), Some(500));
}

#[test]
fn a_timed_out_attempt_in_between_does_not_hide_the_last_real_failure() {
    let world = World::new();
    let error = world
        .call(even(9), &unlimited(), SECOND * 60, |retries| -> Result<(), _> {
            match retries {
                0 => return Err(server_error()),
                1 => world.pass(SECOND),
                _ => world.pass(SECOND * 60),
            }
            Err(Error::timeout(Phase::FirstByte))
        })
        .unwrap_err();
    assert_eq!((error.is_timeout(), error.attempts().len()), (true, 3));
    let source = error.source().unwrap().downcast_ref::<Error>().unwrap();
    assert_eq!(source.status(), Some(500));
}

#[test]
fn sleeping_past_the_deadline_is_a_timeout() {
    struct Oversleeper<'a>(&'a World);
    impl Sleeper for Oversleeper<'_> {
        fn sleep(&self, _: Duration, _: Option<&CancelToken>) {
            self.0.pass(SECOND * 100);
        }
    }
    let world = World::new();
    let clock = || world.begun + *world.passed.lock().unwrap();
    let policy = even(1);
    let bucket = unlimited();
    let bounds = Bounds { deadline: Deadline::after(world.begun, SECOND * 60), cancel: None };
    let retrier = Retrier {
        policy: &policy,
        bucket: &bucket,
        backoff: policy.backoff(),
        sleeper: &Oversleeper(&world),
        clock: &clock,
        bounds: &bounds,
        begun: world.begun,
    };
    let mut fail = |_| -> Result<(), _> { Err(server_error()) };
    let error = retrier.run(&mut Attempts(&mut fail)).unwrap_err();
    assert_eq!((error.phase(), error.attempts().len()), (Some(Phase::Backoff), 1));
    assert!(error.source().is_some());
}

#[test]
fn cancelling_ends_the_wait_and_keeps_the_last_failure() {
    let world = World { cancel_after: Some(2), ..World::new() };
    let error = world
        .call(even(9), &unlimited(), SECOND * 60, |_| -> Result<(), _> { Err(server_error()) })
        .unwrap_err();
    assert!(error.is_cancelled());
    assert_eq!((error.phase(), error.attempts().len()), (Some(Phase::Backoff), 2));
    assert!(error.source().is_some());
}

#[test]
fn if_every_call_fails_the_budget_limits_the_requests_sent() {
    let world = World::new();
    let bucket = Bucket::new(RetryBudget { capacity: 20, refill: 0.2 });
    let sent = Cell::new(0);
    for call in 0..1000 {
        let error = world
            .call(even(4), &bucket, SECOND * 60_000, |_| -> Result<(), _> {
                sent.set(sent.get() + 1);
                Err(server_error())
            })
            .unwrap_err();
        if call > 5 {
            let last = error.attempts().last().unwrap().decision;
            assert_eq!(last, Some(Decision::GiveUp(GiveUp::BudgetSpent)));
        }
    }
    assert_eq!(sent.get(), 1020);
}

/// A call whose first target fails, and whose second target answers.
struct SecondTarget {
    failed: bool,
}

impl Steps for SecondTarget {
    type Target = Somewhere;
    type Answer = ();

    fn choose(&mut self) -> Result<Turn<Somewhere>, Error> {
        Ok(Turn::Attempt(Somewhere))
    }

    fn attempt(
        &mut self,
        _: Somewhere,
        _: u32,
        _: Instant,
        _: &mut SecondSending<'_>,
    ) -> Result<(), Error> {
        if std::mem::replace(&mut self.failed, true) { Ok(()) } else { Err(server_error()) }
    }

    fn decide(&mut self, _: &Failed<'_>) -> Decision {
        Decision::FailOver
    }

    fn ended(&mut self, _: &Attempt) {}
}

#[test]
fn going_on_to_another_target_takes_nothing_from_the_budget() {
    let world = World::new();
    let bucket = Bucket::new(RetryBudget { capacity: 1, refill: 0.0 });
    assert!(bucket.withdraw(), "it is empty now");
    let (policy, clock) = (even(2), || world.begun);
    let bounds = Bounds { deadline: Deadline::after(world.begun, SECOND * 60), cancel: None };
    let retrier = Retrier {
        policy: &policy,
        bucket: &bucket,
        backoff: policy.backoff(),
        sleeper: &world,
        clock: &clock,
        bounds: &bounds,
        begun: world.begun,
    };
    let tried = retrier.run(&mut SecondTarget { failed: false }).unwrap();
    let decisions: Vec<_> = tried.attempts.iter().map(|attempt| attempt.decision).collect();
    assert_eq!(decisions, [Some(Decision::FailOver), None]);
    assert_eq!((bucket.left(), world.sleeps()), (0, vec![]));
}

#[test]
fn if_calls_succeed_after_retries_the_budget_does_not_shrink() {
    let world = World::new();
    let bucket = Bucket::new(RetryBudget { capacity: 2, refill: 0.2 });
    for _ in 0..100 {
        let outcome = world.call(even(1), &bucket, SECOND * 60_000, |retries| match retries {
            0 => Err(server_error()),
            _ => Ok(()),
        });
        assert!(outcome.is_ok());
    }
    assert_eq!(bucket.left(), 2);
}

#[test]
fn jitter_is_added_to_a_requested_wait_unless_the_deadline_is_too_near() {
    let world = World::new();
    let policy = RetryConfig { max_retries: 1, ..RetryConfig::default() };
    let asked = |_| -> Result<(), _> {
        Err(Error::new(ErrorKind::RateLimited, "").with_retry_hints(Some(SECOND * 5), None))
    };
    world.call(policy, &unlimited(), SECOND * 60, asked).unwrap_err();
    let wait = world.sleeps()[0];
    assert!(wait > SECOND * 5 && wait < SECOND * 5 + SECOND / 8, "{wait:?}");

    let tight = World::new();
    let timeout = SECOND * 5 + Duration::from_nanos(1);
    let error = tight.call(policy, &unlimited(), timeout, asked).unwrap_err();
    assert_eq!(tight.sleeps(), [SECOND * 5]);
    let first = error.attempts()[0].decision;
    assert_eq!(first, Some(Decision::Retry { after: SECOND * 5, wait: Wait::RetryAfter }));
}

/// Asks for another answer until it gets this one.
struct Wants<'a>(&'a World, u32);

impl Steps for Wants<'_> {
    type Target = Somewhere;
    type Answer = u32;

    fn choose(&mut self) -> Result<Turn<Somewhere>, Error> {
        Ok(Turn::Attempt(Somewhere))
    }

    fn attempt(
        &mut self,
        _: Somewhere,
        number: u32,
        _: Instant,
        _: &mut SecondSending<'_>,
    ) -> Result<u32, Error> {
        self.0.pass(SECOND);
        match number {
            1 => Err(server_error()),
            number => Ok(number),
        }
    }

    fn accept(&mut self, answer: u32) -> Result<u32, Decision> {
        if answer == self.1 { Ok(answer) } else { Err(Decision::MoveUp) }
    }

    fn ended(&mut self, _: &Attempt) {}
}

#[test]
fn an_answer_that_is_not_accepted_is_followed_by_another_attempt() {
    let world = World::new();
    let (policy, bucket) = (even(5), Bucket::new(RetryBudget { capacity: 9, refill: 1.0 }));
    let clock = || world.begun + *world.passed.lock().unwrap();
    let retrier = Retrier {
        policy: &policy,
        bucket: &bucket,
        backoff: policy.backoff_with_seed(1),
        sleeper: &world,
        clock: &clock,
        bounds: &Bounds { deadline: Deadline::after(world.begun, SECOND * 60), cancel: None },
        begun: world.begun,
    };
    let tried = retrier.run(&mut Wants(&world, 3)).unwrap();
    assert_eq!((tried.value, world.sleeps().len()), (3, 1), "only the failure is waited for");
    let numbers: Vec<_> = tried.attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [0, 1, 2, 3]);
    let is_move = |at: usize| tried.attempts[at].decision == Some(Decision::MoveUp);
    assert_eq!([0, 1, 2, 3].map(is_move), [true, false, true, false]);
    assert_eq!(tried.attempts[3].decision, None);
    assert!(tried.attempts[2].failure.is_none());
    assert_eq!(bucket.left(), 9, "the call returns the token of its retry once");
}
