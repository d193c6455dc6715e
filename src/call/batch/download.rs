//! Reads a file of results, line by line.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::Service;
use super::exchange::options;
use crate::call::Caller;
use crate::call::cached::Gate;
use crate::call::operation::{Measurable, OngoingAttempt, Operation, Options};
use crate::call::prepared::Prepared;
use crate::call::run::{Completed, run};
use crate::call::target::Target;
use crate::call::url;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind};
use crate::key::Secrets;
use crate::metrics;
use crate::observed::Ended;
use crate::tags::Tags;
use crate::transport::{Body, Method, Watch};
use crate::wire::framing::ndjson;
use crate::wire::{self, Delivery, Failure};

/// The longest line: as many bytes as a request of a batch can have, and some more.
const LONGEST_LINE: usize = 256 * 1024 * 1024;

/// A file of results, read as it arrives.
pub(super) struct Download {
    opened: Opened,
    /// `None` at the end.
    parser: Option<ndjson::Parser>,
    ready: VecDeque<String>,
    idle: Duration,
}

/// A response whose body is still to be read.
struct Opened {
    body: Body,
    watch: Arc<Watch>,
    secrets: Arc<Secrets>,
}

impl Measurable for Opened {}

/// The download as an operation.
struct Request<'a> {
    service: &'a Service,
    path: &'a str,
}

impl Service {
    /// Opens a file of results.
    ///
    /// # Errors
    ///
    /// As for any call.
    pub(super) fn download(&self, path: &str) -> Result<Download, Error> {
        let request = Request { service: self, path };
        let (observed, Completed { tried, .. }) =
            run(&self.caller, &request, opened, Instant::now())?;
        observed.end(&Ended { attempts: &tried.attempts, ..Ended::default() });
        Ok(Download {
            opened: tried.value,
            parser: Some(ndjson::Parser::with_limit(LONGEST_LINE)),
            ready: VecDeque::new(),
            idle: self.endpoint.settings.timeouts.idle,
        })
    }
}

impl Download {
    /// The next line; `None` at the end.
    ///
    /// # Errors
    ///
    /// If the connection breaks or stalls.
    pub(super) fn line(&mut self) -> Result<Option<String>, Error> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Ok(Some(line));
            }
            let Some(mut parser) = self.parser.take() else { return Ok(None) };
            let Opened { body, watch, secrets } = &mut self.opened;
            // The deadline of the call was for the head. The file may take its time, as long as
            // bytes come.
            watch.set_deadline(Deadline::after(Instant::now(), self.idle));
            let ready = &mut self.ready;
            let keep = |line: &str| {
                ready.push_back(line.to_owned());
                Ok::<_, Error>(())
            };
            let idle = self.idle;
            let piece = body
                .read()
                .map_err(|error| error.with_limit("idle_timeout", idle).hide(secrets))?;
            if piece.is_empty() {
                parser.finish(keep)?;
            } else {
                parser.push(piece, keep)?;
                self.parser = Some(parser);
            }
        }
    }
}

impl Operation for Request<'_> {
    type Content = ();
    type Reserved = ();

    fn delivery(&self) -> Delivery {
        Delivery::Whole
    }

    fn options(&self) -> Options<'_> {
        options(self.service)
    }

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
    ) -> Result<(Prepared<()>, ()), Error> {
        let base = &target.endpoint.settings.base;
        let uri = match self.service.interface.download_service() {
            None => url::at(base, self.path, "")?,
            Some(service) => url::beside(base, service, self.path)?,
        };
        let (method, body) = (Method::Get, Vec::new());
        Ok((Prepared { target, method, uri, body, betas: None, content: () }, ()))
    }

    fn reserve_again(&self, _: &Caller, _: &Prepared<()>) -> Result<(), Error> {
        Ok(())
    }
}

/// Makes one attempt. It ends with the head of the response.
fn opened(mut attempt: OngoingAttempt<'_, '_, ()>, (): ()) -> Result<Opened, Error> {
    let signature = attempt.sign()?;
    let secrets = &signature.secrets;
    let limit = attempt.limits.attempt();
    let bounds = attempt.limits.bounds(limit);
    let watch = Arc::new(Watch::new(&bounds, None));
    let opened = attempt.open_live(&signature, &bounds, None, &watch);
    let (mut incoming, body) =
        opened.map_err(|error| error.with_limit(limit.setting, limit.value).hide(secrets))?;
    let refused = match &body {
        None => {
            incoming.hide_error(secrets);
            Some(Failure::of(incoming.reply()))
        }
        Some(_) => wire::head::check_coding(incoming.reply()).err(),
    };
    match (refused, body) {
        (None, Some(body)) => Ok(Opened { body, watch, secrets: Arc::clone(secrets) }),
        (Some(failure), _) => {
            Err(wire::error(failure, incoming.reply(), SystemTime::now(), secrets))
        }
        (None, None) => Err(Error::new(ErrorKind::Protocol, "the response has no body")),
    }
}
