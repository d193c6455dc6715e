//! How long a thread was on a processor, as Linux counts.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// Of the calling thread, in the kernel included; nothing where the system does not tell.
pub fn mine() -> Option<Duration> {
    // It is brought up to date when the thread gives the processor up, else a few
    // milliseconds late.
    thread::sleep(Duration::from_micros(1));
    let stat = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    stat.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// What `work` takes of the calling thread, without dropping what it makes.
pub fn of<T>(work: impl FnOnce() -> T) -> Option<Duration> {
    let before = mine();
    let made = work();
    let took = mine().zip(before).map(|(after, before)| after - before);
    drop(made);
    took
}

/// How many microseconds `work` takes of the calling thread, or by the clock where the
/// system does not tell.
pub fn micros<T>(work: impl FnOnce() -> T) -> f64 {
    let begun = Instant::now();
    let took = of(work);
    took.unwrap_or_else(|| begun.elapsed()).as_secs_f64() * 1e6
}

/// Of all threads of this process so far, in the kernel included.
pub fn process() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}
