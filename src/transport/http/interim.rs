//! Skips interim responses.

use super::framing::Framing;
use super::head::{Head, Invalid};

/// The most interim responses to one request. Servers send one or two.
const MOST: usize = 16;

/// Counts the interim responses (status 1xx) before a final one (RFC 9110 section 15.2).
#[derive(Debug, Default)]
pub(in crate::transport) struct Interim {
    count: usize,
}

impl Interim {
    /// Whether this head is of an interim response, which has no body and is ignored. `bytes` are
    /// those the head was parsed from.
    ///
    /// # Errors
    ///
    /// If there are too many, if the server leaves HTTP/1.1 without being asked, or if the framing
    /// is wrong: an intermediary may have read a body there, and the next response elsewhere.
    pub(in crate::transport) fn skips(
        &mut self,
        head: &Head,
        bytes: &[u8],
    ) -> Result<bool, Invalid> {
        match head.status {
            101 => {
                let wrong = "status 101 (Switching Protocols) answers no request of this client";
                Err(Invalid::Syntax(wrong))
            }
            100..=199 if self.count == MOST => {
                let wrong = "there are more than 16 interim responses (status 1xx)";
                Err(Invalid::Syntax(wrong))
            }
            100..=199 => {
                Framing::of(head, bytes).map_err(Invalid::Syntax)?;
                self.count += 1;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}
