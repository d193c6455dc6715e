//! What is to be reached.

use serde::Serialize;

use crate::report::Report;
use crate::syscalls::Syscalls;

#[derive(Debug, Serialize)]
pub struct Target {
    pub target: String,
    pub measured: Option<f64>,
    /// Unknown where it could not be measured.
    pub holds: Option<bool>,
}

impl Target {
    pub fn at_most(target: impl Into<String>, measured: Option<f64>, limit: f64) -> Self {
        Self { target: target.into(), measured, holds: measured.map(|value| value <= limit) }
    }

    pub fn at_least(target: impl Into<String>, measured: Option<f64>, limit: f64) -> Self {
        Self { target: target.into(), measured, holds: measured.map(|value| value >= limit) }
    }
}

pub fn all(report: &Report) -> Vec<Target> {
    let mut targets = vec![Target::at_most(
        "lease and return, uncontended: at most 0.6 of r2d2",
        Some(report.uncontended.to_r2d2),
        0.6,
    )];
    let crowded = report.ratios.iter().filter(|ratio| ratio.threads == 256 && ratio.hold_us > 0);
    for ratio in crowded {
        let ours = report.runs.iter().find(|run| {
            run.pool == "tollgate" && (run.threads, run.hold_us) == (256, ratio.hold_us)
        });
        let hold = format!("256 threads, holds of {} µs", ratio.hold_us);
        targets.extend([
            Target::at_least(
                format!("{hold}: throughput at least 0.95 of r2d2"),
                Some(ratio.throughput),
                0.95,
            ),
            Target::at_most(
                format!("{hold}: p99 of the wait at most 0.5 of r2d2"),
                Some(ratio.wait_p99),
                0.5,
            ),
            Target::at_least(
                format!("{hold}: fairness at least 0.95"),
                ours.map(|run| run.fairness),
                0.95,
            ),
        ]);
    }
    targets.extend([
        Target::at_most(
            "idle client: no wake-up",
            report.idle.tollgate.map(|wakes| wakes as f64),
            0.0,
        ),
        Target::at_most(
            // One to write, one to read, and three to check for unrequested bytes.
            "request on a warm connection: at most 5 network system calls",
            match &report.syscalls {
                Syscalls::Counted { tollgate, .. } => Some(tollgate.network_total()),
                Syscalls::Missing { .. } => None,
            },
            5.0,
        ),
        Target::at_most(
            "call by host name: faster than with ureq's own pool",
            Some(report.calls.to_ureq),
            1.0,
        ),
    ]);
    targets
}
