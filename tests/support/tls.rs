use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::listener::{Listener, connect};

/// The authority that vouches for [`TlsServer`].
pub(crate) const AUTHORITY: &[u8] = include_bytes!("../tls/ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("../tls/server.pem");
const KEY: &[u8] = include_bytes!("../tls/server.key");

/// A server's side of TLS, with a certificate for `localhost`.
pub(crate) fn config() -> Arc<ServerConfig> {
    let certificates = CertificateDer::pem_slice_iter(CERTIFICATE);
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            certificates.collect::<Result<_, _>>().unwrap(),
            PrivateKeyDer::from_pem_slice(KEY).unwrap(),
        )
        .unwrap();
    Arc::new(config)
}

/// Terminates TLS in front of a server without TLS, as a load balancer does. The certificate is for
/// `localhost`.
pub(crate) struct TlsServer {
    listener: Listener,
    handshakes: Arc<AtomicUsize>,
}

impl TlsServer {
    pub(crate) fn start(behind: SocketAddr) -> Self {
        let (config, handshakes) = (config(), Arc::new(AtomicUsize::new(0)));
        let listener = Listener::start({
            let handshakes = Arc::clone(&handshakes);
            move |mut socket| {
                let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
                while tls.is_handshaking() {
                    // A client that does not trust the certificate goes.
                    if tls.complete_io(&mut socket).is_err() {
                        return;
                    }
                }
                handshakes.fetch_add(1, Ordering::SeqCst);
                if let Ok(plain) = connect(behind) {
                    relay(tls, socket, &plain);
                }
            }
        });
        Self { listener, handshakes }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.address().port()
    }

    /// The base URL for a client of OpenAI, by the name in the certificate.
    pub(crate) fn base_url(&self) -> String {
        format!("https://localhost:{}/v1", self.port())
    }

    /// How many connections came.
    pub(crate) fn accepted(&self) -> usize {
        self.listener.accepted()
    }

    /// How many handshakes were completed, session tickets included.
    pub(crate) fn handshakes(&self) -> usize {
        self.handshakes.load(Ordering::SeqCst)
    }
}

/// Copies both ways until both sides have ended.
fn relay(tls: ServerConnection, socket: &TcpStream, plain: &TcpStream) {
    // Guards the state of the encryption. Held while writing to the socket too, so
    // that records stay in order.
    let tls = Mutex::new(tls);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = decrypt(&tls, socket, plain);
            let _ = plain.shutdown(Shutdown::Write);
        });
        let _ = encrypt(&tls, plain, socket);
        let _ = socket.shutdown(Shutdown::Write);
    });
}

fn decrypt(
    tls: &Mutex<ServerConnection>,
    mut socket: &TcpStream,
    mut plain: &TcpStream,
) -> io::Result<()> {
    let mut bytes = [0; 16 * 1024];
    let mut count = 0;
    loop {
        let mut text = Vec::new();
        let mut tls_now = tls.lock().unwrap();
        let mut rest = &bytes[..count];
        loop {
            // The handshake may have brought the beginning along.
            let state = tls_now.process_new_packets().map_err(io::Error::other)?;
            let start = text.len();
            text.resize(start + state.plaintext_bytes_to_read(), 0);
            tls_now.reader().read_exact(&mut text[start..])?;
            if rest.is_empty() {
                break;
            }
            tls_now.read_tls(&mut rest)?;
        }
        flush(&mut tls_now, socket)?;
        drop(tls_now);
        plain.write_all(&text)?;
        count = socket.read(&mut bytes)?;
        if count == 0 {
            return Ok(());
        }
    }
}

fn encrypt(
    tls: &Mutex<ServerConnection>,
    mut plain: &TcpStream,
    socket: &TcpStream,
) -> io::Result<()> {
    let mut bytes = [0; 16 * 1024];
    loop {
        let count = plain.read(&mut bytes)?;
        let mut tls = tls.lock().unwrap();
        match count {
            0 => tls.send_close_notify(),
            _ => tls.writer().write_all(&bytes[..count])?,
        }
        flush(&mut tls, socket)?;
        if count == 0 {
            return Ok(());
        }
    }
}

fn flush(tls: &mut ServerConnection, mut socket: &TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(&mut socket)?;
    }
    Ok(())
}
