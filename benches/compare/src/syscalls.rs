//! The system calls of a request on a warm connection, counted by strace.

use serde::Serialize;
use std::collections::BTreeMap;
use std::env;
use std::process::Command;

use crate::call;
use crate::rounds::Effort;

/// What concerns sockets, and what it is for. Their reads and writes are `recvfrom`
/// and `sendto`; plain ones are those of files.
const NETWORK: [(&str, &str); 14] = [
    ("accept4", "takes a connection"),
    ("bind", "chooses an address"),
    ("connect", "connects"),
    ("fcntl", "turns blocking off or on, for a probe"),
    ("getsockopt", "reads an option"),
    ("ioctl", "turns blocking off or on, for a probe"),
    ("poll", "waits for a socket"),
    ("recvfrom", "reads the answer, or probes for bytes unasked for"),
    ("recvmsg", "reads"),
    ("sendmmsg", "asks a name server"),
    ("sendmsg", "writes"),
    ("sendto", "writes the request or a part of it"),
    ("setsockopt", "bounds the time of the next read or write"),
    ("socket", "makes a socket"),
];

/// What a network system call is for.
pub fn purpose(name: &str) -> Option<&'static str> {
    NETWORK.iter().find(|(known, _)| *known == name).map(|(_, purpose)| *purpose)
}

/// The system calls of a request, by caller.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Syscalls {
    Counted { tollgate: Counts, ureq: Counts },
    Missing { missing: String },
}

#[derive(Debug, Serialize)]
pub struct Counts {
    pub network: BTreeMap<String, f64>,
    pub other: BTreeMap<String, f64>,
}

impl Counts {
    pub fn network_total(&self) -> f64 {
        self.network.values().sum()
    }
}

pub fn measure(effort: Effort) -> Syscalls {
    let both = || Ok((of("tollgate", effort)?, of("ureq", effort)?));
    match both() {
        Ok((tollgate, ureq)) => Syscalls::Counted { tollgate, ureq },
        Err(missing) => Syscalls::Missing { missing },
    }
}

/// What many requests need more than few, so that neither starting nor connecting
/// counts.
fn of(peer: &str, effort: Effort) -> Result<Counts, String> {
    let few = 10;
    let many = if effort.quick { 110 } else { 510 };
    let server = call::server();
    let count =
        |requests: u32| count(&["requests", peer, &call::url(&server), &requests.to_string()]);
    let (base, mut all) = (count(few)?, count(many)?);
    for (name, calls) in &mut all {
        *calls = (*calls - base.get(name).unwrap_or(&0.0)) / f64::from(many - few);
    }
    // Once in a hundred requests is no part of a request.
    all.retain(|_, calls| *calls >= 0.01);
    let (network, other) = all.into_iter().partition(|(name, _)| purpose(name).is_some());
    Ok(Counts { network, other })
}

/// The system calls of this program with these arguments.
pub fn count(args: &[&str]) -> Result<BTreeMap<String, f64>, String> {
    let program = env::current_exe().map_err(|cause| cause.to_string())?;
    let output = Command::new("strace")
        .args(["-f", "-c", "-qq"])
        .arg(program)
        .args(args)
        .output()
        .map_err(|cause| format!("strace cannot be run: {cause}"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("strace failed: {}", report.trim()));
    }
    // % time, seconds, usecs/call, calls, errors if any, syscall.
    Ok(report
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let name = fields.last().filter(|name| **name != "total")?;
            Some(((*name).to_owned(), fields.get(3)?.parse().ok()?))
        })
        .collect())
}
