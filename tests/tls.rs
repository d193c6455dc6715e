//! TLS connections are made once, reused, and refused for the right reasons.
#![cfg(feature = "rustls")]

mod support;

use std::io::Read;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use support::listener::{Listener, PATIENCE, wait_for_the_end};
use support::tls::{AUTHORITY, TlsServer};
use support::{builder, cancelled, eventually, loopback, quick_retries};
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    CancelToken, ChatRequest, Client, ClientBuilder, Error, ErrorKind, OriginStats, Phase,
    PoolConfig, Tls,
};

/// A loopback provider behind TLS, and a builder for a client that trusts it.
fn encrypted() -> (Loopback, TlsServer, ClientBuilder) {
    let server = loopback();
    let tls = TlsServer::start(server.address());
    let builder = builder(&server, "openai")
        .base_url(tls.base_url())
        .connect_timeout(PATIENCE)
        .tls(Tls::Roots(AUTHORITY.to_vec()));
    (server, tls, builder)
}

/// A builder for a client of a server that never completes a handshake.
fn towards(listener: &Listener) -> ClientBuilder {
    Client::builder()
        .provider("openai")
        .model("gpt-4o-mini")
        .api_key(support::KEY)
        .base_url(format!("https://localhost:{}/v1", listener.address().port()))
        .tls(Tls::Roots(AUTHORITY.to_vec()))
        .timeout(PATIENCE)
        .retry(quick_retries(2))
}

/// The error of one call, which must come in time, and the pool's counts.
fn failure(builder: ClientBuilder) -> (Error, OriginStats) {
    let client = builder.build().unwrap();
    let begun = Instant::now();
    let error = client.chat("hi").unwrap_err();
    assert!(begun.elapsed() < PATIENCE, "{error}");
    (error, client.pool().total)
}

#[test]
fn twenty_calls_cost_one_handshake() {
    let (server, tls, builder) = encrypted();
    let client = builder.build().unwrap();
    for _ in 0..20 {
        client.chat("hi").unwrap();
    }
    assert_eq!(server.request_count(), 20);
    assert_eq!((tls.accepted(), tls.handshakes()), (1, 1));
    let pool = client.pool().total;
    assert_eq!((pool.opened, pool.reused), (1, 19));
    assert_eq!((pool.closed.total(), pool.failed.total()), (0, 0));
}

#[test]
fn sixteen_threads_cost_no_more_handshakes_than_there_are_connections() {
    let (server, tls, builder) = encrypted();
    let pool = PoolConfig { max_size: 4, ..PoolConfig::default() };
    let client = builder.pool(pool).build().unwrap();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..10 {
                    client.chat("hi").unwrap();
                }
            });
        }
    });
    assert_eq!(server.request_count(), 160);
    assert!(tls.handshakes() <= 4, "{}", tls.handshakes());
    assert_eq!(tls.accepted(), tls.handshakes());
    let pool = client.pool().total;
    assert_eq!(pool.opened, tls.handshakes() as u64);
    assert_eq!(pool.opened + pool.reused, 160);
}

#[test]
fn calls_use_the_connections_of_warm_up() {
    let (server, tls, builder) = encrypted();
    let client = builder.build().unwrap();
    assert_eq!(client.warm_up(1).unwrap(), 1);
    // By then it has sent session tickets, which are not unrequested bytes.
    let begun = Instant::now();
    while tls.handshakes() < 1 {
        assert!(begun.elapsed() < PATIENCE);
        thread::yield_now();
    }
    for _ in 0..3 {
        client.chat("hi").unwrap();
    }
    let pool = client.pool().total;
    assert_eq!((pool.opened, pool.reused, pool.closed.total()), (1, 3, 0));
    assert_eq!(tls.handshakes(), 1);
    assert_eq!(server.request_count(), 3);
}

#[test]
fn an_encrypted_connection_that_died_before_its_first_use_costs_no_error() {
    let (server, tls, builder) = encrypted();
    let client = builder.build().unwrap();
    client.warm_up(1).unwrap();
    assert!(server.wait_for_connections(|now| now.open == 1, PATIENCE));
    server.close_connections();
    assert_eq!(client.chat("hi").unwrap().attempts().len(), 1);
    assert_eq!(tls.handshakes(), 2);
}

#[test]
fn a_large_answer_arrives_whole() {
    let (server, _tls, builder) = encrypted();
    let text = "all of it ".repeat(100_000);
    server.reply(Reply::text(&text));
    assert_eq!(builder.build().unwrap().chat("hi").unwrap().text(), text);
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused_once() {
    let (server, tls, builder) = encrypted();
    let (error, pool) = failure(builder.tls(Tls::Bundled).retry(quick_retries(2)));
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert_eq!(error.phase(), Some(Phase::Tls));
    assert_eq!(error.attempts().len(), 1, "trying again does not help");
    assert!(error.to_string().contains(&format!("https://localhost:{}", tls.port())), "{error}");
    assert_eq!((pool.failed.tls, pool.failed.total(), pool.opened), (1, 1, 0));
    assert_eq!((tls.accepted(), tls.handshakes()), (1, 0));
    assert_eq!(server.request_count(), 0);
}

#[test]
fn a_certificate_for_another_name_is_refused_once() {
    let (server, tls, builder) = encrypted();
    let by_address = format!("https://127.0.0.1:{}/v1", tls.port());
    let (error, pool) = failure(builder.base_url(by_address).retry(quick_retries(2)));
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert_eq!(error.phase(), Some(Phase::Tls));
    assert_eq!(error.attempts().len(), 1, "trying again does not help");
    assert_eq!((pool.failed.tls, pool.failed.total(), pool.opened), (1, 1, 0));
    assert_eq!(tls.handshakes(), 0);
    assert_eq!(server.request_count(), 0);
}

#[test]
fn a_hanging_handshake_ends_at_the_connect_timeout() {
    // Enough to come as far as the handshake.
    let listener = Listener::start(wait_for_the_end);
    let (error, pool) =
        failure(towards(&listener).connect_timeout(Duration::from_secs(1)).retry(quick_retries(0)));
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(error.phase(), Some(Phase::Tls));
    assert_eq!((pool.failed.timeout, pool.failed.total()), (1, 1));
}

#[test]
fn a_hanging_handshake_ends_at_the_timeout_of_the_call() {
    let listener = Listener::start(wait_for_the_end);
    let (error, pool) =
        failure(towards(&listener).connect_timeout(PATIENCE).timeout(Duration::from_secs(1)));
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(error.phase(), Some(Phase::Tls));
    assert_eq!(error.attempts().len(), 1);
    assert_eq!((pool.failed.timeout, pool.failed.total()), (1, 1));
}

#[test]
fn a_server_that_hangs_up_during_the_handshake_is_retried() {
    // At once, or in the middle of the client's message.
    for bytes in [0, 5] {
        let listener = Listener::start(move |mut socket| {
            socket.read_exact(&mut vec![0; bytes]).unwrap();
        });
        let (error, pool) = failure(towards(&listener));
        assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
        assert_eq!(error.phase(), Some(Phase::Tls));
        assert_eq!(error.attempts().len(), 3);
        assert!(error.to_string().contains("closed during the TLS handshake"), "{error}");
        assert_eq!(listener.accepted(), 3);
        assert_eq!((pool.failed.tls, pool.failed.total()), (3, 3));
    }
}

#[test]
fn a_cancel_token_ends_a_hanging_handshake() {
    let (begun, has_begun) = mpsc::sync_channel(1);
    let listener = Listener::start(move |mut socket| {
        socket.read_exact(&mut [0]).unwrap();
        begun.send(()).unwrap();
        wait_for_the_end(socket);
    });
    let client = towards(&listener).connect_timeout(Duration::from_secs(60)).build().unwrap();
    let error = cancelled(&client, || has_begun.recv_timeout(PATIENCE).unwrap());
    assert_eq!(error.phase(), Some(Phase::Tls));
    // The connecting thread reports it after it has let go.
    eventually("it is counted", || client.pool().total.failed.cancelled == 1);
    assert_eq!(client.pool().total.failed.total(), 1);
}

#[test]
fn roots_without_a_certificate_are_a_configuration_error() {
    let pem = std::str::from_utf8(AUTHORITY).unwrap();
    let cut: String = pem
        .lines()
        .enumerate()
        .filter(|(at, _)| *at != 3)
        .map(|(_, line)| format!("{line}\n"))
        .collect();
    for nonsense in [
        "",
        "nonsense",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
        // Well-formed PEM of what is no certificate.
        "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        // A line is missing.
        &cut,
        // A key in place of a certificate.
        include_str!("tls/server.key"),
    ] {
        let error = Client::builder()
            .provider("openai")
            .api_key(support::KEY)
            .tls(Tls::Roots(nonsense.into()))
            .build()
            .expect_err(nonsense);
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        assert!(error.to_string().contains("root certificates"), "{error}");
    }
}

#[test]
fn streams_work_over_tls_and_return_their_connection() {
    let (server, tls, builder) = encrypted();
    let client = builder.build().unwrap();
    server.default_reply(Reply::text("one two three").chunk_delay(Duration::from_millis(5)));
    for _ in 0..3 {
        assert_eq!(client.stream("hi").unwrap().finish().unwrap().text(), "one two three");
    }
    assert_eq!(tls.accepted(), 1);

    // Blocked in the middle, and ended by the token.
    server.reply(Reply::text("one two three four five six").stall_after(1000));
    let token = CancelToken::new();
    let mut stream = client.stream(ChatRequest::from("hi").cancel_token(&token)).unwrap();
    let error = thread::scope(|scope| {
        let reading = scope.spawn(|| stream.by_ref().find_map(Result::err));
        token.cancel();
        reading.join().unwrap().unwrap()
    });
    assert!(error.is_cancelled(), "{error}");
    assert_eq!((client.pool().total.active, client.pool().total.idle), (0, 0));
}

#[test]
fn an_error_says_that_a_server_has_no_tls() {
    let server = loopback();
    let address = server.address();
    let builder = builder(&server, "openai").base_url(format!("https://{address}/v1"));
    let (error, _pool) = failure(builder);
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert!(error.message().contains("should the base URL start with http://"), "{error}");
    assert!(!error.is_retryable());
}
