//! One thread leases a connection and returns it, over and over.

use serde::Serialize;

use crate::peer;
use crate::rounds::{Effort, median, ratio};

#[derive(Debug, Serialize)]
pub struct Uncontended {
    pub tollgate_ns: f64,
    pub r2d2_ns: f64,
    pub ureq_ns: f64,
    pub to_r2d2: f64,
}

pub fn measure(effort: Effort) -> Uncontended {
    let times = if effort.quick { 100_000 } else { 500_000 };
    // A single round is soon spoiled by what else the machine does, and these are
    // short.
    let effort = Effort { rounds: 5, ..effort };
    let found = effort.rotate(&peer::ALL, |new| {
        let peer = new(8);
        // Opens the connection.
        peer.turns(1_000);
        peer.turns(times).as_secs_f64() * 1e9 / f64::from(times)
    });
    let to_r2d2 = ratio(&found[0], &found[1], |nanos| *nanos);
    let [tollgate_ns, r2d2_ns, ureq_ns] = found.map(median);
    Uncontended { tollgate_ns, r2d2_ns, ureq_ns, to_r2d2 }
}
