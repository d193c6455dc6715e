//! The thread that closes connections nobody uses.
//!
//! It starts with the first connection at rest, sleeps until the next one expires,
//! and ends with the pool. While nothing is at rest it sleeps without an end; a
//! connection that comes to rest wakes it only if it would oversleep.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Shared;
use crate::sync::{Condvar, Lock, ordered};

pub(super) struct Cleaner {
    /// The least time between two sweeps, so that expiries close together cost one
    /// wake-up.
    period: Duration,
    /// Rung when it must not sleep on. Waits under the pool's lock.
    alarm: Condvar,
    /// Guards who joins the thread ([`Lock::Cleaner`]). A failed start takes the pool's lock
    /// under it.
    thread: ordered::Mutex<Option<JoinHandle<()>>>,
}

impl Cleaner {
    pub(super) fn new(period: Duration) -> Self {
        Self { period, alarm: Condvar::new(), thread: ordered::Mutex::new(Lock::Cleaner, None) }
    }
}

/// Whether the thread is there and when it will look, under the pool's lock.
#[derive(Debug, Default)]
pub(super) enum Schedule {
    /// Not started yet.
    #[default]
    Absent,
    /// About to look.
    Awake,
    Until(Instant),
    /// Sleeping without an end.
    Parked,
}

/// What is to be done once the pool's lock is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Nothing,
    Start,
    Wake,
}

impl Schedule {
    /// A connection has come back, to be used until `retire_at`, and `has_idle`
    /// says whether any are at rest now. The timeout of one that has just come to
    /// rest ends after all the others'.
    pub(super) fn after_put(&mut self, has_idle: bool, retire_at: Option<Instant>) -> Call {
        let call = match *self {
            _ if !has_idle => return Call::Nothing,
            Self::Absent => Call::Start,
            Self::Parked => Call::Wake,
            Self::Until(at) if retire_at.is_some_and(|retire| retire < at) => Call::Wake,
            Self::Awake | Self::Until(_) => return Call::Nothing,
        };
        *self = Self::Awake;
        call
    }
}

pub(super) fn call<C: Send + 'static>(shared: &Arc<Shared<C>>, call: Call) {
    match call {
        Call::Nothing => {}
        Call::Wake => {
            shared.cleaner.alarm.notify_one();
        }
        // A model has no clock for it to follow.
        Call::Start if cfg!(loom) => {}
        Call::Start => start(shared),
    }
}

fn start<C: Send + 'static>(shared: &Arc<Shared<C>>) {
    let cleaned = Arc::clone(shared);
    let mut thread = shared.cleaner.thread.lock();
    let started = thread::Builder::new()
        .name("tollgate-pool-cleaner".to_owned())
        .stack_size(128 * 1024)
        .spawn(move || run(&cleaned));
    match started {
        Ok(handle) => *thread = Some(handle),
        // The next connection to come to rest tries again. Until then those at
        // rest are closed when they are found too old.
        Err(_) => shared.inner.lock().cleaning = Schedule::Absent,
    }
    drop(thread);
    if shared.inner.lock().state.is_shut_down() {
        join(shared);
    }
}

/// Ends the thread, once the pool is shut down, and waits for it.
pub(super) fn stop<C: Send + 'static>(shared: &Arc<Shared<C>>) {
    shared.cleaner.alarm.notify_one();
    join(shared);
}

fn join<C>(shared: &Shared<C>) {
    let handle = shared.cleaner.thread.lock().take();
    // Who is told that it closes a connection may drop the pool there; then it ends by
    // itself.
    let handle = handle.filter(|handle| handle.thread().id() != thread::current().id());
    if let Some(handle) = handle {
        // It ends by panic only if closing a connection panics; nothing is left to
        // be done about that here.
        let _ = handle.join();
    }
}

fn run<C: Send + 'static>(shared: &Arc<Shared<C>>) {
    let mut not_before = Instant::now();
    // Whether a connection has come to rest since it last slept without an end.
    let mut called = true;
    let mut inner = shared.inner.lock();
    while !inner.state.is_shut_down() {
        let now = Instant::now();
        let until = match inner.state.next_expiry() {
            Some(at) => Some(at.max(not_before)),
            // In use again already. What comes to rest from now on has its whole
            // timeout ahead; without this each of many quick calls would wake it.
            None if called => {
                called = false;
                now.checked_add(inner.state.idle_timeout())
            }
            None => None,
        };
        match until {
            None => {
                inner.cleaning = Schedule::Parked;
                shared.cleaner.alarm.wait(&mut inner);
                called = true;
            }
            Some(at) if at > now => {
                inner.cleaning = Schedule::Until(at);
                shared.cleaner.alarm.wait_until(&mut inner, at);
            }
            Some(_) => {
                let expired = inner.state.expire(now);
                not_before = now.checked_add(shared.cleaner.period).unwrap_or(now);
                drop(inner);
                for (origin, connection, reason) in expired {
                    drop(connection);
                    shared.release(origin, Some(reason));
                }
                inner = shared.inner.lock();
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_comes_to_rest_wakes_it_only_if_it_would_oversleep() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let until = || Schedule::Until(now + second * 90);
        for (mut schedule, has_idle, retire_at, expected) in [
            (Schedule::Absent, true, None, Call::Start),
            (Schedule::Absent, false, None, Call::Nothing),
            (Schedule::Parked, true, None, Call::Wake),
            (Schedule::Parked, false, Some(now), Call::Nothing),
            (Schedule::Awake, true, Some(now), Call::Nothing),
            (until(), true, None, Call::Nothing),
            (until(), true, Some(now + second * 90), Call::Nothing),
            (until(), true, Some(now + second * 89), Call::Wake),
        ] {
            let shown = format!("{schedule:?} {has_idle} {retire_at:?}");
            assert_eq!(schedule.after_put(has_idle, retire_at), expected, "{shown}");
            // Whoever was called is not called twice.
            if expected != Call::Nothing {
                assert_eq!(schedule.after_put(true, Some(now)), Call::Nothing, "{shown}");
            }
        }
    }
}
