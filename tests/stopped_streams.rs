//! A stream ends at its timeout, when it is cancelled and when it is dropped, and then releases its
//! connection.

mod support;

use serde_json::{Value, json};
use std::thread;
use std::time::{Duration, Instant};
use support::listener::repeat_until_the_end;
use support::server::{RawServer, request, send};
use support::stream::{
    AT_ONCE, BOTH, CHUNK, LONG, at_rest, drain, first_word_and_end, flood, head, whole,
};
use support::{builder, builder_at, client, eventually, loopback, quick_retries};
use tollgate::testing::Reply;
use tollgate::{CancelToken, ChatRequest, Decision, ErrorKind, GiveUp, Phase, PoolConfig};

#[test]
fn the_timeout_bounds_the_first_event_where_a_stream_timeout_bounds_the_stream() {
    for provider in BOTH {
        let server = loopback();
        let slow = Reply::text("one two three four five six seven eight nine ten");
        server.reply(slow.chunk_delay(Duration::from_millis(100)));
        let client = builder(&server, provider).timeout(Duration::from_millis(700));
        let client = client.stream_timeout(LONG).build().unwrap();
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
fn a_missing_first_token_leaves_time_for_another_attempt() {
    for (reply, phase) in [
        (Reply::hang(), Phase::FirstByte),
        (Reply::text("one two").stall_after(0), Phase::FirstToken),
    ] {
        let server = loopback();
        server.reply(reply);
        server.reply(Reply::text("at last"));
        let client = builder(&server, "openai")
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
    server.default_reply(slow.chunk_delay(Duration::from_millis(200)));
    let client = client(&server, "openai");
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

/// The text of a stream that says "one " and then `noise` until the client leaves, and the phase
/// in which it times out.
fn drowned_in(noise: String, provider: &'static str) -> (String, Option<Phase>) {
    let server = RawServer::start(move |_, mut socket| {
        let _ = request(&mut socket);
        let word = match provider {
            "anthropic" => MESSAGE_DELTA,
            _ => CHUNK,
        };
        send(&mut socket, &(head() + word));
        repeat_until_the_end(&socket, noise.as_bytes());
    });
    let builder = builder_at(&server.base_url()).provider(provider);
    let client = builder.idle_timeout(Duration::from_millis(400)).build().unwrap();
    let mut stream = client.stream("hi").unwrap();
    let (text, error) = drain(&mut stream);
    let error = error.expect("it does not end well");
    (text, error.phase().filter(|_| error.is_timeout()))
}

const MESSAGE_DELTA: &str = "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":\
                             {\"type\":\"text_delta\",\"text\":\"one \"}}\n\n";

#[test]
fn only_progress_of_the_answer_keeps_a_stream_alive() {
    let chunk = |choices: Value| format!("data: {}\n\n", json!({"choices": choices}));
    let others = (1..=1_000).map(|index| json!({"index": index, "delta": {"content": "x"}}));
    let event = |event: Value| format!("data: {event}\n\n");
    let delta =
        |delta: Value| event(json!({"type": "content_block_delta", "index": 0, "delta": delta}));
    let noise = [
        ("openai", ": keep-alive\n\n".to_owned()),
        ("openai", "\n\n".to_owned()),
        ("openai", "event: ping\ndata: {\"type\": \"ping\"}\n\n".to_owned()),
        ("openai", chunk(json!([]))),
        ("openai", chunk(json!([{"index": 0, "delta": {"role": "assistant"}}]))),
        ("openai", chunk(json!([{"index": 0, "delta": {"content": ""}}]))),
        ("openai", chunk(others.collect())),
        ("anthropic", event(json!({"type": "ping"}))),
        ("anthropic", delta(json!({"type": "text_delta", "text": ""}))),
        ("anthropic", delta(json!({"type": "input_json_delta", "partial_json": ""}))),
        ("anthropic", event(json!({"type": "message_start", "message": {}}))),
    ];
    thread::scope(|scope| {
        for (provider, noise) in noise {
            scope.spawn(move || {
                let start = noise.chars().take(80).collect::<String>();
                let ended = drowned_in(noise, provider);
                assert_eq!(ended, ("one ".to_owned(), Some(Phase::NextToken)), "{start}");
            });
        }
    });
}

#[test]
fn a_stream_dropped_at_any_event_closes_its_connection() {
    for provider in BOTH {
        let server = loopback();
        let reply = Reply::text("one two three").and_tool_call("f", json!({"a": 1}));
        server.default_reply(reply.chunk_delay(Duration::from_millis(1)));
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
        // The connection of the stream that was read to its end is still open.
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
        server.default_reply(reply.stall_after(first));
        let client = builder(&server, provider).idle_timeout(LONG).build().unwrap();
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
fn cancelling_takes_precedence_over_events_that_have_arrived() {
    let server = loopback();
    server.default_reply(Reply::text("one two three four five six"));
    let client = client(&server, "openai");
    let token = CancelToken::new();
    let mut stream = client.stream(ChatRequest::from("hi").cancel_token(&token)).unwrap();
    assert!(stream.next().unwrap().is_ok());
    token.cancel();
    assert!(stream.next().unwrap().unwrap_err().is_cancelled());
    assert!(stream.next().is_none());
}

#[test]
fn a_stream_that_nobody_reads_ends_when_it_is_cancelled() {
    let (server, gone) = flood();
    let client = builder_at(&server.base_url()).build().unwrap();
    let token = CancelToken::new();
    let mut stream = client.stream(ChatRequest::from("hi").cancel_token(&token)).unwrap();
    token.cancel();
    // Cancelled before the first read.
    gone.recv_timeout(AT_ONCE).expect("the connection is closed");
    eventually("its place is free", || client.pool().total.active == 0);
    assert!(stream.next().unwrap().unwrap_err().is_cancelled());
    let last = stream.attempts().last().unwrap();
    assert_eq!(last.decision, Some(Decision::GiveUp(GiveUp::Cancelled)));
}

#[test]
fn a_stream_that_nobody_reads_ends_at_its_timeout() {
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
