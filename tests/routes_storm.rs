//! A route while its targets fail at random: no call fails, no answer is lost, and everything returns to
//! rest.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use support::{KEY, loopback, quick_retries};
use tollgate::route::{
    Balanced, BreakerConfig, Cheapest, Failover, Fastest, Route, Sticky, Strategy, Weighted,
};
use tollgate::testing::{Loopback, Reply};
use tollgate::{Budget, ChatRequest, Client, Money, ProviderConfig};

/// The targets, in three formats. The last one never fails.
const TARGETS: [(&str, &str); 5] = [
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-haiku-4-5"),
    ("gemini", "gemini-2.5-flash"),
    ("groq", "llama-3.3-70b-versatile"),
    ("mistral", "mistral-small-latest"),
];
const THREADS: u64 = 16;
const CALLS: u64 = 25;

/// A server that fails in phases of some requests, and counts its answers.
fn server(at: usize, answered: &Arc<AtomicU64>) -> Loopback {
    let server = loopback();
    let (requests, answered) = (AtomicU64::new(0), Arc::clone(answered));
    let is_steady = at == TARGETS.len() - 1;
    server.respond(move |_| {
        let number = requests.fetch_add(1, Ordering::Relaxed);
        let phase = (number / 7 + at as u64) % 6;
        let fault = match phase {
            0 => Reply::error(500, "server_error", "it broke"),
            1 => Reply::disconnect(),
            2 => Reply::error(429, "rate_limit_exceeded", "slow").header("retry-after-ms", "5"),
            3 => Reply::error(401, "invalid_api_key", "wrong key"),
            _ => return Some(answer(&answered)),
        };
        Some(if is_steady { answer(&answered) } else { fault })
    });
    server
}

fn answer(answered: &AtomicU64) -> Reply {
    answered.fetch_add(1, Ordering::Relaxed);
    Reply::text("fine").usage(100, 10)
}

fn storm(strategy: impl Strategy + 'static) {
    let answered = Arc::new(AtomicU64::new(0));
    let servers = [0, 1, 2, 3, 4].map(|at| server(at, &answered));
    let mut builder = Client::builder().model("any").retry(quick_retries(2));
    for (server, (provider, _)) in servers.iter().zip(TARGETS) {
        let config = ProviderConfig::new(provider)
            .api_key(KEY)
            .base_url(server.base_url(provider))
            .connect_timeout(Duration::from_secs(30));
        builder = builder.add_provider(config);
    }
    let short = Duration::from_millis(2);
    let breaker = BreakerConfig::default().rest(short).max_rest(short * 4);
    let route = Route::new("any")
        .targets(TARGETS.map(|(provider, model)| format!("{provider}/{model}")))
        .strategy(strategy)
        .breaker(breaker);
    let budget = Budget::total(Money::dollars(1000));
    let client = builder.route(route).budget(budget).build().unwrap();

    thread::scope(|scope| {
        for thread in 0..THREADS {
            let client = &client;
            scope.spawn(move || {
                for call in 0..CALLS {
                    let request = ChatRequest::from("hi").routing_key((thread * call).to_string());
                    let text = match call % 2 {
                        0 => client.chat(request).map(|response| response.text()),
                        _ => client.stream(request).and_then(|mut s| s.finish()).map(|r| r.text()),
                    };
                    assert_eq!(text.unwrap(), "fine");
                }
            });
        }
    });

    // Each answer reached its caller.
    assert_eq!(answered.load(Ordering::Relaxed), THREADS * CALLS);
    assert_eq!(client.metrics().total.calls, THREADS * CALLS);
    let report = client.costs();
    assert!(report.budgets.iter().all(|budget| budget.reserved.is_zero()), "{report}");
    let targets = client.targets();
    assert!(targets.iter().all(|target| target.in_flight == 0), "{targets:?}");
    assert_eq!(targets.iter().map(|target| target.answered).sum::<u64>(), THREADS * CALLS);
    assert_eq!((client.metrics().in_flight, client.pool().total.active), (0, 0));
}

#[test]
fn no_call_fails_whatever_the_strategy() {
    storm(Failover);
    storm(Weighted);
    storm(Balanced);
    storm(Fastest::first_token());
    storm(Cheapest);
    storm(Sticky::default());
}
