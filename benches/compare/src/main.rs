//! Measures tollgate side by side with its peers.
//!
//! ```text
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- overhead [--json] [--quick] [--arms A,B]
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- stream [--json] [--quick] [--arms A,B]
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- instructions [--json] [--quick] [--arms A,B]
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- scale [--json] [--quick] [--arms A,B]
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- route [--json] [--quick]
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- bulk [--json] [--quick] [--arms A,B]
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- pool [--json] [--quick]
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- costs [--json] [--quick]
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- metrics [--json] [--quick]
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- footprint [--json] [--rounds N] [--arms A,B]
//! ```
//!
//! `overhead` measures what a small call costs each client in processor time, beside a socket
//! and a parser of JSON alone, and `stream` what a stream of a thousand chunks costs. All of
//! them call the same server, which is another process; each runs in a process of its own.
//! `--arms` chooses among the clients. For a profiler, start the server with
//! `sleep 1h | compare serve http`, which prints its port, and the client with
//! `arm overhead tollgate http://localhost:PORT/at-once/v1 CALLS`.
//!
//! `instructions` counts the user-mode instructions (with valgrind) and the system calls (with
//! strace) of a call and of a stream, over HTTP and HTTPS. They do not depend on the machine's
//! load.
//!
//! `scale` measures how near 256 calls at once come to the ideal where each takes 200 ms,
//! and the memory of 1,000 open streams.
//!
//! `route` measures calls by a route over three servers next to calls to LiteLLM's proxy in front of
//! the same servers: latency and processor time. The environment variable `LITELLM` names its
//! program (PyPI `litellm[proxy]`); default: `litellm`.
//!
//! `bulk` measures bulk runs next to asyncio with openai-python and a semaphore, and to LiteLLM's
//! `batch_completion`: wall time, processor time and memory of each. It also measures how near 256
//! workers come to the ideal where each call takes 200 ms. The environment variable `PYTHON` names a
//! Python that has the packages `openai` and `litellm`; default: `python3`.
//!
//! `pool` measures the pool against r2d2's and ureq's own: all of them in the same
//! run, in an order that rotates, and medians of the rounds. `--quick` makes fewer
//! and shorter rounds; `--json` prints the numbers once more as one JSON object on
//! the last line.
//!
//! `costs` measures what keeping count of costs takes: reserving and settling against
//! what people write instead, pricing and loading the table against the crate
//! `genai-prices`. With `--features allocations` (before `--`) it counts allocations
//! too.
//!
//! `metrics` measures what recording calls takes, against a map behind a lock; a snapshot,
//! against writing it down; and the processor time of a client's calls with metrics off and
//! on.
//!
//! `footprint` measures what the smallest program costs to build, to ship and to start, with
//! tollgate and with its peers.

mod arms;
mod bulk;
mod call;
mod comparison;
mod contended;
mod costs;
mod failure;
mod flags;
mod footprint;
mod idle;
mod instructions;
mod metrics;
mod overhead;
mod peer;
mod processor;
mod report;
mod rounds;
mod route;
mod scale;
mod server;
mod stream;
mod switches;
mod syscalls;
mod target;
mod uncontended;

use std::env;
use std::process::ExitCode;

const USAGE: &str = "usage: compare overhead [--json] [--quick] [--arms A,B] \
                     | compare stream [--json] [--quick] [--arms A,B] \
                     | compare instructions [--json] [--quick] [--arms A,B] \
                     | compare scale [--json] [--quick] [--arms A,B] \
                     | compare bulk [--json] [--quick] [--arms A,B] \
                     | compare route [--json] [--quick] | compare pool [--json] [--quick] \
                     | compare costs [--json] [--quick] | compare metrics [--json] [--quick] \
                     | compare footprint [--json] [--rounds N] [--arms A,B]";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["overhead", ref flags @ ..] => return failure::exit(overhead::overhead(flags)),
        ["stream", ref flags @ ..] => return failure::exit(stream::stream(flags)),
        ["instructions", ref flags @ ..] => {
            return failure::exit(instructions::instructions(flags));
        }
        ["scale", ref flags @ ..] => return failure::exit(scale::scale(flags)),
        ["bulk", ref flags @ ..] => return failure::exit(bulk::bulk(flags)),
        ["route", ref flags @ ..] => return failure::exit(route::route(flags)),
        ["footprint", ref flags @ ..] => return failure::exit(footprint::footprint(flags)),
        // What these run in processes of their own.
        ["serve", scheme] => return failure::exit(server::serve(scheme)),
        ["arm", bench, arm, url, calls] => {
            return failure::exit(arms::run(bench, arm, url, calls));
        }
        ["bulk-run", arm, url, calls, width] => {
            return failure::exit(bulk::run(arm, url, calls, width));
        }
        ["many", bench, arm, url, count] => {
            return failure::exit(scale::run(bench, arm, url, count));
        }
        ["pool", ref flags @ ..]
            if flags.iter().all(|flag| ["--json", "--quick"].contains(flag)) =>
        {
            report::pool(flags.contains(&"--quick"), flags.contains(&"--json"));
        }
        ["costs", ref flags @ ..]
            if flags.iter().all(|flag| ["--json", "--quick"].contains(flag)) =>
        {
            costs::costs(flags.contains(&"--quick"), flags.contains(&"--json"));
        }
        ["metrics", ref flags @ ..]
            if flags.iter().all(|flag| ["--json", "--quick"].contains(flag)) =>
        {
            metrics::metrics(flags.contains(&"--quick"), flags.contains(&"--json"));
        }
        // What `costs` runs in processes of their own.
        ["start", arm] => costs::start(arm),
        ["sqlite", arm, flush, path] => costs::child(arm, flush, path),
        // For a profiler.
        ["repeat", name, times] => match times.parse() {
            Ok(times) => {
                costs::repeat(name, times);
                metrics::repeat(name, times);
            }
            Err(_) => return usage(),
        },
        // What `pool` runs under strace.
        ["requests", peer, url, count] => match count.parse() {
            Ok(count) => call::requests(peer, url, count),
            Err(_) => return usage(),
        },
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::FAILURE
}
