//! Routes: a failure of one target does not reach the caller while another can serve the call.

mod support;

use std::time::Duration;
use support::quick_retries;
use support::routes::{Servers, touchy};
use tollgate::route::{RestReason, TargetStep};
use tollgate::testing::Reply;
use tollgate::{Decision, ErrorKind, GiveUp, NextEvent, RetryConfig};

#[test]
fn every_failure_of_a_target_moves_the_call_on() {
    for (reply, kind) in [
        (Reply::error(401, "invalid_api_key", "wrong key"), ErrorKind::Authentication),
        (Reply::error(403, "forbidden", "not allowed"), ErrorKind::Permission),
        (Reply::error(404, "model_not_found", "no such model"), ErrorKind::NotFound),
        (Reply::error(429, "insufficient_quota", "no credit"), ErrorKind::QuotaExhausted),
        (
            Reply::error(429, "rate_limit", "slow down").header("retry-after", "60"),
            ErrorKind::RateLimited,
        ),
        (Reply::error(500, "server_error", "it broke"), ErrorKind::Server),
        (Reply::error(503, "overloaded", "too busy"), ErrorKind::Overloaded),
        (Reply::disconnect(), ErrorKind::Connection),
        (Reply::text("x").malformed(), ErrorKind::Protocol),
    ] {
        for streamed in [false, true] {
            let servers = Servers::start();
            servers.0[0].reply(reply.clone());
            let client = servers.client();
            let response = match streamed {
                false => client.chat("hi").unwrap(),
                true => client.stream("hi").unwrap().finish().unwrap(),
            };
            assert_eq!(response.text(), "from anthropic", "{kind}");
            assert_eq!((response.provider.as_str(), response.attempts().len()), ("anthropic", 2));
            let first = &response.attempts()[0];
            assert_eq!(first.failure.as_ref().map(|failure| failure.kind), Some(kind));
            assert_eq!(first.decision, Some(Decision::FailOver), "{kind}");
            let trace = response.route().unwrap();
            let steps: Vec<_> = trace.targets.iter().map(|target| &target.steps[..]).collect();
            assert_eq!(
                steps,
                [&[TargetStep::Failed(kind)][..], &[TargetStep::Answered], &[]],
                "{kind}"
            );
        }
    }
}

#[test]
fn a_wrong_request_is_not_sent_elsewhere() {
    let servers = Servers::start();
    servers.0[0].reply(Reply::error(400, "invalid_request_error", "no such parameter"));
    let error = servers.client().chat("hi").unwrap_err();
    assert_eq!((error.kind(), error.provider()), (ErrorKind::InvalidRequest, Some("openai")));
    assert_eq!(servers.counts(), [1, 0, 0]);
}

#[test]
fn if_all_targets_fail_the_last_error_lists_every_attempt() {
    let servers = Servers::start();
    servers.0.iter().for_each(|server| server.default_reply(Reply::error(500, "x", "it broke")));
    let error = servers.client().chat("hi").unwrap_err();
    // Each target once, and then as many as `max_retries` allows.
    assert_eq!(servers.counts().iter().sum::<u64>(), 5, "{:?}", error.attempts());
    assert!(servers.counts().iter().all(|count| *count >= 1));
    assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::Server, 5));
}

#[test]
fn a_target_that_fails_rests_and_returns_after_one_served_call() {
    let servers = Servers::start();
    let rest = Duration::from_millis(200);
    let client = servers.builder(|route| route.breaker(touchy().rest(rest))).build().unwrap();
    servers.0[0].reply(Reply::error(500, "x", "it broke"));
    assert_eq!(client.chat("hi").unwrap().text(), "from anthropic");
    let response = client.chat("hi").unwrap();
    let step = &response.route().unwrap().targets[0].steps;
    assert!(
        matches!(step[..], [TargetStep::Resting { reason: RestReason::Failures, .. }]),
        "{step:?}"
    );
    assert_eq!(servers.counts(), [1, 2, 0], "nothing is sent to a target that rests");
    let resting = &client.targets()[0];
    assert_eq!((resting.rests, resting.failed), (Some(RestReason::Failures), 1));
    while client.targets()[0].returns_in.is_some_and(|left| !left.is_zero()) {
        std::thread::yield_now();
    }
    assert_eq!(client.chat("hi").unwrap().text(), "from openai");
    assert_eq!(client.targets()[0].rests, None);
}

#[test]
fn a_rate_limit_is_waited_for_if_it_is_short() {
    let servers = Servers::start();
    let limited =
        |ms: &str| Reply::error(429, "rate_limit_exceeded", "slow").header("retry-after-ms", ms);
    servers.0[0].reply(limited("20"));
    let response = servers.client().chat("hi").unwrap();
    assert_eq!((response.text(), servers.counts()), ("from openai".into(), [2, 0, 0]));

    let client = servers.client();
    servers.0[0].reply(limited("30000"));
    assert_eq!(client.chat("hi").unwrap().text(), "from anthropic");
    let left = client.targets()[0].returns_in.unwrap();
    assert!(left > Duration::from_secs(20) && left <= Duration::from_secs(30), "{left:?}");
}

#[test]
fn when_all_targets_rest_the_error_says_when_the_first_returns() {
    let servers = Servers::start();
    let client = servers.client();
    for (server, seconds) in servers.0.iter().zip(["90", "50", "70"]) {
        let limited = Reply::error(429, "rate_limit_exceeded", "slow");
        server.reply(limited.header("retry-after", seconds));
    }
    let first = client.chat("hi").unwrap_err();
    assert_eq!((first.kind(), first.attempts().len()), (ErrorKind::RateLimited, 3));
    let last = first.attempts()[2].decision;
    assert_eq!(last, Some(Decision::GiveUp(GiveUp::TargetsRest)));
    let error = client.chat("hi").unwrap_err();
    assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::RateLimited, 0));
    let left = error.retry_after().unwrap();
    assert!(left > Duration::from_secs(40) && left <= Duration::from_secs(50), "{left:?}");
    let message = error.to_string();
    assert!(message.contains("all targets of the route \"all\" rest"), "{message}");
    assert!(message.contains("groq/llama-3.3-70b-versatile: rests for"), "{message}");
    assert_eq!(servers.counts(), [1, 1, 1]);
}

#[test]
fn a_call_can_wait_until_a_target_returns() {
    let servers = Servers::start();
    let builder = servers.builder(|route| {
        route.breaker(touchy().rest(Duration::from_millis(30))).wait_for_targets(true)
    });
    let client = builder.retry(quick_retries(0)).build().unwrap();
    servers.0.iter().for_each(|server| server.reply(Reply::error(500, "x", "it broke")));
    assert_eq!(client.chat("hi").unwrap_err().kind(), ErrorKind::Server);
    assert!(client.targets().iter().all(|target| target.rests.is_some()));
    assert!(client.chat("hi").unwrap().text().starts_with("from "));
}

#[test]
fn a_stream_moves_on_until_its_first_event_and_never_after() {
    let servers = Servers::start();
    servers.0[0].reply(Reply::text("").stream_error(200, "overloaded_error", "busy"));
    let client = servers.client();
    let mut stream = client.stream("hi").unwrap();
    assert_eq!(stream.finish().unwrap().text(), "from anthropic");

    servers.0[0].reply(Reply::pieces(["one ", "two "]).end_after(2));
    let mut stream = client.stream("hi").unwrap();
    let error = loop {
        match stream.next_timeout(Duration::from_secs(30)) {
            Ok(NextEvent::Event(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert!(error.is_retryable(), "{error}");
    drop(stream);
    let first = &client.targets()[0];
    assert_eq!((first.failed, first.in_flight), (2, 0), "{first:?}");
    assert_eq!(servers.counts(), [2, 1, 0]);
}

#[test]
fn strict_mode_sends_nothing_elsewhere_that_may_have_been_billed() {
    let servers = Servers::start();
    let strict = RetryConfig { retry_ambiguous: false, ..quick_retries(2) };
    let client = servers.builder(|route| route).retry(strict).build().unwrap();
    servers.0[0].reply(Reply::error(500, "x", "it broke"));
    assert_eq!(client.chat("hi").unwrap_err().kind(), ErrorKind::Server);
    assert_eq!(servers.counts(), [1, 0, 0]);
    servers.0[0].reply(Reply::error(401, "x", "wrong key"));
    assert_eq!(client.chat("hi").unwrap().text(), "from anthropic");
}
