//! The link to the server: a socket of our own, or a transport that ureq built on one.

use ureq::unversioned::transport::{NextTimeout, Transport};

use super::tcp::{NO_WAIT, Tcp};

/// The link to the server.
pub(super) enum Link {
    /// A socket that this crate reads and writes itself.
    Plain(Tcp),
    /// TLS, a proxy or both. They are reachable only through ureq's buffers.
    Layered {
        transport: Box<dyn Transport>,
        /// Whether the last read filled ureq's buffer.
        full: bool,
    },
}

impl Link {
    /// Waits for bytes and reads them. Returns how many came: 0 at the end of the connection.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        timeout: NextTimeout,
    ) -> Result<usize, ureq::Error> {
        let (transport, full) = match self {
            Self::Plain(tcp) => return tcp.read(buffer, timeout),
            Self::Layered { transport, full } => (transport, full),
        };
        if transport.buffers().input().is_empty() {
            if !transport.await_input(timeout)? {
                return Ok(0);
            }
            *full = transport.is_tls() && transport.buffers().input_append_buf().is_empty();
        }
        let input = transport.buffers().input();
        let length = input.len().min(buffer.len());
        buffer[..length].copy_from_slice(&input[..length]);
        transport.buffers().input_consume(length);
        Ok(length)
    }

    /// Writes as many of these bytes as fit, in one packet if possible. Returns how many it wrote.
    pub(super) fn write(
        &mut self,
        parts: [&[u8]; 2],
        timeout: NextTimeout,
    ) -> Result<usize, ureq::Error> {
        let transport = match self {
            Self::Plain(tcp) => return tcp.write(parts, timeout),
            Self::Layered { transport, .. } => transport,
        };
        let output = transport.buffers().output();
        let mut length = 0;
        for part in parts {
            let room = &mut output[length..];
            let fits = part.len().min(room.len());
            room[..fits].copy_from_slice(&part[..fits]);
            length += fits;
        }
        transport.transmit_output(length, timeout)?;
        Ok(length)
    }

    /// Whether a write that timed out can be continued. Through TLS it cannot: part of a record may
    /// have been sent.
    pub(super) fn resumes_writes(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// Whether ureq's buffer holds bytes that were not read.
    pub(super) fn has_unread(&mut self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Layered { transport, .. } => !transport.buffers().input().is_empty(),
        }
    }

    /// Whether the last read filled ureq's buffer, so that TLS may hold more.
    pub(super) fn is_full(&self) -> bool {
        matches!(self, Self::Layered { full: true, .. })
    }

    /// Reads without waiting. Returns false at the end of the connection. Bytes that came are lost,
    /// so the caller must then close the connection.
    pub(super) fn probe(&mut self) -> Result<bool, ureq::Error> {
        match self {
            Self::Plain(tcp) => tcp.read(&mut [0], NO_WAIT).map(|length| length > 0),
            Self::Layered { transport, .. } => transport.await_input(NO_WAIT),
        }
    }

    /// Whether the connection is open and has nothing to read.
    pub(super) fn is_open(&mut self) -> bool {
        match self {
            Self::Plain(tcp) => tcp.is_open(),
            Self::Layered { transport, .. } => transport.is_open(),
        }
    }

    pub(super) fn is_tls(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Layered { transport, .. } => transport.is_tls(),
        }
    }
}
