//! `BatchStatus`: how far a batch has got, in the same words for every provider.

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::error::Error;

/// The state of a batch, in the same words for every provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BatchState {
    /// The provider checks the requests, or has queued them.
    Queued,
    /// It is answering them.
    InProgress,
    /// It is writing the results.
    Finalizing,
    /// It is cancelling the batch.
    Cancelling,
    /// It has ended. Single requests may still have failed.
    Completed,
    /// The provider refused the batch as a whole.
    Failed,
    /// Its time ran out. What was answered by then is kept.
    Expired,
    /// It was cancelled. What was answered by then is kept.
    Cancelled,
}

impl BatchState {
    /// Whether the batch has ended, so that its results can be read.
    pub fn is_final(self) -> bool {
        match self {
            Self::Queued | Self::InProgress | Self::Finalizing | Self::Cancelling => false,
            Self::Completed | Self::Failed | Self::Expired | Self::Cancelled => true,
        }
    }

    /// The state of a batch whose parts have these states: of a part that is still at work the
    /// earliest, otherwise the worst.
    pub(crate) fn of_parts(parts: impl IntoIterator<Item = Self>) -> Self {
        let rank = |state: &Self| match state {
            Self::Queued => 0,
            Self::InProgress => 1,
            Self::Finalizing => 2,
            Self::Cancelling => 3,
            Self::Failed => 4,
            Self::Expired => 5,
            Self::Cancelled => 6,
            Self::Completed => 7,
        };
        parts.into_iter().min_by_key(rank).unwrap_or(Self::Completed)
    }

    /// The state's name, such as `in_progress`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Finalizing => "finalizing",
            Self::Cancelling => "cancelling",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for BatchState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How many requests of a batch have got how far. Providers update it now and then; at some it
/// stays zero until the batch has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BatchCounts {
    /// All requests.
    pub total: u64,
    /// Those that were answered.
    pub answered: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that were not answered in time; 0 where the provider does not count them.
    pub expired: u64,
    /// Those that were cancelled; 0 where the provider does not count them.
    pub cancelled: u64,
}

impl BatchCounts {
    /// How many requests are over.
    pub(crate) fn done(self) -> u64 {
        let Self { total: _, answered, failed, expired, cancelled } = self;
        [answered, failed, expired, cancelled].into_iter().fold(0, u64::saturating_add)
    }

    pub(crate) fn add(&mut self, other: Self) {
        let Self { total, answered, failed, expired, cancelled } = other;
        for (sum, count) in [
            (&mut self.total, total),
            (&mut self.answered, answered),
            (&mut self.failed, failed),
            (&mut self.expired, expired),
            (&mut self.cancelled, cancelled),
        ] {
            *sum = sum.saturating_add(count);
        }
    }
}

/// How far a batch has got.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BatchStatus {
    /// Its state. While any of the provider's jobs for it is at work, the state of the one that is
    /// furthest behind. After that the worst of theirs: failed, expired, cancelled, completed.
    pub state: BatchState,
    /// How many requests have got how far.
    pub counts: BatchCounts,
    /// Why the provider refused the batch as a whole, if it did. At OpenAI, too many tokens in
    /// other batches make it [`RateLimited`](crate::ErrorKind::RateLimited): submit it again later.
    pub error: Option<Error>,
}

#[cfg(test)]
mod tests {
    use super::BatchState::{self, *};

    #[test]
    fn a_batch_has_ended_when_all_its_parts_have() {
        for (parts, expected) in [
            (&[Completed, Completed][..], Completed),
            (&[Completed, InProgress, Queued], Queued),
            (&[Failed, InProgress], InProgress),
            (&[Completed, Cancelled, Expired], Expired),
            (&[Completed, Failed], Failed),
            (&[Cancelling, Completed], Cancelling),
        ] {
            let state = BatchState::of_parts(parts.iter().copied());
            assert_eq!(state, expected, "{parts:?}");
            let all = parts.iter().all(|part| part.is_final());
            assert_eq!(state.is_final(), all, "{parts:?}");
        }
    }
}
