//! A stream ends when its time is over, when it is cancelled and when nobody wants it,
//! and lets its connection go.

mod support;

use serde_json::json;
use std::thread;
use std::time::{Duration, Instant};
use support::server::{RawServer, request, send};
use support::stream::{
    AT_ONCE, BOTH, CHUNK, LONG, at_rest, drain, first_word_and_end, flood, head, whole,
};
use support::{builder, builder_at, client, eventually, loopback, quick_retries};
use tollgate::testing::Reply;
use tollgate::{CancelToken, ChatRequest, Decision, ErrorKind, GiveUp, Phase, PoolConfig};

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
    server.otherwise(slow.chunk_delay(Duration::from_millis(200)));
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
