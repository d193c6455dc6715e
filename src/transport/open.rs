//! Opens connections to one origin: TLS settings, proxies, timeouts.

use std::io;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver as _};
use ureq::unversioned::transport::time::{Duration as UreqDuration, Instant as UreqInstant};
use ureq::unversioned::transport::{ConnectionDetails, NextTimeout, ShutdownHandle};

use super::OriginSettings;
use super::connection::{self, Closing, Connection, shut_down_on};
use super::fault::is_hangup;
use super::progress::Progress;
use super::race;
use super::resolve::{Resolver, Unresolved};
use super::steps::Steps;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
use super::trust::{Trust, advice, trust};
use crate::bounds::Bounds;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
use crate::config::RootFiles;
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase};
use crate::observe::Observers;
use crate::sync::none_held;
use crate::url::Url;

/// The size of the input buffer of TLS: the most that one read through it returns. A record of the
/// largest size takes two reads. ureq's default is 128 KiB per direction and connection.
const INPUT: usize = 8 * 1024;

/// The size of the output buffer of TLS or a proxy. Most requests fit, head and body; larger ones
/// are sent in pieces of this size.
const OUTPUT: usize = 8 * 1024;

/// ureq's settings for opening connections to one origin, and what they trust, in words.
pub(super) fn config(settings: &OriginSettings<'_>) -> Result<(Config, String), Error> {
    let config = Config::builder()
        .input_buffer_size(INPUT)
        .output_buffer_size(OUTPUT)
        // Tells a proxy which client asks it to connect.
        .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
        .proxy(settings.proxy.cloned());
    let (config, trusted) = with_tls(config, settings)?;
    Ok((config.build(), trusted))
}

#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
fn advice(_reason: &str, _trusted: &str) -> Option<String> {
    None
}

type ConfigBuilder = ureq::config::ConfigBuilder<ureq::typestate::AgentScope>;

#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
fn with_tls(
    config: ConfigBuilder,
    settings: &OriginSettings<'_>,
) -> Result<(ConfigBuilder, String), Error> {
    // Without TLS, they apply to nothing.
    let _ = (settings.tls, settings.root_files);
    Ok((config, String::new()))
}

/// Adds what the origin's settings trust, and returns the same in words.
#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn with_tls(
    config: ConfigBuilder,
    settings: &OriginSettings<'_>,
) -> Result<(ConfigBuilder, String), Error> {
    let is_needed = settings.base.is_https()
        || settings.proxy.is_some_and(|proxy| proxy.protocol() == ureq::ProxyProtocol::Https);
    let unread = RootFiles::default();
    // A broken file does not matter to a client that never encrypts.
    let files = if is_needed { settings.root_files } else { &unread };
    let Trust { config: tls, whom } = trust(settings.tls, files)?;
    Ok((config.tls_config(tls), whom))
}

/// rustls does nothing before it has bytes. OpenSSL, below native-tls, takes any error but "would
/// block" for the end of the connection (SSL_get_error(3), SSL_ERROR_SYSCALL).
#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn resumes_reads(config: &Config) -> bool {
    config.tls_config().provider() == ureq::tls::TlsProvider::Rustls
}

#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
fn resumes_reads(_config: &Config) -> bool {
    true
}

/// ureq itself opens the socket to a SOCKS proxy.
fn is_socks(proxy: &ureq::Proxy) -> bool {
    !matches!(proxy.protocol(), ureq::ProxyProtocol::Http | ureq::ProxyProtocol::Https)
}

/// The identity of an origin: scheme, host and port.
pub(super) fn origin(url: &Url) -> String {
    let (host, port) = host_and_port(url);
    format!("{}://{host}:{port}", url.scheme())
}

/// The host, as metrics conventions name a server, and its port.
pub(crate) fn host_and_port(url: &Url) -> (String, u16) {
    (url.host().to_ascii_lowercase(), url.effective_port())
}

/// Opens connections to one origin.
pub(super) struct Opener {
    base: Url,
    /// The same for ureq.
    uri: Uri,
    config: Config,
    /// Which certificates are trusted, in words.
    trusted: String,
    steps: Steps,
    pub(super) resolver: Arc<Resolver>,
    connect_timeout: Duration,
    observers: Observers,
    origin: Arc<str>,
}

impl Opener {
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) if ureq does not accept the URL.
    pub(super) fn new(
        base: &Url,
        (config, trusted): (Config, String),
        connect_timeout: Duration,
        observers: Observers,
    ) -> Result<Self, Error> {
        let uri = base.as_str().parse().map_err(|cause| {
            Error::new(ErrorKind::Configuration, "the base URL is not a valid URL; correct it")
                .with_source(cause)
        })?;
        let (base, origin) = (base.clone(), origin(base).into());
        let (steps, resolver) = (Steps::default(), Arc::default());
        Ok(Self { base, uri, config, trusted, steps, resolver, connect_timeout, observers, origin })
    }

    /// Reports an opened connection to observers, and later its closing.
    fn opened(&self, took: Duration) -> Option<Closing> {
        if self.observers.is_empty() {
            return None;
        }
        let (observers, origin) = (self.observers.clone(), Arc::clone(&self.origin));
        observers.notify(|observer| observer.connection_opened(&origin, took));
        Some(Closing { observers, origin })
    }

    /// The deadline for opening a connection that starts now.
    pub(super) fn deadline(&self, bounds: &Bounds) -> Deadline {
        bounds.deadline.earlier(Deadline::after(Instant::now(), self.connect_timeout))
    }

    /// Names the connect timeout if that ended the opening, rather than the call's own limits.
    pub(super) fn name_limit(&self, error: Error, bounds: &Bounds) -> Error {
        match bounds.deadline.is_past(Instant::now()) {
            true => error,
            false => error.with_limit("connect_timeout", self.connect_timeout),
        }
    }

    /// Resolves the host, connects and does the TLS handshake.
    pub(super) fn open(
        self: &Arc<Self>,
        progress: &Arc<Progress>,
        bounds: &Bounds,
    ) -> Result<Connection, Error> {
        none_held("a connection is opened");
        let begun = Instant::now();
        let lookup = Lookup {
            resolver: Arc::clone(&self.resolver),
            progress: Arc::clone(progress),
            bounds: Bounds { deadline: progress.deadline(), cancel: bounds.cancel.clone() },
            proxy_port: self.config.proxy().map(ureq::Proxy::port),
        };
        // A proxy resolves the host itself, except the kinds that leave it to us.
        let proxy_resolves = self.config.proxy().is_some_and(|proxy| !proxy.resolve_target());
        let addresses = if proxy_resolves {
            lookup.empty()
        } else {
            lookup
                .addresses(self.base.host(), self.base.effective_port())
                .map_err(|cause| self.unresolved(cause))?
        };
        let left = match progress.deadline().remaining(Instant::now()) {
            None => UreqDuration::NotHappening,
            Some(left) if left.is_zero() => return Err(Error::timeout(Phase::Connect)),
            Some(left) => UreqDuration::Exact(left),
        };
        // ureq registers the socket as soon as it is connected, before TLS.
        let socket = connection::socket();
        let interrupt = bounds.cancel.as_ref().map(|token| shut_down_on(token, &socket));
        let details = ConnectionDetails {
            uri: &self.uri,
            addrs: addresses,
            config: &self.config,
            request_level: false,
            resolver: &lookup,
            now: UreqInstant::now(),
            timeout: NextTimeout { after: left, ..NextTimeout::default() },
            current_time: Arc::new(UreqInstant::now),
            run_connector: {
                let (opener, progress) = (Arc::clone(self), Arc::clone(progress));
                Arc::new(move |details: &ConnectionDetails<'_>| {
                    opener.steps.connect_to_proxy(details, &progress)
                })
            },
            register_shutdown: {
                let (socket, bounds) = (Arc::clone(&socket), bounds.clone());
                Arc::new(move |handle: Weak<dyn ShutdownHandle>| {
                    *socket.lock() = Some(handle);
                    // Cancelled before there was a socket to shut down.
                    match bounds.is_cancelled() {
                        true => Err(io::Error::from(io::ErrorKind::Interrupted).into()),
                        false => Ok(()),
                    }
                })
            },
        };
        let outcome = self.steps.open(&details, progress);
        drop(interrupt);
        if bounds.is_cancelled() {
            return Err(Error::cancelled().with_phase(progress.phase()));
        }
        match outcome {
            Ok(link) => {
                progress.finish();
                let resumes = !link.is_tls() || resumes_reads(&self.config);
                let ours = !self.config.proxy().is_some_and(is_socks);
                let closing = self.opened(begun.elapsed());
                Ok(Connection::new(link, socket, resumes, ours, closing))
            }
            Err(cause) => Err(self.failed(cause, progress.phase())),
        }
    }

    fn unresolved(&self, cause: Unresolved) -> Error {
        match cause {
            Unresolved::TimedOut => Error::timeout(Phase::Resolve),
            Unresolved::Cancelled => Error::cancelled().with_phase(Phase::Resolve),
            Unresolved::Failed(cause) => Error::new(
                ErrorKind::Connection,
                format!("cannot resolve the host {:?}: {cause}", self.base.host()),
            )
            .with_phase(Phase::Resolve)
            .with_source(cause),
        }
    }

    fn failed(&self, cause: ureq::Error, phase: Phase) -> Error {
        let target = match self.config.proxy() {
            Some(proxy) => {
                let (host, port) = (proxy.host(), proxy.port());
                format!("{} through the proxy {host}:{port}", origin(&self.base))
            }
            None => origin(&self.base),
        };
        let (kind, message) = match &cause {
            ureq::Error::Timeout(_) => return Error::timeout(phase).with_source(cause),
            // A restarting load balancer does this; it says nothing about certificates.
            ureq::Error::Io(cause) if phase == Phase::Tls && is_hangup(cause) => {
                (ErrorKind::Connection, "the connection closed during the TLS handshake with")
            }
            _ if phase == Phase::Tls => (ErrorKind::Tls, "cannot open an encrypted connection to"),
            // RFC 9110 section 15.5.8. ureq has the status only in its text.
            ureq::Error::ConnectProxyFailed(reason) if reason.contains(" 407/") => (
                ErrorKind::Configuration,
                "the user name and password in the URL of the proxy are missing or wrong; \
                 cannot connect to",
            ),
            _ => (ErrorKind::Connection, "cannot connect to"),
        };
        // The wrapped error says it better than ureq's own prefix.
        let why = match &cause {
            ureq::Error::Io(cause) => cause.to_string(),
            ureq::Error::ConnectProxyFailed(reason) => reason.clone(),
            cause => cause.to_string(),
        };
        let advice = match kind {
            ErrorKind::Tls => advice(&why, &self.trusted).map(|advice| format!("; {advice}")),
            _ => None,
        };
        let message = format!("{message} {target}: {why}{}", advice.unwrap_or_default());
        Error::new(kind, message).with_phase(phase).with_source(cause)
    }
}

/// The name lookup of one connection. ureq uses it only for the host of a proxy.
#[derive(Debug)]
struct Lookup {
    resolver: Arc<Resolver>,
    progress: Arc<Progress>,
    bounds: Bounds,
    /// The port of a proxy whose URL names none.
    proxy_port: Option<u16>,
}

impl Lookup {
    fn addresses(&self, host: &str, port: u16) -> Result<ResolvedSocketAddrs, Unresolved> {
        self.progress.enter(Phase::Resolve);
        let mut addresses = self.empty();
        let found = race::interleaved(self.resolver.resolve(host, port, &self.bounds)?);
        // ureq has room for this many. The list is cut last, so that no address family is lost.
        for address in found.into_iter().take(16) {
            addresses.push(address);
        }
        self.progress.enter(Phase::Connect);
        Ok(addresses)
    }
}

impl ureq::unversioned::resolver::Resolver for Lookup {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let usual = || if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = self.proxy_port.or(uri.port_u16()).unwrap_or_else(usual);
        let found = self.addresses(uri.host().unwrap_or_default(), port);
        found.map_err(|cause| match cause {
            Unresolved::TimedOut => ureq::Error::Timeout(timeout.reason),
            Unresolved::Cancelled => io::Error::from(io::ErrorKind::Interrupted).into(),
            Unresolved::Failed(cause) => io::Error::new(cause.kind(), cause).into(),
        })
    }
}
