use std::thread;
use std::time::Duration;

use crate::cancel::CancelToken;
use crate::deadline::Deadline;

/// What ends a call before its time.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    pub(crate) deadline: Deadline,
    pub(crate) cancel: Option<CancelToken>,
}

/// The caller cancelled.
#[derive(Debug)]
pub(crate) struct Cancelled;

impl Bounds {
    /// Waits, unless cancelled first.
    pub(crate) fn sleep(&self, wait: Duration) -> Result<(), Cancelled> {
        let Some(token) = &self.cancel else {
            thread::sleep(wait);
            return Ok(());
        };
        let (sender, receiver) = crossbeam_channel::bounded(1);
        let _listening = token.listen(move || {
            let _ = sender.try_send(());
        });
        match receiver.recv_timeout(wait) {
            Ok(()) => Err(Cancelled),
            Err(_) => Ok(()),
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.as_ref().is_some_and(CancelToken::is_cancelled)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::time::Instant;

    fn bounds(cancel: Option<CancelToken>) -> Bounds {
        Bounds { deadline: Deadline::after(Instant::now(), Duration::MAX), cancel }
    }

    #[test]
    fn a_sleep_ends_by_itself_or_when_cancelled() {
        let short = Duration::from_millis(1);
        assert!(bounds(None).sleep(short).is_ok());
        let token = CancelToken::new();
        let bounds = bounds(Some(token.clone()));
        assert!(bounds.sleep(short).is_ok() && !bounds.is_cancelled());
        let canceller = thread::spawn(move || token.cancel());
        assert!(bounds.sleep(Duration::from_secs(600)).is_err());
        canceller.join().unwrap();
        assert!(bounds.sleep(Duration::from_secs(600)).is_err() && bounds.is_cancelled());
    }
}
