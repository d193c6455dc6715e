//! An observer sees every event, in order, outside all locks.

mod support;

use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};
use support::costs::{self, usd};
use support::observer::{Watcher, watched};
use support::stream::{BOTH, drain, first_word_and_end, whole};
use support::{KEY, builder, eventually, loopback, quick_retries};
use tollgate::observe::{Call, CallEnd, Lease, Observer};
use tollgate::testing::Reply;
use tollgate::{
    Attempt, Budget, BudgetAlert, CancelToken, ChatRequest, ErrorKind, Money, PoolConfig, Sleeper,
    Wait,
};

const FRESH: [&str; 4] = ["call begun", "attempt 0 begun", "opened", "leased"];

/// The events at the beginning of a call on a new connection.
fn fresh(rest: &[&str]) -> Vec<String> {
    FRESH.iter().chain(rest).map(ToString::to_string).collect()
}

#[test]
fn an_observer_sees_a_call_from_begin_to_end() {
    for provider in BOTH {
        let server = loopback();
        let (watcher, client) = watched(builder(&server, provider));
        client.chat("hi").unwrap();
        assert_eq!(watcher.take(), fresh(&["attempt ended: answered", "call ended: answered"]));

        // The second takes the connection of the first; it is closed with the client.
        client.chat("hi").unwrap();
        let seen = ["call begun", "attempt 0 begun", "leased again"];
        assert_eq!(watcher.take()[..3], seen);
        watcher.let_go();
        drop(client);
        assert_eq!(watcher.take(), ["closed"]);
    }
}

#[test]
fn an_observer_sees_a_retry_between_its_attempts() {
    let server = loopback();
    let (watcher, client) = watched(builder(&server, "openai").retry(quick_retries(2)));
    server.reply(Reply::error(500, "no", "not now"));
    server.reply(Reply::text("fine"));
    client.chat("hi").unwrap();
    assert_eq!(
        watcher.take(),
        fresh(&[
            "attempt ended: server",
            "retry by backoff",
            "attempt 1 begun",
            "leased again",
            "attempt ended: answered",
            "call ended: answered"
        ])
    );
    server.reply(Reply::disconnect().close());
    server.reply(Reply::error(401, "no", "who are you?"));
    client.chat("hi").unwrap_err();
    // The connection is dead, and the request goes out again within the attempt.
    assert_eq!(
        watcher.take(),
        [
            "call begun",
            "attempt 0 begun",
            "leased again",
            "closed",
            "opened",
            "leased",
            "attempt ended: authentication",
            "call ended: authentication"
        ]
    );
    watcher.let_go();
}

#[test]
fn a_refused_call_begins_and_ends() {
    let server = loopback();
    let nothing = costs::config([Budget::total(Money::ZERO)]);
    let (watcher, client) = watched(builder(&server, "openai").costs(nothing));
    client.chat("hi").unwrap_err();
    assert_eq!(watcher.take(), ["call begun", "call ended: budget_exceeded"]);
    client.stream("hi").unwrap_err();
    assert_eq!(watcher.take(), ["call begun", "call ended: budget_exceeded"]);
    client.chat(ChatRequest::from("hi").model(" ")).unwrap_err();
    assert_eq!(watcher.take(), ["call begun", "call ended: invalid_request"]);
    watcher.let_go();
}

#[test]
fn a_stream_ends_when_it_is_read_dropped_cancelled_or_broken() {
    for provider in BOTH {
        let server = loopback();
        let (watcher, client) = watched(builder(&server, provider));
        let long = || Reply::text("one two three four five six seven eight nine ten");

        server.reply(long());
        let mut stream = client.stream("hi").unwrap();
        assert_eq!(watcher.take(), fresh(&["first token"]));
        whole(&mut stream);
        let ended = ["attempt ended: answered", "call ended: answered"];
        assert_eq!(watcher.take(), ended);
        drop(stream);
        assert_eq!(watcher.take(), [""; 0]);

        server.reply(long().chunk_delay(Duration::from_millis(50)));
        let mut stream = client.stream("hi").unwrap();
        stream.next().unwrap().unwrap();
        drop(stream);
        let seen = watcher.take();
        assert_eq!(seen[2..4], ["leased again", "first token"]);
        let ended = ["closed", "attempt ended: cancelled", "call ended: cancelled"];
        assert_eq!(seen[4..], ended);

        server.reply(long().chunk_delay(Duration::from_millis(50)));
        let token = CancelToken::new();
        let mut stream = client.stream(ChatRequest::from("hi").cancel_token(&token)).unwrap();
        token.cancel();
        stream.next().unwrap().unwrap_err();
        drop(stream);
        assert_eq!(
            watcher.take(),
            [fresh(&["first token"]), ended.map(String::from).to_vec()].concat()
        );

        let (_, end) = first_word_and_end(provider, long());
        server.reply(long().cut_after(end));
        let mut stream = client.stream("hi").unwrap();
        let (_, error) = drain(&mut stream);
        let kind = error.unwrap().kind();
        let seen = watcher.take();
        let ended = [
            "closed".to_owned(),
            format!("attempt ended: {}", kind.as_str()),
            format!("call ended: {}", kind.as_str()),
        ];
        assert_eq!(seen[seen.len() - 3..], ended);
        watcher.let_go();
    }
}

#[test]
fn a_stream_without_tokens_has_no_first_token() {
    let server = loopback();
    let (watcher, client) = watched(builder(&server, "openai"));
    server.reply(Reply::pieces([""; 0]));
    whole(&mut client.stream("hi").unwrap());
    assert_eq!(watcher.take(), fresh(&["attempt ended: answered", "call ended: answered"]));
    watcher.let_go();
}

#[test]
fn a_dropped_stream_has_a_complete_last_attempt() {
    struct Facts;
    impl Observer for Facts {
        fn call_ended(&self, call: &Call<'_>, end: &CallEnd<'_>) {
            assert!(call.streamed && call.tags["customer"] == "acme");
            let error = end.error.unwrap();
            assert_eq!(error.provider(), Some("openai"));
            assert_eq!(error.attempts(), end.attempts);
            let [last] = end.attempts else { panic!("{:?}", end.attempts) };
            assert_eq!(last.failure.as_ref().unwrap().kind, ErrorKind::Cancelled);
            assert!(last.duration >= end.time_to_first_token.unwrap() - last.started_after);
            assert!(end.at <= SystemTime::now() && end.cost.is_some());
            DONE.store(true, Ordering::SeqCst);
        }
    }
    static DONE: AtomicBool = AtomicBool::new(false);
    let server = loopback();
    server.reply(Reply::text("one two three").chunk_delay(Duration::from_millis(20)));
    let client = builder(&server, "openai").observer(Facts).build().unwrap();
    drop(client.stream(ChatRequest::from("hi").tag("customer", "acme")).unwrap());
    assert!(DONE.load(Ordering::SeqCst), "an assertion failed above");
    assert_eq!(client.metrics().total.cancelled, 1);
}

#[test]
fn an_alert_comes_before_the_attempt_ends() {
    let server = loopback();
    let budget = Budget::total(Money::cents(10)).soft().alert_at([50]);
    let (watcher, client) = watched(builder(&server, "openai").costs(costs::config([budget])));
    server.reply(Reply::text("fine").usage(60_000, 0));
    client.chat("hi").unwrap();
    assert_eq!(
        watcher.take(),
        fresh(&["alert at 50 %", "attempt ended: answered", "call ended: answered"])
    );
    watcher.let_go();
}

#[test]
fn a_shared_tracker_calls_each_observer_once_and_keeps_none() {
    let server = loopback();
    let budget = Budget::total(usd("0.10")).soft().alert_at([50]);
    let tracker = costs::config([budget]).build().unwrap();
    let shared = Arc::new(Watcher::default());
    let made = || {
        builder(&server, "openai")
            .cost_tracker(tracker.clone())
            .shared_observer(shared.clone())
            .build()
            .unwrap()
    };
    let (one, two) = (made(), made());
    server.reply(Reply::text("fine").usage(60_000, 0));
    one.chat("hi").unwrap();
    let alerts = shared.take().iter().filter(|seen| seen.starts_with("alert")).count();
    assert_eq!(alerts, 1);
    drop((one, two));
    eventually("the observer is let go", || Arc::strong_count(&shared) == 1);
}

#[test]
fn calls_of_all_clients_have_ids_of_their_own() {
    let server = loopback();
    let shared = Arc::new(Watcher::default());
    let made = || {
        let builder = builder(&server, "openai");
        builder.shared_observer(shared.clone()).build().unwrap()
    };
    let clients = [made(), made()];
    thread::scope(|scope| {
        for client in &clients {
            scope.spawn(|| (0..20).for_each(|_| drop(client.chat("hi").unwrap())));
        }
    });
    let mut ids = shared.ids();
    assert_eq!(ids.len(), 40);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 40);
}

/// Panics in every callback, with a payload that panics when it is dropped.
struct Panics;

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic::panic_any("a bomb");
        }
    }
}

fn bomb() {
    panic::panic_any(Bomb);
}

impl Observer for Panics {
    fn call_begun(&self, _: &Call<'_>) {
        bomb();
    }
    fn attempt_begun(&self, _: &Call<'_>, _: u32) {
        bomb();
    }
    fn attempt_ended(&self, _: &Call<'_>, _: &Attempt) {
        bomb();
    }
    fn retry_scheduled(&self, _: &Call<'_>, _: Duration, _: Wait) {
        bomb();
    }
    fn connection_leased(&self, _: &Lease<'_>) {
        bomb();
    }
    fn connection_opened(&self, _: &str, _: Duration) {
        bomb();
    }
    fn connection_closed(&self, _: &str) {
        bomb();
    }
    fn first_token(&self, _: &Call<'_>, _: Duration) {
        bomb();
    }
    fn call_ended(&self, _: &Call<'_>, _: &CallEnd<'_>) {
        bomb();
    }
    fn budget_alert(&self, _: &BudgetAlert) {
        bomb();
    }
}

/// Hides the intended panics of these tests from the output.
fn quietly() {
    let loud = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<&str>();
        if !info.payload().is::<Bomb>() && text != Some(&"a bomb") && text != Some(&"asleep") {
            loud(info);
        }
    }));
}

#[test]
fn an_observer_that_panics_harms_nobody() {
    quietly();
    let server = loopback();
    let budget = Budget::total(Money::cents(10)).soft().alert_at([50]);
    let (watcher, client) = watched(
        builder(&server, "openai")
            .observer(Panics)
            .retry(quick_retries(1))
            .costs(costs::config([budget])),
    );
    server.reply(Reply::error(500, "no", "not now"));
    server.reply(Reply::text("fine").usage(60_000, 0));
    assert_eq!(client.chat("hi").unwrap().text(), "fine");
    server.reply(Reply::text("one two").chunk_delay(Duration::from_millis(20)));
    drop(client.stream("hi").unwrap());
    let seen = watcher.take();
    assert!(seen.iter().any(|seen| seen == "alert at 50 %"));
    assert_eq!(seen.last().unwrap(), "call ended: cancelled");
    let metrics = client.metrics();
    assert_eq!((metrics.total.answered, metrics.total.cancelled, metrics.in_flight), (1, 1, 0));
    watcher.let_go();
}

#[test]
fn a_call_that_panics_has_ended() {
    struct Asleep;
    impl Sleeper for Asleep {
        fn sleep(&self, _: Duration, _: Option<&CancelToken>) {
            panic::panic_any("asleep");
        }
    }
    quietly();
    let server = loopback();
    let builder = builder(&server, "openai").retry(quick_retries(1)).sleeper(Asleep);
    let (watcher, client) = watched(builder);
    server.reply(Reply::error(500, "no", "not now"));
    panic::catch_unwind(panic::AssertUnwindSafe(|| client.chat("hi"))).unwrap_err();
    let seen = watcher.take();
    let ended = ["attempt ended: server", "retry by backoff", "call ended: cancelled"];
    assert_eq!(seen[4..], ended);
    let metrics = client.metrics();
    assert_eq!((metrics.total.calls, metrics.in_flight), (1, 0));
    watcher.let_go();
}

#[test]
fn the_last_client_may_be_dropped_where_the_cleaner_closes() {
    let server = loopback();
    let pool = PoolConfig {
        idle_timeout: Duration::from_millis(20),
        cleanup_period: Duration::from_millis(1),
        ..PoolConfig::default()
    };
    let watcher = Arc::new(Watcher::default());
    let client =
        builder(&server, "openai").pool(pool).shared_observer(watcher.clone()).build().unwrap();
    client.chat("hi").unwrap();
    watcher.drop_at_close(client);
    eventually("the drop returned", || watcher.take().contains(&"dropped".to_owned()));
    eventually("nothing holds the observer", || Arc::strong_count(&watcher) == 1);
}

#[test]
fn no_event_shows_the_key_the_prompt_or_the_answer() {
    let server = loopback();
    let watcher = Arc::new(Watcher::default());
    for provider in BOTH {
        let client = builder(&server, provider).shared_observer(watcher.clone()).build().unwrap();
        server.reply(Reply::text("xanadu-answer"));
        client.chat("kubla-prompt").unwrap();
        server.reply(Reply::text("xanadu-answer"));
        whole(&mut client.stream("kubla-prompt").unwrap());
        server.require_key("another");
        client.chat("kubla-prompt").unwrap_err();
        server.require_key(KEY);
    }
    let shown = watcher.shown();
    assert!(shown.contains("gpt-4o-mini"), "it shows the facts");
    for secret in [KEY, "xanadu", "kubla"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
