//! Hedges: a second attempt of a routed call, at another target, while the first one is silent.

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use support::routes::{MODELS, Servers, names};
use support::{eventually, loopback, quick_retries};
use tollgate::observe::Call;
use tollgate::route::{Hedge, Route, TargetStep};
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    Attempt, CancelToken, ChatRequest, Client, ClientBuilder, Decision, ErrorKind, GiveUp,
    Observer, RetryBudget, RetryConfig,
};

/// So short that a target that says nothing is always hedged.
const SOON: Duration = Duration::from_millis(2);
/// Longer than any test.
const NEVER: Duration = Duration::from_secs(3600);

fn hedged(servers: &Servers, hedge: Hedge) -> ClientBuilder {
    servers.builder(|route| route.hedge(hedge)).timeout(Duration::from_secs(120))
}

fn client(servers: &Servers) -> Client {
    hedged(servers, Hedge::after(SOON)).build().unwrap()
}

/// Lets the second server answer its first request only after the first server got `count` requests,
/// its next one after one more, and so on. Otherwise a hedge may be answered before the silent
/// request has been sent.
fn in_order(servers: &Servers, count: u64) {
    let arrivals = Arc::new((Mutex::new(0), Condvar::new()));
    let (seen, answered) = (Arc::clone(&arrivals), AtomicU64::new(0));
    servers.0[0].respond(move |_| {
        *seen.0.lock().unwrap() += 1;
        seen.1.notify_all();
        None
    });
    servers.0[1].respond(move |_| {
        let needed = count + answered.fetch_add(1, Ordering::Relaxed);
        let arrived = arrivals.0.lock().unwrap();
        drop(arrivals.1.wait_while(arrived, |arrived| *arrived < needed).unwrap());
        None
    });
}

/// Answers a request once `other` has got one.
fn answers_after(server: &Loopback, other: &Arc<Loopback>, reply: Reply) {
    let other = Arc::clone(other);
    server.respond(move |_| {
        assert!(other.wait_for_requests(1, Duration::from_secs(60)));
        Some(reply.clone())
    });
}

/// Nothing of any call is left.
fn at_rest(client: &Client, servers: &[&Loopback]) {
    eventually("every attempt has ended", || {
        let targets = client.targets().iter().all(|target| target.in_flight == 0);
        let budgets = client.costs().budgets.iter().all(|budget| budget.reserved.is_zero());
        targets && budgets && client.pool().total.active == 0 && client.metrics().in_flight == 0
    });
    let idle = client.pool().total.idle as u64;
    eventually("every other connection is closed", || {
        servers.iter().map(|server| server.connections().open).sum::<u64>() == idle
    });
}

/// What became of each target: whether it was hedged, lost, failed or answered.
fn steps(route: &tollgate::route::RouteTrace) -> Vec<String> {
    let name = |step: &TargetStep| match step {
        TargetStep::Hedged(_) => "hedge".to_owned(),
        step => step.to_string().split([',', ':']).next().unwrap_or_default().to_owned(),
    };
    let of = |steps: &[TargetStep]| steps.iter().map(name).collect::<Vec<_>>().join(", ");
    route.targets.iter().map(|target| of(&target.steps)).collect()
}

fn how(attempts: &[Attempt]) -> Vec<(u32, &str, Option<ErrorKind>, Option<Decision>)> {
    let of = |attempt: &Attempt| attempt.failure.as_ref().map(|failure| failure.kind);
    attempts.iter().map(|one| (one.number, one.provider.as_str(), of(one), one.decision)).collect()
}

const LOST: (Option<ErrorKind>, Option<Decision>) =
    (Some(ErrorKind::Cancelled), Some(Decision::GiveUp(GiveUp::Superseded)));

#[test]
fn a_silent_target_is_hedged_and_its_attempt_cancelled() {
    for streamed in [false, true] {
        let servers = Servers::start();
        in_order(&servers, 1);
        servers.0[0].reply(Reply::hang());
        let client = client(&servers);
        let response = match streamed {
            false => client.chat("hi").unwrap(),
            true => client.stream("hi").unwrap().finish().unwrap(),
        };
        assert_eq!(response.text(), "from anthropic");
        assert_eq!(
            how(response.attempts()),
            [(0, "openai", LOST.0, LOST.1), (1, "anthropic", None, None)]
        );
        assert_eq!(steps(response.route().unwrap()), ["cancelled", "hedge, answered", ""]);
        let targets = client.targets();
        assert_eq!(targets.iter().map(|target| target.hedged).collect::<Vec<_>>(), [1, 0, 0]);
        assert_eq!((targets[0].failed, targets[1].answered, client.retries_left()), (0, 1, 99));
        let [silent, other] =
            [0, 1].map(|at| if streamed { targets[at].first_token } else { targets[at].latency });
        assert!(silent >= Some(SOON), "a silent target counts as slow, not as unknown: {silent:?}");
        assert!(other.is_some());
        assert_eq!(client.metrics().total.retries.values().sum::<u64>(), 0);
        at_rest(&client, &[&servers.0[0], &servers.0[1]]);
        assert_eq!(servers.counts(), [1, 1, 0]);
    }
}

#[test]
fn if_the_first_answers_after_all_its_hedge_is_cancelled() {
    let (slow, silent) = (loopback(), Arc::new(loopback()));
    silent.default_reply(Reply::hang());
    answers_after(&slow, &silent, Reply::text("at last"));
    let client = two(&slow, &silent, |route| route.hedge(Hedge::after(SOON))).build().unwrap();
    let response = client.chat("hi").unwrap();
    assert_eq!(response.text(), "at last");
    assert_eq!(
        how(response.attempts()),
        [(1, "anthropic", LOST.0, LOST.1), (0, "openai", None, None)]
    );
    assert_eq!(steps(response.route().unwrap()), ["answered", "hedge, cancelled"]);
    at_rest(&client, &[&slow, &silent]);
}

/// A client with a route over two servers.
fn two(first: &Loopback, second: &Loopback, change: impl Fn(Route) -> Route) -> ClientBuilder {
    let route = Route::new("two").targets(names().into_iter().take(2));
    let builder = Client::builder().model("two").retry(quick_retries(0));
    let mut builder = builder.timeout(Duration::from_secs(120));
    for (server, (provider, _)) in [first, second].into_iter().zip(MODELS) {
        builder = builder.add_provider(support::routes::config(server, provider));
    }
    builder.route(change(route))
}

#[test]
fn a_target_that_fails_is_not_waited_for() {
    for streamed in [false, true] {
        let servers = Servers::start();
        servers.0[0].reply(Reply::error(500, "x", "it broke"));
        let client = hedged(&servers, Hedge::after(NEVER)).build().unwrap();
        let response = match streamed {
            false => client.chat("hi").unwrap(),
            true => client.stream("hi").unwrap().finish().unwrap(),
        };
        assert_eq!(response.text(), "from anthropic");
        let failed = (0, "openai", Some(ErrorKind::Server), Some(Decision::FailOver));
        assert_eq!(how(response.attempts()), [failed, (1, "anthropic", None, None)]);
        assert_eq!((client.targets()[0].hedged, client.retries_left()), (0, 100));
    }
}

#[test]
fn if_the_first_fails_beside_its_hedge_the_call_goes_on_with_that() {
    let (broken, other) = (loopback(), loopback());
    let (arrived, gate) = (Gate::default(), Gate::default());
    let (here, opened) = (arrived.clone(), gate.clone());
    broken.respond(move |_| {
        arrived.wait();
        Some(Reply::error(500, "x", "it broke"))
    });
    other.respond(move |_| {
        here.open();
        opened.wait();
        Some(Reply::text("late"))
    });
    let log = Arc::new(Log::default());
    let builder = two(&broken, &other, |route| route.hedge(Hedge::after(SOON)));
    let client = builder.shared_observer(log.clone()).build().unwrap();
    let response = std::thread::scope(|scope| {
        let call = scope.spawn(|| client.chat("hi"));
        eventually("the first has failed", || client.targets()[0].failed == 1);
        gate.open();
        call.join().unwrap().unwrap()
    });
    assert_eq!(response.text(), "late");
    let failed = (0, "openai", Some(ErrorKind::Server), Some(Decision::FailOver));
    assert_eq!(how(response.attempts()), [failed, (1, "anthropic", None, None)]);
    // Attempts begin on threads of their own, in any order.
    let (mut begun, rest): (Vec<_>, Vec<_>) =
        log.take().into_iter().partition(|event| event.ends_with(" begins"));
    begun.sort_unstable();
    assert_eq!(begun, ["anthropic begins", "openai begins"]);
    assert_eq!(
        rest,
        [
            "openai is silent; hedge to anthropic/claude-haiku-4-5",
            "openai ended: server",
            "failed over from openai",
            "anthropic ended",
        ]
    );
    at_rest(&client, &[&broken, &other]);
}

#[test]
fn a_hedge_that_fails_is_replaced_and_one_that_is_refused_is_not() {
    let servers = Servers::start();
    servers.0[0].reply(Reply::hang());
    servers.0[1].reply(Reply::error(503, "overloaded", "busy"));
    let third = client(&servers).chat("hi").unwrap();
    assert_eq!(third.text(), "from groq");
    assert_eq!(
        steps(third.route().unwrap()),
        ["cancelled", "hedge, failed (overloaded)", "hedge, answered"]
    );

    // What is invalid there may be valid here: the first attempt goes on, and no other begins.
    let (slow, refusing) = (loopback(), Arc::new(loopback()));
    refusing.default_reply(Reply::error(400, "invalid_request_error", "no such parameter"));
    let gate = Gate::default();
    let opened = gate.clone();
    slow.respond(move |_| {
        opened.wait();
        Some(Reply::text("fine"))
    });
    let client = two(&slow, &refusing, |route| route.hedge(Hedge::after(SOON))).build().unwrap();
    let response = std::thread::scope(|scope| {
        let call = scope.spawn(|| client.chat("hi"));
        eventually("the hedge was refused", || {
            refusing.request_count() == 1 && client.targets()[1].in_flight == 0
        });
        gate.open();
        call.join().unwrap().unwrap()
    });
    assert_eq!(response.text(), "fine");
    assert_eq!(
        how(response.attempts()),
        [(1, "anthropic", Some(ErrorKind::InvalidRequest), None), (0, "openai", None, None)]
    );
}

#[test]
fn an_invalid_request_ends_the_call_and_its_hedge() {
    let (refusing, silent) = (loopback(), Arc::new(loopback()));
    silent.default_reply(Reply::hang());
    answers_after(&refusing, &silent, Reply::error(400, "invalid_request_error", "no"));
    let client = two(&refusing, &silent, |route| route.hedge(Hedge::after(SOON))).build().unwrap();
    let error = client.chat("hi").unwrap_err();
    assert_eq!((error.kind(), error.provider()), (ErrorKind::InvalidRequest, Some("openai")));
    assert_eq!(error.attempts().len(), 2);
    at_rest(&client, &[&refusing, &silent]);
}

#[test]
fn a_cancelled_call_ends_all_its_attempts() {
    for streamed in [false, true] {
        let servers = Servers::start();
        servers.0.iter().for_each(|server| server.default_reply(Reply::hang()));
        let client = client(&servers);
        let token = CancelToken::new();
        let request = ChatRequest::from("hi").cancel_token(&token);
        let error = std::thread::scope(|scope| {
            let call = scope.spawn(|| match streamed {
                false => client.chat(request).unwrap_err(),
                true => client.stream(request).unwrap_err(),
            });
            for server in &servers.0[..2] {
                assert!(server.wait_for_requests(1, Duration::from_secs(60)));
            }
            token.cancel();
            call.join().unwrap()
        });
        assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::Cancelled, 2), "{error}");
        at_rest(&client, &[&servers.0[0], &servers.0[1]]);
        assert_eq!(servers.counts(), [1, 1, 0], "there is one hedge at a time");
    }
}

#[test]
fn the_deadline_ends_all_attempts() {
    let servers = Servers::start();
    servers.0.iter().for_each(|server| server.default_reply(Reply::hang()));
    let client = client(&servers);
    let request = ChatRequest::from("hi").timeout(Duration::from_millis(300));
    let error = client.chat(request).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(servers.counts()[2], 0, "there is one hedge at a time");
    at_rest(&client, &[&servers.0[0], &servers.0[1]]);
}

#[test]
fn a_stream_is_raced_until_its_first_event() {
    let servers = Servers::start();
    in_order(&servers, 1);
    // Its head comes, and no event.
    servers.0[0].reply(Reply::pieces(["never ", "seen "]).stall_after(1));
    servers.0[1].reply(Reply::pieces(["one ", "two "]).chunk_delay(SOON * 5));
    let client = client(&servers);
    let mut stream = client.stream("hi").unwrap();
    assert_eq!(stream.finish().unwrap().text(), "one two ");
    drop(stream);
    at_rest(&client, &[&servers.0[0], &servers.0[1]]);

    // The caller's token still ends the stream that won.
    servers.0[0].reply(Reply::hang());
    servers.0[1].reply(Reply::pieces(["one "; 100]).stall_after(6_000));
    let token = CancelToken::new();
    let mut stream = client.stream(ChatRequest::from("hi").cancel_token(&token)).unwrap();
    let error = std::thread::scope(|scope| {
        scope.spawn(|| token.cancel());
        stream.find_map(Result::err).unwrap()
    });
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    drop(stream);
    at_rest(&client, &[&servers.0[0], &servers.0[1]]);
}

#[test]
fn each_hedge_takes_a_token_from_the_retry_budget() {
    let servers = Servers::start();
    in_order(&servers, 1);
    let budget = RetryBudget { capacity: 1, refill: 0.0 };
    let retry = RetryConfig { budget, ..quick_retries(2) };
    let client = hedged(&servers, Hedge::after(SOON)).retry(retry).build().unwrap();
    servers.0[0].reply(Reply::hang());
    assert_eq!(client.chat("hi").unwrap().text(), "from anthropic");
    assert_eq!(client.retries_left(), 0);
    servers.0[0].reply(Reply::text("slow").delay(SOON * 20));
    assert_eq!(client.chat("hi").unwrap().text(), "slow");
    assert_eq!((client.targets()[0].hedged, servers.counts()), (1, [2, 1, 0]));
}

#[test]
fn without_another_target_a_call_is_not_hedged() {
    let server = loopback();
    server.default_reply(Reply::text("slow").delay(SOON * 20));
    let route = Route::new("one").target("openai/gpt-4o-mini").hedge(Hedge::after(SOON));
    let client = Client::builder()
        .add_provider(support::routes::config(&server, "openai"))
        .route(route)
        .model("one")
        .build()
        .unwrap();
    assert_eq!(client.chat("hi").unwrap().text(), "slow");
    assert_eq!((server.request_count(), client.retries_left()), (1, 100));
    assert_eq!(client.targets()[0].hedged, 0);
}

#[test]
fn a_target_is_hedged_at_its_percentile_once_that_is_known() {
    let servers = Servers::start();
    in_order(&servers, 21);
    let client = hedged(&servers, Hedge::at_p95()).build().unwrap();
    servers.0[0].reply(Reply::text("slow").delay(SOON * 20));
    assert_eq!(client.chat("hi").unwrap().text(), "slow");
    for _ in 1..20 {
        assert_eq!(client.chat("hi").unwrap().text(), "from openai");
    }
    assert_eq!(servers.counts(), [20, 0, 0]);
    servers.0[0].reply(Reply::hang());
    assert_eq!(client.chat("hi").unwrap().text(), "from anthropic");
    // The streams of the same target have a percentile of their own.
    assert_eq!(client.stream("hi").unwrap().finish().unwrap().text(), "from openai");
    assert_eq!(client.targets()[0].hedged, 1);
}

#[test]
fn a_client_that_repeats_nothing_cannot_hedge() {
    let servers = Servers::start();
    let strict = RetryConfig { retry_ambiguous: false, ..quick_retries(2) };
    let error = hedged(&servers, Hedge::at_p95()).retry(strict).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains("route \"all\": it hedges"), "{error}");
    let error = hedged(&servers, Hedge::after(Duration::ZERO)).build().unwrap_err();
    assert!(error.message().contains("set more than zero"), "{error}");
}

/// Something to wait for.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn wait(&self) {
        let closed = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(closed, |open| !*open).unwrap());
    }
}

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn note(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Observer for Log {
    fn attempt_begun(&self, call: &Call<'_>, _: u32) {
        self.note(format!("{} begins", call.provider));
    }

    fn attempt_ended(&self, call: &Call<'_>, attempt: &Attempt) {
        let kind = attempt.failure.as_ref().map(|failure| format!(": {}", failure.kind));
        assert_eq!(call.provider, attempt.provider);
        self.note(format!("{} ended{}", call.provider, kind.unwrap_or_default()));
    }

    fn hedged(&self, call: &Call<'_>, target: &str, silence: Duration) {
        assert!(silence >= SOON);
        self.note(format!("{} is silent; hedge to {target}", call.provider));
    }

    fn failed_over(&self, _: &Call<'_>, attempt: &Attempt) {
        self.note(format!("failed over from {}", attempt.provider));
    }
}
