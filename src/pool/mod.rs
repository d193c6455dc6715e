//! The connection pool: [`state`] decides, this shell locks, parks and hands over.
//!
//! It knows nothing of sockets: a connection is whatever `C` is. What a caller
//! holds is a [`Lease`] or a [`Permit`]; both give their place back when dropped,
//! on every path, panics included.

mod state;

use parking_lot::{Condvar, Mutex};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::deadline::Deadline;
pub(crate) use state::Limits;
use state::{Effects, Grant, State, Taken, Ticket};

/// Where connections lead: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin(Arc<str>);

impl Origin {
    pub(crate) fn new(origin: &str) -> Self {
        Self(origin.into())
    }
}

pub(crate) struct Pool<C> {
    shared: Arc<Shared<C>>,
}

struct Shared<C> {
    /// Guards who holds what. Held for bookkeeping only: connections are opened
    /// and closed outside it.
    inner: Mutex<Inner<C>>,
}

struct Inner<C> {
    state: State<Origin, C>,
    /// How to wake each waiter, one signal apiece so that nobody wakes in vain.
    signals: HashMap<Ticket, Arc<Condvar>>,
}

impl<C> Inner<C> {
    fn wake(&mut self, tickets: &[Ticket]) {
        for ticket in tickets {
            if let Some(signal) = self.signals.remove(ticket) {
                signal.notify_one();
            }
        }
    }
}

/// What a caller gets from [`Pool::acquire`].
pub(crate) enum Acquired<C> {
    /// A connection that has been idle for so long.
    Reused(Lease<C>, Duration),
    /// The right to open one.
    Open(Permit<C>),
}

impl<C> Pool<C> {
    pub(crate) fn new(limits: Limits) -> Self {
        let inner = Inner { state: State::new(limits), signals: HashMap::new() };
        Self { shared: Arc::new(Shared { inner: Mutex::new(inner) }) }
    }

    /// Waits in line for a connection to `origin`; `None` when the deadline passes
    /// first.
    pub(crate) fn acquire(&self, origin: &Origin, deadline: Deadline) -> Option<Acquired<C>> {
        let mut inner = self.shared.inner.lock();
        let (taken, effects) = inner.state.take(origin, Instant::now());
        inner.wake(&effects.wake);
        let grant = match taken {
            Taken::Granted(grant) => Some(grant),
            Taken::Wait(ticket) => {
                let signal = Arc::new(Condvar::new());
                inner.signals.insert(ticket, Arc::clone(&signal));
                loop {
                    if let Some(grant) = inner.state.collect(ticket) {
                        break Some(grant);
                    }
                    let timed_out = match deadline.at() {
                        Some(at) => signal.wait_until(&mut inner, at).timed_out(),
                        None => {
                            signal.wait(&mut inner);
                            false
                        }
                    };
                    if timed_out {
                        inner.signals.remove(&ticket);
                        break inner.state.give_up(ticket);
                    }
                }
            }
        };
        drop(inner);
        // Sockets are closed outside the lock.
        drop(effects);
        let permit = || Permit {
            held: Some(Held { shared: Arc::clone(&self.shared), origin: origin.clone() }),
        };
        grant.map(|grant| match grant {
            Grant::Reuse(connection, since) => {
                Acquired::Reused(permit().fill(connection), since.elapsed())
            }
            Grant::Open => Acquired::Open(permit()),
        })
    }
}

impl<C> fmt::Debug for Pool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

struct Held<C> {
    shared: Arc<Shared<C>>,
    origin: Origin,
}

impl<C> Held<C> {
    fn end(self, event: impl FnOnce(&mut State<Origin, C>, &Origin) -> Effects<C>) {
        let mut inner = self.shared.inner.lock();
        let effects = event(&mut inner.state, &self.origin);
        inner.wake(&effects.wake);
        drop(inner);
        drop(effects);
    }
}

/// The right to open one connection. Dropped, it goes to the next in line.
#[must_use]
pub(crate) struct Permit<C> {
    /// Taken when the place is given back.
    held: Option<Held<C>>,
}

impl<C> Permit<C> {
    /// Puts the opened connection into the place held for it.
    pub(crate) fn fill(self, connection: C) -> Lease<C> {
        Lease { connection, permit: self }
    }
}

impl<C> Drop for Permit<C> {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            held.end(|state, origin| state.release(origin));
        }
    }
}

/// A connection in use by one caller. Dropped, the connection is closed and its
/// place goes to the next in line.
#[must_use]
pub(crate) struct Lease<C> {
    // Before the permit: the connection is closed before its place is free, so
    // that never more sockets are open than the caps allow.
    connection: C,
    permit: Permit<C>,
}

impl<C> Lease<C> {
    pub(crate) fn connection(&mut self) -> &mut C {
        &mut self.connection
    }

    pub(crate) fn peek(&self) -> &C {
        &self.connection
    }

    /// Gives the connection back, fit for another use.
    pub(crate) fn give_back(self) {
        let Self { connection, mut permit } = self;
        if let Some(held) = permit.held.take() {
            held.end(|state, origin| state.put(origin, connection, Instant::now()));
        }
    }

    /// Closes the connection and keeps its place.
    pub(crate) fn close(self) -> Permit<C> {
        let Self { connection, permit } = self;
        drop(connection);
        permit
    }
}

impl<C> fmt::Debug for Lease<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    fn pool(max_size: usize) -> Pool<u32> {
        Pool::new(Limits {
            max_size,
            max_per_origin: max_size,
            idle_timeout: Duration::from_secs(60),
        })
    }

    fn soon() -> Deadline {
        Deadline::after(Instant::now(), Duration::from_millis(1))
    }

    fn never() -> Deadline {
        Deadline::after(Instant::now(), Duration::MAX)
    }

    fn lease(pool: &Pool<u32>, origin: &Origin) -> Lease<u32> {
        match pool.acquire(origin, never()).unwrap() {
            Acquired::Reused(lease, _) => lease,
            Acquired::Open(permit) => permit.fill(7),
        }
    }

    #[test]
    fn waiting_ends_at_the_deadline_and_leaves_nothing_behind() {
        let (pool, origin) = (pool(1), Origin::new("a"));
        let held = lease(&pool, &origin);
        assert!(pool.acquire(&origin, soon()).is_none());
        assert!(pool.shared.inner.lock().signals.is_empty());
        held.give_back();
        assert!(matches!(pool.acquire(&origin, soon()), Some(Acquired::Reused(..))));
    }

    #[test]
    fn a_panic_while_opening_or_holding_gives_the_place_back() {
        let (pool, origin) = (pool(1), Origin::new("a"));
        for _ in 0..2 {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                let _held = pool.acquire(&origin, never());
                panic!("on purpose");
            }));
            assert!(outcome.is_err());
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let _held = lease(&pool, &origin);
            panic!("on purpose");
        }));
        assert!(outcome.is_err());
        // Not reused: nobody knows what state the panic left it in.
        assert!(matches!(pool.acquire(&origin, soon()), Some(Acquired::Open(_))));
    }

    #[test]
    fn many_threads_never_hold_more_than_the_cap() {
        let (pool, origin) = (pool(3), Origin::new("a"));
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for seed in 0..16 {
                let (pool, origin, now, most) = (&pool, &origin, &now, &most);
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(seed);
                    for _ in 0..500 {
                        let held = lease(pool, origin);
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        thread::yield_now();
                        now.fetch_sub(1, Ordering::SeqCst);
                        match random.u8(0..3) {
                            0 => drop(held),
                            1 => drop(held.close()),
                            _ => held.give_back(),
                        }
                        if random.u8(0..8) == 0 {
                            drop(pool.acquire(origin, soon()));
                        }
                    }
                });
            }
        });
        assert_eq!(most.load(Ordering::SeqCst), 3);
        assert!(pool.shared.inner.lock().signals.is_empty());
    }
}
