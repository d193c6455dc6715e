//! A page that draws what a client does, live, and `/metrics` for Prometheus.
//!
//! ```text
//! cargo run --example dashboard
//! cargo run --example dashboard -- --port 0 --seconds 60 --calls-per-second 50
//! cargo run --example dashboard -- --real
//! ```
//!
//! Some threads make calls, another notes the numbers each second, and a small server
//! shows those of the last five minutes: `/` is the page, `/snapshot.json` what it draws,
//! and `/metrics` is for scrapers. It answers requests to this machine's own names alone,
//! so that no web page can read it by a name of its own. Ctrl-C, or the end of `--seconds`, ends the calls
//! under way and prints the numbers as a table.
//!
//! The loopback provider is asked, whatever the environment says. Only with `--real` is
//! it the provider that the environment names (see `environment/mod.rs`): six short calls
//! a minute, and no more than ten cents.

mod history;
mod host;
mod load;
mod options;
mod site;

#[path = "../environment/mod.rs"]
mod environment;

use std::error::Error;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tollgate::{
    Budget, CancelToken, Client, ClientBuilder, CostConfig, Money, PoolConfig, Provider,
};

use history::History;
use load::Load;
use options::Options;

/// How often the numbers are noted for the page.
const PERIOD: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::from_args()?;
    // Stops the loopback provider when it is dropped, at the very end.
    let mut server = None;
    let builder = match options.real {
        true => environment::client(&mut server, load::loopback)?,
        false => ask_loopback(server.insert(load::loopback()?).base_url(Provider::OPENAI)),
    };
    let (builder, mut load) = match server {
        Some(_) => (to_draw(builder), Load::SIMULATED),
        None => (to_pay(builder), Load::REAL),
    };
    if let Some(rate) = options.calls_per_second {
        load.rate = rate;
    }
    let client = builder.build()?;

    let history = Arc::new(History::new());
    let address = site::serve(options.port, client.clone(), Arc::clone(&history))?;
    let whom = match server {
        Some(_) => "the loopback provider",
        None => "the provider that the environment names, for money",
    };
    println!("Asking {whom}: {} calls a second.", load.rate);
    println!("http://{address}/ draws it, http://{address}/metrics is for Prometheus.");
    println!("Ctrl-C ends it.");

    let stop = CancelToken::new();
    ctrlc::set_handler({
        let stop = stop.clone();
        move || {
            // Whoever presses it again does not want to wait.
            if stop.is_cancelled() {
                process::exit(130);
            }
            stop.cancel();
        }
    })?;
    thread::scope(|scope| {
        scope.spawn(|| load::run(&client, load, &stop));
        let begun = Instant::now();
        while !stop.wait_timeout(PERIOD) {
            history.note(&client.metrics());
            if options.seconds.is_some_and(|seconds| begun.elapsed() >= seconds) {
                stop.cancel();
            }
        }
    });
    println!("\n{}", client.metrics());
    Ok(())
}

fn ask_loopback(base_url: String) -> ClientBuilder {
    let builder = Client::builder().provider(Provider::OPENAI).model("gpt-4o-mini");
    builder.api_key("not-a-real-key").base_url(base_url)
}

/// Limits that are reached within minutes, so that there is something to see.
fn to_draw(builder: ClientBuilder) -> ClientBuilder {
    let costs = CostConfig::default()
        // Tells and refuses nothing.
        .budget(Budget::daily(Money::dollars(20)).name("everyone").soft())
        // Each customer by itself; beyond it calls are refused until there is room again.
        .budget(
            Budget::rolling(Duration::from_secs(300), Money::cents(250))
                .name("five minutes")
                .per_tag("customer"),
        );
    builder
        .costs(costs)
        .timeout(Duration::from_secs(20))
        .attempt_timeout(Duration::from_secs(9))
        .idle_timeout(Duration::from_secs(3))
        .pool(PoolConfig {
            max_size: 24,
            idle_timeout: Duration::from_secs(10),
            ..PoolConfig::default()
        })
}

fn to_pay(builder: ClientBuilder) -> ClientBuilder {
    builder.budget(Budget::daily(Money::cents(10)).name("dashboard"))
}
