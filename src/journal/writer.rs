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
mod tests {
    use super::*;
    use crossbeam_channel::Receiver;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Arc, Mutex as StdMutex};
    use std::thread;
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

    /// A disk whose first write waits for a word.
    #[derive(Debug)]
    struct Slow {
        disk: Disk,
        go: Option<Receiver<()>>,
        writes: Arc<AtomicU32>,
    }

    impl Sink for Slow {
        fn length(&self) -> io::Result<u64> {
            self.disk.length()
        }

        fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
            if let Some(go) = self.go.take() {
                go.recv().map_err(io::Error::other)?;
            }
            self.writes.fetch_add(1, Ordering::SeqCst);
            self.disk.append(bytes)
        }

        fn truncate(&mut self, length: u64) -> io::Result<()> {
            self.disk.truncate(length)
        }

        fn sync(&mut self) -> io::Result<()> {
            self.disk.sync()
        }
    }

    #[test]
    fn lines_that_come_during_a_write_share_the_next_one() {
        for (room, succeeds) in [(100, true), (7, false)] {
            let (disk, now) = (Disk::of(room), Instant::now());
            let (go, waits) = crossbeam_channel::bounded(1);
            let writes = Arc::new(AtomicU32::new(0));
            let sink = Slow { disk: disk.clone(), go: Some(waits), writes: Arc::clone(&writes) };
            let path = PathBuf::from("run.journal");
            let writer = Writer::new(path, Box::new(sink), 0, Flush::EachItem, true);
            let wait_until = |holds: fn(&Buffer) -> bool| {
                while !holds(&writer.buffer.lock()) {
                    thread::yield_now();
                }
            };
            thread::scope(|scope| {
                let first = scope.spawn(|| writer.append(b"first\n", now));
                wait_until(|buffer| buffer.appended == 1 && buffer.count == 0);
                let others: Vec<_> = (0..3)
                    .map(|_| scope.spawn(|| writer.append(b"other\n", now).is_ok()))
                    .collect();
                wait_until(|buffer| buffer.count == 3);
                go.send(()).unwrap();
                first.join().unwrap().unwrap();
                let results: Vec<bool> = others.into_iter().map(|t| t.join().unwrap()).collect();
                assert_eq!(results, [succeeds; 3]);
            });
            assert_eq!(writes.load(Ordering::SeqCst), 2);
            let syncs = disk.0.lock().unwrap().syncs;
            assert_eq!(syncs, if succeeds { 2 } else { 1 });
            let text = if succeeds { "first\nother\nother\nother\n" } else { "first\n" };
            assert_eq!(disk.text(), text);
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
