//! Takes the body out of the received bytes.

use std::ops::Range;

use super::chunks::Chunks;
use super::framing::End;

/// Reads a body while its bytes arrive.
#[derive(Debug)]
pub(in crate::transport) enum BodyReader {
    /// How much is missing.
    Length(u64),
    Chunks(Chunks),
    Close,
}

/// What [`BodyReader::read`] found.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::transport) struct Read {
    /// Where the decoded body is in the bytes, in one piece.
    pub(in crate::transport) piece: Range<usize>,
    /// How many bytes were read. The bytes after them are not part of the response.
    pub(in crate::transport) used: usize,
    /// What is wrong with the bytes after the piece.
    pub(in crate::transport) outcome: Result<(), &'static str>,
}

impl BodyReader {
    pub(in crate::transport) fn new(end: End) -> Self {
        match end {
            End::Empty => Self::Length(0),
            End::Length(length) => Self::Length(length),
            End::Chunks => Self::Chunks(Chunks::default()),
            End::Close => Self::Close,
        }
    }

    /// Whether the body has ended. One that only the end of the connection ends has not.
    pub(in crate::transport) fn is_done(&self) -> bool {
        match self {
            Self::Length(missing) => *missing == 0,
            Self::Chunks(chunks) => chunks.is_done(),
            Self::Close => false,
        }
    }

    /// Reads the next bytes, split anywhere. It moves parts of the body that are not adjacent
    /// together, within `bytes`.
    pub(in crate::transport) fn read(&mut self, bytes: &mut [u8]) -> Read {
        let used = match self {
            Self::Chunks(chunks) => return chunks.read(bytes),
            Self::Close => bytes.len(),
            Self::Length(missing) => {
                let used = usize::try_from(*missing).unwrap_or(usize::MAX).min(bytes.len());
                *missing -= used as u64;
                used
            }
        };
        Read { piece: 0..used, used, outcome: Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_ends_a_body_however_it_is_split() {
        for size in 1..8 {
            let mut reader = BodyReader::new(End::Length(5));
            let mut body = Vec::new();
            let mut left = 0;
            for piece in b"helloHTTP".chunks(size) {
                let mut piece = piece.to_vec();
                let read = reader.read(&mut piece);
                assert_eq!(read.outcome, Ok(()));
                left += piece.len() - read.used;
                body.extend_from_slice(&piece[read.piece]);
            }
            assert_eq!((&*body, left, reader.is_done()), (&b"hello"[..], 4, true), "{size}");
        }
    }

    #[test]
    fn only_the_connection_ends_a_body_without_framing() {
        let mut reader = BodyReader::new(End::Close);
        assert_eq!(reader.read(&mut [1, 2]).piece, 0..2);
        assert!(!reader.is_done());
        assert!(BodyReader::new(End::Empty).is_done());
        assert!(!BodyReader::new(End::Length(u64::MAX)).is_done());
    }
}
