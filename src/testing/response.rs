//! The loopback provider's HTTP response: head, framing and body.

use std::time::Duration;

use super::reply::Framing;

/// A response before it is framed.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) framing: Framing,
    /// Whether each piece gets a write of its own.
    pub(super) streams: bool,
    pub(super) pieces: Vec<Vec<u8>>,
    /// How long to wait before each piece; empty for no waits.
    pub(super) waits: Vec<Duration>,
}

impl Response {
    /// Responses with these statuses have no body, whatever the reply says (RFC 9110 section
    /// 6.4.1).
    pub(super) fn is_bodyless(&self) -> bool {
        self.status < 200 || self.status == 204 || self.status == 304
    }

    /// The status line and headers. A framing header set by the reply is not written twice.
    pub(super) fn head(&self, framing: Framing, close: bool) -> Vec<u8> {
        let ordered =
            |name: &str| self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            for part in [name.as_str(), ": ", value, "\r\n"] {
                head.push_str(part);
            }
        }
        match framing {
            _ if self.is_bodyless() => {}
            Framing::ContentLength if !ordered("content-length") => {
                let length: usize = self.pieces.iter().map(Vec::len).sum();
                head.push_str(&format!("content-length: {length}\r\n"));
            }
            Framing::Chunked if !ordered("transfer-encoding") => {
                head.push_str("transfer-encoding: chunked\r\n");
            }
            Framing::ContentLength | Framing::Chunked | Framing::UntilClose => {}
        }
        if close && !ordered("connection") {
            head.push_str("connection: close\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// One chunk of the chunked framing.
pub(super) fn chunk(piece: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
    chunk.extend_from_slice(piece);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// The end of the chunked framing.
pub(super) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        529 => "Overloaded",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &[(&str, &str)]) -> Response {
        Response {
            status,
            headers: headers.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            framing: Framing::ContentLength,
            streams: false,
            pieces: vec![b"hello".to_vec()],
            waits: Vec::new(),
        }
    }

    #[test]
    fn each_framing_marks_the_end_of_its_body() {
        let plain = response(200, &[]);
        for (framing, head) in [
            (Framing::ContentLength, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"),
            (Framing::Chunked, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
            (Framing::UntilClose, "HTTP/1.1 200 OK\r\n\r\n"),
        ] {
            assert_eq!(plain.head(framing, false), head.as_bytes());
        }
        assert_eq!(chunk(&[b'x'; 17])[..6], *b"11\r\nxx");
    }

    #[test]
    fn headers_of_the_reply_replace_the_servers_own() {
        let lying = response(200, &[("Content-Length", "9"), ("Connection", "keep-alive")]);
        assert_eq!(
            lying.head(Framing::ContentLength, true),
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: keep-alive\r\n\r\n"
        );
        let empty = response(204, &[]);
        assert_eq!(
            empty.head(Framing::ContentLength, true),
            b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"
        );
    }
}
