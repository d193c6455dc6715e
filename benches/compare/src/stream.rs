//! What a stream of a thousand chunks costs a client.
//!
//! Each event is a chunk of the transfer coding, as it comes from a server that sends each
//! at once. In large writes, most of the work is to parse; as packets, there are wake-ups,
//! too: how many depends on how fast the client is, since what has come meanwhile is read
//! together.

use crate::comparison::{self, HTTP, HTTPS, Wire};
use crate::failure::Failure;
use crate::flags::Flags;
use crate::report::print_targets;
use crate::rounds::Effort;
use crate::server::Manner;
use crate::server::answers::CHUNKS;

pub const ARMS: [&str; 10] = [
    "floor",
    "floor-typed",
    "ureq",
    "ureq-timeout",
    "reqwest",
    "async-openai",
    "async-openai-1",
    "genai",
    "genai-1",
    "tollgate",
];

const WIRES: [Wire; 3] = [
    HTTP,
    HTTPS,
    Wire { name: "packets", label: "HTTP in packets", encrypted: false, manner: Manner::Packets },
];

pub fn stream(flags: &[&str]) -> Result<(), Failure> {
    let flags = Flags::parse(flags, &ARMS)?;
    let effort = Effort::new(flags.quick);
    let calls = if flags.quick { 50 } else { 200 };
    println!(
        "A stream of {CHUNKS} chunks, {calls} of them in a process of its own for each; medians\n\
         of {} rounds. CPU is user and system time of the whole process.",
        effort.rounds
    );
    let mut wires = Vec::new();
    for wire in WIRES {
        let found = comparison::measure("stream", wire, &flags, calls)?;
        found.print("of each stream");
        wires.push(found);
    }
    // Packets are there to be looked at: how many wake-ups there are is chance.
    let targets: Vec<_> = wires[..2]
        .iter()
        .flat_map(|found| {
            [
                found.cpu_target("floor-typed", 2.0),
                found.cpu_target("async-openai", 0.25),
                found.cpu_target("async-openai-1", 0.25),
                found.cpu_target("genai", 0.1),
                found.cpu_target("genai-1", 0.1),
            ]
        })
        .collect();
    print_targets(&targets);
    if flags.json {
        comparison::print_json("stream", effort, calls, &wires, &targets);
    }
    Ok(())
}
