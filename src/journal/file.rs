//! Opens a journal.

use serde::de::DeserializeOwned;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::index::Index;
use super::line::{self, Header};
use super::lock;
use super::scan::{OpenBatch, Unreadable, scan};
use super::settings::Journal;
use super::writer::{Sink, Writer};
use crate::chat::json_line_problem;
use crate::error::{Error, ErrorKind};
use crate::fingerprint::Fingerprint;

/// What a journal must be for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    /// The kind of calls.
    pub(crate) task: &'static str,
    /// The fingerprint of the first item; `None` if the run has no items.
    pub(crate) first: Option<Fingerprint>,
}

/// A journal that this process alone may write.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) index: Index,
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
    /// The batches of earlier runs that are not over.
    pub(crate) batches: Vec<OpenBatch>,
}

/// Opens a journal, repairs its end, and reads its lines.
///
/// # Errors
///
/// [`Configuration`](ErrorKind::Configuration) if it cannot be read or written, another process
/// writes it, it belongs to another job, or a line before the last is damaged.
pub(crate) fn open(journal: &Journal, job: Job) -> Result<Opened, Error> {
    let path = journal.path.as_path();
    let cannot = |cause| unusable(path, "cannot be opened", cause);
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    for_the_user_alone(&mut options);
    lock::lock_on_open(&mut options);
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if lock::is_held(&error) => return Err(held(path)),
        Err(error) => return Err(cannot(error)),
    };
    // A device or pipe never ends, or forgets.
    if !file.metadata().map_err(cannot)?.is_file() {
        return Err(refused(format!("the journal {} is not a regular file", path.display())));
    }
    let Some(lock) = lock::lock(&file).map_err(cannot)? else { return Err(held(path)) };

    let mut index = Index::new();
    let scanned = scan(BufReader::with_capacity(1 << 16, &file), &mut index);
    let scanned = scanned.map_err(|problem| match problem {
        Unreadable::Io(cause) => unusable(path, "cannot be read", cause),
        Unreadable::Newer(version) => refused(format!(
            "the journal {} has version {version} of the format, and this version of tollgate reads \
             up to {}; update tollgate, or use another journal",
            path.display(),
            line::VERSION
        )),
        Unreadable::Line(number, problem) => refused(format!(
            "line {number} of the journal {} is damaged: {problem}; remove the line, or use another \
             journal",
            path.display()
        )),
    })?;
    let wanted = Header::new(job.task, journal.job.as_deref(), job.first);
    if let Some(found) = &scanned.header {
        let found: Header<'_> =
            serde_json::from_str(found).map_err(|error| cannot(error.into()))?;
        if let Some(mismatch) = found.mismatch(&wanted) {
            return Err(refused(format!(
                "the journal {} belongs to another job: {mismatch}; use another journal",
                path.display()
            )));
        }
    }
    let mut length = scanned.whole;
    let repair = |length: u64| -> io::Result<()> {
        if file.metadata()?.len() > length {
            file.set_len(length)?;
        }
        Ok(())
    };
    repair(length).map_err(|cause| unusable(path, "cannot be repaired", cause))?;
    // Only a whole journal gets a header, so that a run without items leaves none behind.
    let start = match (&scanned.header, scanned.lacks_break) {
        (None, _) if job.first.is_some() => line::written(&wanted)?,
        (Some(_), true) => b"\n".to_vec(),
        _ => Vec::new(),
    };
    (&file).write_all(&start).map_err(|cause| unusable(path, "cannot be written", cause))?;
    length += start.len() as u64;

    let reader = File::open(path).map_err(cannot)?;
    let reader = Reader { path: path.to_owned(), file: BufReader::new(reader) };
    let sink = Appended { file, _lock: lock };
    let writer = Writer::new(path.to_owned(), Box::new(sink), length, journal.flush, journal.sync);
    Ok(Opened { index, writer, reader, batches: scanned.batches })
}

/// A journal has prompts and answers, so nobody else may read it.
pub(crate) fn for_the_user_alone(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let _ = options;
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

fn held(path: &Path) -> Error {
    refused(format!(
        "another run is writing the journal {}; wait until it ends, or use another journal",
        path.display()
    ))
}

fn unusable(path: &Path, what: &str, cause: io::Error) -> Error {
    refused(format!("the journal {} {what}: {cause}", path.display())).with_source(cause)
}

/// The file that a writer appends to, and its lock.
#[derive(Debug)]
struct Appended {
    file: File,
    _lock: lock::FileLock,
}

impl Sink for Appended {
    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Reads lines of a journal again.
#[derive(Debug)]
pub(crate) struct Reader {
    path: PathBuf,
    file: BufReader<File>,
}

impl Reader {
    /// The answer on the line at `offset`.
    pub(crate) fn answer<A: DeserializeOwned>(&mut self, offset: u64) -> Result<A, Error> {
        self.line(offset).map(|line: line::Answer<A>| line.answer)
    }

    /// The failure on the line at `offset`.
    pub(crate) fn failure(&mut self, offset: u64) -> Result<Error, Error> {
        self.line(offset).map(|line: line::Failure| line.failed.into())
    }

    /// The step of a batch on the line at `offset`.
    pub(crate) fn batch_step<S: DeserializeOwned>(&mut self, offset: u64) -> Result<S, Error> {
        self.line(offset).map(|line: line::BatchStep<S>| line.step)
    }

    fn line<L: DeserializeOwned>(&mut self, offset: u64) -> Result<L, Error> {
        let mut line = Vec::new();
        let read = self.read(offset, &mut line).and_then(|()| {
            serde_json::from_slice(&line)
                .map_err(|error| io::Error::other(json_line_problem(&error)))
        });
        read.map_err(|cause| unusable(&self.path, "cannot be read again", cause))
    }

    fn read(&mut self, offset: u64, line: &mut Vec<u8>) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read_until(b'\n', line)?;
        Ok(())
    }
}
