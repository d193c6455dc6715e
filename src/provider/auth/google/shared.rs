//! A value that expires, refreshed once for all threads.

use crossbeam_channel::{Receiver, Sender, bounded, select_biased};
use std::time::{Duration, Instant};

use crate::bounds::Bounds;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase};
use crate::sync::Lock;
use crate::sync::ordered::Mutex;

/// The longest a refresh may take while the old value is still usable.
const AHEAD_LIMIT: Duration = Duration::from_secs(5);

/// The longest time between a failed refresh and the next.
const LONGEST_HOLD_OFF: Duration = Duration::from_secs(30);

/// How usable a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    Fresh,
    /// Usable, but about to expire.
    Ageing,
    Expired,
}

/// A value that expires.
pub(super) trait Expires: Clone {
    /// How usable it is at `now`.
    fn freshness(&self, now: Instant) -> Freshness;
}

/// A value that all threads share. One of them refreshes it at a time.
pub(super) struct Shared<T> {
    /// The value, and who waits for its refresh ([`Lock::GoogleCredentials`]). The lock ensures that
    /// there is only one refresh: `waiting` is `Some` exactly while it is under way.
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Option<T>,
    waiting: Option<Vec<Sender<Outcome<T>>>>,
    failure: Option<Failure>,
}

/// The last refresh, if it failed.
struct Failure {
    error: Error,
    /// How many failed in a row.
    count: u32,
    /// When the next refresh may start.
    until: Instant,
}

/// How a refresh ended for those who waited.
#[derive(Clone)]
enum Outcome<T> {
    Made(T),
    Failed(Error),
    /// Its own caller ran out of time or cancelled. Another must start again.
    Abandoned,
}

/// What a caller does.
enum Step<T> {
    Use(T),
    Fail(Error),
    Wait(Sender<Outcome<T>>, Receiver<Outcome<T>>),
    /// Refresh it; if that fails, this value still works.
    Refresh(Option<T>),
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        let state = State { value: None, waiting: None, failure: None };
        Self { state: Mutex::new(Lock::GoogleCredentials, state) }
    }
}

/// Returns how long to wait for the next refresh after a failure that `count` others came before.
fn hold_off(count: u32, is_temporary: bool) -> Duration {
    match is_temporary {
        true => Duration::from_millis(250).saturating_mul(1 << count.min(7)).min(LONGEST_HOLD_OFF),
        false => Duration::from_secs(10),
    }
}

impl<T: Expires> State<T> {
    /// Decides what a caller does at `now`, and registers it.
    fn next(&mut self, now: Instant) -> Step<T> {
        let held = self.failure.as_ref().filter(|failure| now < failure.until);
        let fallback = match &self.value {
            Some(value) => match value.freshness(now) {
                Freshness::Fresh => return Step::Use(value.clone()),
                Freshness::Ageing if self.waiting.is_some() || held.is_some() => {
                    return Step::Use(value.clone());
                }
                Freshness::Ageing => Some(value.clone()),
                Freshness::Expired => None,
            },
            None => None,
        };
        if let Some(waiting) = &mut self.waiting {
            let (sender, receiver) = bounded(1);
            waiting.push(sender.clone());
            return Step::Wait(sender, receiver);
        }
        if let Some(failure) = held {
            return Step::Fail(failure.error.clone());
        }
        self.waiting = Some(Vec::new());
        Step::Refresh(fallback)
    }
}

impl<T: Expires> Shared<T> {
    /// Returns the value. If it needs a refresh, one caller makes it with `refresh`, and the others
    /// wait, each within its own bounds.
    ///
    /// # Errors
    ///
    /// The error of the refresh; [`Timeout`](ErrorKind::Timeout) or
    /// [`Cancelled`](ErrorKind::Cancelled) for a caller that waited too long.
    pub(super) fn get(
        &self,
        bounds: &Bounds,
        refresh: impl Fn(&Bounds) -> Result<T, Error>,
    ) -> Result<T, Error> {
        loop {
            let step = self.state.lock().next(Instant::now());
            match step {
                Step::Use(value) => return Ok(value),
                Step::Fail(error) => return Err(error),
                Step::Refresh(fallback) => return self.refresh(bounds, fallback, refresh),
                Step::Wait(own, outcome) => match self.wait(bounds, &own, &outcome)? {
                    Outcome::Made(value) => return Ok(value),
                    Outcome::Failed(error) => return Err(error),
                    Outcome::Abandoned => {}
                },
            }
        }
    }

    /// Drops the value if it `is_bad`.
    pub(super) fn forget(&self, is_bad: impl FnOnce(&T) -> bool) {
        let mut state = self.state.lock();
        state.value.take_if(|value| is_bad(value));
    }

    fn refresh(
        &self,
        bounds: &Bounds,
        fallback: Option<T>,
        refresh: impl Fn(&Bounds) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let running = Running { shared: self };
        let mut limited = bounds.clone();
        if fallback.is_some() {
            let soon = Deadline::after(Instant::now(), AHEAD_LIMIT);
            limited.deadline = limited.deadline.earlier(soon);
        }
        let made = refresh(&limited);
        let now = Instant::now();
        let outcome = match &made {
            Ok(value) => Outcome::Made(value.clone()),
            // The caller's own limits say nothing about the server.
            Err(_) if bounds.is_cancelled() || bounds.deadline.is_past(now) => Outcome::Abandoned,
            Err(error) => Outcome::Failed(error.clone()),
        };
        running.end(outcome, now);
        made.or_else(|error| fallback.ok_or(error))
    }

    /// Waits for the refresh of another caller.
    fn wait(
        &self,
        bounds: &Bounds,
        own: &Sender<Outcome<T>>,
        outcome: &Receiver<Outcome<T>>,
    ) -> Result<Outcome<T>, Error> {
        let (cancelled, _listening) = bounds.cancelled();
        let left = select_biased! {
            // A result always comes, because `own` lives to the end.
            recv(outcome) -> outcome => return Ok(outcome.unwrap_or(Outcome::Abandoned)),
            recv(cancelled) -> _ => Error::cancelled(),
            recv(bounds.deadline.channel()) -> _ => {
                Error::new(ErrorKind::Timeout, "waiting for a token of Google Cloud")
            }
        };
        if let Some(waiting) = &mut self.state.lock().waiting {
            waiting.retain(|other| !other.same_channel(own));
        }
        Err(left.with_phase(Phase::Encode))
    }
}

/// A refresh under way. Its drop wakes those who wait, even after a panic.
struct Running<'a, T: Expires> {
    shared: &'a Shared<T>,
}

impl<T: Expires> Running<'_, T> {
    fn end(self, outcome: Outcome<T>, now: Instant) {
        self.report(&outcome, now);
        // Dropping it would report again.
        std::mem::forget(self);
    }

    fn report(&self, outcome: &Outcome<T>, now: Instant) {
        let mut state = self.shared.state.lock();
        match outcome {
            Outcome::Made(value) => {
                state.value = Some(value.clone());
                state.failure = None;
            }
            Outcome::Failed(error) => {
                let count = state.failure.as_ref().map_or(0, |failure| failure.count);
                let until = now + hold_off(count, error.is_retryable());
                let count = count.saturating_add(1);
                state.failure = Some(Failure { error: error.clone(), count, until });
            }
            Outcome::Abandoned => {}
        }
        let waiting = state.waiting.take();
        drop(state);
        for sender in waiting.into_iter().flatten() {
            // Each waits for one outcome, so there is room; who left has no receiver.
            let _ = sender.try_send(outcome.clone());
        }
    }
}

impl<T: Expires> Drop for Running<'_, T> {
    fn drop(&mut self) {
        self.report(&Outcome::Abandoned, Instant::now());
    }
}

#[cfg(test)]
mod tests;
