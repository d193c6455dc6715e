//! Submits one batch, waits for it and reads its results, on a thread of its own.

use crossbeam_channel::{Sender, bounded};
use std::any::Any;
use std::collections::{BTreeMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::super::settings::OnCancel;
use super::super::task::Task;
use super::super::worker::{Job, Shared};
use super::plan::BatchEnd;
use super::settings::OnDeadline;
use super::steps::{Interrupted, Log, Step};
use crate::batch::{Batch, BatchOutcome, BatchState};
use crate::call::{BatchOptions, Caller, Sent, Submission, WaitTimes};
use crate::cancel::CancelToken;
use crate::chat::Provider;
use crate::error::{Error, ErrorKind};
use crate::fingerprint::Fingerprint;

/// What the run learns of a batch in flight.
pub(crate) enum Event<W: Task> {
    /// These items are not in it.
    NotSubmitted(Vec<(Job<W>, Error)>),
    /// These may be in it, and nobody knows yet. A later run finds out.
    Lost(Vec<Job<W>>, Error),
    /// These are in it.
    Submitted(Vec<Job<W>>),
    /// It was interrupted, and these items of it were not submitted.
    NotCreated(Vec<String>),
    /// An item's result, and whether the provider refused the whole batch.
    Result(String, BatchOutcome, bool),
    /// It ends here. The error is why the journal could not be written, if so.
    Ended(BatchEnd, Option<Error>),
    Panicked(Box<dyn Any + Send>),
}

/// What a batch is made of.
pub(crate) enum Contents<W: Task> {
    /// Items to submit.
    Items(Vec<Job<W>>),
    /// A batch of an earlier run, and the ids of its items that have their lines already.
    Interrupted(Box<Interrupted>, HashSet<String>),
}

/// A batch in flight.
pub(crate) struct BatchThread<W: Task, T> {
    pub(crate) number: u64,
    pub(crate) provider: Provider,
    pub(crate) name: String,
    pub(crate) caller: Arc<Caller>,
    pub(crate) times: WaitTimes,
    pub(crate) on_deadline: OnDeadline,
    pub(crate) shared: Arc<Shared<W, T>>,
    /// Cancels its submission.
    pub(crate) in_flight: CancelToken,
    /// Ends the wait for its results.
    pub(crate) waiting: CancelToken,
    pub(crate) on_cancel: OnCancel,
    /// Whether the items of an interrupted batch that is gone are submitted again.
    pub(crate) repeats: bool,
    pub(crate) events: Sender<(u64, Event<W>)>,
}

impl<W: Task, T: Send + 'static> BatchThread<W, T> {
    /// Starts its thread, which waits for what the batch is made of.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) if no thread can be started.
    pub(crate) fn start(self) -> Result<(JoinHandle<()>, Sender<Contents<W>>), Error> {
        let (load, loaded) = bounded(1);
        let work = move || {
            // Requests about the batch run the program's observers.
            let ended = catch_unwind(AssertUnwindSafe(|| match loaded.recv() {
                Ok(Contents::Items(jobs)) => self.submit(jobs),
                Ok(Contents::Interrupted(interrupted, done)) => self.recover(*interrupted, &done),
                Err(_) => (BatchEnd::default(), None),
            }));
            self.send(match ended {
                Ok((end, fault)) => Event::Ended(end, fault),
                Err(panic) => Event::Panicked(panic),
            });
        };
        let thread = thread::Builder::new().name("tollgate-batch".to_owned()).spawn(work);
        match thread {
            Ok(thread) => Ok((thread, load)),
            Err(cause) => {
                let message = format!("no thread can be started: {cause}");
                Err(Error::new(ErrorKind::Configuration, message).with_source(cause))
            }
        }
    }

    fn send(&self, event: Event<W>) {
        // A run that was dropped does not listen.
        let _ = self.events.send((self.number, event));
    }

    fn options(&self, cancel: Option<&CancelToken>) -> BatchOptions {
        BatchOptions {
            provider: Some(self.provider.clone()),
            timeout: None,
            cancel: cancel.cloned(),
            tags: BTreeMap::new(),
            most: (None, None),
        }
    }

    fn log(&self, items: Vec<(String, Fingerprint)>) -> Log<W, T> {
        let (shared, name) = (Arc::clone(&self.shared), self.name.clone());
        Log { shared, name, items, fault: None }
    }

    fn submit(&self, jobs: Vec<Job<W>>) -> (BatchEnd, Option<Error>) {
        let options = self.options(Some(&self.in_flight));
        let mut submission = match Submission::new(&self.caller, &options) {
            Ok(submission) => submission,
            Err(error) => {
                let left = jobs.into_iter().map(|job| (job, error.clone())).collect();
                self.send(Event::NotSubmitted(left));
                return (BatchEnd { is_over: true, ..BatchEnd::default() }, None);
            }
        };
        let (mut inside, mut left) = (Vec::with_capacity(jobs.len()), Vec::new());
        for job in jobs {
            match submission.add(&job.id, W::in_batch(&job.request)) {
                Ok(()) => inside.push(job),
                Err(error) => left.push((job, error)),
            }
        }
        if !left.is_empty() {
            self.send(Event::NotSubmitted(left));
        }
        if inside.is_empty() {
            return (BatchEnd { is_over: true, ..BatchEnd::default() }, None);
        }
        let named = |job: &Job<W>| Some((job.id.clone(), job.print?));
        let mut log = self.log(inside.iter().filter_map(named).collect());
        let Sent { batch, failed } = submission.send(&mut log);
        let (created, places) = batch.created();
        let mut is_over = true;
        if let Some(failed) = failed {
            let is_lost =
                |place: &usize| failed.may_exist && batch.items[*place].part == failed.part;
            let (lost, dropped): (Vec<_>, Vec<_>) = places.iter().copied().partition(is_lost);
            // If that fails, the ledger counts it as spent after a while.
            let _ = self.caller.release_batch(&options, &batch, &dropped);
            let jobs = failed.part..batch.parts.len();
            for job in jobs.skip(usize::from(failed.may_exist)) {
                // Without the line, the next run looks for a job in vain.
                let _ = log.write(&Step::Dropped { job });
            }
            is_over = lost.is_empty();
            let (lost, dropped) = take(&mut inside, &lost, &dropped);
            let dropped = dropped.into_iter().map(|job| (job, failed.error.clone()));
            self.send(match log.fault {
                Some(_) => Event::Lost(dropped.map(|(job, _)| job).collect(), failed.error.clone()),
                None => Event::NotSubmitted(dropped.collect()),
            });
            self.send(Event::Lost(lost, failed.error));
        }
        let ids: Vec<String> = inside.iter().map(|job| job.id.clone()).collect();
        self.send(Event::Submitted(inside));
        (self.collect(&created, &ids, is_over), log.fault)
    }

    fn recover(
        &self,
        interrupted: Interrupted,
        done: &HashSet<String>,
    ) -> (BatchEnd, Option<Error>) {
        let Interrupted { mut batch, marks, dropped, items, .. } = interrupted;
        let options = self.options(Some(&self.waiting));
        if let Err(error) = self.caller.recover_batch(&options, &mut batch, &marks) {
            return (BatchEnd { error: Some(error), ..BatchEnd::default() }, None);
        }
        let (created, places) = batch.created();
        let is_held = |place: &usize| !dropped[batch.items[*place].part];
        let held: Vec<usize> = places.iter().copied().filter(is_held).collect();
        // If that fails, the ledger counts it as spent after a while.
        let _ = self.caller.release_batch(&options, &batch, &held);
        let mut log = self.log(Vec::new());
        for (job, part) in batch.parts.iter().enumerate().filter(|(job, _)| !dropped[*job]) {
            let step = match part.id.is_empty() {
                true => Step::Dropped { job },
                false => Step::Created { job, id: part.id.clone() },
            };
            // Without the line, the next run looks for the job again.
            let _ = log.write(&step);
        }
        let left: HashSet<usize> = places.into_iter().collect();
        let (mut ids, mut not_created) = (Vec::new(), Vec::new());
        for (place, (id, _)) in items.into_iter().enumerate() {
            match left.contains(&place) {
                true => not_created.push(id),
                false => ids.push(id),
            }
        }
        self.send(Event::NotCreated(not_created));
        for (place, _) in ids.iter().enumerate().filter(|(_, id)| done.contains(*id)) {
            // That run has recorded its cost.
            created.settled.mark(place, ids.len());
        }
        let end = self.collect(&created, &ids, true);
        let is_gone = end.error.as_ref().is_some_and(|error| error.kind() == ErrorKind::NotFound);
        if is_gone && self.repeats {
            self.send(Event::NotCreated(ids));
            return (BatchEnd { is_over: true, has_lines: true, error: None }, log.fault);
        }
        (end, log.fault)
    }

    /// Waits for a batch and reads its results.
    fn collect(&self, batch: &Batch, ids: &[String], is_over: bool) -> BatchEnd {
        let ended = match ids.is_empty() {
            true => Ok(()),
            false => self.wait_and_read(batch, ids),
        };
        self.shared.progress.update(|counts| counts.batch_ended(self.number));
        match ended {
            Ok(()) => BatchEnd { error: None, is_over, has_lines: true },
            Err(error) => {
                let error = self.interrupted(batch, error);
                BatchEnd { error: Some(error), ..BatchEnd::default() }
            }
        }
    }

    fn wait_and_read(&self, batch: &Batch, ids: &[String]) -> Result<(), Error> {
        let options = self.options(Some(&self.waiting));
        let (state, is_late) = match self.wait(batch, self.times) {
            Err(error) if error.is_timeout() && self.on_deadline == OnDeadline::Cancel => {
                self.caller.cancel_batch(&options, batch).map_err(|error| {
                    error.about("the batch is late, and could not be cancelled")
                })?;
                (self.wait(batch, WaitTimes { limit: None, ..self.times })?, true)
            }
            state => (state?, false),
        };
        let is_refused = state == BatchState::Failed;
        let results = self.caller.batch_results(&options, batch)?;
        for (id, result) in ids.iter().zip(results) {
            if self.waiting.is_cancelled() {
                return Err(Error::cancelled());
            }
            let outcome = match result?.outcome {
                BatchOutcome::Cancelled if is_late => BatchOutcome::Expired,
                outcome => outcome,
            };
            self.send(Event::Result(id.clone(), outcome, is_refused));
        }
        Ok(())
    }

    /// Waits until a batch has ended.
    fn wait(&self, batch: &Batch, times: WaitTimes) -> Result<BatchState, Error> {
        let (options, requests) = (self.options(Some(&self.waiting)), batch.items.len() as u64);
        self.shared.progress.update(|counts| counts.batch(self.number, (0, requests)));
        let status = self.caller.wait_for_batch(&options, batch, times, |status| {
            let done = status.counts.done().min(requests);
            self.shared.progress.update(|counts| counts.batch(self.number, (done, requests)));
        })?;
        Ok(status.state)
    }

    /// The error of items whose results this run does not read.
    fn interrupted(&self, batch: &Batch, error: Error) -> Error {
        if error.kind() == ErrorKind::NotFound {
            let advice = "check the key and the base URL; if the batch is gone, \
                          Journal::repeat_failures submits its items again";
            return error.with_advice(Some(advice.to_owned()));
        }
        let then = match self.shared.journal {
            Some(_) => "run it again with the same journal to read its results",
            None => "read its results with Client::batches",
        };
        if error.is_timeout() {
            return error.with_advice(Some(then.to_owned()));
        }
        if !error.is_cancelled() {
            return error;
        }
        let is_cancelled = self.shared.cancel.as_ref().is_some_and(CancelToken::is_cancelled);
        let cancels = is_cancelled && self.on_cancel == OnCancel::Cancel;
        // What was answered by then is billed; the next run reads it.
        let cancelled = cancels && self.caller.cancel_batch(&self.options(None), batch).is_ok();
        let what = if cancelled { "is being cancelled" } else { "goes on at the provider" };
        Error::new(
            ErrorKind::Cancelled,
            format!("the run stopped before the batch {} ended; it {what}; {then}", batch.id()),
        )
    }
}

/// Takes the items at these places out.
fn take<J>(jobs: &mut Vec<J>, first: &[usize], second: &[usize]) -> (Vec<J>, Vec<J>) {
    let (mut one, mut two, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    let (first, second): (HashSet<_>, HashSet<_>) =
        (first.iter().collect(), second.iter().collect());
    for (place, job) in std::mem::take(jobs).into_iter().enumerate() {
        if first.contains(&place) {
            one.push(job);
        } else if second.contains(&place) {
            two.push(job);
        } else {
            rest.push(job);
        }
    }
    *jobs = rest;
    (one, two)
}
