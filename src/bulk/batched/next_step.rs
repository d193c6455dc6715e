//! Decides what happens to an item after its batch.

use std::time::{Duration, SystemTime};

use super::super::verdict::{Again, OnBudget, ROUNDS, Verdict, verdict};
use crate::batch::BatchOutcome;
use crate::error::{Error, ErrorKind};

/// What a run does with items that have no answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) fall_back: bool,
    pub(crate) on_budget: OnBudget,
    /// The first and the longest time before items are submitted again.
    pub(crate) pause: (Duration, Duration),
}

/// What happens to an item.
#[derive(Debug)]
pub(super) enum NextStep {
    /// This is its result.
    Receive(BatchOutcome),
    /// A call answers it.
    Call,
    /// It is submitted again, after a while.
    Again(Pause),
}

/// How long items wait before they are submitted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pause {
    pub(super) time: Duration,
    /// Whether the end of another batch ends it too.
    pub(super) until_another_ends: bool,
}

impl Pause {
    pub(super) const NONE: Self = Self { time: Duration::ZERO, until_another_ends: false };
}

impl Rules {
    /// Decides about the result of an item that was submitted again `rounds` times. `resumed` says
    /// whether an earlier run submitted it.
    pub(super) fn after_batch(
        &self,
        outcome: BatchOutcome,
        resumed: bool,
        rounds: u32,
    ) -> NextStep {
        match &outcome {
            BatchOutcome::Expired if self.fall_back => NextStep::Call,
            // That run cancelled it.
            BatchOutcome::Cancelled if resumed => NextStep::Again(Pause::NONE),
            BatchOutcome::Failed(error) if may_pass(error) => {
                if self.fall_back {
                    NextStep::Call
                } else if is_overload(error) && rounds < ROUNDS {
                    NextStep::Again(self.pause(rounds))
                } else {
                    NextStep::Receive(outcome)
                }
            }
            _ => NextStep::Receive(outcome),
        }
    }

    /// Decides about an item whose whole batch the provider refused, after it had accepted it.
    pub(super) fn after_refusal(&self, outcome: BatchOutcome, rounds: u32) -> NextStep {
        match &outcome {
            // Too much waits in other batches. Calls for all of it would be expensive.
            BatchOutcome::Failed(error) if is_overload(error) && rounds < ROUNDS => {
                NextStep::Again(Pause { until_another_ends: true, ..self.pause(rounds) })
            }
            _ => NextStep::Receive(outcome),
        }
    }

    /// Decides about an item that could not be submitted.
    pub(super) fn not_submitted(&self, error: Error, rounds: u32, now: SystemTime) -> NextStep {
        let again = match verdict(&error, self.on_budget, rounds, now) {
            Verdict::Again(Again::After(time)) => {
                Some(Pause { time: time.max(self.pause.0), until_another_ends: false })
            }
            Verdict::Again(Again::Released { not_before }) => {
                let until_another_ends = not_before.is_zero();
                Some(Pause { time: not_before.max(self.pause.1), until_another_ends })
            }
            Verdict::Failed if error.is_retryable() && rounds < ROUNDS => Some(self.pause(rounds)),
            Verdict::Failed | Verdict::Unfinished | Verdict::Stop => None,
        };
        match again {
            Some(pause) => NextStep::Again(pause),
            None if self.calls_instead(&error) => NextStep::Call,
            None => NextStep::Receive(BatchOutcome::Failed(error)),
        }
    }

    /// Whether a call answers an item that no batch takes. It says what is wrong, if that is not the
    /// batch.
    pub(super) fn calls_instead(&self, error: &Error) -> bool {
        self.fall_back && error.kind() == ErrorKind::InvalidRequest
    }

    fn pause(&self, rounds: u32) -> Pause {
        let (first, longest) = self.pause;
        let time = first.saturating_mul(1 << rounds.min(16)).min(longest);
        Pause { time, until_another_ends: false }
    }
}

fn is_overload(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::RateLimited | ErrorKind::Overloaded)
}

/// Whether a call may succeed where the batch failed.
fn may_pass(error: &Error) -> bool {
    // A result that is missing or cannot be read.
    error.is_retryable() || error.kind() == ErrorKind::Protocol
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rules(fall_back: bool) -> Rules {
        Rules { fall_back, on_budget: OnBudget::Stop, pause: (SECOND, SECOND * 60) }
    }

    fn failed(kind: ErrorKind) -> BatchOutcome {
        BatchOutcome::Failed(Error::new(kind, "no"))
    }

    fn word(step: &NextStep) -> String {
        match step {
            NextStep::Receive(outcome) => match outcome {
                BatchOutcome::Failed(error) => format!("{:?}", error.kind()),
                other => format!("{other:?}"),
            },
            NextStep::Call => "call".to_owned(),
            NextStep::Again(Pause { time, until_another_ends }) => {
                let or = if *until_another_ends { " or another ends" } else { "" };
                format!("again after {}{or}", time.as_secs())
            }
        }
    }

    #[test]
    fn items_without_an_answer_are_called_submitted_again_or_fail() {
        use ErrorKind::{InvalidRequest, Overloaded, Protocol, RateLimited, Server};
        for (outcome, rounds, without, with) in [
            (BatchOutcome::Expired, 0, "Expired", "call"),
            (BatchOutcome::Cancelled, 0, "Cancelled", "Cancelled"),
            (failed(InvalidRequest), 0, "InvalidRequest", "InvalidRequest"),
            (failed(Server), 0, "Server", "call"),
            (failed(Protocol), 0, "Protocol", "call"),
            (failed(Overloaded), 0, "again after 1", "call"),
            (failed(RateLimited), 3, "again after 8", "call"),
            (failed(RateLimited), ROUNDS, "RateLimited", "call"),
        ] {
            for (fall_back, expected) in [(false, without), (true, with)] {
                let step = rules(fall_back).after_batch(outcome.clone(), false, rounds);
                assert_eq!(word(&step), expected, "{outcome:?} {rounds} {fall_back}");
            }
        }
        let step = rules(false).after_batch(BatchOutcome::Cancelled, true, 0);
        assert_eq!(word(&step), "again after 0");
    }

    #[test]
    fn a_batch_that_is_too_much_for_now_is_submitted_again_and_not_called() {
        let refused = |kind, rounds| word(&rules(true).after_refusal(failed(kind), rounds));
        assert_eq!(refused(ErrorKind::RateLimited, 10), "again after 60 or another ends");
        assert_eq!(refused(ErrorKind::RateLimited, ROUNDS), "RateLimited");
        assert_eq!(refused(ErrorKind::InvalidRequest, 0), "InvalidRequest");
    }

    #[test]
    fn what_could_not_be_submitted_follows_the_rules_of_calls() {
        use ErrorKind::{Authentication, BudgetExceeded, Cancelled, InvalidRequest, Server};
        for (kind, without, with) in [
            (InvalidRequest, "InvalidRequest", "call"),
            (Authentication, "Authentication", "Authentication"),
            (BudgetExceeded, "BudgetExceeded", "BudgetExceeded"),
            (Cancelled, "Cancelled", "Cancelled"),
            (Server, "again after 1", "again after 1"),
        ] {
            for (fall_back, expected) in [(false, without), (true, with)] {
                let error = Error::new(kind, "no");
                let step = rules(fall_back).not_submitted(error, 0, SystemTime::UNIX_EPOCH);
                assert_eq!(word(&step), expected, "{kind:?} {fall_back}");
            }
        }
    }
}
