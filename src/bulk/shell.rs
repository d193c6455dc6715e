//! The threads, channels and files around the core of a run.

use crossbeam_channel::{Receiver, Sender, at, never, select, unbounded};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::core::Core;
use super::dedupe::{Answered, Duplicates, Found};
use super::failures::Failures;
use super::pace::Round;
use super::progress::{End, Progress, Status};
use super::run::Runner;
use super::settings::{OnCancel, Settings};
use super::task::Task;
use super::worker::{Call, Ended, Job, Map, Outcome, Report, Shared, Work};
use crate::cancel::{CancelToken, Listening};
use crate::error::{Error, ErrorKind};
use crate::fingerprint::Fingerprint;
use crate::journal::{self, Entered, Index, Opened, Reader};

/// The longest id, in bytes.
const LONGEST_ID: usize = 1_024;

type Item<W> = (String, <W as Task>::Request);
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
    failures: Option<Failures>,
    shared: Arc<Shared<W, T>>,
    /// The caller's token, and what it does.
    cancelled: Option<(Receiver<()>, Listening)>,
    on_cancel: OnCancel,
    /// Cancels the calls in flight.
    in_flight: CancelToken,
    workers: Workers<W, T>,
    /// Why items that were not sent are not done.
    stopped: Option<Error>,
    /// What went wrong with a file. It ends the run.
    fault: Option<Error>,
    ended: bool,
}

/// What earlier runs have done.
struct Past {
    reader: Reader,
    repeat_failures: bool,
    replay: bool,
}

/// The threads of a run, and the ways to and from them.
struct Workers<W: Task, T: Send + 'static> {
    most: usize,
    threads: Vec<JoinHandle<()>>,
    /// Where jobs go; `None` once no more will come.
    jobs: Option<Sender<Job<W>>>,
    queue: Receiver<Job<W>>,
    report: Sender<Report<W, T>>,
    reports: Receiver<Report<W, T>>,
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
        let (index, writer, reader) = match opened {
            Some(Opened { index, writer, reader }) => (index, Some(writer), Some(reader)),
            None => (Index::new(), None, None),
        };
        let past = reader.zip(settings.journal).map(|(reader, journal)| Past {
            reader,
            repeat_failures: journal.repeat_failures,
            replay: journal.replay,
        });
        let failures = settings.failures.as_deref().map(Failures::create).transpose()?;
        let cancelled = settings.cancel.as_ref().map(CancelToken::channel);
        let (jobs, queue) = unbounded();
        let (report, reports) = unbounded();
        Ok(Self {
            items: first.is_some().then_some(items),
            first,
            core: Core::new(settings.workers, settings.look_ahead, settings.ordered),
            index,
            past,
            duplicates: settings.deduplicate.then(Duplicates::default),
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
            workers: Workers {
                most: settings.workers,
                threads: Vec::new(),
                jobs: Some(jobs),
                queue,
                report,
                reports,
            },
            stopped: None,
            fault: None,
            ended: false,
        })
    }

    fn next(&mut self) -> Option<Yielded<T>> {
        while !self.ended {
            while let Ok(report) = self.workers.reports.try_recv() {
                self.take(report);
            }
            self.fill();
            if let Some(result) = self.core.pop() {
                return Some(result);
            }
            if self.items.is_none() && self.core.is_empty() {
                self.end();
            } else {
                self.wait();
            }
        }
        None
    }

    /// Gives the workers as many items as they may have.
    fn fill(&mut self) {
        self.note_cancelled();
        while let Some(job) = self.core.take_waiting(Instant::now()) {
            self.send(job);
        }
        while self.core.may_read() {
            let Some(item) = self.first.take().or_else(|| self.items.as_mut()?.next()) else {
                self.items = None;
                break;
            };
            self.read(item);
            // Skipping what the journal has can take long.
            self.note_cancelled();
        }
        let (waiting, limit) = self.core.shape();
        self.shared.progress.update(|counts| counts.shape(waiting, limit));
    }

    /// Decides what becomes of an item that was just read.
    fn read(&mut self, (id, request): Item<W>) {
        self.shared.progress.update(|counts| counts.read());
        if let Some(problem) = id_problem(&id) {
            return self.refuse(id, request, problem);
        }
        let has_print = self.past.is_some() || self.duplicates.is_some();
        let print = has_print.then(|| W::fingerprint(&request));
        match self.index.enter(&id, print) {
            Entered::New => self.begin(id, request, print, Work::Call),
            Entered::Duplicate => {
                let problem = format!(
                    "the id {id:?} occurs twice; the second item is not sent, because every item \
                     needs an id of its own"
                );
                self.refuse(id, request, problem);
            }
            Entered::Known { failed, same_request, offset } => {
                self.known(id, request, print, (failed, same_request, offset));
            }
        }
    }

    /// Decides what becomes of an item that the journal has.
    fn known(
        &mut self,
        id: String,
        request: W::Request,
        print: Option<Fingerprint>,
        (failed, same_request, offset): (bool, bool, u64),
    ) {
        let Some(past) = &mut self.past else { return };
        if failed && past.repeat_failures {
            return self.begin(id, request, print, Work::Call);
        }
        if !same_request {
            let error = Error::new(
                ErrorKind::Configuration,
                format!(
                    "the journal has another request for the id {id:?}, so it belongs to another \
                     job, or the input has changed; use another journal"
                ),
            );
            self.fail_run(error.clone());
            return self.leave(id, error);
        }
        if failed {
            match past.reader.failure(offset) {
                Ok(error) => {
                    self.shared.progress.update(|counts| counts.skipped(End::Failed));
                    self.keep_failure(&id, &error, &request);
                    if self.past.as_ref().is_some_and(|past| past.replay) {
                        let number = self.core.add();
                        self.core.finish(number, (id, Err(error)));
                    }
                }
                Err(fault) => {
                    self.fail_run(fault.clone());
                    self.leave(id, fault);
                }
            }
        } else if past.replay {
            match past.reader.answer(offset) {
                Ok(answer) => self.begin(id, request, print, Work::Replay(Box::new(answer))),
                Err(fault) => {
                    self.fail_run(fault.clone());
                    self.leave(id, fault);
                }
            }
        } else {
            self.shared.progress.update(|counts| counts.skipped(End::Answered));
        }
    }

    /// Begins an item.
    fn begin(
        &mut self,
        id: String,
        mut request: W::Request,
        print: Option<Fingerprint>,
        work: Work<W::Answer>,
    ) {
        W::token(&mut request).get_or_insert_with(|| self.in_flight.clone());
        let number = self.core.add();
        let mut job = Job { number, id, request, print, work, rounds: 0, round: Round::default() };
        if let (Some(duplicates), Some(print), Work::Call) =
            (&mut self.duplicates, print, &job.work)
        {
            job = match duplicates.find(print, job) {
                Found::First(job) => job,
                Found::Waits => return,
                Found::Answered(job, answer) => Job { work: Work::Same(answer), ..job },
            };
        }
        self.send(job);
    }

    /// Gives an item to the workers, and starts one if all are busy.
    fn send(&mut self, mut job: Job<W>) {
        job.round = self.core.send();
        if let Err(error) = self.workers.start(self.core.sent(), &self.shared) {
            self.core.unsend();
            self.fail_run(error.clone());
            return self.unfinished(job, error);
        }
        if let Some(jobs) = &self.workers.jobs {
            // This run holds a receiver, so it cannot fail.
            let _ = jobs.send(job);
        }
    }

    /// Takes an item back from a worker.
    fn take(&mut self, Report { mut job, outcome }: Report<W, T>) {
        let Outcome { ended, limited, fault } = outcome;
        let now = Instant::now();
        self.core.returned(job.round, limited, now);
        while self.core.has_too_many() {
            let Ok(early) = self.workers.queue.try_recv() else { break };
            self.core.recall(early);
        }
        match ended {
            Ended::Done(result, answer) => self.done(job, result, answer),
            Ended::Again(again) if self.stopped.is_none() => {
                job.rounds += 1;
                self.core.hold(job, again, now);
            }
            Ended::Again(_) | Ended::NotSent => {
                let error = self.stopped.clone().unwrap_or_else(Error::cancelled);
                self.unfinished(job, error);
            }
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
                    fault.map(|fault| self.fail_run(fault));
                }
                (None, Ok(_)) => {}
            }
        }
        self.core.finish(job.number, (job.id, result));
    }

    /// The items that wait for the same answer as this one.
    fn equal(&mut self, job: &Job<W>, answer: Option<Answered<W::Answer>>) -> Vec<Job<W>> {
        match (&mut self.duplicates, job.print, &job.work) {
            (Some(duplicates), Some(print), Work::Call) => duplicates.ended(print, answer),
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

    /// Refuses an item for its id. The journal has no line for it, because lines go by id.
    fn refuse(&mut self, id: String, request: W::Request, problem: String) {
        let (number, print) = (self.core.add(), None);
        let (work, round) = (Work::Call, Round::default());
        let job = Job { number, id, request, print, work, rounds: 0, round };
        self.fail(job, Error::invalid_request(problem));
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

    fn note_cancelled(&mut self) {
        let is_cancelled = self.shared.cancel.as_ref().is_some_and(CancelToken::is_cancelled);
        if is_cancelled && self.stopped.is_none() {
            self.stop(Error::cancelled());
            if self.on_cancel == OnCancel::Cancel {
                self.in_flight.cancel();
            }
        }
    }

    /// Stops the run because of a file. If no item shows the error, the next one does.
    fn fail_run(&mut self, error: Error) {
        if self.fault.is_some() {
            return;
        }
        self.fault = Some(error.clone());
        let next = self.first.take().or_else(|| self.items.as_mut()?.next());
        self.stop(error.clone());
        if let Some((id, _)) = next {
            self.shared.progress.update(|counts| counts.read());
            self.leave(id, error);
        }
    }

    /// Reads and sends no more items. Those that no worker has begun end with this error.
    fn stop(&mut self, error: Error) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        (self.items, self.first) = (None, None);
        let error = self.stopped.get_or_insert(error).clone();
        while let Ok(job) = self.workers.queue.try_recv() {
            self.core.unsend();
            self.unfinished(job, error.clone());
        }
        while let Some(job) = self.core.take_any() {
            self.unfinished(job, error.clone());
        }
    }

    /// Waits until a call ends, an item is due, or the caller cancels.
    fn wait(&mut self) {
        let flush = self.shared.journal.as_ref().and_then(journal::Writer::flush_due);
        let due = [self.core.wake(), flush].into_iter().flatten().min();
        let due = due.map_or_else(never, at);
        let never_cancelled = never();
        let cancelled =
            self.cancelled.as_ref().map_or(&never_cancelled, |(cancelled, _)| cancelled);
        select! {
            recv(self.workers.reports) -> report => {
                if let Ok(report) = report {
                    self.take(report);
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

    /// Ends the run after its last item.
    fn end(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.workers.join();
        self.flush();
        if let Some(Err(fault)) = self.failures.take().map(Failures::finish) {
            self.fail_run(fault);
        }
        self.shared.progress.update(|counts| counts.run_ended(Instant::now()));
    }

    /// Ends the run at once: cancels the calls in flight and waits for the workers.
    fn shut_down(&mut self) {
        if self.ended {
            return;
        }
        self.shared.stopped.store(true, Ordering::Relaxed);
        (self.items, self.first) = (None, None);
        self.in_flight.cancel();
        while self.workers.queue.try_recv().is_ok() {}
        self.end();
    }
}

impl<W: Task, T: Send + 'static> Workers<W, T> {
    /// Starts a worker if there are fewer than jobs.
    fn start(&mut self, jobs: usize, shared: &Arc<Shared<W, T>>) -> Result<(), Error> {
        if self.threads.len() >= self.most.min(jobs) {
            return Ok(());
        }
        let (queue, report, shared) = (self.queue.clone(), self.report.clone(), Arc::clone(shared));
        let work = move || {
            for job in queue {
                if report.send(shared.work(job)).is_err() {
                    return;
                }
            }
        };
        match thread::Builder::new().name("tollgate-bulk".to_owned()).spawn(work) {
            Ok(thread) => self.threads.push(thread),
            // Those that run do its work.
            Err(_) if !self.threads.is_empty() => {}
            Err(cause) => {
                let message = format!("no thread can be started: {cause}");
                return Err(Error::new(ErrorKind::Configuration, message).with_source(cause));
            }
        }
        Ok(())
    }

    fn join(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A worker catches the panics of its work.
            let _ = thread.join();
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

/// Why an id cannot be used.
fn id_problem(id: &str) -> Option<String> {
    match id.len() {
        0 => Some("the id is empty; every item needs an id of its own".to_owned()),
        ..=LONGEST_ID => None,
        length => Some(format!(
            "the id has {length} bytes, but at most {LONGEST_ID} are allowed; use a shorter one"
        )),
    }
}

#[cfg(test)]
mod tests;
