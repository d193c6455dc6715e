//! Records the requests that reached the loopback provider.

use std::collections::VecDeque;
use std::time::Instant;

use super::request::Request;
use crate::sync::Lock;
use crate::sync::ordered::{Condvar, Mutex};

/// Limits on what is kept, so that a long benchmark does not fill the memory.
const MAX_REQUESTS: usize = 65_536;
const MAX_BYTES: usize = 256 * 1024 * 1024;

/// The requests that came, the latest of them in full.
#[derive(Debug)]
pub(super) struct Record {
    /// Guards the record ([`Lock::LoopbackRecord`]): `bytes` is the total size of the bodies, and
    /// `count` never decreases.
    book: Mutex<Book>,
    arrived: Condvar,
}

#[derive(Debug)]
struct Book {
    on: bool,
    count: u64,
    bytes: usize,
    requests: VecDeque<Request>,
}

impl Default for Record {
    fn default() -> Self {
        let book = Book { on: true, count: 0, bytes: 0, requests: VecDeque::new() };
        Self { book: Mutex::new(Lock::LoopbackRecord, book), arrived: Condvar::new() }
    }
}

impl Record {
    /// Records a request and numbers it.
    pub(super) fn note(&self, request: &Request) -> u64 {
        let mut book = self.book.lock();
        book.count += 1;
        if book.on {
            book.bytes += request.body().len();
            book.requests.push_back(request.clone());
            while book.requests.len() > MAX_REQUESTS
                || (book.bytes > MAX_BYTES && book.requests.len() > 1)
            {
                let oldest = book.requests.pop_front();
                book.bytes -= oldest.map_or(0, |request| request.body().len());
            }
        }
        let number = book.count;
        drop(book);
        self.arrived.notify_all();
        number
    }

    pub(super) fn switch(&self, on: bool) {
        self.book.lock().on = on;
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.book.lock().requests.iter().cloned().collect()
    }

    pub(super) fn count(&self) -> u64 {
        self.book.lock().count
    }

    /// Waits until this many requests have come. Returns false if time runs out first.
    pub(super) fn wait(&self, count: u64, deadline: Option<Instant>) -> bool {
        let mut book = self.book.lock();
        while book.count < count {
            match deadline {
                None => self.arrived.wait(&mut book),
                Some(deadline) => {
                    if self.arrived.wait_until(&mut book, deadline).timed_out() {
                        return book.count >= count;
                    }
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::request::tests::request;

    #[test]
    fn the_latest_requests_are_kept_and_all_are_counted() {
        let record = Record::default();
        let one = request("/x", &[], &serde_json::json!({}));
        for _ in 0..=MAX_REQUESTS {
            record.note(&one);
        }
        record.switch(false);
        record.note(&one);
        assert_eq!(record.requests().len(), MAX_REQUESTS);
        assert_eq!(record.count(), MAX_REQUESTS as u64 + 2);
        assert!(record.wait(1, None) && !record.wait(u64::MAX, Some(Instant::now())));
    }
}
