//! A route while its targets fail at random: no call fails, no answer is lost, and everything
//! returns to rest.
//!
//! The storm of `providers_that_come_and_go_…` takes ten seconds, or as many as the environment
//! variable `TOLLGATE_STORM_SECONDS` says:
//!
//! ```text
//! TOLLGATE_STORM_SECONDS=60 cargo test --test routes_storm -- --nocapture
//! ```

mod support;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use support::{KEY, eventually, loopback, quick_retries};
use tollgate::route::{
    Balanced, BreakerConfig, Cheapest, Failover, Fastest, Route, Sticky, Strategy, Weighted,
};
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    Budget, ChatRequest, Client, ClientBuilder, Money, ProviderConfig, RetryConfig, Usage,
};

/// The targets, in three formats. The last one never fails.
const TARGETS: [(&str, &str); 5] = [
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-haiku-4-5"),
    ("gemini", "gemini-2.5-flash"),
    ("groq", "llama-3.3-70b-versatile"),
    ("deepseek", "deepseek-chat"),
];
const THREADS: u64 = 16;
const CALLS: u64 = 25;

/// How long a call waits for a server that stalls. Long enough for one that is only busy.
const STALL: Duration = Duration::from_secs(5);

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

/// A client with a route over all servers. Its targets rest for this long at first.
fn client(
    servers: [&Loopback; 5],
    strategy: impl Strategy + 'static,
    rest: Duration,
) -> ClientBuilder {
    let mut builder = Client::builder().model("any").retry(quick_retries(2));
    for (server, (provider, _)) in servers.iter().zip(TARGETS) {
        let config = ProviderConfig::new(provider)
            .api_key(KEY)
            .base_url(server.base_url(provider))
            .connect_timeout(Duration::from_secs(30))
            .attempt_timeout(STALL);
        builder = builder.add_provider(config);
    }
    let breaker = BreakerConfig::default().rest(rest).max_rest(rest * 4).recovery(rest * 10);
    let route = Route::new("any")
        .targets(TARGETS.map(|(provider, model)| format!("{provider}/{model}")))
        .strategy(strategy)
        .breaker(breaker)
        .wait_for_targets(true);
    builder.route(route).budget(Budget::total(Money::dollars(1000)))
}

fn storm(strategy: impl Strategy + 'static) {
    let answered = Arc::new(AtomicU64::new(0));
    let servers = [0, 1, 2, 3, 4].map(|at| server(at, &answered));
    let client = client(servers.each_ref(), strategy, Duration::from_millis(2)).build().unwrap();

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

/// How a server treats requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Mode {
    Alive,
    /// It closes every connection without an answer.
    Killed,
    /// It answers late, and may leave one request without an answer.
    Stalled,
    /// It is at its rate limit.
    Limited,
    /// It fails with a status.
    Broken,
}

const MODES: [Mode; 5] = [Mode::Alive, Mode::Killed, Mode::Stalled, Mode::Limited, Mode::Broken];

/// A server whose mode can be changed, and the calls that it has answered.
struct Provider {
    server: Loopback,
    mode: Arc<AtomicU8>,
    may_hang: Arc<AtomicBool>,
    billed: Arc<Mutex<HashMap<String, u64>>>,
}

impl Provider {
    fn start() -> Self {
        let (mode, may_hang) = (Arc::new(AtomicU8::new(0)), Arc::new(AtomicBool::new(false)));
        let billed: Arc<Mutex<HashMap<String, u64>>> = Arc::default();
        let server = loopback();
        server.record_requests(false);
        let (its_mode, hangs, bills) = (Arc::clone(&mode), Arc::clone(&may_hang), billed.clone());
        server.respond(move |request| {
            let answer = || {
                let body = String::from_utf8_lossy(request.body()).into_owned();
                let call = body.split("call-").nth(1).unwrap_or_default();
                let call: String = call.chars().take_while(char::is_ascii_digit).collect();
                *bills.lock().unwrap().entry(call).or_default() += 1;
                Reply::text("fine").usage(100, 10)
            };
            let slow = Duration::from_millis(20);
            Some(match MODES[usize::from(its_mode.load(Ordering::Acquire))] {
                Mode::Alive => answer(),
                Mode::Killed => Reply::disconnect(),
                Mode::Stalled if hangs.swap(false, Ordering::AcqRel) => Reply::hang(),
                Mode::Stalled => answer().delay(slow),
                Mode::Limited => Reply::error(429, "rate_limit_exceeded", "slow down")
                    .header("retry-after-ms", "5"),
                Mode::Broken => Reply::error(503, "overloaded", "too busy"),
            })
        });
        Self { server, mode, may_hang, billed }
    }

    fn change(&self, mode: Mode, hangs: bool) {
        self.may_hang.store(mode == Mode::Stalled && hangs, Ordering::Release);
        match mode {
            Mode::Killed => self.server.drop_connections().unwrap(),
            _ => self.server.accept_connections().unwrap(),
        }
        self.mode.store(mode as u8, Ordering::Release);
    }

    fn bills(&self) -> u64 {
        self.billed.lock().unwrap().values().sum()
    }
}

/// Changes the modes of the providers until `is_over`, and keeps one alive at any time. Returns how
/// often.
fn disturb(providers: &[Provider; 5], client: &Client, is_over: impl Fn() -> bool) -> u64 {
    let mut random = fastrand::Rng::with_seed(20);
    let (mut steady, mut changes) = (4, 0);
    while !is_over() {
        // The next steady one serves before the last one may fail.
        let next = (steady + random.usize(1..5)) % 5;
        providers[next].change(Mode::Alive, false);
        let before = client.targets()[next].answered;
        eventually("a revived provider serves", || {
            let target = &client.targets()[next];
            target.answered > before && target.rests.is_none()
        });
        steady = next;
        for (at, provider) in providers.iter().enumerate() {
            if at != steady {
                provider.change(MODES[random.usize(..5)], random.bool());
            }
        }
        changes += 1;
        let calls = client.metrics().total.calls;
        eventually("calls go on", || client.metrics().total.calls >= calls + 100);
    }
    changes
}

/// Ends the callers' loops.
struct EndsStorm<'a>(&'a AtomicBool);

impl Drop for EndsStorm<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn providers_that_come_and_go_fail_no_call_and_bill_none_twice() {
    const CALLERS: u64 = 64;
    let seconds = std::env::var("TOLLGATE_STORM_SECONDS").ok();
    let seconds = seconds.map_or(10, |seconds| seconds.parse().expect("a number of seconds"));
    let providers = [(); 5].map(|()| Provider::start());
    let servers = providers.each_ref().map(|provider| &provider.server);
    // A call can meet a provider after the other at the wrong time, and has to try again then.
    let (initial_interval, max_interval) = (Duration::from_millis(20), Duration::from_millis(200));
    let retries = RetryConfig { initial_interval, max_interval, ..quick_retries(4) };
    let client =
        client(servers, Balanced, Duration::from_millis(50)).retry(retries).build().unwrap();
    let (begun, is_over) = (Instant::now(), AtomicBool::new(false));
    let number = AtomicU64::new(0);
    let costs: Mutex<HashMap<String, (u64, Money)>> = Mutex::default();

    let call = || {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let request = ChatRequest::from(format!("call-{number} hi"));
        let response = match number % 2 {
            0 => client.chat(request),
            _ => client.stream(request).and_then(|mut stream| stream.finish()),
        };
        let response = response.unwrap_or_else(|error| panic!("{error}: {:?}", error.attempts()));
        assert_eq!(response.text(), "fine");
        let cost = response.cost.expect("a known price").total;
        let provider = response.provider.as_str().to_owned();
        let mut costs = costs.lock().unwrap();
        let (calls, sum) = costs.entry(provider).or_default();
        (*calls, *sum) = (*calls + 1, *sum + cost);
    };
    let changes = thread::scope(|scope| {
        let storm = scope.spawn(|| {
            // Even if it panics.
            let _end = EndsStorm(&is_over);
            let is_time = || begun.elapsed() >= Duration::from_secs(seconds);
            disturb(&providers, &client, is_time)
        });
        for _ in 0..CALLERS {
            scope.spawn(|| {
                while !is_over.load(Ordering::Acquire) {
                    call();
                }
            });
        }
        storm.join().unwrap()
    });

    // Every call was billed once, and the books say what the providers billed.
    let calls = number.load(Ordering::Relaxed);
    println!("{calls} calls by {CALLERS} threads, {changes} changes in {:?}", begun.elapsed());
    let mut billed: HashMap<String, u64> = HashMap::new();
    for (call, count) in providers.iter().flat_map(|one| one.billed.lock().unwrap().clone()) {
        *billed.entry(call).or_default() += count;
    }
    let twice: Vec<_> = billed.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "billed more than once: {twice:?}");
    assert_eq!(billed.len() as u64, calls);
    let report = client.costs();
    for (provider, (name, model)) in providers.iter().zip(TARGETS) {
        let (answers, cost) = costs.lock().unwrap().get(name).copied().unwrap_or_default();
        assert_eq!(answers, provider.bills(), "{name}");
        let price = client.cost_tracker().prices().find(name, model).expect("a known price");
        let one = price.cost(&Usage::reported(100, 10), None, SystemTime::now()).total;
        assert_eq!(cost, one * answers, "{name}");
        // Attempts that broke off are in the books with the most they may have cost.
        let books = report.by_provider.iter().find(|row| row.key == name).map(|row| row.tally);
        let books = books.unwrap_or_default();
        assert_eq!(books.calls - books.bound, answers, "{name}: {books:?}");
        assert!(books.cost.total >= cost, "{name}: {books:?} beside {cost}");
    }

    // Everything is at rest.
    assert!(report.budgets.iter().all(|budget| budget.reserved.is_zero()), "{report}");
    let targets = client.targets();
    assert!(targets.iter().all(|target| target.in_flight == 0), "{targets:?}");
    assert_eq!(targets.iter().map(|target| target.answered).sum::<u64>(), calls);
    let metrics = client.metrics();
    assert_eq!((metrics.total.calls, metrics.in_flight, client.pool().total.active), (calls, 0, 0));
}
