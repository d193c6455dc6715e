//! The loop over the attempts of one call.

use std::time::{Duration, Instant};

use super::backoff::Draw;
use super::decide::{decide, may_have_been_served};
use super::{Backoff, Bucket, RetryConfig, SecondSending, Sleeper};
use crate::bounds::Bounds;
use crate::error::{Attempt, Decision, Error, ErrorKind, GiveUp, Phase};
use crate::sync::none_held;

/// The loop over the attempts of one call. Clock, randomness and sleeping are injected.
pub(crate) struct Retrier<'a> {
    pub(crate) policy: &'a RetryConfig,
    pub(crate) bucket: &'a Bucket,
    pub(crate) backoff: Backoff,
    pub(crate) sleeper: &'a dyn Sleeper,
    pub(crate) clock: &'a dyn Fn() -> Instant,
    pub(crate) bounds: &'a Bounds,
    /// When the call started.
    pub(crate) begun: Instant,
}

/// Where an attempt is sent.
pub(crate) trait Target {
    fn provider(&self) -> &str;
    /// The model, as the provider names it.
    fn model(&self) -> &str;
}

impl<T: Target> Target for &T {
    fn provider(&self) -> &str {
        (**self).provider()
    }

    fn model(&self) -> &str {
        (**self).model()
    }
}

/// The steps of one call.
pub(crate) trait Steps {
    type Target: Target;
    type Answer;

    /// Returns the target of the next attempt, or how long to wait before asking again.
    ///
    /// # Errors
    ///
    /// If there is none. This ends the call.
    fn choose(&mut self) -> Result<Turn<Self::Target>, Error>;

    /// Makes an attempt after this many others, from `begun` on. `second` is the right to send the
    /// request twice if it must.
    ///
    /// # Errors
    ///
    /// If the attempt fails.
    fn attempt(
        &mut self,
        target: Self::Target,
        retries: u32,
        begun: Instant,
        second: &mut SecondSending<'_>,
    ) -> Result<Self::Answer, Error>;

    /// Called with the answer of an attempt, how long that attempt took, and when it ended.
    fn answered(&mut self, answer: &Self::Answer, after: Duration, ended: Instant) {
        let _ = (answer, after, ended);
    }

    /// Accepts an answer, which ends the call.
    ///
    /// # Errors
    ///
    /// What to do instead, if the call needs another answer. Another [choice](Self::choose)
    /// follows.
    fn accept(&mut self, answer: Self::Answer) -> Result<Self::Answer, Decision> {
        Ok(answer)
    }

    /// Returns the attempts of the last [`attempt`](Self::attempt), if it made several at once.
    fn raced(&mut self) -> Option<Box<Raced>> {
        None
    }

    /// Decides what follows a failed attempt.
    fn decide(&mut self, failed: &Failed<'_>) -> Decision {
        failed.retry_or_stop()
    }

    /// Decides what follows instead of a retry that the retry budget does not allow.
    fn without_retry(&mut self) -> Decision {
        Decision::GiveUp(GiveUp::BudgetSpent)
    }

    /// Called after every attempt.
    fn ended(&mut self, attempt: &Attempt);
}

/// Attempts that ran at the same time.
#[derive(Debug)]
pub(crate) struct Raced {
    /// The one whose outcome counts. It has no failure and no decision yet.
    pub(crate) decisive: Attempt,
    /// The others, complete.
    pub(crate) others: Vec<Attempt>,
}

/// What comes next in a call.
#[derive(Debug)]
pub(crate) enum Turn<T> {
    /// An attempt at this target.
    Attempt(T),
    /// A wait. The time left may be shorter.
    Wait(Duration),
}

/// A failed attempt, and what decides about the next one.
#[derive(Clone, Copy)]
pub(crate) struct Failed<'a> {
    pub(crate) error: &'a Error,
    pub(crate) policy: &'a RetryConfig,
    /// The retries before it.
    pub(crate) retries: u32,
    /// The client's own wait.
    pub(crate) ours: Draw,
    /// The time to the deadline; `None` without one.
    pub(crate) left: Option<Duration>,
}

impl Failed<'_> {
    /// Whether to try the same target again.
    pub(crate) fn retry_or_stop(&self) -> Decision {
        decide(self.error, self.retries, self.policy, self.ours, self.left)
    }

    /// Whether the request may have been served, and billed, and must therefore not be sent again.
    pub(crate) fn is_forbidden_as_ambiguous(&self) -> bool {
        !self.policy.retry_ambiguous && may_have_been_served(self.error)
    }
}

/// The result of the successful attempt, and all attempts with it as the last.
#[derive(Debug)]
pub(crate) struct Tried<T> {
    pub(crate) value: T,
    pub(crate) attempts: Vec<Attempt>,
}

impl Retrier<'_> {
    /// Makes attempts until one succeeds or another makes no sense.
    ///
    /// The error is that of the last attempt and lists all of them. If time ran out or the caller
    /// cancelled after earlier failures, the last of those is its source.
    pub(crate) fn run<S: Steps>(mut self, steps: &mut S) -> Result<Tried<S::Answer>, Error> {
        let mut attempts = Vec::with_capacity(1);
        let mut before = None;
        // Whether a retry has taken a token from the budget, and whether it is still to be made.
        let (mut paid, mut owed) = (false, false);
        loop {
            let retries = u32::try_from(attempts.len()).unwrap_or(u32::MAX);
            let put_back = || {
                if owed {
                    self.bucket.put_back();
                }
            };
            let target = match steps.choose() {
                Ok(Turn::Attempt(target)) => target,
                Ok(Turn::Wait(wait)) => match self.wait(wait) {
                    Ok(()) => continue,
                    Err(error) => {
                        put_back();
                        return Err(ended(error, before, attempts));
                    }
                },
                Err(none) => {
                    put_back();
                    return Err(ended(none, before, attempts));
                }
            };
            owed = false;
            let (provider, model) = (target.provider().to_owned(), target.model().to_owned());
            let started = (self.clock)();
            let mut second = self.bucket.second_sending();
            let outcome = steps.attempt(target, retries, started, &mut second);
            let now = (self.clock)();
            let duration = now.saturating_duration_since(started);
            let mut entry = Attempt {
                number: retries,
                provider,
                model,
                started_after: started.saturating_duration_since(self.begun),
                duration,
                resent: second.is_taken(),
                failure: None,
                decision: None,
            };
            if let Some(raced) = steps.raced() {
                let Raced { decisive, others } = *raced;
                entry = decisive;
                attempts.extend(others);
            }
            let error = match outcome {
                Ok(value) => {
                    steps.answered(&value, duration, now);
                    paid |= entry.resent;
                    let accepted = steps.accept(value);
                    if accepted.is_ok() {
                        self.bucket.deposit(paid);
                    }
                    entry.decision = accepted.as_ref().err().copied();
                    steps.ended(&entry);
                    attempts.push(entry);
                    let Ok(value) = accepted else {
                        // What happened before this answer does not explain what comes after it.
                        before = None;
                        continue;
                    };
                    return Ok(Tried { value, attempts });
                }
                Err(error) => error,
            };
            let decision = self.decide(steps, &error, retries, now);
            entry.failure = Some((&error).into());
            entry.decision = Some(decision);
            steps.ended(&entry);
            attempts.push(entry);
            let after = match decision {
                Decision::Retry { after, .. } => {
                    (paid, owed) = (true, true);
                    after
                }
                Decision::FailOver | Decision::MoveUp => {
                    before = Some(root_cause(before, error));
                    continue;
                }
                Decision::GiveUp(_) => return Err(ended(error, before, attempts)),
            };
            before = Some(root_cause(before, error));
            if let Err(error) = self.wait(after) {
                self.bucket.put_back();
                return Err(ended(error, before, attempts));
            }
        }
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    ///
    /// If the caller cancels the call meanwhile, or the deadline passes.
    fn wait(&self, wait: Duration) -> Result<(), Error> {
        none_held("a call waits for its next attempt");
        self.sleeper.sleep(wait, self.bounds.cancel.as_ref());
        if self.bounds.is_cancelled() {
            Err(Error::cancelled().with_phase(Phase::Backoff))
        } else if self.bounds.deadline.is_past((self.clock)()) {
            Err(Error::timeout(Phase::Backoff))
        } else {
            Ok(())
        }
    }

    fn decide<S: Steps>(
        &mut self,
        steps: &mut S,
        error: &Error,
        retries: u32,
        now: Instant,
    ) -> Decision {
        let decision = steps.decide(&Failed {
            error,
            policy: self.policy,
            retries,
            ours: self.backoff.draw(),
            left: self.bounds.deadline.remaining(now),
        });
        match decision {
            Decision::Retry { .. } if !self.bucket.withdraw() => steps.without_retry(),
            // Going on to another target adds no load to the one that failed.
            decision => decision,
        }
    }
}

/// A timeout, a cancellation or a refusal by a budget or limit does not say why the call was still
/// running: the failure before it does.
fn hides_the_cause(error: &Error) -> bool {
    error.phase() == Some(Phase::LimitWait)
        || matches!(
            error.kind(),
            ErrorKind::Timeout
                | ErrorKind::Cancelled
                | ErrorKind::BudgetExceeded
                | ErrorKind::CostUnknown
                | ErrorKind::Ledger
        )
}

/// Of two failures, the later one that says why the call was still running.
fn root_cause(before: Option<Error>, error: Error) -> Error {
    match before {
        Some(before) if hides_the_cause(&error) => before,
        _ => error,
    }
}

fn ended(error: Error, before: Option<Error>, attempts: Vec<Attempt>) -> Error {
    let error = match before {
        Some(before) if hides_the_cause(&error) => error.with_source(before),
        _ => error,
    };
    error.with_attempts(attempts)
}

#[cfg(all(test, not(loom)))]
mod tests;
