//! An open connection of the pool, and how to check it and shut it down.

use std::fmt;
use std::sync::{Arc, Weak};
use ureq::unversioned::transport::{ShutdownHandle, Transport};

use super::tcp::NO_WAIT;
use crate::cancel::{CancelToken, Listening};
use crate::observe::Observers;
use crate::pool::CloseReason;
use crate::sync::ordered::Mutex;
use crate::sync::{Lock, none_held};

/// An open connection, encrypted if its origin uses https.
pub(super) struct Connection {
    transport: Box<dyn Transport>,
    socket: Socket,
    /// Whether a call has used it.
    used: bool,
    /// Whether a read can be resumed after a timeout.
    resumes: bool,
    /// Whether its socket is a [`Tcp`](super::tcp::Tcp), which can be read without waiting.
    ours: bool,
    /// Whether the last read filled the buffer, so that the system's TLS may hold more.
    filled: bool,
    /// Declared after the socket, so that observers hear of it after the socket is closed.
    _closing: Option<Closing>,
}

impl Connection {
    /// `resumes`: whether a read can be resumed after a timeout. `ours`: whether the socket is a
    /// [`Tcp`](super::tcp::Tcp).
    pub(super) fn new(
        transport: Box<dyn Transport>,
        socket: Socket,
        resumes: bool,
        ours: bool,
        closing: Option<Closing>,
    ) -> Self {
        let (used, filled, _closing) = (false, false, closing);
        Self { transport, socket, used, resumes, ours, filled, _closing }
    }

    pub(super) fn transport(&mut self) -> &mut dyn Transport {
        self.used = true;
        &mut *self.transport
    }

    /// Why the connection must not carry another request; `None` if it may. Ask right before each
    /// request: bytes that arrive after sending look like its response.
    ///
    /// A client that receives data without an outstanding request must not take it for a response
    /// and should close the connection (RFC 9112 section 9.2). Such data may be in our buffer, in
    /// TLS, in the buffer below it or in the kernel. Asking the kernel costs three system calls. A
    /// read through TLS also processes what TLS itself sends, such as session tickets, which most
    /// servers send after the handshake (RFC 8446 section 4.6.1).
    ///
    /// Two kinds of connection cannot be read ahead. The system's own TLS fails permanently when a
    /// read finds nothing. The socket to a SOCKS proxy belongs to ureq, whose probe drops a byte.
    /// There, session tickets look like any other data, so an encrypted connection is not checked
    /// before its first request.
    pub(super) fn unfit_reason(&mut self) -> Option<CloseReason> {
        if !self.transport.buffers().input().is_empty() {
            return Some(CloseReason::Unrequested);
        }
        if self.filled {
            return Some(CloseReason::Ended);
        }
        let reads_ahead = self.ours && self.resumes;
        if !reads_ahead && (self.is_tls() && !self.used || self.transport.is_open()) {
            return None;
        }
        match self.transport.await_input(NO_WAIT) {
            Ok(true) => Some(CloseReason::Unrequested),
            // Silent, unless TLS holds part of a record.
            Err(ureq::Error::Timeout(_)) if reads_ahead => {
                (!self.transport.is_open()).then_some(CloseReason::Unrequested)
            }
            Ok(false) | Err(_) => Some(CloseReason::Broken),
        }
    }

    /// Whether the buffer holds unread bytes.
    pub(super) fn has_unread(&mut self) -> bool {
        !self.transport.buffers().input().is_empty()
    }

    /// Call after each read that returned bytes.
    pub(super) fn has_read(&mut self) {
        self.filled = !self.resumes && self.transport.buffers().input_append_buf().is_empty();
    }

    pub(super) fn is_tls(&self) -> bool {
        self.transport.is_tls()
    }

    /// Whether a read can be resumed after a timeout. If not, it gets all of the time at once,
    /// which the system may exceed by an eighth.
    pub(super) fn can_resume(&self) -> bool {
        self.resumes
    }

    /// Shuts the connection down when `token` is cancelled, until the result is dropped. Blocked
    /// reads and writes then end at once.
    pub(super) fn shut_down_on(&self, token: &CancelToken) -> Listening {
        shut_down_on(token, &self.socket)
    }
}

/// Reports a closed connection to observers when dropped.
pub(super) struct Closing {
    pub(super) observers: Observers,
    pub(super) origin: Arc<str>,
}

impl Drop for Closing {
    fn drop(&mut self) {
        none_held("a connection is closed");
        self.observers.notify(|observer| observer.connection_closed(&self.origin));
    }
}

/// A socket that another thread can shut down once it is open ([`Lock::Socket`]).
pub(super) type Socket = Arc<Mutex<Option<Weak<dyn ShutdownHandle>>>>;

/// A place for the handle of a socket that is not open yet.
pub(super) fn socket() -> Socket {
    Arc::new(Mutex::new(Lock::Socket, None))
}

/// Ends what blocks on a socket when `token` is cancelled.
pub(super) fn shut_down_on(token: &CancelToken, socket: &Socket) -> Listening {
    let socket = Arc::clone(socket);
    token.listen(move || {
        let handle = socket.lock().as_ref().and_then(Weak::upgrade);
        if let Some(handle) = handle {
            handle.shutdown();
        }
    })
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
