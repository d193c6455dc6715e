//! A TCP connection that can be read without waiting.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ureq::unversioned::transport::time::Duration as UreqDuration;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, NextTimeout, ShutdownHandle, Transport,
};

use super::progress::Progress;
use super::race;
use super::tcp_buffers::TcpBuffers;
use crate::deadline::Deadline;

/// A read with this timeout does not wait: it fails with `Error::Timeout` if there is nothing to
/// read. TLS passes the timeout on to the socket.
pub(super) const NO_WAIT: NextTimeout = NextTimeout {
    after: UreqDuration::from_secs(0),
    reason: ureq::Timeout::Global,
    per_read: None,
    per_write: None,
};

/// What TLS adds to a record: at most 256 bytes in TLS 1.3 (RFC 8446 section 5.2), 2,048 in TLS 1.2
/// in theory, and far less with the ciphers in use.
const RECORD_OVERHEAD: usize = 512;

/// A TCP connection. Unlike ureq's own, it can be read and written without ureq's buffers, which
/// then take no memory. It can also be read without waiting ([`NO_WAIT`]), which finds unread bytes
/// without losing any.
pub(super) struct Tcp {
    socket: Socket,
    /// For the TLS or the proxy above it.
    buffers: TcpBuffers,
}

struct Socket {
    /// Shared with the handle that shuts it down.
    stream: Arc<TcpStream>,
    /// The timeouts the socket has now, because setting one is a system call.
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    /// Whether the last operation was a read without waiting that found the connection open and
    /// nothing to read.
    silent: bool,
}

impl Tcp {
    /// Connects to the first address that answers, see [`race`].
    pub(super) fn connect(
        details: &ConnectionDetails<'_>,
        progress: &Progress,
    ) -> Result<Self, ureq::Error> {
        let deadline = match details.timeout.after {
            UreqDuration::Exact(left) => Deadline::after(Instant::now(), left),
            UreqDuration::NotHappening => Deadline::never(),
        };
        let addresses = details.addrs.iter().copied();
        let is_cancelled = || progress.is_cancelled();
        let stream = race::connect(addresses, deadline, race::DELAY, is_cancelled, dial);
        Self::new(stream.map_err(|cause| error(cause, details.timeout))?, details)
    }

    fn new(stream: TcpStream, details: &ConnectionDetails<'_>) -> Result<Self, ureq::Error> {
        stream.set_nodelay(true)?;
        let stream = Arc::new(stream);
        let handle: Weak<TcpStream> = Arc::downgrade(&stream);
        (details.register_shutdown)(handle as Weak<dyn ShutdownHandle>)?;
        // A full output buffer of TLS is one record, which is sent in one write.
        let output = details.config.output_buffer_size() + RECORD_OVERHEAD;
        Ok(Self {
            socket: Socket { stream, read_timeout: None, write_timeout: None, silent: false },
            buffers: TcpBuffers::new(output),
        })
    }

    /// Waits for bytes and reads them. Returns how many came: 0 at the end of the connection.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        timeout: NextTimeout,
    ) -> Result<usize, ureq::Error> {
        self.socket.read(buffer, timeout.after).map_err(|cause| error(cause, timeout))
    }

    /// Writes as many of these bytes as fit, in one packet if possible. Returns how many it wrote.
    pub(super) fn write(
        &mut self,
        parts: [&[u8]; 2],
        timeout: NextTimeout,
    ) -> Result<usize, ureq::Error> {
        self.socket.prepare_to_write(timeout)?;
        let parts = parts.map(IoSlice::new);
        (&*self.socket.stream).write_vectored(&parts).map_err(|cause| error(cause, timeout))
    }
}

impl Socket {
    fn read(&mut self, buffer: &mut [u8], after: UreqDuration) -> io::Result<usize> {
        self.silent = false;
        match exact(after) {
            Some(Duration::ZERO) => self.read_without_waiting(buffer),
            after => self.wait_and_read(buffer, after),
        }
    }

    /// Takes three system calls, because std has no `MSG_DONTWAIT`.
    fn read_without_waiting(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_nonblocking(true)?;
        let outcome = (&*self.stream).read(buffer);
        self.stream.set_nonblocking(false)?;
        self.silent = outcome.as_ref().is_err_and(|cause| cause.kind() == ErrorKind::WouldBlock);
        outcome
    }

    fn wait_and_read(&mut self, buffer: &mut [u8], timeout: Option<Duration>) -> io::Result<usize> {
        self.set_read_timeout(timeout)?;
        let begun = Instant::now();
        loop {
            match (&*self.stream).read(buffer) {
                // Linux does not resume a read with a timeout after a signal (signal(7),
                // "Interruption of system calls").
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {
                    if let Some(timeout) = timeout {
                        let left = timeout.saturating_sub(begun.elapsed());
                        if left.is_zero() {
                            return Err(ErrorKind::TimedOut.into());
                        }
                        self.set_read_timeout(Some(left))?;
                    }
                }
                outcome => return outcome,
            }
        }
    }

    fn prepare_to_write(&mut self, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.silent = false;
        if timeout.after.is_zero() {
            return Err(ureq::Error::Timeout(timeout.reason));
        }
        Ok(self.set_write_timeout(exact(timeout.after))?)
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if !serves(self.read_timeout, timeout) && has_set(self.stream.set_read_timeout(timeout))? {
            self.read_timeout = timeout;
        }
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if !serves(self.write_timeout, timeout) && has_set(self.stream.set_write_timeout(timeout))?
        {
            self.write_timeout = timeout;
        }
        Ok(())
    }
}

/// The time by which a timeout may be late. Linux rounds a socket's timeout up to its timer's tick, of
/// one to ten milliseconds (`CONFIG_HZ`).
const TICK: Duration = Duration::from_millis(1);

/// Whether the timeout that a socket has can serve as this one. It is never shorter. Below TLS, ureq
/// subtracts the microseconds since the start of a step, so no two timeouts are equal.
fn serves(set: Option<Duration>, timeout: Option<Duration>) -> bool {
    match (set, timeout) {
        (Some(set), Some(timeout)) => set.checked_sub(timeout).is_some_and(|late| late < TICK),
        (set, timeout) => set == timeout,
    }
}

fn dial(address: SocketAddr, time: Option<Duration>) -> io::Result<TcpStream> {
    match time {
        Some(time) => TcpStream::connect_timeout(&address, time),
        None => TcpStream::connect(address),
    }
}

/// Whether a socket accepted a timeout. macOS refuses every timeout once the peer has closed the
/// connection without reading the whole request; the response may still be readable.
fn has_set(outcome: io::Result<()>) -> io::Result<bool> {
    match outcome {
        Err(cause) if cfg!(target_os = "macos") && cause.kind() == ErrorKind::InvalidInput => {
            Ok(false)
        }
        outcome => outcome.map(|()| true),
    }
}

/// A socket's timeout is `WouldBlock` on Unix and `TimedOut` on Windows.
fn error(cause: io::Error, timeout: NextTimeout) -> ureq::Error {
    match cause.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => ureq::Error::Timeout(timeout.reason),
        _ => ureq::Error::Io(cause),
    }
}

fn exact(after: UreqDuration) -> Option<Duration> {
    match after {
        UreqDuration::Exact(after) => Some(after),
        UreqDuration::NotHappening => None,
    }
}

impl Transport for Tcp {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.socket.prepare_to_write(timeout)?;
        let output = &self.buffers.output()[..amount];
        (&*self.socket.stream).write_all(output).map_err(|cause| error(cause, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        if timeout.after != NO_WAIT.after {
            self.buffers.begin_wait();
        }
        let outcome = self.socket.read(self.buffers.input_append_buf(), timeout.after);
        let amount = outcome.map_err(|cause| error(cause, timeout))?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    /// Whether the connection is open and has nothing to read. It reads without waiting to find
    /// out, unless that was the last operation.
    fn is_open(&mut self) -> bool {
        if !self.socket.silent {
            let _ = self.await_input(NO_WAIT);
        }
        mem::take(&mut self.socket.silent)
    }
}

impl fmt::Debug for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tcp").field("peer", &self.socket.stream.peer_addr().ok()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use ureq::config::Config;
    use ureq::http::Uri;
    use ureq::unversioned::resolver::{DefaultResolver, Resolver};
    use ureq::unversioned::transport::time::Instant as UreqInstant;

    use super::*;

    #[test]
    fn a_timeout_that_is_a_little_longer_stays() {
        let micros = |micros| Some(Duration::from_micros(micros));
        for (set, timeout, expected) in [
            (micros(5_000), micros(5_000), true),
            (micros(5_000), micros(4_001), true),
            (micros(5_000), micros(4_000), false),
            (micros(5_000), micros(5_001), false),
            (micros(5_000), None, false),
            (None, micros(5_000), false),
            (None, None, true),
        ] {
            assert_eq!(serves(set, timeout), expected, "{set:?} {timeout:?}");
        }
    }

    fn connect(addresses: &[SocketAddr], timeout: NextTimeout) -> Result<Tcp, ureq::Error> {
        let resolver = DefaultResolver::default();
        let mut addrs = resolver.empty();
        addresses.iter().for_each(|address| addrs.push(*address));
        let progress = Progress::new(Deadline::never(), None);
        let details = ConnectionDetails {
            uri: &Uri::from_static("http://localhost"),
            addrs,
            config: &Config::default(),
            request_level: false,
            resolver: &resolver,
            now: UreqInstant::now(),
            timeout,
            current_time: Arc::new(UreqInstant::now),
            run_connector: Arc::new(|_: &ConnectionDetails<'_>| Err(ureq::Error::ConnectionFailed)),
            register_shutdown: Arc::new(|_| Ok(())),
        };
        Tcp::connect(&details, &progress)
    }

    /// A listener, its address, and an address that refuses connections.
    fn addresses() -> (TcpListener, SocketAddr, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address, refusing)
    }

    #[test]
    fn the_first_address_that_answers_is_used() {
        let (listener, address, refusing) = addresses();
        let long = NextTimeout { after: UreqDuration::from_secs(30), ..NextTimeout::default() };
        for timeout in [long, NextTimeout::default()] {
            for addresses in [&[address][..], &[refusing, address], &[refusing, refusing, address]]
            {
                let tcp = connect(addresses, timeout).unwrap();
                assert_eq!(tcp.socket.stream.peer_addr().unwrap(), address);
            }
            match connect(&[refusing, refusing], timeout).unwrap_err() {
                ureq::Error::Io(cause) => assert_eq!(cause.kind(), ErrorKind::ConnectionRefused),
                cause => panic!("{cause}"),
            }
            match connect(&[], timeout).unwrap_err() {
                ureq::Error::Io(cause) => assert_eq!(cause.kind(), ErrorKind::NotFound),
                cause => panic!("{cause}"),
            }
        }
        assert!(matches!(connect(&[address], NO_WAIT), Err(ureq::Error::Timeout(_))));
        drop(listener);
    }

    #[test]
    fn a_step_with_a_timeout_a_little_shorter_sets_none() {
        let (listener, address, _) = addresses();
        let mut tcp = connect(&[address], NextTimeout::default()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let long = Duration::from_secs(30);
        for (less, kept) in [(0, 0), (3, 0), (999, 0), (1_000, 1_000), (1_003, 1_000)] {
            let after = long - Duration::from_micros(less);
            let timeout = NextTimeout { after: after.into(), ..NextTimeout::default() };
            server.write_all(b"a").unwrap();
            assert!(tcp.await_input(timeout).unwrap());
            tcp.transmit_output(0, timeout).unwrap();
            let expected = Some(long - Duration::from_micros(kept));
            let Socket { read_timeout, write_timeout, .. } = tcp.socket;
            assert_eq!([read_timeout, write_timeout], [expected; 2], "{less}");
        }
    }

    #[test]
    fn only_what_it_reads_into_is_kept_while_it_waits() {
        let (listener, address, _) = addresses();
        let mut tcp = connect(&[address], NextTimeout::default()).unwrap();
        assert_eq!(tcp.buffers.size(), 0);
        let (mut server, _) = listener.accept().unwrap();
        let request = b"request";
        for _ in 0..2 {
            tcp.buffers().output()[..request.len()].copy_from_slice(request);
            let output = tcp.buffers().output().len();
            tcp.transmit_output(request.len(), NextTimeout::default()).unwrap();
            let mut received = [0; 7];
            server.read_exact(&mut received).unwrap();
            assert_eq!(&received, request);
            // Looking whether the connection is open is no wait.
            let soon = NextTimeout { after: Duration::from_millis(1).into(), ..NO_WAIT };
            let sizes = [NO_WAIT, soon, NO_WAIT, soon].map(|timeout| {
                assert!(matches!(tcp.await_input(timeout), Err(ureq::Error::Timeout(_))));
                tcp.buffers.size()
            });
            let (input, both) = (8 * 1024, 8 * 1024 + output);
            assert_eq!(sizes, [both, both, both, input]);
        }
    }

    #[test]
    fn reading_without_waiting_loses_no_bytes() {
        let (listener, address, _) = addresses();
        let mut tcp = connect(&[address], NextTimeout::default()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        for _ in 0..3 {
            assert!(matches!(tcp.await_input(NO_WAIT), Err(ureq::Error::Timeout(_))));
            assert!(tcp.is_open());
        }
        server.write_all(b"abc").unwrap();
        tcp.socket.stream.peek(&mut [0]).unwrap();
        assert!(tcp.await_input(NO_WAIT).unwrap());
        assert_eq!(tcp.buffers().input(), b"abc");
        assert!(tcp.is_open());
        server.write_all(b"def").unwrap();
        tcp.socket.stream.peek(&mut [0]).unwrap();
        assert!(!tcp.is_open());
        assert_eq!(tcp.buffers().input(), b"abcdef");
        // Other reads wait again.
        let soon = NextTimeout { after: UreqDuration::from_millis(20), ..NextTimeout::default() };
        assert!(matches!(tcp.await_input(soon), Err(ureq::Error::Timeout(_))));
        drop(server);
        assert!(!tcp.await_input(NextTimeout::default()).unwrap());
        assert!(!tcp.await_input(NO_WAIT).unwrap());
        assert!(!tcp.is_open());
    }
}
