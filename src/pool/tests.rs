//! Tests of the pool with threads: handing over, waiting, cancelling and closing.

use super::*;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Far longer than anything here takes, but bearable if a test hangs.
const LONG: Duration = Duration::from_secs(60);

/// A connection that reports when it is closed.
struct Tracked {
    number: u32,
    closed: Sender<u32>,
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let _ = self.closed.send(self.number);
    }
}

struct Rig {
    pool: Pool<Tracked>,
    origin: OriginId,
    opened: AtomicUsize,
    sender: Sender<u32>,
    closed: Receiver<u32>,
}

impl Rig {
    fn new(max_size: usize) -> Self {
        Self::with(Limits { max_size, max_per_origin: max_size, idle_timeout: LONG })
    }

    fn with(limits: Limits) -> Self {
        let pool = Pool::new(limits, Duration::from_millis(1));
        let (sender, closed) = unbounded();
        let origin = pool.register("a");
        Self { pool, origin, opened: AtomicUsize::new(0), sender, closed }
    }

    fn connect(&self) -> Tracked {
        let number = self.opened.fetch_add(1, Ordering::SeqCst);
        Tracked { number: number.try_into().unwrap(), closed: self.sender.clone() }
    }

    fn lease(&self) -> Lease<Tracked> {
        match self.acquire(never()).unwrap() {
            Acquired::Reused(lease, _) => lease,
            Acquired::Open(permit) => permit.fill(self.connect(), None),
        }
    }

    fn acquire(&self, deadline: Deadline) -> Result<Acquired<Tracked>, Refused> {
        self.pool.acquire(self.origin, deadline, None)
    }

    /// Returns once this many callers wait.
    fn wait_until_queued(&self, count: usize) {
        while self.pool.stats().total.waiting != count {
            thread::yield_now();
        }
    }

    fn total(&self) -> OriginStats {
        self.pool.stats().total
    }
}

fn soon() -> Deadline {
    Deadline::after(Instant::now(), Duration::from_millis(1))
}

fn never() -> Deadline {
    Deadline::after(Instant::now(), Duration::MAX)
}

/// What a waiter gets if `event` happens while it waits.
fn acquire_during(rig: &Rig, event: impl FnOnce()) -> Result<Acquired<Tracked>, Refused> {
    thread::scope(|scope| {
        let waiter = scope.spawn(|| rig.acquire(never()));
        rig.wait_until_queued(1);
        event();
        waiter.join().unwrap()
    })
}

// Known failures of other pools (r2d2 0.8.10, Vitess's smartconnpool, Go's net/http and
// database/sql), turned into promises.

#[test]
fn a_broken_connection_wakes_a_waiter() {
    let rig = Rig::new(1);
    let held = rig.lease();
    let got = acquire_during(&rig, || held.close(CloseReason::Broken));
    assert!(matches!(got, Ok(Acquired::Open(_))));
}

#[test]
fn a_panic_while_connecting_loses_no_place() {
    let rig = Rig::new(1);
    for _ in 0..3 {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let _permit = rig.acquire(never());
            panic!("on purpose");
        }));
        assert!(outcome.is_err());
    }
    assert!(matches!(rig.acquire(soon()), Ok(Acquired::Open(_))));
    assert_eq!((rig.total().opening, rig.total().opened), (0, 0));
}

#[test]
fn a_connection_held_during_a_panic_is_not_reused() {
    let rig = Rig::new(1);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let _held = rig.lease();
        panic!("on purpose");
    }));
    assert!(outcome.is_err());
    assert_eq!(rig.closed.try_recv(), Ok(0));
    assert!(matches!(rig.acquire(soon()), Ok(Acquired::Open(_))));
    assert_eq!(rig.total().closed.broken, 1);
}

#[test]
fn a_waiter_past_its_deadline_is_granted_nothing() {
    let rig = Rig::new(1);
    let held = rig.lease();
    for _ in 0..3 {
        assert_eq!(rig.acquire(soon()).err(), Some(Refused::TimedOut));
    }
    // The next waiter is served although three before it gave up.
    assert!(matches!(acquire_during(&rig, || held.give_back()), Ok(Acquired::Reused(..))));
    let total = rig.total();
    assert_eq!((total.waiting, total.waits.count()), (0, 4));
}

#[test]
fn a_connection_returned_just_before_the_wait_is_not_missed() {
    let rig = Rig::new(1);
    for _ in 0..2_000 {
        let held = rig.lease();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| rig.lease());
            held.give_back();
            waiter.join().unwrap().give_back();
        });
    }
    assert_eq!(rig.total().opened, 1);
}

#[test]
fn closing_a_returned_connection_serves_the_next_waiter() {
    let rig = Rig::new(1);
    let Ok(Acquired::Open(permit)) = rig.acquire(never()) else { panic!("the pool is empty") };
    let too_old = permit.fill(rig.connect(), Some(Instant::now()));
    assert!(matches!(acquire_during(&rig, || too_old.give_back()), Ok(Acquired::Open(_))));
    assert_eq!(rig.total().closed.lifetime, 1);
}

#[test]
fn a_waiter_that_gives_up_during_a_grant_leaks_nothing() {
    let rig = Rig::new(1);
    for _ in 0..500 {
        let held = rig.lease();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| match rig.acquire(soon()) {
                Ok(Acquired::Reused(lease, _)) => lease.give_back(),
                Ok(Acquired::Open(_)) => panic!("there is a connection"),
                Err(refused) => assert_eq!(refused, Refused::TimedOut),
            });
            let end = Instant::now() + Duration::from_micros(900);
            while Instant::now() < end {
                thread::yield_now();
            }
            held.give_back();
            waiter.join().unwrap();
        });
        assert_eq!((rig.total().idle, rig.total().active), (1, 0));
    }
}

// Promises of this pool.

#[test]
fn cancelling_ends_a_wait() {
    let rig = Rig::new(1);
    let held = rig.lease();
    let token = CancelToken::new();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| rig.pool.acquire(rig.origin, never(), Some(&token)));
        rig.wait_until_queued(1);
        token.cancel();
        assert_eq!(waiter.join().unwrap().err(), Some(Refused::Cancelled));
    });
    let at_once = rig.pool.acquire(rig.origin, never(), Some(&token)).err();
    assert_eq!(at_once, Some(Refused::Cancelled));
    assert_eq!(rig.total().waiting, 0);
    held.give_back();
    // Nobody needs to wait, so nobody is refused.
    assert!(rig.pool.acquire(rig.origin, never(), Some(&token)).is_ok());
}

#[test]
fn waiters_are_served_first_come_first_served() {
    let rig = Rig::new(1);
    let held = rig.lease();
    let (sender, order) = unbounded();
    thread::scope(|scope| {
        for number in 0..20 {
            let (rig, sender) = (&rig, sender.clone());
            scope.spawn(move || {
                let lease = rig.lease();
                sender.send(number).unwrap();
                lease.give_back();
            });
            rig.wait_until_queued(number + 1);
        }
        held.give_back();
    });
    assert_eq!(order.try_iter().collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
}

#[test]
fn an_evicted_connection_is_closed_before_another_is_opened() {
    let rig = Rig::with(Limits { max_size: 1, max_per_origin: 1, idle_timeout: LONG });
    let other = rig.pool.register("b");
    rig.lease().give_back();
    let granted = rig.pool.acquire(other, soon(), None);
    assert!(matches!(granted, Ok(Acquired::Open(_))));
    assert_eq!(rig.closed.try_recv(), Ok(0));
    assert_eq!(rig.pool.stats().origins["a"].closed.evicted, 1);
}

#[test]
fn the_cleaner_closes_idle_connections() {
    let rig = Rig::with(Limits {
        max_size: 4,
        max_per_origin: 4,
        idle_timeout: Duration::from_millis(20),
    });
    let (first, second) = (rig.lease(), rig.lease());
    first.give_back();
    second.give_back();
    let mut closed = [(); 2].map(|()| rig.closed.recv_timeout(LONG).unwrap());
    closed.sort_unstable();
    assert_eq!(closed, [0, 1]);
    // Once more, from an indefinite sleep.
    rig.lease().give_back();
    assert_eq!(rig.closed.recv_timeout(LONG), Ok(2));
    while rig.total().closed.idle != 3 {
        thread::yield_now();
    }
}

#[test]
fn the_cleaner_does_not_oversleep_a_short_lifetime() {
    let rig = Rig::new(2);
    rig.lease().give_back();
    let Ok(Acquired::Reused(first, _)) = rig.acquire(never()) else { panic!("one is there") };
    let Ok(Acquired::Open(permit)) = rig.acquire(never()) else { panic!("there is room") };
    first.give_back();
    // The cleaner now sleeps for the idle timeout, or is about to.
    let short = Instant::now() + Duration::from_millis(30);
    permit.fill(rig.connect(), Some(short)).give_back();
    assert_eq!(rig.closed.recv_timeout(LONG), Ok(1));
}

#[test]
fn dropping_the_pool_closes_everything_and_ends_the_cleaner() {
    let rig = Rig::new(3);
    let (idle, held) = (rig.lease(), rig.lease());
    idle.give_back();
    let shared = Arc::downgrade(&rig.pool.shared);
    let Rig { pool, closed, .. } = rig;
    drop(pool);
    assert_eq!(closed.try_recv(), Ok(0));
    // A connection in use is closed when it comes back. Nobody else holds the pool, not even the
    // cleaner.
    assert_eq!(shared.strong_count(), 1);
    held.give_back();
    assert_eq!(closed.try_recv(), Ok(1));
    assert_eq!(shared.strong_count(), 0);
}

#[test]
fn shutting_down_ends_every_wait() {
    let rig = Rig::new(1);
    let held = rig.lease();
    let got = acquire_during(&rig, || rig.pool.shut_down());
    assert_eq!(got.err(), Some(Refused::ShutDown));
    assert_eq!(rig.acquire(never()).err(), Some(Refused::ShutDown));
    assert!(rig.pool.spare(rig.origin).is_none());
    held.give_back();
    assert_eq!(rig.closed.try_recv(), Ok(0));
    assert_eq!(rig.total().closed.shutdown, 1);
}

#[test]
fn the_counts_add_up_at_every_moment() {
    let rig = Rig::new(2);
    let first = rig.lease();
    let Ok(Acquired::Open(permit)) = rig.acquire(never()) else { panic!("there is room") };
    let total = rig.total();
    assert_eq!((total.active, total.opening, total.idle, total.opened), (1, 1, 0, 1));
    permit.fail(ConnectFailure::Tls);
    first.give_back();
    let total = rig.total();
    assert_eq!((total.active, total.opening, total.idle, total.reused), (0, 0, 1, 0));
    assert_eq!((total.failed.tls, total.failed.total()), (1, 1));
    let permit = rig.lease().replace(CloseReason::Broken);
    let total = rig.total();
    assert_eq!((total.active, total.opening, total.closed.broken), (0, 1, 1));
    permit.fill(rig.connect(), None).close(CloseReason::Ended);
    let total = rig.total();
    assert_eq!((total.opened, total.reused, total.closed.total()), (2, 1, 2));
    assert_eq!((total.active, total.opening, total.idle, total.waiting), (0, 0, 0, 0));
}

/// Everything at once: panics, broken connections, failed connects, deadlines of a millisecond,
/// cancellations, and a shutdown in the middle.
#[test]
fn nothing_leaks_under_random_failures() {
    for seed in 0..6 {
        let rig = Rig::with(Limits {
            max_size: 5,
            max_per_origin: 3,
            idle_timeout: Duration::from_millis(2),
        });
        let origins = [rig.origin, rig.pool.register("b")];
        let shared = Arc::downgrade(&rig.pool.shared);
        let Rig { pool, opened, sender, closed, .. } = rig;
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let token = CancelToken::new();
        thread::scope(|scope| {
            for worker in 0..12 {
                let (pool, opened, sender, token) = (&pool, &opened, &sender, &token);
                let (now, most) = (&now, &most);
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(seed * 100 + worker);
                    for _ in 0..300 {
                        let deadline = if random.bool() { soon() } else { never() };
                        let cancel = random.bool().then_some(token);
                        let choice = random.u8(0..8);
                        let origin = origins[random.usize(0..2)];
                        let outcome = catch_unwind(AssertUnwindSafe(|| {
                            let lease = match pool.acquire(origin, deadline, cancel) {
                                Err(_) => return,
                                Ok(Acquired::Reused(lease, _)) => lease,
                                Ok(Acquired::Open(permit)) => match choice {
                                    0 => return permit.fail(ConnectFailure::Connect),
                                    1 => panic!("on purpose"),
                                    _ => {
                                        let number = opened.fetch_add(1, Ordering::SeqCst);
                                        let number = number.try_into().unwrap();
                                        let closed = sender.clone();
                                        permit.fill(Tracked { number, closed }, None)
                                    }
                                },
                            };
                            let in_use = now.fetch_add(1, Ordering::SeqCst) + 1;
                            most.fetch_max(in_use, Ordering::SeqCst);
                            thread::yield_now();
                            now.fetch_sub(1, Ordering::SeqCst);
                            match choice {
                                2 => panic!("on purpose"),
                                3 => lease.close(CloseReason::Ended),
                                4 => drop(lease.replace(CloseReason::Broken)),
                                5 => drop(lease),
                                _ => lease.give_back(),
                            }
                        }));
                        if let Err(panic) = outcome {
                            assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
                        }
                    }
                });
            }
            // The pool shuts down while some hold connections and others wait.
            while pool.stats().total.waits.count() < 500 {
                thread::yield_now();
            }
            token.cancel();
            pool.shut_down();
        });
        let total = pool.stats().total;
        assert_eq!((total.active, total.opening, total.idle, total.waiting), (0, 0, 0, 0));
        assert_eq!(total.opened, total.closed.total());
        drop(pool);
        assert!(most.load(Ordering::SeqCst) <= 5);
        let opened = opened.load(Ordering::SeqCst);
        let mut numbers: Vec<_> = closed.try_iter().collect();
        numbers.sort_unstable();
        let all: Vec<u32> = (0..opened.try_into().unwrap()).collect();
        assert_eq!(numbers, all, "every connection was closed exactly once");
        assert_eq!(shared.strong_count(), 0, "no thread holds the pool");
    }
}
