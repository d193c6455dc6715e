//! How an exchange failed, and the error the caller gets.

use std::error::Error as StdError;
use std::io;

use crate::error::{Error, ErrorKind, Phase};

const NO_HTTP: &str = "the server did not answer with valid HTTP/1.1";

/// The most response headers that ureq-proto reads, a constant (`MAX_RESPONSE_HEADERS`).
const MAX_HEADERS: usize = 128;

/// How an exchange failed, in more detail than ureq reports.
///
/// It travels through ureq as `Error::Other`, or in an `io::Error` if a reader returns it, and is
/// unwrapped at the end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The deadline passed.
    #[error("the deadline passed while {0}")]
    Timeout(Phase),
    /// The caller cancelled the call.
    #[error("cancelled while {0}")]
    Cancelled(Phase),
    /// The connection ended before the first byte of a response.
    #[error("the server closed the connection without a response")]
    NoAnswer(#[source] Option<io::Error>),
    /// The connection broke.
    #[error("the connection broke while {0}")]
    Broken(Phase, #[source] io::Error),
    /// The body is larger than the caller allows.
    #[error("the response is larger than {limit} bytes")]
    TooLarge { limit: usize },
    /// The body's framing is invalid, so its end is unknown.
    #[error("the framing of the body is invalid: {0}")]
    Framing(&'static str),
    /// ureq's own error.
    #[error("{0}")]
    Http(#[source] Box<ureq::Error>),
}

impl From<ureq::Error> for Fault {
    fn from(error: ureq::Error) -> Self {
        match error {
            ureq::Error::Other(cause) => match cause.downcast::<Self>() {
                Ok(fault) => *fault,
                Err(cause) => Self::Http(Box::new(ureq::Error::Other(cause))),
            },
            ureq::Error::Io(cause) => Self::Broken(Phase::Body, cause),
            other => Self::Http(Box::new(other)),
        }
    }
}

impl From<Fault> for ureq::Error {
    fn from(fault: Fault) -> Self {
        Self::Other(Box::new(fault))
    }
}

impl Fault {
    /// ureq's error in a phase.
    pub(super) fn within(phase: Phase, error: ureq::Error) -> Self {
        match error {
            ureq::Error::Timeout(_) => Self::Timeout(phase),
            ureq::Error::Io(cause) => Self::Broken(phase, cause),
            other => other.into(),
        }
    }

    /// Whether the connection ended before any byte of a response, as it does if the server closed
    /// it while it was idle.
    pub(super) fn is_before_response(&self) -> bool {
        matches!(self, Self::NoAnswer(_))
    }

    /// The error for the reader of a stream. A connection that closes properly before the end of
    /// the body truncates the stream, like a body that ends before the stream.
    pub(super) fn into_stream_error(self) -> Error {
        match self {
            Self::Broken(Phase::Body, cause) if cause.kind() == io::ErrorKind::UnexpectedEof => {
                Error::new(ErrorKind::Truncated, "the connection ended in the middle of the stream")
                    .with_phase(Phase::Body)
                    .with_source(cause)
            }
            fault => fault.into_error(),
        }
    }

    /// The error for the caller.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Timeout(phase) => Error::timeout(phase),
            Self::Cancelled(phase) => Error::cancelled().with_phase(phase),
            Self::NoAnswer(cause) => {
                let error = Error::new(
                    ErrorKind::Connection,
                    "the server closed the connection without a response",
                )
                .with_phase(Phase::FirstByte);
                match cause {
                    Some(cause) => error.with_source(cause),
                    None => error,
                }
            }
            Self::Broken(Phase::Body, cause) => Error::new(
                ErrorKind::Connection,
                "the connection broke before the response was complete",
            )
            .with_phase(Phase::Body)
            .with_source(cause),
            Self::Broken(phase, cause) => Error::new(
                ErrorKind::Connection,
                format!("the connection broke while {phase}: {cause}"),
            )
            .with_phase(phase)
            .with_source(cause),
            Self::TooLarge { limit } => Error::new(
                ErrorKind::Protocol,
                format!(
                    "the response is larger than the {limit} bytes allowed; raise \
                     max_response_bytes() of the client"
                ),
            )
            .with_phase(Phase::Body),
            Self::Framing(what) => Error::new(ErrorKind::Protocol, format!("{NO_HTTP}: {what}"))
                .with_phase(Phase::Body),
            Self::Http(cause) => {
                let (kind, message) = match &*cause {
                    ureq::Error::LargeResponseHeader(_, limit) => (
                        ErrorKind::Protocol,
                        format!(
                            "the response head is larger than the {limit} bytes allowed; raise \
                             max_response_head_bytes() of the client"
                        ),
                    ),
                    ureq::Error::Protocol(cause) if is_too_many_headers(cause) => (
                        ErrorKind::Protocol,
                        format!(
                            "the response has more than {MAX_HEADERS} headers, which is the most this \
                             client reads; remove some at the server or a proxy in between"
                        ),
                    ),
                    ureq::Error::Protocol(_) | ureq::Error::Http(_) => {
                        (ErrorKind::Protocol, format!("{NO_HTTP}: {cause}"))
                    }
                    _ => (ErrorKind::Connection, cause.to_string()),
                };
                Error::new(kind, message).with_source(cause as Box<dyn StdError + Send + Sync>)
            }
        }
    }
}

/// ureq does not export this error's type, so this compares its text.
fn is_too_many_headers(cause: &impl std::fmt::Display) -> bool {
    cause.to_string().contains("too many headers")
}

/// Whether an error says that the peer has closed the connection.
pub(super) fn is_hangup(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::NotConnected
    )
}
