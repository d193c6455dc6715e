//! The numbers as a table for people and as JSON for programs.

use serde::Serialize;
use std::io::{self, Write};

use crate::call::{self, Calls};
use crate::contended::{self, CONNECTIONS, Ratio, Run};
use crate::idle::{self, Idle};
use crate::rounds::Effort;
use crate::syscalls::{self, Syscalls, purpose};
use crate::target::{self, Target};
use crate::uncontended::{self, Uncontended};

#[derive(Debug, Serialize)]
pub struct Report {
    pub effort: Effort,
    pub uncontended: Uncontended,
    pub connections: usize,
    pub runs: Vec<Run>,
    /// Of tollgate to r2d2.
    pub ratios: Vec<Ratio>,
    pub idle: Idle,
    pub syscalls: Syscalls,
    pub calls: Calls,
}

#[derive(Serialize)]
struct Complete<'a> {
    #[serde(flatten)]
    report: &'a Report,
    targets: &'a [Target],
}

/// Measures everything about the pool and prints it as it comes.
pub fn pool(quick: bool, json: bool) {
    let effort = Effort::new(quick);
    println!("Medians of {} rounds; ratios are tollgate's to the other's.\n", effort.rounds);
    let uncontended = uncontended::measure(effort);
    print_uncontended(&uncontended);
    println!(
        "\n{:>7} {:>8} {:9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>7} {:>9}",
        "threads", "hold", "pool", "ops/s", "p50", "p99", "max", "fairness", "opened", "switches"
    );
    let (runs, ratios) = contended::measure(effort, |runs| runs.iter().for_each(print_run));
    print_notes(&ratios);
    let calls = call::measure(effort);
    println!(
        "\nA call by host name with a timeout, server included: tollgate {:.1} µs, \
         ureq with its own pool {:.1} µs, ratio {:.2}",
        calls.tollgate_us, calls.ureq_us, calls.to_ureq
    );
    let syscalls = syscalls::measure(effort);
    print_syscalls(&syscalls);
    let idle = idle::measure(effort);
    let wakes = |count: Option<u64>| count.map_or("unknown".to_owned(), |count| count.to_string());
    println!(
        "\nWake-ups in {} s with one idle connection: tollgate {}, r2d2 {}, ureq has no thread",
        idle.seconds,
        wakes(idle.tollgate),
        wakes(idle.r2d2)
    );
    let connections = CONNECTIONS;
    let report = Report { effort, uncontended, connections, runs, ratios, idle, syscalls, calls };
    let targets = target::all(&report);
    print_targets(&targets);
    if json {
        let complete = Complete { report: &report, targets: &targets };
        println!("{}", serde_json::to_string(&complete).expect("numbers and names"));
    }
}

fn print_uncontended(found: &Uncontended) {
    let Uncontended { tollgate_ns, r2d2_ns, ureq_ns, to_r2d2 } = found;
    println!(
        "Lease and return, uncontended: tollgate {tollgate_ns:.0} ns, r2d2 {r2d2_ns:.0} ns \
         (ratio {to_r2d2:.2}), ureq {ureq_ns:.0} ns (timed inside a request)"
    );
}

fn print_run(run: &Run) {
    let hold = match run.hold_us {
        0 => "0".to_owned(),
        micros => micros_text(micros as f64),
    };
    let switches = run.switches_per_operation.map_or("-".to_owned(), |many| format!("{many:.2}"));
    println!(
        "{:>7} {:>8} {:9} {:>9.0} {:>9} {:>9} {:>9} {:>9.3} {:>7.0} {:>9}",
        run.threads,
        hold,
        run.pool,
        run.operations_per_second,
        micros_text(run.wait_p50_us),
        micros_text(run.wait_p99_us),
        micros_text(run.wait_max_us),
        run.fairness,
        run.opened,
        switches,
    );
    // The table takes minutes; show what is known.
    let _ = io::stdout().flush();
}

fn micros_text(micros: f64) -> String {
    match micros {
        ..10.0 => format!("{micros:.1} µs"),
        ..1e3 => format!("{micros:.0} µs"),
        ..1e5 => format!("{:.1} ms", micros / 1e3),
        ..1e6 => format!("{:.0} ms", micros / 1e3),
        _ => format!("{:.1} s", micros / 1e6),
    }
}

fn print_notes(ratios: &[Ratio]) {
    println!("\ntollgate to r2d2, in the same round:");
    for Ratio { threads, hold_us, throughput, wait_p99 } in ratios {
        println!(
            "  {threads:>3} threads, hold {hold_us:>5} µs: throughput {throughput:.2}, \
             p99 of the wait {wait_p99:.2}"
        );
    }
    println!(
        "\ntollgate loses where connections are held for no time at all and threads outnumber\n\
         them. It hands each connection to whoever has waited longest, which costs a context\n\
         switch before it is used again; r2d2 lets the thread that returns one take it right\n\
         back while the others sleep. Fairness says little there: whoever is not running is not\n\
         in line. With any real hold that switch overlaps with the other connections' work, and\n\
         the order of arrival bounds the longest wait.\n\
         ureq has no cap: nobody waits, and it opens a connection for whoever finds none idle.\n\
         A hold is a sleep, and so one context switch of each operation."
    );
}

fn print_syscalls(found: &Syscalls) {
    let (tollgate, ureq) = match found {
        Syscalls::Counted { tollgate, ureq } => (tollgate, ureq),
        Syscalls::Missing { missing } => {
            println!("\nSystem calls a request: not counted; {missing}");
            return;
        }
    };
    println!("\nSystem calls a request on a warm connection, by host name with a timeout:");
    for (name, counts) in [("tollgate", tollgate), ("ureq", ureq)] {
        let others = counts.other.values().fold(0.0, |sum, count| sum + count);
        println!("  {name}: {:.2} of the network, {others:.2} others", counts.network_total());
        for (call, count) in &counts.network {
            println!("    {count:5.2} {call:10} {}", purpose(call).unwrap_or_default());
        }
        let others: Vec<_> =
            counts.other.iter().map(|(call, count)| format!("{call} {count:.0}")).collect();
        if !others.is_empty() {
            println!("    others: {}", others.join(", "));
        }
    }
}

pub fn print_targets(targets: &[Target]) {
    println!("\nTargets:");
    for Target { target, measured, holds } in targets {
        let verdict = match holds {
            Some(true) => "holds",
            Some(false) => "MISSED",
            None => "unknown",
        };
        let measured = measured.map_or("-".to_owned(), |value| format!("{value:.2}"));
        println!("  {verdict:8} {measured:>6}  {target}");
    }
}
