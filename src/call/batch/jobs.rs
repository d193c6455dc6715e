//! Watches, lists, finds and cancels batches.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::exchange::{Ask, Payload};
use super::{BatchOptions, Service};
use crate::batch::{Batch, BatchCounts, BatchEndpoint, BatchState, BatchStatus, Part, Settled};
use crate::call::Caller;
use crate::error::{Error, ErrorKind, Phase};
use crate::key::Secrets;
use crate::time::rfc3339::instant;
use crate::wire::batch::{self, Interface, Job, JobPage};
use crate::wire::models::MAX_PAGES;
use crate::wire::{Failure, Reply};

/// The times of a wait for a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WaitTimes {
    /// The first time between two looks.
    pub(crate) first: Duration,
    /// The longest.
    pub(crate) longest: Duration,
    /// How long to wait in all; `None` for as long as it takes.
    pub(crate) limit: Option<Duration>,
}

impl Default for WaitTimes {
    fn default() -> Self {
        Self { first: Duration::from_secs(10), longest: Duration::from_secs(300), limit: None }
    }
}

impl WaitTimes {
    /// Sets the first time between two looks, and raises the longest to it.
    pub(crate) fn set_first(&mut self, first: Duration) {
        self.first = first;
        self.longest = self.longest.max(first);
    }

    /// Sets the longest time between two looks, and lowers the first to it.
    pub(crate) fn set_longest(&mut self, longest: Duration) {
        self.longest = longest;
        self.first = self.first.min(longest);
    }
}

/// A batch in a provider's list.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BatchSummary {
    /// Its handle, which knows the ids of its requests only once their results are read.
    pub batch: Batch,
    /// How far it has got.
    pub status: BatchStatus,
    /// When it was created, if the provider says so.
    pub created_at: Option<SystemTime>,
}

impl Caller {
    /// Looks up how far a batch has got.
    pub(crate) fn batch_status(
        self: &Arc<Self>,
        options: &BatchOptions,
        batch: &Batch,
    ) -> Result<BatchStatus, Error> {
        Service::of(self, options, batch)?.status(batch)
    }

    /// Waits until a batch has ended. `seen` gets each status on the way.
    pub(crate) fn wait_for_batch(
        self: &Arc<Self>,
        options: &BatchOptions,
        batch: &Batch,
        times: WaitTimes,
        mut seen: impl FnMut(&BatchStatus),
    ) -> Result<BatchStatus, Error> {
        let service = Service::of(self, options, batch)?;
        let begun = Instant::now();
        let mut waited = Duration::ZERO;
        let mut next = times.first;
        loop {
            service.check_cancelled()?;
            match service.status(batch) {
                Ok(status) => {
                    seen(&status);
                    if status.state.is_final() {
                        return Ok(status);
                    }
                }
                // The batch goes on, whatever happens to the network here.
                Err(error) if error.is_retryable() => {}
                Err(error) => return Err(error),
            }
            let wait = match times.limit {
                None => next,
                Some(limit) => {
                    // A sleeper of a test returns at once, so the waits count as well.
                    let left = limit.saturating_sub(waited.max(begun.elapsed()));
                    if left.is_zero() {
                        return Err(timed_out(limit));
                    }
                    next.min(left)
                }
            };
            service.sleep(wait)?;
            waited = waited.saturating_add(wait);
            next = next.saturating_add(next / 2).min(times.longest).max(times.first);
        }
    }

    /// Cancels a batch.
    pub(crate) fn cancel_batch(
        self: &Arc<Self>,
        options: &BatchOptions,
        batch: &Batch,
    ) -> Result<BatchStatus, Error> {
        let service = Service::of(self, options, batch)?;
        for part in &batch.parts {
            // Providers refuse to cancel what has ended.
            if service.job(&part.id)?.state.is_final() {
                continue;
            }
            let path = service.interface.cancel_path(&part.id);
            // Without a body, as in every provider's reference.
            let ask = Ask::post(&path, Payload::json(Vec::new()));
            match service.ask(ask, |_, _| Ok(())) {
                Ok(()) => {}
                // It may have ended meanwhile.
                Err(error) => {
                    if !service.job(&part.id)?.state.is_final() {
                        return Err(error);
                    }
                }
            }
        }
        service.status(batch)
    }

    /// Finds a batch by its id.
    pub(crate) fn find_batch(
        self: &Arc<Self>,
        options: &BatchOptions,
        id: &str,
    ) -> Result<Batch, Error> {
        let service = Service::new(self, options)?;
        let ids: Vec<_> = id.split(',').map(str::trim).collect();
        if ids.iter().any(|id| id.is_empty()) {
            return Err(Error::invalid_request(
                "the id of the batch is empty; pass what Batch::id returned",
            ));
        }
        let parts = ids.iter().map(|id| service.job(id).map(|job| part(&job)));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        Ok(service.handle(parts))
    }

    /// Lists a provider's batches, the newest first.
    pub(crate) fn list_batches(
        self: &Arc<Self>,
        options: &BatchOptions,
    ) -> Result<Vec<BatchSummary>, Error> {
        let service = Service::new(self, options)?;
        let (mut all, mut page) = (Vec::new(), None);
        for number in 0..MAX_PAGES {
            let JobPage { jobs, next } = service.jobs_page(page.as_deref(), number)?;
            let is_empty = jobs.is_empty();
            all.extend(jobs.into_iter().map(|job| BatchSummary {
                batch: service.handle(vec![part(&job)]),
                created_at: job.created.and_then(instant),
                status: status_of([job], &service.endpoint.settings.secrets),
            }));
            match next {
                Some(next) if !is_empty && (next.is_empty() || page.as_ref() != Some(&next)) => {
                    page = Some(next);
                }
                _ => break,
            }
        }
        Ok(all)
    }
}

impl Service {
    /// Looks a job up.
    pub(super) fn job(&self, id: &str) -> Result<Job, Error> {
        let path = self.interface.job_path(id);
        self.ask(Ask::get(&path), job).map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                let advice =
                    "pass what Batch::id returned, with a key of the same account and project";
                error.about(&format!("the batch {id:?}")).with_advice(Some(advice.to_owned()))
            }
            _ => error,
        })
    }

    fn status(&self, batch: &Batch) -> Result<BatchStatus, Error> {
        let jobs = batch.parts.iter().map(|part| self.job(&part.id));
        Ok(status_of(jobs.collect::<Result<Vec<_>, _>>()?, &self.endpoint.settings.secrets))
    }

    fn handle(&self, parts: Vec<Part>) -> Batch {
        Batch {
            provider: self.endpoint.id().clone(),
            parts,
            items: Vec::new(),
            tags: Vec::new(),
            ledger: String::new(),
            settled: Settled::default(),
        }
    }
}

fn timed_out(limit: Duration) -> Error {
    let message = format!(
        "waiting for the batch, which has not ended within the deadline of {limit:?}; it goes on, so \
         wait again later"
    );
    Error::new(ErrorKind::Timeout, message).with_phase(Phase::FirstByte)
}

/// Reads a job.
pub(super) fn job(interface: &'static dyn Interface, reply: Reply<'_>) -> Result<Job, Failure> {
    interface.job(reply.body)
}

/// Reads a page of jobs.
pub(super) fn jobs(
    interface: &'static dyn Interface,
    reply: Reply<'_>,
) -> Result<JobPage, Failure> {
    interface.jobs(reply.body)
}

fn part(job: &Job) -> Part {
    Part {
        id: job.id.clone(),
        endpoint: job.endpoint.unwrap_or(BatchEndpoint::Chat),
        model: job.model.clone().unwrap_or_default(),
    }
}

fn status_of(jobs: impl IntoIterator<Item = Job>, secrets: &Secrets) -> BatchStatus {
    let (mut counts, mut states, mut refusal) = (BatchCounts::default(), Vec::new(), None);
    for job in jobs {
        counts.add(job.counts);
        states.push(job.state);
        refusal = refusal.or(job.refusal);
    }
    let error = refusal.map(|failure| batch::error(failure, secrets));
    BatchStatus { state: BatchState::of_parts(states), counts, error }
}
