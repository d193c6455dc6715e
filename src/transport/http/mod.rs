//! HTTP/1.1 (RFC 9112) as one client speaks it: one request, one response, no I/O.
//!
//! One file per state of an exchange:
//!
//! ```text
//! request   writes the request's head
//! head      parses the response's head, in place
//! interim   skips the heads of responses before the final one
//! framing   decides where the body ends, and whether the connection survives it
//! body      takes the body out of the received bytes, in place
//! chunks    decodes a chunked body
//! ```
//!
//! Bytes may be split anywhere: every state gives the same result for every split. The parser is
//! strict where client and server could disagree about the end of a response, because the rest of one
//! response would become the start of the next (RFC 9112 section 11).

mod body;
mod chunks;
mod framing;
mod head;
mod interim;
mod request;
#[cfg(feature = "internals")]
mod whole;

pub(super) use body::BodyReader;
pub(super) use framing::{End, Framing};
pub(super) use head::{Head, Invalid, MAX_FIELDS};
pub(super) use interim::FinalHead;
pub(super) use request::{end_head, start_head, write_header, write_number};
#[cfg(feature = "internals")]
pub(crate) use whole::read_response;
