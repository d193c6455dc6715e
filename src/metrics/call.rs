//! What the metrics record of a call when it ends.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::{CacheUse, Target};
use crate::chat::{Usage, UsageSource};
use crate::error::{Attempt, Error, ErrorKind};
use crate::histogram::Histogram;
use crate::money::Money;

/// Everything known about a call when it has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallEnd<'a> {
    /// The target with which it began.
    pub(crate) target: Target<'a>,
    /// The model that answered, by the provider's name for it.
    pub(crate) response_model: Option<&'a str>,
    /// Whether the answer was streamed.
    pub(crate) streamed: bool,
    /// When it ended.
    pub(crate) at: SystemTime,
    /// From start to end, including waits and retries.
    pub(crate) latency: Duration,
    /// From the start of the call to the first token of a stream.
    pub(crate) time_to_first_token: Option<Duration>,
    /// The times between the pieces of a stream's output.
    pub(crate) gaps: Option<&'a Histogram>,
    pub(crate) usage: Usage,
    /// What it cost; `None` if no price is known.
    pub(crate) cost: Option<Money>,
    /// Whether the provider answered, rather than the cache or a recording.
    pub(crate) is_live: bool,
    /// What the cache did for it.
    pub(crate) cache: CacheUse,
    /// What it would have cost if the provider had answered.
    pub(crate) saved: Option<Money>,
    /// What is counted of it already.
    pub(crate) counted: Counted,
    pub(crate) attempts: &'a [Attempt],
    pub(crate) outcome: Result<(), &'a Error>,
    pub(crate) request_id: Option<&'a str>,
    pub(crate) tags: &'a BTreeMap<String, String>,
}

/// What the answers of a call that were not accepted have added to the counts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counted {
    pub(crate) cost: Money,
    /// Whether the call returns one of these answers, so that its tokens are counted.
    pub(crate) tokens: bool,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Answered,
    Failed,
    /// By the caller.
    Cancelled,
    /// By a budget, before it was sent.
    Refused,
}

impl Ending {
    pub(crate) fn of(error: Option<&Error>, attempts: &[Attempt]) -> Self {
        match error {
            None => Self::Answered,
            Some(error) if error.is_cancelled() => Self::Cancelled,
            Some(error) if attempts.is_empty() && is_refusal(error) => Self::Refused,
            Some(_) => Self::Failed,
        }
    }

    #[cfg(any(feature = "tracing", feature = "metrics"))]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
        }
    }
}

/// Whether a budget refused the call, because of what it costs or because nobody knows that.
fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::BudgetExceeded | ErrorKind::CostUnknown)
}

impl CallEnd<'_> {
    pub(super) fn ending(&self) -> Ending {
        Ending::of(self.outcome.err(), self.attempts)
    }

    /// Whether anything is known about its tokens, and the provider used them for it.
    pub(super) fn counts_tokens(&self) -> bool {
        self.is_live && self.usage.source != UsageSource::Missing
    }

    /// Output tokens per second over the successful attempt, including its wait for the first
    /// token.
    pub(super) fn output_rate(&self) -> Option<f64> {
        if self.usage.source != UsageSource::Reported || self.usage.completion_tokens == 0 {
            return None;
        }
        let last = self.attempts.last();
        // A call may return an earlier answer than that of its last attempt.
        if last.is_some_and(|attempt| attempt.failure.is_some()) {
            return None;
        }
        let started = last.map_or(Duration::ZERO, |attempt| attempt.started_after);
        let took = self.latency.checked_sub(started).filter(|took| !took.is_zero())?;
        #[expect(clippy::cast_precision_loss)]
        let tokens = self.usage.completion_tokens as f64;
        Some(tokens / took.as_secs_f64())
    }
}
