//! Answers that are read while they are written, and every way in which they end.

mod support;

use serde_json::json;
use std::collections::HashSet;
use std::error::Error as _;
use std::sync::mpsc::{Receiver, channel};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};
use support::listener::{connect, wait_for_the_end};
use support::server::{RawServer, request, send};
use support::{builder, builder_at, client, eventually, loopback, quick_retries};
use tollgate::testing::{Framing, Loopback, Reply};
use tollgate::{
    CancelToken, ChatRequest, ChatStream, Client, Decision, Error, ErrorKind, FinishReason, GiveUp,
    Message, Phase, PoolConfig, Provider, StreamEvent, UsageSource, select,
};

const BOTH: [Provider; 2] = [Provider::OpenAi, Provider::Anthropic];

/// Far more than anything here takes, and far less than what is being waited for.
const AT_ONCE: Duration = Duration::from_secs(20);

const LONG: Duration = Duration::from_secs(300);

/// The text of a stream up to its end, and its error if that is one.
fn drain(stream: &mut ChatStream) -> (String, Option<Error>) {
    let mut text = String::new();
    for delta in stream.text() {
        match delta {
            Ok(delta) => text.push_str(&delta),
            Err(error) => return (text, Some(error)),
        }
    }
    (text, None)
}

/// The text of a stream that ends well.
fn whole(stream: &mut ChatStream) -> String {
    let (text, error) = drain(stream);
    assert!(error.is_none(), "{error:?}");
    text
}

/// Nothing of a client is in use, and all its connections that are left are idle.
fn at_rest(client: &Client) {
    let total = client.pool().total;
    assert_eq!((total.active, total.opening, total.waiting), (0, 0, 0));
}

#[test]
fn a_stream_gives_what_the_whole_answer_would() {
    for provider in BOTH {
        let server = loopback();
        let reply = Reply::text("Let me look that up.")
            .reasoning("The user wants the weather.")
            .and_tool_call("weather", json!({"city": "Rome", "days": 3}))
            .and_tool_call("clock", json!({}))
            .usage(120, 30)
            .cached(64);
        let client = client(&server, provider);
        server.reply(reply.clone());
        let whole = client.chat("hi").unwrap();
        server.reply(reply);
        let mut stream = client.stream("hi").unwrap();
        let events: Vec<_> = stream.by_ref().collect::<Result<_, _>>().unwrap();
        assert!(matches!(events.last(), Some(StreamEvent::Finished(FinishReason::ToolCalls))));
        assert!(stream.is_ended() && stream.next().is_none() && stream.next().is_none());
        let streamed = stream.finish().unwrap();
        assert_eq!(streamed.text(), whole.text());
        assert_eq!(streamed.message.content.len(), whole.message.content.len());
        let calls = |message: &Message| -> Vec<_> {
            message
                .tool_calls()
                .map(|call| (call.name.clone(), call.parse::<serde_json::Value>().unwrap()))
                .collect()
        };
        assert_eq!(calls(&streamed.message).len(), 2);
        assert_eq!(
            format!("{:?}", calls(&streamed.message)),
            format!("{:?}", calls(&whole.message))
        );
        assert_eq!(streamed.usage, whole.usage);
        assert_eq!(streamed.finish_reason, whole.finish_reason);
        assert_eq!((streamed.model.as_str(), streamed.provider), (whole.model.as_str(), provider));
        assert!(streamed.request_id.is_some() && streamed.id.is_some());
        assert!(streamed.latency > Duration::ZERO);
        assert_eq!(streamed.attempts().len(), 1);
        at_rest(&client);
        assert_eq!(server.connections().opened, 1, "the connection was used again");
        assert_eq!(server.requests()[1].json()["stream"], true);
    }
}

#[test]
fn text_completions_stream_too() {
    let server = loopback();
    server.otherwise(Reply::text("and they lived happily ever after").usage(5, 7));
    let client = client(&server, Provider::OpenAi);
    for mut stream in [
        client.complete_stream("Once upon a time").unwrap(),
        client.stream(ChatRequest::from("Once").model("gpt-3.5-turbo-instruct")).unwrap(),
    ] {
        assert_eq!(whole(&mut stream), "and they lived happily ever after");
        assert_eq!(stream.finish().unwrap().usage.total_tokens, 12);
    }
    assert!(server.requests().iter().all(|request| request.path() == "/v1/completions"));
    let anthropic = support::client(&server, Provider::Anthropic);
    let error = anthropic.complete_stream("Once").unwrap_err();
    assert!(error.to_string().contains("no text completions"), "{error}");
}

#[test]
fn characters_split_over_packets_are_whole() {
    for provider in BOTH {
        for size in 1..5 {
            let server = loopback();
            let text = "Grüße aus Zürich: 你好, 🦀🦀!";
            server.reply(Reply::text(text).write_size(size));
            let mut stream = client(&server, provider).stream("hi").unwrap();
            assert_eq!(whole(&mut stream), text);
        }
    }
}

#[test]
fn a_stream_read_to_its_end_gives_its_connection_back() {
    for framing in [Framing::Chunked, Framing::ContentLength] {
        let server = loopback();
        server.otherwise(Reply::text("one two three").framing(framing));
        let client = client(&server, Provider::Anthropic);
        for _ in 0..20 {
            client.stream("hi").unwrap().finish().unwrap();
        }
        assert_eq!(server.connections().opened, 1);
        at_rest(&client);
    }
}

#[test]
fn what_fails_before_the_first_event_is_tried_again() {
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
fn what_cannot_be_tried_again_is_an_error_of_the_call() {
    let server = loopback();
    let client = builder(&server, Provider::OpenAi).retry(quick_retries(3)).build().unwrap();
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
        assert_eq!(error.provider(), Some(Provider::OpenAi));
    }
    assert_eq!(server.requests().len(), 4);
    at_rest(&client);
}

/// How a stream ends that begins with "one two three" and then fails, and that its
/// error stays the same.
fn broken(provider: Provider, reply: Reply) -> (Error, String, Loopback) {
    let server = loopback();
    server.reply(reply);
    server.otherwise(Reply::text("a second time"));
    let client = builder(&server, provider)
        .retry(quick_retries(3))
        .gap_timeout(Duration::from_millis(300))
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
    assert_eq!(last.decision, Some(Decision::GiveUp(GiveUp::StreamBegun)));
    assert_eq!(last.failure.as_ref().unwrap().kind, error.kind());
    assert!(error.request_id().is_some());
    assert_eq!(partial.attempts(), error.attempts());
    drop(stream);
    at_rest(&client);
    // One whose body ended in good order is kept.
    let idle = client.pool().total.idle as u64;
    assert!(server.wait_for_connections(|now| now.open == idle, AT_ONCE), "it is closed");
    (error, partial.text(), server)
}

/// Where the body of a streamed reply has its first word whole, and where the event
/// before its end marker begins.
fn first_word_and_end(provider: Provider, reply: Reply) -> (usize, usize) {
    let server = loopback();
    server.reply(reply.framing(Framing::UntilClose));
    let mut socket = connect(server.address()).unwrap();
    // As the client of `support::builder` asks.
    let (path, model) = match provider {
        Provider::OpenAi => ("/v1/chat/completions", "gpt-4o-mini"),
        _ => ("/v1/messages", "claude-haiku-4-5"),
    };
    let body = json!({
        "model": model, "max_tokens": 4096, "messages": [{"role": "user", "content": "hi"}],
        "stream": true, "stream_options": {"include_usage": true},
    })
    .to_string();
    let length = body.len();
    send(
        &mut socket,
        &format!("POST {path} HTTP/1.1\r\nhost: h\r\ncontent-length: {length}\r\n\r\n{body}"),
    );
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut socket, &mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let word = body.find("\"one").unwrap();
    let first = word + body[word..].find("\n\n").unwrap() + 2;
    let last = body.rfind("ten").unwrap();
    (first, last)
}

#[test]
fn a_stream_that_is_cut_short_is_never_taken_for_whole() {
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
    let (error, text, _server) =
        broken(Provider::Anthropic, Reply::text(words).without_end_marker());
    assert_eq!((error.kind(), text.as_str()), (ErrorKind::Truncated, words));
    assert!(error.to_string().contains("message_stop"), "{error}");
}

#[test]
fn a_stream_that_is_reset_or_stalls_or_makes_no_sense_says_so() {
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
        (Provider::OpenAi, "rate_limit_exceeded", ErrorKind::RateLimited),
        (Provider::OpenAi, "server_error", ErrorKind::Server),
        (Provider::OpenAi, "insufficient_quota", ErrorKind::QuotaExhausted),
        (Provider::Anthropic, "overloaded_error", ErrorKind::Overloaded),
        (Provider::Anthropic, "rate_limit_error", ErrorKind::RateLimited),
        (Provider::Anthropic, "api_error", ErrorKind::Server),
    ] {
        let reply = Reply::text("one two three four").stream_error(4, code, "it went wrong");
        let (error, text, _server) = broken(provider, reply);
        assert_eq!((error.kind(), error.message()), (kind, "it went wrong"), "{error}");
        assert_eq!((error.code(), error.status()), (Some(code), Some(200)));
        assert!("one two three four".starts_with(&text) && !text.is_empty(), "{text:?}");
    }
}

#[test]
fn a_key_that_a_stream_repeats_is_taken_out() {
    let message = format!("bad key {}", support::KEY);
    let reply = Reply::text("one two three").stream_error(3, "server_error", message);
    let (error, ..) = broken(Provider::OpenAi, reply);
    assert_eq!(error.message(), "bad key [key]");
}

#[test]
fn usage_that_never_comes_is_estimated_and_says_so() {
    for provider in BOTH {
        let server = loopback();
        server.reply(Reply::text("a dozen words or so").no_usage());
        let response = client(&server, provider).stream("hi").unwrap().finish().unwrap();
        assert_eq!(response.usage.source, UsageSource::Estimated);
        assert!(response.usage.completion_tokens > 0 && response.usage.prompt_tokens > 0);
    }
}

#[test]
fn the_timeout_bounds_the_first_event_and_not_the_stream() {
    for provider in BOTH {
        let server = loopback();
        let slow = Reply::text("one two three four five six seven eight nine ten");
        server.reply(slow.chunk_delay(Duration::from_millis(100)));
        let client = builder(&server, provider).timeout(Duration::from_millis(700));
        let client = client.build().unwrap();
        let begun = Instant::now();
        client.stream("hi").unwrap().finish().unwrap();
        assert!(begun.elapsed() > Duration::from_millis(700));

        server.reply(Reply::hang());
        let error = client.stream("hi").unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::FirstByte)));
        server.reply(Reply::text("one two").stall_after(0));
        let error = client.stream("hi").unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::FirstToken)));
    }
}

#[test]
fn a_first_token_that_does_not_come_leaves_time_for_another_attempt() {
    for (reply, phase) in [
        (Reply::hang(), Phase::FirstByte),
        (Reply::text("one two").stall_after(0), Phase::FirstToken),
    ] {
        let server = loopback();
        server.reply(reply);
        server.reply(Reply::text("at last"));
        let client = builder(&server, Provider::OpenAi)
            .retry(quick_retries(1))
            .first_token_timeout(Duration::from_millis(300))
            .build()
            .unwrap();
        let mut stream = client.stream("hi").unwrap();
        assert_eq!(whole(&mut stream), "at last");
        let failure = stream.attempts()[0].failure.clone().unwrap();
        assert_eq!((failure.kind, failure.phase), (ErrorKind::Timeout, Some(phase)));
    }
}

#[test]
fn a_limit_for_the_whole_stream_applies_where_one_is_set() {
    let server = loopback();
    let slow = Reply::text("one two three four five six seven eight nine ten");
    server.otherwise(slow.chunk_delay(Duration::from_millis(200)));
    let client = client(&server, Provider::OpenAi);
    let limited = ChatRequest::from("hi").stream_timeout(Duration::from_millis(900));
    let mut stream = client.stream(limited).unwrap();
    let (text, error) = drain(&mut stream);
    assert!(text.starts_with("one"), "{text:?}");
    let error = error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("stream_timeout"), "{error}");
    let nothing = ChatRequest::from("hi").stream_timeout(Duration::ZERO);
    assert!(client.stream(nothing).unwrap_err().to_string().contains("the stream_timeout is zero"));
}

const CHUNK: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"one \"}}]}\n\n";

fn head() -> String {
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".to_owned()
}

#[test]
fn a_body_that_ends_a_little_late_still_gives_its_connection_back() {
    let server = RawServer::start(|_, mut socket| {
        while request(&mut socket).is_some() {
            let events = format!("{CHUNK}data: [DONE]\n\n");
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            send(&mut socket, &format!("{head}{:x}\r\n{events}\r\n", events.len()));
            // Longer than a caller waits for it.
            thread::sleep(Duration::from_millis(200));
            send(&mut socket, "0\r\n\r\n");
        }
    });
    let client = builder_at(&server.base_url()).build().unwrap();
    for _ in 0..3 {
        assert_eq!(whole(&mut client.stream("hi").unwrap()), "one ");
        eventually("it is back", || client.pool().total.idle == 1);
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn what_only_keeps_the_connection_alive_does_not_keep_the_stream_alive() {
    for sign_of_life in [": keep-alive\n\n", "\n\n", "event: ping\ndata: {\"type\": \"ping\"}\n\n"]
    {
        let server = RawServer::start(move |_, mut socket| {
            let _ = request(&mut socket);
            send(&mut socket, &(head() + CHUNK));
            // Until the client goes.
            while std::io::Write::write_all(&mut socket, sign_of_life.as_bytes()).is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        });
        let client =
            builder_at(&server.base_url()).gap_timeout(Duration::from_millis(400)).build().unwrap();
        let mut stream = client.stream("hi").unwrap();
        let (text, error) = drain(&mut stream);
        assert_eq!(text, "one ");
        assert_eq!(error.unwrap().phase(), Some(Phase::NextToken), "{sign_of_life:?}");
    }
}

#[test]
fn a_body_behind_the_end_marker_that_never_ends_does_not_hold_the_loop_up() {
    let (sender, served) = channel();
    let server = RawServer::start(move |_, mut socket| {
        let _ = request(&mut socket);
        send(&mut socket, &(head() + CHUNK + "data: [DONE]\n\n"));
        wait_for_the_end(&socket);
        sender.send(()).unwrap();
    });
    let client = builder_at(&server.base_url()).build().unwrap();
    let mut stream = client.stream("hi").unwrap();
    assert_eq!(whole(&mut stream), "one ");
    served.recv_timeout(AT_ONCE).expect("the connection is closed, for it is of no use");
    eventually("it is counted", || client.pool().total.active == 0);
    at_rest(&client);
}

#[test]
fn dropped_at_any_event_it_closes_its_connection() {
    for provider in BOTH {
        let server = loopback();
        let reply = Reply::text("one two three").and_tool_call("f", json!({"a": 1}));
        server.otherwise(reply.chunk_delay(Duration::from_millis(1)));
        let one = PoolConfig { max_size: 1, ..PoolConfig::default() };
        let client = builder(&server, provider).pool(one).build().unwrap();
        let all = client.stream("hi").unwrap().count();
        assert!(all > 5, "{all}");
        for events in 0..=all {
            let mut stream = client.stream("hi").unwrap();
            assert_eq!(stream.by_ref().take(events).filter(Result::is_ok).count(), events);
            drop(stream);
            at_rest(&client);
        }
        // The connection of the one seen to its end is still there.
        let total = client.pool().total;
        assert_eq!(total.opened, 1 + total.closed.total());
        assert!(server.wait_for_connections(|now| now.open <= 1, AT_ONCE));
    }
}

#[test]
fn cancelling_ends_the_wait_for_the_next_event() {
    for provider in BOTH {
        let server = loopback();
        let reply = Reply::text("one two three four five six ten");
        let (first, _) = first_word_and_end(provider, reply.clone());
        server.otherwise(reply.stall_after(first));
        let client = builder(&server, provider).gap_timeout(LONG).build().unwrap();
        let token = CancelToken::new();
        let request = ChatRequest::from("hi").cancel_token(&token);
        let mut streams: Vec<_> = (0..4).map(|_| client.stream(&request).unwrap()).collect();
        thread::scope(|scope| {
            let waiting: Vec<_> =
                streams.iter_mut().map(|stream| scope.spawn(|| drain(stream).1)).collect();
            token.cancel();
            let cancelled = Instant::now();
            for thread in waiting {
                let error = thread.join().unwrap().unwrap();
                assert!(error.is_cancelled(), "{error}");
                assert_eq!((error.phase(), error.status()), (Some(Phase::NextToken), Some(200)));
                assert!(error.request_id().is_some());
            }
            assert!(cancelled.elapsed() < AT_ONCE);
        });
        drop(streams);
        at_rest(&client);
        assert!(client.stream(&request).unwrap_err().is_cancelled());
    }
}

#[test]
fn cancelling_goes_before_events_that_have_come() {
    let server = loopback();
    server.otherwise(Reply::text("one two three four five six"));
    let client = client(&server, Provider::OpenAi);
    let token = CancelToken::new();
    let mut stream = client.stream(ChatRequest::from("hi").cancel_token(&token)).unwrap();
    assert!(stream.next().unwrap().is_ok());
    token.cancel();
    assert!(stream.next().unwrap().unwrap_err().is_cancelled());
    assert!(stream.next().is_none());
}

#[test]
fn a_slow_caller_makes_the_provider_wait() {
    // Far more than the sockets and the channel hold.
    const SIZE: usize = 60_000_000;
    let server = RawServer::start(|_, mut socket| {
        let _ = request(&mut socket);
        send(&mut socket, &head());
        let chunk = CHUNK.repeat(1000);
        for _ in 0..SIZE / chunk.len() {
            if std::io::Write::write_all(&mut socket, chunk.as_bytes()).is_err() {
                return;
            }
        }
        send(&mut socket, "data: [DONE]\n\n");
    });
    let client = builder_at(&server.base_url()).max_response_bytes(SIZE).build().unwrap();
    let mut stream = client.stream("hi").unwrap();
    // The reader has run as far ahead as it can when this no longer grows.
    let mut ahead = 0;
    loop {
        thread::sleep(Duration::from_millis(100));
        let now = stream.partial().text().len();
        if now == ahead {
            break;
        }
        ahead = now;
    }
    assert!(ahead < 1_000_000, "{ahead}");
    let (text, error) = drain(&mut stream);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(text.len(), SIZE / (CHUNK.len() * 1000) * 4000);
}

/// A server that sends events without end, and tells when the client has gone.
fn flood() -> (RawServer, Receiver<()>) {
    let (sender, gone) = channel();
    let server = RawServer::start(move |_, mut socket| {
        let _ = request(&mut socket);
        send(&mut socket, &head());
        let chunk = CHUNK.repeat(1000);
        while std::io::Write::write_all(&mut socket, chunk.as_bytes()).is_ok() {}
        // Not every test wants to know.
        let _ = sender.send(());
    });
    (server, gone)
}

#[test]
fn a_stream_that_nobody_reads_ends_when_it_is_cancelled() {
    let (server, gone) = flood();
    let client = builder_at(&server.base_url()).build().unwrap();
    let token = CancelToken::new();
    let mut stream = client.stream(ChatRequest::from("hi").cancel_token(&token)).unwrap();
    token.cancel();
    // Before anyone looks.
    gone.recv_timeout(AT_ONCE).expect("the connection is closed");
    eventually("its place is free", || client.pool().total.active == 0);
    assert!(stream.next().unwrap().unwrap_err().is_cancelled());
    let last = stream.attempts().last().unwrap();
    assert_eq!(last.decision, Some(Decision::GiveUp(GiveUp::Cancelled)));
}

#[test]
fn a_stream_that_nobody_reads_ends_with_its_time() {
    let (server, gone) = flood();
    let client = builder_at(&server.base_url()).build().unwrap();
    let request = ChatRequest::from("hi").stream_timeout(Duration::from_millis(500));
    let mut stream = client.stream(request).unwrap();
    gone.recv_timeout(AT_ONCE).expect("the connection is closed");
    eventually("its place is free", || client.pool().total.active == 0);
    let (text, error) = drain(&mut stream);
    assert!(!text.is_empty());
    assert!(error.unwrap().to_string().contains("stream_timeout"));
}

#[test]
fn a_broken_stream_is_not_kept_waiting_by_a_busy_one() {
    let (flood, _gone) = flood();
    let busy = builder_at(&flood.base_url()).max_response_bytes(1 << 30).build().unwrap();
    let server = loopback();
    server.otherwise(Reply::text("one two three four five six").reset_after(1000));
    let broken = client(&server, Provider::OpenAi);
    let mut streams = [busy.stream("hi").unwrap(), broken.stream("hi").unwrap()];
    // 2⁻⁵⁰⁰ of all runs fail.
    let chosen = (0..100_000).any(|_| match select(&streams, AT_ONCE) {
        Poll::Ready(Some(ready)) => streams[ready].next().unwrap().is_err() && ready == 1,
        other => panic!("{other:?}"),
    });
    assert!(chosen);
}

#[test]
fn a_stream_of_another_format_says_so_and_is_not_asked_for_again() {
    let server = RawServer::start(|_, mut socket| {
        let _ = request(&mut socket);
        send(&mut socket, &(head() + CHUNK + CHUNK + "data: [DONE]\n\n"));
    });
    let client = builder_at(&server.base_url())
        .provider(Provider::Anthropic)
        .retry(quick_retries(3))
        .build()
        .unwrap();
    let error = client.stream("hi").unwrap_err();
    assert_eq!((error.kind(), server.connections()), (ErrorKind::Protocol, 1), "{error}");
    assert!(error.to_string().contains("right provider"), "{error}");
}

/// As deep as JSON is read at all, wherever an answer keeps what it does not know: more
/// than that is an error, and neither ends the process.
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
            .map(|member| (Provider::OpenAi, CHUNK.to_owned() + &openai(member, &deep)))
            .collect();
        bodies.push((Provider::OpenAi, format!("{CHUNK}data: {{\"error\":{deep}}}\n\n")));
        let start = "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":\
                     {\"type\":\"text\",\"text\":\"one \"}}\n\n";
        for block in [deep.clone(), format!("{{\"type\":\"new\",\"x\":{deep}}}")] {
            bodies.push((Provider::Anthropic, start.to_owned() + &anthropic(&block)));
        }
        for (provider, body) in bodies {
            let server = RawServer::start(move |_, mut socket| {
                let _ = request(&mut socket);
                // The rest comes to the reader's own thread.
                let (first, rest) = body.split_at(body.find("\n\n").unwrap() + 2);
                send(&mut socket, &(head() + first));
                thread::sleep(Duration::from_millis(5));
                send(&mut socket, rest);
            });
            let url = server.base_url();
            let client = builder_at(&url).provider(provider).model("m").build().unwrap();
            let mut stream = client.stream("hi").unwrap();
            let (text, error) = drain(&mut stream);
            assert_eq!(text, "one ");
            assert!(error.is_some());
            let _ = stream.partial();
        }
    }
}

#[test]
fn waiting_can_be_bounded_and_loses_nothing() {
    let server = loopback();
    let slow = Reply::pieces(["one ", "two ", "three"]).chunk_delay(Duration::from_millis(150));
    server.reply(slow);
    let mut stream = client(&server, Provider::OpenAi).stream("hi").unwrap();
    let (mut text, mut pending) = (String::new(), 0);
    loop {
        match stream.next_timeout(Duration::from_millis(10)) {
            Poll::Pending => pending += 1,
            Poll::Ready(Some(event)) => {
                if let StreamEvent::TextDelta(delta) = event.unwrap() {
                    text.push_str(&delta);
                }
            }
            Poll::Ready(None) => break,
        }
    }
    assert_eq!(text, "one two three");
    assert!(pending > 3, "{pending}");
    assert!(matches!(stream.next_timeout(LONG), Poll::Ready(None)));
}

#[test]
fn several_streams_can_be_awaited_at_once() {
    let server = loopback();
    server.respond(|request| {
        let number = request.messages()[0]["content"].as_str()?.parse::<u64>().ok()?;
        Some(
            Reply::pieces([format!("{number} "), "is the number".to_owned()])
                .chunk_delay(Duration::from_millis(10 * number)),
        )
    });
    let client = client(&server, Provider::Anthropic);
    let mut streams: Vec<_> =
        (0..8).map(|number| client.stream(number.to_string()).unwrap()).collect();
    let mut texts = vec![String::new(); streams.len()];
    while let Poll::Ready(Some(ready)) = select(&streams, AT_ONCE) {
        // What is ready is not waited for.
        match streams[ready].next_timeout(Duration::ZERO) {
            Poll::Ready(Some(event)) => {
                if let StreamEvent::TextDelta(delta) = event.unwrap() {
                    texts[ready].push_str(&delta);
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(streams.iter().all(ChatStream::is_ended));
    for (number, text) in texts.iter().enumerate() {
        assert_eq!(text, &format!("{number} is the number"));
    }
    let nothing: [ChatStream; 0] = [];
    assert_eq!(select(&nothing, LONG), Poll::Ready(None));
    server.respond(|_| Some(Reply::text("one two three four five six").stall_after(1000)));
    let mut stalled = [support::client(&server, Provider::OpenAi).stream("hi").unwrap()];
    while stalled[0].next_timeout(Duration::from_millis(300)).is_ready() {}
    assert_eq!(select(&stalled, Duration::from_millis(10)), Poll::Pending);
}

#[test]
fn five_hundred_streams_at_once_are_neither_lost_nor_mixed() {
    const STREAMS: usize = 500;
    let server = loopback();
    server.record(false);
    server.respond(|request| {
        let question = request.messages()[0]["content"].as_str().unwrap_or_default();
        Some(Reply::text(format!("The answer to {question} is, after some thought, {question}.")))
    });
    let pool = PoolConfig { max_size: STREAMS, max_per_origin: STREAMS, ..PoolConfig::default() };
    let client = builder(&server, Provider::OpenAi).pool(pool).build().unwrap();
    let mut streams: Vec<_> =
        (0..STREAMS).map(|number| client.stream(format!("question {number}")).unwrap()).collect();
    let mut ids = HashSet::new();
    for (number, stream) in streams.iter_mut().enumerate() {
        let response = stream.finish().unwrap();
        let expected =
            format!("The answer to question {number} is, after some thought, question {number}.");
        assert_eq!(response.text(), expected);
        ids.insert(response.id.unwrap());
    }
    assert_eq!(ids.len(), STREAMS);
    at_rest(&client);
}

#[test]
fn a_stream_that_ends_with_its_first_read_is_whole() {
    let server = RawServer::start(|_, mut socket| {
        while request(&mut socket).is_some() {
            let body = format!("{CHUNK}data: [DONE]\n\n");
            let length = body.len();
            send(
                &mut socket,
                &format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}"),
            );
        }
    });
    let client = builder_at(&server.base_url()).build().unwrap();
    for _ in 0..50 {
        assert_eq!(whole(&mut client.stream("hi").unwrap()), "one ");
    }
    assert_eq!(server.connections(), 1);
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
