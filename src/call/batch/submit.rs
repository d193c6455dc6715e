//! Submits a batch: checks every request, then creates one job after another.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::drafts::{Checked, Draft, Drafts};
use super::exchange::{Ask, Payload};
use super::{BatchOptions, Service, jobs};
use crate::batch::{Batch, BatchRequest, Item, Part, Settled};
use crate::call::Caller;
use crate::error::Error;
use crate::header::HeaderValue;
use crate::retry::may_have_been_served;
use crate::spool::{self, Spool};
use crate::wire::batch::{Job, JobPage, NewJob};

/// How often to send the request that creates a job, if its answer is lost.
const TRIES: u32 = 3;

/// How long to wait after a lost answer, before the list of jobs shows whether it was created.
pub(super) const BEFORE_LOOKUP: Duration = Duration::from_secs(2);

/// The most bytes of a job around the requests inside it, such as its name.
const AROUND_REQUESTS: usize = 1_024;

/// How many pages of the list of jobs may hold the newest ones.
const LOOKUP_PAGES: usize = 3;

impl Caller {
    /// Submits a batch.
    pub(crate) fn submit_batch(
        self: &Arc<Self>,
        options: &BatchOptions,
        requests: impl Iterator<Item = (String, BatchRequest)>,
    ) -> Result<Batch, Error> {
        let service = Service::new(self, options)?;
        let mut drafts = Drafts::default();
        for (id, request) in requests {
            service.check_cancelled()?;
            let added = drafts.add(&service, id, &request);
            added.map_err(|error| service.endpoint.explain(error))?;
        }
        if drafts.requests.is_empty() {
            return Err(Error::invalid_request("the batch has no requests; add at least one"));
        }
        service.send(drafts)
    }
}

impl Service {
    /// Creates the jobs, one after another. If one fails, the error has the handle of those before
    /// it, and what later ones reserved is released.
    fn send(&self, drafts: Drafts) -> Result<Batch, Error> {
        let Drafts { mut spool, parts: jobs, requests, tags, .. } = drafts;
        let mut batch = Batch {
            provider: self.endpoint.id().clone(),
            parts: Vec::with_capacity(jobs.len()),
            items: Vec::with_capacity(requests.len()),
            tags,
            ledger: self.caller.settings.costs.ledger_name(),
            settled: Settled::default(),
        };
        let mut failed = None;
        for draft in &jobs {
            match self.send_part(draft, &mut spool) {
                Ok(id) => batch.parts.push(Part {
                    id,
                    endpoint: draft.endpoint,
                    model: draft.model.clone(),
                }),
                Err(not_sent) => {
                    failed = Some(not_sent);
                    break;
                }
            }
        }
        let sent = batch.parts.len();
        for Checked { id, part, tags, texts, text_bytes, reservation } in requests {
            if part < sent {
                let charge = reservation.send().park();
                batch.items.push(Item { id, part, tags, texts, text_bytes, charge });
            } else if part == sent && failed.as_ref().is_some_and(|failed| failed.may_exist) {
                // The provider may have the job, and will bill it.
                drop(reservation.send());
            }
        }
        match failed {
            None => Ok(batch),
            Some(NotSent { error, .. }) if sent == 0 => Err(error),
            Some(NotSent { error, .. }) => Err(error.with_answered(batch)),
        }
    }

    /// Uploads the lines of a job and creates it. Returns its id.
    fn send_part(&self, draft: &Draft, spool: &mut Spool) -> Result<String, NotSent> {
        self.check_cancelled()?;
        let endpoint = self.endpoint_path(draft.endpoint)?;
        let name = format!("tollgate-{:032x}", fastrand::u128(..));
        let job = NewJob { endpoint, model: &draft.model, file: "", name: &name };
        let betas = draft.betas();
        let inlined = draft.inlined_bytes(self.interface);
        let is_large = draft.lines.len() as u64 > self.profile.inline_requests.into()
            || (inlined + AROUND_REQUESTS) as u64 > self.profile.inline_bytes;
        if let Some(upload) = self.interface.upload(draft.endpoint, is_large) {
            let file = self.upload(upload, &name, draft, spool)?;
            let creation = self.interface.create(&NewJob { file: &file, ..job });
            let body = || creation.body(&mut io::empty(), 0);
            // Either names the submission: the file, or the job's own name.
            let is_ours = |listed: &Job, _| {
                listed.mark.as_ref().is_some_and(|mark| [&file, &name].contains(&mark))
            };
            return self.create(None, &name, betas, &creation.path, body, is_ours);
        }
        // Only a list from before shows which jobs are new.
        let newest = self.jobs_page(None, 0)?.jobs.into_iter().next().map(|job| job.id);
        let creation = self.interface.create(&job);
        let body = || creation.body(&mut draft.inlined(self.interface, spool), inlined);
        let count = draft.lines.len() as u64;
        let is_ours = |listed: &Job, is_new| match &listed.mark {
            Some(mark) => *mark == name,
            // Without names, a new job with as many requests is ours. Its ids are checked when the
            // results are read.
            None => is_new && listed.counts.total == count,
        };
        self.create(newest.as_deref(), &name, betas, &creation.path, body, is_ours)
    }

    /// Creates a job once, however often it has to be asked for. If the answer to a request is lost,
    /// the list of jobs shows whether the job exists.
    fn create(
        &self,
        newest: Option<&str>,
        name: &str,
        betas: Option<HeaderValue>,
        path: &str,
        mut body: impl FnMut() -> io::Result<Vec<u8>>,
        is_ours: impl Fn(&Job, bool) -> bool,
    ) -> Result<String, NotSent> {
        let mut tries = 0;
        loop {
            tries += 1;
            let bytes = body().map_err(|error| spool::failed(error, "read"))?;
            let ask = Ask::post(path, Payload::json(bytes));
            let ask = Ask { betas: betas.clone(), once: Some(name), ..ask };
            let error = match self.ask(ask, jobs::job) {
                Ok(job) => return Ok(job.id),
                Err(error) => error,
            };
            if !is_in_doubt(&error) {
                return Err(error.into());
            }
            let lost = |error| NotSent { error, may_exist: true };
            if error.is_cancelled() {
                return Err(lost(error));
            }
            self.sleep(BEFORE_LOOKUP).map_err(lost)?;
            match self.look_up(newest, &is_ours) {
                Ok(Some(id)) => return Ok(id),
                Ok(None) if tries < TRIES => {}
                // It was looked for and is not there.
                Ok(None) => return Err(error.into()),
                Err(_) => return Err(lost(error)),
            }
        }
    }

    /// Looks for a job that was just created.
    fn look_up(
        &self,
        newest: Option<&str>,
        is_ours: &impl Fn(&Job, bool) -> bool,
    ) -> Result<Option<String>, Error> {
        let (mut page, mut is_new) = (None, true);
        for number in 0..LOOKUP_PAGES {
            let JobPage { jobs, next } = self.jobs_page(page.as_deref(), number)?;
            for job in jobs {
                is_new &= newest != Some(&*job.id);
                if is_ours(&job, is_new) {
                    return Ok(Some(job.id));
                }
            }
            match next {
                Some(next) => page = Some(next),
                None => break,
            }
        }
        Ok(None)
    }

    /// A page of the provider's list of jobs.
    pub(super) fn jobs_page(&self, page: Option<&str>, number: usize) -> Result<JobPage, Error> {
        let path = self.interface.list_path(page, number);
        self.ask(Ask::get(&path), jobs::jobs)
    }
}

/// Whether the provider may have served the request nevertheless.
pub(super) fn is_in_doubt(error: &Error) -> bool {
    // Without doubt not, if the answer says what is wrong.
    let is_refused =
        error.status().is_some_and(|status| (400..500).contains(&status) && status != 408);
    !is_refused && may_have_been_served(error)
}

/// Why a job was not created.
struct NotSent {
    error: Error,
    /// Whether the provider may have it nevertheless.
    may_exist: bool,
}

impl From<Error> for NotSent {
    fn from(error: Error) -> Self {
        Self { error, may_exist: false }
    }
}
