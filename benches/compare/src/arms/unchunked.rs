//! Takes the chunked coding off a body (RFC 9112, section 7.1), copying only what has to be.

use memchr::memchr;
use std::io::{self, Read};

/// How much is read at once.
const BUFFER: usize = 64 * 1024;

/// Hands out the lines of a body, each without its end.
pub struct Lines {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The beginning of a line whose end is in another chunk.
    pending: Vec<u8>,
}

impl Lines {
    pub fn new() -> Self {
        Self { buffer: vec![0; BUFFER], start: 0, end: 0, pending: Vec::new() }
    }

    /// Reads on; false where nothing comes any more. What was not yet taken stays in front.
    pub fn fill(&mut self, stream: &mut impl Read) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let read = stream.read(&mut self.buffer[self.end..])?;
        self.end += read;
        Ok(read > 0)
    }

    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub fn take(&mut self, count: usize) {
        self.start += count;
    }

    /// Reads the body to its end.
    pub fn each<E: From<io::Error>>(
        &mut self,
        stream: &mut impl Read,
        mut line: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.pending.clear();
        loop {
            let size = self.size(stream)?;
            let mut left = size;
            while left > 0 {
                if self.start == self.end {
                    self.more(stream)?;
                }
                let piece = left.min(self.end - self.start);
                split(&self.buffer[self.start..self.start + piece], &mut self.pending, &mut line)?;
                self.start += piece;
                left -= piece;
            }
            // What ends each chunk, and the body.
            while self.end - self.start < 2 {
                self.more(stream)?;
            }
            self.start += 2;
            if size == 0 {
                return Ok(());
            }
        }
    }

    fn size(&mut self, stream: &mut impl Read) -> io::Result<usize> {
        loop {
            if let Some(end) = memchr(b'\n', self.unread()) {
                let digits =
                    std::str::from_utf8(&self.unread()[..end]).unwrap_or_default().trim_end();
                let size = usize::from_str_radix(digits, 16).map_err(io::Error::other)?;
                self.start += end + 1;
                return Ok(size);
            }
            self.more(stream)?;
        }
    }

    fn more(&mut self, stream: &mut impl Read) -> io::Result<()> {
        if self.fill(stream)? { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

fn split<E>(
    mut piece: &[u8],
    pending: &mut Vec<u8>,
    mut line: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    while let Some(end) = memchr(b'\n', piece) {
        if pending.is_empty() {
            line(&piece[..end])?;
        } else {
            pending.extend(&piece[..end]);
            line(pending)?;
            pending.clear();
        }
        piece = &piece[end + 1..];
    }
    pending.extend(piece);
    Ok(())
}
