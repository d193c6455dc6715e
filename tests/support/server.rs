//! A server that sends what no well-behaved one sends.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use super::listener::{Listener, PATIENCE};

/// Runs `serve` for each connection, with the number of that connection.
pub(crate) struct RawServer(Listener);

impl RawServer {
    pub(crate) fn start(serve: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0", serve).expect("a free port on 127.0.0.1")
    }

    pub(crate) fn on(
        address: &str,
        serve: impl Fn(usize, TcpStream) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let next = AtomicUsize::new(0);
        Listener::on(address, move |socket| {
            let number = next.fetch_add(1, Ordering::SeqCst);
            serve(number, socket.try_clone().expect("a second handle of a socket"));
        })
        .map(Self)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address()
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address())
    }

    pub(crate) fn connections(&self) -> usize {
        self.0.accepted()
    }
}

/// How a test signals, and how the server waits for a signal: one wait for each.
pub(crate) fn word() -> (Sender<()>, impl Fn() + Send + Sync + 'static) {
    let (sender, receiver) = channel();
    let receiver = Mutex::new(receiver);
    let wait = move || {
        receiver.lock().unwrap().recv_timeout(PATIENCE).expect("the test gives its word");
    };
    (sender, wait)
}

/// Reads one request with its body; `None` at the end of the connection.
pub(crate) fn request(socket: &mut impl Read) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        match socket.read(&mut byte) {
            Ok(1) => bytes.push(byte[0]),
            _ => return None,
        }
    }
    let head = String::from_utf8_lossy(&bytes).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    socket.read_exact(&mut body).ok()?;
    bytes.extend(body);
    Some(bytes)
}

/// A chat completion that says `text`.
pub(crate) fn body(text: &str) -> String {
    format!(r#"{{"choices":[{{"message":{{"role":"assistant","content":"{text}"}}}}]}}"#)
}

/// A whole response that says `text` and leaves the connection open.
pub(crate) fn response(text: &str) -> String {
    let body = body(text);
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) fn send(socket: &mut TcpStream, text: &str) {
    let _ = socket.write_all(text.as_bytes());
}
