//! The numbers as a table for people and as JSON for programs.

use serde_json::{Map, Value, json};
use std::io::{self, Write};

use super::{ARMS, Sample, measure};
use crate::failure::Failure;
use crate::flags::Flags;
use crate::report::print_targets;
use crate::rounds::{Effort, median, ratio, spread};
use crate::server::answers::{DELAY, SOON};
use crate::server::{Manner, Server};
use crate::target::Target;

/// How many calls each arm makes, and how many at once.
const CALLS: usize = 2_000;
const WIDTH: usize = 64;

/// The workers of the run that is compared with the ideal, and how many calls each makes.
const WORKERS: usize = 256;
const WAVES: usize = 20;

/// What was found of each arm, by round.
struct Found {
    name: &'static str,
    arms: Vec<(&'static str, Vec<Sample>)>,
}

pub fn bulk(flags: &[&str]) -> Result<(), Failure> {
    let flags = Flags::parse(flags, &ARMS.map(|(name, _)| name))?;
    let effort = Effort::new(flags.quick);
    let calls = if flags.quick { CALLS / 4 } else { CALLS };
    println!(
        "{calls} chats of one question and a short answer, {WIDTH} at once, to the same server, each\n\
         time in a new process; medians of {} rounds. CPU is user and system time of the\n\
         process during the calls, and before them (start).",
        effort.rounds
    );
    let servers = [
        ("at_once", Manner::AtOnce, "a server that answers at once".to_owned()),
        ("soon", Manner::Soon, format!("a server that takes {SOON:?}")),
    ];
    let mut all = Vec::new();
    for (name, manner, label) in servers {
        let server = Server::start(false)?;
        let url = server.url(manner);
        let rounds = effort.rotate_all(&flags.arms, |arm| measure(arm, &url, calls, WIDTH))?;
        let found = Found { name, arms: flags.arms.iter().copied().zip(rounds).collect() };
        found.print(&label);
        all.push(found);
    }

    let ideal = (DELAY * u32::try_from(WAVES)?).as_secs_f64();
    let near = effort.rotate_all(&["tollgate-warm"], |arm| -> Result<f64, Failure> {
        let server = Server::start(false)?;
        let sample = measure(arm, &server.url(Manner::Late), WORKERS * WAVES, WORKERS)?;
        Ok(ideal / sample.wall)
    })?;
    let near: Vec<f64> = near.into_iter().flatten().collect();
    let of_ideal = median(near.iter().copied());
    println!(
        "\n{WORKERS} workers, {WAVES} calls of each, to a server that takes {DELAY:?}: {:.2} % of the \
         ideal (spread {:.2} %)",
        of_ideal * 100.0,
        spread(&near) * 100.0
    );

    let mut targets =
        vec![Target::at_least("256 workers: at least 0.98 of the ideal", Some(of_ideal), 0.98)];
    for found in &all {
        for other in ["asyncio", "litellm"] {
            let label = format!("{}: processor time less than of {other}", found.name);
            targets.push(Target::at_most(label, found.to(other, |sample| sample.cpu), 1.0));
        }
    }
    print_targets(&targets);
    if flags.json {
        let servers: Map<_, _> =
            all.iter().map(|found| (found.name.to_owned(), found.json())).collect();
        let report = json!({
            "bench": "bulk",
            "rounds": effort.rounds,
            "calls": calls,
            "at_once": WIDTH,
            "servers": servers,
            "of_ideal": of_ideal,
            "targets": targets,
        });
        println!("{report}");
    }
    Ok(())
}

impl Found {
    fn samples(&self, arm: &str) -> Option<&[Sample]> {
        let found = self.arms.iter().find(|(name, _)| *name == arm);
        found.map(|(_, samples)| samples.as_slice())
    }

    /// The median of tollgate's ratios to another arm's in the same round.
    fn to(&self, other: &str, value: fn(&Sample) -> f64) -> Option<f64> {
        Some(ratio(self.samples("tollgate")?, self.samples(other)?, value))
    }

    fn print(&self, label: &str) {
        println!(
            "\n{label}:\n  {:17} {:>9} {:>7} {:>9} {:>7} {:>9} {:>9}   of tollgate: {:>6} {:>6}",
            "", "wall, s", "spread", "CPU, s", "spread", "start, s", "peak, MiB", "wall", "CPU"
        );
        for (name, samples) in &self.arms {
            let [wall, cpu] = [|s: &Sample| s.wall, |s: &Sample| s.cpu]
                .map(|value| samples.iter().map(value).collect::<Vec<_>>());
            let [start, peak] = [|s: &Sample| s.start_cpu, |s: &Sample| s.peak_mib]
                .map(|value| median(samples.iter().map(value)));
            let times = |value: fn(&Sample) -> f64| {
                let to_ours = self.samples("tollgate").map(|ours| ratio(samples, ours, value));
                to_ours.map_or("-".to_owned(), |ratio| format!("{ratio:.1}"))
            };
            println!(
                "  {name:17} {:>9.3} {:>6.0}% {:>9.3} {:>6.0}% {start:>9.2} {peak:>9.1}   {:>19} {:>6}",
                median(wall.iter().copied()),
                spread(&wall) * 100.0,
                median(cpu.iter().copied()),
                spread(&cpu) * 100.0,
                times(|sample| sample.wall),
                times(|sample| sample.cpu),
            );
        }
        // The rest takes a while; show what is known.
        let _ = io::stdout().flush();
    }

    fn json(&self) -> Value {
        let arms = self.arms.iter().map(|(name, samples)| {
            let of = |value: fn(&Sample) -> f64| median(samples.iter().map(value));
            let numbers = json!({
                "wall_s": of(|sample| sample.wall),
                "cpu_s": of(|sample| sample.cpu),
                "start_cpu_s": of(|sample| sample.start_cpu),
                "peak_mib": of(|sample| sample.peak_mib),
            });
            ((*name).to_owned(), numbers)
        });
        Value::Object(arms.collect())
    }
}
