//! The thread that closes unused connections.
//!
//! It starts with the first idle connection, sleeps until the next one expires, and ends with the
//! pool. With no idle connection it sleeps indefinitely. A connection that becomes idle wakes it
//! only if it would sleep past that connection's expiry.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Shared;
use crate::sync::{Condvar, Lock, ordered};

pub(super) struct Cleaner {
    /// The minimum time between two sweeps, so that connections expiring close together cost one
    /// wake-up.
    period: Duration,
    /// Signalled when the thread must not sleep on. Used with the pool's lock.
    alarm: Condvar,
    /// Guards which caller joins the thread ([`Lock::Cleaner`]). If the thread cannot start, the
    /// pool's lock is taken under this one.
    thread: ordered::Mutex<Option<JoinHandle<()>>>,
}

impl Cleaner {
    pub(super) fn new(period: Duration) -> Self {
        Self { period, alarm: Condvar::new(), thread: ordered::Mutex::new(Lock::Cleaner, None) }
    }
}

/// Whether the thread runs and when it looks next. Guarded by the pool's lock.
#[derive(Debug, Default)]
pub(super) enum Schedule {
    /// Not started yet.
    #[default]
    Absent,
    /// About to look.
    Awake,
    Until(Instant),
    /// Sleeping indefinitely.
    Parked,
}

/// What to do after the pool's lock is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WakeUp {
    Nothing,
    Start,
    Wake,
}

impl Schedule {
    /// Call after a connection came back, usable until `retire_at`; `has_idle` says whether any
    /// connection is idle now. The idle timeout of the newest idle connection ends after all the
    /// others'.
    pub(super) fn after_put(&mut self, has_idle: bool, retire_at: Option<Instant>) -> WakeUp {
        let wake_up = match *self {
            _ if !has_idle => return WakeUp::Nothing,
            Self::Absent => WakeUp::Start,
            Self::Parked => WakeUp::Wake,
            Self::Until(at) if retire_at.is_some_and(|retire| retire < at) => WakeUp::Wake,
            Self::Awake | Self::Until(_) => return WakeUp::Nothing,
        };
        *self = Self::Awake;
        wake_up
    }
}

pub(super) fn wake_up<C: Send + 'static>(shared: &Arc<Shared<C>>, wake_up: WakeUp) {
    match wake_up {
        WakeUp::Nothing => {}
        WakeUp::Wake => {
            shared.cleaner.alarm.notify_one();
        }
        // A loom model has no clock for the thread to follow.
        WakeUp::Start if cfg!(loom) => {}
        WakeUp::Start => start(shared),
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
        // The next connection that becomes idle tries again. Until then, an idle connection is
        // closed when a caller finds it too old.
        Err(_) => shared.inner.lock().cleaning = Schedule::Absent,
    }
    drop(thread);
    if shared.inner.lock().state.is_shut_down() {
        join(shared);
    }
}

/// Ends the thread and waits for it, once the pool is shut down.
pub(super) fn stop<C: Send + 'static>(shared: &Arc<Shared<C>>) {
    shared.cleaner.alarm.notify_one();
    join(shared);
}

fn join<C>(shared: &Shared<C>) {
    let handle = shared.cleaner.thread.lock().take();
    // An observer of a closed connection may drop the pool on this very thread; the thread then
    // ends by itself.
    let handle = handle.filter(|handle| handle.thread().id() != thread::current().id());
    if let Some(handle) = handle {
        // The thread panics only if closing a connection panics; nothing more can be done here.
        let _ = handle.join();
    }
}

fn run<C: Send + 'static>(shared: &Arc<Shared<C>>) {
    let mut not_before = Instant::now();
    // Whether a connection has become idle since the thread last slept indefinitely.
    let mut called = true;
    let mut inner = shared.inner.lock();
    while !inner.state.is_shut_down() {
        let now = Instant::now();
        let until = match inner.state.next_expiry() {
            Some(at) => Some(at.max(not_before)),
            // The connection is already in use again. One that becomes idle from now on has its
            // whole timeout ahead. Without this wait, each of many quick calls would wake the
            // thread.
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
    fn an_idle_connection_wakes_the_cleaner_only_if_it_would_oversleep() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let until = || Schedule::Until(now + second * 90);
        for (mut schedule, has_idle, retire_at, expected) in [
            (Schedule::Absent, true, None, WakeUp::Start),
            (Schedule::Absent, false, None, WakeUp::Nothing),
            (Schedule::Parked, true, None, WakeUp::Wake),
            (Schedule::Parked, false, Some(now), WakeUp::Nothing),
            (Schedule::Awake, true, Some(now), WakeUp::Nothing),
            (until(), true, None, WakeUp::Nothing),
            (until(), true, Some(now + second * 90), WakeUp::Nothing),
            (until(), true, Some(now + second * 89), WakeUp::Wake),
        ] {
            let shown = format!("{schedule:?} {has_idle} {retire_at:?}");
            assert_eq!(schedule.after_put(has_idle, retire_at), expected, "{shown}");
            // The thread is not woken twice.
            if expected != WakeUp::Nothing {
                assert_eq!(schedule.after_put(true, Some(now)), WakeUp::Nothing, "{shown}");
            }
        }
    }
}
