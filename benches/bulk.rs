//! Measures what a bulk run costs by itself. In `benches/`:
//!
//! ```text
//! cargo bench --bench bulk
//! ```
//!
//! It prints the memory of a run with 100,000 and with a million items, the time per item with and
//! without a journal, next to a bare write of each line, and how near 256 workers come to the ideal
//! where each call takes 200 ms.

use std::error::Error;
use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tollgate::bulk::{Flush, Journal};
use tollgate::internals::run_bulk;
use tollgate::testing::{Loopback, Reply};
use tollgate::{ChatRequest, ChatResponse, Client, PoolConfig};

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo bench -- --test` only checks that it works.
    let is_test = std::env::args().any(|word| word == "--test");
    let scale = if is_test { 1_000 } else { 1 };
    let server = Loopback::start()?;
    server.record_requests(false);
    server.default_reply(Reply::text("A teapot, made of clay.").usage(20, 8));
    let answer = client(&server, 1)?.chat("Describe a teapot.")?;

    for items in [100_000 / scale, 1_000_000 / scale] {
        run_bulk(numbers(items), 64, at_once(&answer), None)?;
        println!("{items} items: {} KiB at the peak", peak());
    }
    let items = 1_000_000 / scale;
    run_bulk((0..items).map(|id| format!("item {id}")), 64, at_once(&answer), None)?;
    println!("{items} items whose ids are no numbers: {} KiB at the peak", peak());

    let journal = std::env::temp_dir().join(format!("tollgate-bench-{}", std::process::id()));
    for workers in [1, 8, 64] {
        println!("{workers:>3} workers, per item:");
        let items = 200_000 / scale;
        let alone = per_item(items, workers, &answer, None)?;
        println!("      {alone}, no journal");
        for (what, flush) in [
            ("flushed every 100 items", Flush::EveryItems(100)),
            ("flushed after each item", Flush::EachItem),
        ] {
            let kept = Journal::new(&journal).flush(flush);
            let took = per_item(items, workers, &answer, Some(kept))?;
            let bytes = fs::metadata(&journal)?.len() / items;
            fs::remove_file(&journal)?;
            let bare = bare_writes(items, bytes, &journal)?;
            println!("      {took}, a journal, {what}");
            let ratio = (took.used - alone.used) / bare.used;
            println!(
                "      {bare}, a bare write of {bytes} bytes; the journal adds {ratio:.1} times that"
            );
        }
    }

    let (workers, delay, rounds) = (256, Duration::from_millis(200), 20 / scale.min(20));
    let items = workers * rounds;
    let ideal = delay * u32::try_from(rounds)?;
    let begun = Instant::now();
    let slow = move || {
        thread::sleep(delay);
        answer.clone()
    };
    run_bulk(numbers(items), usize::try_from(workers)?, slow, None)?;
    share("256 workers, calls that sleep 200 ms", ideal, begun.elapsed());

    server.default_reply(Reply::text("A teapot, made of clay.").usage(20, 8).delay(delay));
    let client = client(&server, usize::try_from(workers)?)?;
    client.warm_up(usize::try_from(workers)?)?;
    let requests = (0..items).map(|id| (id, ChatRequest::from("Describe a teapot.")));
    let begun = Instant::now();
    let run = client.bulk().workers(usize::try_from(workers)?).chat(requests)?;
    assert!(run.map(|(_, result)| result).all(|result| result.is_ok()));
    share("256 workers, a server that takes 200 ms", ideal, begun.elapsed());
    Ok(())
}

fn client(server: &Loopback, connections: usize) -> Result<Client, tollgate::Error> {
    Client::builder()
        .model("openai/gpt-4o-mini")
        .api_key("test")
        .base_url(server.base_url("openai"))
        .pool(PoolConfig {
            max_size: connections,
            max_per_origin: connections,
            ..PoolConfig::default()
        })
        .build()
}

fn numbers(count: u64) -> impl Iterator<Item = String> {
    (0..count).map(|id| id.to_string())
}

/// A call that returns at once.
fn at_once(answer: &ChatResponse) -> impl Fn() -> ChatResponse + Send + Sync + 'static {
    let answer = answer.clone();
    move || answer.clone()
}

/// The wall time and the processor time per item, in microseconds.
struct Each {
    wall: f64,
    used: f64,
}

impl fmt::Display for Each {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:6.2} µs wall, {:6.2} µs of processor", self.wall, self.used)
    }
}

fn per_item(
    items: u64,
    workers: usize,
    answer: &ChatResponse,
    journal: Option<Journal>,
) -> Result<Each, Box<dyn Error>> {
    let watch = Watch::start();
    assert_eq!(run_bulk(numbers(items), workers, at_once(answer), journal)?, items);
    Ok(watch.each(items))
}

/// What writes of as many lines of so many bytes take, one `write` each.
fn bare_writes(lines: u64, bytes: u64, path: &Path) -> Result<Each, Box<dyn Error>> {
    let line = vec![b'x'; usize::try_from(bytes)?];
    let mut file = File::options().append(true).create_new(true).open(path)?;
    let watch = Watch::start();
    for _ in 0..lines {
        file.write_all(&line)?;
    }
    let each = watch.each(lines);
    fs::remove_file(path)?;
    Ok(each)
}

/// When a measurement began, and how much processor time was used by then.
struct Watch(Instant, Duration);

impl Watch {
    fn start() -> Self {
        Self(Instant::now(), processor())
    }

    fn each(&self, items: u64) -> Each {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / items as f64;
        Each { wall: each(self.0.elapsed()), used: each(processor() - self.1) }
    }
}

/// The processor time of this process so far (proc_pid_stat(5): utime and stime, in ticks of 10 ms).
fn processor() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The most resident memory of this process so far, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn share(what: &str, ideal: Duration, took: Duration) {
    let share = ideal.as_secs_f64() / took.as_secs_f64() * 100.0;
    println!("{what}: {took:.3?} for an ideal of {ideal:.3?}, {share:.1} %");
}
