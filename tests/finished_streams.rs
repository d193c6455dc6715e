//! A finished answer is complete, whether or not the server sends an end marker.

mod support;

use std::io::{Read, Write};
use std::sync::Mutex;
use std::time::Duration;
use support::server::{RawServer, request, send, word};
use support::{builder, builder_at, loopback, quick_retries};
use tollgate::testing::{Framing, Reply};
use tollgate::{Client, ErrorKind, StreamEvent, UsageSource};

/// Longer than any test runs: a caller that waits for this hangs.
const FOREVER: Duration = Duration::from_secs(3_600);

const TEXT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
const FINISH: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n";

/// Anthropic's, which has its usage with the stop reason.
const MESSAGE: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":",
    "{\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,",
    "\"content_block\":{\"type\":\"text\",\"text\":\"Hi\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
);
const STOP: &str = concat!(
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":",
    "{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\n",
);
const PING: &str = "event: ping\ndata: {\"type\":\"ping\"}\n\n";

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

fn head() -> String {
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        .into()
}

fn patient(url: &str) -> Client {
    builder_at(url).timeout(FOREVER).idle_timeout(FOREVER).build().unwrap()
}

#[test]
fn a_server_that_neither_ends_nor_closes_does_not_delay_the_end() {
    for body in [[TEXT, FINISH].concat(), [TEXT, FINISH, USAGE].concat(), FINISH.to_owned()] {
        let (closed, wait) = word();
        let sent = body.clone();
        let server = RawServer::start(move |_, mut socket| {
            if request(&mut socket).is_none() {
                return;
            }
            send(&mut socket, &(head() + &chunk(&sent)));
            // Until the client hangs up.
            assert_eq!(socket.read(&mut [0]).unwrap_or(0), 0);
            closed.send(()).unwrap();
        });
        let client = patient(&server.base_url());
        let response = client.stream("hi").unwrap().finish().unwrap();
        assert_eq!(response.text(), if body.contains("Hi") { "Hi" } else { "" });
        let counted = response.usage.source == UsageSource::Reported;
        assert_eq!(counted, body.contains("usage"), "{body}");
        wait();
    }
}

#[test]
fn pings_in_place_of_the_end_marker_do_not_delay_the_end() {
    let (closed, wait) = word();
    let server = RawServer::start(move |_, mut socket| {
        if request(&mut socket).is_none() {
            return;
        }
        send(&mut socket, &(head() + &chunk(&[MESSAGE, STOP].concat())));
        // Until the client hangs up.
        while socket.write_all(chunk(PING).as_bytes()).is_ok() {
            std::thread::yield_now();
        }
        closed.send(()).unwrap();
    });
    let client = builder_at(server.base_url().trim_end_matches("/v1"))
        .provider("anthropic")
        .timeout(FOREVER)
        .idle_timeout(FOREVER)
        .build()
        .unwrap();
    let response = client.stream("hi").unwrap().finish().unwrap();
    assert_eq!((response.text().as_str(), response.usage.completion_tokens), ("Hi", 2));
    assert_eq!(response.usage.source, UsageSource::Reported);
    wait();
}

#[test]
fn usage_that_comes_after_the_finish_reason_is_kept() {
    let (seen, wait) = word();
    let wait = Mutex::new(wait);
    let server = RawServer::start(move |_, mut socket| {
        if request(&mut socket).is_none() {
            return;
        }
        send(&mut socket, &(head() + &chunk(&[TEXT, FINISH].concat())));
        (wait.lock().unwrap())();
        send(&mut socket, &chunk(": still counting\n\n"));
        send(&mut socket, &chunk(USAGE));
        let _ = socket.read(&mut [0]);
    });
    let client = patient(&server.base_url());
    let mut stream = client.stream("hi").unwrap();
    let first = stream.next().unwrap().unwrap();
    assert_eq!(first, StreamEvent::TextDelta("Hi".into()));
    seen.send(()).unwrap();
    let usage = stream.finish().unwrap().usage;
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (5, 2));
    assert_eq!(usage.source, UsageSource::Reported);
}

#[test]
fn a_body_that_ends_properly_is_complete_and_a_truncated_one_is_not() {
    for (provider, body, whole) in [
        ("openai", [TEXT, FINISH].concat(), true),
        ("openai", [TEXT, FINISH, USAGE].concat(), true),
        ("openai", [TEXT, USAGE].concat(), false),
        ("openai", TEXT.to_owned(), false),
        ("openai", [TEXT, FINISH, &USAGE[..20]].concat(), false),
        ("anthropic", [MESSAGE, STOP].concat(), true),
        ("anthropic", [MESSAGE, STOP, PING, "data: [DONE]\n\n"].concat(), true),
        ("anthropic", MESSAGE.to_owned(), false),
        ("anthropic", [MESSAGE, STOP, "event: message_stop\ndata: {\"ty"].concat(), false),
    ] {
        for framing in [Framing::Chunked, Framing::UntilClose] {
            let server = loopback();
            let reply = Reply::raw(200, "text/event-stream", body.as_str()).framing(framing);
            server.reply(reply);
            let client = support::client(&server, provider);
            let outcome = client.stream("hi").unwrap().finish();
            let kind = outcome.err().map(|error| error.kind());
            assert_eq!(kind, (!whole).then_some(ErrorKind::Truncated), "{framing:?} {body}");
        }
        // The same bytes, but the connection is cut before the body ends.
        let server = loopback();
        let padded = body.clone() + ": more\n\n";
        let reply = Reply::raw(200, "text/event-stream", padded);
        server.reply(reply.cut_after(body.len()));
        let client = support::client(&server, provider);
        let error = client.stream("hi").unwrap().finish().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{body}");
    }
}

#[test]
fn the_text_of_a_broken_stream_is_never_empty_without_an_error() {
    for provider in ["openai", "anthropic"] {
        let server = loopback();
        server.reply(Reply::text("one two three").end_after(4));
        let client = support::client(&server, provider);
        let mut stream = client.stream("hi").unwrap();
        let seen = stream.text().collect::<Result<String, _>>().unwrap_err();
        for _ in 0..2 {
            let again = stream.text().collect::<Result<String, _>>().unwrap_err();
            assert_eq!(again.kind(), seen.kind());
        }
        let mut deltas = stream.text();
        assert!(deltas.next().unwrap().is_err());
        assert!(deltas.next().is_none());
        drop(deltas);
        assert!(stream.next().is_none());
        // After an orderly end there is nothing left to yield.
        server.reply(Reply::text("one"));
        let mut stream = client.stream("hi").unwrap();
        assert_eq!(stream.text().collect::<Result<String, _>>().unwrap(), "one");
        assert_eq!(stream.text().collect::<Result<String, _>>().unwrap(), "");
    }
}

#[test]
fn an_error_inside_an_answer_is_retried_by_its_class() {
    let wrong = [
        (
            r#"{"choices":[{"finish_reason":"error","message":{"content":""},"delta":{"content":""}}]}"#,
            true,
        ),
        (r#"{"choices":[],"x_groq":{"id":"req_x","error":"over capacity"}}"#, true),
        (r#"{"choices":[{"error":"gone","message":{"content":""},"delta":{}}]}"#, true),
        (r#"{"choices":[],"error":{"code":502,"message":"Provider returned error"}}"#, true),
        (r#"{"choices":[],"error":{"code":401,"message":"No such key"}}"#, false),
        (r#"{"choices":[{}]}"#, false),
    ];
    for (body, retried) in wrong {
        let server = loopback();
        let client = builder(&server, "openai").retry(quick_retries(1)).build().unwrap();
        for streamed in [false, true] {
            let reply = match streamed {
                false => Reply::raw(200, "application/json", body),
                true => {
                    let events = format!("data: {body}\n\ndata: [DONE]\n\n");
                    Reply::raw(200, "text/event-stream", events)
                }
            };
            server.clear();
            server.reply(reply);
            server.reply(Reply::text("Hi"));
            let outcome = match streamed {
                false => client.chat("hi"),
                true => client.stream("hi").and_then(|mut stream| stream.finish()),
            };
            match outcome.map(|response| response.text()) {
                Ok(text) => assert!(retried && text == "Hi", "{streamed} {body}"),
                Err(error) => assert!(!retried, "{streamed} {body}: {error}"),
            }
        }
    }
}
