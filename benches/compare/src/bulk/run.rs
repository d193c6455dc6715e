//! The process that makes the calls of a bulk run.

use std::fs;
use std::time::{Duration, Instant};
use tollgate::PoolConfig;

use super::Sample;
use crate::arms;
use crate::failure::Failure;
use crate::footprint::Scratch;
use crate::processor;
use crate::server::answers::{ANSWER, QUESTION};

/// Makes all calls of tollgate and prints a [`Sample`]. `tollgate-journal` keeps a journal, and
/// `tollgate-warm` begins with open connections.
pub fn run(arm: &str, url: &str, calls: &str, width: &str) -> Result<(), Failure> {
    let (calls, width): (usize, usize) = (calls.parse()?, width.parse()?);
    let pool = PoolConfig { max_size: width, max_per_origin: width, ..PoolConfig::default() };
    let client = arms::tollgate::builder(url).pool(pool).build()?;
    let scratch = Scratch::new()?;
    let mut bulk = client.bulk().workers(width);
    match arm {
        "tollgate" => {}
        "tollgate-journal" => bulk = bulk.journal(scratch.path().join("run.journal")),
        "tollgate-warm" => {
            client.warm_up(width)?;
        }
        _ => return Err("an unknown arm".into()),
    }
    let start_cpu = processor::process();
    let begun = Instant::now();
    let mut answered = 0;
    for (_, result) in bulk.chat((0..calls).map(|id| (id, QUESTION)))? {
        answered += usize::from(result?.text() == ANSWER);
    }
    let wall = begun.elapsed();
    let cpu = processor::process() - start_cpu;
    if answered != calls {
        return Err("not every answer is right".into());
    }
    let seconds = |time: Duration| time.as_secs_f64();
    let sample = Sample {
        wall: seconds(wall),
        cpu: seconds(cpu),
        start_cpu: seconds(start_cpu),
        peak_mib: peak()?,
    };
    println!("{}", serde_json::to_string(&sample)?);
    Ok(())
}

/// The most resident memory of this process so far, in MiB.
fn peak() -> Result<f64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.ok_or("the system does not tell the peak of memory")?;
    Ok(kib.trim().trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
}
