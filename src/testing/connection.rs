//! Serves one connection: a request, its reply, and again.

use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::batches;
use super::http::{Problem, Reader};
use super::recordings::Answer;
use super::render;
use super::reply::{Ending, Fault, Framing, Reply};
use super::request::Request;
use super::response::{LAST_CHUNK, Response, chunk};
use super::server::{Lease, Server};

/// A pause below this ends exactly on time, not at a tick of the kernel's clock.
const SHORT: Duration = Duration::from_millis(20);

/// Serves until one side closes. An error means that the client is gone, which needs no response.
pub(super) fn run(lease: &Lease, silent: bool) {
    let Lease { server, number, stream } = lease;
    let mut reader = Reader::new(stream);
    if silent {
        reader.discard(|| server.is_stopping());
        return;
    }
    // Events are small and must not wait for each other.
    let _ = stream.set_nodelay(true);
    while !server.is_stopping() {
        let message = match reader.next() {
            Ok(Some(message)) => message,
            Ok(None) => return,
            Err(problem) => {
                refuse(stream, problem);
                // Closing now would reset the connection because bytes are still arriving, and the
                // response would be lost.
                reader.discard(|| server.is_stopping());
                return;
            }
        };
        let request = Request::new(message, *number);
        // Choose before recording: a test that waits for this request may send the next one, which
        // must not get this one's reply.
        let chosen = choose(server, &request);
        let serial = server.record.note(&request);
        let reply = match chosen {
            Answer::Reply(reply) => reply,
            Answer::Forward(forwarded) => match forwarded.open(&request) {
                Ok(opened) => {
                    let passed = reader.take().and_then(|()| opened.pass_back(stream, &request));
                    match passed {
                        Ok(true) => continue,
                        Ok(false) | Err(_) => return,
                    }
                }
                Err(reply) => Arc::from(reply),
            },
        };
        let response = render::response(&reply, &request, serial, SystemTime::now());
        if !matches!(send(lease, &mut reader, &reply, &response, &request), Ok(true)) {
            return;
        }
    }
}

fn refuse(mut stream: &TcpStream, problem: Problem) {
    let answer = match problem {
        Problem::Malformed(what) => {
            render::unreadable(400, &format!("The request cannot be read: {what}."))
        }
        Problem::HeadTooLarge => render::unreadable(431, "The request's head is too large."),
        Problem::BodyTooLarge => render::unreadable(413, "The request's body is too large."),
    };
    let _ = stream.write_all(&answer);
    let _ = stream.shutdown(Shutdown::Write);
}

/// Rules come first and see every request. Recordings take the place of the script.
fn choose(server: &Server, request: &Request) -> Answer {
    if let Some(key) = server.key.read().as_deref() {
        if request.api_key() != Some(key) {
            return Reply::status(401).into();
        }
    }
    if let Some(reply) = server.script.by_rule(request) {
        return Answer::Reply(reply);
    }
    let recordings = server.recordings.read().clone();
    let answer = recordings.answer(request);
    answer.unwrap_or_else(|| Answer::Reply(scripted(server, request)))
}

/// Requests that a provider would refuse use up no scripted reply.
fn scripted(server: &Server, request: &Request) -> Arc<Reply> {
    if let Some(reply) = batches::answer(server, request) {
        return Arc::new(reply);
    }
    if server.paths.format(request.path()).is_none() {
        return Arc::new(render::not_found(request));
    }
    if request.method() != "POST" {
        return Arc::new(
            Reply::error(405, "", "Only POST is allowed here.").header("allow", "POST"),
        );
    }
    if !request.json().is_object() {
        return Arc::new(Reply::error(400, "", "The body is not a JSON object."));
    }
    server.script.next()
}

/// Sends the response with its simulated faults. Returns true if the connection can continue.
fn send(
    lease: &Lease,
    reader: &mut Reader<'_>,
    reply: &Reply,
    response: &Response,
    request: &Request,
) -> io::Result<bool> {
    let mut stream: &TcpStream = &lease.stream;
    let stopping = || lease.server.is_stopping();
    // Closing a socket with unread bytes sends a reset.
    if !matches!(reply.fault, Some(Fault::ResetAtOnce | Fault::Reset(_))) {
        reader.take()?;
    }
    if !pause(lease, reply.delay) {
        return Ok(false);
    }
    let limit = match reply.fault {
        Some(Fault::ResetAtOnce | Fault::CutAtOnce) => return Ok(false),
        Some(Fault::Hang) => {
            reader.discard(stopping);
            return Ok(false);
        }
        Some(Fault::Cut(bytes) | Fault::Reset(bytes) | Fault::Stall(bytes)) => Some(bytes),
        None => None,
    };

    let framing = match response.framing {
        // HTTP/1.0 has no chunks.
        Framing::Chunked if request.head().minor == 0 => Framing::UntilClose,
        framing => framing,
    };
    let says_close = !request.head().keeps_alive()
        || reply.ending == Ending::Close
        || framing == Framing::UntilClose;
    let head = response.head(framing, says_close);
    let body = if request.method() == "HEAD" || response.is_bodyless() {
        Vec::new()
    } else {
        frame(&response.pieces, framing, limit)
    };

    if !response.streams && reply.write_size.is_none() && reply.chunk_delay.is_zero() {
        stream.write_all(&[head, body.concat()].concat())?;
    } else {
        stream.write_all(&head)?;
        let mut first = true;
        for (at, piece) in body.iter().enumerate() {
            let wait = response.waits.get(at).copied().unwrap_or_default();
            if !pause(lease, wait) {
                return Ok(false);
            }
            let size = reply.write_size.map_or(piece.len(), usize::from);
            for slice in piece.chunks(size.max(1)) {
                // The end of the framing is not an event, so it follows at once.
                let waits = !first && slice != LAST_CHUNK;
                if waits && !pause(lease, reply.chunk_delay) {
                    return Ok(false);
                }
                first = false;
                stream.write_all(slice)?;
            }
        }
    }
    match reply.fault {
        Some(Fault::Stall(_)) => {
            reader.discard(stopping);
            Ok(false)
        }
        Some(_) => Ok(false),
        None => Ok(!says_close && reply.ending == Ending::KeepAlive),
    }
}

/// The body as sent, cut at `limit` bytes of content. A cut body also lacks the end of its framing.
fn frame(pieces: &[Vec<u8>], framing: Framing, limit: Option<usize>) -> Vec<Vec<u8>> {
    let mut left = limit.unwrap_or(usize::MAX);
    let mut framed = Vec::with_capacity(pieces.len() + 1);
    for piece in pieces {
        let piece = &piece[..piece.len().min(left)];
        left -= piece.len();
        if !piece.is_empty() {
            framed.push(match framing {
                Framing::Chunked => chunk(piece),
                Framing::ContentLength | Framing::UntilClose => piece.to_vec(),
            });
        }
    }
    if framing == Framing::Chunked && limit.is_none() {
        framed.push(LAST_CHUNK.to_vec());
    }
    framed
}

/// Waits. Returns false if the server stops or the client leaves first; long pauses wait at the
/// socket to notice that.
fn pause(lease: &Lease, length: Duration) -> bool {
    if length.is_zero() {
        return true;
    }
    let Lease { server, stream, .. } = lease;
    // A wait too long for the clock never ends; for a test, a day is as long.
    const DAY: Duration = Duration::from_secs(86_400);
    let deadline = Instant::now() + length.min(DAY);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left < SHORT || stream.set_read_timeout(Some(left)).is_err() {
            return server.sleep(deadline);
        }
        let seen = stream.peek(&mut [0]);
        if stream.set_read_timeout(None).is_err() {
            return false;
        }
        match seen {
            Ok(0) => return false,
            // Unread bytes are there, so the socket cannot tell whether the client left.
            Ok(_) => return server.sleep(deadline),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_counts_content_and_drops_the_end() {
        let pieces = [b"abc".to_vec(), Vec::new(), b"de".to_vec()];
        let text = |framing, limit| String::from_utf8(frame(&pieces, framing, limit).concat());
        for (framing, limit, wire) in [
            (Framing::ContentLength, None, "abcde"),
            (Framing::ContentLength, Some(4), "abcd"),
            (Framing::UntilClose, Some(0), ""),
            (Framing::Chunked, None, "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
            (Framing::Chunked, Some(4), "3\r\nabc\r\n1\r\nd\r\n"),
            (Framing::Chunked, Some(9), "3\r\nabc\r\n2\r\nde\r\n"),
        ] {
            assert_eq!(text(framing, limit).unwrap(), wire);
        }
    }
}
