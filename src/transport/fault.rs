//! How an exchange failed, and the error the caller gets.

use std::io;

use super::http::{Invalid, MAX_FIELDS};
use crate::error::{Error, ErrorKind, Phase};

const NO_HTTP: &str = "the server did not answer with valid HTTP/1.1";

/// How an exchange failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The deadline passed in this phase.
    Timeout(Phase),
    /// The caller cancelled the call in this phase.
    Cancelled(Phase),
    /// The connection ended before the first byte of a response.
    NoAnswer(Option<io::Error>),
    /// The connection broke in this phase.
    Broken(Phase, io::Error),
    /// The body is larger than the caller allows.
    TooLarge { limit: usize },
    /// The head of the response is invalid.
    Head(Invalid),
    /// The body's framing is invalid, so its end is unknown.
    Framing(&'static str),
}

impl Fault {
    /// The error of a connection in a phase.
    pub(super) fn within(phase: Phase, error: ureq::Error) -> Self {
        match error {
            ureq::Error::Timeout(_) => Self::Timeout(phase),
            ureq::Error::Io(cause) => Self::Broken(phase, cause),
            other => Self::Broken(phase, io::Error::other(other)),
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
            Self::Head(Invalid::Syntax(what)) => {
                Error::new(ErrorKind::Protocol, format!("{NO_HTTP}: {what}"))
            }
            Self::Head(Invalid::TooLarge(limit)) => Error::new(
                ErrorKind::Protocol,
                format!(
                    "the response head is larger than the {limit} bytes allowed; raise \
                     max_response_head_bytes() of the client"
                ),
            ),
            Self::Head(Invalid::TooManyFields) => Error::new(
                ErrorKind::Protocol,
                format!(
                    "the response has more than {MAX_FIELDS} headers, which is the most this \
                     client reads; remove some at the server or a proxy in between"
                ),
            ),
        }
    }
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
