//! loom's locks, with the signatures of [`ordered`](super::ordered)'s.

pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};
use std::ops::{Deref, DerefMut};
use std::time::Instant;

use super::Lock;

#[derive(Debug)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

pub(crate) struct MutexGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

#[derive(Debug, Default)]
pub(crate) struct Condvar(loom::sync::Condvar);

pub(crate) struct TimedOut;

impl<T> Mutex<T> {
    /// loom finds deadlocks itself, so the order is not checked.
    pub(crate) fn new(_: Lock, value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().expect("a model run ends at the first panic")))
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().expect("only empty inside wait")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_deref_mut().expect("only empty inside wait")
    }
}

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(loom::sync::Condvar::new())
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.0.take().expect("only empty inside wait");
        guard.0 = Some(self.0.wait(held).expect("a model run ends at the first panic"));
    }

    /// A model has no clock, so a deadline never passes. Tests cancel instead, which takes the same
    /// path.
    pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, _: Instant) -> TimedOut {
        self.wait(guard);
        TimedOut
    }
}

impl TimedOut {
    pub(crate) fn timed_out(&self) -> bool {
        false
    }
}
