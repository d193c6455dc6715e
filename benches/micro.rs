//! Measures the time and allocations of each hot path. In `benches/`:
//!
//! ```text
//! cargo bench --bench micro                  # all of them
//! cargo bench --bench micro -- stream        # those with this in their name
//! cargo bench --bench micro -- --test        # each once, to see that it works
//! ```
//!
//! For each path it prints the time, the bytes read or written per second, and the number and size
//! of allocations. A comment states the path's budget, if it has one. `benches/compare` measures
//! other clients.

mod workload;

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher};
use std::time::{Duration, Instant};
use workload::Workload;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const PROVIDERS: [&str; 3] = ["openai", "anthropic", "gemini"];

/// How long each path warms up before it is measured.
const WARM: Duration = Duration::from_millis(20);

fn main() {
    divan::main();
}

fn measure(bencher: Bencher<'_, '_>, workload: Workload) {
    let Workload { mut turn, bytes } = workload;
    // Fills what grows only once, such as the list of recent calls.
    let begun = Instant::now();
    while begun.elapsed() < WARM {
        turn();
    }
    match bytes {
        Some(bytes) => bencher.counter(BytesCount::new(bytes)).bench_local(turn),
        None => bencher.bench_local(turn),
    }
}

/// Splits a stream of 1,000 chunks into events, without reading them.
#[divan::bench(args = PROVIDERS)]
fn sse(bencher: Bencher<'_, '_>, provider: &'static str) {
    measure(bencher, workload::sse(provider));
}

/// Decodes a stream of 1,000 chunks. Budget: including the wire, twice the time of reading and a
/// typed parse.
#[divan::bench(args = PROVIDERS)]
fn stream_decode(bencher: Bencher<'_, '_>, provider: &'static str) {
    measure(bencher, workload::stream_decode(provider));
}

#[divan::bench(args = PROVIDERS)]
fn answer_decode(bencher: Bencher<'_, '_>, provider: &'static str) {
    measure(bencher, workload::answer_decode(provider));
}

#[divan::bench(args = PROVIDERS)]
fn encode_small(bencher: Bencher<'_, '_>, provider: &'static str) {
    measure(bencher, workload::encode_small(provider));
}

#[divan::bench(args = PROVIDERS)]
fn encode_long(bencher: Bencher<'_, '_>, provider: &'static str) {
    measure(bencher, workload::encode_long(provider));
}

/// The vectors of 32 texts.
#[divan::bench(args = ["base64", "float"])]
fn embeddings_decode(bencher: Bencher<'_, '_>, form: &'static str) {
    measure(bencher, workload::embeddings_decode(form));
}

#[divan::bench]
fn embeddings_encode(bencher: Bencher<'_, '_>) {
    measure(bencher, workload::embeddings_encode());
}

/// A whole call that the cache answers. Budget: 5 µs from memory, 50 µs from a folder.
#[divan::bench(args = ["memory", "folder"])]
fn cache_hit(bencher: Bencher<'_, '_>, store: &'static str) {
    measure(bencher, workload::cache_hit(store));
}

#[divan::bench]
fn journal_line(bencher: Bencher<'_, '_>) {
    measure(bencher, workload::journal_line());
}

/// Budget: 200 ns.
#[divan::bench]
fn price(bencher: Bencher<'_, '_>) {
    measure(bencher, workload::price());
}

/// With three budgets. The ledger's part may take 1 µs.
#[divan::bench]
fn reserve_settle(bencher: Bencher<'_, '_>) {
    measure(bencher, workload::reserve_settle());
}

/// Budget: 250 ns.
#[divan::bench]
fn record(bencher: Bencher<'_, '_>) {
    measure(bencher, workload::record(false));
}

/// Budget: 250 ns.
#[divan::bench]
fn record_streamed(bencher: Bencher<'_, '_>) {
    measure(bencher, workload::record(true));
}

/// Budget: less than r2d2.
#[divan::bench]
fn lease(bencher: Bencher<'_, '_>) {
    measure(bencher, workload::lease());
}

/// Finds a model. Budget: 300 ns.
#[divan::bench(sample_size = 100)]
fn catalogue(bencher: Bencher<'_, '_>) {
    measure(bencher, workload::catalogue());
}

/// Splits the table of models. Budget: 1 ms.
#[divan::bench]
fn load_catalogue(bencher: Bencher<'_, '_>) {
    measure(bencher, workload::load_catalogue());
}

/// Among 50 models. Budget: 20 µs.
#[divan::bench]
fn shortlist(bencher: Bencher<'_, '_>) {
    measure(bencher, workload::shortlist());
}

/// Among ten targets. Budget: 1 µs.
#[divan::bench(args = ["balanced", "fastest", "sticky"])]
fn choose(bencher: Bencher<'_, '_>, strategy: &'static str) {
    measure(bencher, workload::choose(strategy));
}
