//! Gives a leased connection to the ureq agent of one exchange.

use std::fmt;
use std::sync::Arc;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{ConnectionDetails, Connector, NextTimeout};

use super::connection::Connection;
use super::exchange::Leased;
use super::watch::Watch;
use crate::pool::Lease;
use crate::sync::Lock;
use crate::sync::ordered::Mutex;

/// Gives the connection leased for an exchange to that exchange's agent.
pub(super) struct Handoff {
    /// The agent takes it when it connects, which it does once ([`Lock::Handoff`]).
    transport: Mutex<Option<Leased>>,
}

impl Handoff {
    /// `headers` are added to the head of the request, unchanged.
    pub(super) fn new(lease: Lease<Connection>, watch: &Arc<Watch>, headers: Vec<u8>) -> Self {
        let leased = Leased::new(lease, Arc::clone(watch), headers);
        Self { transport: Mutex::new(Lock::Handoff, Some(leased)) }
    }
}

impl Connector for Handoff {
    type Out = Leased;

    fn connect(
        &self,
        _details: &ConnectionDetails<'_>,
        _chained: Option<()>,
    ) -> Result<Option<Leased>, ureq::Error> {
        Ok(self.transport.lock().take())
    }
}

impl fmt::Debug for Handoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handoff").finish_non_exhaustive()
    }
}

/// Resolves nothing: the connection is already open.
#[derive(Debug)]
pub(super) struct NoLookup;

impl Resolver for NoLookup {
    fn resolve(
        &self,
        _uri: &Uri,
        _config: &Config,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}
