use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use ureq::Proxy;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::uri::Scheme;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time::{Duration as UreqDuration, Instant as UreqInstant};
use ureq::unversioned::transport::{
    ConnectionDetails, Connector, DefaultConnector, NextTimeout, ShutdownHandle, Transport,
};

use super::resolve::{Unresolved, resolve};
use crate::config::{Tls, is_loopback};
use crate::deadline::Deadline;
use crate::error::{Error, ErrorKind, Phase};

/// ureq's default is 128 KiB for each direction of each connection; requests and
/// responses here are small, and response headers beyond this are an error.
const BUFFER: usize = 16 * 1024;

/// ureq's settings for one origin.
pub(super) fn config(base: &Uri, tls: Option<&Tls>) -> Result<Config, Error> {
    let host = base.host().unwrap_or_default();
    // A proxy from the environment is for the outside: a loopback address means
    // another machine to it.
    let proxy = if is_loopback(host) { None } else { Proxy::try_from_env() };
    let config = Config::builder()
        .http_status_as_error(false)
        // A redirect could carry the key to another host.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections(0)
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
        .max_response_header_size(BUFFER - 1)
        .user_agent(concat!("tollgate/", env!("CARGO_PKG_VERSION")))
        .accept("application/json")
        .proxy(proxy);
    Ok(with_tls(config, tls)?.build())
}

type ConfigBuilder = ureq::config::ConfigBuilder<ureq::typestate::AgentScope>;

#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
fn with_tls(config: ConfigBuilder, _tls: Option<&Tls>) -> Result<ConfigBuilder, Error> {
    Ok(config)
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn with_tls(config: ConfigBuilder, tls: Option<&Tls>) -> Result<ConfigBuilder, Error> {
    use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

    let default = Tls::default();
    let builder = TlsConfig::builder();
    let builder = match tls.unwrap_or(&default) {
        #[cfg(feature = "rustls")]
        Tls::Bundled => builder.provider(TlsProvider::Rustls).root_certs(RootCerts::WebPki),
        #[cfg(feature = "platform-verifier")]
        Tls::Platform => {
            builder.provider(TlsProvider::Rustls).root_certs(RootCerts::PlatformVerifier)
        }
        #[cfg(feature = "native-tls")]
        Tls::Native => {
            builder.provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier)
        }
        Tls::Roots(pem) => {
            let mut certificates = Vec::new();
            for item in parse_pem(pem) {
                let item = item.map_err(|cause| {
                    Error::new(ErrorKind::Configuration, "the root certificates are not valid PEM")
                        .with_source(cause)
                })?;
                if let PemItem::Certificate(certificate) = item {
                    certificates.push(certificate);
                }
            }
            if certificates.is_empty() {
                return Err(Error::new(
                    ErrorKind::Configuration,
                    "the root certificates hold no certificate; expected PEM with \
                     \"BEGIN CERTIFICATE\"",
                ));
            }
            let provider =
                if cfg!(feature = "rustls") { TlsProvider::Rustls } else { TlsProvider::NativeTls };
            builder.provider(provider).root_certs(RootCerts::new_with_certs(&certificates))
        }
    };
    Ok(config.tls_config(builder.build()))
}

/// What tells one origin from another: scheme, host and port.
pub(super) fn origin(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or_default();
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    format!("{scheme}://{host}:{}", port(uri))
}

fn port(uri: &Uri) -> u16 {
    let default = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    uri.port_u16().unwrap_or(default)
}

/// An open connection, encrypted where its origin asks for that.
pub(super) struct Connection {
    transport: Box<dyn Transport>,
}

impl Connection {
    pub(super) fn transport(&mut self) -> &mut dyn Transport {
        &mut *self.transport
    }

    /// Whether the other side still seems to be there, and has sent nothing
    /// unasked: the bytes of a late error would be taken for the next answer.
    pub(super) fn is_open(&mut self) -> bool {
        self.transport.is_open()
    }

    pub(super) fn is_tls(&self) -> bool {
        self.transport.is_tls()
    }
}

/// Opens connections to one origin.
#[derive(Debug)]
pub(super) struct Opener {
    base: Uri,
    config: Config,
    connector: Arc<DefaultConnector>,
    connect_timeout: Duration,
}

impl Opener {
    pub(super) fn new(base: Uri, config: Config, connect_timeout: Duration) -> Self {
        Self { base, config, connector: Arc::new(DefaultConnector::new()), connect_timeout }
    }

    /// Looks the host up, connects and does the TLS handshake.
    pub(super) fn open(&self, deadline: Deadline) -> Result<Connection, Error> {
        let deadline = deadline.earlier(Deadline::after(Instant::now(), self.connect_timeout));
        let lookup = Lookup { deadline };
        let proxied = self.config.proxy().is_some_and(|proxy| !proxy.is_no_proxy(&self.base));
        // A proxy looks the host up itself, save for a kind that asks us to.
        let addresses = if proxied && !self.config.proxy().is_some_and(Proxy::resolve_target) {
            lookup.empty()
        } else {
            lookup.addresses(&self.base).map_err(|cause| self.unresolved(cause))?
        };
        let left = match deadline.remaining(Instant::now()) {
            None => UreqDuration::NotHappening,
            Some(left) if left.is_zero() => return Err(Error::timeout(Phase::Connect)),
            Some(left) => UreqDuration::Exact(left),
        };
        // ureq registers the socket as soon as it is connected, before TLS.
        let connected = Arc::new(AtomicBool::new(false));
        let details = ConnectionDetails {
            uri: &self.base,
            addrs: addresses,
            config: &self.config,
            request_level: false,
            resolver: &lookup,
            now: UreqInstant::now(),
            timeout: NextTimeout { after: left, ..NextTimeout::default() },
            current_time: Arc::new(UreqInstant::now),
            run_connector: {
                let connector = Arc::clone(&self.connector);
                Arc::new(move |details: &ConnectionDetails<'_>| {
                    connector.connect(details, None)?.ok_or(ureq::Error::ConnectionFailed)
                })
            },
            register_shutdown: {
                let connected = Arc::clone(&connected);
                Arc::new(move |_: std::sync::Weak<dyn ShutdownHandle>| {
                    connected.store(true, Ordering::Relaxed);
                    Ok(())
                })
            },
        };
        match self.connector.connect(&details, None) {
            Ok(Some(transport)) => Ok(Connection { transport }),
            Ok(None) => Err(self.failed(ureq::Error::ConnectionFailed, false)),
            Err(cause) => Err(self.failed(cause, connected.load(Ordering::Relaxed))),
        }
    }

    fn unresolved(&self, cause: Unresolved) -> Error {
        match cause {
            Unresolved::TimedOut => Error::timeout(Phase::Resolve),
            Unresolved::Failed(cause) => Error::new(
                ErrorKind::Connection,
                format!("cannot find the host {:?}: {cause}", self.base.host().unwrap_or_default()),
            )
            .with_phase(Phase::Resolve)
            .with_source(cause),
        }
    }

    fn failed(&self, cause: ureq::Error, connected: bool) -> Error {
        let encrypted = self.base.scheme() == Some(&Scheme::HTTPS);
        let phase = if connected && encrypted { Phase::Tls } else { Phase::Connect };
        let target = origin(&self.base);
        match cause {
            ureq::Error::Timeout(_) => Error::timeout(phase).with_source(cause),
            ureq::Error::Io(cause) if phase == Phase::Tls => {
                Error::new(ErrorKind::Tls, format!("no encrypted connection to {target}: {cause}"))
                    .with_phase(phase)
                    .with_source(cause)
            }
            ureq::Error::Io(cause) => {
                Error::new(ErrorKind::Connection, format!("cannot connect to {target}: {cause}"))
                    .with_phase(phase)
                    .with_source(cause)
            }
            ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => {
                Error::new(ErrorKind::Connection, format!("the proxy refused: {cause}"))
                    .with_phase(Phase::Connect)
                    .with_source(cause)
            }
            cause if phase == Phase::Tls => {
                Error::new(ErrorKind::Tls, format!("no encrypted connection to {target}: {cause}"))
                    .with_phase(phase)
                    .with_source(cause)
            }
            cause => {
                Error::new(ErrorKind::Connection, format!("cannot connect to {target}: {cause}"))
                    .with_phase(phase)
                    .with_source(cause)
            }
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// Name lookup under the deadline of one connection; ureq uses it for the host of
/// a proxy.
#[derive(Debug)]
struct Lookup {
    deadline: Deadline,
}

impl Lookup {
    fn addresses(&self, uri: &Uri) -> Result<ResolvedSocketAddrs, Unresolved> {
        let mut addresses = self.empty();
        let found = resolve(uri.host().unwrap_or_default(), port(uri), self.deadline)?;
        // ureq has room for so many.
        for address in found.into_iter().take(16) {
            addresses.push(address);
        }
        Ok(addresses)
    }
}

impl Resolver for Lookup {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        self.addresses(uri).map_err(|cause| match cause {
            Unresolved::TimedOut => ureq::Error::Timeout(timeout.reason),
            Unresolved::Failed(cause) => ureq::Error::Io(cause),
        })
    }
}
