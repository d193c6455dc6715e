use parking_lot::Mutex;
use std::fmt;
use std::io;
use std::time::Instant;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time::Duration as UreqDuration;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

use super::fault::Fault;
use super::open::Connection;
use crate::deadline::Deadline;
use crate::error::Phase;
use crate::pool::Lease;

/// Hands the one connection leased for an exchange to the agent made for it.
pub(super) struct Handoff {
    /// Taken by the agent when it connects, which it does once.
    transport: Mutex<Option<Leased>>,
}

impl Handoff {
    pub(super) fn new(lease: Lease<Connection>, deadline: Deadline) -> Self {
        Self { transport: Mutex::new(Some(Leased::new(lease, deadline))) }
    }
}

impl Connector for Handoff {
    type Out = Leased;

    fn connect(
        &self,
        _details: &ConnectionDetails<'_>,
        _chained: Option<()>,
    ) -> Result<Option<Leased>, ureq::Error> {
        Ok(self.transport.lock().take())
    }
}

impl fmt::Debug for Handoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handoff").finish_non_exhaustive()
    }
}

/// No addresses: the connection is there already.
#[derive(Debug)]
pub(super) struct NoLookup;

impl Resolver for NoLookup {
    fn resolve(
        &self,
        _uri: &Uri,
        _config: &Config,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

/// A leased connection as ureq sees it, for one exchange.
///
/// It bounds every read and write by the call's deadline, tells a connection that
/// died before the first byte of the answer from one that broke later, and knows
/// when the exchange ended well: ureq asks [`is_open`](Transport::is_open) only of
/// a connection it has read to the end of the body and would keep. That is when
/// the lease is given back. Dropped before, it is closed.
pub(super) struct Leased {
    /// Taken when the connection is given back.
    lease: Option<Lease<Connection>>,
    deadline: Deadline,
    /// Whether any byte of the answer came.
    answered: bool,
    /// Why the request could not be sent in full. Kept until the answer was looked
    /// for: a server that refuses a large request answers before it has read it
    /// all, and closes.
    unsent: Option<io::Error>,
    /// Stands in for the connection's buffers once that is given back.
    spare: LazyBuffers,
}

impl Leased {
    fn new(lease: Lease<Connection>, deadline: Deadline) -> Self {
        Self {
            lease: Some(lease),
            deadline,
            answered: false,
            unsent: None,
            spare: LazyBuffers::new(1, 1),
        }
    }

    /// The connection, and how long it may take for its next step.
    fn next(&mut self, phase: Phase) -> Result<(&mut Connection, NextTimeout), Fault> {
        let after = match self.deadline.remaining(Instant::now()) {
            None => UreqDuration::NotHappening,
            Some(left) if left.is_zero() => return Err(Fault::Timeout(phase)),
            Some(left) => UreqDuration::Exact(left),
        };
        let timeout = NextTimeout { after, ..NextTimeout::default() };
        match &mut self.lease {
            Some(lease) => Ok((lease.connection(), timeout)),
            None => Err(Fault::Broken(phase, io::ErrorKind::NotConnected.into())),
        }
    }
}

impl Transport for Leased {
    fn buffers(&mut self) -> &mut dyn Buffers {
        match &mut self.lease {
            Some(lease) => lease.connection().transport().buffers(),
            None => &mut self.spare,
        }
    }

    fn transmit_output(&mut self, amount: usize, _timeout: NextTimeout) -> Result<(), ureq::Error> {
        if self.unsent.is_some() {
            return Ok(());
        }
        let (connection, timeout) = self.next(Phase::Send)?;
        match connection.transport().transmit_output(amount, timeout) {
            Ok(()) => Ok(()),
            Err(ureq::Error::Timeout(_)) => Err(Fault::Timeout(Phase::Send).into()),
            Err(ureq::Error::Io(cause)) if is_hangup(&cause) => {
                self.unsent = Some(cause);
                Ok(())
            }
            Err(ureq::Error::Io(cause)) => Err(Fault::Broken(Phase::Send, cause).into()),
            Err(other) => Err(other),
        }
    }

    fn await_input(&mut self, _timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let phase = if self.answered { Phase::Body } else { Phase::FirstByte };
        let (connection, timeout) = self.next(phase)?;
        match connection.transport().await_input(timeout) {
            Ok(true) => {
                self.answered = true;
                Ok(true)
            }
            Ok(false) if self.answered => Ok(false),
            Ok(false) => Err(Fault::NoAnswer(self.unsent.take()).into()),
            Err(ureq::Error::Timeout(_)) => Err(Fault::Timeout(phase).into()),
            // TLS without its closing alert: an end like any other. Whether it came
            // too early is told by the framing of the body.
            Err(ureq::Error::Io(cause))
                if self.answered && cause.kind() == io::ErrorKind::UnexpectedEof =>
            {
                Ok(false)
            }
            Err(ureq::Error::Io(cause)) if !self.answered && is_hangup(&cause) => {
                Err(Fault::NoAnswer(Some(self.unsent.take().unwrap_or(cause))).into())
            }
            Err(ureq::Error::Io(cause)) => Err(Fault::Broken(phase, cause).into()),
            Err(other) => Err(other),
        }
    }

    fn is_open(&mut self) -> bool {
        if self.unsent.is_none() {
            if let Some(lease) = self.lease.take() {
                lease.give_back();
            }
        }
        // So that ureq drops what is left of this without a look at its own pool.
        false
    }

    fn is_tls(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.peek().is_tls())
    }
}

impl fmt::Debug for Leased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leased").finish_non_exhaustive()
    }
}

/// Whether an error says that the other side is gone.
fn is_hangup(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::NotConnected
    )
}
