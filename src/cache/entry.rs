//! A stored answer as bytes.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `tgl`, and the version of the format |
//! | 8 | when it was stored, in milliseconds since 1970 |
//! | 8 | how long the provider took, in microseconds |
//! | 2 | the status |
//! | 1 | flags: 1 for a stream, 2 if only the end of the connection ended it |
//! | 1 | the number of headers |
//! | 4 | the number of pieces of the body |
//! | 1 + 2 for each header | the lengths of its name and value |
//! | 4 for each piece | its length |
//! | | names and values, then the pieces |
//!
//! Numbers are little-endian. What leaves the process ends in a checksum of 16 bytes.

use std::time::{Duration, SystemTime};

use crate::fingerprint::Fingerprint;
use crate::key::Secrets;
use crate::replay::Response;

/// The mark at the start; the last byte is the version. A file of another version is a miss.
const MARK: [u8; 4] = *b"tgl\x01";

/// The length of the part before the lengths.
const HEAD: usize = 28;

const STREAMED: u8 = 1;
const UNTIL_CLOSE: u8 = 2;

/// The length of the checksum.
const SUM: usize = 16;

/// An answer to be stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer<'a, P> {
    pub(crate) status: u16,
    /// The headers that say something about the answer, by names in lower case.
    pub(crate) headers: &'a [(&'a str, &'a [u8])],
    /// The pieces of the body; one, unless it is a stream.
    pub(crate) pieces: &'a [P],
    pub(crate) streamed: bool,
    pub(crate) until_close: bool,
    /// How long the provider took.
    pub(crate) took: Duration,
}

/// A stored answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) response: Response,
    /// How long the provider took.
    pub(crate) took: Duration,
}

impl<P: AsRef<[u8]>> Answer<'_, P> {
    /// Writes the answer, stored at `now`. `None` if it is larger than an entry can be.
    pub(super) fn write(&self, now: SystemTime) -> Option<Vec<u8>> {
        let pieces = || self.pieces.iter().map(AsRef::as_ref);
        let texts = self.headers.iter().map(|(name, value)| 3 + name.len() + value.len());
        let bodies = pieces().map(|piece| 4 + piece.len());
        let room = HEAD + texts.sum::<usize>() + bodies.sum::<usize>();
        let mut bytes = Vec::with_capacity(room);
        bytes.extend(MARK);
        bytes.extend(millis(now).to_le_bytes());
        bytes.extend(u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX).to_le_bytes());
        bytes.extend(self.status.to_le_bytes());
        let until_close = if self.until_close { UNTIL_CLOSE } else { 0 };
        bytes.push(until_close | if self.streamed { STREAMED } else { 0 });
        bytes.push(u8::try_from(self.headers.len()).ok()?);
        bytes.extend(u32::try_from(self.pieces.len()).ok()?.to_le_bytes());
        for (name, value) in self.headers {
            bytes.push(u8::try_from(name.len()).ok()?);
            bytes.extend(u16::try_from(value.len()).ok()?.to_le_bytes());
        }
        for piece in pieces() {
            bytes.extend(u32::try_from(piece.len()).ok()?.to_le_bytes());
        }
        for (name, value) in self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(value);
        }
        pieces().for_each(|piece| bytes.extend_from_slice(piece));
        Some(bytes)
    }

    /// Like [`write`](Self::write), without `secrets`, for a store that others can read. A secret in
    /// a body joins its pieces. Also `None` if a body that is not text contains one: to replace it
    /// there would damage the body.
    pub(super) fn write_without(&self, secrets: &Secrets, now: SystemTime) -> Option<Vec<u8>> {
        let whole = self.write(now)?;
        if !secrets.are_in(&whole) {
            return Some(whole);
        }
        let hidden = |bytes: &[u8]| {
            let text = std::str::from_utf8(bytes).ok()?;
            Some(secrets.hide(text.into()).into_owned().into_bytes())
        };
        let headers = self.headers.iter().map(|(name, value)| Some((*name, hidden(value)?)));
        let headers: Vec<_> = headers.collect::<Option<_>>()?;
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &value[..])).collect();
        let body: Vec<u8> = self.pieces.iter().flat_map(AsRef::as_ref).copied().collect();
        let body = [hidden(&body)?];
        let Self { status, streamed, until_close, took, .. } = *self;
        let answer =
            Answer { headers: &headers, pieces: &body, status, streamed, until_close, took };
        answer.write(now)
    }
}

/// Reads an answer. `None` if it is damaged, of another version, or not younger than `ttl`.
pub(super) fn read(bytes: &[u8], now: SystemTime, ttl: Option<Duration>) -> Option<Stored> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    if head[..4] != MARK {
        return None;
    }
    let number =
        |from: usize| u64::from_le_bytes(head[from..from + 8].try_into().unwrap_or_default());
    // A clock that was set back does not keep an answer forever.
    let age = Duration::from_millis(millis(now).abs_diff(number(4)));
    if ttl.is_some_and(|ttl| age >= ttl) {
        return None;
    }
    let flags = head[22];
    let pieces = usize::try_from(u32::from_le_bytes(head[24..28].try_into().ok()?)).ok()?;
    let (lengths, rest) = rest.split_at_checked(3 * usize::from(head[23]))?;
    let (piece_lengths, mut rest) = rest.split_at_checked(pieces.checked_mul(4)?)?;
    let mut next = |length: usize| {
        let (part, left) = rest.split_at_checked(length)?;
        rest = left;
        Some(part)
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut headers = Vec::with_capacity(lengths.len() / 3);
    for length in lengths.chunks_exact(3) {
        let name = text(next(length[0].into())?);
        let value = next(u16::from_le_bytes([length[1], length[2]]).into())?;
        headers.push((name, text(value)));
    }
    let mut bodies = Vec::with_capacity(pieces);
    for length in piece_lengths.chunks_exact(4) {
        let length = u32::from_le_bytes(length.try_into().ok()?);
        bodies.push(next(usize::try_from(length).ok()?)?.to_vec());
    }
    if !rest.is_empty() {
        return None;
    }
    let response = Response {
        status: u16::from_le_bytes([head[20], head[21]]),
        headers,
        pieces: bodies,
        streamed: flags & STREAMED != 0,
        until_close: flags & UNTIL_CLOSE != 0,
        waits: Vec::new(),
    };
    Some(Stored { response, took: Duration::from_micros(number(12)) })
}

/// Adds a checksum, for a store outside the process.
pub(super) fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = checksum(&bytes);
    bytes.extend(sum);
    bytes
}

/// The entry without its checksum. `None` if that is wrong.
pub(super) fn unseal(bytes: &[u8]) -> Option<&[u8]> {
    let (entry, sum) = bytes.split_at_checked(bytes.len().checked_sub(SUM)?)?;
    (checksum(entry) == sum).then_some(entry)
}

fn checksum(bytes: &[u8]) -> [u8; SUM] {
    Fingerprint::of_parts([bytes]).0.to_le_bytes()
}

fn millis(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
