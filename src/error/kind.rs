//! The kinds of errors, and the phases of a call.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What went wrong, by what a caller would do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request is invalid: it holds a bad value, or asks for something this provider or model
    /// cannot do.
    InvalidRequest,
    /// The API key is missing, wrong or revoked.
    Authentication,
    /// The key is valid but may not do this.
    Permission,
    /// The model or the address does not exist.
    NotFound,
    /// Too many requests or tokens for now, by the provider's rate limit or one of the client's own
    /// [limits](crate::Limits); waiting helps.
    RateLimited,
    /// The credit or spending limit is used up; waiting does not help.
    QuotaExhausted,
    /// The conversation does not fit the model's context window.
    ContextWindowExceeded,
    /// The provider's content policy refused the request.
    ContentPolicy,
    /// The provider failed to serve the request.
    Server,
    /// The provider is overloaded for now.
    Overloaded,
    /// A time limit passed; [`phase`](super::Error::phase) says what the call was doing.
    Timeout,
    /// The connection failed to open, or broke.
    Connection,
    /// The TLS handshake failed, for example because of a bad certificate.
    Tls,
    /// The server sent something that cannot be read as a response.
    Protocol,
    /// A stream ended without its end marker, so the answer may be incomplete. The failure is
    /// transient, but the client does not retry a stream that has started. Or
    /// [`complete_text`](crate::ChatResponse::complete_text) met an answer that hit its output
    /// limit.
    Truncated,
    /// A [cascade](crate::route::Route::cascade) that
    /// [requires](crate::route::Route::require_accepted) an accepted answer got none. Its
    /// answers are charged.
    NotAccepted,
    /// The caller cancelled the call.
    Cancelled,
    /// The client is set up wrong, or its proxy refuses the credentials. Nothing was sent to the
    /// provider.
    Configuration,
    /// A budget does not allow the call; see [`budget`](super::Error::budget). Or the model costs
    /// more than the request's [`max_price`](crate::ChatRequest::max_price). The refused attempt
    /// was not sent, or the client stopped a stream that reached the limit per request. Earlier
    /// attempts of the same call may have been sent: see [`attempts`](super::Error::attempts).
    BudgetExceeded,
    /// A budget applies to the call, but nobody knows what the call can cost: the model has no known
    /// price, or nothing limits what the call can use. The message says what to set. The attempt was
    /// not sent; earlier attempts of the same call may have been.
    CostUnknown,
    /// The ledger that budgets are kept in cannot be read or written. The attempt was not sent;
    /// earlier attempts of the same call may have been.
    Ledger,
    /// The client answers from [recordings](crate::Replay) only, and there is none of this request.
    /// The message names the file. Batches are never recorded. Nothing was sent.
    NotRecorded,
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
            Self::NotAccepted => "not_accepted",
            Self::Cancelled => "cancelled",
            Self::Configuration => "configuration",
            Self::BudgetExceeded => "budget_exceeded",
            Self::CostUnknown => "cost_unknown",
            Self::Ledger => "ledger",
            Self::NotRecorded => "not_recorded",
        }
    }

    /// Whether failures of this kind are transient.
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
            Self::Protocol => "invalid response",
            Self::Truncated => "answer truncated",
            Self::NotAccepted => "no answer accepted",
            Self::Cancelled => "cancelled",
            Self::Configuration => "configuration error",
            Self::BudgetExceeded => "budget exceeded",
            Self::CostUnknown => "cost unknown",
            Self::Ledger => "budget ledger failed",
            Self::NotRecorded => "not recorded",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a call was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// Encoding the request in the provider's format.
    Encode,
    /// Waiting for the answer to an equal call in progress; see [`Cache`](crate::Cache).
    CacheWait,
    /// Waiting for room in one of the client's [limits](crate::Limits).
    LimitWait,
    /// Waiting for a connection from the pool.
    PoolWait,
    /// Looking up the host name.
    Resolve,
    /// Opening the TCP connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Sending the request.
    Send,
    /// Waiting for the first byte of the response.
    FirstByte,
    /// Reading the rest of the response.
    Body,
    /// Waiting for the first token of a stream, after the head of the response.
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
            Self::CacheWait => "cache_wait",
            Self::LimitWait => "limit_wait",
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
            Self::CacheWait => "waiting for the answer to an equal call",
            Self::LimitWait => "waiting for room in a limit",
            Self::PoolWait => "waiting for a free connection",
            Self::Resolve => "looking up the host name",
            Self::Connect => "connecting",
            Self::Tls => "in the TLS handshake",
            Self::Send => "sending the request",
            Self::FirstByte => "waiting for the response",
            Self::Body => "reading the response",
            Self::FirstToken => "waiting for the first token",
            Self::NextToken => "waiting for the next token",
            Self::Backoff => "waiting for the next attempt",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.doing())
    }
}
