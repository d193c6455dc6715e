//! What no client can do without: the bytes written, the bytes read, and serde_json.
//!
//! The request is made once. Of a whole answer the head is searched for its end and for the
//! length, and nothing else of it is looked at; the body is parsed into types. Of a stream
//! the lines are found, and with `typed` each event is parsed into types that borrow.

use memchr::memmem;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use super::Arm;
use super::completion::{Chunk, Completion, Request};
use super::unchunked::Lines;
use crate::failure::Failure;
use crate::server::AUTHORITY;
use crate::server::answers::{CHUNKS, KEY};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\n";
const LENGTH: &[u8] = b"\r\nContent-Length: ";

pub struct Floor {
    stream: Stream,
    chat: Vec<u8>,
    asks_for_stream: Vec<u8>,
    lines: Lines,
    typed: bool,
}

enum Stream {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Floor {
    pub fn new(url: &str, typed: bool) -> Result<Self, Failure> {
        let (socket, host, path) = connect(url)?;
        let stream = if url.starts_with("https") {
            let connection =
                ClientConnection::new(encryption()?, ServerName::try_from("localhost")?)?;
            Stream::Encrypted(Box::new(StreamOwned::new(connection, socket)))
        } else {
            Stream::Plain(socket)
        };
        let request = |stream| -> Result<Vec<u8>, Failure> {
            let body = serde_json::to_string(&Request::new(stream))?;
            let head = format!(
                "POST {path}/chat/completions HTTP/1.1\r\nhost: {host}\r\naccept: */*\r\n\
                 user-agent: floor/0.1.0\r\nauthorization: Bearer {KEY}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            Ok((head + &body).into_bytes())
        };
        Ok(Self {
            stream,
            chat: request(false)?,
            asks_for_stream: request(true)?,
            lines: Lines::new(),
            typed,
        })
    }
}

/// A socket, and the host and path of the URL.
pub fn connect(url: &str) -> Result<(TcpStream, &str, &str), Failure> {
    let (_, rest) = url.split_once("://").ok_or("an URL without a scheme")?;
    let (host, path) = rest.split_at(rest.find('/').ok_or("an URL without a path")?);
    let socket = TcpStream::connect(host)?;
    socket.set_nodelay(true)?;
    Ok((socket, host, path))
}

fn encryption() -> Result<Arc<ClientConfig>, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(AUTHORITY)?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

impl Arm for Floor {
    fn chat(&mut self) -> Result<String, Failure> {
        let Self { stream, lines, chat, .. } = self;
        stream.write_all(chat)?;
        let head = head(stream, lines)?;
        let found = |name| memmem::find(&lines.unread()[..head], name);
        // The second is how LiteLLM's proxy writes it.
        let length = found(LENGTH).or_else(|| found(b"\r\ncontent-length: ")).ok_or("no length")?;
        let digits = &lines.unread()[length + LENGTH.len()..];
        let digits = digits.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let length: usize = std::str::from_utf8(digits)?.parse()?;
        while lines.unread().len() < head + length {
            if !lines.fill(stream)? {
                return Err("an answer that breaks off".into());
            }
        }
        let answer: Completion = serde_json::from_slice(&lines.unread()[head..head + length])?;
        lines.take(head + length);
        answer.text()
    }

    fn stream(&mut self) -> Result<usize, Failure> {
        let Self { stream, lines, asks_for_stream, typed, .. } = self;
        stream.write_all(asks_for_stream)?;
        let head = head(stream, lines)?;
        lines.take(head);
        let (mut events, mut length, mut done) = (0, 0, false);
        lines.each(stream, |line| {
            let Some(data) = line.strip_prefix(b"data: ") else { return Ok(()) };
            if data == b"[DONE]" {
                done = true;
            } else {
                events += 1;
                if *typed {
                    length += serde_json::from_slice::<Chunk<'_>>(data)?.length();
                }
            }
            Ok::<_, Failure>(())
        })?;
        // With the usage.
        if !done || events != CHUNKS + 1 {
            return Err(format!("a stream of {events} events").into());
        }
        Ok(if *typed { length } else { crate::server::answers::streamed() })
    }
}

/// How long the head of an answer is, once all of it was read.
fn head(stream: &mut Stream, lines: &mut Lines) -> Result<usize, Failure> {
    loop {
        if let Some(end) = memmem::find(lines.unread(), b"\r\n\r\n") {
            let ok = lines.unread().starts_with(OK);
            return if ok { Ok(end + 4) } else { Err("an answer that is an error".into()) };
        }
        if !lines.fill(stream)? {
            return Err("no answer".into());
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Encrypted(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Encrypted(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Encrypted(stream) => stream.flush(),
        }
    }
}
