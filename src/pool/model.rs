//! Model checks of the pool under every interleaving of its locks (loom): nobody waits for ever, no
//! connection is granted twice, no place is lost.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release --lib pool::model
//! ```
//!
//! A model has no clock. A deadline and a cancellation take the same path,
//! [`give_up`](super::State::give_up) under the lock, so these tests cancel instead of waiting for
//! a deadline.

use loom::thread;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

const LIMITS: Limits =
    Limits { max_size: 1, max_per_origin: 1, idle_timeout: Duration::from_secs(3600) };

fn pool() -> (Arc<Pool<u32>>, OriginId) {
    let pool = Pool::new(LIMITS, Duration::from_secs(1));
    let origin = pool.register("a");
    (Arc::new(pool), origin)
}

fn never() -> Deadline {
    Deadline::after(Instant::now(), Duration::MAX)
}

fn lease(pool: &Pool<u32>, origin: OriginId) -> Lease<u32> {
    match pool.acquire(origin, never(), None) {
        Ok(Acquired::Reused(lease, _)) => lease,
        Ok(Acquired::Open(permit)) => permit.fill(1, None),
        Err(refused) => panic!("{refused:?}"),
    }
}

/// Asserts that nothing is held, nobody waits, and the place is free.
fn assert_unused(pool: &Pool<u32>, origin: OriginId) {
    let total = pool.stats().total;
    assert_eq!((total.active, total.opening, total.waiting), (0, 0, 0));
    assert_eq!(total.opened, total.idle as u64 + total.closed.total());
    let inner = pool.shared.inner.lock();
    assert!(inner.signals.is_empty());
    drop(inner);
    drop(lease(pool, origin));
}

#[test]
fn a_return_against_an_enqueue() {
    loom::model(|| {
        let (pool, origin) = pool();
        let held = lease(&pool, origin);
        let waiter = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || lease(&pool, origin).give_back())
        };
        held.give_back();
        waiter.join().unwrap();
        assert_eq!(pool.stats().total.opened, 1);
        assert_unused(&pool, origin);
    });
}

#[test]
fn a_broken_return_against_two_waiters() {
    loom::model(|| {
        let (pool, origin) = pool();
        let held = lease(&pool, origin);
        let waiters = [(); 2].map(|()| {
            let pool = Arc::clone(&pool);
            thread::spawn(move || lease(&pool, origin).give_back())
        });
        held.close(CloseReason::Broken);
        for waiter in waiters {
            waiter.join().unwrap();
        }
        assert_eq!(pool.stats().total.opened, 2);
        assert_unused(&pool, origin);
    });
}

#[test]
fn a_hand_over_against_giving_up() {
    loom::model(|| {
        let (pool, origin) = pool();
        let held = lease(&pool, origin);
        let token = CancelToken::new();
        let waiter = {
            let (pool, token) = (Arc::clone(&pool), token.clone());
            thread::spawn(move || match pool.acquire(origin, never(), Some(&token)) {
                Ok(Acquired::Reused(lease, _)) => lease.give_back(),
                Ok(Acquired::Open(_)) => panic!("there is a connection"),
                Err(refused) => assert_eq!(refused, Refused::Cancelled),
            })
        };
        let canceller = thread::spawn(move || token.cancel());
        held.give_back();
        waiter.join().unwrap();
        canceller.join().unwrap();
        assert_eq!(pool.stats().total.idle, 1);
        assert_unused(&pool, origin);
    });
}

#[test]
fn giving_up_against_beginning_to_wait() {
    loom::model(|| {
        let (pool, origin) = pool();
        let held = lease(&pool, origin);
        let token = CancelToken::new();
        let waiter = {
            let (pool, token) = (Arc::clone(&pool), token.clone());
            thread::spawn(move || pool.acquire(origin, never(), Some(&token)).err())
        };
        token.cancel();
        assert_eq!(waiter.join().unwrap(), Some(Refused::Cancelled));
        drop(held);
        assert_unused(&pool, origin);
    });
}

#[test]
fn giving_up_does_not_strand_the_next_in_line() {
    loom::model(|| {
        let (pool, origin) = pool();
        let held = lease(&pool, origin);
        let token = CancelToken::new();
        let quitter = {
            let (pool, token) = (Arc::clone(&pool), token.clone());
            thread::spawn(move || drop(pool.acquire(origin, never(), Some(&token))))
        };
        let waiter = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || drop(lease(&pool, origin)))
        };
        token.cancel();
        held.give_back();
        quitter.join().unwrap();
        waiter.join().unwrap();
        assert_unused(&pool, origin);
    });
}

#[test]
fn a_shutdown_against_a_wait() {
    loom::model(|| {
        let (pool, origin) = pool();
        let held = lease(&pool, origin);
        let waiter = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || match pool.acquire(origin, never(), None) {
                Ok(Acquired::Reused(lease, _)) => lease.give_back(),
                Ok(Acquired::Open(permit)) => drop(permit),
                Err(refused) => assert_eq!(refused, Refused::ShutDown),
            })
        };
        let closer = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.shut_down())
        };
        held.give_back();
        waiter.join().unwrap();
        closer.join().unwrap();
        let total = pool.stats().total;
        assert_eq!((total.active, total.opening, total.idle, total.waiting), (0, 0, 0, 0));
        assert_eq!(total.opened, total.closed.total());
    });
}

#[test]
fn a_panic_while_opening_against_a_wait() {
    loom::model(|| {
        let (pool, origin) = pool();
        let opener = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || {
                let outcome = catch_unwind(AssertUnwindSafe(|| {
                    let _permit = pool.acquire(origin, never(), None);
                    std::panic::resume_unwind(Box::new("on purpose"));
                }));
                assert!(outcome.is_err());
            })
        };
        lease(&pool, origin).give_back();
        opener.join().unwrap();
        assert_unused(&pool, origin);
    });
}
