//! Tests that threads share one refresh. Their order comes from channels and from counting those
//! who wait, never from time.

use super::*;
use crate::cancel::CancelToken;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// A value that is as fresh as it says.
#[derive(Debug, Clone, PartialEq)]
struct Value(u32, Freshness);

impl Expires for Value {
    fn freshness(&self, _now: Instant) -> Freshness {
        self.1
    }
}

const FRESH: Value = Value(1, Freshness::Fresh);

fn never() -> Bounds {
    Bounds { deadline: Deadline::never(), cancel: None }
}

fn past() -> Bounds {
    Bounds { deadline: Deadline::after(Instant::now(), Duration::ZERO), cancel: None }
}

fn server_error() -> Error {
    Error::new(ErrorKind::Server, "the server failed")
}

/// Waits until this many callers wait for the refresh under way.
fn until_waiting(shared: &Shared<Value>, count: usize) {
    while shared.state.lock().waiting.as_ref().map_or(0, Vec::len) != count {
        thread::yield_now();
    }
}

/// A value that is shared already.
fn with(value: Value) -> Shared<Value> {
    let shared = Shared::default();
    shared.state.lock().value = Some(value);
    shared
}

#[test]
fn one_refresh_serves_all_threads() {
    const WAITING: usize = 7;
    let (shared, refreshes) = (Shared::default(), AtomicU32::new(0));
    let refresh = |_: &Bounds| {
        // It ends when all others wait for it.
        until_waiting(&shared, WAITING);
        refreshes.fetch_add(1, Ordering::SeqCst);
        Ok(FRESH)
    };
    thread::scope(|scope| {
        for _ in 0..=WAITING {
            scope.spawn(|| assert_eq!(shared.get(&never(), refresh).unwrap(), FRESH));
        }
    });
    assert_eq!(refreshes.load(Ordering::SeqCst), 1);
    // And all later ones, until it expires.
    let unused = |_: &Bounds| panic!("the value is fresh");
    assert_eq!(shared.get(&past(), unused).unwrap(), FRESH);
}

#[test]
fn a_failed_refresh_is_reported_to_all_and_not_repeated_at_once() {
    let (shared, refreshes) = (Shared::<Value>::default(), AtomicU32::new(0));
    let refresh = |_: &Bounds| {
        until_waiting(&shared, 3);
        refreshes.fetch_add(1, Ordering::SeqCst);
        Err(Error::new(ErrorKind::Authentication, "the key was deleted"))
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let error = shared.get(&never(), refresh).unwrap_err();
                assert_eq!(
                    (error.kind(), error.message()),
                    (ErrorKind::Authentication, "the key was deleted")
                );
            });
        }
    });
    let again = shared.get(&never(), refresh).unwrap_err();
    assert_eq!(again.message(), "the key was deleted");
    assert_eq!(refreshes.load(Ordering::SeqCst), 1);
    // Once the hold-off is over, the next caller tries.
    shared.state.lock().failure.as_mut().unwrap().until = Instant::now();
    assert_eq!(shared.get(&never(), |_| Ok(FRESH)).unwrap(), FRESH);
    assert!(shared.state.lock().failure.is_none());
}

#[test]
fn a_caller_that_waits_is_bound_by_its_own_deadline_and_cancel_token() {
    let shared = Shared::default();
    let token = CancelToken::new();
    let bounds = Bounds { deadline: Deadline::never(), cancel: Some(token.clone()) };
    let unused = |_: &Bounds| panic!("another caller refreshes");
    let (release, held) = bounded::<()>(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let made = shared.get(&never(), |_| {
                held.recv().unwrap();
                Ok(FRESH)
            });
            assert_eq!(made.unwrap(), FRESH);
        });
        while shared.state.lock().waiting.is_none() {
            thread::yield_now();
        }
        let late = shared.get(&past(), unused).unwrap_err();
        assert_eq!((late.kind(), late.phase()), (ErrorKind::Timeout, Some(Phase::Encode)));
        let waiter = scope.spawn(|| shared.get(&bounds, unused).unwrap_err());
        until_waiting(&shared, 1);
        token.cancel();
        assert!(waiter.join().unwrap().is_cancelled());
        // Neither is waited for any more, and the refresh goes on.
        until_waiting(&shared, 0);
        release.send(()).unwrap();
    });
    assert_eq!(shared.get(&past(), |_| panic!("it is fresh")).unwrap(), FRESH);
}

#[test]
fn a_caller_that_gives_up_hands_the_refresh_to_one_who_waits() {
    let (shared, token) = (Shared::default(), CancelToken::new());
    let cancelled = Bounds { deadline: Deadline::never(), cancel: Some(token.clone()) };
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            let error = shared.get(&cancelled, |bounds| {
                until_waiting(&shared, 2);
                token.cancel();
                assert!(bounds.is_cancelled());
                Err(Error::cancelled())
            });
            error.unwrap_err()
        });
        while shared.state.lock().waiting.is_none() {
            thread::yield_now();
        }
        let others: Vec<_> =
            (0..2).map(|_| scope.spawn(|| shared.get(&never(), |_| Ok(FRESH)).unwrap())).collect();
        for other in others {
            assert_eq!(other.join().unwrap(), FRESH);
        }
        assert!(first.join().unwrap().is_cancelled());
    });
    assert!(shared.state.lock().failure.is_none());
}

#[test]
fn a_panic_in_a_refresh_leaves_nobody_waiting() {
    let shared = Shared::default();
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            shared.get(&never(), |_| -> Result<Value, Error> {
                until_waiting(&shared, 1);
                panic!("a bug")
            })
        });
        while shared.state.lock().waiting.is_none() {
            thread::yield_now();
        }
        let second = scope.spawn(|| shared.get(&never(), |_| Ok(FRESH)).unwrap());
        assert!(first.join().is_err());
        assert_eq!(second.join().unwrap(), FRESH);
    });
}

#[test]
fn an_ageing_value_is_used_while_one_caller_refreshes_it() {
    let old = Value(1, Freshness::Ageing);
    let new = Value(2, Freshness::Fresh);
    let shared = with(old.clone());
    let made = shared.get(&never(), |bounds| {
        // Nobody needs it yet, so it may not take long.
        assert!(bounds.deadline.remaining(Instant::now()).is_some_and(|left| left <= AHEAD_LIMIT));
        let unused = |_: &Bounds| panic!("one refresh is under way");
        assert_eq!(shared.get(&past(), unused).unwrap(), old);
        Ok(new.clone())
    });
    assert_eq!(made.unwrap(), new);
    // If the refresh fails, the value still works, and nobody tries again at once.
    let shared = with(old.clone());
    assert_eq!(shared.get(&never(), |_| Err(server_error())).unwrap(), old);
    assert_eq!(shared.get(&never(), |_| panic!("held off")).unwrap(), old);
    // Once it has expired, the failure is reported.
    shared.state.lock().value = Some(Value(1, Freshness::Expired));
    let error = shared.get(&never(), |_| panic!("held off")).unwrap_err();
    assert_eq!(error.message(), "the server failed");
}

#[test]
fn an_expired_value_is_replaced() {
    let shared = with(Value(1, Freshness::Expired));
    assert_eq!(shared.get(&never(), |_| Ok(FRESH)).unwrap(), FRESH);
    shared.forget(|value| *value != FRESH);
    assert_eq!(shared.get(&never(), |_| panic!("it was kept")).unwrap(), FRESH);
    shared.forget(|value| *value == FRESH);
    let other = Value(2, Freshness::Fresh);
    assert_eq!(shared.get(&never(), |_| Ok(other.clone())).unwrap(), other);
}

#[test]
fn the_hold_off_grows_with_each_failure() {
    let millis = |count, may_pass| hold_off(count, may_pass).as_millis();
    for (count, expected) in
        [(0, 250), (1, 500), (4, 4000), (6, 16_000), (7, 30_000), (900, 30_000)]
    {
        assert_eq!(millis(count, true), expected);
        assert_eq!(millis(count, false), 10_000);
    }
    let shared = Shared::<Value>::default();
    for expected in 1..4 {
        if let Some(failure) = &mut shared.state.lock().failure {
            failure.until = Instant::now();
        }
        assert!(shared.get(&never(), |_| Err(server_error())).is_err());
        assert_eq!(shared.state.lock().failure.as_ref().unwrap().count, expected);
    }
}
