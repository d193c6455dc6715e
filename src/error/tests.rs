//! Tests of how errors are shown, how long they get, and their sources.

use super::*;
use crate::error::Wait;

#[test]
fn an_error_is_shown_on_one_line() {
    let error = Error::new(ErrorKind::RateLimited, "slow\n\n  down").with_status(429);
    let error = error
        .with_provider("openai")
        .with_code(Some("rate_limit_exceeded".to_owned()))
        .with_request_id(Some("req_1".to_owned()))
        .with_retry_hints(Some(Duration::from_secs(2)), None);
    let attempt = |decision| Attempt {
        number: 0,
        provider: "openai".to_owned(),
        model: "gpt-4o".to_owned(),
        started_after: Duration::ZERO,
        duration: Duration::ZERO,
        resent: false,
        failure: Some((&error).into()),
        decision: Some(decision),
    };
    let retry = Decision::Retry { after: Duration::ZERO, wait: Wait::Backoff };
    let attempts = vec![attempt(retry), attempt(Decision::GiveUp(GiveUp::RetriesSpent))];
    let error = error.with_attempts(attempts);
    assert_eq!(
        error.to_string(),
        "rate limited: slow down (openai, status 429, code rate_limit_exceeded, \
         request req_1, retry after 2s, 2 attempts)"
    );
    assert_eq!(error.message(), "slow\n\n  down");
    assert_eq!(Error::new(ErrorKind::Cancelled, "").to_string(), "cancelled");
    assert_eq!(Error::timeout(Phase::FirstByte).to_string(), "timed out waiting for the response");
}

#[test]
fn long_messages_are_cut() {
    let error = Error::new(ErrorKind::Server, "é".repeat(5_000)).bounded();
    assert!(error.message().starts_with("éé") && error.message().len() < 2_010);
    assert_eq!(Error::new(ErrorKind::Server, "short").bounded().message(), "short");
}

#[test]
fn text_from_a_server_is_cut_and_cannot_steer_a_terminal() {
    let error = Error::new(ErrorKind::Server, "a\u{1b}]0;b\u{7}\u{9b}2J\u{202e}c\r\n\td");
    assert_eq!(error.clone().bounded().message(), "a ]0;b  2J c \n\td");
    assert_eq!(error.to_string(), "server error: a ]0;b 2J c d");
    let error = Error::new(ErrorKind::Server, "é".repeat(5_000))
        .with_code(Some(format!("a\u{1b}[31m\nb{}", "é".repeat(500))))
        .with_request_id(Some("r\0".repeat(500)))
        .bounded();
    assert!(error.message().starts_with("éé") && error.message().len() < 2_010);
    let code = error.code().unwrap();
    assert!(code.starts_with("a [31m béé") && code.len() <= 203, "{code:?}");
    assert_eq!(error.request_id(), Some(format!("{}…", "r ".repeat(100)).as_str()));
}

#[test]
fn source_returns_the_cause() {
    let cause = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let error = Error::new(ErrorKind::Connection, "broke").with_source(cause);
    assert!(error.source().is_some_and(|cause| cause.is::<std::io::Error>()));
}
