//! Which items are submitted together, and what follows from their results.

use std::collections::{BTreeMap, HashMap};
use std::time::{Instant, SystemTime};

use super::groups::Groups;
use super::next_step::{NextStep, Pause, Rules};
use crate::batch::BatchOutcome;
use crate::chat::Provider;
use crate::error::Error;
use crate::fingerprint::Fingerprint;

/// An item as the plan sees it.
pub(crate) trait InBatch {
    fn id(&self) -> &str;

    /// How often it was submitted again.
    fn rounds(&mut self) -> &mut u32;
}

/// What is to be done with an item.
#[derive(Debug)]
pub(crate) enum Action<J> {
    /// A worker notes this result of the batch with this number. [`Plan::received`] follows.
    Receive(J, BatchOutcome, u64),
    /// A worker calls the provider.
    Call(J),
    /// The run ends without a result for it.
    Undone(J, Error),
}

/// How a batch ended.
#[derive(Debug, Default)]
pub(crate) struct BatchEnd {
    /// Why there are no results, if so. Items that wait for them are not done.
    pub(crate) error: Option<Error>,
    /// Whether no later run needs to look at it, once its items have their lines.
    pub(crate) is_over: bool,
    /// Whether the journal has lines about it.
    pub(crate) has_lines: bool,
}

/// A batch that no later run needs to look at.
pub(crate) struct Over {
    /// Its name in the journal.
    pub(crate) name: String,
    pub(crate) unread: Vec<Unread>,
}

/// An answer that no item was read for.
pub(crate) struct Unread {
    pub(crate) id: String,
    pub(crate) request: Fingerprint,
    pub(crate) outcome: BatchOutcome,
}

/// The batches of a run, and the items that are in them or will be.
pub(crate) struct Plan<J> {
    rules: Rules,
    most_in_flight: usize,
    groups: Groups<J>,
    resting: Vec<Resting<J>>,
    batches: BTreeMap<u64, InFlight<J>>,
    /// The items of interrupted batches that have not been read.
    claimed: HashMap<String, (u64, Fingerprint)>,
    started: u64,
}

/// A batch to submit.
pub(crate) struct NextBatch<J> {
    pub(crate) number: u64,
    pub(crate) provider: Provider,
    /// Its name in the journal.
    pub(crate) name: String,
    pub(crate) jobs: Vec<J>,
}

/// Items that are submitted again later.
struct Resting<J> {
    due: Instant,
    until_another_ends: bool,
    provider: Provider,
    jobs: Vec<J>,
}

/// A batch that is submitted, waited for or read.
struct InFlight<J> {
    /// Its name in the journal.
    name: String,
    provider: Provider,
    /// Whether an earlier run submitted it.
    resumed: bool,
    /// Whether it is known which of its jobs exist.
    submitted: bool,
    /// The items that wait for their results.
    jobs: HashMap<String, J>,
    /// The results whose items have not been read.
    results: HashMap<String, BatchOutcome>,
    /// The items that are submitted again when it has ended, and how long they wait.
    again: Vec<(J, Pause)>,
    /// How many results the workers have.
    at_work: usize,
    end: Option<BatchEnd>,
}

impl<J: InBatch> Plan<J> {
    pub(crate) fn new(rules: Rules, most: usize, most_in_flight: usize) -> Self {
        Self {
            rules,
            most_in_flight,
            groups: Groups::new(most),
            resting: Vec::new(),
            batches: BTreeMap::new(),
            claimed: HashMap::new(),
            started: 0,
        }
    }

    /// Adds an item that is to be submitted.
    pub(crate) fn add(&mut self, provider: &Provider, job: J) {
        self.groups.add(provider, job);
    }

    /// Whether a call answers an item that no batch takes, because of this error.
    pub(crate) fn calls_instead(&self, error: &Error) -> bool {
        self.rules.calls_instead(error)
    }

    /// Adds a batch of an earlier run, and returns its number.
    pub(crate) fn resume(
        &mut self,
        name: String,
        provider: Provider,
        items: impl IntoIterator<Item = (String, Fingerprint)>,
    ) -> u64 {
        let number = self.enter(name, provider, true);
        let items = items.into_iter().map(|(id, request)| (id, (number, request)));
        self.claimed.extend(items);
        number
    }

    fn enter(&mut self, name: String, provider: Provider, resumed: bool) -> u64 {
        self.started += 1;
        let batch = InFlight {
            name,
            provider,
            resumed,
            submitted: false,
            jobs: HashMap::new(),
            results: HashMap::new(),
            again: Vec::new(),
            at_work: 0,
            end: None,
        };
        self.batches.insert(self.started, batch);
        self.started
    }

    /// Takes the items of the next batch, if there is room for one in flight: a full batch, or any if
    /// no item will come before one is submitted. `name` is the batch's name in the journal.
    pub(crate) fn next_batch(
        &mut self,
        any: bool,
        name: impl FnOnce() -> String,
        now: Instant,
    ) -> Option<NextBatch<J>> {
        let resting = std::mem::take(&mut self.resting);
        let (due, later): (Vec<_>, Vec<_>) =
            resting.into_iter().partition(|resting| resting.due <= now);
        self.resting = later;
        for Resting { provider, jobs, .. } in due {
            jobs.into_iter().for_each(|job| self.groups.add(&provider, job));
        }
        if !self.has_room() {
            return None;
        }
        let (provider, jobs) = self.groups.take(any)?;
        let name = name();
        let number = self.enter(name.clone(), provider.clone(), false);
        Some(NextBatch { number, provider, name, jobs })
    }

    /// How many batches have not ended.
    pub(crate) fn in_flight(&self) -> usize {
        self.batches.values().filter(|batch| batch.end.is_none()).count()
    }

    /// Whether another batch may be submitted. One at a time: its bytes are in memory, and where jobs
    /// have no names, a later process must not take one for another.
    fn has_room(&self) -> bool {
        let is_submitting = |batch: &InFlight<J>| !batch.submitted && batch.end.is_none();
        self.in_flight() < self.most_in_flight && !self.batches.values().any(is_submitting)
    }

    /// How many items wait to be submitted.
    pub(crate) fn waiting(&self) -> usize {
        self.groups.len() + self.resting.iter().map(|resting| resting.jobs.len()).sum::<usize>()
    }

    /// When items that rest are submitted again.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.resting.iter().map(|resting| resting.due).min().filter(|_| self.has_room())
    }

    /// Whether an interrupted batch has an item, with this request. The item is claimed no more.
    pub(crate) fn claim(&mut self, id: &str) -> Option<(u64, Fingerprint)> {
        self.claimed.remove(id)
    }

    /// Adds an item that was read to the interrupted batch that has it.
    pub(crate) fn park(&mut self, number: u64, job: J) -> Option<Action<J>> {
        let batch = self.batches.get_mut(&number)?;
        if let Some(outcome) = batch.results.remove(job.id()) {
            return self.decide(number, job, outcome, false);
        }
        match &batch.end {
            Some(BatchEnd { error: Some(error), .. }) => Some(Action::Undone(job, error.clone())),
            _ => {
                batch.jobs.insert(job.id().to_owned(), job);
                None
            }
        }
    }

    /// These items are in a batch that was submitted.
    pub(crate) fn submitted(&mut self, number: u64, jobs: Vec<J>) {
        if let Some(batch) = self.batches.get_mut(&number) {
            batch.submitted = true;
            batch.jobs.extend(jobs.into_iter().map(|job| (job.id().to_owned(), job)));
        }
    }

    /// This item could not be submitted with the batch.
    pub(crate) fn not_submitted(
        &mut self,
        number: u64,
        mut job: J,
        error: Error,
        now: SystemTime,
    ) -> Option<Action<J>> {
        let next = self.rules.not_submitted(error, *job.rounds(), now);
        self.take_step(number, job, next)
    }

    /// This item could not be submitted, and the error stops the run.
    pub(crate) fn stops(&mut self, number: u64, job: J, error: Error) -> Option<Action<J>> {
        self.take_step(number, job, NextStep::Receive(BatchOutcome::Failed(error)))
    }

    /// It is known which jobs of an interrupted batch exist. These items are in none.
    pub(crate) fn not_created(&mut self, number: u64, ids: &[String]) {
        let Some(batch) = self.batches.get_mut(&number) else { return };
        batch.submitted = true;
        for job in ids.iter().filter_map(|id| batch.jobs.remove(id)) {
            self.groups.add(&batch.provider, job);
        }
        for id in ids {
            self.take_claim(number, id);
        }
    }

    /// Takes the claim of this batch to an item. A later batch may have one too.
    fn take_claim(&mut self, number: u64, id: &str) -> Option<Fingerprint> {
        let (_, request) = *self.claimed.get(id).filter(|(of, _)| *of == number)?;
        self.claimed.remove(id);
        Some(request)
    }

    /// Notes the result of an item. `refused` says whether the provider refused the whole batch.
    pub(crate) fn result(
        &mut self,
        number: u64,
        id: String,
        outcome: BatchOutcome,
        refused: bool,
    ) -> Option<Action<J>> {
        let batch = self.batches.get_mut(&number)?;
        match batch.jobs.remove(&id) {
            Some(job) => self.decide(number, job, outcome, refused),
            None if outcome.is_answered() => {
                if self.claimed.get(&id).is_some_and(|(of, _)| *of == number) {
                    batch.results.insert(id, outcome);
                }
                None
            }
            // An item that is read later starts again.
            None => {
                self.take_claim(number, &id);
                None
            }
        }
    }

    fn decide(
        &mut self,
        number: u64,
        mut job: J,
        outcome: BatchOutcome,
        refused: bool,
    ) -> Option<Action<J>> {
        let resumed = self.batches.get(&number)?.resumed;
        let rounds = *job.rounds();
        let next = match refused {
            true => self.rules.after_refusal(outcome, rounds),
            false => self.rules.after_batch(outcome, resumed, rounds),
        };
        self.take_step(number, job, next)
    }

    fn take_step(&mut self, number: u64, job: J, next: NextStep) -> Option<Action<J>> {
        let batch = self.batches.get_mut(&number)?;
        match next {
            NextStep::Receive(outcome) => {
                batch.at_work += 1;
                Some(Action::Receive(job, outcome, number))
            }
            NextStep::Call => Some(Action::Call(job)),
            NextStep::Again(pause) => {
                batch.again.push((job, pause));
                None
            }
        }
    }

    /// A worker has noted a result.
    pub(crate) fn received(&mut self, number: u64) {
        if let Some(batch) = self.batches.get_mut(&number) {
            batch.at_work -= 1;
        }
    }

    /// A batch has ended: there will be no more results.
    pub(crate) fn ended(&mut self, number: u64, end: BatchEnd, now: Instant) -> Vec<Action<J>> {
        let Some(batch) = self.batches.get_mut(&number) else { return Vec::new() };
        let (again, error) = (std::mem::take(&mut batch.again), end.error.clone());
        let undone = match error {
            Some(error) => {
                let undone = batch.jobs.drain();
                undone.map(|(_, job)| Action::Undone(job, error.clone())).collect()
            }
            None => Vec::new(),
        };
        batch.end = Some(end);
        let provider = batch.provider.clone();
        let is_alone = self.in_flight() == 0;
        for resting in self.resting.iter_mut().filter(|resting| resting.until_another_ends) {
            resting.due = now;
        }
        // All of them together, so that they are in one batch again.
        let pause = again.iter().map(|(_, pause)| *pause).max().unwrap_or(Pause::NONE);
        let jobs = again.into_iter().map(|(mut job, own)| {
            // Waiting for other batches is no failure.
            let counts = !own.time.is_zero() && (is_alone || !own.until_another_ends);
            *job.rounds() += u32::from(counts);
            job
        });
        let jobs: Vec<J> = jobs.collect();
        if !jobs.is_empty() {
            let Pause { time, until_another_ends } = pause;
            self.resting.push(Resting { due: now + time, until_another_ends, provider, jobs });
        }
        undone
    }

    /// Removes the batches that are over, once all their items have their lines. `all_read` says
    /// whether every item was read.
    pub(crate) fn over(&mut self, all_read: bool) -> Vec<Over> {
        let is_over = |batch: &InFlight<J>| {
            batch.end.as_ref().is_some_and(|end| end.is_over)
                && (batch.jobs.is_empty() && batch.at_work == 0)
                && (batch.results.is_empty() || all_read)
        };
        let numbers = self.batches.iter().filter(|(_, batch)| is_over(batch));
        let numbers: Vec<u64> = numbers.map(|(number, _)| *number).collect();
        let mut over = Vec::new();
        for number in numbers {
            let Some(InFlight { name, results, end, .. }) = self.batches.remove(&number) else {
                continue;
            };
            let unread = results.into_iter().filter_map(|(id, outcome)| {
                let request = self.take_claim(number, &id)?;
                Some(Unread { id, request, outcome })
            });
            let unread = unread.collect();
            if end.is_some_and(|end| end.has_lines) {
                over.push(Over { name, unread });
            }
        }
        over
    }

    /// Takes an item that is not submitted, because the run stops.
    pub(crate) fn take_any(&mut self) -> Option<J> {
        let resting = self.resting.iter_mut().find_map(|resting| resting.jobs.pop());
        resting.or_else(|| self.groups.take_one())
    }
}

#[cfg(test)]
mod tests;
