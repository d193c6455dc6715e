//! The client's metrics match what the server saw: nothing is lost, doubled or mislabelled.

mod support;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::thread;

use support::{builder, loopback, quick_retries};
use tollgate::metrics::{ModelStats, Stats};
use tollgate::testing::{Loopback, Reply, Request};
use tollgate::{
    Budget, CancelToken, ChatRequest, Client, CostConfig, ErrorKind, MetricsSnapshot, Money,
    PoolConfig, Price, Prices, StreamEvent, Wait,
};

const THREADS: u64 = 64;

/// How often each thread goes through all outcomes.
const ROUNDS: u64 = 3;

/// How often each outcome comes about in all.
const EACH: u64 = THREADS * ROUNDS;

/// Outcomes whose usage the server reports in any case.
const WHOLE: &str = "whole";

/// Outcomes whose answers never end.
const TORN: &str = "torn";

/// What the server has seen and sent, of the calls to [`WHOLE`].
#[derive(Default)]
struct Seen {
    requests: BTreeMap<String, u64>,
    failed_once: HashSet<String>,
    input: u64,
    output: u64,
}

/// Answers by what the request asks for: `outcome id`.
fn script(server: &Loopback) -> Arc<Mutex<Seen>> {
    let seen = Arc::new(Mutex::new(Seen::default()));
    server.record_requests(false);
    server.respond({
        let seen = Arc::clone(&seen);
        move |request: &Request| {
            let mut seen = seen.lock().unwrap();
            let model = request.model().unwrap().to_owned();
            *seen.requests.entry(model.clone()).or_default() += 1;
            let content = request.messages()[0]["content"].as_str().unwrap().to_owned();
            let (outcome, _) = content.split_once(' ').unwrap();
            let fails = outcome == "retried" && seen.failed_once.insert(content.clone());
            let mut answer = || {
                let (input, output) = (fastrand::u64(1..5_000), fastrand::u64(1..500));
                seen.input += input;
                seen.output += output;
                Reply::pieces(["one ", "two ", "three"]).model(&model).usage(input, output)
            };
            Some(match outcome {
                _ if fails => Reply::status(503),
                "answered" | "streamed" | "retried" => answer(),
                "invalid" => Reply::error(400, "bad_request", "no"),
                "unauthorized" => Reply::error(401, "invalid_api_key", "who?"),
                "broken" => Reply::pieces(["one ", "two "]).end_after(2).no_usage(),
                "dropped" | "cancelled" => Reply::pieces(["more "; 50]).no_usage(),
                other => panic!("{other}"),
            })
        }
    });
    seen
}

fn client(server: &Loopback) -> Client {
    let price = Price::per_million(Money::dollars(1), Money::dollars(2)).max_output(500);
    let prices = Prices::empty().set("openai", WHOLE, price.clone()).set("openai", TORN, price);
    builder(server, "openai")
        .retry(quick_retries(2))
        .pool(PoolConfig { max_per_origin: 16, ..PoolConfig::default() })
        .costs(CostConfig::default().prices(prices).budget(Budget::per_request(Money::cents(2))))
        .build()
        .unwrap()
}

/// Brings about every outcome once.
fn every_outcome(client: &Client, id: &str) {
    let request = |outcome: &str, model: &str| {
        ChatRequest::from(format!("{outcome} {id}")).model(model).max_output_tokens(500)
    };
    client.chat(request("answered", WHOLE)).unwrap();
    client.chat(request("retried", WHOLE)).unwrap();
    client.stream(request("streamed", WHOLE)).unwrap().finish().unwrap();
    let error = client.chat(request("invalid", WHOLE)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    let error = client.stream(request("unauthorized", WHOLE)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    let error = client.chat(request("refused", WHOLE).max_output_tokens(50_000)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BudgetExceeded, "{error}");

    let error = client.stream(request("broken", TORN)).unwrap().finish().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    drop(client.stream(request("dropped", TORN)).unwrap());
    let token = CancelToken::new();
    let mut stream = client.stream(request("cancelled", TORN).cancel_token(&token)).unwrap();
    assert!(matches!(stream.next(), Some(Ok(StreamEvent::TextDelta(_)))));
    token.cancel();
    assert!(stream.next().unwrap().unwrap_err().is_cancelled());
}

fn of<'a>(snapshot: &'a MetricsSnapshot, model: &str) -> &'a ModelStats {
    snapshot.by_model.iter().find(|stats| stats.model == model).unwrap()
}

fn errors(stats: &Stats) -> Vec<(ErrorKind, u64)> {
    stats.errors.iter().map(|(kind, errors)| (*kind, errors.calls)).collect()
}

#[test]
fn every_metric_matches_what_the_server_saw_and_sent() {
    let server = loopback();
    let seen = script(&server);
    let client = client(&server);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let client = &client;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    every_outcome(client, &format!("{thread}-{round}"));
                    // Taking snapshots meanwhile changes nothing.
                    let snapshot = client.metrics();
                    let stats = &snapshot.total;
                    let ended = stats.answered + stats.failed + stats.cancelled + stats.refused;
                    assert_eq!(stats.calls, ended);
                    assert_eq!(stats.answered, stats.latency.count());
                }
            });
        }
    });
    let snapshot = client.metrics();
    let seen = seen.lock().unwrap();

    let whole = of(&snapshot, WHOLE);
    assert_eq!((whole.provider.as_str(), whole.operation.as_str()), ("openai", "chat"));
    assert_eq!((whole.server_address.as_str(), whole.in_flight), ("127.0.0.1", 0));
    assert_eq!(whole.server_port, server.address().port());
    let stats = &whole.total;
    assert_eq!((stats.calls, stats.answered), (6 * EACH, 3 * EACH));
    assert_eq!((stats.failed, stats.refused, stats.cancelled), (2 * EACH, EACH, 0));
    assert_eq!(stats.streamed, 2 * EACH);
    assert_eq!(
        errors(stats),
        [
            (ErrorKind::InvalidRequest, EACH),
            (ErrorKind::Authentication, EACH),
            (ErrorKind::BudgetExceeded, EACH)
        ]
    );
    assert_eq!(stats.attempts, seen.requests[WHOLE]);
    assert_eq!(stats.retries, BTreeMap::from([(ErrorKind::Overloaded, EACH)]));
    assert_eq!(stats.waits, BTreeMap::from([(Wait::Backoff, EACH)]));
    assert_eq!((stats.tokens.input, stats.tokens.output), (seen.input, seen.output));
    assert_eq!(stats.input_tokens.sum(), seen.input);
    assert_eq!(stats.output_tokens.count(), 3 * EACH);
    assert_eq!((stats.latency.count(), stats.time_to_first_token.count()), (3 * EACH, EACH));
    let picos = seen.input * 1_000_000 + seen.output * 2_000_000;
    assert_eq!(stats.cost, Money::picos(picos.into()));
    assert_eq!((stats.costs.count(), stats.unpriced), (3 * EACH, 0));

    let torn = &of(&snapshot, TORN).total;
    assert_eq!((torn.calls, torn.failed, torn.cancelled), (3 * EACH, EACH, 2 * EACH));
    assert_eq!((torn.answered, torn.streamed), (0, 3 * EACH));
    assert_eq!(errors(torn), [(ErrorKind::Truncated, EACH), (ErrorKind::Cancelled, 2 * EACH)]);
    assert_eq!(torn.attempts, seen.requests[TORN]);
    assert_eq!(torn.time_to_first_token.count(), 3 * EACH);
    assert!(torn.tokens.input > 0 && torn.tokens.output > 0 && torn.cost > Money::ZERO);

    // Both together are everything, in the recent windows, too.
    assert_eq!(snapshot.by_model.len(), 2);
    assert_eq!(snapshot.total.calls, 9 * EACH);
    assert_eq!(snapshot.in_flight, 0);
    let costs = client.costs();
    assert_eq!(snapshot.total.cost, costs.total.cost.total);
    assert_eq!((snapshot.costs.refused, costs.refused), (EACH, EACH));
    assert_eq!(snapshot.pool.total.opened, server.connections().opened);
    assert_eq!((snapshot.pool.total.active, snapshot.pool.total.waiting), (0, 0));
    assert_eq!((snapshot.failed.len(), snapshot.slowest.len()), (10, 10));
    assert!(snapshot.failed.iter().all(|call| call.failure.is_some()));

    // What a scraper sees are the same numbers.
    let text = snapshot.prometheus();
    let line = |start: &str, with: &[&str]| {
        let found: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with(start) && with.iter().all(|with| line.contains(with)))
            .collect();
        assert!(!found.is_empty(), "{start} {with:?}");
        let value = |line: &str| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap();
        found.into_iter().map(value).sum::<f64>()
    };
    let model = "gen_ai_request_model=\"whole\"";
    let invalid = "error_type=\"invalid_request\"";
    let calls = "gen_ai_client_operation_duration_seconds_count";
    #[allow(clippy::cast_precision_loss)]
    for (start, with, number) in [
        (calls, &[model][..], 6 * EACH),
        (calls, &[model, invalid], EACH),
        ("gen_ai_client_token_usage_sum", &[model, "=\"input\""], seen.input),
        ("gen_ai_client_token_usage_sum", &[model, "=\"output\""], seen.output),
    ] {
        assert!((line(start, with) - number as f64).abs() < 0.5, "{start} {with:?}");
    }
    // It is stored and loaded.
    let stored = serde_json::to_string(&snapshot).unwrap();
    assert_eq!(serde_json::from_str::<MetricsSnapshot>(&stored).unwrap().total, snapshot.total);
}

#[test]
fn metrics_can_be_off() {
    let server = loopback();
    let client = builder(&server, "openai").metrics(false).build().unwrap();
    client.chat("hi").unwrap();
    let snapshot = client.metrics();
    assert_eq!((snapshot.total.calls, snapshot.pool.total.opened), (0, 1));
}
