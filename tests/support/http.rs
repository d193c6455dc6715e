//! A program that speaks HTTP itself, as one in another language does.

use serde_json::json;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A response as it came over the wire.
pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) head: String,
    /// The chunks of a chunked body; otherwise one piece.
    pub(crate) pieces: Vec<Vec<u8>>,
}

impl Received {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.pieces.concat()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.pieces.concat()).unwrap()
    }
}

/// Sends a request, and returns the connection. Without a body it is a `GET`.
pub(crate) fn send(
    address: SocketAddr,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> TcpStream {
    let method = if body.is_empty() { "GET" } else { "POST" };
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\n");
    let length = body.len().to_string();
    let own = [("connection", "close"), ("content-length", &length)];
    for (name, value) in headers.iter().chain(&own) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
    socket
}

/// Sends a request and reads the whole response.
pub(crate) fn ask(
    address: SocketAddr,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Received {
    let mut socket = send(address, target, headers, body);
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let pieces = match head.contains("transfer-encoding: chunked") {
        true => chunks(&bytes[end..]),
        false => vec![bytes[end..].to_vec()],
    };
    Received { status, head, pieces }
}

/// # Panics
///
/// If the last chunk is missing.
fn chunks(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n").expect("the last chunk");
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return chunks;
        }
        chunks.push(bytes[end + 2..end + 2 + size].to_vec());
        bytes = &bytes[end + 4 + size..];
    }
}

/// Reads until a text has come.
pub(crate) fn read_until(socket: &mut TcpStream, text: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(text) {
        let mut buffer = [0; 1000];
        let length = socket.read(&mut buffer).unwrap();
        assert!(length > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    seen
}

/// The request that a client of OpenAI's sends for this prompt.
pub(crate) fn chat_body(prompt: &str, stream: bool) -> String {
    let mut body = json!({
        "model": "gpt-4o-mini", "messages": [{"role": "user", "content": prompt}],
    });
    if stream {
        body["stream"] = json!(true);
        body["stream_options"] = json!({"include_usage": true});
    }
    body.to_string()
}
