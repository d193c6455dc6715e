//! Sends one request over a pooled connection and reads its response.
//!
//! ureq opens the connections: TLS, proxies, certificates. This crate speaks HTTP/1.1 over them
//! ([`http`]). A connection is leased first, under the call's deadline. An [`Exchange`] then sends the
//! request, reads the response, and returns the lease.

mod body;
mod connection;
mod dial;
mod exchange;
mod fault;
mod headers;
mod http;
mod input;
mod link;
mod message;
mod open;
mod progress;
mod race;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod records;
mod resolve;
mod steps;
mod tcp;
mod tcp_buffers;
#[cfg(all(test, target_os = "linux", not(loom)))]
mod tests;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod trust;
mod watch;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::bounds::Bounds;
use crate::config::{PoolConfig, RootFiles, Tls};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase};
use crate::observe::{self, Observers};
use crate::pool::{
    Acquired, CloseReason, Lease, Limits, OriginId, Permit, Pool, PoolStats, Refused,
};
use crate::retry::SecondSending;
use crate::url::Url;
use crate::wire::{HeaderFields, Sent};
pub(crate) use body::Body;
use connection::Connection;
use dial::dial;
use exchange::Exchange;
use fault::Fault;
pub(crate) use headers::Headers;
use http::Framing;
#[cfg(feature = "internals")]
pub(crate) use http::read_response;
pub(crate) use message::{Incoming, Method, Outgoing};
use open::Opener;
pub(crate) use open::host_and_port;
pub(crate) use watch::Watch;

/// How long to wait for the body of an error. The status is known by then, and a body that does not
/// come must not use up the time for a retry.
const ERROR_BODY: Duration = Duration::from_secs(2);

/// Sends requests to any number of origins over one connection pool.
pub(crate) struct Transport {
    pool: Pool<Connection>,
    pool_config: PoolConfig,
    retry_stale: bool,
    max_response_bytes: usize,
    max_response_head_bytes: usize,
    observers: Observers,
}

/// The settings of a [`Transport`].
pub(crate) struct Settings<'a> {
    pub(crate) pool: &'a PoolConfig,
    /// Whether to send once more if a reused connection turns out to be dead.
    pub(crate) retry_stale: bool,
    pub(crate) max_response_bytes: usize,
    pub(crate) max_response_head_bytes: usize,
    pub(crate) observers: &'a Observers,
}

/// An origin (scheme, host and port), and how to open connections to it.
pub(crate) struct Origin {
    id: OriginId,
    opener: Arc<Opener>,
    name: Arc<str>,
}

/// The settings of an [`Origin`].
pub(crate) struct OriginSettings<'a> {
    /// An absolute URL of the origin.
    pub(crate) base: &'a Url,
    pub(crate) connect_timeout: Duration,
    pub(crate) proxy: Option<&'a ureq::Proxy>,
    pub(crate) tls: Option<&'a Tls>,
    /// The root certificates if `tls` is `None`.
    pub(crate) root_files: &'a RootFiles,
}

impl Transport {
    pub(crate) fn new(settings: &Settings<'_>) -> Self {
        let limits = Limits {
            max_size: settings.pool.max_size,
            max_per_origin: settings.pool.max_per_origin,
            idle_timeout: settings.pool.idle_timeout,
        };
        Self {
            pool: Pool::new(limits, settings.pool.cleanup_period),
            pool_config: *settings.pool,
            retry_stale: settings.retry_stale,
            max_response_bytes: settings.max_response_bytes,
            max_response_head_bytes: settings.max_response_head_bytes,
            observers: settings.observers.clone(),
        }
    }

    /// Registers an origin with the pool. Opens no connection.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) if the root certificates cannot be used.
    pub(crate) fn origin(&self, settings: &OriginSettings<'_>) -> Result<Origin, Error> {
        let name: Arc<str> = open::origin(settings.base).into();
        let config = open::config(settings)?;
        let opener =
            Opener::new(settings.base, config, settings.connect_timeout, self.observers.clone())?;
        Ok(Origin { id: self.pool.register(&name), opener: Arc::new(opener), name })
    }

    pub(crate) fn pool_stats(&self) -> PoolStats {
        self.pool.stats()
    }

    /// Opens connections in advance, all at the same time, until `wanted` are idle or the pool is
    /// full. Returns how many it opened.
    pub(crate) fn warm_up(
        &self,
        origin: &Origin,
        wanted: usize,
        bounds: &Bounds,
    ) -> Result<usize, Error> {
        let idle = self.pool.idle(origin.id);
        let permits: Vec<_> = (idle..wanted).map_while(|_| self.pool.spare(origin.id)).collect();
        let outcomes: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = permits
                .into_iter()
                .map(|permit| {
                    thread::Builder::new()
                        .spawn_scoped(scope, || {
                            self.open(origin, permit, bounds).map(Lease::give_back)
                        })
                        .map_err(|cause| {
                            Error::new(
                                ErrorKind::Connection,
                                "cannot start a thread to open a connection",
                            )
                            .with_source(cause)
                        })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| match thread?.join() {
                    Ok(outcome) => outcome,
                    Err(panic) => std::panic::resume_unwind(panic),
                })
                .collect()
        });
        let opened = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        match outcomes.into_iter().find_map(Result::err) {
            Some(error) => Err(error),
            None => Ok(opened),
        }
    }

    /// Sends a request and reads the whole response. `second` is the right to send it again if a
    /// reused connection turns out to be dead.
    pub(crate) fn exchange(
        &self,
        origin: &Origin,
        request: Outgoing<'_>,
        bounds: &Bounds,
        second: &mut SecondSending<'_>,
    ) -> Result<Incoming, Error> {
        let watch = Arc::new(Watch::new(bounds, None));
        self.on_a_live_connection(origin, bounds, second, |lease| {
            let (incoming, body) = self.send(request, lease, &watch)?;
            let Some(body) = body else { return Ok(Ok(incoming)) };
            Ok(match body.read_whole(self.max_response_bytes) {
                Ok(body) => Ok(Incoming { body, ..incoming }),
                Err(fault) => Err(incoming.identify(fault.into_error())),
            })
        })?
    }

    /// Sends a request and returns the body of the response as a stream. If the status is an error,
    /// it reads the body and returns no stream. `first` is the time limit from sending to the first
    /// event, if it ends before the deadline in `bounds`.
    pub(crate) fn open_stream(
        &self,
        origin: &Origin,
        request: Outgoing<'_>,
        bounds: &Bounds,
        first: Option<Duration>,
        watch: &Arc<Watch>,
        second: &mut SecondSending<'_>,
    ) -> Result<(Incoming, Option<Body>), Error> {
        self.on_a_live_connection(origin, bounds, second, |lease| {
            if let Some(first) = first {
                let first = Deadline::after(Instant::now(), first);
                watch.set_deadline(bounds.deadline.earlier(first));
            }
            self.send(request, lease, watch)
        })
    }

    fn on_a_live_connection<T>(
        &self,
        origin: &Origin,
        bounds: &Bounds,
        second: &mut SecondSending<'_>,
        exchange: impl Fn(Lease<Connection>) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        let begun = self.now_if_observed();
        let (lease, reused) = self.lease(origin, bounds)?;
        self.leased(origin, begun, reused);
        let outcome = match exchange(lease) {
            // The server most likely closed the connection while it was idle, and no byte of the
            // response has come. Send once more, on a fresh connection.
            Err(fault)
                if reused && self.retry_stale && fault.is_before_response() && second.take() =>
            {
                let begun = self.now_if_observed();
                let lease = self.fresh_lease(origin, bounds);
                let lease = lease.inspect_err(|_| second.put_back())?;
                self.leased(origin, begun, false);
                exchange(lease)
            }
            outcome => outcome,
        };
        outcome.map_err(Fault::into_error)
    }

    /// The time, if observers learn how long a lease takes.
    fn now_if_observed(&self) -> Option<Instant> {
        (!self.observers.is_empty()).then(Instant::now)
    }

    fn leased(&self, origin: &Origin, begun: Option<Instant>, reused: bool) {
        if let Some(begun) = begun {
            let lease = observe::Lease::new(&origin.name, begun.elapsed(), reused);
            self.observers.notify(|observer| observer.connection_leased(&lease));
        }
    }

    /// A connection, and whether it was used before.
    fn lease(&self, origin: &Origin, bounds: &Bounds) -> Result<(Lease<Connection>, bool), Error> {
        let (acquired, now) = self.acquire(origin, bounds)?;
        let permit = match acquired {
            Acquired::Open(permit) => permit,
            Acquired::Reused(mut lease, since) => {
                let idle = now.saturating_duration_since(since);
                let reason = match idle >= self.pool_config.idle_timeout {
                    // The cleaner has not closed it yet.
                    true => Some(CloseReason::Idle),
                    // Checked however briefly it was idle.
                    false => lease.connection_mut().unfit_reason(),
                };
                match reason {
                    None => return Ok((lease, true)),
                    Some(reason) => lease.replace(reason),
                }
            }
        };
        Ok((self.open(origin, permit, bounds)?, false))
    }

    /// A connection that was never used. An idle one is closed for it: it was idle as long as the
    /// one that turned out dead.
    fn fresh_lease(&self, origin: &Origin, bounds: &Bounds) -> Result<Lease<Connection>, Error> {
        let permit = match self.acquire(origin, bounds)?.0 {
            Acquired::Open(permit) => permit,
            Acquired::Reused(lease, _) => lease.replace(CloseReason::Broken),
        };
        self.open(origin, permit, bounds)
    }

    /// A place in the pool, and when it was granted.
    fn acquire(
        &self,
        origin: &Origin,
        bounds: &Bounds,
    ) -> Result<(Acquired<Connection>, Instant), Error> {
        if bounds.is_cancelled() {
            return Err(Error::cancelled());
        }
        let deadline = match self.pool_config.acquire_timeout {
            Some(timeout) => bounds.deadline.earlier(Deadline::after(Instant::now(), timeout)),
            None => bounds.deadline,
        };
        let acquired = self.pool.acquire(origin.id, deadline, bounds.cancel.as_ref());
        let now = Instant::now();
        match acquired {
            // The grant came too late to be used here; the next waiter may have more time.
            Ok(acquired) if bounds.deadline.is_past(now) => {
                if let Acquired::Reused(lease, _) = acquired {
                    lease.give_back();
                }
                Err(Error::timeout(Phase::PoolWait))
            }
            Ok(acquired) => Ok((acquired, now)),
            Err(Refused::TimedOut) => {
                let error = Error::timeout(Phase::PoolWait);
                Err(match self.pool_config.acquire_timeout {
                    Some(timeout) if deadline.is_before(bounds.deadline) => {
                        error.with_limit("acquire_timeout", timeout)
                    }
                    _ => error,
                })
            }
            Err(Refused::Cancelled) => Err(Error::cancelled().with_phase(Phase::PoolWait)),
            Err(Refused::ShutDown) => {
                Err(Error::new(ErrorKind::Cancelled, "the client is shut down"))
            }
        }
    }

    fn open(
        &self,
        origin: &Origin,
        permit: Permit<Connection>,
        bounds: &Bounds,
    ) -> Result<Lease<Connection>, Error> {
        let lifetime = self.pool_config.max_lifetime;
        let retire_at = move || {
            let shorter = lifetime?.as_secs_f64() * (1.0 - 0.1 * fastrand::f64());
            Instant::now().checked_add(Duration::try_from_secs_f64(shorter).ok()?)
        };
        dial(&origin.opener, permit, retire_at, bounds)
    }

    /// Sends a request. Reads the body of an error; any other body is left to read.
    fn send(
        &self,
        request: Outgoing<'_>,
        lease: Lease<Connection>,
        watch: &Arc<Watch>,
    ) -> Result<(Incoming, Option<Body>), Fault> {
        let mut exchange = Exchange::new(lease, Arc::clone(watch));
        exchange.send(&request.headers.head(&request), request.body)?;
        let head = exchange.head(self.max_response_head_bytes)?;
        let (status, length) = (head.status, head.length);
        let bytes = exchange.unread();
        let (headers, framing) =
            (HeaderFields::kept(head.fields(bytes)), Framing::of(&head, bytes));
        exchange.consume(length);
        let body = Body::new(exchange, framing);
        let (body, pending) = match status {
            200..=299 => (Vec::new(), Some(body)),
            _ => {
                let soon = Deadline::after(Instant::now(), ERROR_BODY);
                watch.set_deadline(watch.deadline().earlier(soon));
                (body.read_start(), None)
            }
        };
        let sent = Sent {
            provider: request.provider.clone(),
            url: request.uri.clone(),
            bytes: request.body.len(),
        };
        Ok((Incoming { status, headers, body, sent }, pending))
    }
}
