//! A leased connection for one exchange, with its deadline.

use std::fmt;
use std::io;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::unversioned::transport::time::Duration as UreqDuration;
use ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport};

use super::chunks::Chunks;
use super::connection::Connection;
use super::fault::{Fault, is_hangup};
use super::watch::Watch;
use crate::cancel::Listening;
use crate::deadline::coarse;
use crate::error::Phase;
use crate::pool::{CloseReason, Lease};

/// A leased connection as ureq sees it, for one exchange.
///
/// It bounds every read and write by the call's deadline. It distinguishes a connection that died
/// before the first byte of the response from one that broke later. And it knows when the exchange
/// ended well: ureq asks [`is_open`](Transport::is_open) only after reading the body to its end,
/// about a connection it would keep. Then the lease is returned. If it is dropped earlier, the
/// connection is closed.
///
/// ureq writes the head of a request, then its body. The head waits in the connection's own buffer
/// for as much of the body as fits behind it, so that a small request is one write and one packet.
/// The client's [`Headers`](super::Headers) are added here.
pub(super) struct Leased {
    /// `None` once the lease has ended.
    lease: Option<Lease<Connection>>,
    watch: Arc<Watch>,
    /// Ends blocked reads and writes when the call is cancelled.
    interrupts: Vec<Listening>,
    /// The client's headers, ready to send.
    headers: Vec<u8>,
    head: Head,
    /// Whether any byte of the response has come.
    has_response: bool,
    /// Whether the connection failed.
    broken: bool,
    /// Checks a chunked body. ureq decodes it, but accepts invalid sizes, and waits for the rest of
    /// a line that can never become valid.
    chunks: Option<Chunks>,
    /// What is wrong with the chunks that came together with the head.
    fault: Option<Fault>,
    /// Why the request could not be sent in full. It is kept until the response was looked for: a
    /// server that refuses a large request answers before it has read all of it, and closes.
    unsent: Option<io::Error>,
    /// Replaces the connection's buffers once the connection is returned.
    spare: LazyBuffers,
}

/// The state of the request's head.
#[derive(Clone, Copy)]
enum Head {
    Awaited,
    /// This many bytes at the start of the output buffer, not sent yet.
    Held(usize),
    Sent,
}

impl Leased {
    /// `headers` are added to the head of the request, unchanged.
    pub(super) fn new(lease: Lease<Connection>, watch: Arc<Watch>, headers: Vec<u8>) -> Self {
        let connection = lease.connection();
        let interrupts = watch.tokens().map(|token| connection.shut_down_on(token)).collect();
        Self {
            lease: Some(lease),
            watch,
            interrupts,
            headers,
            head: Head::Awaited,
            has_response: false,
            broken: false,
            chunks: None,
            fault: None,
            unsent: None,
            spare: LazyBuffers::new(1, 1),
        }
    }

    /// The connection, and how long its next step may take.
    fn next(
        &mut self,
        phase: Phase,
        round: fn(Duration) -> Duration,
    ) -> Result<(&mut dyn Transport, NextTimeout), Fault> {
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
        Ok((lease.connection_mut().transport(), timeout))
    }

    fn can_resume(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.connection().can_resume())
    }

    fn connection_buffers(&mut self) -> &mut dyn Buffers {
        match &mut self.lease {
            Some(lease) => lease.connection_mut().transport().buffers(),
            None => &mut self.spare,
        }
    }

    /// How much of the output buffer is taken.
    fn held(&self) -> usize {
        match self.head {
            Head::Held(length) => length,
            Head::Awaited | Head::Sent => 0,
        }
    }

    /// Adds the client's headers after the request line, to the head in the first `amount` bytes of
    /// the output buffer. Returns the new length; `None` if there is no room.
    fn add_headers(&mut self, amount: usize) -> Option<usize> {
        let headers = mem::take(&mut self.headers);
        let output = self.connection_buffers().output();
        let at = line_end(&output[..amount]);
        let longer = amount + headers.len();
        if longer > output.len() {
            self.headers = headers;
            return None;
        }
        output.copy_within(at..amount, at + headers.len());
        output[at..at + headers.len()].copy_from_slice(&headers);
        Some(longer)
    }

    /// Sends a head that has no room for the client's headers in pieces.
    fn send_in_pieces(&mut self, amount: usize) -> Result<(), Fault> {
        let headers = mem::take(&mut self.headers);
        let output = self.connection_buffers().output();
        let (room, at) = (output.len(), line_end(&output[..amount]));
        let behind = output[at..amount].to_vec();
        self.send(at)?;
        for piece in headers.chunks(room).chain([&*behind]) {
            self.connection_buffers().output()[..piece.len()].copy_from_slice(piece);
            self.send(piece.len())?;
        }
        Ok(())
    }

    /// Holds the head back if it is complete and leaves room for a body.
    fn holds_back(&mut self, amount: usize) -> bool {
        let output = self.connection_buffers().output();
        let fits = amount <= output.len() / 2 && output[..amount].ends_with(b"\r\n\r\n");
        if fits {
            self.head = Head::Held(amount);
        }
        fits
    }

    /// Sends what is held back and the `amount` bytes after it.
    fn send(&mut self, amount: usize) -> Result<(), Fault> {
        if self.unsent.is_some() {
            return Ok(());
        }
        let amount = self.held() + amount;
        // The first write finds the socket's own buffer empty and does not wait. Later writes may
        // wait, so they get the exact time left.
        let round = if let Head::Sent = self.head { |left| left } else { coarse };
        self.head = Head::Sent;
        let (connection, timeout) = self.next(Phase::Send, round)?;
        match connection.transmit_output(amount, timeout) {
            Ok(()) => Ok(()),
            Err(ureq::Error::Io(cause)) if is_hangup(&cause) => {
                self.unsent = Some(cause);
                Ok(())
            }
            Err(cause) => Err(Fault::within(Phase::Send, cause)),
        }
    }

    /// Whether any bytes came. None come at the end of the connection.
    fn receive(&mut self) -> Result<bool, Fault> {
        let phase = if self.has_response { Phase::Body } else { Phase::FirstByte };
        let round = if self.can_resume() { coarse } else { |left| left };
        let outcome = loop {
            let (connection, timeout) = self.next(phase, round)?;
            let outcome = connection.await_input(timeout);
            match outcome {
                // It came before the deadline, which `next` knows exactly.
                Err(ureq::Error::Timeout(_)) if self.can_resume() => {}
                outcome => break outcome,
            }
        };
        match outcome {
            Ok(true) => {
                self.has_response = true;
                if let Some(lease) = &mut self.lease {
                    lease.connection_mut().has_read();
                }
                Ok(true)
            }
            Ok(false) if self.has_response => Ok(false),
            Ok(false) => Err(Fault::NoAnswer(self.unsent.take())),
            // TLS without its closing alert is an end like any other. The framing of the body decides
            // whether it came too early.
            Err(ureq::Error::Io(cause))
                if self.has_response && cause.kind() == io::ErrorKind::UnexpectedEof =>
            {
                Ok(false)
            }
            Err(ureq::Error::Io(cause)) if !self.has_response && is_hangup(&cause) => {
                Err(Fault::NoAnswer(Some(self.unsent.take().unwrap_or(cause))))
            }
            Err(cause) => Err(Fault::within(phase, cause)),
        }
    }

    /// Checks, once, the chunks that came together with the head.
    fn check_first_chunks(&mut self) {
        if self.chunks.is_none() && self.watch.is_chunked() {
            let mut chunks = Chunks::default();
            self.fault = chunks.pass(self.connection_buffers().input()).err().map(Fault::Framing);
            self.chunks = Some(chunks);
        }
    }

    /// Like [`receive`](Self::receive), but also checks the chunks that came.
    fn receive_checked(&mut self) -> Result<bool, Fault> {
        let checked = match self.chunks {
            Some(_) => self.connection_buffers().input().len(),
            None => 0,
        };
        let came = self.receive()?;
        if let Some(mut chunks) = self.chunks.take() {
            let outcome = chunks.pass(&self.connection_buffers().input()[checked..]);
            self.chunks = Some(chunks);
            outcome.map_err(Fault::Framing)?;
        }
        Ok(came)
    }

    /// After a cancellation, shutting the socket down looks like a broken or closed connection.
    fn report<T>(&mut self, outcome: Result<T, Fault>, phase: Phase) -> Result<T, ureq::Error> {
        let outcome =
            if self.watch.is_cancelled() { Err(Fault::Cancelled(phase)) } else { outcome };
        self.broken |= outcome.is_err();
        outcome.map_err(ureq::Error::from)
    }
}

/// The end of the first line, after its line ending. ureq writes a line whole or not at all.
fn line_end(head: &[u8]) -> usize {
    head.iter().position(|byte| *byte == b'\n').map_or(head.len(), |at| at + 1)
}

impl Drop for Leased {
    fn drop(&mut self) {
        self.interrupts.clear();
        if let Some(mut lease) = self.lease.take() {
            let unread = self.watch.is_reading() && lease.connection_mut().has_unread();
            lease.close(if self.watch.is_cancelled() {
                CloseReason::Cancelled
            } else if self.broken || self.unsent.is_some() || std::thread::panicking() {
                CloseReason::Broken
            } else if unread {
                CloseReason::Unrequested
            } else {
                CloseReason::Ended
            });
        }
    }
}

impl Transport for Leased {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.check_first_chunks();
        match self.head {
            Head::Held(_) => self,
            // An empty buffer makes ureq ask for more and receive the error.
            Head::Awaited | Head::Sent if self.fault.is_some() => &mut self.spare,
            Head::Awaited | Head::Sent => self.connection_buffers(),
        }
    }

    fn transmit_output(
        &mut self,
        mut amount: usize,
        _timeout: NextTimeout,
    ) -> Result<(), ureq::Error> {
        if let Head::Awaited = self.head {
            match self.add_headers(amount) {
                Some(longer) => amount = longer,
                None => {
                    let outcome = self.send_in_pieces(amount);
                    return self.report(outcome, Phase::Send);
                }
            }
            if self.holds_back(amount) {
                return Ok(());
            }
        }
        let outcome = self.send(amount);
        self.report(outcome, Phase::Send)
    }

    fn await_input(&mut self, _timeout: NextTimeout) -> Result<bool, ureq::Error> {
        // No body followed, so the head is sent alone.
        if let Head::Held(_) = self.head {
            let outcome = self.send(0);
            self.report(outcome, Phase::Send)?;
        }
        let phase = if self.has_response { Phase::Body } else { Phase::FirstByte };
        let outcome = match self.fault.take() {
            Some(fault) => Err(fault),
            None => self.receive_checked(),
        };
        self.report(outcome, phase)
    }

    fn is_open(&mut self) -> bool {
        // From here on, this call may no longer shut the connection down.
        self.interrupts.clear();
        if self.unsent.is_none() && !self.watch.is_last() && !self.watch.is_cancelled() {
            if let Some(lease) = self.lease.take() {
                lease.give_back();
            }
        }
        // With this answer, ureq drops the rest without consulting its own pool.
        false
    }

    fn is_tls(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.connection().is_tls())
    }
}

/// The connection's buffers while the head is held back. The body goes after it, and no response
/// can have come yet.
impl Buffers for Leased {
    fn output(&mut self) -> &mut [u8] {
        self.tmp_and_output().1
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        let held = self.held();
        let (scratch, output) = self.connection_buffers().tmp_and_output();
        (scratch, &mut output[held..])
    }

    fn input(&self) -> &[u8] {
        &[]
    }

    fn can_use_input(&self) -> bool {
        false
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.connection_buffers().input_append_buf()
    }

    fn input_appended(&mut self, amount: usize) {
        self.connection_buffers().input_appended(amount);
    }

    fn input_consume(&mut self, amount: usize) {
        self.connection_buffers().input_consume(amount);
    }
}

impl fmt::Debug for Leased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leased").finish_non_exhaustive()
    }
}
