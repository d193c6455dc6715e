//! The headers of a frame.

use std::fmt;

use super::ParseError;

/// The value of a header ("Amazon Event Stream Specification", "Headers").
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderValue<'a> {
    /// True or false.
    Bool(bool),
    /// An integer of 8 bits.
    Byte(i8),
    /// An integer of 16 bits.
    Short(i16),
    /// An integer of 32 bits.
    Integer(i32),
    /// An integer of 64 bits.
    Long(i64),
    /// Up to 32 KiB.
    Bytes(&'a [u8]),
    /// A text of up to 32 KiB.
    Text(&'a str),
    /// Milliseconds since the Unix epoch.
    Timestamp(i64),
    /// A UUID.
    Uuid([u8; 16]),
}

/// Hides texts and bytes, which may contain anything.
impl fmt::Debug for HeaderValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => f.debug_tuple("Bool").field(value).finish(),
            Self::Byte(value) => f.debug_tuple("Byte").field(value).finish(),
            Self::Short(value) => f.debug_tuple("Short").field(value).finish(),
            Self::Integer(value) => f.debug_tuple("Integer").field(value).finish(),
            Self::Long(value) => f.debug_tuple("Long").field(value).finish(),
            Self::Bytes(bytes) => f.debug_tuple("Bytes").field(&bytes.len()).finish(),
            Self::Text(text) => f.debug_tuple("Text").field(&text.len()).finish(),
            Self::Timestamp(value) => f.debug_tuple("Timestamp").field(value).finish(),
            Self::Uuid(_) => f.write_str("Uuid"),
        }
    }
}

/// The headers of a frame, each with its name.
#[derive(Clone, Copy)]
pub struct Headers<'a> {
    bytes: &'a [u8],
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(*self).finish()
    }
}

impl<'a> Headers<'a> {
    /// Checks that all headers can be read.
    pub(super) fn check(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if take(&mut rest).is_none() {
                return Err(ParseError::Malformed("one of its headers cannot be read"));
            }
        }
        Ok(Self { bytes })
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, HeaderValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        take(&mut self.bytes)
    }
}

/// Takes the next header off `bytes`: the length of its name, the name, the type of its value and
/// the value. `None` if that cannot be read.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<(&'a str, HeaderValue<'a>)> {
    let [length] = array(bytes)?;
    let name = std::str::from_utf8(slice(bytes, usize::from(length))?).ok()?;
    let [kind] = array(bytes)?;
    let value = match kind {
        0 => HeaderValue::Bool(true),
        1 => HeaderValue::Bool(false),
        2 => HeaderValue::Byte(i8::from_be_bytes(array(bytes)?)),
        3 => HeaderValue::Short(i16::from_be_bytes(array(bytes)?)),
        4 => HeaderValue::Integer(i32::from_be_bytes(array(bytes)?)),
        5 => HeaderValue::Long(i64::from_be_bytes(array(bytes)?)),
        6 => HeaderValue::Bytes(long(bytes)?),
        7 => HeaderValue::Text(std::str::from_utf8(long(bytes)?).ok()?),
        8 => HeaderValue::Timestamp(i64::from_be_bytes(array(bytes)?)),
        9 => HeaderValue::Uuid(array(bytes)?),
        _ => return None,
    };
    Some((name, value))
}

fn long<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u16::from_be_bytes(array(bytes)?);
    slice(bytes, usize::from(length))
}

fn slice<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}
