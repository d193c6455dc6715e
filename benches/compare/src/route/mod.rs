//! A route over several servers, next to LiteLLM's proxy in front of the same servers.

mod proxy;

use serde_json::json;
use std::env;

use crate::arms::{Sample, warm_up};
use crate::comparison::child;
use crate::failure::Failure;
use crate::report::print_targets;
use crate::rounds::{Effort, median, ratio, spread};
use crate::server::{Manner, Server};
use crate::target::Target;
use proxy::Proxy;

/// The number of servers, which the route and the proxy share.
const SERVERS: usize = 3;

/// The environment variable with the path of LiteLLM's program. Default: `litellm`.
const PROGRAM: &str = "LITELLM";

/// The measurements of one way to call.
struct Arm {
    name: &'static str,
    samples: Vec<Sample>,
    /// The processor time of the proxy, in microseconds for each call.
    proxy: Vec<f64>,
}

pub fn route(flags: &[&str]) -> Result<(), Failure> {
    if let Some(flag) = flags.iter().find(|flag| !["--json", "--quick"].contains(flag)) {
        return Err(format!("the flag {flag:?} is not known: --json, --quick").into());
    }
    let (quick, json) = (flags.contains(&"--quick"), flags.contains(&"--json"));
    let effort = Effort::new(quick);
    let calls: u32 = if quick { 200 } else { 1_000 };
    let servers = (0..SERVERS).map(|_| Server::start(false)).collect::<Result<Vec<_>, _>>()?;
    let urls: Vec<String> = servers.iter().map(|server| server.url(Manner::AtOnce)).collect();
    let program = env::var(PROGRAM).unwrap_or_else(|_| "litellm".to_owned());
    let proxy = Proxy::start(&program, &urls)?;
    println!(
        "A chat of one question and a short answer, {calls} calls one after the other, by a route\n\
         over {SERVERS} servers, and by a bare socket to LiteLLM's proxy in front of the same\n\
         servers; medians of {} rounds. CPU is user and system time of the program that calls\n\
         and, in the second column, of the proxy.",
        effort.rounds
    );
    let all = urls.join(",");
    let count = calls.to_string();
    let measure = |arm: &&str| -> Result<(Sample, f64), Failure> {
        let url = if *arm == "tollgate-route" { &all } else { &proxy.url };
        let before = proxy.processor()?;
        let sample = serde_json::from_str(&child(&["arm", "overhead", arm, url, &count])?)?;
        let took = proxy.processor()?.saturating_sub(before);
        let made = f64::from(calls + warm_up(calls));
        Ok((sample, took.as_secs_f64() * 1e6 / made))
    };
    let names = ["tollgate-route", "floor"];
    let found = effort.rotate_all(&names, measure)?;
    let mut arms =
        names.iter().zip(["tollgate", "LiteLLM"]).zip(found).map(|((arm, name), found)| {
            let (samples, proxy): (Vec<_>, Vec<_>) = found.into_iter().unzip();
            // The proxy has no part in the route's calls. What it does meanwhile does not count.
            let proxy = if *arm == "floor" { proxy } else { vec![0.0; proxy.len()] };
            Arm { name, samples, proxy }
        });
    let (Some(ours), Some(theirs)) = (arms.next(), arms.next()) else { return Ok(()) };
    drop(arms);

    println!(
        "\n  {:10} {:>9} {:>9} {:>9} {:>7} {:>9} {:>7}   in µs",
        "", "CPU", "of proxy", "wall p50", "spread", "p99", "spread"
    );
    ours.print();
    theirs.print();
    let to_ours = |value: fn(&Sample) -> f64| ratio(&theirs.samples, &ours.samples, value);
    let total = |arm: &Arm| -> Vec<f64> {
        arm.samples.iter().zip(&arm.proxy).map(|(sample, proxy)| sample.cpu + proxy).collect()
    };
    let cpu = ratio(&total(&theirs), &total(&ours), |cpu| *cpu);
    let targets = [
        Target::at_least("p50 of LiteLLM: at least 20 times", Some(to_ours(|s| s.wall_p50)), 20.0),
        Target::at_least("p99 of LiteLLM: at least 20 times", Some(to_ours(|s| s.wall_p99)), 20.0),
        Target::at_least("CPU of LiteLLM: at least 20 times", Some(cpu), 20.0),
    ];
    print_targets(&targets);
    if json {
        let arms = json!({ "tollgate": ours.json(), "litellm": theirs.json() });
        let report = json!({
            "bench": "route",
            "rounds": effort.rounds,
            "calls": calls,
            "servers": SERVERS,
            "arms": arms,
            "targets": targets,
        });
        println!("{report}");
    }
    Ok(())
}

impl Arm {
    fn values(&self, value: fn(&Sample) -> f64) -> Vec<f64> {
        self.samples.iter().map(value).collect()
    }

    fn print(&self) {
        let [cpu, p50, p99] =
            [|s: &Sample| s.cpu, |s: &Sample| s.wall_p50, |s: &Sample| s.wall_p99]
                .map(|value| self.values(value));
        let percent = |values: &[f64]| format!("{:.0} %", spread(values) * 100.0);
        println!(
            "  {:10} {:>9.1} {:>9.1} {:>9.1} {:>7} {:>9.1} {:>7}",
            self.name,
            median(cpu),
            median(self.proxy.iter().copied()),
            median(p50.iter().copied()),
            percent(&p50),
            median(p99.iter().copied()),
            percent(&p99),
        );
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "cpu_us": median(self.values(|sample| sample.cpu)),
            "proxy_cpu_us": median(self.proxy.iter().copied()),
            "wall_us_p50": median(self.values(|sample| sample.wall_p50)),
            "wall_us_p99": median(self.values(|sample| sample.wall_p99)),
        })
    }
}
