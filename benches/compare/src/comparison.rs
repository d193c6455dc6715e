//! Clients side by side: every round each is run once, in a process of its own, a different
//! one first each time.

use serde_json::{Map, Value, json};
use std::env;
use std::io::{self, Write};
use std::process::Command;

use crate::arms::Sample;
use crate::failure::Failure;
use crate::flags::Flags;
use crate::rounds::{Effort, median, ratio, spread};
use crate::server::{Manner, Server};
use crate::target::Target;

/// One way to reach the server.
#[derive(Debug, Clone, Copy)]
pub struct Wire {
    /// Where it is in the JSON; the first of a bench is at the top.
    pub name: &'static str,
    pub label: &'static str,
    pub encrypted: bool,
    pub manner: Manner,
}

pub const HTTP: Wire =
    Wire { name: "http", label: "HTTP", encrypted: false, manner: Manner::AtOnce };

pub const HTTPS: Wire =
    Wire { name: "https", label: "HTTPS", encrypted: true, manner: Manner::AtOnce };

/// What was found of each arm, by round.
#[derive(Debug)]
pub struct Found {
    pub wire: Wire,
    pub arms: Vec<(&'static str, Vec<Sample>)>,
}

/// Measures `calls` of each arm every round.
pub fn measure(bench: &str, wire: Wire, flags: &Flags, calls: u32) -> Result<Found, Failure> {
    let server = Server::start(wire.encrypted)?;
    let url = server.url(wire.manner);
    let count = calls.to_string();
    let rounds = Effort::new(flags.quick).rotate_all(&flags.arms, |arm| {
        let sample = child(&["arm", bench, arm, &url, &count]);
        sample.and_then(|text| Ok(serde_json::from_str(&text)?)).map_err(|failure: Failure| {
            Failure::from(format!("the arm {arm} failed over {}: {failure}", wire.label))
        })
    })?;
    Ok(Found { wire, arms: flags.arms.iter().copied().zip(rounds).collect() })
}

/// What this program prints with these arguments, in a process of its own.
pub fn child(args: &[&str]) -> Result<String, Failure> {
    text_of(Command::new(env::current_exe()?).args(args))
}

/// What a program prints that ends well.
pub fn text_of(program: &mut Command) -> Result<String, Failure> {
    let output = program.output()?;
    if output.status.success() {
        Ok(String::from_utf8(output.stdout)?)
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{}: {}", output.status, said.trim()).into())
    }
}

impl Found {
    /// The median of tollgate's ratios to another arm's in the same round, where both were
    /// measured.
    pub fn to(&self, other: &str, value: impl Fn(&Sample) -> f64) -> Option<f64> {
        Some(ratio(self.samples("tollgate")?, self.samples(other)?, value))
    }

    fn samples(&self, arm: &str) -> Option<&[Sample]> {
        let found = self.arms.iter().find(|(name, _)| *name == arm);
        found.map(|(_, samples)| samples.as_slice())
    }

    /// That tollgate's processor time is at most `limit` of another's.
    pub fn cpu_target(&self, other: &str, limit: f64) -> Target {
        let label = format!("{}: processor time at most {limit} of {other}", self.wire.label);
        Target::at_most(label, self.to(other, |sample| sample.cpu), limit)
    }

    /// That no other arm's slowest calls are faster; those named are no clients.
    pub fn p99_target(&self, except: &[&str]) -> Target {
        let others = self.arms.iter().map(|(name, _)| *name);
        let peers = others.filter(|name| *name != "tollgate" && !except.contains(name));
        let ratios = peers.filter_map(|name| self.to(name, |sample| sample.wall_p99));
        let label = format!("{}: p99 no worse than any peer's", self.wire.label);
        Target::at_most(label, ratios.reduce(f64::max), 1.0)
    }

    /// The ratio to the floor where that was measured, as of the processor time.
    fn to_floor(&self, samples: &[Sample]) -> Option<f64> {
        Some(ratio(samples, self.samples("floor")?, |sample| sample.cpu))
    }

    pub fn print(&self, each: &str) {
        println!(
            "\n{}, {each}, in µs:\n  {:14} {:>9} {:>7} {:>9} {:>9} {:>7} {:>9} {:>7}",
            self.wire.label, "", "CPU", "spread", "to floor", "wall p50", "spread", "p99", "spread"
        );
        for (name, samples) in &self.arms {
            let [cpu, p50, p99] = columns(samples);
            let to_floor = self.to_floor(samples);
            println!(
                "  {name:14} {:>9.1} {:>7} {:>9} {:>9.1} {:>7} {:>9.1} {:>7}",
                cpu.median,
                cpu.percent(),
                to_floor.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
                p50.median,
                p50.percent(),
                p99.median,
                p99.percent(),
            );
        }
        // The rest takes a while; show what is known.
        let _ = io::stdout().flush();
    }

    fn json(&self) -> Value {
        let arms = self.arms.iter().map(|(name, samples)| {
            let [cpu, p50, p99] = columns(samples);
            let numbers = json!({
                "cpu_us": cpu.median,
                "cpu_spread": cpu.spread,
                "to_floor": self.to_floor(samples),
                "wall_us_p50": p50.median,
                "wall_p50_spread": p50.spread,
                "wall_us_p99": p99.median,
                "wall_p99_spread": p99.spread,
            });
            ((*name).to_owned(), numbers)
        });
        Value::Object(arms.collect())
    }
}

/// One JSON object on a line, with the first wire's arms at the top.
pub fn print_json(bench: &str, effort: Effort, calls: u32, wires: &[Found], targets: &[Target]) {
    let mut object = Map::new();
    object.insert("bench".to_owned(), bench.into());
    object.insert("rounds".to_owned(), effort.rounds.into());
    object.insert("calls".to_owned(), calls.into());
    for (at, found) in wires.iter().enumerate() {
        if at == 0 {
            object.insert("arms".to_owned(), found.json());
        } else {
            object.insert(found.wire.name.to_owned(), json!({ "arms": found.json() }));
        }
    }
    object.insert("targets".to_owned(), json!(targets));
    println!("{}", Value::Object(object));
}

/// Of all rounds.
struct Column {
    median: f64,
    spread: f64,
}

impl Column {
    fn percent(&self) -> String {
        format!("{:.0} %", self.spread * 100.0)
    }
}

fn columns(samples: &[Sample]) -> [Column; 3] {
    let values: [fn(&Sample) -> f64; 3] =
        [|sample| sample.cpu, |sample| sample.wall_p50, |sample| sample.wall_p99];
    values.map(|value| {
        let values: Vec<f64> = samples.iter().map(value).collect();
        Column { spread: spread(&values), median: median(values) }
    })
}
