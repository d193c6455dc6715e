//! The numbers as a table for people and as JSON for programs.

use serde::Serialize;

use super::calls::{self, Calls};
use super::overshoot::{self, Overshoot};
use super::pricing::{self, Pricing};
use super::sqlite::{self, CROWDS, Sqlite};
use super::starting::{self, Starting};
use super::{allocations, naive};
use crate::report::print_targets;
use crate::rounds::Effort;
use crate::target::Target;

const THREADS: [usize; 2] = [1, 64];

#[derive(Debug, Serialize)]
struct Report {
    bench: &'static str,
    effort: Effort,
    scopes: usize,
    calls: [Calls; THREADS.len()],
    /// Of each call, where they were counted.
    allocations: Option<[f64; calls::NAMES.len()]>,
    overshoot: Overshoot,
    pricing: Pricing,
    starting: Starting,
    sqlite: Vec<Sqlite>,
}

#[derive(Serialize)]
struct Complete<'a> {
    #[serde(flatten)]
    report: &'a Report,
    targets: &'a [Target],
}

/// Measures all that has to do with costs and prints it as it comes.
pub fn costs(quick: bool, json: bool) {
    // A round is soon spoiled by what else the machine does: so there are many, and they
    // are short.
    let effort = Effort { rounds: if quick { 5 } else { 25 }, quick };
    println!(
        "Medians of {} rounds; spread is how far the middle half of them lies apart.\n",
        effort.rounds
    );
    println!("A call reserved for and settled in {} accounts:", naive::SCOPES);
    let calls = THREADS.map(|threads| {
        let calls = calls::measure(effort, threads);
        print_calls(&calls);
        calls
    });
    let allocations = allocations::count();
    match allocations {
        Some([naive, ledger, tracker]) => println!(
            "  allocations of each: map {naive:.1}, ledger {ledger:.1}, tracker {tracker:.1}"
        ),
        None => println!("  allocations: not counted; build it with --features allocations"),
    }
    let overshoot = overshoot::measure();
    println!(
        "  64 threads spend until they are refused: map {:.3} of the limit, ledger {:.3}",
        overshoot.naive, overshoot.ledger
    );
    let pricing = pricing::measure(effort);
    print_pricing(&pricing);
    let starting = starting::measure(effort);
    print_starting(&starting);
    println!(
        "\nIn a file of SQLite's, in WAL mode: calls against transactions that change one row:"
    );
    let sqlite = [true, false].into_iter().flat_map(|flush| CROWDS.map(|crowd| (crowd, flush)));
    // Each round takes most of a second.
    let few = Effort { rounds: if quick { 1 } else { 5 }, quick };
    let measured = sqlite.map(|(crowd, flush)| {
        let found = sqlite::measure(few, crowd, flush);
        print_sqlite(&found);
        found
    });
    let sqlite = measured.collect();
    let scopes = naive::SCOPES;
    let bench = "costs";
    let report =
        Report { bench, effort, scopes, calls, allocations, overshoot, pricing, starting, sqlite };
    let targets = targets(&report);
    print_targets(&targets);
    if json {
        let complete = Complete { report: &report, targets: &targets };
        println!("{}", serde_json::to_string(&complete).expect("numbers and names"));
    }
}

fn print_calls(calls: &Calls) {
    let plural = if calls.threads == 1 { "thread" } else { "threads" };
    print!("  {:>2} {plural:8}", calls.threads);
    for ((name, nanos), spread) in calls::NAMES.iter().zip(calls.nanos).zip(calls.spread) {
        print!("{name} {nanos:.0} ns (spread {:.0} %), ", spread * 100.0);
    }
    println!(
        "ratios: ledger to map {:.2}, tracker to ledger {:.2}, tracker to map {:.2}",
        calls.ledger_to_naive, calls.tracker_to_ledger, calls.tracker_to_naive
    );
}

fn print_pricing(found: &Pricing) {
    let [ours, theirs] = found.spread.map(|spread| spread * 100.0);
    println!(
        "\nPricing one usage ({} models): tollgate {:.0} ns (spread {ours:.0} %), genai-prices {:.0} ns \
         (spread {theirs:.0} %), ratio {:.3}; by a name for the first time {:.0} ns",
        found.models,
        found.tollgate_ns,
        found.genai_prices_ns,
        found.to_genai_prices,
        found.first_lookup_ns
    );
}

fn print_starting(found: &Starting) {
    let [first, theirs, all] = found.spread.map(|spread| spread * 100.0);
    println!(
        "\nLoading the table, until the first price: tollgate {:.0} µs (spread {first:.0} %) ({} models), \
         genai-prices {:.0} µs (spread {theirs:.0} %) ({} models), ratio {:.4};\n\
         reading all of it: {:.0} µs (spread {all:.0} %), ratio {:.4}",
        found.tollgate_us,
        found.models,
        found.genai_prices_us,
        found.genai_prices_models,
        found.to_genai_prices,
        found.tollgate_all_us,
        found.all_to_genai_prices
    );
}

fn print_sqlite(found: &Sqlite) {
    let [ours, theirs] = found.spread.map(|spread| spread * 100.0);
    println!(
        "  {} threads in each of {} processes, {:16} {:.0} calls/s (spread {ours:.0} %), {:.0} \
         transactions/s (spread {theirs:.0} %), ratio {:.2}",
        found.crowd.threads,
        found.crowd.processes,
        if found.flush { "flushed to disk:" } else { "not flushed:" },
        found.calls_per_second,
        found.updates_per_second,
        found.to_updates
    );
}

fn targets(report: &Report) -> Vec<Target> {
    let Report { calls: [alone, _], overshoot, pricing, starting, .. } = report;
    let [_, ledger, _] = alone.nanos;
    vec![
        Target::at_most("reserve and settle in memory, uncontended: 1000 ns", Some(ledger), 1e3),
        Target::at_most("64 threads spend no more than the limit", Some(overshoot.ledger), 1.0),
        Target::at_most("pricing one usage: 200 ns", Some(pricing.tollgate_ns), 200.0),
        Target::at_most(
            "pricing one usage: faster than genai-prices",
            Some(pricing.to_genai_prices),
            1.0,
        ),
        Target::at_most(
            "until the first price: faster than genai-prices",
            Some(starting.to_genai_prices),
            1.0,
        ),
        Target::at_most(
            "reading the whole table: faster than genai-prices",
            Some(starting.all_to_genai_prices),
            1.0,
        ),
    ]
}
