//! An open connection of the pool, and how to check it and shut it down.

use std::fmt;
use std::sync::{Arc, Weak};
use ureq::unversioned::transport::{NextTimeout, ShutdownHandle};

use super::input::Input;
use super::link::Link;
use crate::cancel::{CancelToken, Listening};
use crate::observe::Observers;
use crate::pool::CloseReason;
use crate::sync::ordered::Mutex;
use crate::sync::{Lock, none_held};

/// An open connection, encrypted if its origin uses https. Boxed, because every call moves it into
/// its exchange and back into the pool.
pub(super) struct Connection(Box<Open>);

struct Open {
    link: Link,
    /// Bytes that were read but not used yet.
    input: Input,
    socket: Socket,
    /// Whether a call has used it.
    used: bool,
    /// Whether a read can be resumed after a timeout.
    resumes: bool,
    /// Whether its socket is a [`Tcp`](super::tcp::Tcp), which can be read without waiting.
    ours: bool,
    /// Declared after the socket, so that observers hear of it after the socket is closed.
    _closing: Option<Closing>,
}

impl Connection {
    /// `resumes`: whether a read can be resumed after a timeout. `ours`: whether the socket is a
    /// [`Tcp`](super::tcp::Tcp).
    pub(super) fn new(
        link: Link,
        socket: Socket,
        resumes: bool,
        ours: bool,
        closing: Option<Closing>,
    ) -> Self {
        let input = Input::default();
        let (used, _closing) = (false, closing);
        Self(Box::new(Open { link, input, socket, used, resumes, ours, _closing }))
    }

    /// Waits for bytes and reads them into the [input](Self::input). Returns how many came: 0 at the
    /// end of the connection.
    pub(super) fn read(&mut self, timeout: NextTimeout) -> Result<usize, ureq::Error> {
        let Open { link, input, .. } = &mut *self.0;
        let length = link.read(input.room(), timeout)?;
        input.add(length);
        Ok(length)
    }

    /// Writes as many of these bytes as fit. Returns how many it wrote.
    pub(super) fn write(
        &mut self,
        parts: [&[u8]; 2],
        timeout: NextTimeout,
    ) -> Result<usize, ureq::Error> {
        self.0.used = true;
        self.0.link.write(parts, timeout)
    }

    pub(super) fn input(&mut self) -> &mut Input {
        &mut self.0.input
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
        if self.has_unread() {
            return Some(CloseReason::Unrequested);
        }
        if !self.0.resumes && self.0.link.is_full() {
            return Some(CloseReason::Ended);
        }
        let reads_ahead = self.0.ours && self.0.resumes;
        if !reads_ahead && (self.0.link.is_tls() && !self.0.used || self.0.link.is_open()) {
            return None;
        }
        match self.0.link.probe() {
            Ok(true) => Some(CloseReason::Unrequested),
            // Silent, unless TLS holds part of a record.
            Err(ureq::Error::Timeout(_)) if reads_ahead => {
                (!self.0.link.is_open()).then_some(CloseReason::Unrequested)
            }
            Ok(false) | Err(_) => Some(CloseReason::Broken),
        }
    }

    /// Whether bytes were received but not used.
    pub(super) fn has_unread(&mut self) -> bool {
        !self.0.input.unread().is_empty() || self.0.link.has_unread()
    }

    /// Whether a write that ran out of time can be continued.
    pub(super) fn resumes_writes(&self) -> bool {
        self.0.link.resumes_writes()
    }

    /// Whether a read can be resumed after a timeout. If not, it gets all of the time at once,
    /// which the system may exceed by an eighth.
    pub(super) fn can_resume(&self) -> bool {
        self.0.resumes
    }

    /// Shuts the connection down when `token` is cancelled, until the result is dropped. Blocked
    /// reads and writes then end at once.
    pub(super) fn shut_down_on(&self, token: &CancelToken) -> Listening {
        shut_down_on(token, &self.0.socket)
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
