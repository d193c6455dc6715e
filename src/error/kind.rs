//! The kinds of errors and the phases of a call.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What went wrong, as far as a caller would act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request cannot be served as it is: a bad value, or something this
    /// provider or model cannot do.
    InvalidRequest,
    /// The API key is missing, wrong or revoked.
    Authentication,
    /// The key is good but not allowed to do this.
    Permission,
    /// There is no such model or address.
    NotFound,
    /// Too many requests or tokens just now; waiting helps.
    RateLimited,
    /// The credit or spending limit is used up; waiting does not help.
    QuotaExhausted,
    /// The conversation does not fit into the model's context window.
    ContextWindowExceeded,
    /// The provider's content policy refused the request.
    ContentPolicy,
    /// The provider failed.
    Server,
    /// The provider has too much to do just now.
    Overloaded,
    /// Time ran out; [`phase`](super::Error::phase) says where.
    Timeout,
    /// The connection could not be made or broke.
    Connection,
    /// The encrypted connection could not be made, for a bad certificate, say.
    Tls,
    /// The server answered something that cannot be understood.
    Protocol,
    /// A stream ended without its end marker, so that the answer may be cut short. It
    /// passes; but a stream that has begun is not tried again.
    Truncated,
    /// The caller cancelled the call.
    Cancelled,
    /// The client is set up wrong, or its proxy's credentials are; nothing was sent.
    Configuration,
    /// A budget does not allow the call; see [`budget`](super::Error::budget). The attempt
    /// that it refused was not sent, or a stream was stopped at the limit per request. Of a
    /// call that was tried again, earlier attempts were sent: see
    /// [`attempts`](super::Error::attempts).
    BudgetExceeded,
    /// The books of the budgets cannot be read or written. The attempt was not sent; earlier
    /// attempts of the same call may have been.
    Ledger,
}

impl ErrorKind {
    /// A short name in `snake_case`, for labels and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Authentication => "authentication",
            Self::Permission => "permission",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::QuotaExhausted => "quota_exhausted",
            Self::ContextWindowExceeded => "context_window_exceeded",
            Self::ContentPolicy => "content_policy",
            Self::Server => "server",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
            Self::Truncated => "truncated",
            Self::Cancelled => "cancelled",
            Self::Configuration => "configuration",
            Self::BudgetExceeded => "budget_exceeded",
            Self::Ledger => "ledger",
        }
    }

    /// Whether failures of this kind pass.
    pub(super) fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::Server
                | Self::Overloaded
                | Self::Timeout
                | Self::Connection
                | Self::Truncated
        )
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid request",
            Self::Authentication => "authentication failed",
            Self::Permission => "permission denied",
            Self::NotFound => "not found",
            Self::RateLimited => "rate limited",
            Self::QuotaExhausted => "quota exhausted",
            Self::ContextWindowExceeded => "context window exceeded",
            Self::ContentPolicy => "refused by content policy",
            Self::Server => "server error",
            Self::Overloaded => "provider overloaded",
            Self::Timeout => "timed out",
            Self::Connection => "connection failed",
            Self::Tls => "TLS failed",
            Self::Protocol => "unintelligible response",
            Self::Truncated => "stream cut short",
            Self::Cancelled => "cancelled",
            Self::Configuration => "configuration error",
            Self::BudgetExceeded => "not allowed by the budgets",
            Self::Ledger => "budgets cannot be kept",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A stage in the life of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// Writing the request in the provider's format.
    Encode,
    /// Waiting for a connection from the pool.
    PoolWait,
    /// Looking up the host name.
    Resolve,
    /// Connecting.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Sending the request.
    Send,
    /// Waiting for the first byte of the response.
    FirstByte,
    /// Reading the rest of the response.
    Body,
    /// Waiting for the first token of a stream, whose response has begun.
    FirstToken,
    /// Waiting for the next token of a stream.
    NextToken,
    /// Waiting before the next attempt.
    Backoff,
}

impl Phase {
    /// A short name in `snake_case`, for labels and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Encode => "encode",
            Self::PoolWait => "pool_wait",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Send => "send",
            Self::FirstByte => "first_byte",
            Self::Body => "body",
            Self::FirstToken => "first_token",
            Self::NextToken => "next_token",
            Self::Backoff => "backoff",
        }
    }

    pub(super) fn doing(self) -> &'static str {
        match self {
            Self::Encode => "preparing the request",
            Self::PoolWait => "waiting for a free connection",
            Self::Resolve => "looking up the host name",
            Self::Connect => "connecting",
            Self::Tls => "in the TLS handshake",
            Self::Send => "sending the request",
            Self::FirstByte => "waiting for the response",
            Self::Body => "reading the response",
            Self::FirstToken => "waiting for the first token",
            Self::NextToken => "waiting for the next token",
            Self::Backoff => "waiting to try again",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.doing())
    }
}
