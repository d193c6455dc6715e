//! Counts the instructions of the hot paths and compares them with the baseline,
//! `benches/instructions.txt`. The counts do not depend on the load of the machine. In `benches/`:
//!
//! ```text
//! cargo bench --bench instructions                  # compare; fails if a path has grown
//! cargo bench --bench instructions -- stream        # only paths with this in their name
//! cargo bench --bench instructions -- --bless       # write a new baseline
//! cargo bench --bench instructions -- --test        # each path once, without valgrind
//! ```
//!
//! Each path runs in its own process under callgrind. The profile starts once the path is warm and
//! ends before the process does. So it excludes start-up, connecting and growing, but includes
//! every thread, such as the reader of a stream. The server for whole calls is another process and
//! is not counted. Only user-mode instructions count: the kernel's work does not show here.

mod baseline;
mod callgrind;
mod calls;
mod paths;
mod server;
#[path = "../workload/mod.rs"]
mod workload;

use std::error::Error;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::{env, fs, thread};

use baseline::{Baseline, Change};
use callgrind::Count;
use paths::Path;
use server::Server;
use workload::Workload;

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");
const BLESS: &str = "cargo bench --bench instructions -- --bless";

fn main() -> ExitCode {
    let mut args: Vec<String> = env::args().skip(1).collect();
    // `cargo bench` adds it, and `cargo test` does not.
    let is_bench = args.iter().any(|arg| arg == "--bench");
    args.retain(|arg| arg != "--bench");
    let done = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => server::serve(),
        // What valgrind runs.
        ["turns", name, address] => Ok(run_counted(name, address)),
        ["--bless"] => bless(),
        ["--test"] => smoke(),
        [] if !is_bench => smoke(),
        ref filters => compare(filters),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a path until it is warm, and then as often again between two marks.
fn run_counted(name: &str, address: &str) -> bool {
    let Some(path) = paths::ALL.iter().find(|path| path.name == name) else { return false };
    let mut workload = (path.ready)(address);
    for _ in 0..2 {
        (0..path.turns).for_each(|_| (workload.turn)());
        callgrind::mark();
    }
    true
}

fn smoke() -> Result<bool, Box<dyn Error>> {
    Baseline::read(&fs::read_to_string(BASELINE)?)?;
    let server = Server::start()?;
    for path in &paths::ALL {
        let Workload { mut turn, bytes } = (path.ready)(&server.address);
        turn();
        let bytes = bytes.map(|bytes| format!(", {bytes} bytes")).unwrap_or_default();
        println!("{} runs{bytes}", path.name);
    }
    Ok(true)
}

fn bless() -> Result<bool, Box<dyn Error>> {
    let counts = count(&paths::ALL.iter().collect::<Vec<_>>())?;
    let baseline = Baseline::new(made_with()?, counts);
    let text = baseline.to_string();
    assert_eq!(Baseline::read(&text)?, baseline, "what is written can be read");
    fs::write(BASELINE, text)?;
    println!("{} paths counted; the baseline is in {BASELINE}", paths::ALL.len());
    Ok(true)
}

/// Whether no path has grown.
fn compare(filters: &[&str]) -> Result<bool, Box<dyn Error>> {
    if !callgrind::is_installed() {
        println!("valgrind is not installed, so no instructions are counted");
        return Ok(true);
    }
    let baseline = Baseline::read(&fs::read_to_string(BASELINE)?)?;
    let made_with = made_with()?;
    let target = |made_with: &str| made_with.split(", ").nth(1).map(str::to_owned);
    if target(&made_with) != target(baseline.made_with()) {
        println!("nothing is compared: the baseline is of another target, and this is {made_with}");
        return Ok(true);
    }
    let chosen: Vec<&Path> = paths::ALL
        .iter()
        .filter(|path| filters.is_empty() || filters.iter().any(|name| path.name.contains(name)))
        .collect();
    if chosen.is_empty() {
        return Err(format!("no path has {} in its name", filters.join(" or ")).into());
    }
    let mut changes = Vec::new();
    println!("{:26} {:>14} {:>14} {:>8}", "instructions a turn", "baseline", "now", "change");
    for (name, now) in count(&chosen)? {
        let change = Change::new(baseline.count(&name), &now);
        println!("{name:26} {change}");
        changes.push((name, change));
    }
    println!("The profiles are in {}.", callgrind::DIRECTORY);
    let grown: Vec<_> = changes.iter().filter(|(_, change)| change.has_grown()).collect();
    for (name, change) in &grown {
        if change.is_new() {
            println!("\n{name} is not in the baseline: {BLESS}");
            continue;
        }
        print!("\n{name} has grown by more than a tenth:\n{}", change.functions());
    }
    if !grown.is_empty() {
        println!("\nWhat is inlined into a function is counted as that function's.");
    }
    if changes.iter().any(|(_, change)| change.has_shrunk()) {
        println!("\nSome are better by more than a tenth. To keep them so: {BLESS}");
    }
    if made_with != baseline.made_with() {
        println!(
            "\nThe baseline was made with\n  {}\nand this is\n  {made_with}\nIf that is what has \
             changed: {BLESS}",
            baseline.made_with()
        );
    }
    Ok(grown.is_empty())
}

/// Counts the paths, one per processor at a time. Keeps their order.
fn count(paths: &[&Path]) -> Result<Vec<(String, Count)>, Box<dyn Error>> {
    let server = Server::start()?;
    let left = Mutex::new(paths.iter().enumerate());
    let counted = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = left.lock().expect("nobody panics").next();
            let Some((at, path)) = next else { return };
            let count = callgrind::count(path, &server.address);
            counted.lock().expect("nobody panics").push((at, path.name.to_owned(), count));
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        (0..threads).for_each(|_| drop(scope.spawn(work)));
    });
    let mut counted = counted.into_inner().expect("nobody panics");
    counted.sort_by_key(|(at, ..)| *at);
    counted.into_iter().map(|(_, name, count)| Ok((name, count?))).collect()
}

/// What the counts depend on besides the code.
fn made_with() -> Result<String, Box<dyn Error>> {
    let said = |program: &str, flag: &str| {
        let output = Command::new(program).arg(flag).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let rustc = said(&env::var("RUSTC").unwrap_or("rustc".to_owned()), "-vV")?;
    let version = rustc.lines().next().unwrap_or_default();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let valgrind = said("valgrind", "--version")?;
    Ok(format!("{version}, {host}, {}", valgrind.trim()))
}
