//! A leased connection for one exchange, with its deadline.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::unversioned::transport::NextTimeout;
use ureq::unversioned::transport::time::Duration as UreqDuration;

use super::connection::Connection;
use super::fault::{Fault, is_hangup};
use super::http::{FinalHead, Head};
use super::watch::Watch;
use crate::cancel::Listening;
use crate::deadline::coarse;
use crate::error::Phase;
use crate::pool::{CloseReason, Lease};

/// A leased connection for one exchange: it sends the request and reads the response.
///
/// It bounds every read and write by the call's deadline. It distinguishes a connection that died
/// before the first byte of the response from one that broke later. [`finish`](Self::finish)
/// returns the lease. If the exchange is dropped before that, the connection is closed.
pub(super) struct Exchange {
    /// `None` once the exchange has ended.
    lease: Option<Lease<Connection>>,
    watch: Arc<Watch>,
    /// Ends blocked reads and writes when the call is cancelled.
    interrupts: Vec<Listening>,
    /// Whether any byte of the response has come.
    has_response: bool,
    /// Whether the connection failed.
    broken: bool,
    /// Why the request could not be sent in full. The exchange looks for a response before it reports
    /// this: a server that refuses a large request may answer and close before it has read it all.
    unsent: Option<io::Error>,
}

impl Exchange {
    pub(super) fn new(lease: Lease<Connection>, watch: Arc<Watch>) -> Self {
        let connection = lease.connection();
        let interrupts = watch.tokens().map(|token| connection.shut_down_on(token)).collect();
        let (has_response, broken, unsent) = (false, false, None);
        Self { lease: Some(lease), watch, interrupts, has_response, broken, unsent }
    }

    /// Sends a head and the body after it, in one packet if they fit.
    pub(super) fn send(&mut self, head: &[u8], body: &[u8]) -> Result<(), Fault> {
        let outcome = self.try_send(head, body);
        self.report(outcome, Phase::Send)
    }

    fn try_send(&mut self, mut head: &[u8], mut body: &[u8]) -> Result<(), Fault> {
        let resumes = self.lease.as_ref().is_some_and(|lease| lease.connection().resumes_writes());
        let mut is_first = true;
        while !head.is_empty() || !body.is_empty() {
            // The first write finds the socket's own buffer empty and does not wait. Later writes
            // may wait, so they get the exact time left if they cannot be continued.
            let round = if is_first || resumes { coarse } else { |left| left };
            is_first = false;
            let (connection, timeout) = self.next(Phase::Send, round)?;
            match connection.write([head, body], timeout) {
                Ok(0) => return Err(Fault::Broken(Phase::Send, io::ErrorKind::WriteZero.into())),
                Ok(written) => {
                    let of_head = written.min(head.len());
                    head = &head[of_head..];
                    body = &body[written - of_head..];
                }
                // The timeout was a little too short: `next` knows the exact deadline.
                Err(ureq::Error::Timeout(_)) if resumes => {}
                Err(ureq::Error::Io(cause)) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(ureq::Error::Io(cause)) if is_hangup(&cause) => {
                    self.unsent = Some(cause);
                    return Ok(());
                }
                Err(cause) => return Err(Fault::within(Phase::Send, cause)),
            }
        }
        Ok(())
    }

    /// Reads the head of the response, up to `limit` bytes, and skips interim responses. The bytes of
    /// the head stay in [`unread`](Self::unread).
    pub(super) fn head(&mut self, limit: usize) -> Result<Head, Fault> {
        let mut reader = FinalHead::new(limit);
        loop {
            if self.fill()? == 0 {
                return Err(Fault::Broken(Phase::Body, io::ErrorKind::UnexpectedEof.into()));
            }
            let found = match reader.read(self.unread()) {
                Ok(found) => found,
                Err(invalid) => return self.fail(Fault::Head(invalid)),
            };
            self.consume(found.skipped);
            if let Some(head) = found.head {
                return Ok(head);
            }
        }
    }

    /// The bytes of the response that were received but not used yet.
    pub(super) fn unread(&mut self) -> &[u8] {
        self.unread_mut()
    }

    pub(super) fn unread_mut(&mut self) -> &mut [u8] {
        match &mut self.lease {
            Some(lease) => lease.connection_mut().input().unread_mut(),
            None => &mut [],
        }
    }

    /// Drops the first `length` unread bytes.
    pub(super) fn consume(&mut self, length: usize) {
        if let Some(lease) = &mut self.lease {
            lease.connection_mut().input().consume(length);
        }
    }

    /// Waits for more of the response. Returns how many bytes came: 0 at the end of the connection.
    pub(super) fn fill(&mut self) -> Result<usize, Fault> {
        let phase = if self.has_response { Phase::Body } else { Phase::FirstByte };
        let outcome = self.receive(phase);
        self.report(outcome, phase)
    }

    fn receive(&mut self, phase: Phase) -> Result<usize, Fault> {
        let resumes = self.lease.as_ref().is_some_and(|lease| lease.connection().can_resume());
        let round = if resumes { coarse } else { |left| left };
        let outcome = loop {
            let (connection, timeout) = self.next(phase, round)?;
            match connection.read(timeout) {
                // The timeout was a little too short: `next` knows the exact deadline.
                Err(ureq::Error::Timeout(_)) if resumes => {}
                Err(ureq::Error::Io(cause)) if cause.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome,
            }
        };
        match outcome {
            Ok(0) if self.has_response => Ok(0),
            Ok(0) => Err(Fault::NoAnswer(self.unsent.take())),
            Ok(length) => {
                self.has_response = true;
                Ok(length)
            }
            // TLS without its closing alert ends like any other connection. The framing of the body
            // decides whether that was too early.
            Err(ureq::Error::Io(cause))
                if self.has_response && cause.kind() == io::ErrorKind::UnexpectedEof =>
            {
                Ok(0)
            }
            Err(ureq::Error::Io(cause)) if !self.has_response && is_hangup(&cause) => {
                Err(Fault::NoAnswer(Some(self.unsent.take().unwrap_or(cause))))
            }
            Err(cause) => Err(Fault::within(phase, cause)),
        }
    }

    /// The connection, and how long its next step may take.
    fn next(
        &mut self,
        phase: Phase,
        round: fn(Duration) -> Duration,
    ) -> Result<(&mut Connection, NextTimeout), Fault> {
        if self.watch.is_cancelled() {
            return Err(Fault::Cancelled(phase));
        }
        let left = self.watch.deadline().remaining(Instant::now());
        if left.is_some_and(|left| left.is_zero()) {
            return Err(Fault::Timeout(phase));
        }
        let Some(lease) = &mut self.lease else {
            return Err(Fault::Broken(phase, io::ErrorKind::NotConnected.into()));
        };
        let after = left.map_or(UreqDuration::NotHappening, |left| round(left).into());
        let timeout = NextTimeout { after, ..NextTimeout::default() };
        Ok((lease.connection_mut(), timeout))
    }

    /// After a cancellation, shutting the socket down looks like a broken or closed connection.
    fn report<T>(&mut self, outcome: Result<T, Fault>, phase: Phase) -> Result<T, Fault> {
        let outcome =
            if self.watch.is_cancelled() { Err(Fault::Cancelled(phase)) } else { outcome };
        self.broken |= outcome.is_err();
        outcome
    }

    /// Records that the rest of the response cannot be read.
    pub(super) fn fail<T>(&mut self, fault: Fault) -> Result<T, Fault> {
        self.broken = true;
        Err(fault)
    }

    /// Ends the exchange after the last byte of the response. The connection goes back to the pool
    /// if it `keeps_alive` and nothing came after the response.
    pub(super) fn finish(&mut self, keeps_alive: bool) {
        // From here on, this call may no longer shut the connection down.
        self.interrupts.clear();
        let Some(mut lease) = self.lease.take() else { return };
        let connection = lease.connection_mut();
        let reason = match self.reason() {
            CloseReason::Ended if connection.has_unread() => CloseReason::Unrequested,
            CloseReason::Ended if keeps_alive => {
                connection.input().shrink();
                return lease.give_back();
            }
            reason => reason,
        };
        lease.close(reason);
    }

    /// Why the connection is closed, as far as the exchange knows.
    fn reason(&self) -> CloseReason {
        if self.watch.is_cancelled() {
            CloseReason::Cancelled
        } else if self.broken || self.unsent.is_some() || std::thread::panicking() {
            CloseReason::Broken
        } else {
            CloseReason::Ended
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.interrupts.clear();
        if let Some(lease) = self.lease.take() {
            lease.close(self.reason());
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").finish_non_exhaustive()
    }
}
