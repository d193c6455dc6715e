//! Parses the head of a response, in place.

use crate::header;
use crate::scan::plain_blocks;

/// The head of a response. Names and values are ranges of the bytes it was parsed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::transport) struct Head {
    pub(in crate::transport) status: u16,
    /// Whether the version is HTTP/1.0.
    pub(in crate::transport) is_http10: bool,
    fields: Vec<Field>,
    /// The length of the head, with the empty line at its end.
    pub(in crate::transport) length: usize,
}

/// The ranges of a name and a value. The value has no whitespace around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    name: (usize, usize),
    value: (usize, usize),
}

impl Head {
    /// A head without fields that has room for `room` of them.
    fn empty(room: usize) -> Self {
        Self { status: 0, is_http10: false, fields: Vec::with_capacity(room), length: 0 }
    }

    /// The names and values, in their order. `bytes` are those the head was parsed from.
    pub(in crate::transport) fn fields<'a>(
        &'a self,
        bytes: &'a [u8],
    ) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + 'a {
        let part = |(start, end): (usize, usize)| bytes.get(start..end).unwrap_or_default();
        self.fields.iter().map(move |field| (part(field.name), part(field.value)))
    }
}

/// Why a head cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::transport) enum Invalid {
    /// It is not HTTP/1.1.
    Syntax(&'static str),
    /// It is larger than this many bytes.
    TooLarge(usize),
    /// It has more than [`MAX_FIELDS`] header fields.
    TooManyFields,
}

/// The most header fields. Servers send about 20, gateways with rate limits and tracing about 40.
pub(in crate::transport) const MAX_FIELDS: usize = 128;

/// The longest status line, without its line ending. The reason phrase has no use (RFC 9112
/// section 4).
const LONGEST_STATUS_LINE: usize = 1000;

/// The part of a status line that all responses share, up to the minor version.
const VERSION: &[u8] = b"HTTP/1.";

/// Marks a byte that may be in a name.
const NAME: u8 = 1;

/// Marks a byte that may be in a value or a reason phrase.
const VALUE: u8 = 2;

/// The marks of each byte. Looking them up is faster than comparing the byte.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte: u8 = 0;
    loop {
        if header::is_name(byte) {
            classes[byte as usize] |= NAME;
        }
        if header::is_value(byte) {
            classes[byte as usize] |= VALUE;
        }
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};

pub(super) fn is_name(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & NAME != 0
}

pub(super) fn is_value(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & VALUE != 0
}

/// Returns true for a token, and for no bytes, because a list may have empty elements (RFC 9110
/// section 5.6).
pub(super) fn is_token(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| is_name(*byte))
}

/// Returns how many bytes at the start may be in a value.
fn value_length(bytes: &[u8]) -> usize {
    let start = plain_blocks::<16>(bytes, |byte| (byte < 0x20) | (byte == 0x7f));
    let rest = &bytes[start..];
    start + rest.iter().position(|byte| !is_value(*byte)).unwrap_or(rest.len())
}

/// Returns how many bytes at the start may be in a name. Nearly all are letters and dashes.
fn name_length(bytes: &[u8]) -> usize {
    let is_letter = |byte: u8| (byte | 0x20).wrapping_sub(b'a') < 26;
    let start = plain_blocks::<8>(bytes, |byte| !(is_letter(byte) | (byte == b'-')));
    let rest = &bytes[start..];
    start + rest.iter().position(|byte| !is_name(*byte)).unwrap_or(rest.len())
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Reads a head while its bytes arrive. It looks at each byte once.
#[derive(Debug)]
pub(in crate::transport) struct HeadReader {
    limit: usize,
    /// How far the head was read.
    at: usize,
    place: Place,
    head: Head,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the status line.
    Start,
    /// At the start of a field line or of the empty line.
    Line,
    /// In a name that starts here.
    Name(usize),
    /// In the blanks before a value.
    Blanks((usize, usize)),
    /// In the value that starts here.
    Value((usize, usize), usize),
}

impl HeadReader {
    /// Reads heads of up to `limit` bytes.
    pub(in crate::transport) fn new(limit: usize) -> Self {
        // Enough for most heads.
        Self { limit, at: 0, place: Place::Start, head: Head::empty(24) }
    }

    /// Reads on. `bytes` are all bytes since the start of the response. Returns the head once it is
    /// complete; the reader then starts anew.
    ///
    /// # Errors
    ///
    /// What is wrong with the head.
    pub(in crate::transport) fn read(&mut self, bytes: &[u8]) -> Result<Option<Head>, Invalid> {
        // Whether a head is too large must not depend on how its bytes are split.
        let window = &bytes[..bytes.len().min(self.limit)];
        if self.lines(window)? {
            self.head.length = self.at;
            // A second head is rare: it follows an interim response.
            let next = Self { limit: self.limit, at: 0, place: Place::Start, head: Head::empty(0) };
            return Ok(Some(std::mem::replace(self, next).head));
        }
        match bytes.len() > self.limit {
            true => Err(Invalid::TooLarge(self.limit)),
            false => Ok(None),
        }
    }

    /// Reads lines up to the empty one. Returns true once it has read that.
    fn lines(&mut self, bytes: &[u8]) -> Result<bool, Invalid> {
        loop {
            match self.place {
                Place::Start => {
                    if !self.status_line(bytes)? {
                        return Ok(false);
                    }
                    self.place = Place::Line;
                }
                Place::Line => match bytes.get(self.at) {
                    None => return Ok(false),
                    Some(b'\r' | b'\n') => {
                        let Some(length) = line_end(&bytes[self.at..])? else { return Ok(false) };
                        self.at += length;
                        return Ok(true);
                    }
                    Some(b' ' | b'\t') => {
                        let wrong = "a header line starts with a space (obsolete line folding)";
                        return Err(Invalid::Syntax(wrong));
                    }
                    Some(b':') => return Err(Invalid::Syntax("a header has no name")),
                    Some(_) if self.head.fields.len() == MAX_FIELDS => {
                        return Err(Invalid::TooManyFields);
                    }
                    Some(_) => self.place = Place::Name(self.at),
                },
                Place::Name(start) => {
                    self.at += name_length(&bytes[self.at..]);
                    let Some(end) = bytes.get(self.at) else { return Ok(false) };
                    match end {
                        b':' => {}
                        b' ' | b'\t' => {
                            return Err(Invalid::Syntax("a header name ends with a space"));
                        }
                        b'\r' | b'\n' => return Err(Invalid::Syntax("a header has no colon")),
                        _ => {
                            return Err(Invalid::Syntax("a header name has an invalid character"));
                        }
                    }
                    self.place = Place::Blanks((start, self.at));
                    self.at += 1;
                }
                Place::Blanks(name) => {
                    let rest = &bytes[self.at..];
                    let Some(length) = rest.iter().position(|byte| !is_blank(*byte)) else {
                        self.at = bytes.len();
                        return Ok(false);
                    };
                    self.at += length;
                    self.place = Place::Value(name, self.at);
                }
                Place::Value(name, start) => {
                    self.at += value_length(&bytes[self.at..]);
                    if self.at == bytes.len() {
                        return Ok(false);
                    }
                    let Some(ending) = line_end(&bytes[self.at..])? else { return Ok(false) };
                    let blanks = bytes[start..self.at].iter().rev();
                    let end = self.at - blanks.take_while(|byte| is_blank(**byte)).count();
                    self.head.fields.push(Field { name, value: (start, end) });
                    self.at += ending;
                    self.place = Place::Line;
                }
            }
        }
    }

    /// Reads the status line, and empty lines before it. Returns true once it has read all.
    ///
    /// ```text
    /// status-line  = HTTP-version SP status-code SP [ reason-phrase ] CRLF
    /// ```
    ///
    /// A server may leave out the second space as well as the reason phrase.
    fn status_line(&mut self, bytes: &[u8]) -> Result<bool, Invalid> {
        while let [b'\r' | b'\n', ..] = bytes[self.at..] {
            let Some(length) = line_end(&bytes[self.at..])? else { return Ok(false) };
            self.at += length;
        }
        let line = &bytes[self.at..];
        let shared = line.len().min(VERSION.len());
        if line[..shared] != VERSION[..shared] {
            return Err(Invalid::Syntax("the response does not start with HTTP/1.1 or HTTP/1.0"));
        }
        let Some([minor, after @ ..]) = line.get(VERSION.len()..) else { return Ok(false) };
        let is_http10 = match minor {
            b'0' => true,
            b'1' => false,
            _ => return Err(Invalid::Syntax("the version is neither HTTP/1.1 nor HTTP/1.0")),
        };
        let wrong = Invalid::Syntax("the status is not a number of three digits");
        let mut status = 0;
        for place in 0..4 {
            match (place, after.get(place)) {
                (_, None) => return Ok(false),
                (0, Some(b' ')) => {}
                (1, Some(digit @ b'1'..=b'9')) | (2.., Some(digit @ b'0'..=b'9')) => {
                    status = status * 10 + u16::from(digit - b'0');
                }
                _ => return Err(wrong),
            }
        }
        let reason = &after[4..];
        match reason.first() {
            None => return Ok(false),
            Some(b' ' | b'\r' | b'\n') => {}
            Some(_) => return Err(wrong),
        }
        let length = value_length(reason);
        if line.len() - reason.len() + length > LONGEST_STATUS_LINE {
            return Err(Invalid::Syntax("the status line is longer than 1000 bytes"));
        }
        let Some(ending) = line_end(&reason[length..])? else { return Ok(false) };
        self.at += line.len() - reason.len() + length + ending;
        (self.head.status, self.head.is_http10) = (status, is_http10);
        Ok(true)
    }
}

/// The length of the line ending at the start of `bytes`, which hold at least one byte that may not
/// be in a line; `None` if more bytes are needed. A line feed alone also ends a line (RFC 9112
/// section 2.2).
fn line_end(bytes: &[u8]) -> Result<Option<usize>, Invalid> {
    match bytes {
        [] | [b'\r'] => Ok(None),
        [b'\n', ..] => Ok(Some(1)),
        [b'\r', b'\n', ..] => Ok(Some(2)),
        [b'\r', ..] => Err(Invalid::Syntax("the head has a bare carriage return")),
        [0, ..] => Err(Invalid::Syntax("the head has a NUL byte")),
        _ => Err(Invalid::Syntax("the head has a control character")),
    }
}

#[cfg(test)]
mod tests;
