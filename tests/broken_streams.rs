//! A stream that fails is retried until its first event. After that the failure is an error: a
//! truncated stream never counts as complete.

mod support;

use std::error::Error as _;
use std::time::Duration;
use support::server::{RawServer, request, send, word};
use support::stream::{AT_ONCE, BOTH, CHUNK, at_rest, drain, first_word_and_end, head, whole};
use support::{builder, builder_at, loopback, quick_retries};
use tollgate::testing::{Framing, Loopback, Reply};
use tollgate::{Decision, Error, ErrorKind, GiveUp, Phase};

#[test]
fn a_failure_before_the_first_event_is_retried() {
    for provider in BOTH {
        for failure in [
            Reply::status(500),
            Reply::error(429, "rate_limit_error", "slow down"),
            Reply::error(529, "overloaded_error", "busy"),
            Reply::reset(),
            Reply::disconnect(),
            Reply::text("never seen").cut_after(0),
            Reply::text("never seen").cut_after(5),
            Reply::text("never seen").reset_after(0),
            Reply::text("never seen").stream_error(0, "overloaded_error", "busy"),
        ] {
            let server = loopback();
            server.reply(failure);
            server.reply(Reply::text("at last"));
            let client = builder(&server, provider).retry(quick_retries(1)).build().unwrap();
            let mut stream = client.stream("hi").unwrap();
            assert_eq!(stream.attempts().len(), 2);
            assert_eq!(whole(&mut stream), "at last");
            assert_eq!(stream.finish().unwrap().attempts().len(), 2);
            assert_eq!(server.requests().len(), 2);
        }
    }
}

#[test]
fn a_failure_that_cannot_be_retried_is_an_error_of_the_call() {
    let server = loopback();
    let client = builder(&server, "openai").retry(quick_retries(3)).build().unwrap();
    for (reply, kind) in [
        (Reply::error(401, "invalid_api_key", "no"), ErrorKind::Authentication),
        (Reply::error(400, "context_length_exceeded", "no"), ErrorKind::ContextWindowExceeded),
        (Reply::raw(200, "text/html", "<html>It works!</html>"), ErrorKind::Protocol),
        (
            Reply::text("x").stream_error(0, "insufficient_quota", "no credit"),
            ErrorKind::QuotaExhausted,
        ),
    ] {
        server.reply(reply);
        let error = client.stream("hi").unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.attempts().len(), 1);
        assert!(error.request_id().is_some());
        assert_eq!(error.provider(), Some("openai"));
    }
    assert_eq!(server.requests().len(), 4);
    at_rest(&client);
}

/// The end of a stream that begins with "one two three" and then fails. Also checks that its error
/// stays the same.
fn broken(provider: &str, reply: Reply) -> (Error, String, Loopback) {
    let server = loopback();
    server.reply(reply);
    server.default_reply(Reply::text("a second time"));
    let client = builder(&server, provider)
        .retry(quick_retries(3))
        .idle_timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    let mut stream = client.stream("hi").unwrap();
    let (text, error) = drain(&mut stream);
    let error = error.expect("a stream that breaks off is an error");
    assert!(stream.next().is_none() && stream.is_ended());
    assert_eq!(stream.finish().unwrap_err().to_string(), error.to_string());
    let partial = stream.partial();
    assert!(partial.text().starts_with(&text), "{text:?}");
    assert_eq!(server.requests().len(), 1, "a stream that has begun is not tried again");
    let last = error.attempts().last().unwrap();
    assert_eq!(last.decision, Some(Decision::GiveUp(GiveUp::StreamStarted)));
    assert_eq!(last.failure.as_ref().unwrap().kind, error.kind());
    assert!(error.request_id().is_some());
    assert_eq!(partial.attempts(), error.attempts());
    drop(stream);
    at_rest(&client);
    // A connection whose body ended in order is kept.
    let idle = client.pool().total.idle as u64;
    assert!(server.wait_for_connections(|now| now.open == idle, AT_ONCE), "it is closed");
    (error, partial.text(), server)
}

#[test]
fn a_truncated_stream_is_always_an_error() {
    let words = "one two three four five six seven eight nine ten";
    for provider in BOTH {
        let (first, last) = first_word_and_end(provider, Reply::text(words));
        for framing in [Framing::Chunked, Framing::UntilClose] {
            for after in (first..last).step_by(97) {
                let reply = Reply::text(words).framing(framing).cut_after(after);
                let (error, text, _server) = broken(provider, reply);
                assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
                assert!(words.starts_with(&text) && text.len() < words.len(), "{text:?}");
            }
        }
        for reply in [
            Reply::text(words).end_after(5),
            Reply::text(words).end_after(5).framing(Framing::UntilClose),
        ] {
            let (error, text, _server) = broken(provider, reply);
            assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
            assert!(words.starts_with(&text) && !text.is_empty(), "{text:?}");
        }
    }
}

#[test]
fn a_reset_stalled_or_malformed_stream_is_an_error_that_says_which() {
    for provider in BOTH {
        let words = || Reply::text("one two three four five six seven ten");
        let (first, last) = first_word_and_end(provider, words());
        let (error, _, _server) = broken(provider, words().reset_after(last));
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Connection, Some(Phase::Body)));
        let (error, _, _server) = broken(provider, words().stall_after(first));
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::NextToken)));
        assert!(error.to_string().contains("waiting for the next token"), "{error}");
    }
}

#[test]
fn an_error_inside_a_stream_is_the_error_its_status_would_have_given() {
    for (provider, code, kind) in [
        ("openai", "rate_limit_exceeded", ErrorKind::RateLimited),
        ("openai", "server_error", ErrorKind::Server),
        ("openai", "insufficient_quota", ErrorKind::QuotaExhausted),
        ("anthropic", "overloaded_error", ErrorKind::Overloaded),
        ("anthropic", "rate_limit_error", ErrorKind::RateLimited),
        ("anthropic", "api_error", ErrorKind::Server),
    ] {
        let reply = Reply::text("one two three four").stream_error(4, code, "it went wrong");
        let (error, text, _server) = broken(provider, reply);
        assert_eq!((error.kind(), error.message()), (kind, "it went wrong"), "{error}");
        assert_eq!((error.code(), error.status()), (Some(code), Some(200)));
        assert!("one two three four".starts_with(&text) && !text.is_empty(), "{text:?}");
    }
}

#[test]
fn an_error_that_comes_with_the_first_event_comes_after_it() {
    let server = RawServer::start(|_, mut socket| {
        let _ = request(&mut socket);
        let error = "data: {\"error\":{\"message\":\"it broke\",\"code\":\"server_error\"}}\n\n";
        send(&mut socket, &(head() + CHUNK + error));
    });
    let client = builder_at(&server.base_url()).retry(quick_retries(3)).build().unwrap();
    let mut stream = client.stream("hi").unwrap();
    let (text, error) = drain(&mut stream);
    let error = error.unwrap();
    assert_eq!((text.as_str(), error.kind()), ("one ", ErrorKind::Server));
    assert!(error.source().is_none());
    assert_eq!((stream.partial().text().as_str(), server.connections()), ("one ", 1));
}

#[test]
fn a_key_repeated_by_a_stream_is_hidden() {
    let message = format!("bad key {}", support::KEY);
    let reply = Reply::text("one two three").stream_error(3, "server_error", message);
    let (error, ..) = broken("openai", reply);
    assert_eq!(error.message(), "bad key [key]");
}

#[test]
fn a_stream_in_another_format_is_an_error_and_not_retried() {
    let server = RawServer::start(|_, mut socket| {
        let _ = request(&mut socket);
        send(&mut socket, &(head() + CHUNK + CHUNK + "data: [DONE]\n\n"));
    });
    let client = builder_at(&server.base_url())
        .provider("anthropic")
        .retry(quick_retries(3))
        .build()
        .unwrap();
    let error = client.stream("hi").unwrap_err();
    assert_eq!((error.kind(), server.connections()), (ErrorKind::Protocol, 1), "{error}");
    assert!(error.to_string().contains("provider matches the base URL"), "{error}");
}

/// JSON at the depth limit and above it, wherever an answer keeps unknown members: above the limit
/// it is an error, and in no case does the process end.
#[test]
fn deep_json_is_read_or_refused() {
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let openai = |member: &str, value: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"{member}\":{value}}}}}]}}\n\n")
    };
    let anthropic = |block: &str| {
        format!(
            "data: {{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{block}}}\n\n"
        )
    };
    for levels in [60, 110, 120, 200, 20_000] {
        let deep = deep(levels);
        let mut bodies: Vec<_> = ["annotations", "content", "audio", "tool_calls", "function_call"]
            .into_iter()
            .map(|member| ("openai", CHUNK.to_owned() + &openai(member, &deep)))
            .collect();
        bodies.push(("openai", format!("{CHUNK}data: {{\"error\":{deep}}}\n\n")));
        let start = "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":\
                     {\"type\":\"text\",\"text\":\"one \"}}\n\n";
        for block in [deep.clone(), format!("{{\"type\":\"new\",\"x\":{deep}}}")] {
            bodies.push(("anthropic", start.to_owned() + &anthropic(&block)));
        }
        for (provider, body) in bodies {
            let (word, wait) = word();
            let server = RawServer::start(move |_, mut socket| {
                let _ = request(&mut socket);
                let (first, rest) = body.split_at(body.find("\n\n").unwrap() + 2);
                send(&mut socket, &(head() + first));
                wait();
                send(&mut socket, rest);
            });
            let url = server.base_url();
            let client = builder_at(&url).provider(provider).model("m").build().unwrap();
            let mut stream = client.stream("hi").unwrap();
            // The reader's thread gets the rest.
            word.send(()).unwrap();
            let (text, error) = drain(&mut stream);
            assert_eq!(text, "one ");
            assert!(error.is_some());
            let _ = stream.partial();
        }
    }
}
