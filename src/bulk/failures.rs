//! The file of the items that failed, with their requests.

use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::chat::ChatRequest;
use crate::error::{Error, ErrorKind};
use crate::journal;

/// An item of a [file of failures](super::Bulk::failures).
///
/// ```no_run
/// # use tollgate::Client;
/// # let client = Client::openai("gpt-4o-mini")?;
/// use tollgate::bulk::{FailedItem, JsonLines};
///
/// let failed: Vec<FailedItem> =
///     JsonLines::open("failed.jsonl")?.collect::<Result<_, tollgate::Error>>()?;
/// let requests = failed.into_iter().map(|item| (item.id, item.request));
/// for (id, result) in client.bulk().chat(requests)? {
///     println!("{id}: {}", result?.text());
/// }
/// # Ok::<(), tollgate::Error>(())
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailedItem<R = ChatRequest> {
    /// The item's id.
    pub id: String,
    /// The kind of the error.
    pub kind: ErrorKind,
    /// The error's message.
    pub message: String,
    /// The request.
    pub request: R,
}

/// Hides the request, which may be long.
impl<R> fmt::Debug for FailedItem<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailedItem")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

/// Writes the failures of a run beside the file that they replace when the run ends.
#[derive(Debug)]
pub(super) struct Failures {
    path: PathBuf,
    partial: PathBuf,
    file: BufWriter<File>,
}

impl Failures {
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let mut partial = OsString::from(path);
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        journal::for_the_user_alone(&mut options);
        let file = options.open(&partial).map_err(|cause| unusable(&partial, cause))?;
        Ok(Self { path: path.to_owned(), partial, file: BufWriter::new(file) })
    }

    pub(super) fn add(
        &mut self,
        id: &str,
        error: &Error,
        request: &impl Serialize,
    ) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Line<'a, R> {
            id: &'a str,
            kind: ErrorKind,
            message: &'a str,
            request: &'a R,
        }
        let line = Line { id, kind: error.kind(), message: error.message(), request };
        let written = serde_json::to_writer(&mut self.file, &line).map_err(io::Error::from);
        let written = written.and_then(|()| self.file.write_all(b"\n"));
        written.map_err(|cause| unusable(&self.partial, cause))
    }

    /// Puts the file in its place.
    pub(super) fn finish(self) -> Result<(), Error> {
        let Self { path, partial, mut file } = self;
        let moved = file.flush().and_then(|()| fs::rename(&partial, &path));
        moved.map_err(|cause| unusable(&path, cause))
    }
}

fn unusable(path: &Path, cause: io::Error) -> Error {
    let message = format!("the file of failures {} cannot be written: {cause}", path.display());
    Error::new(ErrorKind::Configuration, message).with_source(cause)
}
