//! Runs without a network, over a disk that fills up.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::task::Chats;
use super::*;
use crate::chat::{ChatRequest, ChatResponse};
use crate::journal::{Flush, Journal, Sink, Writer};

/// A disk with room for some bytes.
#[derive(Debug, Default)]
struct Disk {
    length: u64,
    room: u64,
}

impl Sink for Disk {
    fn length(&self) -> io::Result<u64> {
        Ok(self.length)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length += bytes.len() as u64;
        if self.length <= self.room { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.length = length;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn response() -> ChatResponse {
    serde_json::from_str(
        r#"{"message": {"role": "assistant", "content": []}, "finish_reason": "stop",
            "usage": {}, "model": "m", "provider": "openai", "rate_limit": {},
            "latency": {"secs": 0, "nanos": 0}, "raw": "the body"}"#,
    )
    .unwrap()
}

fn settings(path: &std::path::Path) -> Settings {
    Settings { workers: 4, look_ahead: 8, journal: Some(Journal::new(path)), ..Settings::default() }
}

#[test]
fn a_full_disk_stops_the_run_and_no_answer_is_lost() {
    let path: PathBuf =
        std::env::temp_dir().join(format!("tollgate-full-disk-{}.journal", std::process::id()));
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let call: Call<Chats> = Box::new(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(response())
    });
    let mut items: Items<'_, Chats> =
        Box::new((0..1_000).map(|id| (id.to_string(), Box::new(ChatRequest::from("hi")))));
    let first = items.next();
    let job = journal::Job { task: "chat", first: Some(Fingerprint(1)) };
    let mut opened = journal::open(&Journal::new(&path), job).unwrap();
    let disk = Disk { length: 0, room: 3_000 };
    opened.writer = Writer::new(path.clone(), Box::new(disk), 0, Flush::EachItem, false);
    let mut run: Shell<'_, Chats, ChatResponse> =
        Shell::resume((first, items), call, Box::new(Ok), settings(&path), Some(opened)).unwrap();
    let (mut answered, mut undone) = (0, Vec::new());
    while let Some((_, result)) = run.next() {
        match result {
            Ok(answer) => {
                answered += 1;
                assert_eq!(answer.raw(), "the body");
            }
            Err(error) => undone.push(error.message().to_owned()),
        }
    }
    assert_eq!(answered, calls.load(Ordering::SeqCst), "every answer was yielded");
    assert!((1..=8).contains(&undone.len()), "{undone:?}");
    let expected = format!("the journal {} cannot be written: no storage space", path.display());
    assert!(undone.iter().all(|message| message.starts_with(&expected)), "{undone:?}");
    assert_eq!(Runner::progress(&run).status().unfinished, undone.len() as u64);
    assert!(Runner::finish(&mut run).is_err());
    let _ = std::fs::remove_file(path);
}

#[test]
fn an_item_carries_the_fault_even_if_all_others_have_an_answer() {
    let path: PathBuf =
        std::env::temp_dir().join(format!("tollgate-last-{}.journal", std::process::id()));
    let job = journal::Job { task: "chat", first: Some(Fingerprint(1)) };
    let mut opened = journal::open(&Journal::new(&path), job).unwrap();
    let disk = Disk { length: 0, room: 0 };
    opened.writer = Writer::new(path.clone(), Box::new(disk), 0, Flush::EachItem, false);
    // One at a time, so that nothing waits when the disk is full.
    let settings = Settings { workers: 1, look_ahead: 1, ..settings(&path) };
    let mut items: Items<'_, Chats> =
        Box::new((0..9).map(|id| (id.to_string(), Box::new(ChatRequest::from("hi")))));
    let first = items.next();
    let call: Call<Chats> = Box::new(|_| Ok(response()));
    let mut run: Shell<'_, Chats, ChatResponse> =
        Shell::resume((first, items), call, Box::new(Ok), settings, Some(opened)).unwrap();
    let results: Vec<_> =
        std::iter::from_fn(|| run.next()).map(|(id, result)| (id, result.is_ok())).collect();
    assert_eq!(results, [("0".to_owned(), true), ("1".to_owned(), false)]);
    let _ = std::fs::remove_file(path);
}

#[test]
fn equal_requests_are_sent_once_however_far_apart() {
    for (workers, look_ahead) in [(1, 1), (3, 5), (4, 100)] {
        let calls = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&calls);
        let call: Call<Chats> = Box::new(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(response())
        });
        let texts = ["a", "b", "c"];
        let items: Items<'_, Chats> = Box::new(
            (0..60).map(|id| (id.to_string(), Box::new(ChatRequest::from(texts[id % 3])))),
        );
        let settings = Settings { workers, look_ahead, deduplicate: true, ..Settings::default() };
        let mut run: Shell<'_, Chats, ChatResponse> =
            Shell::start(items, call, Box::new(Ok), settings).unwrap();
        let answered = std::iter::from_fn(|| run.next()).filter(|(_, result)| result.is_ok());
        assert_eq!((answered.count(), calls.load(Ordering::SeqCst)), (60, 3));
    }
}
