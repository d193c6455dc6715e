//! Many threads share few connections.

use serde::Serialize;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::peer::{self, Peer};
use crate::rounds::{Effort, median, ratio};
use crate::switches;

pub const CONNECTIONS: usize = 8;
pub const THREADS: [usize; 4] = [2, 16, 64, 256];
pub const HOLDS: [Duration; 3] =
    [Duration::ZERO, Duration::from_micros(200), Duration::from_millis(20)];

/// What one pool did with so many threads and so long a hold.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    pub pool: &'static str,
    pub threads: usize,
    pub hold_us: u128,
    pub operations_per_second: f64,
    pub wait_p50_us: f64,
    pub wait_p99_us: f64,
    pub wait_max_us: f64,
    /// Jain's index over the threads' numbers of operations: 1 when all are equal,
    /// 1/n when one of n has them all. (R. Jain, D. Chiu, W. Hawe, DEC-TR-301.)
    pub fairness: f64,
    pub opened: f64,
    /// Missing where the system does not tell.
    pub switches_per_operation: Option<f64>,
}

/// How tollgate compares with r2d2: medians of each round's ratio.
#[derive(Debug, Serialize)]
pub struct Ratio {
    pub threads: usize,
    pub hold_us: u128,
    pub throughput: f64,
    pub wait_p99: f64,
}

pub fn measure(effort: Effort, mut progress: impl FnMut(&[Run])) -> (Vec<Run>, Vec<Ratio>) {
    let (mut runs, mut ratios) = (Vec::new(), Vec::new());
    for hold in HOLDS {
        for threads in THREADS {
            let duration = duration(effort, threads, hold);
            let found =
                effort.rotate(&peer::ALL, |new| run(&*new(CONNECTIONS), threads, hold, duration));
            ratios.push(Ratio {
                threads,
                hold_us: hold.as_micros(),
                throughput: ratio(&found[0], &found[1], |run| run.operations_per_second),
                wait_p99: ratio(&found[0], &found[1], |run| run.wait_p99_us),
            });
            let medians: Vec<_> = found.iter().map(|rounds| median_run(rounds)).collect();
            progress(&medians);
            runs.extend(medians);
        }
    }
    (runs, ratios)
}

/// Long enough for every thread to have eight turns, so that one more or less of
/// them is not taken for unfairness.
fn duration(effort: Effort, threads: usize, hold: Duration) -> Duration {
    let turns = u32::try_from(threads.div_ceil(CONNECTIONS) * 8).expect("a small number");
    let least = Duration::from_millis(if effort.quick { 200 } else { 500 });
    least.max(hold * turns)
}

fn run(peer: &dyn Peer, threads: usize, hold: Duration, duration: Duration) -> Run {
    let (start, stop) = (Barrier::new(threads + 1), AtomicBool::new(false));
    let worker = || {
        let mut waits = Vec::with_capacity(1 << 12);
        start.wait();
        let before = switches::mine();
        let mut completed = 0_u64;
        while !stop.load(Ordering::Relaxed) {
            waits.push(peer.hold(hold));
            // A wait counts however late it ends, a turn only if it was in time.
            completed += u64::from(!stop.load(Ordering::Relaxed));
        }
        (completed, waits, switches::mine().zip(before).map(|(after, before)| after - before))
    };
    let (elapsed, found) = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        start.wait();
        let begun = Instant::now();
        thread::sleep(duration);
        stop.store(true, Ordering::Relaxed);
        let elapsed = begun.elapsed();
        let found: Vec<_> =
            workers.into_iter().map(|worker| worker.join().expect("no panic")).collect();
        (elapsed, found)
    });
    let counts: Vec<f64> = found.iter().map(|(completed, ..)| *completed as f64).collect();
    let switched: Option<u64> = found.iter().map(|(.., switched)| *switched).sum();
    let mut waits: Vec<Duration> = found.into_iter().flat_map(|(_, waits, _)| waits).collect();
    waits.sort_unstable();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
    Run {
        pool: peer.name(),
        threads,
        hold_us: hold.as_micros(),
        operations_per_second: counts.iter().sum::<f64>() / elapsed.as_secs_f64(),
        wait_p50_us: at(0.5),
        wait_p99_us: at(0.99),
        wait_max_us: at(1.0),
        fairness: jain(&counts),
        opened: peer.opened() as f64,
        switches_per_operation: switched.map(|switched| switched as f64 / waits.len() as f64),
    }
}

fn jain(counts: &[f64]) -> f64 {
    let squares: f64 = counts.iter().map(|count| count * count).sum();
    counts.iter().sum::<f64>().powi(2) / (counts.len() as f64 * squares)
}

fn median_run(rounds: &[Run]) -> Run {
    let of = |value: fn(&Run) -> f64| median(rounds.iter().map(value));
    let switches: Option<Vec<f64>> = rounds.iter().map(|run| run.switches_per_operation).collect();
    Run {
        operations_per_second: of(|run| run.operations_per_second),
        wait_p50_us: of(|run| run.wait_p50_us),
        wait_p99_us: of(|run| run.wait_p99_us),
        wait_max_us: of(|run| run.wait_max_us),
        fairness: of(|run| run.fairness),
        opened: of(|run| run.opened),
        switches_per_operation: switches.map(median),
        ..rounds[0].clone()
    }
}
