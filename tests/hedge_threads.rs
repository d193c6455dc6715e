//! The threads of hedged calls: none is waited for in vain, and each ends.

mod support;

use std::error::Error as StdError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use support::routes::{Servers, config, names};
use support::{eventually, quick_retries};
use tollgate::route::{Hedge, Route};
use tollgate::testing::Reply;
use tollgate::{ApiKey, Budget, ChatRequest, Client, Money, RetryBudget, RetryConfig};

const SOON: Duration = Duration::from_millis(2);

fn at_rest(client: &Client) {
    eventually("every attempt has ended", || {
        let targets = client.targets().iter().all(|target| target.in_flight == 0);
        let budgets = client.costs().budgets.iter().all(|budget| budget.reserved.is_zero());
        targets && budgets && client.pool().total.active == 0 && client.metrics().in_flight == 0
    });
    #[cfg(target_os = "linux")]
    eventually("every thread has ended", || {
        let threads = std::fs::read_dir("/proc/self/task").unwrap();
        let name = |thread: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(thread.ok()?.path().join("comm")).ok()
        };
        !threads.filter_map(name).any(|name| name.trim_end() == "tollgate-hedge")
    });
}

/// A client whose first target makes its credentials with this function.
fn with_credentials(
    servers: &Servers,
    credentials: impl Fn() -> Result<ApiKey, Box<dyn StdError + Send + Sync>> + Send + Sync + 'static,
) -> Client {
    Client::builder()
        .model("all")
        .add_provider(config(&servers.0[0], "openai").without_api_key().credentials(credentials))
        .add_provider(config(&servers.0[1], "anthropic"))
        .route(Route::new("all").targets(names().into_iter().take(2)).hedge(Hedge::after(SOON)))
        .budget(Budget::total(Money::dollars(1)))
        .build()
        .unwrap()
}

/// All tests of this file count the threads of the process.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> impl Drop {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn a_call_does_not_wait_for_an_attempt_that_is_stuck() {
    let _alone = alone();
    let servers = Servers::start();
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let closed = Arc::clone(&gate);
    let client = with_credentials(&servers, move || {
        let (open, opened) = &*closed;
        drop(opened.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
        Ok(ApiKey::from("late"))
    });
    assert_eq!(client.chat("hi").unwrap().text(), "from anthropic");
    assert_eq!(client.targets()[0].in_flight, 1, "it is still stuck");
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    at_rest(&client);
    assert_eq!(servers.counts(), [0, 1, 0], "a cancelled attempt sends nothing any more");
}

#[test]
fn a_stuck_attempt_outlives_its_client_and_ends() {
    let _alone = alone();
    let servers = Servers::start();
    let (sender, gate) = std::sync::mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let client = with_credentials(&servers, move || {
        let _ = gate.lock().unwrap().recv();
        Ok(ApiKey::from("late"))
    });
    let tracker = client.cost_tracker().clone();
    assert_eq!(client.chat("hi").unwrap().text(), "from anthropic");
    drop(client);
    drop(sender);
    eventually("its reservation is released", || {
        tracker.report().budgets.iter().all(|budget| budget.reserved.is_zero())
    });
}

#[test]
fn a_panic_in_an_attempt_reaches_the_caller_and_ends_the_other() {
    let _alone = alone();
    let servers = Servers::start();
    servers.0[1].default_reply(Reply::hang());
    let other = Arc::new(Mutex::new(None::<Client>));
    let seen = Arc::clone(&other);
    let client = with_credentials(&servers, move || {
        let client = seen.lock().unwrap().clone().expect("set before the call");
        eventually("the hedge is in flight", || client.targets()[1].in_flight == 1);
        panic!("as a bug in the caller's code would");
    });
    *other.lock().unwrap() = Some(client.clone());
    assert!(catch_unwind(AssertUnwindSafe(|| client.chat("hi"))).is_err());
    at_rest(&client);
    other.lock().unwrap().take();
}

#[test]
fn many_threads_hedge_at_once_and_every_call_is_answered_once() {
    const THREADS: usize = 32;
    const CALLS: usize = 12;
    let _alone = alone();
    let servers = Servers::start();
    // The first is silent at times, and slow at others; the last two now and then.
    for (server, often) in servers.0.iter().zip([2, 5, 7]) {
        let count = std::sync::atomic::AtomicUsize::new(0);
        server.respond(move |_| {
            match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % often {
                0 => Some(Reply::text("from afar").usage(100, 10).delay(SOON * 10)),
                1 => Some(Reply::error(503, "overloaded", "busy")),
                _ => None,
            }
        });
    }
    let retry = RetryConfig { budget: RetryBudget::UNLIMITED, ..quick_retries(5) };
    let client = servers
        .builder(|route| {
            let breaker = tollgate::route::BreakerConfig::default();
            let breaker = breaker.rest(SOON).max_rest(SOON * 2);
            route.hedge(Hedge::after(SOON)).breaker(breaker).wait_for_targets(true)
        })
        .retry(retry)
        .budget(Budget::total(Money::dollars(1000)))
        .timeout(Duration::from_secs(120))
        .build()
        .unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let client = &client;
            scope.spawn(move || {
                for call in 0..CALLS {
                    let request = ChatRequest::from("hi");
                    let response = match (thread + call) % 2 {
                        0 => client.chat(request),
                        _ => client.stream(request).and_then(|mut stream| stream.finish()),
                    };
                    assert!(response.unwrap().text().starts_with("from "));
                }
            });
        }
    });
    at_rest(&client);
    assert_eq!(client.metrics().total.calls, (THREADS * CALLS) as u64);
    assert!(client.targets().iter().map(|target| target.hedged).sum::<u64>() > 0);
}
