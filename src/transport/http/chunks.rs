//! Decodes a chunked body, in place.

use super::body::Read;
use super::head::{is_name, is_value};

/// Decodes a chunked body (RFC 9112 section 7.1). It ignores extensions and trailers.
///
/// ```text
/// chunked-body = *chunk last-chunk trailer-section CRLF
/// chunk        = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
/// chunk-size   = 1*HEXDIG
/// chunk-ext    = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
/// ```
///
/// Lines must end with CRLF: if server and client disagree about the end of a chunk, part of a body
/// becomes the next response.
#[derive(Debug, Default)]
pub(in crate::transport) struct Chunks {
    position: Position,
    /// The part of the size that was read so far, then how much of the chunk is missing.
    size: u64,
    /// How many digits the size has so far.
    digits: u32,
    /// The length of all extensions so far, then of the trailers.
    length: usize,
}

/// As many as 64 bits have.
const MOST_DIGITS: u32 = 16;

/// The most bytes of extensions in a whole body. They have no use here, and each costs the sender
/// as much as the reader.
const LONGEST_EXTENSIONS: usize = 16 * 1024;

/// The most bytes of trailers.
const LONGEST_TRAILERS: usize = 8 * 1024;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Position {
    #[default]
    Size,
    /// In the blanks with which some servers pad a size.
    Padding,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the start of a trailer line.
    Trailers,
    TrailerName,
    TrailerValue,
    TrailerLf,
    LastLf,
    Done,
}

impl Chunks {
    pub(super) fn is_done(&self) -> bool {
        self.position == Position::Done
    }

    /// Decodes the next bytes, split anywhere. It moves the data of later chunks up to that of the
    /// first, so that the result is one piece.
    pub(super) fn read(&mut self, bytes: &mut [u8]) -> Read {
        let (mut at, mut piece) = (0, 0..0);
        while at < bytes.len() && self.position != Position::Done {
            if self.position == Position::Data {
                let left = bytes.len() - at;
                let length = usize::try_from(self.size).unwrap_or(usize::MAX).min(left);
                match piece.is_empty() {
                    true => piece = at..at + length,
                    false => {
                        bytes.copy_within(at..at + length, piece.end);
                        piece.end += length;
                    }
                }
                self.size -= length as u64;
                at += length;
                if self.size == 0 {
                    self.position = Position::DataCr;
                    at += self.plain_lines(&bytes[at..]);
                }
                continue;
            }
            match self.next(bytes[at]) {
                Ok(position) => self.position = position,
                Err(wrong) => return Read { piece, used: at, outcome: Err(wrong) },
            }
            at += 1;
        }
        Read { piece, used: at, outcome: Ok(()) }
    }

    /// Reads the end of a chunk and the next size line if both are complete and plain, as nearly
    /// all are. Returns their length, or 0. Reading them byte by byte takes longer.
    fn plain_lines(&mut self, bytes: &[u8]) -> usize {
        let [b'\r', b'\n', line @ ..] = bytes else { return 0 };
        let mut size = 0;
        for (at, byte) in line.iter().enumerate().take(8) {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                b'A'..=b'F' => byte - b'A' + 10,
                b'\r' if size > 0 && line.get(at + 1) == Some(&b'\n') => {
                    (self.position, self.size) = (Position::Data, size);
                    return at + 4;
                }
                _ => return 0,
            };
            size = size << 4 | u64::from(digit);
        }
        0
    }

    /// The position after the next byte.
    fn next(&mut self, byte: u8) -> Result<Position, &'static str> {
        Ok(match (self.position, byte) {
            (Position::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                self.digits += 1;
                if self.digits > MOST_DIGITS {
                    return Err("a chunk size has more than 16 digits");
                }
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                self.size = self.size << 4 | u64::from(digit);
                Position::Size
            }
            (Position::Size, _) if self.digits == 0 => {
                return Err("a chunk size is not a hexadecimal number");
            }
            (Position::Size | Position::Padding | Position::Extension, b'\r') => Position::SizeLf,
            (Position::Size | Position::Padding | Position::Extension, b'\n') => {
                return Err("a chunk size line ends with a bare line feed");
            }
            (Position::Size | Position::Padding, b' ' | b'\t') => self.extend(Position::Padding)?,
            (Position::Size | Position::Padding, b';') => self.extend(Position::Extension)?,
            (Position::Size | Position::Padding, _) => {
                return Err("a chunk size is not a hexadecimal number");
            }
            (Position::Extension, _) if is_value(byte) => self.extend(Position::Extension)?,
            (Position::Extension, _) => {
                return Err("a chunk extension has a control character");
            }
            (Position::SizeLf, b'\n') => {
                self.digits = 0;
                if self.size > 0 {
                    Position::Data
                } else {
                    self.length = 0;
                    Position::Trailers
                }
            }
            (Position::DataCr, b'\r') => Position::DataLf,
            (Position::DataLf, b'\n') => Position::Size,
            (Position::DataCr | Position::DataLf, _) => {
                return Err("a chunk does not end where its size says");
            }
            (Position::Trailers, b'\r') => Position::LastLf,
            (Position::Trailers | Position::TrailerName | Position::TrailerValue, b'\n') => {
                return Err("a trailer line ends with a bare line feed");
            }
            (Position::Trailers | Position::TrailerName, _) if is_name(byte) => {
                self.trail(Position::TrailerName)?
            }
            (Position::TrailerName, b':') => self.trail(Position::TrailerValue)?,
            (Position::Trailers | Position::TrailerName, _) => {
                return Err("a trailer does not start with a name and a colon");
            }
            (Position::TrailerValue, b'\r') => Position::TrailerLf,
            (Position::TrailerValue, _) if is_value(byte) => self.trail(Position::TrailerValue)?,
            (Position::TrailerValue, _) => return Err("a trailer has a control character"),
            (Position::TrailerLf, b'\n') => Position::Trailers,
            (Position::LastLf, b'\n') | (Position::Done, _) => Position::Done,
            (Position::SizeLf | Position::TrailerLf | Position::LastLf, _) => {
                return Err("a chunk size or trailer line has a bare carriage return");
            }
            // `read` takes the data.
            (Position::Data, _) => Position::Data,
        })
    }

    fn extend(&mut self, position: Position) -> Result<Position, &'static str> {
        self.length += 1;
        match self.length > LONGEST_EXTENSIONS {
            true => Err("the chunk extensions are larger than 16 KiB"),
            false => Ok(position),
        }
    }

    fn trail(&mut self, position: Position) -> Result<Position, &'static str> {
        self.length += 1;
        match self.length > LONGEST_TRAILERS {
            true => Err("the trailers are larger than 8 KiB"),
            false => Ok(position),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out of a body read in pieces of `size`, and the number of bytes after its end.
    fn decode(body: &[u8], size: usize) -> (Vec<u8>, Result<Option<usize>, &'static str>) {
        let (mut chunks, mut data, mut behind) = (Chunks::default(), Vec::new(), 0);
        for piece in body.chunks(size) {
            let mut piece = piece.to_vec();
            let read = chunks.read(&mut piece);
            data.extend_from_slice(&piece[read.piece.clone()]);
            if let Err(wrong) = read.outcome {
                return (data, Err(wrong));
            }
            behind += piece.len() - read.used;
            assert!(chunks.is_done() || read.used == piece.len());
        }
        (data, Ok(chunks.is_done().then_some(behind)))
    }

    /// From RFC 9112 section 7.1, hyper's `decode.rs` and llhttp's `transfer-encoding.md`.
    #[test]
    fn valid_bodies_are_decoded_however_they_are_split() {
        let long = format!("1000\r\n{}\r\n0\r\n\r\n", "x".repeat(0x1000));
        for (body, expected) in [
            ("0\r\n\r\n", ""),
            ("3\r\nabc\r\n0\r\n\r\n", "abc"),
            ("3\r\nabc\r\n10\r\n0123456789abcdef\r\n000\r\n\r\n", "abc0123456789abcdef"),
            ("A\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n\r\n\r\n\r\n"),
            ("a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
            ("5\r\nhello\r\n6\r\n world\r\n000\r\n\r\n", "hello world"),
            ("3;name=value\r\nabc\r\n3 \r\ndef\r\n3\t;x\r\nghi\r\n0\r\n\r\n", "abcdefghi"),
            ("5;a=\"b \\\"c\\\" ; d\";e=f;g\r\nhello\r\n0;h\r\n\r\n", "hello"),
            ("1;;;  ;\r\na\r\n2; extension...\r\nbc\r\n0 ; x=1\r\n\r\n", "abc"),
            ("000000000000000a\r\n0123456789\r\n0000000000000000\r\n\r\n", "0123456789"),
            ("1\r\n+\r\n0\r\nx-trailer: 1\r\ny:\r\nVary: *\r\n\r\n", "+"),
            (long.as_str(), &"x".repeat(0x1000)),
        ] {
            for size in [1, 2, 3, 5, 7, 11, body.len()] {
                let whole = (expected.as_bytes().to_vec(), Ok(Some(0)));
                assert_eq!(decode(body.as_bytes(), size), whole, "{body:?}");
                let more = [body.as_bytes(), b"HTTP/1.1 200 OK\r\n\r\n"].concat();
                assert_eq!(decode(&more, size), (whole.0, Ok(Some(19))), "{body:?}");
                let less = &body.as_bytes()[..body.len() - 1];
                assert_eq!(decode(less, size).1, Ok(None), "{body:?}");
            }
        }
    }

    #[test]
    fn invalid_framing_is_reported_however_it_is_split() {
        for (body, wrong) in [
            ("3\nabc\r\n", "bare line feed"),
            ("3;x\nabc\r\n", "bare line feed"),
            ("1;reject\nnewlines\r\n", "bare line feed"),
            ("+3\r\nabc\r\n", "not a hexadecimal number"),
            ("-3\r\nabc\r\n", "not a hexadecimal number"),
            ("-\r\n", "not a hexadecimal number"),
            (" 3\r\nabc\r\n", "not a hexadecimal number"),
            ("0x3\r\nabc\r\n", "not a hexadecimal number"),
            ("3_0\r\nabc\r\n", "not a hexadecimal number"),
            ("xyz\r\nabc\r\n", "not a hexadecimal number"),
            ("1X\r\nabc\r\n", "not a hexadecimal number"),
            ("1 A\r\na\r\n", "not a hexadecimal number"),
            ("1 invalid extension\r\na\r\n", "not a hexadecimal number"),
            ("2 erfrferferf\r\naa\r\n0 rrrr\r\n\r\n", "not a hexadecimal number"),
            ("\r\nabc\r\n", "not a hexadecimal number"),
            ("1\r\nZ\r\n\r\n\r\n", "not a hexadecimal number"),
            (";x\r\nabc\r\n", "not a hexadecimal number"),
            ("3\0\r\nabc\r\n", "not a hexadecimal number"),
            ("\u{ff13}\r\nabc\r\n", "not a hexadecimal number"),
            ("3\rabc\r\n", "bare carriage return"),
            ("F\rF", "bare carriage return"),
            ("3;a\0b\r\nabc\r\n", "control character"),
            ("10000000000000000\r\n", "more than 16 digits"),
            ("f0000000000000003\r\n", "more than 16 digits"),
            ("00000000000000003\r\n", "more than 16 digits"),
            ("3\r\nabcd\r\n", "does not end where its size says"),
            ("3\r\nabc\n", "does not end where its size says"),
            ("3\r\nabc\rX", "does not end where its size says"),
            ("0\r\n\n", "bare line feed"),
            ("0\r\nx: 1\n\r\n", "bare line feed"),
            ("0\r\nx: 1\rX", "bare carriage return"),
            ("0\r\nbad\r\r\n", "name and a colon"),
            ("0\r\n x: 1\r\n\r\n", "name and a colon"),
            ("0\r\nx: 1\r\n folded\r\n\r\n", "name and a colon"),
            ("0\r\nx : 1\r\n\r\n", "name and a colon"),
            ("0\r\nx: \0\r\n\r\n", "control character"),
            ("0\r\n\rX", "bare carriage return"),
            (&format!("0\r\nx: {}", "y".repeat(9000)), "larger than 8 KiB"),
            (&format!("1;{}\r\n", "y".repeat(17_000)), "larger than 16 KiB"),
            (&format!("1;{}\r\na\r\n", "y".repeat(200)).repeat(90), "larger than 16 KiB"),
        ] {
            let whole = decode(body.as_bytes(), body.len());
            for size in [1, 2, 3, 7, body.len()] {
                let found = decode(body.as_bytes(), size);
                assert!(found.1.is_err_and(|found| found.contains(wrong)), "{body:?}: {found:?}");
                assert_eq!(found, whole, "{body:?}");
            }
        }
    }
}
