//! Streams are complete, as fast as their reader, and return their connections.

mod support;

use serde_json::json;
use std::io::Write;
use std::sync::mpsc::channel;
use std::time::Duration;
use support::listener::{PATIENCE, wait_for_the_end};
use support::server::{RawServer, request, send, word};
use support::stream::{AT_ONCE, BOTH, CHUNK, LONG, at_rest, drain, flood, head, whole};
use support::{builder_at, client, eventually, loopback};
use tollgate::testing::{Framing, Reply};
use tollgate::{
    ChatRequest, ChatStream, FinishReason, Message, NextEvent, Selected, StreamEvent, UsageSource,
    select,
};

#[test]
fn a_stream_yields_what_the_whole_answer_has() {
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
        assert_eq!(
            (streamed.model.as_str(), streamed.provider.as_str()),
            (whole.model.as_str(), provider)
        );
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
    server.default_reply(Reply::text("and they lived happily ever after").usage(5, 7));
    let client = client(&server, "openai");
    for mut stream in [
        client.complete_stream("Once upon a time").unwrap(),
        client.stream(ChatRequest::from("Once").model("gpt-3.5-turbo-instruct")).unwrap(),
    ] {
        assert_eq!(whole(&mut stream), "and they lived happily ever after");
        assert_eq!(stream.finish().unwrap().usage.total_tokens, 12);
    }
    assert!(server.requests().iter().all(|request| request.path() == "/v1/completions"));
    let anthropic = support::client(&server, "anthropic");
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
fn a_stream_read_to_its_end_returns_its_connection() {
    for framing in [Framing::Chunked, Framing::ContentLength] {
        let server = loopback();
        server.default_reply(Reply::text("one two three").framing(framing));
        let client = client(&server, "anthropic");
        for _ in 0..20 {
            client.stream("hi").unwrap().finish().unwrap();
        }
        assert_eq!(server.connections().opened, 1);
        at_rest(&client);
    }
}

#[test]
fn usage_that_never_arrives_is_estimated_and_marked() {
    for provider in BOTH {
        let server = loopback();
        server.reply(Reply::text("a dozen words or so").no_usage());
        let response = client(&server, provider).stream("hi").unwrap().finish().unwrap();
        assert_eq!(response.usage.source, UsageSource::Estimated);
        assert!(response.usage.completion_tokens > 0 && response.usage.prompt_tokens > 0);
    }
}

#[test]
fn a_body_that_ends_a_little_late_still_returns_its_connection() {
    let (word, wait) = word();
    let server = RawServer::start(move |_, mut socket| {
        while request(&mut socket).is_some() {
            let events = format!("{CHUNK}data: [DONE]\n\n");
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            send(&mut socket, &format!("{head}{:x}\r\n{events}\r\n", events.len()));
            wait();
            send(&mut socket, "0\r\n\r\n");
        }
    });
    let client = builder_at(&server.base_url()).build().unwrap();
    for _ in 0..3 {
        assert_eq!(whole(&mut client.stream("hi").unwrap()), "one ");
        // The caller has gone on.
        word.send(()).unwrap();
        eventually("it is back", || client.pool().total.idle == 1);
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_body_that_never_ends_after_the_end_marker_does_not_block_the_loop() {
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
fn a_slow_caller_makes_the_provider_wait() {
    // Far more than the sockets and the channel hold.
    const SIZE: usize = 30_000_000;
    let (sender, full) = channel();
    let server = RawServer::start(move |_, mut socket| {
        let _ = request(&mut socket);
        send(&mut socket, &head());
        let body = CHUNK.repeat(SIZE / CHUNK.len());
        let mut left = body.as_bytes();
        // Time is under test: nothing else shows that the client has stopped reading for good.
        socket.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        while let Ok(written @ 1..) = socket.write(left) {
            left = &left[written..];
        }
        let _ = sender.send(!left.is_empty());
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        if socket.write_all(left).is_ok() {
            send(&mut socket, "data: [DONE]\n\n");
        }
    });
    let client = builder_at(&server.base_url()).max_response_bytes(SIZE).build().unwrap();
    let mut stream = client.stream("hi").unwrap();
    assert!(full.recv_timeout(AT_ONCE).unwrap(), "the client read it all, but nobody took it");
    let ahead = stream.partial().text().len();
    assert!(ahead < 1_000_000, "{ahead}");
    let (text, error) = drain(&mut stream);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(text.len(), SIZE / CHUNK.len() * "one ".len());
}

#[test]
fn select_returns_a_broken_stream_while_another_is_busy() {
    let (flood, _gone) = flood();
    let busy = builder_at(&flood.base_url()).max_response_bytes(1 << 30).build().unwrap();
    let server = loopback();
    server.default_reply(Reply::text("one two three four five six").reset_after(1000));
    let broken = client(&server, "openai");
    let mut streams = [busy.stream("hi").unwrap(), broken.stream("hi").unwrap()];
    // 2⁻⁵⁰⁰ of all runs fail.
    let chosen = (0..100_000).any(|_| match select(&streams, AT_ONCE) {
        Selected::Ready(ready) => streams[ready].next().unwrap().is_err() && ready == 1,
        other => panic!("{other:?}"),
    });
    assert!(chosen);
}

#[test]
fn next_timeout_bounds_the_wait_and_loses_nothing() {
    let server = loopback();
    let slow = Reply::pieces(["one ", "two ", "three"]).chunk_delay(Duration::from_millis(150));
    server.reply(slow);
    let mut stream = client(&server, "openai").stream("hi").unwrap();
    let (mut text, mut pending) = (String::new(), 0);
    loop {
        match stream.next_timeout(Duration::from_millis(10)).unwrap() {
            NextEvent::Event(StreamEvent::TextDelta(delta)) => text.push_str(&delta),
            NextEvent::Event(_) => {}
            NextEvent::TimedOut => pending += 1,
            NextEvent::Ended => break,
        }
    }
    assert_eq!(text, "one two three");
    assert!(pending > 3, "{pending}");
    assert_eq!(stream.next_timeout(LONG).unwrap(), NextEvent::Ended);
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
    let client = client(&server, "anthropic");
    let mut streams: Vec<_> =
        (0..8).map(|number| client.stream(number.to_string()).unwrap()).collect();
    let mut texts = vec![String::new(); streams.len()];
    while let Selected::Ready(ready) = select(&streams, AT_ONCE) {
        // What is ready is not waited for.
        match streams[ready].next_timeout(Duration::ZERO).unwrap() {
            NextEvent::Event(StreamEvent::TextDelta(delta)) => texts[ready].push_str(&delta),
            NextEvent::Event(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(streams.iter().all(ChatStream::is_ended));
    for (number, text) in texts.iter().enumerate() {
        assert_eq!(text, &format!("{number} is the number"));
    }
    let nothing: [ChatStream; 0] = [];
    assert_eq!(select(&nothing, LONG), Selected::AllEnded);
    server.respond(|_| Some(Reply::text("one two three four five six").stall_after(1000)));
    let mut stalled = [support::client(&server, "openai").stream("hi").unwrap()];
    while stalled[0].next_timeout(Duration::from_millis(300)).unwrap() != NextEvent::TimedOut {}
    assert_eq!(select(&stalled, Duration::from_millis(10)), Selected::TimedOut);
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
fn a_finished_stream_is_the_answer_without_its_raw_body() {
    let server = loopback();
    server.reply(Reply::text("Paris").usage(12, 1));
    server.reply(Reply::text("Paris").usage(12, 1));
    let client = client(&server, "openai");
    let whole = client.chat("hi").unwrap();
    let streamed = client.stream("hi").unwrap().finish().unwrap();
    assert_eq!((streamed.text(), streamed.usage), (whole.text(), whole.usage));
    assert!(!whole.raw().is_empty() && streamed.raw().is_empty());
}
