//! The channels and files around the core of a run.

mod batches;
mod ending;
mod intake;
#[cfg(test)]
mod tests;

use crossbeam_channel::{Receiver, at, never, select};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::core::Core;
use super::dedupe::{Answered, Duplicates};
use super::failures::Failures;
use super::progress::{End, Progress, Status};
use super::run::Runner;
use super::settings::{OnCancel, Settings};
use super::task::Task;
use super::threads::Workers;
use super::verdict::Again;
use super::worker::{Call, Ended, Job, Map, Outcome, Report, Shared, Work};
use crate::cancel::{CancelToken, Listening};
use crate::error::Error;
use crate::fingerprint::Fingerprint;
use crate::journal::{self, Index, Opened};
use batches::Batches;
use intake::Past;

type Item<W> = (String, Box<<W as Task>::Request>);
type Items<'a, W> = Box<dyn Iterator<Item = Item<W>> + 'a>;
type Yielded<T> = (String, Result<T, Error>);

/// A run: reads items on the caller's thread, and has workers make their calls.
pub(super) struct Shell<'a, W: Task, T: Send + 'static> {
    /// The items that were not read yet; `None` after the last one, or once the run stops.
    items: Option<Items<'a, W>>,
    /// The first item, which was read to open the journal.
    first: Option<Item<W>>,
    core: Core<Job<W>, Yielded<T>>,
    index: Index,
    past: Option<Past>,
    duplicates: Option<Duplicates<W::Answer, Job<W>>>,
    /// The batches, if the run uses them.
    batches: Option<Batches<W>>,
    failures: Option<Failures>,
    shared: Arc<Shared<W, T>>,
    /// The caller's token, and what it does.
    cancelled: Option<(Receiver<()>, Listening)>,
    on_cancel: OnCancel,
    /// Cancels the calls in flight.
    in_flight: CancelToken,
    workers: Workers<W, T>,
    /// What progress shows now: how many items wait, and how many calls may be in flight.
    shape: (usize, usize),
    /// Why items that were not sent are not done.
    stopped: Option<Error>,
    /// What went wrong with a file. It ends the run.
    fault: Option<Error>,
    ended: bool,
}

impl<'a, W: Task, T: Send + 'static> Shell<'a, W, T> {
    pub(super) fn start(
        mut items: Items<'a, W>,
        call: Call<W>,
        map: Map<W, T>,
        settings: Settings,
    ) -> Result<Self, Error> {
        let first = items.next();
        let opened = settings.journal.as_ref().map(|journal| {
            let first = first.as_ref().map(|(id, request)| (id, W::fingerprint(request)));
            let first = first.map(|first| Fingerprint::of_json(&first));
            journal::open(journal, journal::Job { task: W::NAME, first })
        });
        Self::resume((first, items), call, map, settings, opened.transpose()?)
    }

    /// Starts with what an earlier run has done.
    fn resume(
        (first, items): (Option<Item<W>>, Items<'a, W>),
        call: Call<W>,
        map: Map<W, T>,
        settings: Settings,
        opened: Option<Opened>,
    ) -> Result<Self, Error> {
        let (index, writer, mut reader, open) = match opened {
            Some(Opened { index, writer, reader, batches }) => {
                (index, Some(writer), Some(reader), batches)
            }
            None => (Index::new(), None, None, Vec::new()),
        };
        let batches = Batches::open(&settings, open, reader.as_mut())?;
        let core = Core::new(settings.workers, settings.look_ahead(), settings.ordered);
        let past = reader.zip(settings.journal).map(|(reader, journal)| Past {
            reader,
            repeat_failures: journal.repeat_failures,
            replay: journal.replay,
        });
        let failures = settings.failures.as_deref().map(Failures::create).transpose()?;
        let cancelled = settings.cancel.as_ref().map(CancelToken::channel);
        let mut this = Self {
            items: first.is_some().then_some(items),
            first,
            core,
            index,
            past,
            duplicates: settings.deduplicate.then(Duplicates::default),
            batches,
            failures,
            shared: Arc::new(Shared {
                call,
                map,
                journal: writer,
                progress: Progress::new(settings.total, settings.workers, Instant::now()),
                on_budget: settings.on_budget,
                stop_on: settings.stop_on,
                keep_answers: settings.deduplicate,
                cancel: settings.cancel,
                stopped: AtomicBool::new(false),
            }),
            cancelled,
            on_cancel: settings.on_cancel,
            in_flight: CancelToken::new(),
            workers: Workers::new(settings.workers),
            shape: (0, settings.workers),
            stopped: None,
            fault: None,
            ended: false,
        };
        this.resume_batches();
        Ok(this)
    }

    fn next(&mut self) -> Option<Yielded<T>> {
        while !self.ended {
            while let Ok(report) = self.workers.reports.try_recv() {
                self.take(report);
            }
            self.note_batches();
            self.fill();
            if let Some(result) = self.core.pop() {
                return Some(result);
            }
            if self.items.is_none() && self.core.is_empty() {
                self.end(self.stopped.is_none());
            } else {
                self.start_batches(true);
                self.wait();
            }
        }
        None
    }

    /// Gives the workers as many items as they may have.
    fn fill(&mut self) {
        self.note_cancelled();
        self.send_waiting();
        while self.core.may_read(self.batches.is_some()) {
            let Some(item) = self.first.take().or_else(|| self.items.as_mut()?.next()) else {
                self.items = None;
                break;
            };
            self.read(item);
            // Skipping what the journal has can take long.
            self.note_cancelled();
        }
        // Some of those that were read are called, because no batch takes them.
        self.send_waiting();
        self.start_batches(false);
        let shape = self.core.shape();
        if std::mem::replace(&mut self.shape, shape) != shape {
            self.shared.progress.update(|counts| counts.shape(shape));
        }
    }

    /// Sends the items that wait, as far as the pace allows.
    fn send_waiting(&mut self) {
        while let Some(job) = self.core.take_waiting(Instant::now()) {
            self.send(job);
        }
    }

    /// Gives an item to the workers, or to the next batch.
    fn send(&mut self, job: Job<W>) {
        match job.work {
            Work::Batch(of) => self.add_to_batch(job, of),
            _ => self.dispatch(job),
        }
    }

    /// Gives an item to the workers, and starts one if all are busy.
    fn dispatch(&mut self, mut job: Job<W>) {
        job.begun = self.core.send();
        if let Err(error) = self.workers.start(self.core.sent(), &self.shared) {
            self.core.unsend();
            self.fail_run(error.clone());
            return self.unfinished(job, error);
        }
        self.workers.send(job);
    }

    /// Takes an item back from a worker.
    fn take(&mut self, Report { mut job, outcome }: Report<W, T>) {
        let Outcome { ended, limited, fault } = *outcome;
        let now = Instant::now();
        let batch = job.batch.take();
        // A result of a batch says nothing about the pace of calls.
        let limited = limited.filter(|_| batch.is_none());
        self.core.returned(job.begun, limited);
        // An item that a budget refused held no money.
        if !matches!(&ended, Ended::Again { again: Again::Released { .. }, .. }) {
            self.core.released(now);
        }
        while self.core.has_too_many() {
            let Some(early) = self.workers.recall() else { break };
            self.core.recall(early);
        }
        match ended {
            Ended::Done(result, answer) => self.done(job, result, answer),
            Ended::Again { again, is_own } if self.stopped.is_none() => {
                if batch.is_some() {
                    job.work = Work::Batch(None);
                }
                job.rounds += u32::from(!is_own);
                let begun = job.begun;
                self.core.hold(job, begun, again, now);
            }
            Ended::Again { .. } | Ended::NotSent => match self.stopped.clone() {
                Some(error) => self.unfinished(job, error),
                // The report that says why is on its way.
                None => self.core.put_back(job),
            },
            Ended::Unfinished(error) => self.unfinished(job, error),
            Ended::Stop(error) => {
                self.stop(error.clone());
                self.unfinished(job, error);
            }
            Ended::Panicked(panic) => {
                self.shut_down();
                resume_unwind(panic);
            }
        }
        if let Some(fault) = fault {
            self.fail_run(fault);
        }
        if let Some(batch) = batch {
            self.received(batch);
        }
    }

    /// Notes the result of an item, and of those that wait for the same.
    fn done(&mut self, job: Job<W>, result: Result<T, Error>, answer: Option<Arc<W::Answer>>) {
        if let Err(error) = &result {
            self.keep_failure(&job.id, error, &job.request);
        }
        let answer = answer.map(|answer| Answered { id: job.id.as_str().into(), answer });
        for other in self.equal(&job, answer.clone()) {
            match (&answer, &result) {
                (Some(answer), _) => self.send(Job { work: Work::Same(answer.clone()), ..other }),
                (None, Err(error)) => {
                    let fault = self.shared.record_failure(&other, error);
                    self.fail(other, error.clone());
                    if let Some(fault) = fault {
                        self.fail_run(fault);
                    }
                }
                (None, Ok(_)) => {}
            }
        }
        self.core.finish(job.number, (job.id, result));
    }

    /// The items that wait for the same answer as this one.
    fn equal(&mut self, job: &Job<W>, answer: Option<Answered<W::Answer>>) -> Vec<Job<W>> {
        match (&mut self.duplicates, job.print) {
            (Some(duplicates), Some(print)) if job.leads => duplicates.ended(print, answer),
            _ => Vec::new(),
        }
    }

    /// Notes the failure of an item that was not sent itself.
    fn fail(&mut self, job: Job<W>, error: Error) {
        self.shared.progress.update(|counts| counts.ended(End::Failed, None, Instant::now()));
        self.keep_failure(&job.id, &error, &job.request);
        self.core.finish(job.number, (job.id, Err(error)));
    }

    /// Notes that an item is not done, and neither are those that wait for the same.
    fn unfinished(&mut self, job: Job<W>, error: Error) {
        for job in self.equal(&job, None).into_iter().chain([job]) {
            self.shared.progress.update(|counts| {
                counts.ended(End::Unfinished, None, Instant::now());
            });
            self.core.finish(job.number, (job.id, Err(error.clone())));
        }
    }

    /// Leaves an item undone that has no job.
    fn leave(&mut self, id: String, error: Error) {
        self.shared.progress.update(|counts| counts.ended(End::Unfinished, None, Instant::now()));
        let number = self.core.add();
        self.core.finish(number, (id, Err(error)));
    }

    fn keep_failure(&mut self, id: &str, error: &Error, request: &W::Request) {
        let kept = self.failures.as_mut().map(|failures| failures.add(id, error, request));
        if let Some(Err(fault)) = kept {
            self.failures = None;
            self.fail_run(fault);
        }
    }

    /// Waits until a call ends, an item is due, or the caller cancels.
    fn wait(&mut self) {
        let flush = self.shared.journal.as_ref().and_then(journal::Writer::flush_due);
        let batches = self.batches.as_ref();
        let batch = batches.and_then(Batches::wake);
        let due = [self.core.wake(), flush, batch].into_iter().flatten().min();
        if due.is_none() && self.cancelled.is_none() && batches.is_none() {
            // The usual case, without the cost of `select!`.
            if let Ok(report) = self.workers.reports.recv() {
                self.take(report);
            }
            return;
        }
        let due = due.map_or_else(never, at);
        let (never_cancelled, no_news) = (never(), never());
        let news = batches.map_or(&no_news, |batches| &batches.news);
        let cancelled =
            self.cancelled.as_ref().map_or(&never_cancelled, |(cancelled, _)| cancelled);
        select! {
            recv(self.workers.reports) -> report => {
                if let Ok(report) = report {
                    self.take(report);
                }
            }
            recv(news) -> news => {
                if let Ok((number, event)) = news {
                    self.note_batch(number, event);
                }
            }
            recv(cancelled) -> _ => {
                self.cancelled = None;
                self.note_cancelled();
            }
            recv(due) -> _ => {
                if flush.is_some_and(|flush| flush <= Instant::now()) {
                    self.flush();
                }
            }
        }
    }

    fn flush(&mut self) {
        let flushed = self.shared.journal.as_ref().map(|journal| journal.flush(Instant::now()));
        if let Some(Err(fault)) = flushed {
            self.fail_run(fault);
        }
    }
}

impl<W: Task, T: Send + 'static> Drop for Shell<'_, W, T> {
    fn drop(&mut self) {
        self.shut_down();
    }
}

impl<W: Task, T: Send + 'static> Runner<T> for Shell<'_, W, T> {
    fn next(&mut self) -> Option<Yielded<T>> {
        Shell::next(self)
    }

    fn progress(&self) -> &Progress {
        &self.shared.progress
    }

    fn finish(&mut self) -> Result<Status, Error> {
        self.shut_down();
        match self.fault.take() {
            Some(fault) => Err(fault),
            None => Ok(self.shared.progress.status()),
        }
    }
}
