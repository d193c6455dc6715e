//! Times the hot paths, each by itself, and counts their allocations. In `benches/`:
//!
//! ```text
//! cargo bench --bench micro                  # all of them
//! cargo bench --bench micro -- stream        # those with this in their name
//! cargo bench --bench micro -- --test        # each once, to see that it works
//! ```
//!
//! For each path there is the time that it takes, how many bytes it reads or writes in a
//! second, and how often and how much it allocates. Where it has a budget, that stands
//! beside it; what the peers take for the same is measured by `benches/compare`.

mod workload;

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher};
use std::time::{Duration, Instant};
use workload::Workload;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const PROVIDERS: [&str; 2] = ["openai", "anthropic"];

/// How long each is gone before it is measured.
const WARM: Duration = Duration::from_millis(20);

fn main() {
    divan::main();
}

fn measure(bencher: Bencher<'_, '_>, workload: Workload) {
    let Workload { mut turn, bytes } = workload;
    // What grows once, such as the list of the latest calls.
    let begun = Instant::now();
    while begun.elapsed() < WARM {
        turn();
    }
    match bytes {
        Some(bytes) => bencher.counter(BytesCount::new(bytes)).bench_local(turn),
        None => bencher.bench_local(turn),
    }
}

/// A stream of 1,000 chunks, told apart only.
#[divan::bench(args = PROVIDERS)]
fn sse(bencher: Bencher<'_, '_>, provider: &'static str) {
    measure(bencher, workload::sse(provider));
}

/// A stream of 1,000 chunks, read whole. Budget: with the wire, twice what reading and a typed
/// parse take.
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

/// Budget: 200 ns.
#[divan::bench]
fn price(bencher: Bencher<'_, '_>) {
    measure(bencher, workload::price());
}

/// In three budgets. The ledger's part has a budget of 1 µs.
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

/// Budget: less than r2d2 takes.
#[divan::bench]
fn lease(bencher: Bencher<'_, '_>) {
    measure(bencher, workload::lease());
}
