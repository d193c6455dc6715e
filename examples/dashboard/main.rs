//! A live web page of what a client does, and `/metrics` for Prometheus.
//!
//! ```text
//! cargo run --example dashboard
//! cargo run --example dashboard -- --port 0 --seconds 60 --calls-per-second 50
//! cargo run --example dashboard -- --real
//! ```
//!
//! Some threads make calls, another thread takes a snapshot every second, and a small server
//! shows the last five minutes: `/` is the page, `/snapshot.json` its data, and `/metrics` is for
//! scrapers. The server answers only requests to this machine's own names, so no other web page
//! can read it (DNS rebinding). Ctrl-C or the end of `--seconds` cancels the calls in progress
//! and prints the numbers as a table.
//!
//! It always asks the loopback provider, unless you pass `--real`: then it asks the provider that
//! the environment names (see `environment/mod.rs`), with six short calls a minute and at most ten
//! cents a day.

mod history;
mod host;
mod load;
mod options;
mod site;

#[path = "../ctrl_c/mod.rs"]
mod ctrl_c;
#[path = "../environment/mod.rs"]
mod environment;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tollgate::{Budget, Client, ClientBuilder, CostConfig, Money, PoolConfig, Provider};

use history::History;
use load::Load;
use options::Options;

/// How often a snapshot is taken for the page.
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
    // Dropped at the very end, which stops the loopback provider.
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
    let asked = match server {
        Some(_) => "the loopback provider",
        None => "the provider from the environment, which costs money",
    };
    println!("Asking {asked}: {} calls per second.", load.rate);
    println!("Open http://{address}/ in a browser. Prometheus scrapes http://{address}/metrics.");
    println!("Press Ctrl-C to stop.");

    let stop = ctrl_c::token()?;
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

/// Limits that the load reaches within minutes, so that the page has something to show.
fn to_draw(builder: ClientBuilder) -> ClientBuilder {
    let costs = CostConfig::default()
        // Soft: it alerts, and refuses nothing.
        .budget(Budget::daily(Money::dollars(20)).name("everyone").soft())
        // A limit for each customer. Calls beyond it are refused until the window moves on.
        .budget(
            Budget::rolling(Duration::from_secs(300), Money::cents(250))
                .name("five minutes")
                .per_tag("customer"),
        );
    builder
        .route(load::route())
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
