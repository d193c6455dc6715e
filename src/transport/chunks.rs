//! Checks the framing of chunked bodies.

/// Checks the framing of a chunked body (RFC 9112 section 7.1). It is strict about what marks
/// the end of a chunk: if server and client disagree on that, part of a body becomes the next
/// response.
///
/// ```text
/// chunked-body = *chunk last-chunk trailer-section CRLF
/// chunk        = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
/// chunk-size   = 1*HEXDIG
/// ```
#[derive(Debug, Default)]
pub(super) struct Chunks {
    position: Position,
    /// The size of the chunk as far as its line was read, then how much of the chunk is missing.
    size: u64,
    /// The length so far of the size line or the trailers.
    length: usize,
}

/// The longest size line, without its line ending. ureq-proto reads no longer one.
const LONGEST_LINE: usize = 20;

const TOO_LONG: &str = "a chunk size line is longer than 20 bytes";

/// The most bytes of trailers.
const LONGEST_TRAILERS: usize = 8 * 1024;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Position {
    #[default]
    Size,
    /// After the digits: spaces, with which some servers pad the size, and extensions.
    Extension,
    SizeEnd,
    Data,
    DataCr,
    DataLf,
    /// At the start of a trailer line.
    Trailers,
    Trailer,
    TrailerEnd,
    LastLf,
    Done,
}

impl Chunks {
    /// Checks the next bytes of the body, split anywhere. It ignores bytes after the body's end.
    ///
    /// # Errors
    ///
    /// What is wrong with the framing.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) -> Result<(), &'static str> {
        while let [byte, rest @ ..] = bytes {
            if self.position == Position::Data {
                let length = usize::try_from(self.size).unwrap_or(usize::MAX).min(bytes.len());
                self.size -= length as u64;
                bytes = &bytes[length..];
                if self.size == 0 {
                    self.position = Position::DataCr;
                    bytes = self.whole_lines(bytes);
                }
                continue;
            }
            self.position = self.byte(*byte)?;
            if self.position == Position::Done {
                return Ok(());
            }
            bytes = rest;
        }
        Ok(())
    }

    /// Skips the end of a chunk and the next size line if both are complete and plain, as nearly
    /// all are. This is a fast path: checking each byte takes longer.
    fn whole_lines<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let [b'\r', b'\n', line @ ..] = bytes else { return bytes };
        let mut size = 0;
        for (at, byte) in line.iter().enumerate().take(8) {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                b'A'..=b'F' => byte - b'A' + 10,
                b'\r' if size > 0 && line.get(at + 1) == Some(&b'\n') => {
                    (self.position, self.size) = (Position::Data, size);
                    return &line[at + 2..];
                }
                _ => return bytes,
            };
            size = size << 4 | u64::from(digit);
        }
        bytes
    }

    /// The position after the next byte.
    fn byte(&mut self, byte: u8) -> Result<Position, &'static str> {
        Ok(match (self.position, byte) {
            (Position::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                self.lengthen(LONGEST_LINE, TOO_LONG)?;
                self.size = self
                    .size
                    .checked_mul(16)
                    .map(|size| size | u64::from(digit))
                    .ok_or("a chunk size does not fit into 64 bits")?;
                Position::Size
            }
            (Position::Size, b'\r') if self.length > 0 => Position::SizeEnd,
            (Position::Size, b' ' | b'\t' | b';') if self.length > 0 => {
                self.lengthen(LONGEST_LINE, TOO_LONG)?;
                Position::Extension
            }
            (Position::Size | Position::Extension, b'\n') => {
                return Err("a chunk size line ends with a bare line feed");
            }
            (Position::Size, _) => return Err("a chunk size is not a hexadecimal number"),
            (Position::Extension, b'\r') => Position::SizeEnd,
            (Position::Extension, _) => {
                self.lengthen(LONGEST_LINE, TOO_LONG)?;
                Position::Extension
            }
            (Position::SizeEnd, b'\n') => {
                self.length = 0;
                if self.size == 0 { Position::Trailers } else { Position::Data }
            }
            (Position::DataCr, b'\r') => Position::DataLf,
            (Position::DataLf, b'\n') => Position::Size,
            (Position::DataCr | Position::DataLf, _) => {
                return Err("a chunk does not end where its size says");
            }
            (Position::Trailers, b'\r') => Position::LastLf,
            (Position::Trailers | Position::Trailer, b'\n') => {
                return Err("a trailer line ends with a bare line feed");
            }
            (Position::Trailer, b'\r') => Position::TrailerEnd,
            (Position::Trailers | Position::Trailer, _) => {
                self.lengthen(LONGEST_TRAILERS, "the trailers are larger than 8 KiB")?;
                Position::Trailer
            }
            (Position::TrailerEnd, b'\n') => Position::Trailers,
            (Position::LastLf, b'\n') | (Position::Done, _) => Position::Done,
            (Position::SizeEnd | Position::TrailerEnd | Position::LastLf, _) => {
                return Err("a chunk size or trailer line has a bare carriage return");
            }
            // `pass` skips the data.
            (Position::Data, _) => Position::Data,
        })
    }

    fn lengthen(&mut self, longest: usize, otherwise: &'static str) -> Result<(), &'static str> {
        self.length += 1;
        if self.length > longest { Err(otherwise) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(body: &[u8], size: usize) -> Result<Chunks, &'static str> {
        let mut chunks = Chunks::default();
        body.chunks(size).try_for_each(|piece| chunks.pass(piece))?;
        Ok(chunks)
    }

    #[test]
    fn valid_bodies_are_read_to_their_end_however_they_are_split() {
        let long = format!("1000\r\n{}\r\n0\r\n\r\n", "x".repeat(0x1000));
        for body in [
            "0\r\n\r\n",
            "3\r\nabc\r\n0\r\n\r\n",
            "3\r\nabc\r\n10\r\n0123456789abcdef\r\n000\r\n\r\n",
            "A\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n",
            "3;name=value\r\nabc\r\n3 \r\nabc\r\n3\t;x\r\nabc\r\n0\r\n\r\n",
            "1\r\n+\r\n0\r\nx-trailer: 1\r\ny: 2\r\n\r\n",
            long.as_str(),
        ] {
            for size in [1, 2, 3, 7, body.len()] {
                let chunks = pass(body.as_bytes(), size).unwrap();
                assert_eq!(chunks.position, Position::Done, "{body:?}");
                let more = [body.as_bytes(), b"HTTP/1.1 200 OK\r\n\r\n"].concat();
                assert_eq!(pass(&more, size).unwrap().position, Position::Done, "{body:?}");
                let less = &body.as_bytes()[..body.len() - 1];
                assert_ne!(pass(less, size).unwrap().position, Position::Done, "{body:?}");
            }
        }
    }

    #[test]
    fn invalid_framing_is_reported_however_it_is_split() {
        for (body, wrong) in [
            ("3\nabc\r\n", "bare line feed"),
            ("3;x\nabc\r\n", "bare line feed"),
            ("+3\r\nabc\r\n", "not a hexadecimal number"),
            ("-3\r\nabc\r\n", "not a hexadecimal number"),
            (" 3\r\nabc\r\n", "not a hexadecimal number"),
            ("0x3\r\nabc\r\n", "not a hexadecimal number"),
            ("3_0\r\nabc\r\n", "not a hexadecimal number"),
            ("xyz\r\nabc\r\n", "not a hexadecimal number"),
            ("\r\nabc\r\n", "not a hexadecimal number"),
            (";x\r\nabc\r\n", "not a hexadecimal number"),
            ("\u{ff13}\r\nabc\r\n", "not a hexadecimal number"),
            ("3\rabc\r\n", "bare carriage return"),
            ("10000000000000000\r\n", "does not fit"),
            ("000000000000000000003\r\nabc\r\n", "longer than 20 bytes"),
            ("3;name=a-long-long-value\r\nabc\r\n", "longer than 20 bytes"),
            ("3\r\nabcd\r\n", "does not end where its size says"),
            ("3\r\nabc\n", "does not end where its size says"),
            ("3\r\nabc\rX", "does not end where its size says"),
            ("0\r\n\n", "bare line feed"),
            ("0\r\nx: 1\n\r\n", "bare line feed"),
            ("0\r\nx: 1\rX", "bare carriage return"),
            ("0\r\n\rX", "bare carriage return"),
            (&format!("0\r\nx: {}", "y".repeat(9000)), "larger than 8 KiB"),
        ] {
            for size in [1, 2, 3, 7, body.len()] {
                let found = pass(body.as_bytes(), size).unwrap_err();
                assert!(found.contains(wrong), "{body:?}: {found}");
            }
        }
    }
}
