//! The numbers as a table for people and as JSON for programs.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::calls::{CALLERS, Calls, ideal};
use crate::comparison::child;
use crate::failure::Failure;
use crate::flags::Flags;
use crate::report::print_targets;
use crate::rounds::{Effort, median, spread};
use crate::server::{Manner, Server};
use crate::target::Target;

const ARMS: [&str; 3] = ["floor", "genai", "tollgate"];

/// How many calls each caller makes. At first all call at the same moment, and whoever then
/// waits for a processor calls apart from the others from there on.
const WAVES: usize = 15;

/// How many are open at once.
const STREAMS: usize = 1_000;

/// One number of an arm, of all rounds.
struct Column {
    arm: &'static str,
    name: &'static str,
    values: Vec<f64>,
}

pub fn scale(flags: &[&str]) -> Result<(), Failure> {
    let flags = Flags::parse(flags, &ARMS)?;
    let effort = Effort::new(flags.quick);
    println!(
        "Medians of {} rounds; spread is how far the middle half of them lies apart.",
        effort.rounds
    );

    println!("\n{CALLERS} callers, {WAVES} calls of each, to a server that takes 200 ms:");
    // A bare thread has no calls to make that would tell anything.
    let callers: Vec<_> = flags.arms.iter().copied().filter(|arm| *arm != "floor").collect();
    let calls: Vec<Vec<Calls>> = rounds(effort, &callers, "calls", false, Manner::Late, WAVES)?;
    let mut columns = Vec::new();
    for (arm, calls) in callers.iter().copied().zip(calls) {
        let of_ideal = calls.iter().map(|calls| calls.per_second / ideal()).collect();
        let cpu = calls.iter().map(|calls| calls.cpu).collect();
        columns.push(Column { arm, name: "of_ideal", values: of_ideal });
        columns.push(Column { arm, name: "cpu_us", values: cpu });
        let [of_ideal, cpu] = &columns[columns.len() - 2..] else { continue };
        println!(
            "  {arm:9} {:.0} calls a second, {:.2} % of the ideal (spread {:.2} %); processor \
             time of each {:.0} µs (spread {:.0} %)",
            of_ideal.median() * ideal(),
            of_ideal.median() * 100.0,
            of_ideal.spread() * 100.0,
            cpu.median(),
            cpu.spread() * 100.0
        );
    }

    // A bare socket speaks no TLS.
    for (name, label, encrypted, arms) in
        [("stream_kib", "HTTP", false, &flags.arms), ("stream_https_kib", "HTTPS", true, &callers)]
    {
        println!("\n{STREAMS} open streams over {label}, resident memory of each:");
        let streams: Vec<Vec<f64>> =
            rounds(effort, arms, "open", encrypted, Manner::Open, STREAMS)?;
        for (arm, values) in arms.iter().copied().zip(streams) {
            let column = Column { arm, name, values };
            let note = if arm == "floor" { ", a thread that reads a socket" } else { "" };
            println!(
                "  {arm:9} {:.1} KiB (spread {:.0} %){note}",
                column.median(),
                column.spread() * 100.0
            );
            columns.push(column);
        }
    }

    let ours = |name| {
        let found = columns.iter().find(|column| (column.arm, column.name) == ("tollgate", name));
        found.map(Column::median)
    };
    let targets = [
        Target::at_least("calls: at least 0.98 of the ideal", ours("of_ideal"), 0.98),
        Target::at_most("open stream: at most 34 KiB", ours("stream_kib"), 34.0),
    ];
    print_targets(&targets);
    if flags.json {
        print_json(effort, &flags.arms, &columns, &targets);
    }
    Ok(())
}

/// What each arm found by round.
fn rounds<T: DeserializeOwned>(
    effort: Effort,
    arms: &[&'static str],
    bench: &str,
    encrypted: bool,
    manner: Manner,
    count: usize,
) -> Result<Vec<Vec<T>>, Failure> {
    effort.rotate_all(arms, |arm| {
        // Anew, so that the threads of the connections before are no burden to it.
        let server = Server::start(encrypted)?;
        let found = child(&["many", bench, arm, &server.url(manner), &count.to_string()]);
        found.and_then(|text| Ok(serde_json::from_str(&text)?)).map_err(|failure| {
            Failure::from(format!("the arm {arm} failed to make {bench}: {failure}"))
        })
    })
}

fn print_json(effort: Effort, arms: &[&str], columns: &[Column], targets: &[Target]) {
    let numbers = |arm: &str| {
        let mut numbers = Map::new();
        for column in columns.iter().filter(|column| column.arm == arm) {
            numbers.insert(column.name.to_owned(), column.median().into());
            numbers.insert(format!("{}_spread", column.name), column.spread().into());
        }
        Value::Object(numbers)
    };
    let arms: Map<_, _> = arms.iter().map(|arm| ((*arm).to_owned(), numbers(arm))).collect();
    let report = json!({
        "bench": "scale",
        "rounds": effort.rounds,
        "callers": CALLERS,
        "waves": WAVES,
        "ideal_per_second": ideal(),
        "streams": STREAMS,
        "arms": arms,
        "targets": targets,
    });
    println!("{report}");
}

impl Column {
    fn median(&self) -> f64 {
        median(self.values.iter().copied())
    }

    fn spread(&self) -> f64 {
        spread(&self.values)
    }
}
