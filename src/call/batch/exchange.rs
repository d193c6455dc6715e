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
use crate::error::{Error, ErrorKind};
use crate::header::HeaderValue;
use crate::metrics;
use crate::observed::Ended;
use crate::tags::Tags;
use crate::transport::Method;
use crate::wire::batch::Interface;
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

/// Reads a successful response, and keeps what it says.
type Read<'a> = &'a dyn Fn(Reply<'_>) -> Result<(), Failure>;

/// The request as an operation.
struct Request<'a> {
    service: &'a Service,
    ask: &'a Ask<'a>,
    /// Taken when the request is prepared, which happens once: a copy could have 200 MB.
    payload: Cell<Option<Payload>>,
    read: Read<'a>,
}

/// What an attempt needs of the request.
struct Content<'a> {
    content_type: Option<HeaderValue>,
    headers: Vec<(String, HeaderValue)>,
    once: bool,
    read: Read<'a>,
}

impl Measurable for () {}

impl Service {
    /// Sends a request and reads the answer.
    ///
    /// # Errors
    ///
    /// As for any call.
    pub(super) fn ask<T>(&self, ask: Ask<'_>, decode: Decode<T>) -> Result<T, Error> {
        let answer = Cell::new(None);
        let read = |reply: Reply<'_>| {
            answer.set(Some(decode(self.interface, reply)?));
            Ok(())
        };
        self.ask_and_read(ask, &read)?;
        let unread = || Error::new(ErrorKind::Protocol, "the answer was not read");
        answer.take().ok_or_else(unread)
    }

    /// Sends a request and lets `read` read the answer. It is compiled once for all answers.
    fn ask_and_read(&self, mut ask: Ask<'_>, read: Read<'_>) -> Result<(), Error> {
        let payload = Cell::new(ask.body.take());
        let request = Request { service: self, ask: &ask, payload, read };
        let begun = Instant::now();
        let (observed, Completed { tried, .. }) = run(&self.caller, &request, asked, begun)?;
        observed.end(&Ended { attempts: &tried.attempts, ..Ended::default() });
        Ok(())
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

impl<'a> Operation for Request<'a> {
    type Content = Content<'a>;
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
            content_type,
            headers: headers.collect(),
            once: self.ask.once.is_some(),
            read: self.read,
        };
        let betas = self.ask.betas.clone();
        Ok((Prepared { target, method, uri, body, betas, content }, ()))
    }

    fn reserve_again(&self, _: &Caller, _: &Prepared<Self::Content>) -> Result<(), Error> {
        Ok(())
    }
}

/// Makes one attempt.
fn asked(mut attempt: OngoingAttempt<'_, '_, Content<'_>>, (): ()) -> Result<(), Error> {
    let content = &attempt.prepared.content;
    if content.once {
        attempt.second.forbid();
    }
    let signature = attempt.sign()?.with_headers(&content.headers);
    let incoming = attempt.exchange_live(&signature, content.content_type.as_ref())?;
    let reply = incoming.reply();
    unpriced::read(reply, &signature.secrets, |_| (content.read)(reply))
}
