//! Submits a batch: checks every request, then creates one job after another.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::drafts::{Checked, Draft, Drafts};
use super::exchange::{Ask, Payload};
use super::{BatchOptions, Service, jobs};
use crate::batch::{Batch, BatchRequest, Item, Mark, NoLog, Part, Settled, SubmissionLog, Unnamed};
use crate::call::Caller;
use crate::error::Error;
use crate::header::HeaderValue;
use crate::retry::may_have_been_served;
use crate::spool::{self, Spool};
use crate::wire::batch::{JobPage, NewJob};

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
        let (requests_of_job, bytes_of_job) = options.most;
        for (name, most) in [("max_requests", requests_of_job), ("max_bytes", bytes_of_job)] {
            if most == Some(0) {
                return Err(Error::invalid_request(format!(
                    "{name} is zero, so no job could have a request; set a larger number"
                )));
            }
        }
        let mut drafts = Drafts::default();
        for (id, request) in requests {
            service.check_cancelled()?;
            let added = drafts.add(&service, id, (&request).into());
            added.map_err(|error| service.endpoint.explain(error))?;
        }
        if drafts.requests.is_empty() {
            return Err(Error::invalid_request("the batch has no requests; add at least one"));
        }
        let Sent { batch, failed } = service.send(drafts, &mut NoLog);
        let Some(failed) = failed else { return Ok(batch) };
        let (created, left) = batch.created();
        for place in left {
            let item = &batch.items[place];
            let charge = service.charge(&batch, &batch.parts[item.part], Some(item))?;
            // The provider may have the job, and will bill it.
            match failed.may_exist && item.part == failed.part {
                true => drop(charge),
                false => charge.release(),
            }
        }
        match created.parts.is_empty() {
            true => Err(failed.error),
            false => Err(failed.error.with_answered(created)),
        }
    }
}

/// A batch, of which some jobs may not have been created.
pub(crate) struct Sent {
    /// All requests. The jobs that were not created have no id.
    pub(crate) batch: Batch,
    pub(crate) failed: Option<Failed>,
}

/// Why jobs were not created.
pub(crate) struct Failed {
    /// The number of the first of them.
    pub(crate) part: usize,
    pub(crate) error: Error,
    /// Whether the provider may have this one nevertheless.
    pub(crate) may_exist: bool,
}

impl Service {
    /// Creates the jobs, one after another, until one fails. Their reservations stay.
    pub(super) fn send(&self, drafts: Drafts, log: &mut dyn SubmissionLog) -> Sent {
        let Drafts { mut spool, parts: jobs, requests, tags, .. } = drafts;
        let part = |draft: &Draft| Part {
            id: String::new(),
            endpoint: draft.endpoint,
            model: draft.model.clone(),
        };
        let item = |checked: Checked| {
            let Checked { id, part, tags, texts, text_bytes, reservation } = checked;
            Item { id, part, tags, texts, text_bytes, charge: reservation.send().park() }
        };
        let mut batch = Batch {
            provider: self.endpoint.id().clone(),
            parts: jobs.iter().map(part).collect(),
            items: requests.into_iter().map(item).collect(),
            tags,
            ledger: self.caller.settings.costs.ledger_name(),
            settled: Settled::default(),
        };
        if let Err(error) = log.submits(&batch) {
            return Sent { batch, failed: Some(Failed { part: 0, error, may_exist: false }) };
        }
        for (part, draft) in jobs.iter().enumerate() {
            match self.send_part(part, draft, &mut spool, log) {
                Ok(id) => batch.parts[part].id = id,
                Err(NotSent { error, may_exist }) => {
                    return Sent { batch, failed: Some(Failed { part, error, may_exist }) };
                }
            }
            if let Err(error) = log.created(part, &batch.parts[part].id) {
                let failed = Failed { part: part + 1, error, may_exist: false };
                return Sent { batch, failed: Some(failed) };
            }
        }
        Sent { batch, failed: None }
    }

    /// Uploads the lines of a job and creates it. Returns its id.
    fn send_part(
        &self,
        part: usize,
        draft: &Draft,
        spool: &mut Spool,
        log: &mut dyn SubmissionLog,
    ) -> Result<String, NotSent> {
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
            let mark = Mark { name, file: Some(file), unnamed: None };
            log.creates(part, &mark)?;
            return self.create(betas, &creation.path, body, &mark);
        }
        // Only a list from before shows which jobs are new.
        let after = self.jobs_page(None, 0)?.jobs.into_iter().next().map(|job| job.id);
        let creation = self.interface.create(&job);
        let body = || creation.body(&mut draft.inlined(self.interface, spool), inlined);
        let unnamed = Some(Unnamed { after, requests: draft.lines.len() as u64 });
        let mark = Mark { name, file: None, unnamed };
        log.creates(part, &mark)?;
        self.create(betas, &creation.path, body, &mark)
    }

    /// Creates a job once, however often it has to be asked for. If the answer to a request is lost,
    /// the list of jobs shows whether the job exists.
    fn create(
        &self,
        betas: Option<HeaderValue>,
        path: &str,
        mut body: impl FnMut() -> io::Result<Vec<u8>>,
        mark: &Mark,
    ) -> Result<String, NotSent> {
        let mut tries = 0;
        loop {
            tries += 1;
            let bytes = body().map_err(|error| spool::failed(error, "read"))?;
            let ask = Ask::post(path, Payload::json(bytes));
            let ask = Ask { betas: betas.clone(), once: Some(&mark.name), ..ask };
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
            match self.look_up(mark, LOOKUP_PAGES) {
                Ok(Some(id)) => return Ok(id),
                Ok(None) if tries < TRIES => {}
                // It was looked for and is not there.
                Ok(None) => return Err(error.into()),
                Err(_) => return Err(lost(error)),
            }
        }
    }

    /// Looks for a job in the newest pages of the provider's list.
    pub(super) fn look_up(&self, mark: &Mark, pages: usize) -> Result<Option<String>, Error> {
        let (mut page, mut is_new) = (None, true);
        for number in 0..pages {
            let JobPage { jobs, next } = self.jobs_page(page.as_deref(), number)?;
            for job in jobs {
                is_new &= mark.after() != Some(&*job.id);
                if mark.is_of(job.mark.as_deref(), job.counts.total, is_new) {
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
