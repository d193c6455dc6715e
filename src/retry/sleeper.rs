//! How a client waits between attempts; tests can replace it.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::cancel::CancelToken;

/// Waits between attempts.
///
/// A client waits in real time unless you set another sleeper
/// ([`ClientBuilder::sleeper`](crate::ClientBuilder::sleeper)). With one that does not wait, a
/// program's tests can meet a provider that says "come back in a minute" without taking a minute.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use std::time::Duration;
/// use tollgate::{CancelToken, Client, Provider, Sleeper};
///
/// /// Remembers the waits instead of waiting.
/// #[derive(Default)]
/// struct Recorder(Mutex<Vec<Duration>>);
///
/// impl Sleeper for Recorder {
///     fn sleep(&self, wait: Duration, _cancel: Option<&CancelToken>) {
///         self.0.lock().unwrap().push(wait);
///     }
/// }
///
/// let recorder = Arc::new(Recorder::default());
/// let client = Client::builder()
///     .provider(Provider::OPENAI)
///     .api_key("test")
///     .base_url("http://127.0.0.1:9/v1")
///     .sleeper(Arc::clone(&recorder))
///     .build()?;
/// // … make calls, then look at the waits it recorded:
/// # let _ = client;
/// assert!(recorder.0.lock().unwrap().is_empty());
/// # Ok::<(), tollgate::Error>(())
/// ```
pub trait Sleeper: Send + Sync {
    /// Returns after `wait`, or as soon as `cancel` is cancelled
    /// ([`CancelToken::wait_timeout`] does both).
    fn sleep(&self, wait: Duration, cancel: Option<&CancelToken>);
}

impl<S: Sleeper + ?Sized> Sleeper for Arc<S> {
    fn sleep(&self, wait: Duration, cancel: Option<&CancelToken>) {
        (**self).sleep(wait, cancel);
    }
}

impl fmt::Debug for dyn Sleeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sleeper")
    }
}

/// Waits in real time; cancelling the call ends the wait.
pub(crate) struct Interruptible;

impl Sleeper for Interruptible {
    fn sleep(&self, wait: Duration, cancel: Option<&CancelToken>) {
        match cancel {
            Some(token) => {
                token.wait_timeout(wait);
            }
            None => thread::sleep(wait),
        }
    }
}
