//! What the smallest program that asks one question and prints the answer costs, by each
//! client: to build, to ship and to start.
//!
//! The programs are in `footprint/`, one a directory. Each is copied out, so that it is a
//! crate of its own with a lock file of its own, of the newest versions that it allows.
//! Fetching them is not measured. They are built as they are, by the release profile that
//! is the default, and stripped (`strip = true`).

mod program;
mod report;
mod scratch;
mod start;

pub use report::footprint;

use crate::failure::Failure;
use crate::flags::Flags;
use program::Program;
pub use scratch::Scratch;

/// In the order of the table.
const ARMS: [&str; 7] =
    ["ureq", "ureq-typed", "tollgate", "reqwest", "async-openai", "genai", "rig-core"];

/// What is measured.
#[derive(Debug)]
struct Options {
    arms: Vec<&'static str>,
    /// How often each is built.
    rounds: usize,
    json: bool,
}

impl Options {
    fn parse(flags: &[&str]) -> Result<Self, Failure> {
        let (mut others, mut rounds) = (Vec::new(), 1);
        let mut flags = flags.iter();
        while let Some(flag) = flags.next() {
            match *flag {
                "--rounds" => {
                    let wanted = flags.next().and_then(|wanted| wanted.parse().ok());
                    rounds =
                        wanted.filter(|n| *n > 0).ok_or("--rounds needs a number from 1 on")?;
                }
                other => others.push(other),
            }
        }
        let Flags { json, quick, arms } = Flags::parse(&others, &ARMS)?;
        match quick {
            true => Err("a build takes as long as it takes: there is no --quick here".into()),
            false => Ok(Self { arms, rounds, json }),
        }
    }
}

/// What one arm costs.
#[derive(Debug)]
struct Footprint {
    arm: &'static str,
    /// Processor time of a build from nothing, by round.
    cpu_s: Vec<f64>,
    /// Of the program, stripped.
    bytes: u64,
    /// What it depends on, itself not counted.
    crates: usize,
    /// From the start of the process until the server has a byte of it, by start.
    start_us: Vec<f64>,
}

/// A different arm first in each round, so that what else the machine does hits all alike.
fn measure(options: &Options, mut built: impl FnMut(&str, f64)) -> Result<Vec<Footprint>, Failure> {
    let scratch = Scratch::new()?;
    let mut programs = Vec::new();
    for arm in &options.arms {
        programs.push((Program::fetch(arm, scratch.path())?, Vec::new()));
    }
    for round in 0..options.rounds {
        programs.rotate_left(usize::from(round > 0));
        for (program, cpu_s) in &mut programs {
            let took = program.build()?;
            built(program.arm, took);
            cpu_s.push(took);
        }
    }
    programs.sort_by_key(|(program, _)| options.arms.iter().position(|arm| *arm == program.arm));
    let files: Vec<_> = programs.iter().map(|(program, _)| program.file()).collect();
    let starts = start::measure(&files)?;
    let found = programs.into_iter().zip(starts).map(|((program, cpu_s), start_us)| {
        let (bytes, crates) = (program.bytes()?, program.crates()?);
        Ok(Footprint { arm: program.arm, cpu_s, bytes, crates, start_us })
    });
    found.collect()
}
