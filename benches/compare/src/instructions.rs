//! Counts the instructions and the system calls of a call and of a stream, for each client. Neither
//! depends on the load of the machine.
//!
//! Callgrind counts the user-mode instructions of all threads of a process, and strace the system
//! calls. Each client runs twice, with few calls and with more. The difference holds neither the
//! start nor the warm-up, which is the same for both.

use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::env;
use std::io::{self, Write};
use std::process::Command;

use crate::comparison::{HTTP, HTTPS, Wire};
use crate::failure::Failure;
use crate::flags::Flags;
use crate::report::print_targets;
use crate::rounds::median;
use crate::server::Server;
use crate::stream::ARMS;
use crate::syscalls;
use crate::target::Target;

/// What is measured: the bench, the wire, and the two numbers of turns. With up to 59 turns, an arm
/// warms up with 5.
struct Case {
    name: &'static str,
    label: &'static str,
    bench: &'static str,
    wire: Wire,
    times: [u32; 2],
}

const CASES: [Case; 4] = [
    Case {
        name: "call_http",
        label: "A call, HTTP",
        bench: "overhead",
        wire: HTTP,
        times: [9, 59],
    },
    Case {
        name: "call_https",
        label: "A call, HTTPS",
        bench: "overhead",
        wire: HTTPS,
        times: [9, 59],
    },
    Case {
        name: "stream_http",
        label: "A stream, HTTP",
        bench: "stream",
        wire: HTTP,
        times: [1, 6],
    },
    Case {
        name: "stream_https",
        label: "A stream, HTTPS",
        bench: "stream",
        wire: HTTPS,
        times: [1, 6],
    },
];

/// The cost of one turn.
#[derive(Debug, Clone, Serialize)]
struct Cost {
    /// In user mode.
    instructions: f64,
    /// `None` without strace.
    #[serde(skip_serializing_if = "Option::is_none")]
    system_calls: Option<f64>,
    /// System calls that at least one turn in a hundred makes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    by_name: BTreeMap<String, f64>,
}

type Costs = BTreeMap<&'static str, Cost>;

pub fn instructions(flags: &[&str]) -> Result<(), Failure> {
    let flags = Flags::parse(flags, &ARMS)?;
    let rounds = if flags.quick { 1 } else { 3 };
    println!("User-mode instructions and system calls of each turn; medians of {rounds} rounds.");
    let mut found = Vec::new();
    for case in &CASES {
        let costs = case.measure(&flags.arms, rounds)?;
        case.print(&flags.arms, &costs);
        found.push((case.name, costs));
    }
    let targets = targets(&found);
    print_targets(&targets);
    if flags.json {
        let cases: BTreeMap<_, _> = found.iter().map(|(name, costs)| (*name, costs)).collect();
        let object = json!({ "bench": "instructions", "rounds": rounds, "cases": cases, "targets": targets });
        println!("{object}");
    }
    Ok(())
}

fn targets(found: &[(&'static str, Costs)]) -> Vec<Target> {
    let limits = [("call_http", 65e3), ("call_https", 75e3), ("stream_http", 3.2e6)];
    let limits = limits.into_iter().map(|(case, limit)| {
        let costs = found.iter().find(|(name, _)| *name == case).map(|(_, costs)| costs);
        let measured = costs.and_then(|costs| costs.get("tollgate")).map(|cost| cost.instructions);
        Target::at_most(format!("{case}: at most {limit} instructions"), measured, limit)
    });
    limits.collect()
}

impl Case {
    fn measure(&self, arms: &[&'static str], rounds: usize) -> Result<Costs, Failure> {
        let server = Server::start(self.wire.encrypted)?;
        let url = server.url(self.wire.manner);
        let mut costs = Costs::new();
        for arm in arms {
            let failed = |cause: Failure| {
                Failure::from(format!("the arm {arm} failed over {}: {cause}", self.wire.label))
            };
            let per_turn =
                |few: f64, many: f64| (many - few) / f64::from(self.times[1] - self.times[0]);
            let mut samples = Vec::new();
            for _ in 0..rounds {
                let [few, many] = self.times.map(|times| self.executed(arm, &url, times));
                samples.push(per_turn(few.map_err(failed)?, many.map_err(failed)?));
            }
            let [few, many] = self.times.map(|times| self.system_calls(arm, &url, times));
            let by_name = match (few, many) {
                (Ok(few), Ok(many)) => {
                    let of = |(name, many): (&String, &f64)| {
                        let few = few.get(name).copied().unwrap_or_default();
                        (name.clone(), per_turn(few, *many))
                    };
                    Some(many.iter().map(of).filter(|(_, count)| *count >= 0.01).collect())
                }
                _ => None,
            };
            let by_name: Option<BTreeMap<String, f64>> = by_name;
            let system_calls = by_name.as_ref().map(|by_name| by_name.values().sum());
            let by_name = by_name.unwrap_or_default();
            costs.insert(arm, Cost { instructions: median(samples), system_calls, by_name });
        }
        Ok(costs)
    }

    /// The instructions of a whole process that takes this many turns.
    fn executed(&self, arm: &str, url: &str, times: u32) -> Result<f64, Failure> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(env::current_exe()?)
            .args(["arm", self.bench, arm, url, &times.to_string()])
            // Outside the thread's own cache, what malloc does depends on addresses.
            .env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=4096")
            .output()
            .map_err(|cause| format!("valgrind cannot be run: {cause}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(format!("{}: {}", output.status, said.trim()).into());
        }
        // "==123== Collected : 45678"
        let collected =
            said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
        Ok(collected.ok_or("callgrind printed no count")?)
    }

    fn system_calls(
        &self,
        arm: &str,
        url: &str,
        times: u32,
    ) -> Result<BTreeMap<String, f64>, String> {
        syscalls::count(&["arm", self.bench, arm, url, &times.to_string()])
    }

    fn print(&self, arms: &[&'static str], costs: &Costs) {
        println!(
            "\n{}:\n  {:14} {:>12} {:>12} {:>12}",
            self.label, "", "instructions", "of tollgate", "system calls"
        );
        let ours = costs.get("tollgate").map(|cost| cost.instructions);
        for arm in arms {
            let Some(cost) = costs.get(arm) else { continue };
            let ratio =
                ours.map_or("-".to_owned(), |ours| format!("{:.2}", cost.instructions / ours));
            let calls = cost.system_calls.map_or("-".to_owned(), |calls| format!("{calls:.1}"));
            println!("  {arm:14} {:>12.0} {ratio:>12} {calls:>12}", cost.instructions);
        }
        // The next case takes a while.
        let _ = io::stdout().flush();
    }
}
