//! Reads the head of the final response, and skips interim responses.

use super::framing::Framing;
use super::head::{Head, HeadReader, Invalid};

/// The most interim responses to one request. Servers send one or two.
const MOST: usize = 16;

/// Reads the head of the final response to a request. It skips the interim responses before it
/// (status 1xx, RFC 9110 section 15.2).
#[derive(Debug)]
pub(in crate::transport) struct FinalHead {
    reader: HeadReader,
    /// How many interim responses came.
    interim: usize,
}

/// What [`FinalHead::read`] found.
#[derive(Debug)]
pub(in crate::transport) struct Found {
    /// How many bytes at the start belong to interim responses. Drop them.
    pub(in crate::transport) skipped: usize,
    /// The head after them, once it is complete.
    pub(in crate::transport) head: Option<Head>,
}

impl FinalHead {
    /// Reads heads of up to `limit` bytes.
    pub(in crate::transport) fn new(limit: usize) -> Self {
        Self { reader: HeadReader::new(limit), interim: 0 }
    }

    /// Reads on. `unread` are all bytes that were received and not dropped.
    ///
    /// # Errors
    ///
    /// What is wrong with a head.
    pub(in crate::transport) fn read(&mut self, unread: &[u8]) -> Result<Found, Invalid> {
        let mut skipped = 0;
        loop {
            let bytes = &unread[skipped..];
            match self.reader.read(bytes)? {
                Some(head) if self.skips(&head, bytes)? => skipped += head.length,
                head => return Ok(Found { skipped, head }),
            }
        }
    }

    /// Whether this head is of an interim response, which has no body and is ignored. `bytes` are
    /// those the head was parsed from.
    ///
    /// # Errors
    ///
    /// If there are too many, if the server leaves HTTP/1.1 without being asked, or if the framing
    /// is wrong: an intermediary may disagree about where the next response starts.
    fn skips(&mut self, head: &Head, bytes: &[u8]) -> Result<bool, Invalid> {
        match head.status {
            101 => {
                let wrong = "status 101 (Switching Protocols) answers no request of this client";
                Err(Invalid::Syntax(wrong))
            }
            100..=199 if self.interim == MOST => {
                let wrong = "there are more than 16 interim responses (status 1xx)";
                Err(Invalid::Syntax(wrong))
            }
            100..=199 => {
                Framing::of(head, bytes).map_err(Invalid::Syntax)?;
                self.interim += 1;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERIM: &[u8] = b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n";
    const FINAL: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

    #[test]
    fn interim_responses_are_skipped_however_the_bytes_are_split() {
        for count in [0, 1, 2, MOST] {
            let all = [INTERIM.repeat(count), FINAL.to_vec()].concat();
            for size in [1, 7, INTERIM.len(), all.len()] {
                let (mut reader, mut unread) = (FinalHead::new(4096), Vec::new());
                let mut head = None;
                for piece in all.chunks(size) {
                    assert!(head.is_none(), "{count} {size}");
                    unread.extend_from_slice(piece);
                    let found = reader.read(&unread).unwrap();
                    unread.drain(..found.skipped);
                    head = found.head;
                }
                let head = head.unwrap();
                assert_eq!((head.status, head.length), (200, FINAL.len()), "{count} {size}");
                assert_eq!(unread, FINAL);
            }
        }
        let more = INTERIM.repeat(MOST + 1);
        assert!(matches!(FinalHead::new(4096).read(&more), Err(Invalid::Syntax(_))));
    }
}
