//! Many threads share one client and its few connections.

mod support;

use std::collections::HashSet;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;
use support::{builder, client, loopback};
use tollgate::PoolConfig;
use tollgate::testing::Reply;

#[test]
fn ten_thousand_calls_from_64_threads_over_8_connections() {
    const THREADS: usize = 64;
    const CALLS: usize = 10_000;
    let server = loopback();
    server.record_requests(false);
    // Every answer repeats its question, so a mix-up shows.
    server.respond(|request| {
        let question = request.messages()[0]["content"].as_str().unwrap_or_default();
        Some(Reply::text(format!("answer to {question}")))
    });
    let pool = PoolConfig { max_size: 8, ..PoolConfig::default() };
    let client = builder(&server, "openai").pool(pool).build().unwrap();
    let ids = Mutex::new(HashSet::new());
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (client, ids) = (client.clone(), &ids);
            scope.spawn(move || {
                for call in (thread..CALLS).step_by(THREADS) {
                    let question = format!("question {call}");
                    let response = client.chat(question.as_str()).unwrap();
                    assert_eq!(response.text(), format!("answer to {question}"));
                    assert_eq!(response.attempts().len(), 1);
                    ids.lock().unwrap().insert(response.id.unwrap());
                }
            });
        }
    });
    assert_eq!(ids.into_inner().unwrap().len(), CALLS, "none lost, none answered twice");
    let connections = server.connections();
    assert!(connections.peak <= 8, "{connections:?}");
    assert_eq!(connections.opened, 8, "{connections:?}");
}

#[test]
fn a_connection_is_reused_call_after_call() {
    for provider in ["openai", "anthropic"] {
        let server = loopback();
        let client = client(&server, provider);
        for _ in 0..5 {
            client.chat("hi").unwrap();
        }
        // Errors are read to their end, too.
        server.reply(Reply::error(400, "invalid_request_error", "no"));
        client.chat("hi").unwrap_err();
        client.chat("hi").unwrap();
        assert_eq!(server.connections().opened, 1);
    }
}

#[test]
fn a_connection_the_server_says_it_closes_is_not_reused() {
    let server = loopback();
    server.reply(Reply::text("bye").close());
    let client = client(&server, "openai");
    client.chat("hi").unwrap();
    client.chat("hi").unwrap();
    assert_eq!(server.connections().opened, 2);
}

#[test]
fn a_connection_closed_while_idle_costs_no_error_and_no_retry() {
    let server = loopback();
    for _ in 0..3 {
        server.reply(Reply::text("bye").close_silently());
    }
    let client = client(&server, "openai");
    for _ in 0..4 {
        assert_eq!(client.chat("hi").unwrap().attempts().len(), 1);
    }
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn the_second_send_after_a_stale_connection_can_be_turned_off() {
    let server = loopback();
    server.reply(Reply::text("one"));
    server.reply(Reply::reset());
    let pool = PoolConfig { retry_stale: false, ..PoolConfig::default() };
    let client = builder(&server, "openai").pool(pool).build().unwrap();
    client.chat("hi").unwrap();
    client.chat("hi").unwrap_err();
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_broken_connection_frees_its_place_in_the_pool() {
    let server = loopback();
    for reply in [
        Reply::text("half").cut_after(30),
        Reply::reset(),
        Reply::text("bye").close(),
        Reply::text("bye").close_silently(),
        Reply::raw(200, "text/plain", "nonsense"),
    ] {
        server.reply(reply);
    }
    let pool = PoolConfig { max_size: 1, ..PoolConfig::default() };
    let client = builder(&server, "openai").pool(pool).build().unwrap();
    for _ in 0..5 {
        let _ = client.chat("hi");
    }
    client.chat("hi").unwrap();
    let total = client.pool().total;
    assert_eq!((total.idle, total.active, total.waiting), (1, 0, 0));
    assert_eq!(total.opened, 1 + total.closed.total());
}

#[test]
fn dropping_the_last_clone_closes_the_connections() {
    let server = loopback();
    let client = client(&server, "openai");
    let clone = client.clone();
    client.chat("hi").unwrap();
    drop(client);
    clone.chat("hi").unwrap();
    assert_eq!(server.connections().opened, 1);
    drop(clone);
    assert!(server.wait_for_connections(|now| now.open == 0, Duration::from_secs(20)));
}
