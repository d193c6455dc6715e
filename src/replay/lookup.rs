//! Finds the recording of a request.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::key::{Identity, Request};
use super::slot::Label;
use super::stored::{self, Response, Unreadable};
use super::{MODE, Mode, Replay, folder};
use crate::error::{Error, ErrorKind};
use crate::time::rfc3339;

/// What a file is good for.
pub(super) enum Loaded {
    Response(Response),
    /// There is none.
    Missing,
    /// It is to be recorded again.
    Outdated,
}

impl Replay {
    /// Finds the recording of a request. `None` if it is to be recorded.
    ///
    /// # Errors
    ///
    /// [`NotRecorded`](ErrorKind::NotRecorded) if there is none and nothing may be recorded,
    /// [`Configuration`](ErrorKind::Configuration) if its file cannot be used.
    pub(crate) fn find(&self, request: &Request<'_>) -> Result<Option<Response>, Error> {
        let identity = Identity::of(request, &self.rules);
        let made = self.count(&identity)?;
        let name = self.name(&request.into(), &identity, made);
        match self.load(&name, |text| stored::read(text, &identity))? {
            Loaded::Response(response) => Ok(Some(response)),
            Loaded::Missing if self.is_offline() => Err(self.missing(&name)),
            Loaded::Missing | Loaded::Outdated => Ok(None),
        }
    }

    /// Counts a request. Returns how often it was made, this time included.
    ///
    /// # Errors
    ///
    /// Why an earlier recording could not be kept.
    pub(super) fn count(&self, identity: &Identity) -> Result<u32, Error> {
        let mut state = self.state.lock();
        if let Some(failed) = state.failed.take() {
            return Err(failed);
        }
        let made = state.made.entry(identity.key).or_default();
        *made += 1;
        Ok(*made)
    }

    /// Reads a file, and notes that it was used.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) if it cannot be used.
    pub(super) fn load(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Result<Response, Unreadable>,
    ) -> Result<Loaded, Error> {
        let is_new = self.state.lock().written.contains(name);
        if self.mode == Some(Mode::Refresh) && !is_new {
            return Ok(Loaded::Outdated);
        }
        let path = self.folder().join(name);
        let text = folder::read(&path).map_err(|cause| self.unreadable(&path, cause))?;
        let Some(text) = text else { return Ok(Loaded::Missing) };
        if !is_new && self.is_stale(&path, &text) {
            return Ok(Loaded::Outdated);
        }
        let response = read(&text).map_err(|cause| {
            let message = format!("the recording {} cannot be used: {cause}", path.display());
            Error::new(ErrorKind::Configuration, message)
        })?;
        self.state.lock().used.insert(name.to_owned());
        Ok(Loaded::Response(response))
    }

    /// The name of the file for a request, which was made `made` times so far.
    pub(super) fn name(&self, label: &Label, identity: &Identity, made: u32) -> String {
        label.name(identity, if self.sequence { made } else { 1 })
    }

    /// Whether a recording is to be made again because of its age.
    fn is_stale(&self, path: &Path, text: &str) -> bool {
        let Some(Mode::RefreshOlderThan(most)) = self.mode else { return false };
        let stated = stored::recorded(text);
        let stated = stated.and_then(|day| rfc3339::parse(&format!("{day}T00:00:00Z")));
        let changed = || path.metadata().and_then(|data| data.modified()).ok();
        let made = stated.or_else(changed);
        made.is_none_or(|made| age(made) > most)
    }

    fn missing(&self, name: &str) -> Error {
        let path = self.folder().join(name);
        let message = format!(
            "there is no recording of this request ({}), and only recordings are used here; to \
             record it, run once with {MODE}=record and a key, and check in the file",
            path.display()
        );
        Error::new(ErrorKind::NotRecorded, message)
    }

    pub(super) fn unreadable(&self, path: &Path, cause: io::Error) -> Error {
        let message = format!("the recordings cannot be read: {}", path.display());
        Error::new(ErrorKind::Configuration, message).with_source(cause)
    }
}

fn age(made: SystemTime) -> Duration {
    SystemTime::now().duration_since(made).unwrap_or_default()
}
