//! Tests of the loopback provider with a client that is only a socket.

mod faults;
mod formats;
mod life;

use serde_json::{Value, json};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{Loopback, Reply};

/// Longer than anything takes, even on a loaded machine.
const LONG: Duration = Duration::from_secs(60);

const CHAT: &str = "/v1/chat/completions";
const COMPLETIONS: &str = "/v1/completions";
const MESSAGES: &str = "/v1/messages";

struct Client(TcpStream);

/// A response without its framing.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

/// How a connection ended.
#[derive(Debug, PartialEq)]
enum End {
    Fin,
    Reset,
}

impl Client {
    fn to(server: &Loopback) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        Self(stream)
    }

    fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    fn post(&mut self, path: &str, body: &Value) {
        self.post_with(path, "", body);
    }

    fn post_with(&mut self, path: &str, headers: &str, body: &Value) {
        let body = body.to_string();
        let length = body.len();
        self.write(&format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {length}\r\n\r\n{body}"
        ));
    }

    /// Reads until the connection ends.
    fn rest(&mut self) -> (Vec<u8>, End) {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Ok(_) => (bytes, End::Fin),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => (bytes, End::Reset),
            Err(error) => panic!("{error}"),
        }
    }

    fn until(&mut self, end: &str) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end.as_bytes()) {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            bytes.push(byte[0]);
        }
        String::from_utf8(bytes).unwrap()
    }

    fn exactly(&mut self, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Reads one response and leaves the connection open.
    fn answer(&mut self) -> Answer {
        let head = self.until("\r\n\r\n");
        let status = head[9..12].parse().unwrap();
        let mut body = Vec::new();
        if head.contains("transfer-encoding: chunked\r\n") {
            loop {
                let line = self.until("\r\n");
                let size = usize::from_str_radix(line.trim(), 16).unwrap();
                body.extend(self.exactly(size));
                assert_eq!(self.exactly(2), b"\r\n");
                if size == 0 {
                    break;
                }
            }
        } else if let Some((_, rest)) = head.split_once("content-length: ") {
            let length = rest.split("\r\n").next().unwrap().parse().unwrap();
            body = self.exactly(length);
        }
        Answer { status, head, body }
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The events' names and data.
    fn events(&self) -> Vec<(Option<&str>, &str)> {
        let events = self.text().split_terminator("\n\n");
        events
            .map(|event| match event.split_once('\n') {
                Some((name, data)) => (name.strip_prefix("event: "), &data["data: ".len()..]),
                None => (None, &event["data: ".len()..]),
            })
            .collect()
    }
}

fn question(stream: bool) -> Value {
    json!({
        "model": "test-model", "stream": stream, "max_tokens": 100,
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
    })
}

fn with_usage() -> Value {
    let mut body = question(true);
    body["stream_options"] = json!({"include_usage": true});
    body
}

/// Sends one request on a fresh connection, and returns its response.
fn ask(path: &str, body: &Value, reply: Reply) -> Answer {
    let server = Loopback::start().unwrap();
    server.reply(reply);
    let mut client = Client::to(&server);
    client.post(path, body);
    client.answer()
}

/// A server with one reply, and a client that has asked for it. The request body is JSON of a known
/// length.
fn asked(reply: Reply) -> io::Result<(Loopback, Client)> {
    let server = Loopback::start()?;
    server.reply(reply);
    let mut client = Client::to(&server);
    client.post(CHAT, &question(false));
    Ok((server, client))
}
