//! Three providers go down and come back while eight threads make calls. No call fails.
//!
//! ```text
//! cargo run --example failover
//! ```
//!
//! The providers are servers in this program, so it needs no key. It ends with status 0 only if
//! every call was answered.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tollgate::observe::{Call, Observer};
use tollgate::route::{Balanced, BreakerConfig, RestReason, Route};
use tollgate::testing::{Loopback, Reply};
use tollgate::{Attempt, Client, Error, ProviderConfig};

/// The providers, each with a model.
const TARGETS: [(&str, &str); 3] = [
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-haiku-4-5"),
    ("groq", "llama-3.3-70b-versatile"),
];

/// How long the calls go on.
const TIME: Duration = Duration::from_secs(6);

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            eprintln!("{failed} calls failed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn hello() -> Reply {
    Reply::text("Hello!").usage(20, 5).delay(Duration::from_millis(20))
}

/// Makes calls while providers fail. Returns how many calls failed.
fn run() -> Result<u64, Box<dyn std::error::Error>> {
    let events = Arc::new(Events::default());
    let servers = [Loopback::start()?, Loopback::start()?, Loopback::start()?];
    let mut builder = Client::builder().model("any").shared_observer(events.clone());
    for (server, (provider, _)) in servers.iter().zip(TARGETS) {
        server.default_reply(hello());
        builder = builder.add_provider(
            ProviderConfig::new(provider).api_key("test").base_url(server.base_url(provider)),
        );
    }
    let names = TARGETS.map(|(provider, model)| format!("{provider}/{model}"));
    let rest = BreakerConfig::default().rest(Duration::from_millis(500));
    let route = Route::new("any").targets(names).strategy(Balanced).breaker(rest);
    let client = builder.route(route).build()?;

    let begun = Instant::now();
    let (answered, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while begun.elapsed() < TIME {
                    match client.chat("Say hello.") {
                        Ok(_) => answered.fetch_add(1, Ordering::Relaxed),
                        Err(error) => {
                            println!("a call failed: {error}");
                            failed.fetch_add(1, Ordering::Relaxed)
                        }
                    };
                }
            });
        }
        // One after the other breaks in its own way, and comes back a second later.
        for (round, server) in servers.iter().enumerate() {
            let name = TARGETS[round].0;
            thread::sleep(TIME / 12);
            println!("{name} goes down");
            server.default_reply(match round {
                0 => Reply::error(500, "server_error", "it broke"),
                1 => Reply::disconnect(),
                _ => Reply::error(429, "rate_limit_error", "slow down").header("retry-after", "3"),
            });
            thread::sleep(TIME / 6);
            println!("{name} is back");
            server.default_reply(hello());
        }
    });

    let failed = failed.into_inner();
    let moved = events.failovers.load(Ordering::Relaxed);
    println!("\n{} calls answered, {failed} failed", answered.into_inner());
    println!("{moved} attempts failed, and their calls went on to another target");
    for target in client.targets() {
        println!("  {target}");
    }
    report_attempts(&client)?;
    Ok(failed)
}

/// Prints how a call went along the route.
fn report_attempts(client: &Client) -> Result<(), Error> {
    let response = client.chat("Say hello.")?;
    if let Some(route) = response.route() {
        println!("\nthe last call: {route}");
    }
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for model in &client.metrics().by_model {
        *kinds.entry(format!("{}/{}", model.provider, model.model)).or_default() +=
            model.total.calls;
    }
    println!("\nanswered by: {kinds:?}");
    Ok(())
}

/// Prints what happens to targets.
#[derive(Default)]
struct Events {
    failovers: AtomicU64,
}

impl Observer for Events {
    fn failed_over(&self, _call: &Call<'_>, _attempt: &Attempt) {
        self.failovers.fetch_add(1, Ordering::Relaxed);
    }

    fn target_rested(&self, _route: &str, target: &str, reason: RestReason, rest: Duration) {
        println!("{target} rests for {rest:?}, because {reason}");
    }

    fn target_returned(&self, _route: &str, target: &str) {
        println!("{target} has returned");
    }
}
