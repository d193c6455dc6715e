//! The connection pool: fair, exact and observable.
//!
//! [`state`] decides. This shell locks, parks threads and hands connections over; the [`cleaner`]
//! closes unused ones. The pool knows nothing of sockets: `C` is any connection type. A caller
//! holds a [`Lease`] or a [`Permit`]. Both return their place when dropped, on every path,
//! including panics.
//!
//! One lock guards all bookkeeping. Connections are opened, probed and closed outside it. It is
//! taken under two other locks: the cleaner's, if its thread cannot start, and a cancel listener's,
//! when it wakes a waiter. `sync.rs` lists the order of all locks.

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

/// Connections shared between threads, first come, first served. Dropping the pool closes idle
/// connections at once, and connections in use when they come back.
pub(crate) struct Pool<C: Send + 'static> {
    shared: Arc<Shared<C>>,
}

struct Shared<C> {
    /// Guards all bookkeeping ([`Lock::Pool`]). Never held across I/O, a callback or the closing of
    /// a connection.
    inner: Mutex<Inner<C>>,
    cleaner: Cleaner,
}

struct Inner<C> {
    state: State<C>,
    /// One signal per waiter, so that no thread wakes needlessly.
    signals: HashMap<Ticket, Arc<Condvar>>,
    cleaning: cleaner::Schedule,
}

impl<C> Shared<C> {
    /// Frees a place, after its connection was closed for the given reason.
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

/// What [`Pool::acquire`] returns.
pub(crate) enum Acquired<C: Send + 'static> {
    /// A used connection, and the time since which it was idle.
    Reused(Lease<C>, Instant),
    /// The right to open a connection.
    Open(Permit<C>),
}

/// Why [`Pool::acquire`] returned nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    TimedOut,
    Cancelled,
    ShutDown,
}

impl<C: Send + 'static> Pool<C> {
    /// A pool that sweeps at most once per `cleanup_period`.
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

    /// Registers an origin by name.
    pub(crate) fn register(&self, name: &str) -> OriginId {
        self.shared.inner.lock().state.register(name)
    }

    /// How many connections to an origin are idle.
    pub(crate) fn idle(&self, origin: OriginId) -> usize {
        self.shared.inner.lock().state.idle(origin)
    }

    /// Waits in the queue for a connection, until the deadline or until cancelled.
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

    /// The lock is free between queueing and waiting, so the grant may already be there.
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
                    // Under the lock, because the waiter checks the token under it.
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
        // Unlocks before `listening` is dropped: it unregisters outside the lock.
        drop(inner);
        outcome
    }

    /// The right to open a connection in advance, if there is room without waiting or evicting.
    pub(crate) fn spare(&self, origin: OriginId) -> Option<Permit<C>> {
        let granted = self.shared.inner.lock().state.take_spare(origin);
        granted.then(|| Permit { place: self.place(origin, None) })
    }

    /// Ends every wait and closes idle connections; those in use are closed when they come back.
    /// Returns after the cleaner thread has ended.
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

    /// All counts, taken at one moment.
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

/// One of the places that the limits allow. Dropping it passes it to the next waiter.
struct Place<C> {
    /// `None` once the place was freed.
    held: Option<Held<C>>,
    /// Why the connection of this place was closed, if there was one.
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

/// The right to open one connection. Dropping it passes the place to the next waiter.
#[must_use]
pub(crate) struct Permit<C: Send + 'static> {
    place: Place<C>,
}

impl<C: Send + 'static> Permit<C> {
    /// Turns the permit into a lease of the opened connection, which may be used until `retire_at`.
    pub(crate) fn fill(self, connection: C, retire_at: Option<Instant>) -> Lease<C> {
        let mut place = self.place;
        place.note(State::opened);
        place.closed = Some(CloseReason::Broken);
        Lease { connection, retire_at, place }
    }

    /// Frees the place because no connection could be opened.
    pub(crate) fn fail(self, failure: ConnectFailure) {
        self.place.note(|state, origin| state.failed(origin, failure));
    }
}

/// A connection in use by one caller. If it is just dropped, as in a panic, the connection is
/// closed as broken and its place passes to the next waiter.
#[must_use]
pub(crate) struct Lease<C: Send + 'static> {
    // Declared before `place`: the connection is closed before its place is free, so the number of
    // open connections never exceeds the limits.
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

    /// Returns the connection for another use.
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
                let wake_up = inner.cleaning.after_put(has_idle, retire_at);
                drop(inner);
                cleaner::wake_up(&shared, wake_up);
            }
            Err(connection) => {
                drop(inner);
                drop(connection);
                shared.release(origin, Some(CloseReason::Shutdown));
            }
        }
    }

    /// Closes the connection and frees its place.
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
