//! Lines on a disk that is slow or full, or that another process writes.

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
            let others: Vec<_> =
                (0..3).map(|_| scope.spawn(|| writer.append(b"other\n", now).is_ok())).collect();
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
