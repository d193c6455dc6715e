//! What people write: a map of sums and times behind a lock. It knows nothing of windows,
//! attempts, reasons or the slowest calls.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;
use tollgate::cost::Money;
use tollgate::{Histogram, Usage, internals};

#[derive(Debug, Default)]
pub struct Naive {
    /// By provider and model.
    books: Mutex<HashMap<(String, String), Book>>,
}

#[derive(Debug, Default)]
struct Book {
    in_flight: u64,
    calls: u64,
    failed: u64,
    input_tokens: u64,
    output_tokens: u64,
    cost: Money,
    latency: Histogram,
}

impl Naive {
    pub fn begin(&self, provider: &str, model: &str) {
        self.book(provider, model, |book| book.in_flight += 1);
    }

    pub fn end(
        &self,
        provider: &str,
        model: &str,
        answer: Option<(Usage, Money)>,
        latency: Duration,
    ) {
        self.book(provider, model, |book| {
            book.in_flight -= 1;
            book.calls += 1;
            internals::record(&mut book.latency, latency);
            match answer {
                Some((usage, cost)) => {
                    book.input_tokens += usage.prompt_tokens;
                    book.output_tokens += usage.completion_tokens;
                    book.cost += cost;
                }
                None => book.failed += 1,
            }
        });
    }

    /// How many calls have ended.
    pub fn calls(&self) -> u64 {
        self.books.lock().values().map(|book| book.calls).sum()
    }

    fn book(&self, provider: &str, model: &str, write: impl FnOnce(&mut Book)) {
        let mut books = self.books.lock();
        write(books.entry((provider.to_owned(), model.to_owned())).or_default());
    }
}
