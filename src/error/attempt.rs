//! One attempt of a call.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

use super::{Decision, Error, ErrorKind, GiveUp, Phase};

/// One attempt of a call: when it started, how it ended, and what the client decided next.
///
/// [`ChatResponse::attempts`](crate::ChatResponse::attempts) and
/// [`Error::attempts`](crate::Error::attempts) list them.
///
/// ```no_run
/// # let client = tollgate::Client::openai("gpt-4o-mini").unwrap();
/// for attempt in client.chat("Hello")?.attempts() {
///     println!("{attempt}"); // server (status 500) after 12ms; retry in 412ms (backoff)
/// }
/// # Ok::<(), tollgate::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attempt {
    /// Its number in the call, from 0 in the order in which the attempts began.
    #[serde(default)]
    pub number: u32,
    /// The id of the provider it was sent to.
    #[serde(default)]
    pub provider: String,
    /// The model it asked for, under the provider's name.
    #[serde(default)]
    pub model: String,
    /// When it started, measured from the start of the call.
    pub started_after: Duration,
    /// How long it took, including the wait for a connection and opening one.
    pub duration: Duration,
    /// Whether the client sent its request a second time, on a fresh connection, because the idle
    /// connection it reused turned out to be dead
    /// ([`PoolConfig::retry_stale`](crate::PoolConfig::retry_stale)).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resent: bool,
    /// Why it failed; `None` for the attempt that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<AttemptFailure>,
    /// What the client decided after the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

impl Attempt {
    /// The failure that another attempt followed. An attempt that was cancelled because another one
    /// decided the call was not retried.
    pub(crate) fn retried_failure(&self) -> Option<&AttemptFailure> {
        let is_superseded = self.decision == Some(Decision::GiveUp(GiveUp::Superseded));
        self.failure.as_ref().filter(|_| !is_superseded)
    }
}

/// Why an [`Attempt`] failed: the part of its [`Error`] worth keeping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttemptFailure {
    /// The kind of error.
    pub kind: ErrorKind,
    /// The phase it failed in, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The HTTP status, if there was a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The provider's own error code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The provider's request id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The error message, in the provider's words where it gave any.
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

/// One line, without the provider's message.
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
        write!(f, " after {:.0?}", self.duration)?;
        if self.resent {
            f.write_str(", sent twice")?;
        }
        match &self.decision {
            Some(decision) => write!(f, "; {decision}"),
            None => Ok(()),
        }
    }
}
