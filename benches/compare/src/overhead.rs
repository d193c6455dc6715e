//! What a small call costs a client: over a connection that is kept, by host name.

use crate::comparison::{self, HTTP, HTTPS, Wire};
use crate::failure::Failure;
use crate::flags::Flags;
use crate::report::print_targets;
use crate::rounds::Effort;

const ARMS: [&str; 9] = [
    "floor",
    "ureq",
    "ureq-timeout",
    "reqwest",
    "async-openai",
    "async-openai-1",
    "genai",
    "genai-1",
    "tollgate",
];

const WIRES: [Wire; 2] = [HTTP, HTTPS];

pub fn overhead(flags: &[&str]) -> Result<(), Failure> {
    let flags = Flags::parse(flags, &ARMS)?;
    let effort = Effort::new(flags.quick);
    let calls = if flags.quick { 1_000 } else { 4_000 };
    println!(
        "A chat of one question and a short answer, {calls} calls in a process of its own for\n\
         each; medians of {} rounds. CPU is user and system time of the whole process.",
        effort.rounds
    );
    let mut wires = Vec::new();
    let mut targets = Vec::new();
    for wire in WIRES {
        let found = comparison::measure("overhead", wire, &flags, calls)?;
        found.print("of each call");
        targets.extend([
            found.cpu_target("floor", 1.5),
            found.cpu_target("async-openai", 0.65),
            found.cpu_target("async-openai-1", 0.65),
            found.cpu_target("ureq-timeout", 0.4),
            found.p99_target(&["floor"]),
        ]);
        wires.push(found);
    }
    print_targets(&targets);
    if flags.json {
        comparison::print_json("overhead", effort, calls, &wires, &targets);
    }
    Ok(())
}
