//! Who holds what and who is served next: the pool's bookkeeping as functions of
//! (state, event, now), without locks, clocks or sockets.
//!
//! What is counted against the caps is a *place*: an idle connection, a lease, or
//! a permit to open one. What travels to a caller is a [`Grant`]: a connection, or
//! the permit to open one. Whoever holds a grant ends it exactly once, by
//! [`put`](State::put) or by [`release`](State::release).
//!
//! After every event:
//! - places never exceed `max_size`, nor those of an origin `max_per_origin`;
//! - a waiter exists only if nothing could serve it;
//! - waiters of one origin are served in the order in which they came;
//! - every ticket ends once: collected, or given up.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::{Duration, Instant};

/// The bounds a pool keeps to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) max_size: usize,
    pub(crate) max_per_origin: usize,
    pub(crate) idle_timeout: Duration,
}

/// What a caller gets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Grant<C> {
    /// An idle connection, and since when it was idle.
    Reuse(C, Instant),
    /// A permit to open a connection.
    Open,
}

/// A place in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken<C> {
    Granted(Grant<C>),
    Wait(Ticket),
}

/// What an event brings about, for the shell to carry out once the lock is free.
#[derive(Debug)]
pub(crate) struct Effects<C> {
    /// Whose grants are ready to be collected.
    pub(crate) wake: Vec<Ticket>,
    /// Connections to close.
    pub(crate) close: Vec<C>,
}

impl<C> Effects<C> {
    fn none() -> Self {
        Self { wake: Vec::new(), close: Vec::new() }
    }
}

#[derive(Debug)]
struct Idle<C> {
    connection: C,
    since: Instant,
}

#[derive(Debug)]
struct Origin<C> {
    /// Oldest first.
    idle: VecDeque<Idle<C>>,
    /// Leases and permits.
    in_use: usize,
}

impl<C> Default for Origin<C> {
    fn default() -> Self {
        Self { idle: VecDeque::new(), in_use: 0 }
    }
}

impl<C> Origin<C> {
    fn places(&self) -> usize {
        self.idle.len() + self.in_use
    }
}

#[derive(Debug)]
pub(crate) struct State<K, C> {
    limits: Limits,
    origins: HashMap<K, Origin<C>>,
    /// Over all origins, in order of arrival.
    waiters: VecDeque<(Ticket, K)>,
    /// Served, but not yet collected by the waiter.
    granted: HashMap<Ticket, Grant<C>>,
    places: usize,
    next_ticket: u64,
}

impl<K: Clone + Eq + Hash, C> State<K, C> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            origins: HashMap::new(),
            waiters: VecDeque::new(),
            granted: HashMap::new(),
            places: 0,
            next_ticket: 0,
        }
    }

    /// Someone wants a connection to `key`.
    pub(crate) fn take(&mut self, key: &K, now: Instant) -> (Taken<C>, Effects<C>) {
        let mut effects = self.expire(now);
        let overtakes = self.waiters.iter().any(|(_, waiting)| waiting == key);
        if !overtakes {
            if let Some(grant) = self.serve(key, &mut effects.close) {
                return (Taken::Granted(grant), effects);
            }
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.waiters.push_back((ticket, key.clone()));
        (Taken::Wait(ticket), effects)
    }

    /// A lease ends with its connection fit for another use.
    pub(crate) fn put(&mut self, key: &K, connection: C, now: Instant) -> Effects<C> {
        let origin = self.origins.entry(key.clone()).or_default();
        origin.in_use -= 1;
        origin.idle.push_back(Idle { connection, since: now });
        self.dispatch()
    }

    /// A lease or permit ends with nothing to keep.
    pub(crate) fn release(&mut self, key: &K) -> Effects<C> {
        if let Some(origin) = self.origins.get_mut(key) {
            origin.in_use -= 1;
            self.places -= 1;
            self.forget_if_empty(key);
        }
        self.dispatch()
    }

    /// A waiter looks whether it was served.
    pub(crate) fn collect(&mut self, ticket: Ticket) -> Option<Grant<C>> {
        self.granted.remove(&ticket)
    }

    /// A waiter leaves the line. A grant that came at the last moment is its own.
    pub(crate) fn give_up(&mut self, ticket: Ticket) -> Option<Grant<C>> {
        let grant = self.granted.remove(&ticket);
        if grant.is_none() {
            self.waiters.retain(|(waiting, _)| *waiting != ticket);
        }
        grant
    }

    /// Takes out what has been idle for too long.
    pub(crate) fn expire(&mut self, now: Instant) -> Effects<C> {
        let mut close = Vec::new();
        let idle_timeout = self.limits.idle_timeout;
        for origin in self.origins.values_mut() {
            while let Some(oldest) = origin.idle.front() {
                if now.saturating_duration_since(oldest.since) < idle_timeout {
                    break;
                }
                close.extend(origin.idle.pop_front().map(|idle| idle.connection));
            }
        }
        if close.is_empty() {
            return Effects::none();
        }
        self.places -= close.len();
        self.origins.retain(|_, origin| origin.places() > 0);
        let mut effects = self.dispatch();
        effects.close.extend(close);
        effects
    }

    /// Serves everyone in line who can be served now, oldest first.
    fn dispatch(&mut self) -> Effects<C> {
        let mut effects = Effects::none();
        let mut still_waiting = VecDeque::new();
        while let Some((ticket, key)) = self.waiters.pop_front() {
            if self.is_full() {
                still_waiting.push_back((ticket, key));
                break;
            }
            match self.serve(&key, &mut effects.close) {
                Some(grant) => {
                    self.granted.insert(ticket, grant);
                    effects.wake.push(ticket);
                }
                None => still_waiting.push_back((ticket, key)),
            }
        }
        still_waiting.append(&mut self.waiters);
        self.waiters = still_waiting;
        effects
    }

    /// Whether no one at all can be served.
    fn is_full(&self) -> bool {
        self.places >= self.limits.max_size
            && self.origins.values().all(|origin| origin.idle.is_empty())
    }

    /// The newest idle connection, else a permit under the caps, else a permit in
    /// the place of another origin's oldest idle connection.
    fn serve(&mut self, key: &K, close: &mut Vec<C>) -> Option<Grant<C>> {
        if let Some(origin) = self.origins.get_mut(key) {
            if let Some(idle) = origin.idle.pop_back() {
                origin.in_use += 1;
                return Some(Grant::Reuse(idle.connection, idle.since));
            }
            if origin.places() >= self.limits.max_per_origin {
                return None;
            }
        }
        if self.places >= self.limits.max_size {
            close.push(self.evict()?);
        }
        self.origins.entry(key.clone()).or_default().in_use += 1;
        self.places += 1;
        Some(Grant::Open)
    }

    /// Takes out the connection that has been idle longest.
    fn evict(&mut self) -> Option<C> {
        let key = self
            .origins
            .iter()
            .filter_map(|(key, origin)| Some((origin.idle.front()?.since, key)))
            .min_by_key(|(since, _)| *since)
            .map(|(_, key)| key.clone())?;
        let oldest = self.origins.get_mut(&key)?.idle.pop_front()?;
        self.places -= 1;
        self.forget_if_empty(&key);
        Some(oldest.connection)
    }

    fn forget_if_empty(&mut self, key: &K) {
        if self.origins.get(key).is_some_and(|origin| origin.places() == 0) {
            self.origins.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Limits =
        Limits { max_size: 3, max_per_origin: 2, idle_timeout: Duration::from_secs(60) };

    type Pool = State<&'static str, u32>;

    fn granted(pool: &mut Pool, key: &'static str, now: Instant) -> Grant<u32> {
        match pool.take(&key, now) {
            (Taken::Granted(grant), _) => grant,
            (Taken::Wait(_), _) => panic!("{key} has to wait"),
        }
    }

    fn ticket(pool: &mut Pool, key: &'static str, now: Instant) -> Ticket {
        match pool.take(&key, now) {
            (Taken::Wait(ticket), _) => ticket,
            (Taken::Granted(grant), _) => panic!("{key} was served: {grant:?}"),
        }
    }

    #[test]
    fn the_newest_idle_connection_is_reused_first() {
        let now = Instant::now();
        let mut pool = Pool::new(ALL);
        assert_eq!(granted(&mut pool, "a", now), Grant::Open);
        assert_eq!(granted(&mut pool, "a", now), Grant::Open);
        pool.put(&"a", 1, now);
        pool.put(&"a", 2, now);
        assert_eq!(granted(&mut pool, "a", now), Grant::Reuse(2, now));
        assert_eq!(granted(&mut pool, "a", now), Grant::Reuse(1, now));
    }

    #[test]
    fn a_returned_connection_goes_to_the_oldest_waiter_of_its_origin() {
        let now = Instant::now();
        let mut pool = Pool::new(ALL);
        granted(&mut pool, "a", now);
        granted(&mut pool, "a", now);
        let first = ticket(&mut pool, "a", now);
        let second = ticket(&mut pool, "a", now);
        assert_eq!(pool.put(&"a", 1, now).wake, [first]);
        assert_eq!(pool.collect(second), None);
        assert_eq!(pool.collect(first), Some(Grant::Reuse(1, now)));
    }

    #[test]
    fn a_newcomer_never_overtakes_a_waiter() {
        let now = Instant::now();
        let mut pool = Pool::new(ALL);
        granted(&mut pool, "a", now);
        granted(&mut pool, "a", now);
        let waiting = ticket(&mut pool, "a", now);
        assert_eq!(pool.put(&"a", 1, now).wake, [waiting]);
        // The connection is the waiter's although it has not collected it yet.
        ticket(&mut pool, "a", now);
    }

    #[test]
    fn a_broken_return_passes_its_place_on() {
        let now = Instant::now();
        let mut pool = Pool::new(ALL);
        granted(&mut pool, "a", now);
        granted(&mut pool, "a", now);
        let waiting = ticket(&mut pool, "a", now);
        assert_eq!(pool.release(&"a").wake, [waiting]);
        assert_eq!(pool.collect(waiting), Some(Grant::Open));
    }

    #[test]
    fn a_waiter_behind_one_that_cannot_be_served_is_not_held_up() {
        let now = Instant::now();
        let mut pool = Pool::new(ALL);
        granted(&mut pool, "a", now);
        granted(&mut pool, "a", now);
        granted(&mut pool, "b", now);
        let capped = ticket(&mut pool, "a", now);
        let other = ticket(&mut pool, "b", now);
        assert_eq!(pool.release(&"b").wake, [other]);
        assert_eq!(pool.collect(capped), None);
        assert_eq!(pool.collect(other), Some(Grant::Open));
    }

    #[test]
    fn another_origins_oldest_idle_connection_makes_way() {
        let now = Instant::now();
        let mut pool = Pool::new(ALL);
        for key in ["a", "a", "b"] {
            granted(&mut pool, key, now);
        }
        pool.put(&"a", 1, now);
        pool.put(&"b", 2, now + Duration::from_secs(1));
        let (taken, effects) = pool.take(&"c", now + Duration::from_secs(2));
        assert_eq!(taken, Taken::Granted(Grant::Open));
        assert_eq!(effects.close, [1]);
    }

    #[test]
    fn a_waiter_that_gives_up_keeps_a_grant_that_came_before() {
        let now = Instant::now();
        let mut pool = Pool::new(ALL);
        granted(&mut pool, "a", now);
        granted(&mut pool, "a", now);
        let late = ticket(&mut pool, "a", now);
        let gone = ticket(&mut pool, "a", now);
        assert_eq!(pool.give_up(gone), None);
        pool.put(&"a", 1, now);
        assert_eq!(pool.give_up(late), Some(Grant::Reuse(1, now)));
        assert!(pool.put(&"a", 1, now).wake.is_empty());
    }

    #[test]
    fn what_was_idle_too_long_is_closed_and_its_place_is_free() {
        let now = Instant::now();
        let mut pool = Pool::new(ALL);
        granted(&mut pool, "a", now);
        pool.put(&"a", 1, now);
        let (taken, effects) = pool.take(&"a", now + Duration::from_secs(60));
        assert_eq!(taken, Taken::Granted(Grant::Open));
        assert_eq!(effects.close, [1]);
    }

    /// Random events against the promises made above, after every step.
    #[test]
    fn random_events_keep_every_promise() {
        const KEYS: [&str; 3] = ["a", "b", "c"];
        for seed in 0..300 {
            let mut random = fastrand::Rng::with_seed(seed);
            let limits = Limits {
                max_size: random.usize(1..5),
                max_per_origin: random.usize(1..4),
                idle_timeout: Duration::from_secs(5),
            };
            let mut pool = Pool::new(limits);
            let mut now = Instant::now();
            let mut held: Vec<&str> = Vec::new();
            let mut line: Vec<(Ticket, &str)> = Vec::new();
            let mut idle = 0usize;
            let mut serial = 0;
            for _ in 0..200 {
                now += Duration::from_millis(random.u64(0..2000));
                let effects = match random.u8(0..5) {
                    0 | 1 => {
                        let key = KEYS[random.usize(0..3)];
                        let (taken, effects) = pool.take(&key, now);
                        match taken {
                            Taken::Granted(grant) => {
                                assert!(line.iter().all(|(_, waiting)| *waiting != key));
                                idle -= usize::from(matches!(grant, Grant::Reuse(..)));
                                held.push(key);
                            }
                            Taken::Wait(ticket) => line.push((ticket, key)),
                        }
                        effects
                    }
                    2 if !held.is_empty() => {
                        let key = held.swap_remove(random.usize(0..held.len()));
                        serial += 1;
                        idle += 1;
                        pool.put(&key, serial, now)
                    }
                    3 if !held.is_empty() => {
                        let key = held.swap_remove(random.usize(0..held.len()));
                        pool.release(&key)
                    }
                    4 if !line.is_empty() => {
                        let (ticket, _) = line.remove(random.usize(0..line.len()));
                        assert_eq!(pool.give_up(ticket), None);
                        Effects::none()
                    }
                    _ => pool.expire(now),
                };
                idle -= effects.close.len();
                for woken in effects.wake {
                    let at = line.iter().position(|(ticket, _)| *ticket == woken).unwrap();
                    let (ticket, key) = line.remove(at);
                    assert!(
                        line.iter().all(|(other, waiting)| *waiting != key || *other > ticket),
                        "served out of order"
                    );
                    let grant = pool.collect(ticket).unwrap();
                    idle -= usize::from(matches!(grant, Grant::Reuse(..)));
                    held.push(key);
                }
                assert_eq!(pool.places, held.len() + idle);
                assert!(pool.places <= limits.max_size);
                for key in KEYS {
                    let origin = pool.origins.get(key);
                    let places = origin.map_or(0, Origin::places);
                    assert!(places <= limits.max_per_origin);
                    if line.iter().any(|(_, waiting)| *waiting == key) {
                        let full = places >= limits.max_per_origin
                            || (pool.places >= limits.max_size && idle == 0);
                        assert!(full && origin.is_none_or(|origin| origin.idle.is_empty()));
                    }
                }
                assert_eq!(pool.waiters.len(), line.len());
            }
            for key in held {
                pool.release(&key).wake.into_iter().for_each(|ticket| {
                    pool.give_up(ticket);
                });
            }
        }
    }
}
