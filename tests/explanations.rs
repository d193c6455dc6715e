//! Errors say what was called, what it answered and what to change.

mod support;

use serde_json::json;
use std::time::Duration;
use support::server::{RawServer, request, send};
use support::{builder, loopback, quick_retries};
use tollgate::testing::Reply;
use tollgate::{ChatRequest, Client, ClientBuilder, Decision, Error, ErrorKind, RetryConfig, Wait};

/// The errors of a call and of a stream that both get this answer from a server without the
/// requested path.
fn astray(provider: &str, status: &str, kind: &str, body: &str) -> [Error; 2] {
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let server = RawServer::start(move |_, mut socket| {
        while request(&mut socket).is_some() {
            send(&mut socket, &answer);
        }
    });
    let base = format!("http://{}/api?api-version=secret-version", server.address());
    errors(Client::builder().provider(provider).model("m").api_key(support::KEY).base_url(base))
}

fn both(provider: &str, reply: &Reply) -> [Error; 2] {
    let server = loopback();
    server.reply(reply.clone());
    server.reply(reply.clone());
    errors(builder(&server, provider))
}

/// The errors of a call and of a stream.
fn errors(builder: ClientBuilder) -> [Error; 2] {
    let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let client = builder.retry(retry).build().unwrap();
    let whole = client.chat("a private prompt").unwrap_err();
    let streamed = match client.stream("a private prompt") {
        Err(error) => error,
        Ok(mut stream) => stream.finish().unwrap_err(),
    };
    for error in [&whole, &streamed] {
        assert!(!format!("{error} {error:?}").contains("secret-version"), "{error}");
        assert!(!format!("{error} {error:?}").contains("private prompt"), "{error}");
    }
    [whole, streamed]
}

#[test]
fn a_page_or_a_bare_404_names_the_address_and_suggests_what_is_missing() {
    let page = "<!doctype html><html><head><title>It works!</title></head></html>";
    let json = "application/json";
    for (status, content, body, kind) in [
        ("200 OK", "text/html", page, ErrorKind::Protocol),
        ("404 Not Found", "text/html", page, ErrorKind::NotFound),
        ("404 Not Found", "text/plain", "", ErrorKind::NotFound),
        ("404 Not Found", "text/plain", "404 page not found", ErrorKind::NotFound),
        ("404 Not Found", json, r#"{"detail": "Not Found"}"#, ErrorKind::NotFound),
        ("405 No", json, r#"{"detail": "Method Not Allowed"}"#, ErrorKind::InvalidRequest),
    ] {
        for error in astray("openai", status, content, body) {
            assert_eq!(error.kind(), kind, "{error}");
            for expected in [
                "/api/chat/completions; check the base URL",
                ".base_url(",
                "OPENAI_BASE_URL",
                "/api/v1)?",
            ] {
                assert!(error.message().contains(expected), "{expected}: {error}");
            }
        }
        for error in astray("anthropic", status, content, body) {
            assert!(error.message().contains("/api/v1/messages; check the base URL"), "{error}");
            assert!(!error.message().contains("missing"), "{error}");
            assert!(error.message().contains("variable ANTHROPIC_BASE_URL"), "{error}");
            assert!(!error.message().contains("OPENAI"), "{error}");
        }
    }
}

#[test]
fn an_unknown_model_is_not_taken_for_a_wrong_address() {
    let reply = Reply::error(404, "model_not_found", "The model `x` does not exist");
    for error in both("openai", &reply) {
        assert_eq!(error.message(), "The model `x` does not exist");
    }
}

#[test]
fn a_413_names_the_size_that_was_sent() {
    for error in both("openai", &Reply::raw(413, "text/plain", "Payload Too Large")) {
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().starts_with("Payload Too Large; the request had "), "{error}");
        assert!(error.message().contains(" bytes"), "{error}");
    }
    // The provider's own explanation stays as it is; only its full stop gives way to the advice.
    for error in both("openai", &Reply::error(413, "request_too_large", "Too large.")) {
        assert_eq!(error.message(), "Too large.");
        assert!(error.to_string().contains("Too large; the request had "), "{error}");
    }
}

#[test]
fn an_error_inside_an_event_stream_is_read() {
    let body = "event: error\ndata: {\"error\": {\"message\": \"slow down\", \"code\": \"x\"}}\n\n";
    for error in both("openai", &Reply::raw(429, "text/event-stream", body)) {
        assert_eq!((error.kind(), error.message()), (ErrorKind::RateLimited, "slow down"));
    }
}

#[test]
fn an_error_says_which_part_of_the_request_is_wrong() {
    let body = json!({"object": "error", "message": {"detail": [{"type": "extra_forbidden",
        "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]},
        "type": "invalid_request_error"});
    for error in both("mistral", &Reply::raw(422, "application/json", body.to_string())) {
        assert_eq!(error.message(), "stream_options: Extra inputs are not permitted");
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    }
}

#[test]
fn a_wait_in_the_body_is_part_of_the_error() {
    let body = json!([{"error": {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2.5s"}]}}]);
    for error in both("gemini-openai", &Reply::raw(429, "application/json", body.to_string())) {
        assert_eq!(error.retry_after(), Some(Duration::from_millis(2500)));
        assert!(error.is_rate_limited() && error.is_retryable());
    }
}

#[test]
fn a_wait_in_the_body_is_honoured_before_the_next_attempt() {
    let server = loopback();
    server.reply(Reply::error(429, "rate_limit_exceeded", "Please try again in 20ms."));
    server.reply(Reply::text("fine"));
    let client = builder(&server, "openai").retry(quick_retries(1)).build().unwrap();
    let response = client.chat(ChatRequest::from("hi")).unwrap();
    let Some(Decision::Retry { after, wait }) = response.attempts()[0].decision else { panic!() };
    assert_eq!(wait, Wait::RetryAfter);
    assert!(after >= Duration::from_millis(20), "{after:?}");
}
