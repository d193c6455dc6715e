//! The lines of a journal.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

use crate::error::{Attempt, Error, ErrorKind};
use crate::fingerprint::Fingerprint;

/// The version of the format. Every version up to this one can be read.
pub(super) const VERSION: u32 = 1;

/// The member of the first line that every version has.
#[derive(Debug, Deserialize)]
pub(super) struct Version {
    #[serde(rename = "tollgate_journal")]
    pub(super) version: u32,
}

/// The first line: what the journal is for.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header<'a> {
    #[serde(rename = "tollgate_journal")]
    pub(super) version: u32,
    /// The kind of calls.
    #[serde(borrow)]
    pub(super) task: Cow<'a, str>,
    /// The job's name.
    #[serde(borrow)]
    pub(super) job: Option<Cow<'a, str>>,
    /// The fingerprint of the first item.
    pub(super) first: Option<Fingerprint>,
}

impl<'a> Header<'a> {
    pub(super) fn new(task: &'a str, job: Option<&'a str>, first: Option<Fingerprint>) -> Self {
        Self { version: VERSION, task: task.into(), job: job.map(Into::into), first }
    }

    /// Why a journal with this header is not one of the job with the header `wanted`.
    pub(super) fn mismatch(&self, wanted: &Header<'_>) -> Option<String> {
        let shown = |name: &Option<Cow<'_, str>>| match name {
            Some(name) => format!("{name:?}"),
            None => "a job without a name".to_owned(),
        };
        if self.task != wanted.task {
            return Some(format!("it is for {} calls, not for {}", self.task, wanted.task));
        }
        if self.job != wanted.job {
            return Some(format!("it is for {}, not for {}", shown(&self.job), shown(&wanted.job)));
        }
        (self.job.is_none() && wanted.first.is_some() && self.first != wanted.first).then(|| {
            "it began with another first item; if the order of the items varies, or some are left \
             out, name the job with Journal::job"
                .to_owned()
        })
    }
}

/// What the index needs of a line: about an item, or about a batch.
#[derive(Debug, Deserialize)]
pub(super) struct Summary<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Cow<'a, str>>,
    pub(super) request: Option<Fingerprint>,
    pub(super) failed: Option<serde::de::IgnoredAny>,
    pub(super) answer: Option<serde::de::IgnoredAny>,
    /// The name of the batch.
    #[serde(borrow)]
    pub(super) batch: Option<Cow<'a, str>>,
    /// What happened to it; `None` if nothing more will.
    pub(super) step: Option<serde::de::IgnoredAny>,
}

/// What happened to a batch.
#[derive(Debug, Deserialize)]
pub(super) struct BatchStep<S> {
    pub(super) step: S,
}

/// The answer on a line.
#[derive(Debug, Deserialize)]
pub(super) struct Answer<A> {
    pub(super) answer: A,
}

/// The failure on a line.
#[derive(Debug, Deserialize)]
pub(super) struct Failure {
    pub(super) failed: Failed,
}

/// Why an item failed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failed {
    kind: ErrorKind,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(default)]
    attempts: Vec<Attempt>,
}

impl From<&Error> for Failed {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind(),
            message: error.message().to_owned(),
            provider: error.provider().map(str::to_owned),
            status: error.status(),
            code: error.code().map(str::to_owned),
            attempts: error.attempts().to_vec(),
        }
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        let mut error = Error::new(failed.kind, failed.message)
            .with_code(failed.code)
            .with_attempts(failed.attempts);
        if let Some(provider) = &failed.provider {
            error = error.with_provider(provider);
        }
        match failed.status {
            Some(status) => error.with_status(status),
            None => error,
        }
    }
}

/// The line of an answer, with its line break. `same_as` is the id of the item whose answer this
/// is, if the item was not sent because its request is equal.
pub(crate) fn answered(
    id: &str,
    request: Fingerprint,
    same_as: Option<&str>,
    answer: &impl Serialize,
) -> Result<Vec<u8>, Error> {
    #[derive(Serialize)]
    struct Line<'a, A> {
        id: &'a str,
        request: Fingerprint,
        #[serde(skip_serializing_if = "Option::is_none")]
        same_as: Option<&'a str>,
        answer: &'a A,
    }
    written(&Line { id, request, same_as, answer })
}

/// The line of a failure, with its line break.
pub(crate) fn failed(id: &str, request: Fingerprint, error: &Error) -> Result<Vec<u8>, Error> {
    #[derive(Serialize)]
    struct Line<'a> {
        id: &'a str,
        request: Fingerprint,
        failed: Failed,
    }
    written(&Line { id, request, failed: error.into() })
}

/// The line of a step of a batch, with its line break. Without a step, the batch is over, and its
/// lines do not matter any more.
pub(crate) fn batch_step(name: &str, step: Option<&impl Serialize>) -> Result<Vec<u8>, Error> {
    #[derive(Serialize)]
    struct Line<'a, S> {
        batch: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        step: Option<&'a S>,
    }
    written(&Line { batch: name, step })
}

/// A value as a line. serde_json escapes line breaks within it.
pub(super) fn written(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    let mut line = Vec::with_capacity(1_024);
    serde_json::to_writer(&mut line, value).map_err(|cause| {
        let message = format!("an item cannot be written to the journal: {cause}");
        Error::new(ErrorKind::Configuration, message)
    })?;
    line.push(b'\n');
    Ok(line)
}
