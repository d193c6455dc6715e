//! What is retried, when, and what is not, counted at the server.

mod support;

use std::error::Error as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use support::{builder, builder_at, loopback, quick_retries};
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    CancelToken, ChatRequest, Client, ClientBuilder, Decision, Error, ErrorKind, GiveUp, Phase,
    PoolConfig, RetryBudget, RetryConfig, Sleeper, Wait,
};

const BOTH: [&str; 2] = ["openai", "anthropic"];

/// Remembers the waits instead of waiting.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Duration>>>);

impl Sleeper for Recorder {
    fn sleep(&self, wait: Duration, _: Option<&CancelToken>) {
        self.0.lock().unwrap().push(wait);
    }
}

impl Recorder {
    fn take(&self) -> Vec<Duration> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A reset of a reused connection is then a failed attempt like any other.
fn no_second_sending() -> PoolConfig {
    PoolConfig { retry_stale: false, ..PoolConfig::default() }
}

/// Without jitter, so that tests know each wait to the millisecond.
fn even(max_retries: u32) -> RetryConfig {
    RetryConfig { max_retries, jitter: 0.0, ..RetryConfig::default() }
}

fn last(error: &Error) -> GiveUp {
    match error.attempts().last().and_then(|attempt| attempt.decision) {
        Some(Decision::GiveUp(reason)) => reason,
        other => panic!("{other:?} of {error}"),
    }
}

#[test]
fn transient_failures_are_retried_until_an_answer_arrives() {
    for provider in BOTH {
        for failure in [
            Reply::status(408),
            Reply::status(409),
            Reply::error(429, "rate_limit_error", "slow down"),
            Reply::status(500),
            Reply::status(502),
            Reply::error(503, "overloaded_error", "busy"),
            Reply::status(504),
            Reply::error(529, "overloaded_error", "busy"),
            Reply::status(400).header("x-should-retry", "true"),
            Reply::reset(),
            Reply::disconnect(),
            Reply::text("half").cut_after(10),
            Reply::text("half").reset_after(10),
        ] {
            let server = loopback();
            server.reply(failure.clone());
            server.reply(failure);
            server.reply(Reply::text("at last"));
            let client = builder(&server, provider).retry(quick_retries(2)).build().unwrap();
            let response = client.chat("hi").unwrap();
            assert_eq!(response.text(), "at last");
            assert_eq!(response.attempts().len(), 3);
            assert_eq!(server.requests().len(), 3);
        }
    }
}

#[test]
fn permanent_failures_are_not_retried() {
    for (reply, kind, reason) in [
        (Reply::error(400, "invalid_request_error", "no"), ErrorKind::InvalidRequest, None),
        (Reply::error(401, "invalid_api_key", "no"), ErrorKind::Authentication, None),
        (Reply::error(403, "permission_error", "no"), ErrorKind::Permission, None),
        (Reply::error(404, "not_found_error", "no"), ErrorKind::NotFound, None),
        (Reply::error(429, "insufficient_quota", "no credit"), ErrorKind::QuotaExhausted, None),
        (Reply::raw(200, "text/plain", "nonsense"), ErrorKind::Protocol, None),
        (
            Reply::status(500).header("x-should-retry", "false"),
            ErrorKind::Server,
            Some(GiveUp::Forbidden),
        ),
    ] {
        let server = loopback();
        server.reply(reply);
        let client = builder(&server, "openai").retry(quick_retries(5)).build().unwrap();
        let error = client.chat("hi").unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.attempts().len(), 1);
        assert_eq!(last(&error), reason.unwrap_or(GiveUp::Lasting));
        assert_eq!(server.requests().len(), 1);
    }
}

/// A server that hangs or stalls fails an attempt only if there is an attempt timeout.
#[test]
fn an_attempt_that_hangs_leaves_time_for_another() {
    for (reply, phase) in [
        (Reply::hang(), Phase::FirstByte),
        (Reply::text("a long answer").stall_after(20), Phase::Body),
    ] {
        let server = loopback();
        server.reply(reply);
        server.reply(Reply::text("at last"));
        let client = builder(&server, "openai")
            .retry(quick_retries(1))
            .attempt_timeout(Duration::from_millis(300))
            .build()
            .unwrap();
        let response = client.chat("hi").unwrap();
        assert_eq!(response.text(), "at last");
        let failure = response.attempts()[0].failure.as_ref().unwrap();
        assert_eq!((failure.kind, failure.phase), (ErrorKind::Timeout, Some(phase)));
        assert_eq!(server.requests().len(), 2);
    }
}

#[test]
fn connection_failures_are_retried_and_tls_failures_are_not() {
    // A port that was free a moment ago, and where nobody listens.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = builder_at(&format!("http://{address}/v1"));
    // RFC 6761 section 6.4 reserves this top-level name.
    let unknown = builder_at("http://no-such-host.invalid/v1").allow_plain_http(true);
    for (builder, phase) in [(refused, Phase::Connect), (unknown, Phase::Resolve)] {
        let client = builder.retry(quick_retries(2)).build().unwrap();
        let error = client.chat("hi").unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Connection, Some(phase)), "{error}");
        assert_eq!(error.attempts().len(), 3);
        assert_eq!(last(&error), GiveUp::RetriesSpent);
    }
    if cfg!(any(feature = "rustls", feature = "native-tls")) {
        let server = loopback();
        let plain = server.base_url("openai").replace("http://", "https://");
        let client = builder(&server, "openai").base_url(plain);
        let error = client.retry(quick_retries(2)).build().unwrap().chat("hi").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
        assert_eq!((error.attempts().len(), last(&error)), (1, GiveUp::Lasting));
        assert_eq!(server.connections().opened, 1);
    }
}

#[test]
fn retries_end_with_the_last_failure_and_list_them_all() {
    let server = loopback();
    server.reply(Reply::status(500));
    server.reply(Reply::reset());
    server.default_reply(Reply::error(503, "overloaded", "still busy"));
    let client = builder(&server, "openai").retry(quick_retries(3));
    let error = client.pool(no_second_sending()).build().unwrap().chat("hi").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert_eq!(error.message(), "still busy");
    assert!(error.to_string().contains("4 attempts"), "{error}");
    assert_eq!(server.requests().len(), 4);
    let ends: Vec<_> = error
        .attempts()
        .iter()
        .map(|attempt| attempt.failure.as_ref().unwrap())
        .map(|failure| (failure.kind, failure.status, failure.phase))
        .collect();
    assert_eq!(
        ends,
        [
            (ErrorKind::Server, Some(500), None),
            (ErrorKind::Connection, None, Some(Phase::FirstByte)),
            (ErrorKind::Overloaded, Some(503), None),
            (ErrorKind::Overloaded, Some(503), None),
        ]
    );
    assert_eq!(last(&error), GiveUp::RetriesSpent);
    let starts: Vec<_> = error.attempts().iter().map(|attempt| attempt.started_after).collect();
    assert!(starts.windows(2).all(|pair| pair[0] < pair[1]), "{starts:?}");
}

/// Makes one call that is refused once with `headers`, and returns its attempts.
fn refused_once(status: u16, headers: &[(&str, &str)]) -> (Result<Decision, GiveUp>, usize) {
    let server = loopback();
    let refusal = Reply::error(status, "", "slow down");
    server.reply(headers.iter().fold(refusal, |reply, (name, value)| reply.header(*name, *value)));
    let sleeper = Recorder::default();
    let client = builder(&server, "openai")
        .timeout(Duration::from_secs(60))
        .retry(even(1))
        .sleeper(sleeper.clone())
        .build()
        .unwrap();
    let outcome = match client.chat("hi") {
        Ok(response) => {
            let decision = response.attempts()[0].decision.unwrap();
            let Decision::Retry { after, .. } = decision else { panic!("{decision:?}") };
            assert_eq!(sleeper.take(), [after]);
            Ok(decision)
        }
        Err(error) => {
            assert_eq!((error.status(), sleeper.take()), (Some(status), Vec::new()));
            Err(last(&error))
        }
    };
    (outcome, server.requests().len())
}

#[test]
fn every_form_of_retry_after_is_understood() {
    let retry = |millis, wait| Ok(Decision::Retry { after: Duration::from_millis(millis), wait });
    let asked = |millis| retry(millis, Wait::RetryAfter);
    let reset = |millis| retry(millis, Wait::RateLimitReset);
    let backoff = || retry(500, Wait::Backoff);
    for (headers, expected) in [
        (&[("retry-after", "7")][..], asked(7_000)),
        (&[("retry-after", "0.25")], asked(250)),
        (&[("retry-after-ms", "1500")], asked(1_500)),
        (&[("x-ms-retry-after-ms", "40")], asked(40)),
        (&[("retry-after-ms", "40"), ("retry-after", "9")], asked(40)),
        (&[("retry-after", "59")], asked(59_000)),
        (&[("retry-after", "61")], Err(GiveUp::DeadlineTooNear)),
        (&[("retry-after", "121")], Err(GiveUp::WaitTooLong)),
        (&[("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT")], Err(GiveUp::WaitTooLong)),
        (&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], backoff()),
        (&[("retry-after", "0")], backoff()),
        (&[("retry-after", "-7")], backoff()),
        (&[("retry-after", "NaN")], backoff()),
        (&[("retry-after", "soon")], backoff()),
        (&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "1s")], reset(1000)),
        (
            &[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "6m0s")],
            reset(8000),
        ),
        (&[("x-ratelimit-remaining-tokens", "1"), ("x-ratelimit-reset-tokens", "1s")], backoff()),
        (&[("x-should-retry", "false"), ("retry-after", "1")], Err(GiveUp::Forbidden)),
        (&[], backoff()),
    ] {
        let sent = if expected.is_ok() { 2 } else { 1 };
        assert_eq!(refused_once(429, headers), (expected, sent), "{headers:?}");
    }
    assert_eq!(refused_once(503, &[("retry-after", "3")]), (asked(3_000), 2));
}

#[test]
fn a_wait_that_the_server_asks_for_is_honoured() {
    let server = loopback();
    server.reply(Reply::status(429).header("retry-after-ms", "30"));
    let client = builder(&server, "openai").retry(quick_retries(1)).build().unwrap();
    let response = client.chat("hi").unwrap();
    assert!(response.latency >= Duration::from_millis(30));
    assert!(response.attempts()[1].started_after >= Duration::from_millis(30));
}

#[test]
fn a_timeout_has_the_last_other_failure_as_its_source() {
    let server = loopback();
    server.reply(Reply::error(503, "overloaded", "busy"));
    server.reply(Reply::hang());
    let client = builder(&server, "openai")
        .timeout(Duration::from_millis(1500))
        .retry(quick_retries(5))
        .build()
        .unwrap();
    let error = client.chat("hi").unwrap_err();
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::FirstByte)));
    assert_eq!(error.attempts().len(), 2);
    assert!(error.to_string().contains("2 attempts"), "{error}");
    let source = error.source().and_then(|source| source.downcast_ref::<Error>()).unwrap();
    assert_eq!((source.status(), source.message()), (Some(503), "busy"));
}

#[test]
fn a_second_send_within_an_attempt_is_listed() {
    let server = loopback();
    server.reply(Reply::text("one"));
    server.reply(Reply::reset());
    let client = builder(&server, "openai").build().unwrap();
    assert!(!client.chat("hi").unwrap().attempts()[0].resent);
    let response = client.chat("hi").unwrap();
    assert_eq!((response.attempts().len(), server.requests().len()), (1, 3));
    assert!(response.attempts()[0].resent);
    assert!(response.attempts()[0].to_string().ends_with("sent twice"));
    server.reply(Reply::reset());
    assert!(client.stream("hi").unwrap().attempts()[0].resent);
}

#[test]
fn an_ambiguous_failure_is_sent_once_without_retry_ambiguous() {
    let strict = RetryConfig { retry_ambiguous: false, ..quick_retries(3) };
    for (reply, sent) in [
        (Reply::status(500), 1),
        (Reply::status(502), 1),
        (Reply::status(504), 1),
        (Reply::reset(), 1),
        (Reply::text("half").cut_after(10), 1),
        (Reply::status(429), 2),
        (Reply::error(503, "server_error", "lost the upstream"), 1),
        (Reply::error(503, "overloaded_error", "busy"), 2),
        (Reply::status(529), 2),
    ] {
        let server = loopback();
        server.reply(reply);
        let client = builder(&server, "openai").retry(strict).build().unwrap();
        match client.chat("hi") {
            Ok(response) => assert_eq!(response.attempts().len(), sent),
            Err(error) => assert_eq!(last(&error), GiveUp::Ambiguous, "{error}"),
        }
        assert_eq!(server.requests().len(), sent);
    }
    // Also not on a new connection after an idle one died.
    let server = loopback();
    server.reply(Reply::text("one"));
    server.reply(Reply::reset());
    let client = builder(&server, "openai").retry(strict).build().unwrap();
    client.chat("hi").unwrap();
    assert_eq!(last(&client.chat("hi").unwrap_err()), GiveUp::Ambiguous);
    assert_eq!(server.requests().len(), 2);
}

/// The header of each request that came.
fn sent(server: &Loopback, name: &str) -> Vec<Option<String>> {
    server.requests().iter().map(|request| request.header(name).map(str::to_owned)).collect()
}

#[test]
fn every_attempt_sends_its_number_and_the_idempotency_key_of_its_call() {
    for provider in BOTH {
        let server = loopback();
        let fails_twice = || {
            server.reply(Reply::status(500));
            server.reply(Reply::reset());
        };
        fails_twice();
        let client = builder(&server, provider).retry(quick_retries(2)).pool(no_second_sending());
        let plain = client.clone().build().unwrap();
        plain.chat("hi").unwrap();
        let counts = ["0", "1", "2"].map(|count| Some(count.to_owned()));
        assert_eq!(sent(&server, "x-stainless-retry-count"), counts);
        assert_eq!(sent(&server, "idempotency-key"), [None, None, None]);

        let keyed = client.idempotency_keys(true).build().unwrap();
        fails_twice();
        keyed.chat("hi").unwrap();
        keyed.chat("hi").unwrap();
        plain.chat(ChatRequest::from("hi").idempotency_key("order-7")).unwrap();
        let keys = sent(&server, "idempotency-key").split_off(3);
        assert!(keys[0].as_ref().is_some_and(|key| key.len() > 30), "{keys:?}");
        assert!(keys[0] == keys[1] && keys[1] == keys[2], "{keys:?}");
        assert!(keys[3].is_some() && keys[3] != keys[0], "{keys:?}");
        assert_eq!(keys[4].as_deref(), Some("order-7"));
    }
}

#[test]
fn an_idempotency_key_that_cannot_be_sent_is_refused() {
    let server = loopback();
    let client = support::client(&server, "openai");
    for key in ["", " ", "a\nb"] {
        let error = client.chat(ChatRequest::from("hi").idempotency_key(key)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains("idempotency key"), "{error}");
    }
    assert_eq!(server.connections().opened, 0);
}

/// 200 threads, ten calls each; how many were answered.
fn storm(client: &Client) -> usize {
    let answered = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..200 {
            let (client, answered) = (client.clone(), &answered);
            scope.spawn(move || {
                let answers = (0..10).filter(|_| client.chat("hi").is_ok()).count();
                *answered.lock().unwrap() += answers;
            });
        }
    });
    answered.into_inner().unwrap()
}

fn stormy(server: &Loopback, budget: RetryBudget) -> ClientBuilder {
    builder(server, "openai")
        .retry(RetryConfig { budget, ..quick_retries(4) })
        .pool(PoolConfig { max_size: 16, ..PoolConfig::default() })
}

#[test]
fn retries_do_not_multiply_the_load_on_a_server_that_only_fails() {
    let server = loopback();
    server.record_requests(false);
    server.default_reply(Reply::status(503));
    let client = stormy(&server, RetryBudget::default()).build().unwrap();
    assert_eq!(storm(&client), 0);
    // The calls, and the budget's capacity on top.
    assert_eq!(server.request_count(), 2000 + 100);
    assert_eq!(client.retries_left(), 0);
    let error = client.chat("hi").unwrap_err();
    assert_eq!((error.attempts().len(), last(&error)), (1, GiveUp::BudgetSpent));
    assert!(error.to_string().contains("retry budget is empty"), "{error}");

    // Once calls succeed again, they refill the retry budget.
    server.default_reply(Reply::text("back"));
    assert_eq!(storm(&client), 2000);
    assert_eq!(client.retries_left(), 100);
}

#[test]
fn second_sends_draw_on_the_retry_budget_too() {
    let server = loopback();
    server.record_requests(false);
    // The server closes the connection at every second request.
    let budget = RetryBudget { capacity: 10, ..RetryBudget::default() };
    let client = builder(&server, "openai")
        .retry(RetryConfig { budget, ..quick_retries(0) })
        .build()
        .unwrap();
    for _ in 0..100 {
        server.reply(Reply::status(500));
        server.reply(Reply::reset());
    }
    let failed = (0..100).filter(|_| client.chat("hi").is_err()).count();
    assert_eq!((failed, server.request_count()), (100, 110));
}

#[test]
fn without_a_retry_budget_retries_multiply_the_load() {
    let server = loopback();
    server.record_requests(false);
    server.default_reply(Reply::status(503));
    let client = stormy(&server, RetryBudget::UNLIMITED).build().unwrap();
    assert_eq!(storm(&client), 0);
    assert_eq!(server.request_count(), 2000 * 5);
}
