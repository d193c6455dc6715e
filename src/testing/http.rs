//! Reads requests from a connection: as much of HTTP/1.1 as clients use.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

/// Limits on what a client can make the server keep.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 128;
const MAX_BODY: usize = 64 * 1024 * 1024;
const MAX_CHUNK_LINE: usize = 4 * 1024;

/// The most bytes looked at in one step.
const BUFFER: usize = 32 * 1024;

/// A request line and its headers, with names in lower case.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) minor: u8,
    pub(super) headers: Vec<(String, String)>,
}

impl Head {
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a comma-separated header lists `token`.
    fn lists(&self, name: &str, token: &str) -> bool {
        self.values(name)
            .flat_map(|value| value.split(','))
            .any(|item| item.trim().eq_ignore_ascii_case(token))
    }

    /// Whether the client wants to send another request on this connection.
    pub(super) fn keeps_alive(&self) -> bool {
        self.minor >= 1 && !self.lists("connection", "close")
    }
}

/// A complete request.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) head: Head,
    pub(super) body: Vec<u8>,
}

/// Why a request cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    Malformed(&'static str),
    HeadTooLarge,
    BodyTooLarge,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Head,
    /// This many bytes of the body are missing.
    Length(usize),
    ChunkSize,
    Chunk(usize),
    /// The line end after a chunk.
    ChunkEnd,
    Trailer,
}

/// Assembles a request from pieces split anywhere.
#[derive(Debug)]
struct Parser {
    state: State,
    /// The head so far, later the current line of the chunked framing.
    text: Vec<u8>,
    line_start: usize,
    message: Message,
}

impl Parser {
    fn new() -> Self {
        Self { state: State::Head, text: Vec::new(), line_start: 0, message: Message::default() }
    }

    /// Takes the next bytes. Returns `Some(n)` if the request ends after `n` of them; the rest
    /// belong to the next request.
    fn push(&mut self, bytes: &[u8]) -> Result<Option<usize>, Problem> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.state {
                State::Length(missing) | State::Chunk(missing) => {
                    let size = missing.min(rest.len());
                    self.message.body.extend_from_slice(&rest[..size]);
                    at += size;
                    let left = missing - size;
                    match self.state {
                        State::Length(_) if left == 0 => return Ok(Some(at)),
                        State::Length(_) => self.state = State::Length(left),
                        _ if left == 0 => self.state = State::ChunkEnd,
                        _ => self.state = State::Chunk(left),
                    }
                }
                State::Head | State::ChunkSize | State::ChunkEnd | State::Trailer => {
                    let end = rest.iter().position(|byte| *byte == b'\n');
                    let size = end.map_or(rest.len(), |end| end + 1);
                    self.text.extend_from_slice(&rest[..size]);
                    at += size;
                    let in_head = matches!(self.state, State::Head);
                    // Reported at once, because a TLS client waits for a response and may never
                    // send a line end.
                    if in_head
                        && self
                            .text
                            .first()
                            .is_some_and(|byte| !b"\r\n".contains(byte) && !byte.is_ascii_graphic())
                    {
                        return Err(Problem::Malformed("not HTTP"));
                    }
                    if self.text.len() > if in_head { MAX_HEAD } else { MAX_CHUNK_LINE } {
                        return Err(Problem::HeadTooLarge);
                    }
                    if end.is_some() && self.line()? {
                        return Ok(Some(at));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Handles a complete line. Returns true if the request is complete.
    fn line(&mut self) -> Result<bool, Problem> {
        let line = self.text[self.line_start..].trim_ascii_end();
        match self.state {
            State::Head if !line.is_empty() => {
                self.line_start = self.text.len();
                return Ok(false);
            }
            // RFC 9112 section 2.2: skip empty lines before a request.
            State::Head if self.line_start == 0 => {}
            State::Head => {
                self.message.head = parse_head(&self.text)?;
                self.line_start = 0;
                self.text.clear();
                return self.begin_body();
            }
            State::ChunkSize => {
                let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
                let size = std::str::from_utf8(digits.trim_ascii())
                    .ok()
                    .and_then(|digits| usize::from_str_radix(digits, 16).ok())
                    .ok_or(Problem::Malformed("a chunk size that is not a number"))?;
                if size > MAX_BODY - self.message.body.len() {
                    return Err(Problem::BodyTooLarge);
                }
                self.state = if size == 0 { State::Trailer } else { State::Chunk(size) };
            }
            State::ChunkEnd if line.is_empty() => self.state = State::ChunkSize,
            State::ChunkEnd => return Err(Problem::Malformed("a chunk longer than its size")),
            State::Trailer if line.is_empty() => return Ok(true),
            State::Trailer | State::Length(_) | State::Chunk(_) => {}
        }
        self.text.clear();
        Ok(false)
    }

    /// Handles a complete head. Returns true if there is no body.
    fn begin_body(&mut self) -> Result<bool, Problem> {
        let head = &self.message.head;
        let mut lengths = head.values("content-length");
        let length = lengths.next();
        if lengths.any(|other| Some(other) != length) {
            return Err(Problem::Malformed("two different content lengths"));
        }
        if head.values("transfer-encoding").next().is_some() {
            if length.is_some() {
                return Err(Problem::Malformed("both a content length and a transfer encoding"));
            }
            if !head.lists("transfer-encoding", "chunked") {
                return Err(Problem::Malformed("an unknown transfer encoding"));
            }
            self.state = State::ChunkSize;
            return Ok(false);
        }
        let length: usize = match length.map(|length| length.trim().parse()) {
            None => 0,
            Some(Ok(length)) => length,
            Some(Err(_)) => {
                return Err(Problem::Malformed("a content length that is not a number"));
            }
        };
        if length > MAX_BODY {
            return Err(Problem::BodyTooLarge);
        }
        self.state = State::Length(length);
        Ok(length == 0)
    }

    /// Whether the client waits for permission to send the body.
    fn wants_continue(&self) -> bool {
        !matches!(self.state, State::Head)
            && self.message.body.is_empty()
            && self.message.head.lists("expect", "100-continue")
    }
}

fn parse_head(text: &[u8]) -> Result<Head, Problem> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut slots);
    match request.parse(text) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Problem::HeadTooLarge),
        Ok(httparse::Status::Partial) | Err(_) => {
            return Err(Problem::Malformed("a head that is not HTTP"));
        }
    }
    let headers = request
        .headers
        .iter()
        .map(|header| {
            let value = String::from_utf8_lossy(header.value).into_owned();
            (header.name.to_ascii_lowercase(), value)
        })
        .collect();
    Ok(Head {
        method: request.method.unwrap_or_default().to_owned(),
        target: request.path.unwrap_or_default().to_owned(),
        minor: request.version.unwrap_or_default(),
        headers,
    })
}

/// Reads requests from a socket and leaves the end of each one in the kernel.
///
/// The bytes that complete a request are only peeked at (`MSG_PEEK`); [`take`](Reader::take)
/// consumes them. Closing a socket with unread bytes sends a reset instead of a FIN. This is how
/// the loopback provider resets connections without unsafe code.
pub(super) struct Reader<'a> {
    stream: &'a TcpStream,
    buffer: Box<[u8]>,
    unread: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(stream: &'a TcpStream) -> Self {
        Self { stream, buffer: vec![0; BUFFER].into_boxed_slice(), unread: 0 }
    }

    /// The next request; `None` if the connection is over.
    pub(super) fn next(&mut self) -> Result<Option<Message>, Problem> {
        let mut parser = Parser::new();
        let mut continued = false;
        loop {
            let size = match self.stream.peek(&mut self.buffer) {
                Ok(0) => return Ok(None),
                Ok(size) => size,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Ok(None),
            };
            if let Some(end) = parser.push(&self.buffer[..size])? {
                self.unread = end;
                return Ok(Some(parser.message));
            }
            self.unread = size;
            if self.take().is_err() {
                return Ok(None);
            }
            if !continued && parser.wants_continue() {
                continued = true;
                if self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").is_err() {
                    return Ok(None);
                }
            }
        }
    }

    /// Consumes the bytes that were only peeked at. They are there, so this does not block.
    pub(super) fn take(&mut self) -> io::Result<()> {
        let size = std::mem::take(&mut self.unread);
        self.stream.read_exact(&mut self.buffer[..size])
    }

    /// Reads and discards until the client is gone or `stopped` returns true.
    pub(super) fn discard(&mut self, stopped: impl Fn() -> bool) {
        self.unread = 0;
        while !stopped() {
            match self.stream.read(&mut self.buffer) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Parser, Problem};

    const LENGTH: &[u8] =
        b"\r\nPOST /v1/x?y=1 HTTP/1.1\r\nX-Key: a \r\nContent-Length: 5\r\n\r\nhello";
    const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
        2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: 1\r\n\r\n";

    #[test]
    fn a_request_is_read_the_same_however_it_is_split() {
        for text in [LENGTH, CHUNKED] {
            for size in 1..=text.len() {
                let mut parser = Parser::new();
                let ends: Vec<_> =
                    text.chunks(size).map(|piece| parser.push(piece).unwrap()).collect();
                assert_eq!(parser.message.body, b"hello");
                assert_eq!(parser.message.head.method, "POST");
                assert!(ends[..ends.len() - 1].iter().all(Option::is_none));
                assert_eq!(ends[ends.len() - 1], Some((text.len() - 1) % size + 1));
            }
        }
    }

    #[test]
    fn the_next_request_is_not_consumed() {
        let two = [LENGTH, CHUNKED].concat();
        assert_eq!(Parser::new().push(&two), Ok(Some(LENGTH.len())));
        assert_eq!(Parser::new().push(b"GET / HTTP/1.0\n\nGET"), Ok(Some(16)));
    }

    #[test]
    fn malformed_requests_are_refused_without_a_panic() {
        let long = [b"GET / HTTP/1.1\r\nx: ".as_slice(), &[b'x'; 70_000]].concat();
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(200));
        for (text, problem) in [
            (long.as_slice(), Problem::HeadTooLarge),
            (many.as_bytes(), Problem::HeadTooLarge),
            (b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", Problem::BodyTooLarge),
            (
                b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n",
                Problem::BodyTooLarge,
            ),
        ] {
            assert_eq!(Parser::new().push(text), Err(problem));
        }
        for text in [
            "\x16\x03\x01\n\n",
            "GET\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
        ] {
            let result = Parser::new().push(text.as_bytes());
            assert!(matches!(result, Err(Problem::Malformed(_))), "{text:?}: {result:?}");
        }
    }
}
