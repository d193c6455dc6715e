//! A dropped client leaves no thread and no descriptor behind. This test runs alone in its process,
//! so that it can count both.
#![cfg(target_os = "linux")]

mod support;

use std::collections::HashSet;
use std::fs;
use std::thread;
use std::time::Duration;
use support::stream::at_rest;
use support::{KEY, builder, builder_at, eventually, loopback};
use tollgate::route::{Hedge, Route};
use tollgate::testing::{Loopback, Reply};
use tollgate::{CancelToken, ChatRequest, Client, PoolConfig, ProviderConfig};

fn count(folder: &str) -> usize {
    fs::read_dir(folder).expect("/proc is there").count()
}

fn threads() -> usize {
    count("/proc/self/task")
}

fn descriptors() -> usize {
    count("/proc/self/fd")
}

/// How many threads read a stream.
fn readers() -> usize {
    let threads = fs::read_dir("/proc/self/task").expect("/proc is there");
    let names =
        threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim_end() == "tollgate-stream").count()
}

/// Streams that end well, break, are dropped at once or in the middle, are cancelled,
/// and are never read.
fn streams(server: &Loopback) {
    let story = Reply::text("one two three four five six seven eight nine ten");
    server.default_reply(story.clone().chunk_delay(Duration::from_millis(1)));
    server.reply(story.clone().cut_after(900));
    server.reply(story.reset_after(900));
    server.reply(Reply::hang());
    let client = builder(server, "openai")
        .timeout(Duration::from_secs(20))
        .attempt_timeout(Duration::from_millis(100))
        .build()
        .unwrap();
    let token = CancelToken::new();
    thread::scope(|scope| {
        for number in 0..16 {
            let (client, token) = (client.clone(), &token);
            scope.spawn(move || {
                let request = ChatRequest::from("hi").cancel_token(token);
                let Ok(mut stream) = client.stream(request) else { return };
                match number % 4 {
                    0 => drop(stream.finish()),
                    1 => drop(stream.by_ref().take(number).count()),
                    2 => drop(stream.by_ref().map(|_| token.cancel()).count()),
                    _ => {}
                }
            });
        }
    });
}

/// Calls to a route whose first target is silent, and whose second one answers.
fn hedges() {
    let (silent, other) = (loopback(), loopback());
    silent.default_reply(Reply::hang());
    other.default_reply(Reply::text("hi"));
    let config = |server: &Loopback, provider| {
        ProviderConfig::new(provider).api_key(KEY).base_url(server.base_url(provider))
    };
    let hedge = Hedge::after(Duration::from_millis(1));
    let client = Client::builder()
        .model("all")
        .add_provider(config(&silent, "openai"))
        .add_provider(config(&other, "groq"))
        .route(Route::new("all").targets(["openai/gpt-4o-mini", "groq/llama"]).hedge(hedge))
        .timeout(Duration::from_secs(60))
        .build()
        .unwrap();
    thread::scope(|scope| {
        for number in 0..8 {
            let client = &client;
            scope.spawn(move || match number % 2 {
                0 => drop(client.chat("hi").unwrap()),
                _ => drop(client.stream("hi").unwrap().finish().unwrap()),
            });
        }
    });
}

/// Streams that are read concurrently. None is lost, and none is mixed up with another.
fn five_hundred_streams() {
    const STREAMS: usize = 500;
    // More than a reader runs ahead.
    let answer = |question: &str| format!("The answer to {question}. ").repeat(120);
    let server = loopback();
    server.record_requests(false);
    server.respond(move |request| {
        Some(Reply::text(answer(request.messages()[0]["content"].as_str()?)))
    });
    let pool = PoolConfig { max_size: STREAMS, max_per_origin: STREAMS, ..PoolConfig::default() };
    // Opening all of them takes long on a busy machine.
    let timeout = Duration::from_secs(600);
    let client = builder(&server, "openai").pool(pool).timeout(timeout).build().unwrap();
    let mut streams: Vec<_> =
        (0..STREAMS).map(|number| client.stream(format!("question {number}")).unwrap()).collect();
    eventually("each has its reader", || readers() == STREAMS);
    let mut ids = HashSet::new();
    for (number, stream) in streams.iter_mut().enumerate() {
        let response = stream.finish().unwrap();
        assert_eq!(response.text(), answer(&format!("question {number}")));
        ids.insert(response.id.unwrap());
    }
    assert_eq!(ids.len(), STREAMS);
    at_rest(&client);
}

#[test]
fn a_dropped_client_leaves_no_threads_or_descriptors() {
    // The first use of the network allocates some descriptors for good.
    {
        let server = loopback();
        builder(&server, "openai").build().unwrap().chat("hi").unwrap();
    }
    let before = (threads(), descriptors());
    for _ in 0..20 {
        let server = loopback();
        server.default_reply(Reply::text("hi"));
        for reply in [
            Reply::text("half").cut_after(3),
            Reply::reset(),
            Reply::text("bye").close(),
            Reply::status(500),
            Reply::hang(),
        ] {
            server.reply(reply);
        }
        let pool = PoolConfig { max_size: 3, ..PoolConfig::default() };
        let client = builder(&server, "openai").pool(pool).build().unwrap();
        // By name, which takes a thread for the lookup.
        let port = server.address().port();
        let by_name = builder_at(&format!("http://localhost:{port}/v1"))
            // This one may get no answer.
            .timeout(Duration::from_secs(2))
            .build()
            .unwrap();
        let token = CancelToken::new();
        thread::scope(|scope| {
            for _ in 0..8 {
                let (client, by_name, token) = (client.clone(), &by_name, &token);
                scope.spawn(move || {
                    for _ in 0..10 {
                        let request = ChatRequest::from("hi").cancel_token(token);
                        let _ = client.chat(request);
                    }
                    let _ = by_name.chat("hi");
                });
            }
            server.wait_for_requests(5, Duration::from_secs(20));
            token.cancel();
        });
        client.warm_up(2).unwrap();
        streams(&server);
        hedges();
    }
    // A lookup's thread ends on its own, once the system has answered.
    eventually("as many threads and descriptors as before", || {
        (threads(), descriptors()) == before
    });
    five_hundred_streams();
    eventually("as many as before five hundred streams", || (threads(), descriptors()) == before);
}
