//! Connections survive whatever a server does with them, and the pool reports it.

mod support;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use support::server::{RawServer, body, request, response, send};
use support::{builder, builder_at, cancelled, client, loopback};
use tollgate::testing::Reply;
use tollgate::{CancelToken, ChatRequest, Client, ErrorKind, Phase, PoolConfig};

/// Much longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

fn at(server: &RawServer) -> Client {
    builder_at(&server.base_url()).build().unwrap()
}

/// Nothing is in use, nobody waits, and the counts add up.
fn assert_at_rest(client: &Client) {
    let total = client.pool().total;
    assert_eq!((total.active, total.opening, total.waiting), (0, 0, 0));
    assert_eq!(total.opened, u64::try_from(total.idle).unwrap() + total.closed.total());
}

#[test]
fn an_idle_connection_that_died_is_detected_before_sending() {
    let server = loopback();
    let client = client(&server, "openai");
    client.chat("one").unwrap();
    server.close_connections();
    assert!(server.wait_for_connections(|now| now.open == 0, LONG));
    assert_eq!(client.chat("two").unwrap().attempts().len(), 1);
    assert_eq!(server.request_count(), 2);
    let total = client.pool().total;
    assert_eq!((total.opened, total.closed.broken), (2, 1));
}

#[test]
fn every_body_framing_is_read_and_the_connection_reused_if_it_allows_that() {
    let text = body("hi");
    let length = text.len();
    for (answer, reusable) in [
        (format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{text}"), true),
        (
            format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                 5;ext=1\r\n{}\r\n{:x}\r\n{}\r\n0\r\nTrailer: x\r\n\r\n",
                &text[..5],
                length - 5,
                &text[5..]
            ),
            true,
        ),
        (
            format!(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n\
                 HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{text}"
            ),
            true,
        ),
        (
            format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{text}"
            ),
            false,
        ),
        (format!("HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n{text}"), false),
        (format!("HTTP/1.0 200 OK\r\n\r\n{text}"), false),
        (format!("HTTP/1.1 200 OK\r\n\r\n{text}"), false),
    ] {
        let head = answer.clone();
        let server = RawServer::start(move |_, mut socket| {
            while request(&mut socket).is_some() {
                send(&mut socket, &answer);
                if !reusable {
                    return;
                }
            }
        });
        let client = at(&server);
        for _ in 0..3 {
            assert_eq!(client.chat("hi").unwrap().text(), "hi", "{head}");
        }
        assert_eq!(server.connections(), if reusable { 1 } else { 3 }, "{head}");
        assert_at_rest(&client);
        if !reusable {
            assert_eq!(client.pool().total.closed.ended, 3, "{head}");
        }
    }
}

#[test]
fn a_server_that_allows_few_requests_on_a_connection_costs_no_error() {
    for announced in [true, false] {
        let server = RawServer::start(move |_, mut socket| {
            for last in [false, false, true] {
                if request(&mut socket).is_none() {
                    return;
                }
                let answer = response("hi");
                let close = "HTTP/1.1 200 OK\r\nconnection: close";
                send(
                    &mut socket,
                    &match last && announced {
                        true => answer.replace("HTTP/1.1 200 OK", close),
                        false => answer,
                    },
                );
            }
        });
        let client = builder_at(&server.base_url())
            .pool(PoolConfig { max_size: 4, ..PoolConfig::default() })
            .build()
            .unwrap();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        assert_eq!(client.chat("hi").unwrap().attempts().len(), 1);
                    }
                });
            }
        });
        assert!(server.connections() >= 400 / 3);
        assert_at_rest(&client);
    }
}

#[test]
fn ipv6_addresses_are_called() {
    let served = RawServer::on("[::1]:0", |_, mut socket| {
        while request(&mut socket).is_some() {
            send(&mut socket, &response("six"));
        }
    });
    match served {
        Ok(server) => {
            assert_eq!(at(&server).chat("hi").unwrap().text(), "six");
        }
        Err(_) => eprintln!("skipped: this machine has no IPv6"),
    }
}

#[test]
fn idle_connections_are_closed_on_time_and_at_the_end() {
    let server = loopback();
    let short = PoolConfig {
        idle_timeout: Duration::from_millis(30),
        cleanup_period: Duration::from_millis(1),
        ..PoolConfig::default()
    };
    let client = builder(&server, "openai").pool(short).build().unwrap();
    client.chat("hi").unwrap();
    assert!(server.wait_for_connections(|now| now.open == 0 && now.opened == 1, LONG));
    while client.pool().total.closed.idle != 1 {
        thread::yield_now();
    }
    client.chat("hi").unwrap();
    drop(client);
    assert!(server.wait_for_connections(|now| now.open == 0 && now.opened == 2, LONG));
}

#[test]
fn old_connections_are_replaced() {
    let server = loopback();
    let short = PoolConfig {
        idle_timeout: Duration::from_millis(1),
        max_lifetime: Some(Duration::from_millis(1)),
        ..PoolConfig::default()
    };
    let client = builder(&server, "openai").pool(short).build().unwrap();
    for _ in 0..3 {
        // Longer than the maximum lifetime, so each connection is too old when it is returned.
        server.reply(Reply::text("hi").delay(Duration::from_millis(5)));
        client.chat("hi").unwrap();
    }
    let total = client.pool().total;
    assert_eq!((total.opened, total.closed.lifetime, total.idle), (3, 3, 0));
}

#[test]
fn warm_up_opens_connections_ahead_of_calls() {
    let server = loopback();
    let pool = PoolConfig { max_size: 4, ..PoolConfig::default() };
    let client = builder(&server, "openai").pool(pool).build().unwrap();
    assert_eq!(client.warm_up(3).unwrap(), 3);
    assert_eq!(client.warm_up(3).unwrap(), 0, "three are at rest already");
    assert!(server.wait_for_connections(|now| now.open == 3, LONG));
    client.chat("hi").unwrap();
    let total = client.pool().total;
    assert_eq!((total.opened, total.reused, total.idle), (3, 1, 3));
    assert_eq!(client.warm_up(100).unwrap(), 1, "no more than the pool has room for");

    server.refuse_connections().unwrap();
    let cold = support::client(&server, "openai");
    assert_eq!(cold.warm_up(2).unwrap_err().kind(), ErrorKind::Connection);
    assert_eq!(cold.pool().total.failed.connect, 2);
    assert_at_rest(&cold);
}

#[test]
fn a_queue_that_is_too_slow_fails_fast_and_is_not_joined_again() {
    let server = loopback();
    server.reply(Reply::hang());
    let pool = PoolConfig {
        max_size: 1,
        acquire_timeout: Some(Duration::from_millis(20)),
        ..PoolConfig::default()
    };
    let client =
        builder(&server, "openai").pool(pool).retry(support::quick_retries(5)).build().unwrap();
    let token = CancelToken::new();
    thread::scope(|scope| {
        let hanging = scope.spawn(|| client.chat(ChatRequest::from("hi").cancel_token(&token)));
        assert!(server.wait_for_requests(1, LONG));
        let error = client.chat("hi").unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::PoolWait)));
        assert_eq!(error.attempts().len(), 1);
        assert!(!error.is_retryable());
        token.cancel();
        assert_eq!(hanging.join().unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
    });
    let total = client.pool().total;
    assert_eq!((total.waits.count(), total.closed.cancelled), (1, 1));
    assert!(total.waits.max() >= Duration::from_millis(20));
    assert_at_rest(&client);
}

#[test]
fn cancelling_ends_a_call_wherever_it_is_and_leaves_nothing_behind() {
    let server = loopback();
    let one = PoolConfig { max_size: 1, ..PoolConfig::default() };
    let client =
        builder(&server, "openai").pool(one).retry(support::quick_retries(1)).build().unwrap();

    // Waiting for the answer, on a fresh connection and on one used before.
    for round in 1..=2 {
        server.reply(Reply::hang());
        let asked = server.request_count() + 1;
        let error = cancelled(&client, || assert!(server.wait_for_requests(asked, LONG)));
        // The server can have read all of it before the client knows that it was sent.
        let phase = error.phase();
        assert!(matches!(phase, Some(Phase::Send | Phase::FirstByte)), "round {round}: {phase:?}");
        client.chat("hi").unwrap();
        assert_at_rest(&client);
    }
    assert_eq!(client.pool().total.closed.cancelled, 2);

    // In line for a connection.
    server.reply(Reply::hang());
    let asked = server.request_count() + 1;
    let first = cancelled(&client, || {
        assert!(server.wait_for_requests(asked, LONG));
        let second = cancelled(&client, || {
            while client.pool().total.waiting == 0 {
                thread::yield_now();
            }
        });
        assert_eq!(second.phase(), Some(Phase::PoolWait));
    });
    assert!(matches!(first.phase(), Some(Phase::Send | Phase::FirstByte)));

    // Between two attempts.
    server.reply(Reply::status(503).header("retry-after", "20"));
    let asked = server.request_count() + 1;
    let error = cancelled(&client, || {
        assert!(server.wait_for_requests(asked, LONG));
        while client.pool().total.active > 0 {
            thread::yield_now();
        }
    });
    assert_eq!(error.attempts().len(), 1);
    assert_eq!(server.request_count(), asked);

    // Before it began.
    let token = CancelToken::new();
    token.cancel();
    let request = ChatRequest::from("hi").cancel_token(&token);
    assert_eq!(client.chat(request).unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(server.request_count(), asked);
    assert_at_rest(&client);
    client.chat("hi").unwrap();
}

#[test]
fn cancelling_ends_a_blocked_write() {
    let (sender, accepted) = mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let (release, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let server = RawServer::start(move |_, mut socket| {
        // The server reads the beginning only; the rest is much more than buffers hold.
        let mut start = [0; 1000];
        std::io::Read::read_exact(&mut socket, &mut start).unwrap();
        sender.lock().unwrap().send(()).unwrap();
        let _ = held.lock().unwrap().recv_timeout(LONG);
        drop(socket);
    });
    let client = at(&server);
    let token = CancelToken::new();
    let request = ChatRequest::from("x".repeat(16_000_000)).cancel_token(&token);
    let error = thread::scope(|scope| {
        let call = scope.spawn(|| client.chat(request));
        accepted.recv_timeout(LONG).unwrap();
        token.cancel();
        call.join().unwrap().unwrap_err()
    });
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Cancelled, Some(Phase::Send)), "{error}");
    release.send(()).unwrap();
    assert_at_rest(&client);
}

#[test]
fn the_pool_reports_what_it_has_done() {
    let server = loopback();
    let client = client(&server, "openai");
    let origin = format!("http://{}", server.address());
    for _ in 0..3 {
        client.chat("hi").unwrap();
    }
    server.reply(Reply::text("bye").close());
    client.chat("hi").unwrap();
    server.reply(Reply::text("half").cut_after(5));
    client.chat("hi").unwrap_err();
    let stats = client.pool();
    assert_eq!(stats.origins.keys().collect::<Vec<_>>(), [&origin]);
    assert_eq!(stats.origins[&origin], stats.total);
    let total = stats.total;
    assert_eq!((total.opened, total.reused, total.idle), (2, 3, 0));
    assert_eq!((total.closed.ended, total.closed.total()), (2, 2));
    let stored = serde_json::to_string(&client.pool()).unwrap();
    assert_eq!(serde_json::from_str::<tollgate::PoolStats>(&stored).unwrap(), client.pool());
}
