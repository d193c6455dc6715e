//! Where the response to one request is kept.

use std::sync::Arc;
use std::time::SystemTime;

use super::key::{Identity, Request};
use super::stored::{self, Response};
use super::{Replay, folder};
use crate::error::{Error, ErrorKind};
use crate::key::Secrets;
use crate::time::rfc3339;

/// Where the response to one request is kept.
pub(crate) struct Slot {
    replay: Replay,
    label: Label,
    identity: Identity,
    secrets: Arc<Secrets>,
}

impl Slot {
    pub(super) fn new(replay: &Replay, request: &Request<'_>, secrets: &Arc<Secrets>) -> Self {
        Self {
            replay: replay.clone(),
            label: request.into(),
            identity: Identity::of(request, &replay.rules),
            secrets: Arc::clone(secrets),
        }
    }

    /// Keeps the response. If the attempt `failed` with it, and the failure says nothing about the
    /// request, the response is dropped unless the program wants it.
    pub(crate) fn keep(self, mut response: Response, failed: Option<&Error>) {
        let Self { replay, label, identity, mut secrets } = self;
        if failed.is_some_and(may_pass) && !replay.transient {
            return;
        }
        if !replay.dates {
            response.headers.retain(|(name, _)| name != "date");
        }
        let now = SystemTime::now();
        let recorded =
            replay.dates.then(|| rfc3339::rfc3339(now)).map(|time| time[..10].to_owned());
        Arc::make_mut(&mut secrets).add_all(&replay.rules.hidden);
        let made = replay.state.lock().made.get(&identity.key).copied().unwrap_or(1);
        let name = replay.name(&label, &identity, made);
        let outcome = match stored::write(&identity, &response, &secrets, recorded) {
            Some(text) => {
                let (folder, purpose) = (replay.folder(), folder::Purpose::Recording);
                folder::write(folder, &name, text.as_bytes(), purpose).map_err(|cause| {
                    let path = folder.join(&name);
                    let message = format!("the recording {} cannot be written", path.display());
                    Error::new(ErrorKind::Configuration, message).with_source(cause)
                })
            }
            None => Err(Error::new(
                ErrorKind::Configuration,
                format!("the recording {name} cannot be written: its binary body contains a key"),
            )),
        };
        let mut state = replay.state.lock();
        match outcome {
            Ok(()) => {
                state.used.insert(name.clone());
                state.written.insert(name);
            }
            Err(error) => state.failed = Some(error),
        }
    }
}

/// Whether the same request may succeed another time, or with another key.
fn may_pass(failed: &Error) -> bool {
    let of_the_key = [ErrorKind::Authentication, ErrorKind::Permission, ErrorKind::QuotaExhausted];
    failed.is_retryable() || of_the_key.contains(&failed.kind())
}

/// What a person reads in the name of a recording.
pub(super) struct Label {
    provider: String,
    endpoint: String,
    model: String,
}

impl From<&Request<'_>> for Label {
    fn from(request: &Request<'_>) -> Self {
        let path = request.url.path();
        let last = path.rsplit('/').next().unwrap_or_default();
        // Gemini's end in the model and the method.
        let endpoint = last.rsplit(':').next().unwrap_or_default();
        Self {
            provider: request.provider.to_owned(),
            endpoint: endpoint.to_owned(),
            model: request.model.to_owned(),
        }
    }
}

impl Label {
    pub(super) fn name(&self, identity: &Identity, repetition: u32) -> String {
        let parts = [&*self.provider, &self.endpoint, &self.model];
        let hash = format!("{:?}", identity.key);
        folder::name(&parts, &hash[..folder::HASH], repetition)
    }
}
