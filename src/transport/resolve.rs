//! Resolves host names on a thread of its own, so that callers can stop waiting.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Sender, bounded, select_biased};

use crate::bounds::Bounds;
use crate::config::is_loopback;
use crate::sync::Lock;
use crate::sync::ordered::Mutex;

/// Why a host was not resolved.
#[derive(Debug, Clone)]
pub(super) enum Unresolved {
    TimedOut,
    Cancelled,
    Failed(Arc<io::Error>),
}

type Found = Result<Vec<SocketAddr>, Arc<io::Error>>;

/// The system's name lookup, bounded in time and shared.
///
/// The system's lookup blocks and cannot be interrupted. It runs on a thread of its own, and a
/// caller leaves when time runs out or its call is cancelled. A host never has more than one
/// thread: all callers that look it up at the same time wait for the same result. The thread ends
/// when the system has answered, which has its own timeouts. Nothing is cached; that is the
/// system's job. A call over an open connection resolves nothing.
pub(super) struct Resolver {
    look_up: fn(&str, u16) -> io::Result<Vec<SocketAddr>>,
    /// Which callers wait for which host ([`Lock::NameLookups`]). Guards against a second thread
    /// for a host: an entry exists exactly as long as its thread will still answer the callers in
    /// it.
    waiting: Arc<Mutex<HashMap<Host, Vec<Sender<Found>>>>>,
}

type Host = (String, u16);

impl Default for Resolver {
    fn default() -> Self {
        Self::new(|name, port| (name, port).to_socket_addrs().map(Iterator::collect))
    }
}

impl Resolver {
    pub(super) fn new(look_up: fn(&str, u16) -> io::Result<Vec<SocketAddr>>) -> Self {
        Self { look_up, waiting: Arc::new(Mutex::new(Lock::NameLookups, HashMap::new())) }
    }

    /// The addresses of a host. An IP address needs no lookup.
    pub(super) fn resolve(
        &self,
        host: &str,
        port: u16,
        bounds: &Bounds,
    ) -> Result<Vec<SocketAddr>, Unresolved> {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        if bounds.is_cancelled() {
            return Err(Unresolved::Cancelled);
        }
        if bounds.deadline.is_past(Instant::now()) {
            return Err(Unresolved::TimedOut);
        }
        let mut found = self.wait_for(bare, port, bounds)?;
        // Plain http is allowed to these names, so they must not lead to another machine.
        if is_loopback(bare) {
            found.retain(|address| address.ip().is_loopback());
        }
        if found.is_empty() {
            let nothing = io::Error::other("the name has no addresses");
            return Err(Unresolved::Failed(Arc::new(nothing)));
        }
        Ok(found)
    }

    fn wait_for(
        &self,
        name: &str,
        port: u16,
        bounds: &Bounds,
    ) -> Result<Vec<SocketAddr>, Unresolved> {
        let (sender, found) = bounded(1);
        let host = (name.to_owned(), port);
        self.join(host.clone(), sender.clone())
            .map_err(|cause| Unresolved::Failed(Arc::new(cause)))?;
        let (cancelled, _listening) = bounds.cancelled();
        let left = select_biased! {
            // A result always comes, because `sender` lives to the end.
            recv(found) -> found => match found {
                Ok(found) => return found.map_err(Unresolved::Failed),
                Err(_) => Unresolved::TimedOut,
            },
            recv(cancelled) -> _ => Unresolved::Cancelled,
            recv(bounds.deadline.channel()) -> _ => Unresolved::TimedOut,
        };
        self.leave(&host, &sender);
        Err(left)
    }

    /// Removes a caller that no longer waits. The thread and its entry stay.
    fn leave(&self, host: &Host, sender: &Sender<Found>) {
        if let Some(others) = self.waiting.lock().get_mut(host) {
            others.retain(|other| !other.same_channel(sender));
        }
    }

    /// Sends `sender` the addresses of `host` once they are known.
    fn join(&self, host: Host, sender: Sender<Found>) -> io::Result<()> {
        let mut waiting = self.waiting.lock();
        if let Some(others) = waiting.get_mut(&host) {
            others.push(sender);
            return Ok(());
        }
        let pending = PendingResult { host: host.clone(), waiting: Arc::clone(&self.waiting) };
        let look_up = self.look_up;
        let thread = thread::Builder::new().name("tollgate-resolve".to_owned());
        // The thread cannot look for its entry before it exists: the lock is held.
        thread.spawn(move || {
            let found = look_up(&pending.host.0, pending.host.1).map_err(Arc::new);
            pending.send(&found);
        })?;
        waiting.insert(host, vec![sender]);
        Ok(())
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

/// Owes a result to the callers that wait for a host.
struct PendingResult {
    host: Host,
    waiting: Arc<Mutex<HashMap<Host, Vec<Sender<Found>>>>>,
}

impl PendingResult {
    fn send(&self, found: &Found) {
        let waiting = self.waiting.lock().remove(&self.host).unwrap_or_default();
        for sender in waiting {
            // A caller that timed out or was cancelled no longer listens.
            let _ = sender.try_send(found.clone());
        }
    }
}

/// A lookup that panics fails for its callers; the next one starts anew.
impl Drop for PendingResult {
    fn drop(&mut self) {
        if thread::panicking() {
            self.send(&Err(Arc::new(io::Error::other("the lookup ended without a result"))));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::cancel::CancelToken;
    use crate::deadline::Deadline;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    fn within(timeout: Duration) -> Bounds {
        Bounds { deadline: Deadline::after(Instant::now(), timeout), cancel: None }
    }

    fn later() -> Bounds {
        within(Duration::from_secs(60))
    }

    #[test]
    fn an_ip_address_needs_no_lookup() {
        let resolver = Resolver::new(|_, _| panic!("nothing to look up"));
        for (host, expected) in
            [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80"), ("[::1]", "[::1]:80")]
        {
            let found = resolver.resolve(host, 80, &within(Duration::ZERO)).unwrap();
            assert_eq!(found, [expected.parse::<SocketAddr>().unwrap()]);
        }
    }

    #[test]
    fn localhost_resolves_to_this_machine_only() {
        let found = Resolver::default().resolve("localhost", 80, &later()).unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback()));
        let liar = Resolver::new(|_, port| Ok(vec![SocketAddr::new([192, 0, 2, 1].into(), port)]));
        assert!(matches!(liar.resolve("localhost", 80, &later()), Err(Unresolved::Failed(_))));
        assert!(liar.resolve("example.com", 80, &later()).is_ok());
    }

    #[test]
    fn a_name_that_cannot_exist_is_an_error() {
        // RFC 6761 section 6.4 reserves this top-level name.
        let found = Resolver::default().resolve("no-such-host.invalid", 80, &later());
        assert!(matches!(found, Err(Unresolved::Failed(_))));
    }

    #[test]
    fn a_lookup_that_panics_fails_its_waiters_and_not_later_callers() {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        let resolver = Resolver::new(|_, port| match CALLS.fetch_add(1, Ordering::SeqCst) {
            0 => panic!("as a broken libc would"),
            _ => Ok(vec![SocketAddr::new([127, 0, 0, 1].into(), port)]),
        });
        assert!(matches!(resolver.resolve("a.test", 80, &later()), Err(Unresolved::Failed(_))));
        assert!(resolver.resolve("a.test", 80, &later()).is_ok());
    }

    /// Lookups that hang until released.
    mod hanging {
        use super::*;
        use parking_lot::{Condvar, Mutex, MutexGuard};

        static GATE: Mutex<bool> = Mutex::new(false);
        static OPENED: Condvar = Condvar::new();
        static LOOKUPS: AtomicUsize = AtomicUsize::new(0);

        fn look_up(_: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
            LOOKUPS.fetch_add(1, Ordering::SeqCst);
            OPENED.wait_while(&mut GATE.lock(), |open| !*open);
            Ok(vec![SocketAddr::new([127, 0, 0, 1].into(), port)])
        }

        fn open(mut gate: MutexGuard<'_, bool>) {
            *gate = true;
            OPENED.notify_all();
        }

        #[test]
        fn callers_share_one_thread_and_each_may_leave_early() {
            let resolver = Resolver::new(look_up);
            let timed_out = resolver.resolve("a.test", 80, &within(Duration::from_millis(20)));
            assert!(matches!(timed_out, Err(Unresolved::TimedOut)));

            let token = CancelToken::new();
            let bounds = Bounds { cancel: Some(token.clone()), ..later() };
            thread::scope(|scope| {
                let cancelled = scope.spawn(|| resolver.resolve("a.test", 80, &bounds));
                let patient: Vec<_> = (0..8)
                    .map(|_| scope.spawn(|| resolver.resolve("a.test", 80, &later())))
                    .collect();
                let waiting = || resolver.waiting.lock().values().map(Vec::len).sum::<usize>();
                // The caller to cancel and the patient ones, but not the one that timed out.
                while waiting() != 9 {
                    thread::yield_now();
                }
                token.cancel();
                let cancelled = cancelled.join().unwrap();
                assert!(matches!(cancelled, Err(Unresolved::Cancelled)));
                assert_eq!(waiting(), 8);
                open(GATE.lock());
                for thread in patient {
                    assert!(thread.join().unwrap().is_ok());
                }
            });
            assert_eq!(LOOKUPS.load(Ordering::SeqCst), 1);
            assert!(resolver.waiting.lock().is_empty(), "the next call starts a new lookup");
            assert!(matches!(resolver.resolve("a.test", 80, &bounds), Err(Unresolved::Cancelled)));
            let late = resolver.resolve("a.test", 80, &within(Duration::ZERO));
            assert!(matches!(late, Err(Unresolved::TimedOut)));
        }
    }
}
