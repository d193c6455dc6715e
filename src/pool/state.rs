//! The pool's bookkeeping: who holds what, and who is served next. Pure functions of (state, event,
//! now), without locks, clocks or sockets.
//!
//! The limits count *places*: an idle connection, a lease, or a permit to open one. A caller
//! receives a [`Grant`]: a connection, or the permit to open one. Each grant ends exactly once, by
//! [`put`](State::put) or by [`release`](State::release). A connection evicted for another origin
//! counts against its own origin's limit until its closing [was reported](State::evicted). It no
//! longer counts against the pool's limit: its place is the other origin's permit, which opens
//! nothing before then.
//!
//! These hold after every event:
//!
//! - places never exceed `max_size`, and those of an origin never exceed `max_per_origin`;
//! - a waiter exists only if nothing can serve it: its origin has no idle connection, and either
//!   its origin is at its limit, or the pool is at its limit with no idle connection of another
//!   origin to evict;
//! - waiters of one origin are served first come, first served; if a freed place could serve
//!   waiters of several origins, the oldest gets it;
//! - every ticket ends once: it is collected or given up;
//! - after shutdown, nothing is granted, kept or waited for.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::time::{Duration, Instant};

use super::stats::{CloseReason, ConnectFailure, OriginStats};

/// The limits of a pool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) max_size: usize,
    pub(crate) max_per_origin: usize,
    pub(crate) idle_timeout: Duration,
}

/// An origin of the pool, numbered in the order of [registration](State::register).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OriginId(usize);

/// An idle connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Idle<C> {
    pub(crate) connection: C,
    /// When its last use ended.
    pub(crate) since: Instant,
    /// When it is too old to be used again.
    pub(crate) retire_at: Option<Instant>,
}

/// What a caller receives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Grant<C> {
    /// An idle connection.
    Reuse(Idle<C>),
    /// A permit to open a connection, and the other origin's connection it replaces. Close that one
    /// first, so that open sockets stay within the limit too.
    Open(Option<Evicted<C>>),
}

/// A connection evicted for one to another origin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Evicted<C> {
    pub(crate) connection: C,
    pub(crate) origin: OriginId,
}

/// A place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken<C> {
    Granted(Grant<C>),
    Wait(Ticket),
    ShutDown,
}

#[derive(Debug)]
struct Origin<C> {
    name: String,
    /// Least recently used first.
    idle: VecDeque<Idle<C>>,
    /// Leases and permits.
    held: usize,
    /// How many of them are permits.
    opening: usize,
    /// Evicted connections that are not closed yet.
    closing: usize,
    /// Oldest first.
    waiters: VecDeque<Ticket>,
    stats: OriginStats,
}

impl<C> Origin<C> {
    fn places(&self) -> usize {
        self.idle.len() + self.held + self.closing
    }
}

#[derive(Debug)]
pub(crate) struct State<C> {
    limits: Limits,
    origins: Vec<Origin<C>>,
    /// Granted, but not yet collected by the waiter.
    granted: HashMap<Ticket, Grant<C>>,
    /// Sums over all origins.
    places: usize,
    idle: usize,
    waiting: usize,
    next_ticket: u64,
    shut_down: bool,
}

impl<C> State<C> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            origins: Vec::new(),
            granted: HashMap::new(),
            places: 0,
            idle: 0,
            waiting: 0,
            next_ticket: 0,
            shut_down: false,
        }
    }

    /// Registers an origin, or finds it by name.
    pub(crate) fn register(&mut self, name: &str) -> OriginId {
        let known = self.origins.iter().position(|origin| origin.name == name);
        OriginId(known.unwrap_or_else(|| {
            self.origins.push(Origin {
                name: name.to_owned(),
                idle: VecDeque::new(),
                held: 0,
                opening: 0,
                closing: 0,
                waiters: VecDeque::new(),
                stats: OriginStats::default(),
            });
            self.origins.len() - 1
        }))
    }

    /// A caller asks for a connection.
    // The results of this and similar functions are large; inlining avoids copying them.
    #[inline]
    pub(crate) fn take(&mut self, id: OriginId) -> Taken<C> {
        if self.shut_down {
            return Taken::ShutDown;
        }
        if self.origins[id.0].waiters.is_empty() {
            if let Some(grant) = self.serve(id) {
                return Taken::Granted(grant);
            }
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.origins[id.0].waiters.push_back(ticket);
        self.waiting += 1;
        Taken::Wait(ticket)
    }

    /// A caller asks to open a connection in advance, if there is room without evicting or waiting.
    pub(crate) fn take_spare(&mut self, id: OriginId) -> bool {
        let room = !self.shut_down
            && self.waiting == 0
            && self.places < self.limits.max_size
            && self.origins[id.0].places() < self.limits.max_per_origin;
        if room {
            self.permit(id);
        }
        room
    }

    /// A permit's connection was opened; the permit becomes a lease.
    pub(crate) fn opened(&mut self, id: OriginId) {
        self.origins[id.0].opening -= 1;
        self.origins[id.0].stats.opened += 1;
    }

    /// A lease's connection was closed but its place kept; the lease becomes a permit.
    pub(crate) fn closed(&mut self, id: OriginId, reason: CloseReason) {
        self.origins[id.0].opening += 1;
        self.origins[id.0].stats.closed.count(reason);
    }

    /// A connection could not be opened. Its permit must still end.
    pub(crate) fn failed(&mut self, id: OriginId, failure: ConnectFailure) {
        self.origins[id.0].stats.failed.count(failure);
    }

    /// A lease ends and its connection is fit for another use. Returns the tickets whose grants can
    /// now be collected. After shutdown, it returns the connection instead: close it, then end the
    /// lease with [`release`](Self::release).
    #[inline]
    pub(crate) fn put(&mut self, id: OriginId, idle: Idle<C>) -> Result<Vec<Ticket>, C> {
        if self.shut_down {
            return Err(idle.connection);
        }
        let origin = &mut self.origins[id.0];
        origin.held -= 1;
        origin.idle.push_back(idle);
        self.idle += 1;
        Ok(self.dispatch())
    }

    /// A lease ends after its connection was closed for the given reason, or a permit ends unused,
    /// without a connection. Returns the tickets whose grants can now be collected.
    pub(crate) fn release(&mut self, id: OriginId, closed: Option<CloseReason>) -> Vec<Ticket> {
        let origin = &mut self.origins[id.0];
        origin.held -= 1;
        self.places -= 1;
        match closed {
            Some(reason) => origin.stats.closed.count(reason),
            None => origin.opening -= 1,
        }
        self.dispatch()
    }

    /// An evicted connection was closed. Returns the tickets whose grants can now be collected.
    pub(crate) fn evicted(&mut self, id: OriginId) -> Vec<Ticket> {
        self.origins[id.0].closing -= 1;
        self.dispatch()
    }

    /// A waiter checks whether it was served.
    pub(crate) fn collect(&mut self, ticket: Ticket) -> Option<Grant<C>> {
        self.granted.remove(&ticket)
    }

    /// A waiter leaves the queue. A grant that came at the last moment is returned.
    pub(crate) fn give_up(&mut self, id: OriginId, ticket: Ticket) -> Option<Grant<C>> {
        let grant = self.granted.remove(&ticket);
        if grant.is_none() {
            let waiters = &mut self.origins[id.0].waiters;
            // Tickets are in order of arrival, so a binary search finds it.
            if let Ok(at) = waiters.binary_search(&ticket) {
                waiters.remove(at);
                self.waiting -= 1;
            }
        }
        grant
    }

    /// A wait ended, with or without a grant.
    pub(crate) fn waited(&mut self, id: OriginId, wait: Duration) {
        self.origins[id.0].stats.waits.record(wait);
    }

    /// Takes out the connections that were idle too long or are too old. Each keeps its place as a
    /// lease until it is closed and [released](Self::release).
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<(OriginId, C, CloseReason)> {
        let mut expired = Vec::new();
        for (at, origin) in self.origins.iter_mut().enumerate() {
            for idle in mem::take(&mut origin.idle) {
                let reason = if idle.retire_at.is_some_and(|at| at <= now) {
                    CloseReason::Lifetime
                } else if now.saturating_duration_since(idle.since) >= self.limits.idle_timeout {
                    CloseReason::Idle
                } else {
                    origin.idle.push_back(idle);
                    continue;
                };
                origin.held += 1;
                expired.push((OriginId(at), idle.connection, reason));
            }
        }
        self.idle -= expired.len();
        expired
    }

    /// When [`expire`](Self::expire) will next find something.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        let idle_timeout = self.limits.idle_timeout;
        self.origins
            .iter()
            .flat_map(|origin| &origin.idle)
            .filter_map(|idle| match (idle.since.checked_add(idle_timeout), idle.retire_at) {
                (Some(timeout), Some(retire)) => Some(timeout.min(retire)),
                (timeout, retire) => timeout.or(retire),
            })
            .min()
    }

    /// Ends every wait, and takes out the idle connections, for closing. From now on nothing is
    /// granted, and connections that come back are not kept.
    pub(crate) fn shut_down(&mut self) -> (Vec<Ticket>, Vec<C>) {
        self.shut_down = true;
        let (mut wake, mut close) = (Vec::new(), Vec::new());
        for origin in &mut self.origins {
            wake.extend(origin.waiters.drain(..));
            for idle in origin.idle.drain(..) {
                origin.stats.closed.count(CloseReason::Shutdown);
                close.push(idle.connection);
            }
        }
        self.places -= self.idle;
        self.idle = 0;
        self.waiting = 0;
        (wake, close)
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        self.limits.idle_timeout
    }

    /// How many connections to an origin are idle.
    pub(crate) fn idle(&self, id: OriginId) -> usize {
        self.origins[id.0].idle.len()
    }

    pub(crate) fn has_idle(&self) -> bool {
        self.idle > 0
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.shut_down
    }

    /// The name and counts of each origin.
    pub(crate) fn stats(&self) -> Vec<(String, OriginStats)> {
        let with_counts = |origin: &Origin<C>| OriginStats {
            active: origin.held - origin.opening,
            opening: origin.opening,
            idle: origin.idle.len(),
            waiting: origin.waiters.len(),
            ..origin.stats.clone()
        };
        self.origins.iter().map(|origin| (origin.name.clone(), with_counts(origin))).collect()
    }

    /// Serves every waiter that can be served now, oldest first.
    #[inline]
    fn dispatch(&mut self) -> Vec<Ticket> {
        let mut served = Vec::new();
        while self.waiting > 0 {
            let next = (0..self.origins.len())
                .filter(|at| self.can_serve(OriginId(*at)))
                .filter_map(|at| Some((*self.origins[at].waiters.front()?, OriginId(at))))
                .min_by_key(|(ticket, _)| *ticket);
            let Some((ticket, id)) = next else { break };
            let Some(grant) = self.serve(id) else { break };
            self.origins[id.0].waiters.pop_front();
            self.waiting -= 1;
            self.granted.insert(ticket, grant);
            served.push(ticket);
        }
        served
    }

    fn can_serve(&self, id: OriginId) -> bool {
        let origin = &self.origins[id.0];
        !origin.idle.is_empty()
            || (origin.places() < self.limits.max_per_origin
                && (self.places < self.limits.max_size || self.idle > 0))
    }

    /// Grants the newest idle connection, otherwise a permit within the limits, otherwise a permit
    /// in place of another origin's oldest idle connection.
    #[inline]
    fn serve(&mut self, id: OriginId) -> Option<Grant<C>> {
        if !self.can_serve(id) {
            return None;
        }
        if let Some(idle) = self.origins[id.0].idle.pop_back() {
            let origin = &mut self.origins[id.0];
            origin.held += 1;
            origin.stats.reused += 1;
            self.idle -= 1;
            return Some(Grant::Reuse(idle));
        }
        let evicted = match self.places < self.limits.max_size {
            true => None,
            false => Some(self.evict()?),
        };
        self.permit(id);
        Some(Grant::Open(evicted))
    }

    fn permit(&mut self, id: OriginId) {
        self.origins[id.0].held += 1;
        self.origins[id.0].opening += 1;
        self.places += 1;
    }

    /// Takes out the connection that was idle longest.
    fn evict(&mut self) -> Option<Evicted<C>> {
        let (at, origin) = self
            .origins
            .iter_mut()
            .enumerate()
            .filter(|(_, origin)| !origin.idle.is_empty())
            .min_by_key(|(_, origin)| origin.idle.front().map(|idle| idle.since))?;
        let oldest = origin.idle.pop_front()?;
        origin.closing += 1;
        origin.stats.closed.count(CloseReason::Evicted);
        self.idle -= 1;
        self.places -= 1;
        Some(Evicted { connection: oldest.connection, origin: OriginId(at) })
    }
}

#[cfg(test)]
mod tests;
