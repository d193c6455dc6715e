//! One request about a batch: to upload, create, look up, list or cancel.

use std::cell::Cell;
use std::time::Instant;

use super::Service;
use crate::call::Caller;
use crate::call::cached::Gate;
use crate::call::operation::{Measurable, OngoingAttempt, Operation, Options};
use crate::call::prepared::Prepared;
use crate::call::run::{Completed, run};
use crate::call::target::{Asked, Target};
use crate::call::{unpriced, url};
use crate::config::TimeLimits;
use crate::error::Error;
use crate::header::HeaderValue;
use crate::metrics;
use crate::observed::Ended;
use crate::tags::Tags;
use crate::transport::Method;
use crate::wire::batch::{Interface, Job, JobPage};
use crate::wire::{Delivery, Failure, Reply};

/// Reads a successful response.
pub(super) type Decode<T> = fn(&'static dyn Interface, reply: Reply<'_>) -> Result<T, Failure>;

/// A request about a batch.
pub(super) struct Ask<'a> {
    pub(super) place: Place<'a>,
    pub(super) body: Option<Payload>,
    /// Further headers.
    pub(super) headers: Vec<(&'static str, String)>,
    /// The betas to send, if the requests of the batch ask for more than the client's.
    pub(super) betas: Option<HeaderValue>,
    /// Set if the request must not be served twice: it is sent once, unless the provider certainly
    /// refused it. Its value is the idempotency key, if the client sends them.
    pub(super) once: Option<&'a str>,
}

/// Where a request goes to. The host is always that of the base URL.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    /// A path below the base URL.
    Below(&'a str),
    /// A path below the upload service beside the base URL: `/upload/v1beta` beside `/v1beta`.
    Upload(&'a str),
    /// A path and query that the provider named.
    Named(&'a str),
}

/// The body of a request.
pub(super) struct Payload {
    pub(super) bytes: Vec<u8>,
    /// The media type, if it is not JSON.
    pub(super) content_type: Option<HeaderValue>,
}

impl Payload {
    pub(super) fn json(bytes: Vec<u8>) -> Self {
        Self { bytes, content_type: None }
    }
}

impl<'a> Ask<'a> {
    pub(super) fn get(path: &'a str) -> Self {
        Self::to(Place::Below(path), None)
    }

    pub(super) fn post(path: &'a str, body: Payload) -> Self {
        Self::to(Place::Below(path), Some(body))
    }

    pub(super) fn to(place: Place<'a>, body: Option<Payload>) -> Self {
        Self { place, body, headers: Vec::new(), betas: None, once: None }
    }
}

/// The request as an operation.
struct Request<'a, T> {
    service: &'a Service,
    ask: &'a Ask<'a>,
    /// Taken when the request is prepared, which happens once: a copy could have 200 MB.
    payload: Cell<Option<Payload>>,
    decode: Decode<T>,
}

/// What an attempt needs of the request.
struct Content<T> {
    interface: &'static dyn Interface,
    content_type: Option<HeaderValue>,
    headers: Vec<(String, HeaderValue)>,
    once: bool,
    decode: Decode<T>,
}

impl Measurable for Job {}
impl Measurable for JobPage {}
impl Measurable for () {}

impl Service {
    /// Sends a request and reads the answer.
    ///
    /// # Errors
    ///
    /// As for any call.
    pub(super) fn ask<T: Measurable>(
        &self,
        mut ask: Ask<'_>,
        decode: Decode<T>,
    ) -> Result<T, Error> {
        let payload = Cell::new(ask.body.take());
        let request = Request { service: self, ask: &ask, payload, decode };
        let begun = Instant::now();
        let (observed, Completed { tried, .. }) = run(&self.caller, &request, asked, begun)?;
        observed.end(&Ended { attempts: &tried.attempts, ..Ended::default() });
        Ok(tried.value)
    }
}

/// The parts that the loop needs of any request about a batch.
pub(super) fn options(service: &Service) -> Options<'_> {
    let options = &service.options;
    Options {
        asked: Asked::Provider(Some(service.endpoint.id()), ""),
        tags: (&options.tags).into(),
        limits: TimeLimits { call: options.timeout, ..TimeLimits::default() },
        since: None,
        cancel: options.cancel.as_ref(),
        idempotency_key: None,
    }
}

impl<T: 'static> Operation for Request<'_, T> {
    type Content = Content<T>;
    type Reserved = ();

    fn delivery(&self) -> Delivery {
        Delivery::Whole
    }

    fn options(&self) -> Options<'_> {
        let key = self.ask.once.filter(|_| self.service.caller.settings.idempotency_keys);
        Options { idempotency_key: key, ..options(self.service) }
    }

    fn is_sent_once(&self) -> bool {
        self.ask.once.is_some()
    }

    /// The state of a batch changes, and its uploads are new each time.
    fn is_replayable(&self) -> bool {
        false
    }

    fn name(&self, _target: Option<&Target>) -> &'static str {
        metrics::BATCH
    }

    fn prepare(
        &self,
        _caller: &Caller,
        target: Target,
        _tags: &Tags,
        _gate: &mut Gate<'_>,
    ) -> Result<(Prepared<Self::Content>, ()), Error> {
        let base = &target.endpoint.settings.base;
        let uri = match self.ask.place {
            Place::Below(path) => url::at(base, path, "")?,
            Place::Upload(path) => url::beside(base, "upload", path)?,
            Place::Named(target) => url::named(base, target)?,
        };
        let payload = self.payload.take();
        let method = if payload.is_some() { Method::Post } else { Method::Get };
        let (body, content_type) =
            payload.map_or((Vec::new(), None), |payload| (payload.bytes, payload.content_type));
        let headers = self.ask.headers.iter();
        let headers = headers
            .filter_map(|(name, value)| Some(((*name).to_owned(), HeaderValue::new(value)?)));
        let content = Content {
            interface: self.service.interface,
            content_type,
            headers: headers.collect(),
            once: self.ask.once.is_some(),
            decode: self.decode,
        };
        let betas = self.ask.betas.clone();
        Ok((Prepared { target, method, uri, body, betas, content }, ()))
    }

    fn reserve_again(&self, _: &Caller, _: &Prepared<Self::Content>) -> Result<(), Error> {
        Ok(())
    }
}

/// Makes one attempt.
fn asked<T>(mut attempt: OngoingAttempt<'_, '_, Content<T>>, (): ()) -> Result<T, Error> {
    let content = &attempt.prepared.content;
    if content.once {
        attempt.second.forbid();
    }
    let signature = attempt.sign()?.with_headers(&content.headers);
    let incoming = attempt.exchange_live(&signature, content.content_type.as_ref())?;
    let reply = incoming.reply();
    unpriced::read(reply, &signature.secrets, |_| (content.decode)(content.interface, reply))
}
