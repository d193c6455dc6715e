//! Tests of how the loopback provider starts, stops and refuses connections.

use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::*;

fn refused(server: &Loopback) -> bool {
    TcpStream::connect(server.address())
        .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

#[test]
fn stopping_ends_every_connection_in_any_state() {
    let server = Loopback::start().unwrap();
    let endless = || Reply::raw(200, "text/plain", vec![b'x'; 50_000_000]);
    server.reply(Reply::hang());
    server.reply(Reply::text("x").delay(Duration::MAX));
    server.reply(Reply::text("x").stall_after(1));
    server.reply(Reply::reset().delay(LONG));
    server.reply(Reply::text("a b c").write_size(1).chunk_delay(LONG));
    // Nobody reads this, so the server blocks while writing it.
    server.reply(endless());
    server.reply(Reply::text("x"));
    let mut clients = Vec::new();
    for number in 1..=7 {
        let mut client = Client::to(&server);
        client.post(CHAT, &question(false));
        assert!(server.wait_for_requests(number, LONG));
        clients.push(client);
    }
    // One client is in the middle of its request, another has sent nothing.
    clients.push(Client::to(&server));
    clients[7].write("POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nabc");
    clients.push(Client::to(&server));
    assert!(server.wait_for_connections(|connections| connections.opened == 9, LONG));
    let shared = Arc::downgrade(&server.server);
    server.stop();
    assert_eq!(server.connections().open, 0);
    assert!(refused(&server));
    assert_eq!(server.request_count(), 7);
    for client in &mut clients {
        let mut bytes = Vec::new();
        // It may end by FIN or reset; it must end.
        let _ = client.0.read_to_end(&mut bytes);
    }
    // Every thread held the server; no thread is left.
    assert_eq!(shared.strong_count(), 1);
    server.stop();
    drop(server);
    assert_eq!(shared.strong_count(), 0);
}

#[test]
fn stopping_works_while_clients_come_and_go() {
    for _ in 0..20 {
        let server = Loopback::start().unwrap();
        let address = server.address();
        let shared = Arc::downgrade(&server.server);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(move || {
                    while let Ok(mut stream) = TcpStream::connect(address) {
                        let _ = stream.write_all(b"GET / HTTP/1.1\r\n\r\n");
                        let _ = stream.read(&mut [0; 16]);
                    }
                });
            }
            assert!(server.wait_for_requests(20, LONG));
            drop(server);
            assert_eq!(shared.strong_count(), 0);
        });
    }
}

#[test]
fn the_port_stays_the_same_after_refusing_connections() {
    let server = Loopback::start().unwrap();
    let mut early = Client::to(&server);
    for _ in 0..5 {
        server.refuse_connections().unwrap();
        server.refuse_connections().unwrap();
        assert!(refused(&server));
        early.post(CHAT, &question(false));
        assert_eq!(early.answer().status, 200);
        server.accept_connections().unwrap();
        server.accept_connections().unwrap();
        let mut late = Client::to(&server);
        late.post(CHAT, &question(false));
        assert_eq!(late.answer().status, 200);
    }
    // Neither waking the server nor refusing counts as a connection.
    assert_eq!(server.connections().opened, 6);
    server.refuse_connections().unwrap();
    server.stop();
    assert!(server.accept_connections().is_err());
}

#[test]
fn new_connections_can_be_dropped_or_ignored() {
    let server = Loopback::start().unwrap();
    server.drop_connections().unwrap();
    assert_eq!(Client::to(&server).rest(), (Vec::new(), End::Fin));
    let seen = server.connections();
    assert_eq!((seen.opened, seen.open, seen.peak), (1, 0, 1));

    server.ignore_connections().unwrap();
    let mut ignored = Client::to(&server);
    ignored.post(CHAT, &question(false));
    assert!(server.wait_for_connections(|connections| connections.open == 1, LONG));

    server.accept_connections().unwrap();
    let mut served = Client::to(&server);
    // This client is already in the accept queue, so it is served.
    server.drop_connections().unwrap();
    served.post(CHAT, &question(false));
    assert_eq!(served.answer().status, 200);
    assert_eq!(server.request_count(), 1);
    server.stop();
    // Its bytes were never read, so a reset may overtake the FIN.
    assert!(matches!(ignored.rest(), (bytes, End::Fin | End::Reset) if bytes.is_empty()));
}

#[test]
fn idle_connections_can_be_closed() {
    let server = Loopback::start().unwrap();
    let mut client = Client::to(&server);
    client.post(CHAT, &question(false));
    assert_eq!(client.answer().status, 200);
    server.close_connections();
    assert_eq!(client.rest(), (Vec::new(), End::Fin));
    assert!(server.wait_for_connections(|connections| connections.open == 0, LONG));
    let mut client = Client::to(&server);
    client.post(CHAT, &question(false));
    assert_eq!(client.answer().status, 200);
    assert_eq!(server.connections().opened, 2);
}

#[test]
fn http_details_are_handled() {
    let server = Loopback::start().unwrap();
    let mut client = Client::to(&server);
    client.write(&format!(
        "POST {CHAT} HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    ));
    assert_eq!(client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.write("{}");
    assert_eq!(client.answer().status, 200);
    // Two requests at once; the second is the last.
    client.post(CHAT, &question(false));
    client.post_with(CHAT, "connection: close\r\n", &question(true));
    assert_eq!(client.answer().status, 200);
    assert!(client.answer().head.contains("connection: close\r\n"));
    assert_eq!(client.rest(), (Vec::new(), End::Fin));

    let mut old = Client::to(&server);
    let body = question(true).to_string();
    old.write(&format!("POST {CHAT} HTTP/1.0\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    assert!(!old.until("\r\n\r\n").contains("transfer-encoding"));
    assert!(old.rest().0.ends_with(b"data: [DONE]\n\n"));

    for (request, status) in [
        ("\x16\x03\x01\x02\x00\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\ncontent-length: 99999999\r\n\r\nbody", "413"),
    ] {
        let mut odd = Client::to(&server);
        odd.write(request);
        assert_eq!(&odd.until("\r\n\r\n")[9..12], status);
        assert_eq!(odd.rest().1, End::Fin);
    }
}

#[test]
fn a_panicking_matcher_loses_only_its_connection() {
    let server = Loopback::start().unwrap();
    server.on(
        |request| {
            assert!(!request.body_contains("boom"), "the matcher's own failure");
            false
        },
        Reply::text("never"),
    );
    let mut client = Client::to(&server);
    client.post(CHAT, &json!({"prompt": "boom"}));
    assert_eq!(client.rest().0, b"");
    let mut client = Client::to(&server);
    client.post(CHAT, &question(false));
    assert_eq!(client.answer().status, 200);
    assert_eq!(server.connections().open, 1);
}

#[test]
fn many_clients_at_once_are_all_served_and_counted() {
    const THREADS: u64 = 64;
    const CALLS: u64 = 10_000;
    let server = Loopback::start().unwrap();
    for number in 0..CALLS {
        server.reply(Reply::text(number.to_string()));
    }
    let left = AtomicU64::new(CALLS);
    let sum = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut client = Client::to(&server);
                while left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
                    .is_ok()
                {
                    client.post(CHAT, &question(false));
                    let body = client.answer().json();
                    let text = body["choices"][0]["message"]["content"].as_str().unwrap();
                    sum.fetch_add(text.parse().unwrap(), Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(sum.into_inner(), CALLS * (CALLS - 1) / 2, "each scripted reply is used once");
    assert_eq!((server.request_count(), server.requests().len() as u64), (CALLS, CALLS));
    assert!(server.wait_for_connections(|connections| connections.open == 0, LONG));
    let seen = server.connections();
    assert_eq!(seen.opened, THREADS);
    assert!(seen.peak <= THREADS && seen.peak > 0);
}
