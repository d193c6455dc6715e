//! The steps that open a connection: TCP, proxy, TLS.

use std::sync::Arc;

#[cfg(feature = "native-tls")]
use ureq::unversioned::transport::NativeTlsConnector;
#[cfg(feature = "rustls")]
use ureq::unversioned::transport::RustlsConnector;
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, SocksConnector, Transport,
};

use super::link::Link;
use super::progress::{DeadlineTransport, Progress};
#[cfg(any(feature = "rustls", feature = "native-tls"))]
use super::records::Records;
use super::tcp::Tcp;
use crate::error::Phase;

/// The steps that open a connection. They are those of ureq's `DefaultConnector`, with a socket of
/// our own, and taken one by one so that an error can say which one failed.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// Keeps the parsed root certificates.
    #[cfg(feature = "rustls")]
    rustls: RustlsConnector,
    #[cfg(feature = "native-tls")]
    native_tls: NativeTlsConnector,
}

impl Steps {
    /// Takes all steps.
    pub(super) fn open(
        &self,
        details: &ConnectionDetails<'_>,
        progress: &Progress,
    ) -> Result<Link, ureq::Error> {
        if details.needs_tls() || details.config.proxy().is_some() {
            let transport = self.connect(details, progress)?;
            return Ok(Link::Layered { transport, full: false });
        }
        progress.enter(Phase::Connect);
        Tcp::connect(details, progress).map(Link::Plain)
    }

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        progress: &Progress,
    ) -> Result<Box<dyn Transport>, ureq::Error> {
        progress.enter(Phase::Connect);
        let there = SocksConnector::default().connect(details, None::<()>)?;
        // `connect_to_proxy` opens its connection to the proxy.
        let there = ConnectProxyConnector::default().connect(details, there)?;
        let there = match there {
            Some(there) => there.boxed(),
            None => Tcp::connect(details, progress)?.boxed(),
        };
        if !details.needs_tls() {
            return Ok(there);
        }
        progress.enter(Phase::Tls);
        #[cfg(any(feature = "rustls", feature = "native-tls"))]
        let there = Records::new(there).boxed();
        #[cfg(feature = "rustls")]
        let there = opened(self.rustls.connect(details, Some(there))?)?;
        #[cfg(feature = "native-tls")]
        let there = opened(self.native_tls.connect(details, Some(there))?)?;
        if there.is_tls() { Ok(there) } else { Err(ureq::Error::TlsRequired) }
    }

    /// Connects to the proxy itself within the time left; ureq would start the timeout anew.
    pub(super) fn connect_to_proxy(
        &self,
        details: &ConnectionDetails<'_>,
        progress: &Arc<Progress>,
    ) -> Result<Box<dyn Transport>, ureq::Error> {
        let details = ConnectionDetails {
            uri: details.uri,
            addrs: details.addrs.clone(),
            config: details.config,
            request_level: details.request_level,
            resolver: details.resolver,
            now: (details.current_time)(),
            timeout: progress.bound(details.timeout)?,
            current_time: Arc::clone(&details.current_time),
            run_connector: Arc::clone(&details.run_connector),
            register_shutdown: Arc::clone(&details.register_shutdown),
        };
        let proxy = self.connect(&details, progress)?;
        // The proxy has yet to connect.
        progress.enter(Phase::Connect);
        Ok(DeadlineTransport::new(proxy, Arc::clone(progress)).boxed())
    }
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn opened(transport: Option<impl Transport>) -> Result<Box<dyn Transport>, ureq::Error> {
    Ok(transport.ok_or(ureq::Error::ConnectionFailed)?.boxed())
}
