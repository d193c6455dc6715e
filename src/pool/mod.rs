//! A connection pool: fair, exact, and visible.
//!
//! [`state`] decides; this shell locks, parks and hands over, and the [`cleaner`]
//! closes what nobody uses. It knows nothing of sockets: a connection is whatever
//! `C` is. What a caller holds is a [`Lease`] or a [`Permit`]; both give their place
//! back when dropped, on every path, panics included.
//!
//! One lock guards all bookkeeping. Connections are opened, probed and closed outside it. Two
//! other locks are held while it is taken: the cleaner's, when its thread cannot be started,
//! and that of a cancel listener that wakes a waiter. `sync.rs` has the order of all locks.

mod cleaner;
#[cfg(all(test, loom))]
mod model;
mod state;
mod stats;
#[cfg(all(test, not(loom)))]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::cancel::CancelToken;
use crate::deadline::Deadline;
use crate::sync::{Condvar, Lock, Mutex};
use cleaner::Cleaner;
use state::{Evicted, Grant, Idle, State, Taken, Ticket};

pub(crate) use state::{Limits, OriginId};
pub(crate) use stats::{CloseReason, ConnectFailure};
pub use stats::{ClosedConnections, ConnectFailures, OriginStats, PoolStats};

/// Connections shared between threads, in order of arrival. Dropping it closes
/// those at rest, and those in use as they come back.
pub(crate) struct Pool<C: Send + 'static> {
    shared: Arc<Shared<C>>,
}

struct Shared<C> {
    /// Guards who holds what ([`Lock::Pool`]). Held for bookkeeping only, never across I/O, a
    /// callback or the closing of a connection.
    inner: Mutex<Inner<C>>,
    cleaner: Cleaner,
}

struct Inner<C> {
    state: State<C>,
    /// How to wake each waiter, one signal apiece so that nobody wakes in vain.
    signals: HashMap<Ticket, Arc<Condvar>>,
    cleaning: cleaner::Schedule,
}

impl<C> Shared<C> {
    /// Gives a place back, after what was in it was closed for the reason given.
    fn release(&self, origin: OriginId, closed: Option<CloseReason>) {
        let mut inner = self.inner.lock();
        let served = inner.state.release(origin, closed);
        inner.wake(&served);
    }
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
pub(crate) enum Acquired<C: Send + 'static> {
    /// A connection that was used before, and since when it was at rest.
    Reused(Lease<C>, Instant),
    /// The right to open one.
    Open(Permit<C>),
}

/// Why a caller gets none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    TimedOut,
    Cancelled,
    ShutDown,
}

impl<C: Send + 'static> Pool<C> {
    /// A pool that sweeps at most once in `cleanup_period`.
    pub(crate) fn new(limits: Limits, cleanup_period: Duration) -> Self {
        let inner = Inner {
            state: State::new(limits),
            signals: HashMap::new(),
            cleaning: cleaner::Schedule::default(),
        };
        let shared =
            Shared { inner: Mutex::new(Lock::Pool, inner), cleaner: Cleaner::new(cleanup_period) };
        Self { shared: Arc::new(shared) }
    }

    /// Makes an origin known by its name.
    pub(crate) fn register(&self, name: &str) -> OriginId {
        self.shared.inner.lock().state.register(name)
    }

    /// How many connections to an origin are at rest.
    pub(crate) fn idle(&self, origin: OriginId) -> usize {
        self.shared.inner.lock().state.idle(origin)
    }

    /// Waits in line for a connection, until the deadline or until cancelled.
    pub(crate) fn acquire(
        &self,
        origin: OriginId,
        deadline: Deadline,
        cancel: Option<&CancelToken>,
    ) -> Result<Acquired<C>, Refused> {
        let mut inner = self.shared.inner.lock();
        let taken = inner.state.take(origin);
        drop(inner);
        let grant = match taken {
            Taken::Granted(grant) => grant,
            Taken::ShutDown => return Err(Refused::ShutDown),
            Taken::Wait(ticket) => self.wait(origin, ticket, deadline, cancel)?,
        };
        Ok(match grant {
            Grant::Reuse(Idle { connection, since, retire_at }) => {
                let place = self.place(origin, Some(CloseReason::Broken));
                Acquired::Reused(Lease { connection, retire_at, place }, since)
            }
            Grant::Open(evicted) => {
                let place = self.place(origin, None);
                if let Some(Evicted { connection, origin }) = evicted {
                    drop(connection);
                    let mut inner = self.shared.inner.lock();
                    let served = inner.state.evicted(origin);
                    inner.wake(&served);
                }
                Acquired::Open(Permit { place })
            }
        })
    }

    /// The line moves on while its lock is not held here, so the grant may be there
    /// before the wait begins.
    fn wait(
        &self,
        origin: OriginId,
        ticket: Ticket,
        deadline: Deadline,
        cancel: Option<&CancelToken>,
    ) -> Result<Grant<C>, Refused> {
        let begun = Instant::now();
        let signal = Arc::new(Condvar::new());
        let _listening = cancel.map(|token| {
            let (shared, signal) = (Arc::downgrade(&self.shared), Arc::clone(&signal));
            token.listen(move || {
                if let Some(shared) = Weak::upgrade(&shared) {
                    // Under the lock, for the waiter looks at the token under it.
                    let _inner = shared.inner.lock();
                    signal.notify_one();
                }
            })
        });
        let mut inner = self.shared.inner.lock();
        let mut timed_out = false;
        let outcome = loop {
            if let Some(grant) = inner.state.collect(ticket) {
                break Ok(grant);
            }
            if inner.state.is_shut_down() {
                break Err(Refused::ShutDown);
            }
            let cancelled = cancel.is_some_and(CancelToken::is_cancelled);
            if cancelled || timed_out {
                let refused = if cancelled { Refused::Cancelled } else { Refused::TimedOut };
                break inner.state.give_up(origin, ticket).ok_or(refused);
            }
            inner.signals.insert(ticket, Arc::clone(&signal));
            match deadline.at() {
                Some(at) => timed_out = signal.wait_until(&mut inner, at).timed_out(),
                None => signal.wait(&mut inner),
            }
        };
        inner.signals.remove(&ticket);
        inner.state.waited(origin, begun.elapsed());
        // What this guard protected is dropped after it: `listening` unregisters
        // outside the lock.
        drop(inner);
        outcome
    }

    /// The right to open a connection ahead of its use, if there is room for it
    /// without waiting or evicting.
    pub(crate) fn spare(&self, origin: OriginId) -> Option<Permit<C>> {
        let granted = self.shared.inner.lock().state.take_spare(origin);
        granted.then(|| Permit { place: self.place(origin, None) })
    }

    /// Ends every wait and closes what is at rest; what is in use is closed as it
    /// comes back. Returns when the cleaner thread has ended.
    pub(crate) fn shut_down(&self) {
        let mut inner = self.shared.inner.lock();
        let (ended, idle) = inner.state.shut_down();
        inner.wake(&ended);
        drop(inner);
        drop(idle);
        cleaner::stop(&self.shared);
    }

    fn place(&self, origin: OriginId, closed: Option<CloseReason>) -> Place<C> {
        Place { held: Some(Held { shared: Arc::clone(&self.shared), origin }), closed }
    }

    /// What there is and has been, all at this moment.
    pub(crate) fn stats(&self) -> PoolStats {
        let origins = self.shared.inner.lock().state.stats();
        PoolStats::sum(origins)
    }
}

impl<C: Send + 'static> Drop for Pool<C> {
    fn drop(&mut self) {
        self.shut_down();
    }
}

impl<C: Send + 'static> fmt::Debug for Pool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

/// A place among those the caps allow. Dropped, it goes to the next in line.
struct Place<C> {
    /// Taken when the place is given back.
    held: Option<Held<C>>,
    /// What to say of the connection that was closed with it, if there was one.
    closed: Option<CloseReason>,
}

struct Held<C> {
    shared: Arc<Shared<C>>,
    origin: OriginId,
}

impl<C> Place<C> {
    fn note(&self, event: impl FnOnce(&mut State<C>, OriginId)) {
        if let Some(held) = &self.held {
            event(&mut held.shared.inner.lock().state, held.origin);
        }
    }
}

impl<C> Drop for Place<C> {
    fn drop(&mut self) {
        if let Some(Held { shared, origin }) = self.held.take() {
            shared.release(origin, self.closed);
        }
    }
}

/// The right to open one connection. Dropped, it goes to the next in line.
#[must_use]
pub(crate) struct Permit<C: Send + 'static> {
    place: Place<C>,
}

impl<C: Send + 'static> Permit<C> {
    /// Puts the opened connection into the place held for it. It is used until
    /// `retire_at`.
    pub(crate) fn fill(self, connection: C, retire_at: Option<Instant>) -> Lease<C> {
        let mut place = self.place;
        place.note(State::opened);
        place.closed = Some(CloseReason::Broken);
        Lease { connection, retire_at, place }
    }

    /// Gives the place back, for no connection could be opened.
    pub(crate) fn fail(self, failure: ConnectFailure) {
        self.place.note(|state, origin| state.failed(origin, failure));
    }
}

/// A connection in use by one caller. Dropped without a word, as in a panic, it is
/// closed as broken, and its place goes to the next in line.
#[must_use]
pub(crate) struct Lease<C: Send + 'static> {
    // Before its place: it is closed before that is free, so that never are more
    // open than the caps allow.
    connection: C,
    retire_at: Option<Instant>,
    place: Place<C>,
}

impl<C: Send + 'static> Lease<C> {
    pub(crate) fn connection(&self) -> &C {
        &self.connection
    }

    pub(crate) fn connection_mut(&mut self) -> &mut C {
        &mut self.connection
    }

    /// Gives the connection back, fit for another use.
    pub(crate) fn give_back(self) {
        let now = Instant::now();
        if self.retire_at.is_some_and(|at| at <= now) {
            return self.close(CloseReason::Lifetime);
        }
        let Self { connection, retire_at, mut place } = self;
        let Some(Held { shared, origin }) = place.held.take() else { return };
        let mut inner = shared.inner.lock();
        match inner.state.put(origin, Idle { connection, since: now, retire_at }) {
            Ok(served) => {
                inner.wake(&served);
                let has_idle = inner.state.has_idle();
                let call = inner.cleaning.after_put(has_idle, retire_at);
                drop(inner);
                cleaner::call(&shared, call);
            }
            Err(connection) => {
                drop(inner);
                drop(connection);
                shared.release(origin, Some(CloseReason::Shutdown));
            }
        }
    }

    /// Closes the connection and gives its place back.
    pub(crate) fn close(mut self, reason: CloseReason) {
        self.place.closed = Some(reason);
    }

    /// Closes the connection and keeps its place.
    pub(crate) fn replace(self, reason: CloseReason) -> Permit<C> {
        let Self { connection, mut place, .. } = self;
        drop(connection);
        place.note(|state, origin| state.closed(origin, reason));
        place.closed = None;
        Permit { place }
    }
}

impl<C: Send + 'static> fmt::Debug for Lease<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").finish_non_exhaustive()
    }
}
