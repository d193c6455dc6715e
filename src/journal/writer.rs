//! Appends lines to a journal.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::settings::Flush;
use crate::error::{Error, ErrorKind};
use crate::sync::Lock;
use crate::sync::ordered::Mutex;

/// Where lines go: a file, or a test's stand-in for one.
pub(crate) trait Sink: Send + fmt::Debug {
    fn length(&self) -> io::Result<u64>;

    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    fn truncate(&mut self, length: u64) -> io::Result<()>;

    fn sync(&mut self) -> io::Result<()>;
}

/// Appends lines from any thread.
///
/// While one thread writes to the file, others add their lines to the buffer, and the next of them
/// writes them all: many workers share one write, and one wait for the disk.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    flush: Flush,
    /// Guards the lines that wait to be written ([`Lock::JournalBuffer`]): lines never mix, and each
    /// is counted once.
    buffer: Mutex<Buffer>,
    /// Guards the file ([`Lock::Journal`]): the lines of a buffer are written as a whole, in the
    /// order of the buffers. It is held across the write, and while the buffer is emptied.
    file: Mutex<Journaled>,
}

/// Lines that no thread writes yet.
#[derive(Debug)]
struct Buffer {
    lines: Vec<u8>,
    /// How many lines it has.
    count: u32,
    /// How many lines were ever appended.
    appended: u64,
    flushed: Instant,
    /// Whether the last write has failed.
    failed: bool,
}

/// The file, and the lines that are being written to it.
#[derive(Debug)]
struct Journaled {
    sink: Box<dyn Sink>,
    /// How long the file is, if nobody else writes it.
    length: u64,
    sync: bool,
    /// Lines taken from the buffer that are not in the file yet.
    lines: Vec<u8>,
    /// How many of the appended lines are in the file.
    written: u64,
    /// Whether the file may end with part of a line.
    torn: bool,
    failed: Option<Error>,
}

impl Writer {
    pub(crate) fn new(
        path: PathBuf,
        sink: Box<dyn Sink>,
        length: u64,
        flush: Flush,
        sync: bool,
    ) -> Self {
        let flushed = Instant::now();
        let buffer = Buffer { lines: Vec::new(), count: 0, appended: 0, flushed, failed: false };
        let (lines, written) = (Vec::new(), 0);
        let file = Journaled { sink, length, sync, lines, written, torn: false, failed: None };
        let buffer = Mutex::new(Lock::JournalBuffer, buffer);
        Self { path, flush, buffer, file: Mutex::new(Lock::Journal, file) }
    }

    /// Appends a line, which ends with a line break, and flushes as set.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) if the file cannot be written, or another
    /// process has written it. The lines that are not in the file are kept for [`flush`](Self::flush).
    pub(crate) fn append(&self, line: &[u8], now: Instant) -> Result<(), Error> {
        let number = {
            let buffer = &mut *self.buffer.lock();
            buffer.add(line);
            let is_due = match self.flush {
                Flush::EachItem => true,
                Flush::EveryItems(items) => buffer.count >= items,
                Flush::Every(time) => now.saturating_duration_since(buffer.flushed) >= time,
            };
            if !is_due && !buffer.failed {
                return Ok(());
            }
            buffer.appended
        };
        let file = &mut *self.file.lock();
        match &file.failed {
            Some(error) => Err(error.clone()),
            // Another thread has written it meanwhile.
            None if file.written >= number => Ok(()),
            None => self.write(file, now),
        }
    }

    /// Appends a line and waits until it is on the disk, whatever is set. The lines of a batch need
    /// that: without them, a later run would pay for the batch again.
    ///
    /// # Errors
    ///
    /// As for [`append`](Self::append).
    pub(crate) fn append_and_sync(&self, line: &[u8], now: Instant) -> Result<(), Error> {
        self.buffer.lock().add(line);
        let file = &mut *self.file.lock();
        if let Some(error) = &file.failed {
            return Err(error.clone());
        }
        // Another thread may have written the line, but not waited for the disk.
        let sync = std::mem::replace(&mut file.sync, true);
        let written = self.write(file, now);
        file.sync = sync;
        written
    }

    /// When the lines that are not in the file are due; `None` if there are none, or not by time.
    pub(crate) fn flush_due(&self) -> Option<Instant> {
        // The usual settings need no time.
        let Flush::Every(time) = self.flush else { return None };
        let buffer = self.buffer.lock();
        let waits = buffer.count > 0 && !buffer.failed;
        if waits { buffer.flushed.checked_add(time) } else { None }
    }

    /// Writes all lines to the file. Tries it again if that has failed before.
    ///
    /// # Errors
    ///
    /// As for [`append`](Self::append).
    pub(crate) fn flush(&self, now: Instant) -> Result<(), Error> {
        let file = &mut *self.file.lock();
        let is_empty = file.lines.is_empty() && self.buffer.lock().lines.is_empty();
        if is_empty { Ok(()) } else { self.write(file, now) }
    }

    /// Writes the buffer to the file.
    fn write(&self, file: &mut Journaled, now: Instant) -> Result<(), Error> {
        let appended = {
            let buffer = &mut *self.buffer.lock();
            if file.lines.is_empty() {
                std::mem::swap(&mut file.lines, &mut buffer.lines);
            } else {
                file.lines.append(&mut buffer.lines);
            }
            (buffer.count, buffer.flushed) = (0, now);
            buffer.appended
        };
        let had_failed = file.failed.is_some();
        file.failed = file.try_write().err().map(|problem| problem.into_error(&self.path));
        if file.failed.is_some() != had_failed {
            self.buffer.lock().failed = !had_failed;
        }
        match &file.failed {
            Some(error) => Err(error.clone()),
            None => {
                file.written = appended;
                Ok(())
            }
        }
    }
}

impl Buffer {
    fn add(&mut self, line: &[u8]) {
        self.lines.extend_from_slice(line);
        self.count = self.count.saturating_add(1);
        self.appended += 1;
    }
}

impl Journaled {
    fn try_write(&mut self) -> Result<(), Problem> {
        if self.torn {
            self.sink.truncate(self.length)?;
            self.torn = false;
        }
        if self.sink.length()? != self.length {
            return Err(Problem::Longer);
        }
        if let Err(cause) = self.sink.append(&self.lines) {
            self.torn = self.sink.truncate(self.length).is_err();
            return Err(cause.into());
        }
        self.length += self.lines.len() as u64;
        self.lines.clear();
        if self.sync {
            self.sink.sync()?;
        }
        Ok(())
    }
}

enum Problem {
    /// The file is not as long as it should be.
    Longer,
    Io(io::Error),
}

impl Problem {
    fn into_error(self, path: &Path) -> Error {
        let path = path.display();
        let message = match &self {
            Self::Longer => format!(
                "another process has written the journal {path}, so this run has stopped; let only \
                 one run use a journal at a time"
            ),
            Self::Io(cause) => format!(
                "the journal {path} cannot be written: {cause}; the run has stopped, and calls \
                 whose lines are missing will be made again; when there is room, run it again"
            ),
        };
        let error = Error::new(ErrorKind::Configuration, message);
        match self {
            Self::Io(cause) => error.with_source(cause),
            Self::Longer => error,
        }
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[cfg(test)]
mod tests;
