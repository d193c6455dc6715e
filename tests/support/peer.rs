//! A server that sends whatever a test wants, with or without TLS.

use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use tollgate::ClientBuilder;

#[cfg(any(feature = "rustls", feature = "native-tls"))]
use rustls::{ServerConnection, StreamOwned};

use super::listener::Listener;
use super::{builder_at, eventually};

/// The server's side of a connection.
pub(crate) struct Peer {
    socket: TcpStream,
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    tls: Option<StreamOwned<ServerConnection, TcpStream>>,
}

/// Without TLS and, if the crate is built with it, with TLS.
pub(crate) const KINDS: &[bool] = match cfg!(any(feature = "rustls", feature = "native-tls")) {
    true => &[false, true],
    false => &[false],
};

/// Runs `serve` for each connection, over TLS if `encrypted`. Also returns the setup of a client
/// that does not retry.
pub(crate) fn server(
    encrypted: bool,
    serve: impl Fn(&mut Peer) + Send + Sync + 'static,
) -> (Listener, ClientBuilder) {
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    let config = super::tls::config();
    let listener = Listener::start(move |socket| {
        let own = || socket.try_clone().expect("a second handle of a socket");
        let mut peer = Peer {
            socket: own(),
            #[cfg(any(feature = "rustls", feature = "native-tls"))]
            tls: encrypted.then(|| {
                let config = std::sync::Arc::clone(&config);
                StreamOwned::new(ServerConnection::new(config).unwrap(), own())
            }),
        };
        serve(&mut peer);
    });
    let port = listener.address().port();
    let builder = match encrypted {
        false => builder_at(&format!("http://127.0.0.1:{port}/v1")),
        #[cfg(any(feature = "rustls", feature = "native-tls"))]
        true => builder_at(&format!("https://localhost:{port}/v1"))
            .tls(tollgate::Tls::Roots(super::tls::AUTHORITY.to_vec())),
        #[cfg(not(any(feature = "rustls", feature = "native-tls")))]
        true => unreachable!("not among the kinds"),
    };
    (listener, builder)
}

impl Peer {
    /// Reads one request and returns its last message, or `None` at the end of the connection.
    pub(crate) fn request(&mut self) -> Option<String> {
        let request = super::server::request(self)?;
        let body = request.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
        let body: Value = serde_json::from_slice(&request[body..]).unwrap();
        let message = body["messages"].as_array().unwrap().last().unwrap();
        Some(message["content"].as_str().unwrap().to_owned())
    }

    /// Sends it in one write, over TLS in records as large as possible.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.write_all(bytes.as_ref()).and_then(|()| self.flush());
    }

    /// The socket below TLS. The handshake starts with the first read or write.
    pub(crate) fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    pub(crate) fn tls(&mut self) -> &mut StreamOwned<ServerConnection, TcpStream> {
        self.tls.as_mut().expect("an encrypted connection")
    }

    /// Waits until the client's kernel has received what was sent and the client has not.
    pub(crate) fn wait_until_unread(&self) {
        if cfg!(target_os = "linux") {
            eventually("the client's kernel has received it", || unread(&self.socket) > 0);
        } else {
            // The standard library cannot ask another system's kernel, so only time is left: far
            // more than loopback takes.
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// How many bytes the client's socket has received and not read (proc_pid_net(5), `rx_queue`).
fn unread(socket: &TcpStream) -> u64 {
    let (ours, theirs) = (socket.local_addr().unwrap(), socket.peer_addr().unwrap());
    let ports = (format!(":{:04X}", theirs.port()), format!(":{:04X}", ours.port()));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let client = lines
        .find(|line| line[1].ends_with(&ports.0) && line[2].ends_with(&ports.1))
        .expect("the client's socket");
    u64::from_str_radix(client[4].split(':').nth(1).unwrap(), 16).unwrap()
}

impl Read for Peer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(any(feature = "rustls", feature = "native-tls"))]
        if let Some(tls) = &mut self.tls {
            return tls.read(buffer);
        }
        self.socket.read(buffer)
    }
}

impl Write for Peer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        #[cfg(any(feature = "rustls", feature = "native-tls"))]
        if let Some(tls) = &mut self.tls {
            return tls.write(bytes);
        }
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        #[cfg(any(feature = "rustls", feature = "native-tls"))]
        if let Some(tls) = &mut self.tls {
            return tls.flush();
        }
        self.socket.flush()
    }
}
