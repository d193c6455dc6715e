//! A server that says what no well-behaved one says.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Runs `serve` for each connection, with the number of that connection.
pub(crate) struct RawServer {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl RawServer {
    pub(crate) fn start(serve: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0", serve).expect("a free port on 127.0.0.1")
    }

    pub(crate) fn on(
        address: &str,
        serve: impl Fn(usize, TcpStream) + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let connections = Arc::new(AtomicUsize::new(0));
        let stopping = Arc::new(AtomicBool::new(false));
        let thread = {
            let (connections, stopping) = (Arc::clone(&connections), Arc::clone(&stopping));
            thread::spawn(move || {
                thread::scope(|scope| {
                    while let Ok((socket, _)) = listener.accept() {
                        if stopping.load(Ordering::SeqCst) {
                            break;
                        }
                        let number = connections.fetch_add(1, Ordering::SeqCst);
                        let serve = &serve;
                        // A test that goes wrong ends, all the same.
                        let _ = socket.set_read_timeout(Some(Duration::from_secs(60)));
                        scope.spawn(move || serve(number, socket));
                    }
                });
            })
        };
        Ok(Self { address, connections, stopping, thread: Some(thread) })
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads one request with its body; `None` at the end of the connection.
pub(crate) fn request(socket: &mut TcpStream) -> Option<Vec<u8>> {
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
