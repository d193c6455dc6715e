//! Model checks of what calls share, under every interleaving of its locks (loom): a resting target
//! gets one probe at a time, no place is lost, and counts return to rest.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release --lib routing::model
//! ```

use loom::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::error::{Error, ErrorKind};

const SECOND: Duration = Duration::from_secs(1);

/// Rests with its first failure.
const TOUCHY: u32 = 1;

fn route(targets: usize, now: Instant) -> Arc<RouteState> {
    let breaker = BreakerConfig::default().min_calls(TOUCHY);
    let target = |at: usize| RoutedTarget::plain(format!("t{at}"), breaker, now);
    let targets = (0..targets).map(target).collect();
    Arc::new(RouteState::new("r".into(), Arc::new(Sticky::default()), Rules::DEFAULT, targets))
}

fn broken() -> Error {
    Error::new(ErrorKind::Server, "it broke")
}

/// Lets the first target rest, and returns the time at which it may be probed.
fn rest(route: &RouteState, now: Instant) -> Instant {
    let mut ticket = route.targets[0].admit(now).expect("it does not rest yet");
    ticket.failed(&broken(), SECOND, false, now);
    now + SECOND * 5
}

/// Asserts that no call is in progress, and returns how many were answered and failed.
fn at_rest(route: &RouteState) -> (u64, u64) {
    let health = |at: usize| {
        route.targets[at].state.with(|guarded| {
            let counts = &guarded.counts[0];
            assert_eq!((guarded.health.in_flight, counts.in_flight), (0, 0));
            (counts.answered, counts.failed)
        })
    };
    let all = (0..route.targets.len()).map(health);
    all.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

#[test]
fn one_call_at_a_time_probes_a_target_that_rests() {
    loom::model(|| {
        let now = Instant::now();
        let route = route(1, now);
        let after = rest(&route, now);
        let probes = Arc::new(AtomicU32::new(0));
        let probe = {
            let route = Arc::clone(&route);
            move || {
                let Some(mut ticket) = route.targets[0].admit(after) else { return 0 };
                assert_eq!(probes.fetch_add(1, Ordering::Relaxed), 0, "two at a time");
                probes.fetch_sub(1, Ordering::Relaxed);
                // It fails, so the target rests again, and admits nobody now.
                ticket.failed(&broken(), SECOND, false, after);
                1
            }
        };
        let other = thread::spawn(probe.clone());
        let made = probe() + other.join().unwrap();
        assert_eq!(made, 1);
        assert_eq!(at_rest(&route), (0, 2));
        let until = route.targets[0].state.rests(after).map(|(until, _)| until);
        assert_eq!(until, Some(after + SECOND * 10), "twice as long");
    });
}

#[test]
fn a_probe_that_says_nothing_frees_its_place() {
    loom::model(|| {
        let now = Instant::now();
        let route = route(1, now);
        let after = rest(&route, now);
        let other = {
            let route = Arc::clone(&route);
            // As after a panic: without an outcome.
            thread::spawn(move || drop(route.targets[0].admit(after)))
        };
        drop(route.targets[0].admit(after));
        other.join().unwrap();
        assert_eq!(at_rest(&route), (0, 1));
        let mut ticket = route.targets[0].admit(after).expect("a place for a probe");
        assert!(ticket.served(after).is_some(), "the target returns");
    });
}

#[test]
fn a_success_that_began_before_a_rest_does_not_end_it() {
    loom::model(|| {
        let now = Instant::now();
        let route = route(1, now);
        let mut early = route.targets[0].admit(now).unwrap();
        let failing = {
            let route = Arc::clone(&route);
            thread::spawn(move || {
                if let Some(mut ticket) = route.targets[0].admit(now) {
                    ticket.failed(&broken(), SECOND, false, now);
                }
            })
        };
        early.served(now);
        drop(early);
        failing.join().unwrap();
        // Of two calls, one failed.
        assert!(route.targets[0].state.rests(now).is_some());
        assert_eq!(at_rest(&route), (1, 1));
    });
}

#[test]
fn calls_that_choose_at_once_find_a_target_each() {
    loom::model(|| {
        let now = Instant::now();
        let route = route(2, now);
        let after = rest(&route, now);
        let call = {
            let route = Arc::clone(&route);
            move || {
                let mut walk = Walk::new(Arc::clone(&route), RoutedCall::new(false, 1));
                match walk.choose(after, &mut || 0.5, &|_, _| None) {
                    Chosen::Target(_, mut ticket) => {
                        ticket.served(after);
                        drop(ticket);
                        walk.answered(after);
                    }
                    Chosen::Resting { .. } | Chosen::Full(_) | Chosen::None => {
                        panic!("the second never rests")
                    }
                }
            }
        };
        let other = thread::spawn(call.clone());
        call();
        other.join().unwrap();
        assert_eq!(at_rest(&route), (2, 1));
        assert!(route.pinned(1, after).is_some(), "the conversation stays at one of them");
    });
}

#[test]
fn the_longest_of_two_rests_counts() {
    loom::model(|| {
        let now = Instant::now();
        let route = route(1, now);
        let limited = |seconds: u32| {
            let error = Error::new(ErrorKind::RateLimited, "slow down").with_status(429);
            error.with_retry_hints(Some(SECOND * seconds), None)
        };
        let [mut one, mut two] = [0, 1].map(|_| route.targets[0].admit(now).unwrap());
        let other = thread::spawn(move || {
            let _ = one.failed(&limited(40), SECOND, false, now);
        });
        two.failed(&limited(20), SECOND, false, now);
        drop(two);
        other.join().unwrap();
        let until = route.targets[0].state.rests(now).map(|(until, _)| until);
        assert_eq!(until, Some(now + SECOND * 40));
        assert_eq!(at_rest(&route), (0, 2));
    });
}
