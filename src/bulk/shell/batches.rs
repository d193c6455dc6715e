//! The batches of a run: starts them, and hands their results to the workers.

use crossbeam_channel::{Receiver, Sender, unbounded};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime};

use super::Shell;
use crate::batch::BatchOutcome;
use crate::bulk::batched::{
    Action, BatchEnd, BatchThread, Batched, Contents, Event, InBatch, Interrupted, NextBatch, Over,
    Plan, Rules, Unread,
};
use crate::bulk::settings::Settings;
use crate::bulk::task::Task;
use crate::bulk::worker::{Job, Work};
use crate::call::Caller;
use crate::cancel::CancelToken;
use crate::chat::Provider;
use crate::display;
use crate::error::{Error, ErrorKind};
use crate::fingerprint::Fingerprint;
use crate::journal::{self, OpenBatch, Reader};

/// The batches of a run.
pub(super) struct Batches<W: Task> {
    settings: Batched,
    caller: Arc<Caller>,
    plan: Plan<Job<W>>,
    /// Ends the waits for results.
    pub(super) waiting: CancelToken,
    events: Sender<(u64, Event<W>)>,
    pub(super) news: Receiver<(u64, Event<W>)>,
    threads: Vec<JoinHandle<()>>,
    /// The batches of earlier runs, which are resumed when the run begins.
    interrupted: Vec<Interrupted>,
}

impl<W: Task> InBatch for Job<W> {
    fn id(&self) -> &str {
        &self.id
    }

    fn rounds(&mut self) -> &mut u32 {
        &mut self.rounds
    }
}

impl<W: Task> Batches<W> {
    /// The batches that these settings ask for, and those that the journal has.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) if the journal has some and the run has none, or
    /// their lines are damaged.
    pub(super) fn open(
        settings: &Settings,
        open: Vec<OpenBatch>,
        reader: Option<&mut Reader>,
    ) -> Result<Option<Self>, Error> {
        let Some((batched, caller)) = &settings.batched else {
            return match open.len() {
                0 => Ok(None),
                count => Err(Error::new(
                    ErrorKind::Configuration,
                    format!(
                        "the journal has {} in flight, and calls for their items would pay twice; \
                         use Bulk::batched, so that the run reads their results",
                        display::counted(count as u64, "batch")
                    ),
                )),
            };
        };
        let mut interrupted = Vec::new();
        if let Some(reader) = reader {
            for OpenBatch { name, steps } in open {
                let since = steps.first().copied().unwrap_or_default();
                let steps = steps.into_iter().map(|offset| reader.batch_step(offset));
                interrupted.push(Interrupted::of_steps(name, since, steps)?);
            }
        }
        let rules = Rules {
            fall_back: batched.fall_back,
            on_budget: settings.on_budget,
            pause: (batched.times.first, batched.times.longest),
        };
        let most = batched.max_requests.min(settings.look_ahead());
        let (events, news) = unbounded();
        Ok(Some(Self {
            settings: *batched,
            caller: Arc::clone(caller),
            plan: Plan::new(rules, most, batched.in_flight),
            waiting: CancelToken::new(),
            events,
            news,
            threads: Vec::new(),
            interrupted,
        }))
    }

    /// Which batch of an earlier run has an item, and with which request. Asked once for each item.
    pub(super) fn claim(&mut self, id: &str) -> Option<(u64, Fingerprint)> {
        self.plan.claim(id)
    }

    /// When a batch can be submitted that waits.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.plan.next_due()
    }
}

impl<W: Task, T: Send + 'static> Shell<'_, W, T> {
    /// Goes on with the batches of earlier runs.
    pub(super) fn resume_batches(&mut self) {
        let Some(batches) = &mut self.batches else { return };
        for interrupted in std::mem::take(&mut batches.interrupted) {
            let Some(batches) = &mut self.batches else { return };
            let since = interrupted.since;
            let has_line =
                |(id, request): &(String, Fingerprint)| self.index.is_done(id, *request, since);
            let (done, open): (Vec<_>, Vec<_>) =
                interrupted.items.iter().cloned().partition(has_line);
            let done = done.into_iter().map(|(id, _)| id).collect();
            let (name, provider) = (interrupted.name.clone(), interrupted.batch.provider.clone());
            let number = batches.plan.resume(name.clone(), provider.clone(), open);
            let contents = Contents::Interrupted(Box::new(interrupted), done);
            self.start_batch(number, provider, name, contents);
        }
    }

    /// Adds an item to those that will be submitted.
    pub(super) fn add_to_batch(&mut self, job: Job<W>, of: Option<u64>) {
        if let Some(number) = of {
            self.core.enter_batch();
            let action = self.batches.as_mut().and_then(|batches| batches.plan.park(number, job));
            return self.act(action);
        }
        let Some(Batches { caller, plan, .. }) = &mut self.batches else { return };
        match caller.batch_provider(W::in_batch(&job.request)) {
            Ok(provider) => {
                self.core.enter_batch();
                plan.add(&provider, job);
            }
            Err(error) if plan.calls_instead(&error) => {
                self.core.put_back(Job { work: Work::Call, ..job });
            }
            Err(error) => {
                let advice = "Batched::fall_back_to_calls calls for such items".to_owned();
                let outcome = BatchOutcome::Failed(error.with_advice(Some(advice)));
                self.dispatch(Job { work: Work::Received(Box::new(outcome)), ..job });
            }
        }
    }

    /// Submits the batches for which there are enough items, or any if no other items can come.
    pub(super) fn start_batches(&mut self, nothing_else_happens: bool) {
        while let Some(Batches { plan, .. }) = &mut self.batches {
            let all_wait = self.core.sent() == 0 && self.core.in_batches() == plan.waiting();
            let is_stuck = nothing_else_happens && all_wait;
            let any = self.items.is_none() || is_stuck;
            let name = || format!("{:032x}", fastrand::u128(..));
            let Some(next) = plan.next_batch(any, name, Instant::now()) else { return };
            let NextBatch { number, provider, name, jobs } = next;
            self.start_batch(number, provider, name, Contents::Items(jobs));
        }
    }

    fn start_batch(
        &mut self,
        number: u64,
        provider: Provider,
        name: String,
        contents: Contents<W>,
    ) {
        let Some(batches) = &mut self.batches else { return };
        let thread = BatchThread {
            number,
            provider,
            name,
            caller: Arc::clone(&batches.caller),
            times: batches.settings.times,
            on_deadline: batches.settings.on_deadline,
            shared: Arc::clone(&self.shared),
            in_flight: self.in_flight.clone(),
            waiting: batches.waiting.clone(),
            on_cancel: self.on_cancel,
            repeats: self.past.as_ref().is_some_and(|past| past.repeat_failures),
            events: batches.events.clone(),
        };
        match thread.start() {
            Ok((thread, load)) => {
                batches.threads.push(thread);
                // The thread waits for it.
                let _ = load.send(contents);
            }
            Err(error) => {
                if let Contents::Items(jobs) = contents {
                    batches.plan.submitted(number, jobs);
                }
                let end = BatchEnd { error: Some(error.clone()), ..BatchEnd::default() };
                self.fail_run(error);
                self.batch_ended(number, end);
            }
        }
    }

    /// Notes what has happened to the batches in flight.
    pub(super) fn note_batches(&mut self) {
        while let Some(Ok((number, event))) =
            self.batches.as_ref().map(|batches| batches.news.try_recv())
        {
            self.note_batch(number, event);
        }
    }

    pub(super) fn note_batch(&mut self, number: u64, event: Event<W>) {
        let Some(Batches { plan, .. }) = &mut self.batches else { return };
        match event {
            Event::Submitted(jobs) => plan.submitted(number, jobs),
            Event::NotCreated(ids) => plan.not_created(number, &ids),
            Event::NotSubmitted(left) => {
                for (job, error) in left {
                    let stops = self.stops_on(&error);
                    let Some(Batches { plan, .. }) = &mut self.batches else { return };
                    let action = match stops {
                        true => plan.stops(number, job, error),
                        false => plan.not_submitted(number, job, error, SystemTime::now()),
                    };
                    self.act(action);
                }
            }
            Event::Lost(jobs, error) => {
                jobs.into_iter().for_each(|job| self.undone(job, error.clone()));
            }
            Event::Result(id, outcome, refused) => {
                let action = plan.result(number, id, outcome, refused);
                self.act(action);
            }
            Event::Ended(end, fault) => {
                if let Some(fault) = fault {
                    self.fail_run(fault);
                }
                self.batch_ended(number, end);
            }
            Event::Panicked(panic) => {
                self.shut_down();
                resume_unwind(panic);
            }
        }
    }

    fn stops_on(&self, error: &Error) -> bool {
        self.shared.stop_on.as_ref().is_some_and(|stops| stops(error))
    }

    fn batch_ended(&mut self, number: u64, end: BatchEnd) {
        if let Some(error) = end.error.clone().filter(|error| self.stops_on(error)) {
            self.stop(error);
        }
        let Some(Batches { plan, .. }) = &mut self.batches else { return };
        let actions = plan.ended(number, end, Instant::now());
        actions.into_iter().for_each(|action| self.act(Some(action)));
        if let Some(error) = self.stopped.clone() {
            self.drop_waiting(&error);
        }
        self.close_batches(false);
    }

    fn act(&mut self, action: Option<Action<Job<W>>>) {
        match action {
            Some(Action::Receive(job, outcome, number)) => {
                self.core.leave_batch();
                let work = Work::Received(Box::new(outcome));
                self.dispatch(Job { work, batch: Some(number), ..job });
            }
            Some(Action::Call(job)) => {
                self.core.leave_batch();
                self.core.put_back(Job { work: Work::Call, ..job });
            }
            Some(Action::Undone(job, error)) => self.undone(job, error),
            None => {}
        }
    }

    /// An item that no worker had ends without a result.
    fn undone(&mut self, job: Job<W>, error: Error) {
        self.core.leave_batch();
        self.unfinished(job, error);
    }

    /// Leaves the batches in flight, which have no items of this run any more, and waits for their
    /// threads.
    pub(super) fn end_batches(&mut self, all_read: bool) {
        self.leave_batches();
        let Some(batches) = &mut self.batches else { return };
        for thread in batches.threads.drain(..) {
            // It catches the panics of its work.
            let _ = thread.join();
        }
        // Some have just ended.
        while let Ok((number, event)) = batches.news.try_recv() {
            if let Event::Ended(end, _) = event {
                batches.plan.ended(number, end, Instant::now());
            }
        }
        self.close_batches(all_read);
    }

    /// Waits for no results any more.
    pub(super) fn leave_batches(&self) {
        if let Some(batches) = &self.batches {
            batches.waiting.cancel();
        }
    }

    /// Ends the items that wait to be submitted, because the run stops.
    pub(super) fn drop_waiting(&mut self, error: &Error) {
        while let Some(job) = self.batches.as_mut().and_then(|batches| batches.plan.take_any()) {
            self.undone(job, error.clone());
        }
    }

    /// A worker is done with the result of a batch.
    pub(super) fn received(&mut self, number: u64) {
        if let Some(batches) = &mut self.batches {
            batches.plan.received(number);
            self.close_batches(false);
        }
    }

    /// Notes in the journal which batches are over. At the end of the input, answers that no item
    /// was read for are kept too.
    pub(super) fn close_batches(&mut self, all_read: bool) {
        let Some(batches) = &mut self.batches else { return };
        let over = batches.plan.over(all_read);
        let Some(journal) = &self.shared.journal else { return };
        let mut written = Ok(());
        for Over { name, unread } in over {
            let answers = unread.into_iter().filter_map(|Unread { id, request, outcome }| {
                Some((id, request, W::of_batch(outcome).ok()?))
            });
            let answers = answers.map(|(id, request, mut answer)| {
                W::take_raw(&mut answer);
                journal::answered(&id, request, None, &answer)
            });
            let end = journal::batch_step(&name, None::<&()>);
            for line in answers.chain([end]) {
                let appended = line.and_then(|line| journal.append(&line, Instant::now()));
                written = written.and(appended);
            }
        }
        if let Err(fault) = written {
            self.fail_run(fault);
        }
    }
}
