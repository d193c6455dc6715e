//! The only place that knows ureq: one exchange of bytes over a pooled connection.
//!
//! A connection is leased first, under the call's deadline, and then handed to an
//! `Agent` made for this one exchange, which speaks HTTP/1.1 over it. So ureq's own
//! pool, resolver and timers have no part in it: its pool has no cap and no line,
//! it looks the host up on every request, and starts a thread each time to do so
//! once a timeout is set. Making the agent costs a few small allocations.

mod exchange;
mod fault;
mod open;
mod resolve;

use std::io::Read;
use std::time::Duration;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::{HeaderMap, Request, Uri};

use crate::config::{PoolConfig, Tls};
use crate::deadline::Deadline;
use crate::error::{Error, Phase};
use crate::pool::{Acquired, Lease, Limits, Origin, Pool};
use exchange::{Handoff, NoLookup};
use fault::Fault;
use open::{Connection, Opener};

/// A connection idle for less than this is taken to be alive: one that is used
/// often is not probed.
const PROBE_AFTER: Duration = Duration::from_secs(1);

/// The most that is read of the body of an error.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// Sends requests to one origin.
#[derive(Debug)]
pub(crate) struct Transport {
    pool: Pool<Connection>,
    origin: Origin,
    opener: Opener,
    config: Config,
    retry_stale: bool,
    max_response_bytes: usize,
}

/// How a [`Transport`] is set up.
pub(crate) struct Settings<'a> {
    /// An absolute URL at the origin to reach.
    pub(crate) base: &'a Uri,
    pub(crate) connect_timeout: Duration,
    pub(crate) pool: &'a PoolConfig,
    pub(crate) tls: Option<&'a Tls>,
    pub(crate) max_response_bytes: usize,
}

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// What comes back.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Transport {
    pub(crate) fn new(settings: &Settings<'_>) -> Result<Self, Error> {
        let config = open::config(settings.base, settings.tls)?;
        Ok(Self {
            pool: Pool::new(Limits {
                max_size: settings.pool.max_size,
                max_per_origin: settings.pool.max_per_origin,
                idle_timeout: settings.pool.idle_timeout,
            }),
            origin: Origin::new(&open::origin(settings.base)),
            opener: Opener::new(settings.base.clone(), config.clone(), settings.connect_timeout),
            config,
            retry_stale: settings.pool.retry_stale,
            max_response_bytes: settings.max_response_bytes,
        })
    }

    /// Sends a request and reads the whole response, all within the deadline.
    pub(crate) fn exchange(
        &self,
        request: Outgoing<'_>,
        deadline: Deadline,
    ) -> Result<Incoming, Error> {
        let (lease, reused) = self.lease(deadline, false)?;
        let outcome = match self.run(request, lease, deadline) {
            // Most likely closed by the server while it was idle, and nothing of
            // the answer has come: once more, on a socket that was not idle.
            Err(fault) if reused && self.retry_stale && fault.is_before_any_answer() => {
                let (lease, _) = self.lease(deadline, true)?;
                self.run(request, lease, deadline)
            }
            outcome => outcome,
        };
        outcome.map_err(Fault::explain)
    }

    /// A connection, and whether it was used before.
    fn lease(&self, deadline: Deadline, fresh: bool) -> Result<(Lease<Connection>, bool), Error> {
        let acquired = self
            .pool
            .acquire(&self.origin, deadline)
            .ok_or_else(|| Error::timeout(Phase::PoolWait))?;
        let permit = match acquired {
            Acquired::Reused(mut lease, idle) => {
                if !fresh && (idle < PROBE_AFTER || lease.connection().is_open()) {
                    return Ok((lease, true));
                }
                lease.close()
            }
            Acquired::Open(permit) => permit,
        };
        let connection = self.opener.open(deadline)?;
        Ok((permit.fill(connection), false))
    }

    fn run(
        &self,
        request: Outgoing<'_>,
        lease: Lease<Connection>,
        deadline: Deadline,
    ) -> Result<Incoming, Fault> {
        let connector = Handoff::new(lease, deadline);
        let agent = Agent::with_parts(self.config.clone(), connector, NoLookup);
        let mut outgoing = Request::post(request.uri)
            .body(request.body)
            .map_err(|cause| Fault::from(ureq::Error::from(cause)))?;
        outgoing.headers_mut().clone_from(request.headers);
        let response = agent.run(outgoing)?;
        let (parts, body) = response.into_parts();
        let status = parts.status.as_u16();
        let headers = parts
            .headers
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let body =
            if (200..300).contains(&status) { self.read_whole(body)? } else { read_start(body)? };
        Ok(Incoming { status, headers, body })
    }

    fn read_whole(&self, body: ureq::Body) -> Result<Vec<u8>, Fault> {
        let limit = self.max_response_bytes;
        let announced = body.content_length().and_then(|length| usize::try_from(length).ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(Fault::TooLarge { limit });
        }
        let mut bytes = Vec::with_capacity(announced.unwrap_or(0));
        let mut reader = body.into_with_config().limit(u64::MAX).reader();
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        reader.by_ref().take(most).read_to_end(&mut bytes).map_err(ureq::Error::from)?;
        if bytes.len() > limit {
            return Err(Fault::TooLarge { limit });
        }
        // The end of the body is only noticed, and the connection given back, by a
        // read past it.
        if bytes.len() == limit {
            reader.read(&mut [0]).map_err(ureq::Error::from)?;
        }
        Ok(bytes)
    }
}

/// Reads the body of an error as far as it is worth. A connection that breaks
/// meanwhile does not hide the status that already came.
fn read_start(body: ureq::Body) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let mut reader = body.into_with_config().limit(u64::MAX).reader();
    let read = reader.by_ref().take(MAX_ERROR_BODY as u64).read_to_end(&mut bytes);
    match read.map_err(|cause| Fault::from(ureq::Error::from(cause))) {
        Ok(_) => Ok(bytes),
        Err(fault @ Fault::Timeout(_)) => Err(fault),
        Err(_) => Ok(bytes),
    }
}

impl Incoming {
    /// The response as the pure parts see it.
    pub(crate) fn reply(&self) -> crate::provider::Reply<'_> {
        crate::provider::Reply { status: self.status, headers: &self.headers, body: &self.body }
    }
}
