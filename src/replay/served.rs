//! What a server with recordings answers, whose address is another one than the recorded.

use std::path::PathBuf;
use std::sync::Arc;

use super::Replay;
use super::key::{Identity, Request};
use super::lookup::Loaded;
use super::stored::{self, Response};
use crate::error::Error;
use crate::key::Secrets;

/// What a server with recordings has for a request.
#[derive(Debug)]
pub(crate) enum Served {
    Recorded(Response),
    /// Nothing that may be served. A recording would have this file.
    Missing(PathBuf),
}

impl Replay {
    /// Finds the recording of a request to a server. Its provider, scheme, host and port may differ
    /// from the recorded ones. `secrets` are those of the request, which recordings lack.
    ///
    /// # Errors
    ///
    /// [`Configuration`](crate::ErrorKind::Configuration) if a file cannot be used.
    pub(crate) fn serve(&self, request: &Request<'_>, secrets: &Secrets) -> Result<Served, Error> {
        let identity = Identity::of(request, &self.rules);
        let made = self.count(&identity)?;
        let name = self.name(&request.into(), &identity, made);
        let mut loaded = self.load(&name, |text| stored::read(text, &identity))?;
        if matches!(loaded, Loaded::Missing) {
            let index = Arc::clone(&self.state.lock().index);
            let index = index.refreshed(self.folder());
            let index = Arc::new(index.map_err(|cause| self.unreadable(self.folder(), cause))?);
            self.state.lock().index = Arc::clone(&index);
            let repetition = if self.sequence { made } else { 1 };
            if let Some(other) = index.find(identity.question(secrets), repetition) {
                let read = |text: &str| stored::read_any(text).map(|(_, response)| response);
                loaded = self.load(other, read)?;
            }
        }
        Ok(match loaded {
            Loaded::Response(response) => Served::Recorded(response),
            Loaded::Missing | Loaded::Outdated => Served::Missing(self.folder().join(name)),
        })
    }
}
