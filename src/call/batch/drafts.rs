//! `Drafts`: the requests of a batch, checked, written and divided into jobs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Read};

use super::Service;
use super::encode::Encoded;
use crate::batch::{BatchEndpoint, RequestRef};
use crate::cost::Reservation;
use crate::error::Error;
use crate::header::HeaderValue;
use crate::spool::{self, Piece, Spool};
use crate::wire::batch::Interface;

/// A request that was checked, with the place of its line.
pub(super) struct Checked {
    pub(super) id: String,
    pub(super) part: usize,
    pub(super) tags: Option<usize>,
    pub(super) texts: Option<(usize, Option<u32>)>,
    pub(super) text_bytes: usize,
    pub(super) reservation: Reservation,
}

/// A job to create.
pub(super) struct Draft {
    pub(super) endpoint: BatchEndpoint,
    pub(super) model: String,
    pub(super) lines: Vec<Piece>,
    pub(super) bytes: usize,
    pub(super) betas: Vec<String>,
}

/// All requests, checked and written.
#[derive(Default)]
pub(super) struct Drafts {
    pub(super) spool: Spool,
    pub(super) parts: Vec<Draft>,
    /// The part of each endpoint and model that still has room.
    open: HashMap<(BatchEndpoint, String), usize>,
    pub(super) requests: Vec<Checked>,
    pub(super) ids: HashSet<String>,
    pub(super) tags: Vec<BTreeMap<String, String>>,
}

impl Drafts {
    /// Checks a request and adds it to a job with room.
    pub(super) fn add(
        &mut self,
        service: &Service,
        id: String,
        request: RequestRef<'_>,
    ) -> Result<(), Error> {
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
            let raise = match service.options.most.1 == Some(most_bytes) {
                true => ", raise Batches::max_bytes",
                false => "",
            };
            return Err(Error::invalid_request(format!(
                "the request {id:?} has {} bytes, but a batch may have {most_bytes}; shorten it{raise}, \
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
        draft.lines.push(self.spool.push(&line).map_err(|error| spool::failed(error, "written"))?);
        draft.bytes += line.len();
        for beta in betas.iter().flat_map(|betas| betas.as_str().split(',')).map(str::trim) {
            if !draft.betas.iter().any(|known| known == beta) {
                draft.betas.push(beta.to_owned());
            }
        }
        let tags = match request {
            RequestRef::Chat(request) => &request.tags,
            RequestRef::Embed(request) => &request.tags,
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
            own.unwrap_or(usize::MAX).min(usize::try_from(most).unwrap_or(usize::MAX))
        };
        (limit(requests, self.profile.max_requests.into()), limit(bytes, self.profile.max_bytes))
    }

    /// The path of an endpoint in lines and jobs.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) if the provider's batches do not have it.
    pub(super) fn endpoint_path(&self, endpoint: BatchEndpoint) -> Result<&'static str, Error> {
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
}

impl Draft {
    /// The value of the header for them.
    pub(super) fn betas(&self) -> Option<HeaderValue> {
        (!self.betas.is_empty()).then(|| HeaderValue::new(self.betas.join(",")))?
    }

    /// The bytes of its file, without the first `skipped`.
    pub(super) fn file<'a>(&'a self, spool: &'a mut Spool, mut skipped: usize) -> Lines<'a> {
        let mut pieces = self.lines.iter();
        while let Some(piece) = pieces.as_slice().first().filter(|piece| piece.len() <= skipped) {
            skipped -= piece.len();
            pieces.next();
        }
        Lines { spool, pieces, buffer: Vec::new(), at: 0, skipped, inside: None }
    }

    /// Its requests as they go into a job, one after another.
    pub(super) fn inlined<'a>(
        &'a self,
        interface: &'static dyn Interface,
        spool: &'a mut Spool,
    ) -> Lines<'a> {
        Lines { inside: Some(interface), ..self.file(spool, 0) }
    }

    /// How many bytes its requests have inside a job.
    pub(super) fn inlined_bytes(&self, interface: &'static dyn Interface) -> usize {
        self.bytes + self.lines.len() * interface.inline_growth()
    }
}

/// The lines of a job, read from the spool one by one.
pub(super) struct Lines<'a> {
    spool: &'a mut Spool,
    pieces: std::slice::Iter<'a, Piece>,
    buffer: Vec<u8>,
    at: usize,
    /// How many bytes of the next line to leave out.
    skipped: usize,
    /// Set if the lines go into a job of this interface.
    inside: Option<&'static dyn Interface>,
}

impl Read for Lines<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.buffer.len() {
            let Some(piece) = self.pieces.next() else { return Ok(0) };
            self.buffer.clear();
            self.spool.read(*piece, &mut self.buffer)?;
            self.at = std::mem::take(&mut self.skipped).min(self.buffer.len());
            if let Some(interface) = self.inside {
                self.buffer = interface.inlined(std::mem::take(&mut self.buffer));
            }
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
