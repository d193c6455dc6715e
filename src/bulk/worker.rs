//! What a worker does with an item.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use super::core::Begun;
use super::dedupe::Answered;
use super::progress::{End, Progress};
use super::settings::StopOn;
use super::task::{Facts, Task, is_limited};
use super::verdict::{Again, OnBudget, Verdict, verdict};
use crate::batch::BatchOutcome;
use crate::cancel::CancelToken;
use crate::error::{Error, Phase};
use crate::fingerprint::Fingerprint;
use crate::journal::{self, Writer};

pub(super) type Call<W> =
    Box<dyn Fn(&<W as Task>::Request) -> Result<<W as Task>::Answer, Error> + Send + Sync>;
pub(super) type Map<W, T> = Box<dyn Fn(<W as Task>::Answer) -> Result<T, Error> + Send + Sync>;

/// An item on its way to a worker and back.
pub(super) struct Job<W: Task> {
    pub(super) number: u64,
    pub(super) id: String,
    /// Boxed, as a job moves often, and a request is large.
    pub(super) request: Box<W::Request>,
    /// The request's fingerprint, if a journal or deduplication needs it.
    pub(super) print: Option<Fingerprint>,
    pub(super) work: Work<W::Answer>,
    /// Whether equal items may wait for its result.
    pub(super) leads: bool,
    /// How often it was sent again, not counting waits for the client's own limits and budgets.
    pub(super) rounds: u32,
    pub(super) begun: Begun,
    /// The number of the batch whose result it gets.
    pub(super) batch: Option<u64>,
}

impl<W: Task> Job<W> {
    /// A job that was never sent, and that no item waits for.
    pub(super) fn new(
        number: u64,
        id: String,
        request: Box<W::Request>,
        print: Option<Fingerprint>,
        work: Work<W::Answer>,
    ) -> Self {
        let (leads, rounds, begun, batch) = (false, 0, Begun::default(), None);
        Self { number, id, request, print, work, leads, rounds, begun, batch }
    }
}

/// What is to be done for an item.
pub(super) enum Work<A> {
    /// Its call.
    Call,
    /// It is submitted in a batch, unless the batch of an earlier run with this number has it.
    Batch(Option<u64>),
    /// It gets its result of a batch.
    Received(Box<BatchOutcome>),
    /// It gets the answer to an equal request.
    Same(Answered<A>),
    /// It gets its answer of an earlier run, from the journal.
    Replay(Box<A>),
}

/// An item that a worker is done with.
pub(super) struct Report<W: Task, T> {
    pub(super) job: Job<W>,
    /// Boxed, because a channel reserves room for many reports at once.
    pub(super) outcome: Box<Outcome<W::Answer, T>>,
}

/// What became of an item.
pub(super) struct Outcome<A, T> {
    pub(super) ended: Ended<A, T>,
    /// Whether its call met a rate limit; `None` if there was no call.
    pub(super) limited: Option<bool>,
    /// Why its line is not in the journal, if that is so.
    pub(super) fault: Option<Error>,
}

impl<A, T> From<Ended<A, T>> for Outcome<A, T> {
    fn from(ended: Ended<A, T>) -> Self {
        Self { ended, limited: None, fault: None }
    }
}

pub(super) enum Ended<A, T> {
    /// It has a result. The answer is kept if equal requests get it too.
    Done(Result<T, Error>, Option<Arc<A>>),
    Again {
        again: Again,
        /// Whether it waits for the client's own limits or budgets.
        is_own: bool,
    },
    /// It was not sent, because the run has stopped.
    NotSent,
    Unfinished(Error),
    /// It was not sent, and the run stops.
    Stop(Error),
    Panicked(Box<dyn Any + Send>),
}

/// What all workers of a run share.
pub(super) struct Shared<W: Task, T> {
    pub(super) call: Call<W>,
    pub(super) map: Map<W, T>,
    pub(super) journal: Option<Writer>,
    pub(super) progress: Progress,
    pub(super) on_budget: OnBudget,
    pub(super) stop_on: Option<StopOn>,
    /// Whether answers are kept for equal requests.
    pub(super) keep_answers: bool,
    /// The caller's token.
    pub(super) cancel: Option<CancelToken>,
    pub(super) stopped: AtomicBool,
}

impl<W: Task, T> Shared<W, T> {
    /// Does an item's work.
    pub(super) fn work(&self, mut job: Job<W>) -> Report<W, T> {
        let work = std::mem::replace(&mut job.work, Work::Call);
        // The call runs the program's observers, and the map is the program's own.
        let outcome = catch_unwind(AssertUnwindSafe(|| match work {
            Work::Call if self.has_stopped() => Ended::NotSent.into(),
            Work::Call => match (self.call)(&job.request) {
                Ok(answer) => self.answered(&job, answer),
                Err(error) => self.failed(&job, error),
            },
            // The run never sends it here.
            Work::Batch(_) => Ended::NotSent.into(),
            Work::Received(outcome) => match W::of_batch(*outcome) {
                Ok(answer) => self.answered(&job, answer),
                Err(error) => self.failed(&job, error),
            },
            Work::Same(same) => {
                let answer = W::Answer::clone(&same.answer);
                let Finished { result, fault } = self.finish(&job, answer, Some(&same.id));
                self.count(End::of(&result), None);
                Outcome { ended: Ended::Done(result, None), limited: None, fault }
            }
            Work::Replay(answer) => {
                let result = (self.map)(*answer);
                self.progress.update(|counts| counts.skipped(End::of(&result)));
                Ended::Done(result, None).into()
            }
        }));
        let outcome = outcome.unwrap_or_else(|panic| Ended::Panicked(panic).into());
        if matches!(outcome.ended, Ended::Stop(_)) || outcome.fault.is_some() {
            // The other workers need not wait for the program to read the report.
            self.stopped.store(true, Ordering::Relaxed);
        }
        Report { job, outcome: Box::new(outcome) }
    }

    fn has_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
            || self.cancel.as_ref().is_some_and(CancelToken::is_cancelled)
    }

    fn answered(&self, job: &Job<W>, answer: W::Answer) -> Outcome<W::Answer, T> {
        let facts = W::facts(&answer);
        let kept = self.keep_answers.then(|| Arc::new(answer.clone()));
        let Finished { result, fault } = self.finish(job, answer, None);
        self.count(End::of(&result), Some(facts));
        Outcome { ended: Ended::Done(result, kept), limited: Some(facts.limited), fault }
    }

    fn failed(&self, job: &Job<W>, error: Error) -> Outcome<W::Answer, T> {
        // A wait for the client's own limits or budgets says nothing about the provider's.
        let is_own = error.phase() == Some(Phase::LimitWait) || error.budget().is_some();
        let limited = !is_own && (error.is_rate_limited() || is_limited(error.attempts()));
        let verdict = match &self.stop_on {
            Some(stops) if stops(&error) => Verdict::Stop,
            _ => verdict(&error, self.on_budget, job.rounds, SystemTime::now()),
        };
        let (ended, fault) = match verdict {
            Verdict::Again(again) => (Ended::Again { again, is_own }, None),
            Verdict::Unfinished => (Ended::Unfinished(error), None),
            Verdict::Stop => (Ended::Stop(error), None),
            Verdict::Failed => {
                let fault = self.record_failure(job, &error);
                self.count(End::Failed, Some(Facts::UNANSWERED));
                (Ended::Done(Err(error), None), fault)
            }
        };
        Outcome { ended, limited: limited.then_some(true), fault }
    }

    /// Maps an answer and writes its line. The line comes before the result is yielded, so that the
    /// next run does not pay for the answer again.
    fn finish(&self, job: &Job<W>, mut answer: W::Answer, same_as: Option<&str>) -> Finished<T> {
        let Some((journal, print)) = self.journal.as_ref().zip(job.print) else {
            return Finished { result: (self.map)(answer), fault: None };
        };
        let raw = W::take_raw(&mut answer);
        let line = journal::answered(&job.id, print, same_as, &answer);
        W::set_raw(&mut answer, raw);
        let result = (self.map)(answer);
        let fault = match &result {
            Ok(_) => line.and_then(|line| journal.append(&line, Instant::now())).err(),
            Err(error) => self.record_failure(job, error),
        };
        Finished { result, fault }
    }

    /// Writes the line of a failure. Returns why that failed.
    pub(super) fn record_failure(&self, job: &Job<W>, error: &Error) -> Option<Error> {
        let (journal, print) = self.journal.as_ref().zip(job.print)?;
        let line = journal::failed(&job.id, print, error);
        line.and_then(|line| journal.append(&line, Instant::now())).err()
    }

    fn count(&self, end: End, called: Option<Facts>) {
        self.progress.update(|counts| counts.ended(end, called, Instant::now()));
    }
}

/// A mapped answer, and why its line is not in the journal, if that is so.
struct Finished<T> {
    result: Result<T, Error>,
    fault: Option<Error>,
}
