//! What is tried again and what is not, counted at the server.

mod support;

use std::time::Duration;
use support::{builder, loopback, quick_retries};
use tollgate::testing::Reply;
use tollgate::{ErrorKind, Provider};

#[test]
fn passing_failures_are_tried_again_until_the_answer_comes() {
    for provider in [Provider::OpenAi, Provider::Anthropic] {
        for failure in [
            Reply::status(408),
            Reply::status(409),
            Reply::error(429, "rate_limit_error", "slow down"),
            Reply::status(500),
            Reply::status(502),
            Reply::error(503, "overloaded_error", "busy"),
            Reply::status(504),
            Reply::error(529, "overloaded_error", "busy"),
            Reply::reset(),
            Reply::text("half").cut_after(10),
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
fn lasting_failures_are_not() {
    for (reply, kind) in [
        (Reply::error(400, "invalid_request_error", "no"), ErrorKind::InvalidRequest),
        (Reply::error(401, "invalid_api_key", "no"), ErrorKind::Authentication),
        (Reply::error(403, "permission_error", "no"), ErrorKind::Permission),
        (Reply::error(404, "not_found_error", "no"), ErrorKind::NotFound),
        (Reply::error(429, "insufficient_quota", "no credit"), ErrorKind::QuotaExhausted),
        (Reply::raw(200, "text/plain", "nonsense"), ErrorKind::Protocol),
        (Reply::status(500).header("x-should-retry", "false"), ErrorKind::Server),
    ] {
        let server = loopback();
        server.reply(reply);
        let client = builder(&server, Provider::OpenAi).retry(quick_retries(5)).build().unwrap();
        let error = client.chat("hi").unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.attempts().len(), 1);
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn retries_end_with_the_last_failure() {
    let server = loopback();
    server.otherwise(Reply::error(503, "overloaded", "still busy"));
    let client = builder(&server, Provider::OpenAi).retry(quick_retries(3)).build().unwrap();
    let error = client.chat("hi").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert_eq!(error.message(), "still busy");
    assert_eq!(error.attempts().len(), 4);
    assert!(error.to_string().contains("4 attempts"), "{error}");
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_wait_the_server_asks_for_is_kept_to_unless_it_passes_the_deadline() {
    let server = loopback();
    server.reply(Reply::error(429, "rate_limit_error", "slow down").header("retry-after-ms", "2"));
    let client = builder(&server, Provider::OpenAi).retry(quick_retries(1)).build().unwrap();
    assert_eq!(client.chat("hi").unwrap().attempts().len(), 2);

    for (header, value) in
        [("retry-after", "31"), ("retry-after", "1000"), ("retry-after-ms", "30500")]
    {
        server.reply(Reply::error(429, "rate_limit_error", "slow down").header(header, value));
        let error = client.chat("hi").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        assert!(error.retry_after().unwrap() > Duration::from_secs(30));
        assert_eq!(error.attempts().len(), 1, "the client's timeout is 30 s");
    }
}
