//! parking_lot's locks, with a check of the lock order in debug builds.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Instant;

use super::Lock;

pub(crate) struct Mutex<T> {
    #[cfg(debug_assertions)]
    lock: Lock,
    inner: parking_lot::Mutex<T>,
}

/// Holds a [`Mutex`] until dropped.
pub(crate) struct MutexGuard<'a, T> {
    inner: parking_lot::MutexGuard<'a, T>,
    #[cfg(debug_assertions)]
    _held: held::Held,
}

impl<T> Mutex<T> {
    #[cfg_attr(not(debug_assertions), allow(unused_variables))]
    pub(crate) const fn new(lock: Lock, value: T) -> Self {
        Self {
            #[cfg(debug_assertions)]
            lock,
            inner: parking_lot::Mutex::new(value),
        }
    }

    #[inline]
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        #[cfg(debug_assertions)]
        held::check(self.lock);
        self.guard(self.inner.lock())
    }

    /// Takes the lock if it is free. It may ignore the order, because it does not wait.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.inner.try_lock().map(|inner| self.guard(inner))
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn try_lock_until(&self, deadline: Instant) -> Option<MutexGuard<'_, T>> {
        #[cfg(debug_assertions)]
        held::check(self.lock);
        self.inner.try_lock_until(deadline).map(|inner| self.guard(inner))
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }

    #[inline]
    #[cfg_attr(not(debug_assertions), allow(clippy::unused_self))]
    fn guard<'a>(&self, inner: parking_lot::MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        MutexGuard {
            inner,
            #[cfg(debug_assertions)]
            _held: held::Held::new(self.lock),
        }
    }
}

/// Hides the value: a lock may guard an answer or a key.
impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").finish_non_exhaustive()
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

#[derive(Debug)]
pub(crate) struct Condvar(parking_lot::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(parking_lot::Condvar::new())
    }

    #[inline]
    #[cfg_attr(loom, allow(dead_code))]
    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    #[cfg(feature = "testing")]
    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    /// The lock counts as held during the wait, because the thread can take no other.
    #[inline]
    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        self.0.wait(&mut guard.inner);
    }

    #[inline]
    pub(crate) fn wait_until<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        at: Instant,
    ) -> parking_lot::WaitTimeoutResult {
        self.0.wait_until(&mut guard.inner, at)
    }
}

/// In debug builds, checks that the thread holds no lock before it does `what`, such as running the
/// caller's code.
#[inline]
#[cfg_attr(debug_assertions, track_caller)]
#[cfg_attr(not(debug_assertions), allow(unused_variables))]
pub(crate) fn none_held(what: &str) {
    #[cfg(debug_assertions)]
    held::check_none(what);
}

#[cfg(debug_assertions)]
mod held {
    //! The locks that each thread holds.

    use std::cell::RefCell;
    use std::thread;

    use super::Lock;

    thread_local! {
        static HELD: RefCell<Vec<Lock>> = const { RefCell::new(Vec::new()) };
    }

    /// Records a lock as held until dropped.
    pub(super) struct Held(Lock);

    impl Held {
        pub(super) fn new(lock: Lock) -> Self {
            // A thread that is ending no longer has a list.
            let _ = HELD.try_with(|held| held.borrow_mut().push(lock));
            Self(lock)
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            let _ = HELD.try_with(|held| {
                let mut held = held.borrow_mut();
                if let Some(place) = held.iter().rposition(|lock| *lock == self.0) {
                    held.remove(place);
                }
            });
        }
    }

    #[track_caller]
    pub(super) fn check(lock: Lock) {
        let fits =
            |held: &Lock| held.level() < lock.level() || (lock.is_indexed() && *held == lock);
        let wrong = HELD.try_with(|held| held.borrow().iter().copied().find(|held| !fits(held)));
        // A second panic would abort the process and hide the first.
        if let (Ok(Some(held)), false) = (wrong, thread::panicking()) {
            panic!("the lock {lock:?} is taken while {held:?} is held; see sync.rs");
        }
    }

    #[track_caller]
    pub(super) fn check_none(what: &str) {
        let held = HELD.try_with(|held| held.borrow().clone()).unwrap_or_default();
        assert!(held.is_empty() || thread::panicking(), "{what} while {held:?} is held");
    }
}

#[cfg(all(test, debug_assertions, feature = "testing"))]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Takes these locks, each under the ones before it. Returns whether the order is right.
    fn nests(locks: &[Lock]) -> bool {
        let mutexes: Vec<_> = locks.iter().map(|lock| Mutex::new(*lock, ())).collect();
        catch_unwind(AssertUnwindSafe(|| {
            let _guards: Vec<_> = mutexes.iter().map(Mutex::lock).collect();
        }))
        .is_ok()
    }

    #[test]
    fn locks_nest_only_in_the_documented_order() {
        use Lock::{
            CancelListener, CancelListeners, Cleaner, CostTracker, Loopback, LoopbackControl,
            MemoryLedger, MetricsShard, MetricsStore, MetricsTargets, Pool, Socket,
        };
        for (locks, right) in [
            (&[Cleaner, Pool][..], true),
            (&[CancelListener, Pool], true),
            (&[CancelListener, Socket], true),
            (&[LoopbackControl, Loopback], true),
            (&[MetricsStore, MetricsShard, MetricsShard, MetricsTargets], true),
            (&[MetricsShard, MetricsTargets], true),
            (&[Pool, Cleaner], false),
            (&[Pool, CancelListener], false),
            (&[Pool, Pool], false),
            (&[Pool, CancelListeners], false),
            (&[Cleaner, CancelListener], false),
            (&[MetricsShard, MetricsStore], false),
            (&[MetricsTargets, MetricsShard], false),
            (&[CostTracker, MemoryLedger], false),
            (&[MemoryLedger, CostTracker], false),
        ] {
            assert_eq!(nests(locks), right, "{locks:?}");
            none_held("a failed check leaves no lock held");
        }
    }

    #[test]
    fn try_lock_may_ignore_the_order() {
        let (pool, cleaner) = (Mutex::new(Lock::Pool, 1), Mutex::new(Lock::Cleaner, 2));
        let held = pool.lock();
        assert_eq!(cleaner.try_lock().map(|value| *value), Some(2));
        assert!(pool.try_lock().is_none());
        drop(held);
        assert_eq!(*pool.lock(), 1);
    }

    #[test]
    fn the_callers_code_runs_without_locks() {
        let pool = Mutex::new(Lock::Pool, ());
        none_held("an observer is called");
        let held = pool.lock();
        assert!(catch_unwind(|| none_held("an observer is called")).is_err());
        drop(held);
        none_held("an observer is called");
    }

    #[test]
    fn debug_hides_the_guarded_value() {
        assert_eq!(format!("{:?}", Mutex::new(Lock::Pool, "secret")), "Mutex { .. }");
    }
}
