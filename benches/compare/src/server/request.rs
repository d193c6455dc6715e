//! As much of a request as has to be known to answer it.

use memchr::memmem;
use std::io::{self, Read};

use super::Manner;

#[derive(Debug)]
pub struct Request {
    pub manner: Manner,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Whether it is to end with the usage.
    pub usage: bool,
}

impl Request {
    /// Reads the next one; nothing when the client has gone. `buffer` keeps what was read of
    /// the one after it.
    pub fn read(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Option<Self>> {
        let head = loop {
            if let Some(end) = memmem::find(buffer, b"\r\n\r\n") {
                break end + 4;
            }
            if fill(stream, buffer)? == 0 {
                return Ok(None);
            }
        };
        let length = length(&buffer[..head])?;
        while buffer.len() < head + length {
            if fill(stream, buffer)? == 0 {
                return Ok(None);
            }
        }
        let (line, body) = (&buffer[..head], &buffer[head..head + length]);
        let path = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        let manner = Manner::ALL.iter().find(|(_, first)| path.starts_with(first.as_bytes()));
        let request = Self {
            manner: manner.ok_or_else(|| io::Error::other("an unknown path"))?.0,
            stream: memmem::find(body, br#""stream":true"#).is_some(),
            usage: memmem::find(body, br#""include_usage":true"#).is_some(),
        };
        buffer.drain(..head + length);
        Ok(Some(request))
    }
}

fn fill(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let filled = buffer.len();
    buffer.resize(filled + 4096, 0);
    let read = stream.read(&mut buffer[filled..]);
    buffer.truncate(filled + *read.as_ref().unwrap_or(&0));
    read
}

fn length(head: &[u8]) -> io::Result<usize> {
    const NAME: &[u8] = b"content-length:";
    let field = head.split(|byte| *byte == b'\n').find_map(|line| {
        let name = line.get(..NAME.len())?;
        name.eq_ignore_ascii_case(NAME).then(|| &line[NAME.len()..])
    });
    let field = field.and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok());
    field.ok_or_else(|| io::Error::other("a request without a length"))
}
