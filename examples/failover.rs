//! Three providers go down and come back while eight threads make calls. No call fails.
//!
//! ```text
//! cargo run --example failover
//! ```
//!
//! The providers are servers in this program, so it needs no key. It ends with status 0 only if
//! every call was answered.

use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tollgate::observe::{Call, Observer};
use tollgate::route::{Balanced, BreakerConfig, RestReason, Route};
use tollgate::testing::{Loopback, Reply};
use tollgate::{Attempt, Client, ProviderConfig};

/// The providers, each with a model.
const TARGETS: [(&str, &str); 3] = [
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-haiku-4-5"),
    ("groq", "llama-3.3-70b-versatile"),
];

/// How many threads make calls.
const THREADS: usize = 8;

/// How long a provider stays up before it fails, and down before it is repaired.
const UP: Duration = Duration::from_millis(500);
const DOWN: Duration = Duration::from_secs(1);

/// How long the calls go on after the last repair. The rate limit ends within it.
const AFTER: Duration = Duration::from_millis(2_500);

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

/// How each provider fails: what that means, and what it answers meanwhile.
fn outages() -> [(&'static str, Reply); 3] {
    let limited = Reply::error(429, "rate_limit_error", "slow down").header("retry-after", "3");
    [
        ("answers 500 to every call", Reply::error(500, "server_error", "it broke")),
        ("hangs up on every call", Reply::disconnect()),
        ("is at its rate limit for 3 seconds", limited),
    ]
}

/// Makes calls while providers fail. Returns how many calls failed.
fn run() -> Result<u64, Box<dyn std::error::Error>> {
    let events = Arc::new(Events::new());
    let servers = [Loopback::start()?, Loopback::start()?, Loopback::start()?];
    let mut builder = Client::builder().model("any").shared_observer(events.clone());
    for (server, (provider, _)) in servers.iter().zip(TARGETS) {
        server.record_requests(false);
        server.default_reply(hello());
        builder = builder.add_provider(
            ProviderConfig::new(provider).api_key("test").base_url(server.base_url(provider)),
        );
    }
    let names = TARGETS.map(|(provider, model)| format!("{provider}/{model}"));
    let breaker = BreakerConfig::default().rest(Duration::from_millis(500));
    let route = Route::new("any").targets(names).strategy(Balanced).breaker(breaker);
    let client = builder.route(route).build()?;

    events.tell(format_args!("{THREADS} threads make calls to the route \"any\""));
    let end = events.begun + (UP + DOWN) * 3 + AFTER;
    let (answered, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while Instant::now() < end {
                    match client.chat("Say hello.") {
                        Ok(_) => answered.fetch_add(1, Ordering::Relaxed),
                        Err(error) => {
                            events.tell(format_args!("  a call failed: {error}"));
                            failed.fetch_add(1, Ordering::Relaxed)
                        }
                    };
                }
            });
        }
        // One after the other fails in its own way, and is repaired a second later.
        for ((server, (provider, _)), (what, reply)) in servers.iter().zip(TARGETS).zip(outages()) {
            thread::sleep(UP);
            events.tell(format_args!("{provider} {what}"));
            server.default_reply(reply);
            thread::sleep(DOWN);
            events.tell(format_args!("{provider} is repaired"));
            server.default_reply(hello());
        }
    });

    let (answered, failed) = (answered.into_inner(), failed.into_inner());
    println!("\n{answered} calls answered, {failed} calls failed");
    let failovers = events.failovers.load(Ordering::Relaxed);
    println!("{failovers} attempts failed and their calls went on to another target:\n");
    println!("{:<32} {:>8} {:>7} {:>6}", "target", "answered", "failed", "rests");
    for target in client.targets() {
        let rests: u64 = target.rested.values().sum();
        println!("{:<32} {:>8} {:>7} {rests:>6}", target.name, target.answered, target.failed);
    }
    Ok(failed)
}

/// Prints what happens to targets, with the time since the start.
struct Events {
    begun: Instant,
    failovers: AtomicU64,
}

impl Events {
    fn new() -> Self {
        Self { begun: Instant::now(), failovers: AtomicU64::new(0) }
    }

    fn tell(&self, what: fmt::Arguments<'_>) {
        println!("{:5.2} s  {what}", self.begun.elapsed().as_secs_f64());
    }
}

impl Observer for Events {
    fn failed_over(&self, _call: &Call<'_>, _attempt: &Attempt) {
        self.failovers.fetch_add(1, Ordering::Relaxed);
    }

    fn target_rested(&self, _route: &str, target: &str, reason: RestReason, rest: Duration) {
        self.tell(format_args!("  {target} rests for {rest:.1?}: {reason}"));
    }

    fn target_returned(&self, _route: &str, target: &str) {
        self.tell(format_args!("  {target} has returned"));
    }
}
