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
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    flush: Flush,
    /// Guards the file and the lines that are not in it yet ([`Lock::Journal`]): lines never mix.
    /// It is held across the write to the file.
    lines: Mutex<Lines>,
}

#[derive(Debug)]
struct Lines {
    sink: Box<dyn Sink>,
    /// How long the file is, if nobody else writes it.
    length: u64,
    sync: bool,
    /// Lines that are not in the file yet.
    buffer: Vec<u8>,
    buffered: u32,
    flushed: Instant,
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
        let lines = Lines {
            sink,
            length,
            sync,
            buffer: Vec::new(),
            buffered: 0,
            flushed: Instant::now(),
            torn: false,
            failed: None,
        };
        Self { path, flush, lines: Mutex::new(Lock::Journal, lines) }
    }

    /// Appends a line, which ends with a line break, and flushes as set.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) if the file cannot be written, or another
    /// process has written it. The lines that are not in the file are kept for [`flush`](Self::flush).
    pub(crate) fn append(&self, line: &[u8], now: Instant) -> Result<(), Error> {
        let lines = &mut *self.lines.lock();
        lines.buffer.extend_from_slice(line);
        lines.buffered = lines.buffered.saturating_add(1);
        if let Some(error) = &lines.failed {
            return Err(error.clone());
        }
        let is_due = match self.flush {
            Flush::EachItem => true,
            Flush::EveryItems(items) => lines.buffered >= items,
            Flush::Every(time) => now.saturating_duration_since(lines.flushed) >= time,
        };
        if is_due { lines.write(&self.path, now) } else { Ok(()) }
    }

    /// Appends a line and waits until it is on the disk, whatever is set. The lines of a batch need
    /// that: without them, a later run would pay for the batch again.
    ///
    /// # Errors
    ///
    /// As for [`append`](Self::append).
    pub(crate) fn append_and_sync(&self, line: &[u8], now: Instant) -> Result<(), Error> {
        let lines = &mut *self.lines.lock();
        lines.buffer.extend_from_slice(line);
        lines.buffered = lines.buffered.saturating_add(1);
        if let Some(error) = &lines.failed {
            return Err(error.clone());
        }
        let sync = std::mem::replace(&mut lines.sync, true);
        let written = lines.write(&self.path, now);
        lines.sync = sync;
        written
    }

    /// When the lines that are not in the file are due; `None` if there are none, or not by time.
    pub(crate) fn flush_due(&self) -> Option<Instant> {
        // The usual settings need no time. The run must not wait here for a worker's write.
        let Flush::Every(time) = self.flush else { return None };
        let lines = self.lines.lock();
        let waits = lines.buffered > 0 && lines.failed.is_none();
        if waits { lines.flushed.checked_add(time) } else { None }
    }

    /// Writes all lines to the file. Tries it again if that has failed before.
    ///
    /// # Errors
    ///
    /// As for [`append`](Self::append).
    pub(crate) fn flush(&self, now: Instant) -> Result<(), Error> {
        let lines = &mut *self.lines.lock();
        if lines.buffer.is_empty() { Ok(()) } else { lines.write(&self.path, now) }
    }
}

impl Lines {
    fn write(&mut self, path: &Path, now: Instant) -> Result<(), Error> {
        let written = self.try_write(now);
        self.failed = written.err().map(|problem| {
            let path = path.display();
            let message = match &problem {
                Problem::Longer => format!(
                    "another process has written the journal {path}, so this run has stopped; let \
                     only one run use a journal at a time"
                ),
                Problem::Io(cause) => format!(
                    "the journal {path} cannot be written: {cause}; the run has stopped, and calls \
                     whose lines are missing will be made again; when there is room, run it again"
                ),
            };
            let error = Error::new(ErrorKind::Configuration, message);
            match problem {
                Problem::Io(cause) => error.with_source(cause),
                Problem::Longer => error,
            }
        });
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn try_write(&mut self, now: Instant) -> Result<(), Problem> {
        if self.torn {
            self.sink.truncate(self.length)?;
            self.torn = false;
        }
        if self.sink.length()? != self.length {
            return Err(Problem::Longer);
        }
        if let Err(cause) = self.sink.append(&self.buffer) {
            self.torn = self.sink.truncate(self.length).is_err();
            return Err(cause.into());
        }
        self.length += self.buffer.len() as u64;
        self.buffer.clear();
        (self.buffered, self.flushed) = (0, now);
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

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex as StdMutex};
    use std::time::Duration;

    /// A disk with room for some bytes.
    #[derive(Debug, Clone, Default)]
    struct Disk(Arc<StdMutex<State>>);

    #[derive(Debug, Default)]
    struct State {
        bytes: Vec<u8>,
        room: usize,
        syncs: u32,
        cannot_truncate: bool,
    }

    impl Disk {
        fn of(room: usize) -> Self {
            Self(Arc::new(StdMutex::new(State { room, ..State::default() })))
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().bytes.clone()).unwrap()
        }
    }

    impl Sink for Disk {
        fn length(&self) -> io::Result<u64> {
            Ok(self.0.lock().unwrap().bytes.len() as u64)
        }

        fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
            let state = &mut *self.0.lock().unwrap();
            let room = state.room.saturating_sub(state.bytes.len()).min(bytes.len());
            state.bytes.extend(&bytes[..room]);
            match room == bytes.len() {
                true => Ok(()),
                false => Err(io::ErrorKind::StorageFull.into()),
            }
        }

        fn truncate(&mut self, length: u64) -> io::Result<()> {
            let state = &mut *self.0.lock().unwrap();
            if state.cannot_truncate {
                return Err(io::ErrorKind::Other.into());
            }
            state.bytes.truncate(usize::try_from(length).unwrap());
            Ok(())
        }

        fn sync(&mut self) -> io::Result<()> {
            self.0.lock().unwrap().syncs += 1;
            Ok(())
        }
    }

    fn writer(disk: &Disk, flush: Flush, sync: bool) -> Writer {
        Writer::new("run.journal".into(), Box::new(disk.clone()), 0, flush, sync)
    }

    #[test]
    fn lines_are_flushed_as_set() {
        let (begun, second) = (Instant::now(), Duration::from_secs(1));
        for (flush, expected) in [
            (Flush::EachItem, ["1", "12", "123", "1234"]),
            (Flush::EveryItems(3), ["", "", "123", "123"]),
            // One line a second, beginning at once.
            (Flush::Every(second * 3), ["", "", "", "1234"]),
        ] {
            let disk = Disk::of(100);
            let writer = writer(&disk, flush, true);
            let mut now = begun;
            for (line, expected) in ["1", "2", "3", "4"].into_iter().zip(expected) {
                writer.append(line.as_bytes(), now).unwrap();
                assert_eq!(disk.text(), expected, "{flush:?}");
                now += second + Duration::from_millis(10);
            }
            writer.flush(now).unwrap();
            assert_eq!(disk.text(), "1234");
            assert!(disk.0.lock().unwrap().syncs > 0);
            assert_eq!(writer.flush_due(), None);
        }
    }

    #[test]
    fn a_full_disk_leaves_whole_lines_and_loses_none() {
        for cannot_truncate in [false, true] {
            let (disk, now) = (Disk::of(7), Instant::now());
            disk.0.lock().unwrap().cannot_truncate = cannot_truncate;
            let writer = writer(&disk, Flush::EachItem, false);
            writer.append(b"one\n", now).unwrap();
            let error = writer.append(b"two\n", now).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(error.message().starts_with("the journal run.journal cannot be written: "));
            assert_eq!(disk.text(), if cannot_truncate { "one\ntwo" } else { "one\n" });
            // Calls in flight still end.
            assert!(writer.append(b"three\n", now).is_err());
            assert!(writer.flush(now).is_err());
            // There is room again.
            (disk.0.lock().unwrap().room, disk.0.lock().unwrap().cannot_truncate) = (100, false);
            writer.flush(now).unwrap();
            assert_eq!(disk.text(), "one\ntwo\nthree\n");
        }
    }

    #[test]
    fn a_second_process_is_noticed_and_its_lines_stay() {
        let (disk, now) = (Disk::of(100), Instant::now());
        let writer = writer(&disk, Flush::EachItem, false);
        writer.append(b"one\n", now).unwrap();
        disk.clone().append(b"other\n").unwrap();
        let error = writer.append(b"two\n", now).unwrap_err();
        assert!(error.message().starts_with("another process has written the journal"), "{error}");
        assert!(writer.flush(now).is_err());
        assert_eq!(disk.text(), "one\nother\n");
    }
}
