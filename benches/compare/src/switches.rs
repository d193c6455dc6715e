//! How often threads gave up the processor or lost it, as Linux counts.

use std::fs;
use std::path::Path;

/// A thread's context switches so far.
pub struct Switches {
    pub id: u64,
    pub name: String,
    /// It had nothing to do until something woke it.
    pub voluntary: u64,
    /// Another was given its processor.
    pub forced: u64,
}

/// Of the calling thread, where the system tells.
pub fn mine() -> Option<u64> {
    read(Path::new("/proc/thread-self/status")).map(|own| own.voluntary + own.forced)
}

/// Of every thread of this process.
pub fn all() -> Vec<Switches> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
    tasks.filter_map(|task| read(&task.ok()?.path().join("status"))).collect()
}

fn read(status: &Path) -> Option<Switches> {
    let status = fs::read_to_string(status).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim_start_matches(':').trim())
    };
    Some(Switches {
        id: field("Pid")?.parse().ok()?,
        name: field("Name")?.to_owned(),
        voluntary: field("voluntary_ctxt_switches")?.parse().ok()?,
        forced: field("nonvoluntary_ctxt_switches")?.parse().ok()?,
    })
}
