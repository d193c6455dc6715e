//! What a client shows of the targets of its routes: counts, metrics and events.

mod support;

use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;
use support::quick_retries;
use support::routes::{Servers, names, touchy};
use support::stream::whole;
use tollgate::observe::{Call, CallEnd};
use tollgate::route::{BreakerState, RestReason, Route, RouteTarget, TargetStatus};
use tollgate::testing::Reply;
use tollgate::{Attempt, ChatRequest, Client, ErrorKind, Observer, RetryBudget, RetryConfig};

fn broken() -> Reply {
    Reply::error(500, "server_error", "it broke")
}

fn limited(seconds: &str) -> Reply {
    Reply::error(429, "rate_limit_exceeded", "slow").header("retry-after", seconds)
}

fn target(client: &Client, at: usize) -> TargetStatus {
    client.targets().swap_remove(at)
}

#[test]
fn the_numbers_of_a_target_say_how_its_attempts_ended() {
    let servers = Servers::start();
    let client = servers.client();
    client.chat("hi").unwrap();
    whole(&mut client.stream("hi").unwrap());
    servers.0[0].reply(broken());
    client.chat("hi").unwrap();
    servers.0[0].reply(Reply::error(400, "invalid_request_error", "no such thing"));
    client.chat("hi").unwrap_err();
    servers.0[0].reply(Reply::pieces(["one ", "two ", "three"]).stream_error(
        2,
        "overloaded",
        "busy",
    ));
    let mut stream = client.stream("hi").unwrap();
    assert!(stream.text().any(|delta| delta.is_err()));
    drop(stream);

    let first = target(&client, 0);
    assert_eq!((first.answered, first.failed, first.excused()), (2, 2, 1), "{first:?}");
    assert_eq!(first.failures[&ErrorKind::Server], 2);
    assert_eq!(first.failures[&ErrorKind::InvalidRequest], 1);
    assert_eq!(first.failures.values().sum::<u64>(), 3, "{first:?}");
    assert_eq!((first.failovers, first.in_flight), (1, 0));
    assert_eq!((first.latencies.count(), first.first_tokens.count()), (1, 2));
    assert_eq!((first.breaker, first.rested.len()), (BreakerState::Closed, 0));
    assert!(first.attempts_per_minute > 0.0 && !first.cost.is_zero());
    let second = target(&client, 1);
    assert_eq!((second.answered, second.failed, second.failovers), (1, 0, 0));
}

#[test]
fn an_attempt_is_in_flight_until_its_stream_ends() {
    let servers = Servers::start();
    let client = servers.client();
    let stream = client.stream("hi").unwrap();
    assert_eq!((target(&client, 0).in_flight, target(&client, 0).answered), (1, 0));
    drop(stream);
    let after = target(&client, 0);
    assert_eq!((after.in_flight, after.failed, after.excused()), (0, 0, 1), "{after:?}");
    assert_eq!(after.failures[&ErrorKind::Cancelled], 1);
}

#[test]
fn the_numbers_of_a_target_in_two_routes_add_up() {
    let servers = Servers::start();
    let other = Route::new("other").target(names()[0].as_str());
    let client = servers.builder(|route| route).route(other).build().unwrap();
    for model in ["all", "other", "other"] {
        client.chat(ChatRequest::from("hi").model(model)).unwrap();
    }
    servers.0[0].reply(limited("60"));
    client.chat(ChatRequest::from("hi").model("other")).unwrap_err();
    let targets = client.targets();
    let [all, .., other] = &targets[..] else { panic!("{targets:?}") };
    assert_eq!((all.answered, other.answered, all.failed, other.failed), (1, 2, 0, 1));
    // They rest together; the route whose call found out counts it.
    assert_eq!((all.breaker, other.breaker), (BreakerState::Open, BreakerState::Open));
    assert!(all.rested.is_empty() && other.rested[&RestReason::RateLimit] == 1);
}

#[test]
fn metrics_have_every_target_as_a_table_and_for_prometheus() {
    let servers = Servers::start();
    let client = servers
        .builder(|_| {
            let first = RouteTarget::new(names()[0].as_str()).name("the first");
            let off = RouteTarget::new(names()[2].as_str()).enabled(false);
            Route::new("all").target(first).target(names()[1].as_str()).target(off)
        })
        .build()
        .unwrap();
    client.chat("hi").unwrap();
    servers.0[0].reply(limited("60"));
    client.chat("hi").unwrap();
    let metrics = client.metrics();
    assert_eq!(metrics.targets.len(), 3);
    let (table, page) = (metrics.to_string(), metrics.prometheus());
    let rows: Vec<_> = table.lines().skip_while(|line| !line.starts_with("Target of a")).collect();
    assert!(rows[1].starts_with("the first ") && rows[1].contains(" open "), "{table}");
    assert!(rows[2].contains("haiku") && rows[2].contains(" closed "), "{table}");
    assert!(rows[3].contains("versatile") && rows[3].contains(" disabled "), "{table}");
    let first = "tollgate_route=\"all\",tollgate_target=\"the first\",\
                 gen_ai_provider_name=\"openai\",gen_ai_request_model=\"gpt-4o-mini\"";
    for line in [
        format!("tollgate_target_attempts_total{{{first},tollgate_outcome=\"answered\"}} 1"),
        format!("tollgate_target_attempts_total{{{first},tollgate_outcome=\"failed\"}} 1"),
        format!("tollgate_target_failures_total{{{first},error_type=\"rate_limited\"}} 1"),
        format!("tollgate_target_failovers_total{{{first}}} 1"),
        format!("tollgate_target_rests_total{{{first},tollgate_reason=\"rate_limit\"}} 1"),
        format!("tollgate_target_breaker{{{first},tollgate_state=\"open\"}} 1"),
        format!("tollgate_target_breaker{{{first},tollgate_state=\"closed\"}} 0"),
        format!("tollgate_target_in_flight{{{first}}} 0"),
        format!("tollgate_target_duration_seconds_count{{{first}}} 1"),
    ] {
        assert!(page.lines().any(|it| it == line), "{line} in\n{page}");
    }
    let stored = serde_json::to_string(&metrics).unwrap();
    let read: tollgate::MetricsSnapshot = serde_json::from_str(&stored).unwrap();
    assert_eq!(read.targets, metrics.targets);
}

/// Lets calls attempt their first target only together.
struct Log {
    together: Barrier,
    events: Mutex<Vec<String>>,
}

impl Log {
    fn new(calls: usize) -> Arc<Self> {
        Arc::new(Self { together: Barrier::new(calls), events: Mutex::default() })
    }

    fn note(&self, event: String) {
        self.events.lock().unwrap().push(event);
    }

    fn count(&self, event: &str) -> usize {
        self.events.lock().unwrap().iter().filter(|it| *it == event).count()
    }
}

impl Observer for Log {
    fn call_begun(&self, call: &Call<'_>) {
        self.note(format!("begun: {:?} {:?} {}", call.route, call.target, call.model));
    }

    fn attempt_begun(&self, _: &Call<'_>, number: u32) {
        if number == 0 {
            self.together.wait();
        }
    }

    fn failed_over(&self, call: &Call<'_>, _: &Attempt) {
        self.note(format!("failed over from {}", call.target.unwrap()));
    }

    fn target_rested(&self, _: &str, target: &str, reason: RestReason, _: Duration) {
        self.note(format!("{target} rests: {}", reason.as_str()));
    }

    fn target_returned(&self, _: &str, target: &str) {
        self.note(format!("{target} returned"));
    }

    fn call_ended(&self, call: &Call<'_>, _: &CallEnd<'_>) {
        self.note(format!("ended: {:?} {:?} {}", call.route, call.target, call.model));
    }
}

#[test]
fn calls_that_fail_together_are_one_rest_and_each_fails_over() {
    const CALLS: usize = 16;
    for (reply, reason) in [
        (limited("60"), "rate_limit"),
        (Reply::error(401, "invalid_api_key", "wrong key"), "unusable"),
        (broken(), "failures"),
    ] {
        let servers = Servers::start();
        let log = Log::new(CALLS);
        let client = servers
            .builder(|route| route.breaker(touchy()))
            .shared_observer(log.clone())
            .build()
            .unwrap();
        servers.0[0].default_reply(reply);
        std::thread::scope(|scope| {
            for _ in 0..CALLS {
                scope.spawn(|| client.chat("hi").unwrap());
            }
        });
        let [first, second, _] = names();
        assert_eq!(log.count(&format!("{first} rests: {reason}")), 1, "{reason}");
        assert_eq!(log.count(&format!("failed over from {first}")), CALLS);
        assert_eq!(target(&client, 0).rested.values().sum::<u64>(), 1);
        assert_eq!(target(&client, 0).failovers, CALLS as u64);
        assert_eq!(log.count(&format!("begun: {:?} None all", Some("all"))), CALLS);
        let ended = format!("ended: {:?} {:?} claude-haiku-4-5", Some("all"), Some(&second));
        assert_eq!(log.count(&ended), CALLS);
        assert_eq!(log.events.lock().unwrap().len(), 3 * CALLS + 1);
    }
}

#[test]
fn a_target_returns_once_and_a_failed_probe_is_a_new_rest() {
    let servers = Servers::start();
    let log = Log::new(1);
    let rest = Duration::from_millis(1);
    let client = servers
        .builder(|route| route.breaker(touchy().rest(rest)))
        .shared_observer(log.clone())
        .build()
        .unwrap();
    let rested = || {
        while client.targets()[0].breaker == BreakerState::Open {
            std::thread::yield_now();
        }
    };
    servers.0[0].reply(broken());
    client.chat("hi").unwrap();
    rested();
    assert_eq!(target(&client, 0).breaker, BreakerState::HalfOpen);
    servers.0[0].reply(broken());
    client.chat("hi").unwrap();
    rested();
    for _ in 0..3 {
        client.chat("hi").unwrap();
    }
    let first = &names()[0];
    assert_eq!(log.count(&format!("{first} rests: failures")), 2);
    assert_eq!(log.count(&format!("{first} returned")), 1);
    assert_eq!(target(&client, 0).rested[&RestReason::Failures], 2);
    assert_eq!(target(&client, 0).breaker, BreakerState::Closed);
}

#[test]
fn a_stream_that_breaks_reports_the_rest_of_its_target_once() {
    let servers = Servers::start();
    let log = Log::new(1);
    let client = servers
        .builder(|route| route.breaker(touchy()))
        .shared_observer(log.clone())
        .build()
        .unwrap();
    servers.0[0].reply(Reply::pieces(["one ", "two "]).stream_error(2, "server_error", "broke"));
    let mut stream = client.stream("hi").unwrap();
    assert!(stream.text().any(|delta| delta.is_err()));
    drop(stream);
    let first = &names()[0];
    assert_eq!(log.count(&format!("{first} rests: failures")), 1);
    assert_eq!(log.count(&format!("failed over from {first}")), 0, "it had begun to answer");
    assert_eq!(target(&client, 0).rested[&RestReason::Failures], 1);
}

#[test]
fn a_call_that_goes_on_because_the_retry_budget_is_spent_counts_as_a_failover() {
    let servers = Servers::start();
    let log = Log::new(1);
    let budget = RetryBudget { capacity: 0, ..RetryBudget::default() };
    let client = servers
        .builder(|route| route)
        .retry(RetryConfig { budget, ..quick_retries(2) })
        .shared_observer(log.clone())
        .build()
        .unwrap();
    // Short enough to wait for, if there were a token.
    servers.0[0].reply(limited("1"));
    assert_eq!(client.chat("hi").unwrap().text(), "from anthropic");
    assert_eq!(target(&client, 0).failovers, 1);
    assert_eq!(log.count(&format!("failed over from {}", names()[0])), 1);
}
