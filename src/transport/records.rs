//! Tracks TLS records, to know whether a connection holds part of one.

use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

/// The transport below TLS. It tracks where records end: nothing else can tell whether TLS holds
/// part of one.
#[derive(Debug)]
pub(super) struct Records {
    transport: Box<dyn Transport>,
    position: Position,
}

impl Records {
    pub(super) fn new(mut transport: Box<dyn Transport>) -> Self {
        let mut position = Position::default();
        position.pass(transport.buffers().input());
        Self { transport, position }
    }
}

impl Transport for Records {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.transport.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.transport.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let before = self.transport.buffers().input().len();
        let came = self.transport.await_input(timeout)?;
        self.position.pass(&self.transport.buffers().input()[before..]);
        Ok(came)
    }

    /// Whether the connection is open and no byte of a record has come.
    fn is_open(&mut self) -> bool {
        self.position.is_between()
            && self.transport.buffers().input().is_empty()
            && self.transport.is_open()
    }

    fn is_tls(&self) -> bool {
        self.transport.is_tls()
    }
}

/// Where the bytes so far end: between two records, in a header or in a record.
#[derive(Debug, Default)]
struct Position {
    /// How many bytes of the header have come.
    header: usize,
    /// The record's length as far as the header has come, then how much of the record is missing.
    missing: usize,
}

/// The size of a record header: type, version and, in the last two bytes, the length (RFC 8446
/// section 5.1; the same in RFC 5246 section 6.2.1).
const HEADER: usize = 5;

impl Position {
    fn pass(&mut self, mut bytes: &[u8]) {
        while let [byte, rest @ ..] = bytes {
            if self.header == HEADER {
                let passed = self.missing.min(bytes.len());
                self.missing -= passed;
                bytes = &bytes[passed..];
            } else {
                self.header += 1;
                if self.header + 2 > HEADER {
                    self.missing = self.missing << 8 | usize::from(*byte);
                }
                bytes = rest;
            }
            if self.header == HEADER && self.missing == 0 {
                self.header = 0;
            }
        }
    }

    fn is_between(&self) -> bool {
        self.header == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_boundaries_are_found_however_the_bytes_are_split() {
        let record = |length: u16| {
            let [high, low] = length.to_be_bytes();
            [&[23, 3, 3, high, low], &*vec![9; usize::from(length)]].concat()
        };
        let lengths = [0, 1, 255, 256, 0, 16_640, 3];
        let bytes: Vec<u8> = lengths.into_iter().flat_map(record).collect();
        let mut ends = vec![0];
        for length in lengths {
            ends.push(ends[ends.len() - 1] + HEADER + usize::from(length));
        }
        for size in [1, 2, 3, 5, 7, 100, 4096, bytes.len()] {
            let mut position = Position::default();
            let mut at = 0;
            for piece in bytes.chunks(size) {
                position.pass(piece);
                at += piece.len();
                assert_eq!(position.is_between(), ends.contains(&at), "{size} {at}");
            }
        }
    }
}
