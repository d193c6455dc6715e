//! What the observer for the `metrics` crate records.

mod support;

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::costs;
use support::routes::{Servers, touchy};
use support::stream::whole;
use support::{KEY, builder, loopback, quick_retries};
use tollgate::observe::MetricsObserver;
use tollgate::testing::Reply;
use tollgate::{Budget, ChatRequest, Money};

/// Everything recorded, by name and labels.
#[derive(Clone, Default)]
struct Records {
    values: Arc<Mutex<BTreeMap<String, Vec<f64>>>>,
    described: Arc<Mutex<BTreeMap<String, Option<Unit>>>>,
}

struct Series(Arc<Mutex<BTreeMap<String, Vec<f64>>>>, String);

impl Series {
    fn push(&self, value: f64) {
        self.0.lock().unwrap().entry(self.1.clone()).or_default().push(value);
    }
}

impl CounterFn for Series {
    fn increment(&self, value: u64) {
        self.push(value as f64);
    }
    fn absolute(&self, _: u64) {
        unreachable!()
    }
}

impl GaugeFn for Series {
    fn increment(&self, value: f64) {
        self.push(value);
    }
    fn decrement(&self, value: f64) {
        self.push(-value);
    }
    fn set(&self, _: f64) {
        unreachable!()
    }
}

impl HistogramFn for Series {
    fn record(&self, value: f64) {
        self.push(value);
    }
}

impl Records {
    fn describe(&self, key: &KeyName, unit: Option<Unit>) {
        self.described.lock().unwrap().insert(key.as_str().to_owned(), unit);
    }

    fn series(&self, key: &Key) -> Arc<Series> {
        assert!(self.described.lock().unwrap().contains_key(key.name()), "{key} is described");
        let labels: Vec<_> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Series(self.values.clone(), format!("{} {}", key.name(), labels.join(" "))))
    }

    /// All values of the series of a name whose labels have all of these.
    fn of(&self, name: &str, labels: &[&str]) -> Vec<f64> {
        let values = self.values.lock().unwrap();
        let fits = |key: &str| {
            let mut words = key.split(' ');
            words.next() == Some(name)
                && labels.iter().all(|label| key.split(' ').any(|word| word == *label))
        };
        values.iter().filter(|(key, _)| fits(key)).flat_map(|(_, values)| values.clone()).collect()
    }

    fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        self.of(name, labels).iter().sum()
    }
}

impl Recorder for Records {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&key, unit);
    }
    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&key, unit);
    }
    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&key, unit);
    }
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.series(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.series(key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.series(key))
    }
}

fn same(left: &[f64], right: &[f64]) {
    assert_eq!(left.len(), right.len(), "{left:?}");
    assert!(left.iter().zip(right).all(|(left, right)| (left - right).abs() < 1e-9), "{left:?}");
}

#[test]
fn calls_attempts_connections_and_alerts_are_recorded_by_the_conventions() {
    let server = loopback();
    let records = Records::default();
    metrics::with_local_recorder(&records, || {
        let budget = Budget::total(Money::cents(10)).name("all").soft().alert_at([50]);
        let client = builder(&server, "openai")
            .price_provider("openai")
            .retry(quick_retries(1))
            .costs(costs::config([budget]))
            .observer(MetricsObserver::new().tag_label("customer"))
            .build()
            .unwrap();
        server.reply(Reply::error(500, "no", "not now"));
        server.reply(Reply::text("fine").usage(60_000, 3).cached(20_000));
        client
            .chat(ChatRequest::from("hi").tag("customer", "acme").tag("team", "crimson"))
            .unwrap();
        server.reply(Reply::text("one two three"));
        whole(&mut client.stream("hi").unwrap());
        server.reply(Reply::text("one two three").chunk_delay(Duration::from_millis(20)));
        drop(client.stream("hi").unwrap());
        server.reply(Reply::error(401, "no", "kubla"));
        client.chat("hi").unwrap_err();
    });
    let port = format!("server.port={}", server.address().port());
    let all = [
        "gen_ai.operation.name=chat",
        "gen_ai.provider.name=openai",
        "gen_ai.request.model=gpt-4o-mini",
        "server.address=127.0.0.1",
        &port,
    ];
    let duration = "gen_ai.client.operation.duration";
    assert_eq!(records.of(duration, &all).len(), 4);
    assert_eq!(records.of(duration, &["error.type=authentication"]).len(), 1);
    assert_eq!(records.of(duration, &["error.type=cancelled"]).len(), 1);
    assert_eq!(records.of("gen_ai.client.operation.time_to_first_chunk", &all).len(), 2);
    let acme = "customer=acme";
    let usage = "gen_ai.client.token.usage";
    same(&records.of(usage, &[acme, "gen_ai.token.type=input"]), &[60_000.0]);
    same(&records.of(usage, &[acme, "gen_ai.token.type=output"]), &[3.0]);
    let calls = "tollgate.client.calls";
    same(&[records.sum(calls, &all)], &[4.0]);
    same(&records.of(calls, &[acme, "tollgate.outcome=answered"]), &[1.0]);
    same(&records.of(calls, &["customer=(none)", "tollgate.outcome=cancelled"]), &[1.0]);
    same(&[records.sum("tollgate.client.in_flight", &all)], &[0.0]);
    assert_eq!(records.of("tollgate.client.in_flight", &all).len(), 8);
    same(&records.of("tollgate.client.errors", &["error.type=authentication"]), &[1.0]);
    same(&[records.sum("tollgate.client.attempts", &all)], &[5.0]);
    same(&records.of("tollgate.client.retries", &["error.type=server", acme]), &[1.0]);
    same(&records.of("tollgate.client.retry_waits", &["tollgate.wait=backoff"]), &[1.0]);
    same(&records.of("tollgate.client.given_up", &["tollgate.reason=lasting"]), &[1.0]);
    let tokens = |class| records.of("tollgate.client.tokens", &[acme, class]);
    same(&tokens("tollgate.token.class=input"), &[40_000.0]);
    same(&tokens("tollgate.token.class=cached_input"), &[20_000.0]);
    assert_eq!(records.of("tollgate.client.cost", &[acme]).len(), 1);

    let origin = format!("tollgate.origin=http://{}", server.address());
    assert_eq!(
        records.sum("tollgate.pool.opened", &[&origin]),
        records.sum("tollgate.pool.opened", &[])
    );
    let opened = records.sum("tollgate.pool.opened", &[]);
    let leased = records.of("tollgate.pool.lease", &[&origin]).len();
    assert_eq!(leased, 5);
    same(&[opened + records.sum("tollgate.pool.reused", &[])], &[5.0]);
    let alerts = ["tollgate.budget=all", "tollgate.budget.threshold=50"];
    same(&records.of("tollgate.budget.alerts", &alerts), &[1.0]);

    let described = records.described.lock().unwrap();
    assert_eq!(described[duration], Some(Unit::Seconds));
    assert_eq!(described["tollgate.client.cost"], None);
    let shown = format!("{:?}", records.values.lock().unwrap());
    for secret in ["kubla", KEY, "crimson"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn models_beyond_the_bound_share_a_series() {
    let server = loopback();
    let records = Records::default();
    metrics::with_local_recorder(&records, || {
        // Refused before sending, so it is quick.
        let client = builder(&server, "openai")
            .budget(Budget::total(Money::ZERO))
            .observer(MetricsObserver::new())
            .build()
            .unwrap();
        for number in 0..230 {
            client.chat(ChatRequest::from("hi").model(format!("m{number}"))).unwrap_err();
        }
    });
    let calls = "tollgate.client.calls";
    same(&[records.sum(calls, &["tollgate.outcome=refused"])], &[230.0]);
    same(&[records.sum(calls, &["gen_ai.request.model=(other)"])], &[30.0]);
}

#[test]
fn a_call_to_a_route_leaves_no_call_in_flight_and_counts_its_targets() {
    let servers = Servers::start();
    let records = Records::default();
    metrics::with_local_recorder(&records, || {
        let client = servers
            .builder(|route| route.breaker(touchy()))
            .observer(MetricsObserver::new())
            .build()
            .unwrap();
        servers.0[0].reply(Reply::error(500, "no", "not now"));
        client.chat("hi").unwrap();
    });
    let of_route = ["gen_ai.provider.name=route", "gen_ai.request.model=all"];
    assert_eq!(records.of("tollgate.client.in_flight", &of_route), [1.0, -1.0]);
    assert_eq!(records.of("tollgate.client.in_flight", &[]).len(), 2);
    same(&[records.sum("tollgate.client.calls", &["gen_ai.provider.name=anthropic"])], &[1.0]);
    let first = ["tollgate.route=all", "tollgate.target=openai/gpt-4o-mini"];
    same(&[records.sum("tollgate.target.failovers", &first)], &[1.0]);
    let rests = [first[0], first[1], "tollgate.reason=failures"];
    same(&[records.sum("tollgate.target.rests", &rests)], &[1.0]);
}
