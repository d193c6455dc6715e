//! The phase and the deadline of a connection being opened.

use std::sync::Arc;
use std::time::Instant;
use ureq::unversioned::transport::time::Duration as UreqDuration;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

use crate::cancel::CancelToken;
use crate::deadline::Deadline;
use crate::error::Phase;
use crate::sync::Lock;
use crate::sync::ordered::Mutex;

/// The phase of one connection being opened, and its deadline.
#[derive(Debug)]
pub(super) struct Progress {
    deadline: Deadline,
    cancel: Option<CancelToken>,
    /// The current phase; `None` once the connection is open.
    phase: Mutex<Option<Phase>>,
}

impl Progress {
    pub(super) fn new(deadline: Deadline, cancel: Option<CancelToken>) -> Self {
        Self { deadline, cancel, phase: Mutex::new(Lock::ConnectPhase, Some(Phase::Connect)) }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.as_ref().is_some_and(CancelToken::is_cancelled)
    }

    pub(super) fn deadline(&self) -> Deadline {
        self.deadline
    }

    pub(super) fn enter(&self, phase: Phase) {
        *self.phase.lock() = Some(phase);
    }

    /// The current phase, to report if it fails.
    pub(super) fn phase(&self) -> Phase {
        self.phase.lock().unwrap_or(Phase::Connect)
    }

    /// From now on, the user of the connection sets the deadline.
    pub(super) fn finish(&self) {
        *self.phase.lock() = None;
    }

    /// Shortens a timeout to the time left before the deadline.
    pub(super) fn bound(&self, timeout: NextTimeout) -> Result<NextTimeout, ureq::Error> {
        if self.phase.lock().is_none() {
            return Ok(timeout);
        }
        match self.deadline.remaining(Instant::now()) {
            None => Ok(timeout),
            Some(left) if left.is_zero() => Err(ureq::Error::Timeout(timeout.reason)),
            Some(left) => {
                Ok(NextTimeout { after: timeout.after.min(UreqDuration::Exact(left)), ..timeout })
            }
        }
    }
}

/// A connection to a proxy, limited by the deadline of the connection that is opened through it.
/// ureq allows each read of the proxy's response the whole timeout, so a proxy that answers byte by
/// byte could hold a call for hours.
#[derive(Debug)]
pub(super) struct DeadlineTransport {
    transport: Box<dyn Transport>,
    progress: Arc<Progress>,
}

impl DeadlineTransport {
    pub(super) fn new(transport: Box<dyn Transport>, progress: Arc<Progress>) -> Self {
        Self { transport, progress }
    }
}

impl Transport for DeadlineTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.transport.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let timeout = self.progress.bound(timeout)?;
        self.transport.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let timeout = self.progress.bound(timeout)?;
        self.transport.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.transport.is_open()
    }

    fn is_tls(&self) -> bool {
        self.transport.is_tls()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn timeout(after: Duration) -> NextTimeout {
        NextTimeout { after: UreqDuration::Exact(after), ..NextTimeout::default() }
    }

    #[test]
    fn no_step_of_opening_gets_more_time_than_is_left() {
        let hour = Duration::from_secs(3600);
        let progress = Progress::new(Deadline::after(Instant::now(), hour), None);
        assert!(progress.bound(timeout(hour * 2)).unwrap().after <= UreqDuration::Exact(hour));
        assert_eq!(progress.bound(timeout(hour / 2)).unwrap(), timeout(hour / 2));
        assert!(!progress.bound(NextTimeout::default()).unwrap().after.is_not_happening());

        let late = Progress::new(Deadline::after(Instant::now(), Duration::ZERO), None);
        assert!(matches!(late.bound(timeout(hour)), Err(ureq::Error::Timeout(_))));
        late.finish();
        assert_eq!(late.bound(timeout(hour)).unwrap(), timeout(hour));
    }

    #[test]
    fn the_current_phase_is_reported() {
        let progress = Progress::new(Deadline::after(Instant::now(), Duration::ZERO), None);
        assert_eq!(progress.phase(), Phase::Connect);
        progress.enter(Phase::Tls);
        assert_eq!(progress.phase(), Phase::Tls);
    }
}
