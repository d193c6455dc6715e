//! The numbers as a table for people and as JSON for programs.

use serde::Serialize;

use super::chats::{self, Chats};
use super::recording::{self, Recording};
use super::snapshots::{self, Snapshots};
use crate::report::print_targets;
use crate::rounds::Effort;
use crate::target::Target;

const THREADS: [usize; 2] = [1, 64];

#[derive(Debug, Serialize)]
struct Report {
    bench: &'static str,
    effort: Effort,
    recording: [Recording; THREADS.len()],
    snapshots: Snapshots,
    chats: Option<Chats>,
}

#[derive(Serialize)]
struct Complete<'a> {
    #[serde(flatten)]
    report: &'a Report,
    targets: &'a [Target],
}

/// Measures all that has to do with metrics and prints it as it comes.
pub fn metrics(quick: bool, json: bool) {
    // A round is soon spoiled by what else the machine does: so there are many, and they
    // are short.
    let effort = Effort { rounds: if quick { 5 } else { 25 }, quick };
    println!(
        "Medians of {} rounds; spread is how far the middle half of them lies apart. Ratios,\n\
         spreads and targets are of processor time, of which others take nothing.\n",
        effort.rounds
    );
    println!("A call begins and ends, time and processor time of each:");
    let recording = THREADS.map(|threads| {
        let recording = recording::measure(effort, threads);
        print_recording(&recording);
        recording
    });
    let snapshots = snapshots::measure(effort);
    print_snapshots(&snapshots);
    let chats = chats::measure(effort);
    print_chats(chats.as_ref());
    let report = Report { bench: "metrics", effort, recording, snapshots, chats };
    let targets = targets(&report);
    print_targets(&targets);
    if json {
        let complete = Complete { report: &report, targets: &targets };
        println!("{}", serde_json::to_string(&complete).expect("numbers and names"));
    }
}

fn print_recording(found: &Recording) {
    let plural = if found.threads == 1 { "thread" } else { "threads" };
    print!("  {:>2} {plural:8}", found.threads);
    for (at, name) in recording::NAMES.iter().enumerate() {
        let (nanos, spread) = (found.nanos[at], found.spread[at] * 100.0);
        let processor = found.processor_nanos[at];
        let processor = processor.map_or("unknown".to_owned(), |nanos| format!("{nanos:.0} ns"));
        print!("{name} {nanos:.0} ns, {processor} (spread {spread:.0} %); ");
    }
    println!("to map {:.2}, streamed {:.2}", found.to_map, found.streamed_to_map);
}

fn print_snapshots(found: &Snapshots) {
    let [alone, crowd] = found.micros;
    let [alone_spread, crowd_spread, json_spread] = found.spread.map(|spread| spread * 100.0);
    println!(
        "\nA snapshot of {} calls to {} models over fifteen minutes: of one thread's {alone:.0} µs \
         (spread {alone_spread:.0} %), of eight threads' {crowd:.0} µs (spread {crowd_spread:.0} %);\n\
         its {} KiB of JSON {:.0} µs (spread {json_spread:.0} %), ratio {:.2}; of a whole client \
         that has just called them all {:.0} µs",
        found.calls,
        found.models,
        found.json_bytes / 1024,
        found.json_micros,
        found.to_json,
        found.client_micros
    );
}

fn print_chats(found: Option<&Chats>) {
    print!("\nProcessor time of a call over a connection that is kept, ");
    let Some(found) = found else { return println!("is unknown; the system does not tell") };
    println!("{} rounds:", found.rounds);
    for (at, name) in chats::NAMES.iter().enumerate() {
        println!(
            "  {name:30} {:6.2} µs (spread {:.0} %), ratio {:.3}",
            found.micros[at],
            found.spread[at] * 100.0,
            found.to_off[at]
        );
    }
}

fn targets(report: &Report) -> Vec<Target> {
    let Report { recording: [alone, crowd], snapshots, chats, .. } = report;
    let to_off = |at: usize| chats.as_ref().map(|chats| chats.to_off[at]);
    vec![
        Target::at_most("recording a call, 1 thread: 250 ns", Some(alone.cost()), 250.0),
        Target::at_most("recording a call, 64 threads: 250 ns", Some(crowd.cost()), 250.0),
        Target::at_most("a snapshot with 100 models: 1000 µs", Some(snapshots.micros[1]), 1e3),
        Target::at_most("a call with metrics: 1.02 of one without", to_off(2), 1.02),
        Target::at_most("a call with all that watches: 1.02 of one without", to_off(4), 1.02),
    ]
}
