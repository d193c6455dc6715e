//! Submits a batch: checks every request, then uploads and creates one job after another.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use super::encode::Encoded;
use super::exchange::{Ask, Payload};
use super::{BatchOptions, Service};
use crate::batch::{Batch, BatchEndpoint, BatchRequest, Item, Part, Settled};
use crate::call::Caller;
use crate::cost::Reservation;
use crate::error::{Error, ErrorKind};
use crate::header::HeaderValue;
use crate::retry::may_have_been_served;
use crate::spool::{Piece, Spool};
use crate::wire::batch::{Interface, Job, JobPage, Multipart, NewJob};

/// How often a job is tried to be created, if the answer is lost.
const TRIES: u32 = 3;

/// How long to wait after a lost answer, before the list of jobs shows whether it was created.
const BEFORE_LOOKUP: Duration = Duration::from_secs(2);

/// How many pages of the list of jobs may hold the newest ones.
const LOOKUP_PAGES: usize = 3;

/// A request that was checked, with the place of its line.
struct Checked {
    id: String,
    part: usize,
    tags: Option<usize>,
    texts: Option<(usize, Option<u32>)>,
    text_bytes: usize,
    reservation: Reservation,
}

/// A job to create.
struct Draft {
    endpoint: BatchEndpoint,
    model: String,
    lines: Vec<Piece>,
    bytes: usize,
    betas: Vec<String>,
}

/// All requests, checked and written.
#[derive(Default)]
struct Drafts {
    spool: Spool,
    parts: Vec<Draft>,
    /// The part of each endpoint and model that still has room.
    open: HashMap<(BatchEndpoint, String), usize>,
    requests: Vec<Checked>,
    ids: HashSet<String>,
    tags: Vec<BTreeMap<String, String>>,
}

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

impl Drafts {
    /// Checks a request and adds it to a job with room.
    fn add(&mut self, service: &Service, id: String, request: &BatchRequest) -> Result<(), Error> {
        service.interface.ids().check(&id)?;
        if self.ids.contains(&id) {
            return Err(Error::invalid_request(format!(
                "the id {id:?} occurs twice in the batch; every request needs its own"
            )));
        }
        let encoded = service.encode(request).map_err(|error| name_request(error, &id))?;
        let Encoded { endpoint, model, body, betas, text_bytes, texts, reservation } = encoded;
        let path = service.endpoint_path(endpoint).map_err(|error| name_request(error, &id))?;
        let mut line = service.interface.line(&id, path, &body);
        line.push(b'\n');
        let (most_requests, most_bytes) = service.most();
        if line.len() > most_bytes {
            return Err(Error::invalid_request(format!(
                "the request {id:?} has {} bytes, but a batch may have {most_bytes}; shorten it, \
                 or send it as a single call",
                line.len()
            )));
        }
        let key = (endpoint, model);
        let open = self.open.get(&key).copied().filter(|part| {
            let Draft { lines, bytes, .. } = &self.parts[*part];
            lines.len() < most_requests && bytes + line.len() <= most_bytes
        });
        let part = open.unwrap_or_else(|| {
            let (endpoint, model) = key.clone();
            let lines = Vec::new();
            self.parts.push(Draft { endpoint, model, lines, bytes: 0, betas: Vec::new() });
            self.open.insert(key, self.parts.len() - 1);
            self.parts.len() - 1
        });
        let draft = &mut self.parts[part];
        draft.lines.push(self.spool.push(&line).map_err(|error| spool_failed(error, "written"))?);
        draft.bytes += line.len();
        for beta in betas.iter().flat_map(|betas| betas.as_str().split(',')).map(str::trim) {
            if !draft.betas.iter().any(|known| known == beta) {
                draft.betas.push(beta.to_owned());
            }
        }
        let tags = match request {
            BatchRequest::Chat(request) => &request.tags,
            BatchRequest::Embed(request) => &request.tags,
        };
        let tags = (!tags.is_empty()).then(|| {
            // Most batches have few different tags.
            let known = self.tags.iter().rposition(|known| known == tags);
            known.unwrap_or_else(|| {
                self.tags.push(tags.clone());
                self.tags.len() - 1
            })
        });
        self.ids.insert(id.clone());
        self.requests.push(Checked { id, part, tags, texts, text_bytes, reservation });
        Ok(())
    }
}

impl Service {
    /// The most requests and bytes of a job.
    fn most(&self) -> (usize, usize) {
        let (requests, bytes) = self.options.most;
        let limit = |own: Option<usize>, most: u64| {
            own.unwrap_or(usize::MAX).min(usize::try_from(most).unwrap_or(usize::MAX)).max(1)
        };
        (limit(requests, self.profile.max_requests.into()), limit(bytes, self.profile.max_bytes))
    }

    /// The path of an endpoint in lines and jobs.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) if the provider's batches do not have it.
    fn endpoint_path(&self, endpoint: BatchEndpoint) -> Result<&'static str, Error> {
        let (allowed, what) = match endpoint {
            BatchEndpoint::Chat => (true, "chats"),
            BatchEndpoint::Completions => (self.profile.responses, "text completions"),
            BatchEndpoint::Responses => {
                (self.profile.responses, "requests in the Responses format")
            }
            BatchEndpoint::Embeddings => (self.profile.embeddings, "embeddings"),
        };
        let path = self.interface.endpoint_path(endpoint).filter(|_| allowed);
        path.ok_or_else(|| {
            Error::invalid_request(format!(
                "the batches of {} do not take {what}; send them as single calls",
                self.endpoint.id()
            ))
        })
    }

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
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let sent = batch.parts.len();
        for Checked { id, part, tags, texts, text_bytes, reservation } in requests {
            if part < sent {
                let charge = reservation.send().park();
                batch.items.push(Item { id, part, tags, texts, text_bytes, charge });
            } else if part == sent && failed.as_ref().is_some_and(|(_, lost)| *lost) {
                // The provider may have the job, and will bill it.
                drop(reservation.send());
            }
        }
        match failed {
            None => Ok(batch),
            Some((error, _)) if sent == 0 => Err(error),
            Some((error, _)) => Err(error.with_answered(batch)),
        }
    }

    /// Uploads the lines of a job and creates it. Returns its id. An error says whether the job may
    /// exist nevertheless.
    fn send_part(&self, draft: &Draft, spool: &mut Spool) -> Result<String, (Error, bool)> {
        let refused = |error| (error, false);
        self.check_cancelled().map_err(refused)?;
        let endpoint = self.endpoint_path(draft.endpoint).map_err(refused)?;
        let name = format!("tollgate-{:032x}", fastrand::u128(..));
        let mut job = NewJob { endpoint, model: &draft.model, file: "", lines: &[], name: &name };
        let file;
        let mark = match self.interface.upload() {
            Some(upload) => {
                let multipart = Multipart::new(upload.fields, fastrand::u128(..));
                let mut lines =
                    Lines { spool, pieces: draft.lines.iter(), buffer: Vec::new(), at: 0 };
                let bytes = multipart.around(&mut lines, draft.bytes);
                let bytes = bytes.map_err(|error| refused(spool_failed(error, "read")))?;
                let content_type = HeaderValue::new(multipart.content_type());
                let ask = Ask::post(upload.path, Payload { bytes, content_type });
                file = self.ask(ask, file_id).map_err(refused)?;
                job.file = &file;
                let (path, body) = self.interface.create(&job);
                let create = Create { path, body, betas: draft.betas(), name: &name };
                return self.create(create, |listed, _| listed.mark.as_deref() == Some(&file));
            }
            None => {
                let mut lines = Vec::with_capacity(draft.bytes);
                for piece in &draft.lines {
                    let read = spool.read(*piece, &mut lines);
                    read.map_err(|error| refused(spool_failed(error, "read")))?;
                }
                job.lines = &lines;
                self.interface.create(&job)
            }
        };
        let (path, body) = mark;
        let create = Create { path, body, betas: draft.betas(), name: &name };
        let count = draft.lines.len() as u64;
        self.create(create, |listed, is_new| match &listed.mark {
            Some(mark) => *mark == name,
            // Without names, a new job with as many requests is ours. Its ids are checked when the
            // results are read.
            None => is_new && listed.counts.total == count,
        })
    }

    /// Creates a job once, however often it has to be asked for. If the answer to a request is lost,
    /// the list of jobs shows whether the job exists.
    fn create(
        &self,
        create: Create<'_>,
        is_ours: impl Fn(&Job, bool) -> bool,
    ) -> Result<String, (Error, bool)> {
        let Create { path, mut body, betas, name } = create;
        // Which jobs are new can only be told by a list from before.
        let newest = match self.interface.upload() {
            Some(_) => None,
            None => {
                let page = self.jobs_page(None, 0).map_err(|error| (error, false))?;
                page.jobs.first().map(|job| job.id.clone())
            }
        };
        for attempt in 1.. {
            let again = if attempt < TRIES { body.clone() } else { Vec::new() };
            let once = Some(name);
            let body = std::mem::replace(&mut body, again);
            let ask = Ask { betas: betas.clone(), once, ..Ask::post(&path, Payload::json(body)) };
            let error = match self.ask(ask, Interface::job) {
                Ok(job) => return Ok(job.id),
                Err(error) if error.is_cancelled() => {
                    let lost = may_have_been_served(&error);
                    return Err((error, lost));
                }
                Err(error) => error,
            };
            // Without doubt, if the answer says what is wrong.
            let is_refused =
                error.status().is_some_and(|status| (400..500).contains(&status) && status != 408);
            if is_refused || !may_have_been_served(&error) {
                return Err((error, false));
            }
            self.sleep(BEFORE_LOOKUP).map_err(|error| (error, true))?;
            match self.look_up(newest.as_deref(), &is_ours) {
                Ok(Some(id)) => return Ok(id),
                Ok(None) if attempt < TRIES => {}
                // It was looked for and is not there.
                Ok(None) => return Err((error, false)),
                Err(_) => return Err((error, true)),
            }
        }
        Err((Error::cancelled(), true))
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
        self.ask(Ask::get(&path), Interface::jobs)
    }
}

/// The request that creates a job.
struct Create<'a> {
    path: String,
    body: Vec<u8>,
    betas: Option<HeaderValue>,
    name: &'a str,
}

impl Draft {
    fn betas(&self) -> Option<HeaderValue> {
        (!self.betas.is_empty()).then(|| HeaderValue::new(self.betas.join(",")))?
    }
}

/// Reads the id of an uploaded file.
fn file_id(_: &'static dyn Interface, body: &[u8]) -> Result<String, crate::wire::Failure> {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let id = body["id"].as_str().filter(|id| !id.is_empty());
    id.map(str::to_owned).ok_or_else(|| {
        crate::wire::Failure::protocol("the answer to the upload has no \"id\"; check the base URL")
    })
}

/// The lines of a job, read from the spool one by one.
struct Lines<'a> {
    spool: &'a mut Spool,
    pieces: std::slice::Iter<'a, Piece>,
    buffer: Vec<u8>,
    at: usize,
}

impl Read for Lines<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.buffer.len() {
            let Some(piece) = self.pieces.next() else { return Ok(0) };
            self.buffer.clear();
            self.at = 0;
            self.spool.read(*piece, &mut self.buffer)?;
        }
        let read = out.len().min(self.buffer.len() - self.at);
        out[..read].copy_from_slice(&self.buffer[self.at..self.at + read]);
        self.at += read;
        Ok(read)
    }
}

/// Names the request that an error is about.
fn name_request(error: Error, id: &str) -> Error {
    let shown: String = id.chars().take(64).collect();
    error.about(&format!("the request {shown:?} of the batch"))
}

pub(super) fn spool_failed(cause: io::Error, what: &str) -> Error {
    let folder = std::env::temp_dir();
    Error::new(
        ErrorKind::Configuration,
        format!(
            "the temporary file in {} cannot be {what}; free some space, or set TMPDIR to another \
             folder",
            folder.display()
        ),
    )
    .with_source(cause)
}
