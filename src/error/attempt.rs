//! One attempt of a call.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

use super::{Decision, Error, ErrorKind, Phase};

/// One attempt of a call: when, how it ended, and what was decided then.
///
/// [`ChatResponse::attempts`](crate::ChatResponse::attempts) and
/// [`Error::attempts`](crate::Error::attempts) list them.
///
/// ```no_run
/// # let client = tollgate::Client::openai("gpt-4o-mini").unwrap();
/// for attempt in client.chat("Hello")?.attempts() {
///     println!("{attempt}"); // server (status 500) after 12ms; again after 412ms (backoff)
/// }
/// # Ok::<(), tollgate::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attempt {
    /// The provider that it was sent to, by its id.
    #[serde(default)]
    pub provider: String,
    /// The model that it asked for, as the provider names it.
    #[serde(default)]
    pub model: String,
    /// When it began, from the beginning of the call.
    pub began: Duration,
    /// How long it took: waiting for a connection, opening it, and the exchange.
    pub took: Duration,
    /// Whether its request was sent a second time, on a fresh connection, because the
    /// one it was sent on first, at rest before, turned out to be dead
    /// ([`PoolConfig::retry_stale`](crate::PoolConfig::retry_stale)).
    #[serde(default)]
    pub resent: bool,
    /// How it failed; `None` for the one that was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<AttemptFailure>,
    /// What was decided when it had failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// How an [`Attempt`] failed: as much of its [`Error`] as is worth keeping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttemptFailure {
    /// What went wrong.
    pub kind: ErrorKind,
    /// At which stage, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The HTTP status, when there was a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The provider's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The provider's id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What went wrong in words, the provider's own where it gave any.
    pub message: String,
}

impl From<&Error> for AttemptFailure {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind(),
            phase: error.phase(),
            status: error.status(),
            code: error.code().map(str::to_owned),
            request_id: error.request_id().map(str::to_owned),
            message: error.message().to_owned(),
        }
    }
}

/// One line, without the provider's words.
impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failure {
            None => f.write_str("answered")?,
            Some(failure) => {
                write!(f, "{}", failure.kind)?;
                match (failure.status, failure.phase) {
                    (Some(status @ (..200 | 300..)), _) => write!(f, " (status {status})")?,
                    (_, Some(phase)) => write!(f, " ({phase})")?,
                    (_, None) => {}
                }
            }
        }
        write!(f, " after {:.0?}", self.took)?;
        if self.resent {
            f.write_str(", sent twice")?;
        }
        match &self.decision {
            Some(decision) => write!(f, "; {decision}"),
            None => Ok(()),
        }
    }
}
