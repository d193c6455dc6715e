//! The numbers as a table for people and as JSON for programs.

use serde::Serialize;
use std::collections::BTreeMap;

use super::{Footprint, Options};
use crate::failure::Failure;
use crate::report::print_targets;
use crate::rounds::{median, ratio, spread};
use crate::target::Target;

/// What may be reached at most, of what the bare HTTP client costs.
const LIMIT: f64 = 1.2;

#[derive(Serialize)]
struct Report<'a> {
    bench: &'static str,
    rounds: usize,
    arms: BTreeMap<&'static str, Arm>,
    targets: &'a [Target],
}

#[derive(Serialize)]
struct Arm {
    cpu_s: f64,
    bytes: u64,
    crates: usize,
    start_us: f64,
    /// How far the middle half of the starts lies apart, of their median.
    start_spread: f64,
}

/// Builds and starts the programs and prints what they cost.
pub fn footprint(flags: &[&str]) -> Result<(), Failure> {
    let options = Options::parse(flags)?;
    println!(
        "The smallest chat program: processor time of a clean release build with all that it\n\
         needs, bytes when stripped, crates below it, and time from its start to the first\n\
         byte sent (median of the starts and how far their middle half lies apart).\n"
    );
    let found = super::measure(&options, |arm, cpu_s| eprintln!("{arm}: {cpu_s:.1} s"))?;
    println!("{:14} {:>8} {:>10} {:>7} {:>10}", "", "CPU", "bytes", "crates", "start");
    let arms: BTreeMap<_, _> =
        found.iter().map(|footprint| (footprint.arm, arm(footprint))).collect();
    for Footprint { arm: name, .. } in &found {
        let Arm { cpu_s, bytes, crates, start_us, start_spread } = arms[name];
        println!(
            "{name:14} {cpu_s:>6.1} s {bytes:>10} {crates:>7} {start_us:>7.0} µs  ± {:.0} %",
            start_spread * 50.0
        );
    }
    let targets = targets(&found);
    print_targets(&targets);
    if options.json {
        let report = Report { bench: "footprint", rounds: options.rounds, arms, targets: &targets };
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(())
}

fn arm(footprint: &Footprint) -> Arm {
    Arm {
        cpu_s: median(footprint.cpu_s.iter().copied()),
        bytes: footprint.bytes,
        crates: footprint.crates,
        start_us: median(footprint.start_us.iter().copied()),
        start_spread: spread(&footprint.start_us),
    }
}

fn targets(found: &[Footprint]) -> [Target; 3] {
    let of = |name| found.iter().find(|footprint| footprint.arm == name);
    let both = of("tollgate").zip(of("ureq"));
    let to_ureq = |value: fn(&Footprint, &Footprint) -> f64| both.map(|(a, b)| value(a, b));
    let target = |what: &str, measured| {
        Target::at_most(format!("{what}: at most {LIMIT} of ureq"), measured, LIMIT)
    };
    [
        target(
            "processor time of a clean build",
            to_ureq(|a, b| ratio(&a.cpu_s, &b.cpu_s, |s| *s)),
        ),
        target("bytes", to_ureq(|a, b| a.bytes as f64 / b.bytes as f64)),
        target("crates", to_ureq(|a, b| a.crates as f64 / b.crates as f64)),
    ]
}
