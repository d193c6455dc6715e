//! Decides where the body of a response ends, and whether its connection can be used again.

use super::head::{Head, is_token};

/// How a response ends (RFC 9112 sections 6.3 and 9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::transport) struct Framing {
    pub(in crate::transport) end: End,
    /// Whether the connection may carry another request afterwards.
    pub(in crate::transport) keeps_alive: bool,
}

/// What ends a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::transport) enum End {
    /// There is none.
    Empty,
    /// Its length.
    Length(u64),
    /// The last chunk.
    Chunks,
    /// The end of the connection.
    Close,
}

const LENGTH: &[u8] = b"content-length";
const CODING: &[u8] = b"transfer-encoding";
const CONNECTION: &[u8] = b"connection";

impl Framing {
    /// Reads the framing of the response with this head to a GET or POST. `bytes` are those the
    /// head was parsed from.
    ///
    /// # Errors
    ///
    /// What is wrong with the framing. The connection must then be closed.
    pub(in crate::transport) fn of(head: &Head, bytes: &[u8]) -> Result<Self, &'static str> {
        let mut fields = Fields::default();
        for (name, value) in head.fields(bytes) {
            fields.read(name, value)?;
        }
        let Fields { length, coding, says_close, says_keep_alive } = fields;
        let is_chunked = match coding {
            // HTTP/1.1 has removed `identity`, which changes nothing (RFC 2616 section 3.6).
            None | Some(Coding::Identity) => false,
            // Faulty by definition (RFC 9112 section 6.1).
            Some(_) if head.is_http10 => {
                return Err("an HTTP/1.0 response has a transfer-encoding");
            }
            Some(Coding::Other) => return Err("the transfer-encoding is not just \"chunked\""),
            // An intermediary may have used the length: "ought to be handled as an error" (section
            // 6.3).
            Some(Coding::Chunked) if length.is_some() => {
                return Err("the response has both a content-length and a transfer-encoding");
            }
            Some(Coding::Chunked) => true,
        };
        let has_no_body = matches!(head.status, 100..=199 | 204 | 304);
        let end = match length {
            _ if has_no_body => End::Empty,
            _ if is_chunked => End::Chunks,
            Some(0) => End::Empty,
            Some(length) => End::Length(length),
            None => End::Close,
        };
        // A server that announces a body for a 204 may also send it.
        let may_have_body = head.status == 204 && (is_chunked || length.is_some_and(|n| n > 0));
        let keeps_alive = (!head.is_http10 || says_keep_alive)
            && !says_close
            && end != End::Close
            && !may_have_body;
        Ok(Self { end, keeps_alive })
    }
}

/// The fields that matter here.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    coding: Option<Coding>,
    says_close: bool,
    says_keep_alive: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity,
    Chunked,
    Other,
}

impl Fields {
    fn read(&mut self, name: &[u8], value: &[u8]) -> Result<(), &'static str> {
        // Comparing the lengths first avoids nearly every other comparison.
        let is = |known: &[u8]| name.len() == known.len() && name.eq_ignore_ascii_case(known);
        if is(LENGTH) {
            // An intermediary may have joined equal lengths into a list (RFC 9112 section 6.3).
            for length in list(value) {
                let length = decimal(length)?;
                if self.length.is_some_and(|other| other != length) {
                    return Err("the response has two different content-lengths");
                }
                self.length = Some(length);
            }
        } else if is(CODING) {
            self.coding = Some(match self.coding {
                None if value.eq_ignore_ascii_case(b"chunked") => Coding::Chunked,
                None if value.eq_ignore_ascii_case(b"identity") => Coding::Identity,
                _ => Coding::Other,
            });
        } else if is(CONNECTION) {
            for option in list(value) {
                // A list that is not one of tokens (RFC 9110 section 7.6.1) promises nothing.
                self.says_close |= option.eq_ignore_ascii_case(b"close") || !is_token(option);
                self.says_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        }
        Ok(())
    }
}

/// The elements of a list, without the whitespace around them.
fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

fn decimal(digits: &[u8]) -> Result<u64, &'static str> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err("the content-length is not a number");
    }
    let number = digits.iter().try_fold(0_u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    });
    number.ok_or("the content-length does not fit into 64 bits")
}

#[cfg(test)]
mod tests;
