//! `BatchResult`: what became of one request of a batch.

use std::fmt;

use crate::chat::ChatResponse;
use crate::embed::Embeddings;
use crate::error::{Error, ErrorKind};

/// What became of one request of a batch.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BatchResult {
    /// The id that the request was submitted with.
    pub id: String,
    /// What became of it.
    pub outcome: BatchOutcome,
}

/// What became of a request of a batch.
#[derive(Clone)]
#[non_exhaustive]
pub enum BatchOutcome {
    /// The answer to a chat. Its latency is zero, because no provider reports it.
    Answered(Box<ChatResponse>),
    /// The vectors of texts. Their latency is zero, because no provider reports it.
    Embedded(Box<Embeddings>),
    /// It failed. The [kind](Error::kind) says why, as for a single call.
    Failed(Error),
    /// It was not answered before the batch expired.
    Expired,
    /// It was not answered before the batch was cancelled.
    Cancelled,
}

impl BatchOutcome {
    /// The answer to a chat, otherwise the error. An expired request gives
    /// [`Timeout`](ErrorKind::Timeout), a cancelled one [`Cancelled`](ErrorKind::Cancelled).
    ///
    /// # Errors
    ///
    /// If the request has no answer, or none to a chat.
    pub fn into_chat(self) -> Result<ChatResponse, Error> {
        match self {
            Self::Answered(response) => Ok(*response),
            Self::Embedded(_) => Err(Error::invalid_request(
                "the request was for embeddings; use BatchOutcome::into_embeddings",
            )),
            other => Err(other.into_error()),
        }
    }

    /// The vectors, otherwise the error, as for [`into_chat`](Self::into_chat).
    ///
    /// # Errors
    ///
    /// If the request has no answer, or none with embeddings.
    pub fn into_embeddings(self) -> Result<Embeddings, Error> {
        match self {
            Self::Embedded(embeddings) => Ok(*embeddings),
            Self::Answered(_) => {
                Err(Error::invalid_request("the request was a chat; use BatchOutcome::into_chat"))
            }
            other => Err(other.into_error()),
        }
    }

    /// Whether it was answered.
    pub fn is_answered(&self) -> bool {
        matches!(self, Self::Answered(_) | Self::Embedded(_))
    }

    fn into_error(self) -> Error {
        match self {
            Self::Failed(error) => error,
            Self::Expired => Error::new(
                ErrorKind::Timeout,
                "waiting for the batch, which expired before this request was answered; submit it again",
            ),
            _ => Error::new(
                ErrorKind::Cancelled,
                "the batch was cancelled before this request was answered",
            ),
        }
    }
}

/// Hides the answer, which may be long.
impl fmt::Debug for BatchOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(_) => f.write_str("Answered(…)"),
            Self::Embedded(_) => f.write_str("Embedded(…)"),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
            Self::Expired => f.write_str("Expired"),
            Self::Cancelled => f.write_str("Cancelled"),
        }
    }
}
