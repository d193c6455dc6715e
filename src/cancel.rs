//! `CancelToken`, which stops calls from another thread.

use crossbeam_channel::{Receiver, bounded};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::sync::{AtomicBool, Lock, Mutex, Ordering};

/// Stops calls from another thread.
///
/// Give clones of one token to any number of requests
/// ([`ChatRequest::cancel_token`](crate::ChatRequest::cancel_token)). Cancelling it ends all of
/// them, those in progress and those still to come, with an error of kind
/// [`Cancelled`](crate::ErrorKind::Cancelled).
///
/// ```
/// use tollgate::CancelToken;
///
/// let token = CancelToken::new();
/// let seen_by_a_call = token.clone();
/// token.cancel();
/// assert!(seen_by_a_call.is_cancelled());
/// ```
#[derive(Clone, Default)]
pub struct CancelToken {
    shared: Arc<Shared>,
}

struct Shared {
    /// Set before the listeners are called, so that a listener added meanwhile sees it.
    cancelled: AtomicBool,
    /// Guards the list of listeners ([`Lock::CancelListeners`]). Listeners are called outside it.
    listeners: Mutex<Listeners>,
    /// Cancelling this one cancels the token too.
    parent: Option<CancelToken>,
}

impl Default for Shared {
    fn default() -> Self {
        Self::below(None)
    }
}

impl Shared {
    fn below(parent: Option<CancelToken>) -> Self {
        let listeners = Mutex::new(Lock::CancelListeners, Listeners::default());
        Self { cancelled: AtomicBool::default(), listeners, parent }
    }

    fn add(&self, listener: &Arc<Listener>) -> u64 {
        let mut listeners = self.listeners.lock();
        listeners.next += 1;
        let id = listeners.next;
        listeners.calls.insert(id, Arc::clone(listener));
        id
    }
}

#[derive(Default)]
struct Listeners {
    next: u64,
    calls: HashMap<u64, Arc<Listener>>,
}

/// Emptied when the listener is dropped ([`Lock::CancelListener`]). It guards against a later call:
/// by then, the socket to shut down may belong to another call. Held while the listener is called.
type Listener = Mutex<Option<Box<dyn Fn() + Send + Sync>>>;

fn notify(listener: &Listener) {
    if let Some(call) = &*listener.lock() {
        call();
    }
}

impl CancelToken {
    /// A token that is not cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops every call that has a clone of this token. A token stays cancelled.
    pub fn cancel(&self) {
        if self.shared.cancelled.swap(true, Ordering::SeqCst) {
            return;
        }
        let listeners: Vec<_> = self.shared.listeners.lock().calls.values().cloned().collect();
        for listener in listeners {
            notify(&listener);
        }
    }

    /// A token that `parent` cancels too, if there is one. Cancelling it does not cancel `parent`.
    pub(crate) fn child_of(parent: Option<&Self>) -> Self {
        Self { shared: Arc::new(Shared::below(parent.cloned())) }
    }

    /// Whether the token is cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.lineage().any(|token| token.shared.cancelled.load(Ordering::SeqCst))
    }

    /// The token and its ancestors.
    fn lineage(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |token| token.shared.parent.as_ref())
    }

    /// Waits until the token is cancelled, for at most `timeout`. Returns whether it is.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tollgate::CancelToken;
    ///
    /// let token = CancelToken::new();
    /// assert!(!token.wait_timeout(Duration::from_millis(1)));
    /// let other = token.clone();
    /// std::thread::spawn(move || other.cancel());
    /// assert!(token.wait_timeout(Duration::from_secs(600)));
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        let (cancelled, _listening) = self.channel();
        cancelled.recv_timeout(timeout).is_ok()
    }

    /// A channel that receives a message when the token is cancelled, for callers that also wait
    /// for something else. It closes when the [`Listening`] is dropped.
    pub(crate) fn channel(&self) -> (Receiver<()>, Listening) {
        let (sender, receiver) = bounded(1);
        let listening = self.listen(move || {
            let _ = sender.try_send(());
        });
        (receiver, listening)
    }

    /// Calls `listener` when the token is cancelled, or at once if it already is. Dropping the
    /// result ends that. A token with a parent may call it twice.
    ///
    /// The drop waits for a call in progress, so it must not happen under a lock that the listener
    /// takes.
    pub(crate) fn listen(&self, listener: impl Fn() + Send + Sync + 'static) -> Listening {
        let listener: Arc<Listener> =
            Arc::new(Mutex::new(Lock::CancelListener, Some(Box::new(listener))));
        let id = self.shared.add(&listener);
        let ancestors = self.lineage().skip(1);
        let above = ancestors.map(|token| (token.clone(), token.shared.add(&listener))).collect();
        if self.is_cancelled() {
            notify(&listener);
        }
        Listening { token: self.clone(), id, above, listener }
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken").field("cancelled", &self.is_cancelled()).finish()
    }
}

/// Clones the token.
impl From<&CancelToken> for CancelToken {
    fn from(token: &CancelToken) -> Self {
        token.clone()
    }
}

impl Eq for CancelToken {}

/// Two tokens are equal if cancelling one cancels the other.
impl PartialEq for CancelToken {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

/// A registered listener. Dropping it unregisters the listener.
#[must_use]
pub(crate) struct Listening {
    token: CancelToken,
    id: u64,
    /// The same for the token's ancestors.
    above: Vec<(CancelToken, u64)>,
    listener: Arc<Listener>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.token.shared.listeners.lock().calls.remove(&self.id);
        for (token, id) in &self.above {
            token.shared.listeners.lock().calls.remove(id);
        }
        let call = self.listener.lock().take();
        drop(call);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;
    use std::thread;

    fn counter(token: &CancelToken) -> (Arc<AtomicU32>, Listening) {
        let calls = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let listening = token.listen(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        (calls, listening)
    }

    #[test]
    fn each_listener_is_called_once() {
        let token = CancelToken::new();
        let (before, _before) = counter(&token);
        let (gone, listening) = counter(&token);
        drop(listening);
        token.cancel();
        token.cancel();
        let (after, _after) = counter(&token);
        let told = [before, gone, after].map(|calls| calls.load(Ordering::SeqCst));
        assert_eq!(told, [1, 0, 1]);
        assert!(token.is_cancelled());
    }

    #[test]
    fn a_dropped_listener_is_not_called() {
        for _ in 0..200 {
            let token = CancelToken::new();
            let (calls, listening) = counter(&token);
            let cancelled = token.clone();
            let thread = thread::spawn(move || cancelled.cancel());
            drop(listening);
            let told = calls.load(Ordering::SeqCst);
            thread.join().unwrap();
            assert_eq!(calls.load(Ordering::SeqCst), told);
        }
    }

    #[test]
    fn a_parent_cancels_its_child_and_not_the_other_way_round() {
        let parent = CancelToken::new();
        let [one, other] = [(); 2].map(|()| CancelToken::child_of(Some(&parent)));
        let grandchild = CancelToken::child_of(Some(&one));
        let (reached, _reached) = counter(&grandchild);
        let (calls, _listening) = counter(&one);
        let (gone, listening) = counter(&one);
        drop(listening);
        other.cancel();
        assert!(other.is_cancelled() && !one.is_cancelled() && !parent.is_cancelled());
        let (cancelled, _channel) = one.channel();
        assert!(cancelled.try_recv().is_err());
        parent.cancel();
        assert!(one.is_cancelled());
        assert!(cancelled.try_recv().is_ok());
        assert_eq!((grandchild.is_cancelled(), reached.load(Ordering::SeqCst)), (true, 1));
        one.cancel();
        let (late, _late) = counter(&one);
        let told = [calls, gone, late].map(|calls| calls.load(Ordering::SeqCst));
        assert_eq!(told, [2, 0, 1]);
        let listeners = [&parent, &one].map(|token| token.shared.listeners.lock().calls.len());
        assert_eq!(listeners, [4, 4], "a dropped listener leaves both lists");
        assert!(!CancelToken::child_of(None).is_cancelled());
    }

    #[test]
    fn tokens_are_equal_if_one_cancels_the_other() {
        let token = CancelToken::new();
        assert_eq!(token, token.clone());
        assert_ne!(token, CancelToken::new());
        assert_eq!(format!("{token:?}"), "CancelToken { cancelled: false }");
    }
}
