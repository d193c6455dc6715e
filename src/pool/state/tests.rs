//! Tests of the pool's bookkeeping, without threads.

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const LIMITS: Limits =
    Limits { max_size: 3, max_per_origin: 2, idle_timeout: Duration::from_secs(60) };

type Pool = State<u32>;

/// A pool with three origins.
fn pool() -> (Pool, OriginId, OriginId, OriginId, Instant) {
    let mut pool = Pool::new(LIMITS);
    let [a, b, c] = ["a", "b", "c"].map(|name| pool.register(name));
    (pool, a, b, c, Instant::now())
}

/// Takes a permit and opens a connection with it.
fn open(pool: &mut Pool, id: OriginId) {
    assert_eq!(granted(pool, id), Grant::Open(None));
    pool.opened(id);
}

fn granted(pool: &mut Pool, id: OriginId) -> Grant<u32> {
    match pool.take(id) {
        Taken::Granted(grant) => grant,
        other => panic!("not served: {other:?}"),
    }
}

fn ticket(pool: &mut Pool, id: OriginId) -> Ticket {
    match pool.take(id) {
        Taken::Wait(ticket) => ticket,
        other => panic!("not queued: {other:?}"),
    }
}

fn idle(connection: u32, since: Instant) -> Idle<u32> {
    Idle { connection, since, retire_at: None }
}

fn reused(grant: Option<Grant<u32>>) -> u32 {
    match grant {
        Some(Grant::Reuse(idle)) => idle.connection,
        other => panic!("no connection: {other:?}"),
    }
}

fn evicted(origin: OriginId, connection: u32) -> Evicted<u32> {
    Evicted { connection, origin }
}

#[test]
fn the_newest_idle_connection_is_reused_first() {
    let (mut pool, a, _, _, now) = pool();
    open(&mut pool, a);
    open(&mut pool, a);
    let _ = pool.put(a, idle(1, now));
    let _ = pool.put(a, idle(2, now));
    assert_eq!(granted(&mut pool, a), Grant::Reuse(idle(2, now)));
    assert_eq!(granted(&mut pool, a), Grant::Reuse(idle(1, now)));
}

#[test]
fn a_returned_connection_goes_to_the_oldest_waiter_of_its_origin() {
    let (mut pool, a, _, _, now) = pool();
    open(&mut pool, a);
    open(&mut pool, a);
    let first = ticket(&mut pool, a);
    let second = ticket(&mut pool, a);
    assert_eq!(pool.put(a, idle(1, now)), Ok(vec![first]));
    assert_eq!(pool.collect(second), None);
    assert_eq!(reused(pool.collect(first)), 1);
}

#[test]
fn a_newcomer_never_overtakes_a_waiter() {
    let (mut pool, a, _, _, now) = pool();
    open(&mut pool, a);
    open(&mut pool, a);
    let waiting = ticket(&mut pool, a);
    assert_eq!(pool.put(a, idle(1, now)), Ok(vec![waiting]));
    // The connection belongs to the waiter although it has not collected it yet.
    ticket(&mut pool, a);
}

#[test]
fn a_broken_connection_passes_its_place_to_the_next_waiter() {
    let (mut pool, a, _, _, _) = pool();
    open(&mut pool, a);
    open(&mut pool, a);
    let waiting = ticket(&mut pool, a);
    assert_eq!(pool.release(a, Some(CloseReason::Broken)), [waiting]);
    assert_eq!(pool.collect(waiting), Some(Grant::Open(None)));
}

#[test]
fn a_failed_connect_passes_its_place_to_the_next_waiter() {
    let (mut pool, a, _, _, _) = pool();
    assert_eq!(granted(&mut pool, a), Grant::Open(None));
    open(&mut pool, a);
    let waiting = ticket(&mut pool, a);
    pool.failed(a, ConnectFailure::Connect);
    assert_eq!(pool.release(a, None), [waiting]);
    assert_eq!(pool.collect(waiting), Some(Grant::Open(None)));
}

#[test]
fn a_waiter_that_cannot_be_served_does_not_hold_up_the_next() {
    let (mut pool, a, b, _, _) = pool();
    open(&mut pool, a);
    open(&mut pool, a);
    open(&mut pool, b);
    let capped = ticket(&mut pool, a);
    let other = ticket(&mut pool, b);
    assert_eq!(pool.release(b, Some(CloseReason::Ended)), [other]);
    assert_eq!(pool.collect(capped), None);
    assert_eq!(pool.collect(other), Some(Grant::Open(None)));
}

#[test]
fn the_oldest_waiter_of_all_origins_is_served_first() {
    let (mut pool, a, b, c, _) = pool();
    for id in [a, a, b] {
        open(&mut pool, id);
    }
    let first = ticket(&mut pool, c);
    let second = ticket(&mut pool, b);
    assert_eq!(pool.release(a, Some(CloseReason::Ended)), [first]);
    assert_eq!(pool.release(a, Some(CloseReason::Ended)), [second]);
}

#[test]
fn the_oldest_idle_connection_of_another_origin_is_evicted() {
    let (mut pool, a, b, c, now) = pool();
    for id in [a, a, b] {
        open(&mut pool, id);
    }
    let _ = pool.put(a, idle(1, now));
    let _ = pool.put(b, idle(2, now + SECOND));
    assert_eq!(pool.take(c), Taken::Granted(Grant::Open(Some(evicted(a, 1)))));
}

#[test]
fn a_returned_connection_is_evicted_for_a_waiter_of_another_origin() {
    let (mut pool, a, b, c, now) = pool();
    for id in [a, a, b] {
        open(&mut pool, id);
    }
    let waiting = ticket(&mut pool, c);
    assert_eq!(pool.put(a, idle(1, now)), Ok(vec![waiting]));
    assert_eq!(pool.collect(waiting), Some(Grant::Open(Some(evicted(a, 1)))));
}

#[test]
fn a_waiter_that_gives_up_gets_a_grant_made_before() {
    let (mut pool, a, _, _, now) = pool();
    open(&mut pool, a);
    open(&mut pool, a);
    let late = ticket(&mut pool, a);
    let gone = ticket(&mut pool, a);
    assert_eq!(pool.give_up(a, gone), None);
    let _ = pool.put(a, idle(1, now));
    assert_eq!(reused(pool.give_up(a, late)), 1);
    // The queue is empty.
    assert_eq!(pool.put(a, idle(1, now)), Ok(vec![]));
}

#[test]
fn a_sweep_takes_exactly_the_expired_connections() {
    let (mut pool, a, b, c, now) = pool();
    for id in [a, a, b] {
        open(&mut pool, id);
    }
    // One too old although just used, one idle too long, one neither.
    let _ = pool.put(a, Idle { retire_at: Some(now + SECOND * 50), ..idle(1, now + SECOND * 40) });
    let _ = pool.put(b, idle(2, now));
    let _ = pool.put(a, idle(3, now + SECOND));
    assert_eq!(pool.next_expiry(), Some(now + SECOND * 50));
    let mut expired = pool.expire(now + SECOND * 60);
    expired.sort_unstable_by_key(|(_, connection, _)| *connection);
    assert_eq!(expired, [(a, 1, CloseReason::Lifetime), (b, 2, CloseReason::Idle)]);
    assert_eq!(pool.next_expiry(), Some(now + SECOND * 61));
    // Their places are free only after they are closed.
    assert_eq!(reused(Some(granted(&mut pool, a))), 3);
    let waiting = ticket(&mut pool, c);
    for (id, _, reason) in expired {
        let _ = pool.release(id, Some(reason));
    }
    assert_eq!(pool.collect(waiting), Some(Grant::Open(None)));
    let stats = super::super::PoolStats::sum(pool.stats()).total;
    assert_eq!((stats.closed.lifetime, stats.closed.idle, stats.idle), (1, 1, 0));
    assert!(pool.expire(now + SECOND * 60).is_empty());
}

#[test]
fn opening_in_advance_neither_waits_nor_evicts() {
    let (mut pool, a, b, _, now) = pool();
    open(&mut pool, a);
    open(&mut pool, a);
    assert!(!pool.take_spare(a), "the origin is at its limit");
    assert!(pool.take_spare(b));
    assert!(!pool.take_spare(b), "the pool is at its limit");
    let _ = pool.put(a, idle(1, now));
    assert!(!pool.take_spare(b), "an idle connection is not evicted");
}

#[test]
fn a_pool_that_is_shut_down_grants_nothing_and_keeps_nothing() {
    let (mut pool, a, b, _, now) = pool();
    open(&mut pool, a);
    open(&mut pool, a);
    let waiting = ticket(&mut pool, a);
    open(&mut pool, b);
    let _ = pool.put(b, idle(2, now));
    assert_eq!(pool.shut_down(), (vec![waiting], vec![2]));
    assert_eq!(pool.collect(waiting), None);
    assert_eq!(pool.take(b), Taken::ShutDown);
    assert!(!pool.take_spare(b));
    assert_eq!(pool.put(a, idle(1, now)), Err(1));
    let _ = pool.release(a, Some(CloseReason::Shutdown));
    let _ = pool.release(a, Some(CloseReason::Broken));
    let stats = super::super::PoolStats::sum(pool.stats()).total;
    assert_eq!((stats.active, stats.idle, stats.waiting), (0, 0, 0));
    assert_eq!((stats.opened, stats.closed.total(), stats.closed.shutdown), (3, 3, 2));
}

#[test]
fn an_evicted_connection_counts_against_its_origins_limit_until_it_is_closed() {
    let now = Instant::now();
    let mut pool = Pool::new(Limits { max_size: 2, max_per_origin: 1, idle_timeout: SECOND });
    let (a, b, c) = (pool.register("a"), pool.register("b"), pool.register("c"));
    open(&mut pool, a);
    open(&mut pool, b);
    let _ = pool.put(a, idle(1, now));
    assert_eq!(pool.take(c), Taken::Granted(Grant::Open(Some(evicted(a, 1)))));
    let _ = pool.release(b, Some(CloseReason::Ended));
    // The pool has room, but the socket to `a` is still open.
    let waiting = ticket(&mut pool, a);
    assert_eq!(pool.collect(waiting), None);
    assert_eq!(pool.evicted(a), [waiting]);
    assert_eq!(pool.collect(waiting), Some(Grant::Open(None)));
}

/// A naive model of the rules, which searches everything each time.
struct Model {
    limits: Limits,
    idle: Vec<(usize, Idle<u32>)>,
    /// The origin of each lease and permit, and the connection if there is one.
    held: Vec<(usize, Option<u32>)>,
    /// The origins of evicted connections that are not closed yet.
    closing: Vec<usize>,
    line: Vec<(Ticket, usize)>,
}

impl Model {
    fn places(&self, origin: usize) -> usize {
        let idle = self.idle.iter().filter(|(at, _)| *at == origin).count();
        let closing = self.closing.iter().filter(|at| **at == origin).count();
        idle + closing + self.held.iter().filter(|(at, _)| *at == origin).count()
    }

    fn serve(&mut self, origin: usize) -> Option<Grant<u32>> {
        let newest = self.idle.iter().rposition(|(at, _)| *at == origin);
        if let Some(newest) = newest {
            let (_, idle) = self.idle.remove(newest);
            self.held.push((origin, Some(idle.connection)));
            return Some(Grant::Reuse(idle));
        }
        if self.places(origin) >= self.limits.max_per_origin {
            return None;
        }
        let mut evicted = None;
        if self.idle.len() + self.held.len() >= self.limits.max_size {
            let oldest = (0..self.idle.len()).min_by_key(|at| self.idle[*at].1.since)?;
            let (at, idle) = self.idle.remove(oldest);
            self.closing.push(at);
            evicted = Some(Evicted { connection: idle.connection, origin: OriginId(at) });
        }
        self.held.push((origin, None));
        Some(Grant::Open(evicted))
    }

    fn dispatch(&mut self) -> Vec<(Ticket, Grant<u32>)> {
        let mut served = Vec::new();
        let mut at = 0;
        while let Some((ticket, origin)) = self.line.get(at).copied() {
            match self.serve(origin) {
                Some(grant) => {
                    self.line.remove(at);
                    served.push((ticket, grant));
                    at = 0;
                }
                None => at += 1,
            }
        }
        served
    }
}

#[test]
fn random_events_match_a_naive_model_and_keep_every_invariant() {
    for seed in 0..400 {
        let mut random = fastrand::Rng::with_seed(seed);
        let limits = Limits {
            max_size: random.usize(1..6),
            max_per_origin: random.usize(1..4),
            idle_timeout: SECOND * 5,
        };
        let mut pool = Pool::new(limits);
        let ids = ["a", "b", "c"].map(|name| pool.register(name));
        let mut model = Model {
            limits,
            idle: Vec::new(),
            held: Vec::new(),
            closing: Vec::new(),
            line: Vec::new(),
        };
        let mut serial = 0;
        let mut now = Instant::now();
        for step in 0..250 {
            let what = format!("seed {seed} step {step}");
            now += Duration::from_millis(random.u64(1..2500));
            let some_held =
                if model.held.is_empty() { 0 } else { random.usize(0..model.held.len()) };
            let served = match random.u8(0..9) {
                0..=2 => {
                    let at = random.usize(0..3);
                    let in_line = model.line.iter().any(|(_, waiting)| *waiting == at);
                    let expected = if in_line { None } else { model.serve(at) };
                    match (pool.take(ids[at]), expected) {
                        (Taken::Granted(grant), Some(expected)) => {
                            assert_eq!(grant, expected, "{what}");
                        }
                        (Taken::Wait(ticket), None) => model.line.push((ticket, at)),
                        (taken, expected) => panic!("{what}: {taken:?} for {expected:?}"),
                    }
                    Vec::new()
                }
                3 | 4 if !model.held.is_empty() => {
                    let (at, connection) = model.held.swap_remove(some_held);
                    let connection = connection.unwrap_or_else(|| {
                        pool.opened(ids[at]);
                        serial += 1;
                        serial
                    });
                    let lifetime = Duration::from_millis(random.u64(1..9000));
                    let retire_at = random.bool().then(|| now + lifetime);
                    let idle = || Idle { connection, since: now, retire_at };
                    model.idle.push((at, idle()));
                    pool.put(ids[at], idle()).unwrap()
                }
                5 if !model.held.is_empty() => {
                    let (at, connection) = model.held.swap_remove(some_held);
                    if connection.is_some() && random.bool() {
                        // Closed with its place kept, then returned unused.
                        pool.closed(ids[at], CloseReason::Broken);
                        pool.release(ids[at], None)
                    } else {
                        pool.release(ids[at], connection.map(|_| CloseReason::Ended))
                    }
                }
                6 if !model.line.is_empty() => {
                    let (ticket, at) = model.line.remove(random.usize(0..model.line.len()));
                    assert_eq!(pool.give_up(ids[at], ticket), None);
                    Vec::new()
                }
                7 if !model.closing.is_empty() => {
                    let at = model.closing.swap_remove(random.usize(0..model.closing.len()));
                    pool.evicted(ids[at])
                }
                _ => {
                    let expired = |idle: &Idle<u32>| {
                        now - idle.since >= limits.idle_timeout
                            || idle.retire_at.is_some_and(|at| at <= now)
                    };
                    let (gone, kept) = mem::take(&mut model.idle)
                        .into_iter()
                        .partition::<Vec<_>, _>(|(_, idle)| expired(idle));
                    model.idle = kept;
                    assert_eq!(pool.next_expiry().is_some_and(|at| at <= now), !gone.is_empty());
                    let mut out = pool.expire(now);
                    let ids = |out: &[(OriginId, u32, CloseReason)]| {
                        out.iter()
                            .map(|(id, connection, _)| (id.0, *connection))
                            .collect::<Vec<_>>()
                    };
                    let expected: Vec<_> =
                        gone.iter().map(|(at, idle)| (*at, idle.connection)).collect();
                    out.sort_by_key(|(_, connection, _)| *connection);
                    let mut sorted = expected;
                    sorted.sort_by_key(|(_, connection)| *connection);
                    assert_eq!(ids(&out), sorted, "{what}");
                    out.into_iter()
                        .flat_map(|(id, _, reason)| pool.release(id, Some(reason)))
                        .collect()
                }
            };
            let expected = model.dispatch();
            // Freeing places one by one may serve waiters in another order than freeing all at
            // once.
            let mut tickets: Vec<_> = expected.iter().map(|(ticket, _)| *ticket).collect();
            let mut woken = served;
            tickets.sort_unstable();
            woken.sort_unstable();
            assert_eq!(woken, tickets, "{what}");
            for (ticket, grant) in expected {
                assert_eq!(pool.collect(ticket), Some(grant), "{what}");
                assert_eq!(pool.collect(ticket), None, "a ticket ends once");
            }
            check(&pool, &model);
        }
        // No idle connection is left.
        while let Some(at) = model.closing.pop() {
            let _ = pool.evicted(ids[at]);
            for (ticket, grant) in model.dispatch() {
                assert_eq!(pool.collect(ticket), Some(grant));
            }
        }
        while let Some((at, connection)) = model.held.pop() {
            let _ = pool.release(ids[at], connection.map(|_| CloseReason::Ended));
            for (ticket, grant) in model.dispatch() {
                assert_eq!(pool.collect(ticket), Some(grant));
            }
        }
        assert!(model.line.is_empty());
        check(&pool, &model);
        let _ = pool.shut_down();
        assert_eq!((pool.places, pool.idle, pool.waiting, pool.granted.len()), (0, 0, 0, 0));
    }
}

/// Checks the invariants from the head of `state.rs`.
fn check(pool: &Pool, model: &Model) {
    let stats = super::super::PoolStats::sum(pool.stats());
    let total = &stats.total;
    assert_eq!(total.idle, model.idle.len());
    assert_eq!(total.active + total.opening, model.held.len());
    let permits = model.held.iter().filter(|(_, connection)| connection.is_none());
    assert_eq!(total.opening, permits.count());
    assert_eq!(total.waiting, model.line.len());
    let places = total.idle + total.active + total.opening;
    assert!(places <= model.limits.max_size);
    let open = u64::try_from(total.active + total.idle).unwrap();
    // Evicted connections count as closed as soon as their place is granted away.
    assert_eq!(total.opened, open + total.closed.total());
    for (at, name) in ["a", "b", "c"].into_iter().enumerate() {
        let origin = &stats.origins[name];
        let closing = model.closing.iter().filter(|evicted| **evicted == at).count();
        let own = origin.idle + origin.active + origin.opening + closing;
        assert!(own <= model.limits.max_per_origin);
        if model.line.iter().any(|(_, waiting)| *waiting == at) {
            assert_eq!(origin.idle, 0, "a waiter exists only if nothing can serve it");
            let pool_is_full = places == model.limits.max_size && total.idle == 0;
            assert!(own == model.limits.max_per_origin || pool_is_full);
        }
    }
}
