//! Bytes that no request asked for never become the answer to a later call.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use support::listener::PATIENCE;
use support::peer::{KINDS, Peer, server};
use support::server::{body, response};
use support::stream::whole;
use tollgate::{Client, Proxy};

/// Some servers send this before they close an idle connection.
const TIMEOUT: &str =
    "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Calls again and again, and checks that each call gets its own answer.
fn call(client: &Client, times: usize) {
    for number in 0..times {
        let question = format!("question {number}");
        let answer = client.chat(question.as_str()).unwrap();
        assert_eq!(answer.text(), question, "got the answer to another call");
        assert_eq!(answer.attempts().len(), 1);
    }
}

/// Answers each question with itself, and sends `more` in the same write.
fn echo(peer: &mut Peer, more: &str) {
    while let Some(question) = peer.request() {
        peer.send(response(&question) + more);
    }
}

/// A server that answers each question with itself and then runs `more`. The last part of what
/// this returns starts `more` and waits until it is done.
fn echo_and_later(
    encrypted: bool,
    more: impl Fn(&mut Peer) + Send + Sync + 'static,
) -> (support::listener::Listener, Client, impl Fn()) {
    let ((go, is_to), (done, is_done)) = (channel(), channel());
    let words = Mutex::new((is_to, done));
    let (listener, builder) = server(encrypted, move |peer| {
        while let Some(question) = peer.request() {
            peer.send(response(&question));
            let (is_to, done) = &*words.lock().unwrap();
            if is_to.recv_timeout(PATIENCE).is_err() {
                return;
            }
            more(peer);
            done.send(()).unwrap();
        }
    });
    let later = move || {
        go.send(()).unwrap();
        is_done.recv_timeout(PATIENCE).unwrap();
    };
    (listener, builder.build().unwrap(), later)
}

#[test]
fn extra_bytes_in_the_write_of_an_answer_are_never_used() {
    for &encrypted in KINDS {
        for (more, calls) in [(&*response("EVIL"), 300), (TIMEOUT, 20), ("x", 20), ("\r\n", 20)] {
            let more = more.to_owned();
            let (listener, builder) = server(encrypted, move |peer| echo(peer, &more));
            let client = builder.build().unwrap();
            call(&client, calls);
            let closed = client.pool().total.closed;
            assert_eq!((closed.unrequested, closed.total()), (calls as u64, calls as u64));
            assert_eq!(listener.accepted(), calls);
        }
    }
}

#[test]
fn extra_bytes_after_an_answer_are_never_used_however_soon_the_next_call_comes() {
    for &encrypted in KINDS {
        for (more, calls) in [(&*response("EVIL"), 200), (TIMEOUT, 20), ("x", 20)] {
            let more = more.to_owned();
            let (_listener, client, later) = echo_and_later(encrypted, move |peer| {
                peer.send(&more);
                peer.wait_until_unread();
            });
            for number in 1..=calls {
                call(&client, 1);
                later();
                let closed = client.pool().total.closed;
                assert_eq!((closed.unrequested, closed.total()), (number - 1, number - 1));
            }
            call(&client, 1);
            assert_eq!(client.pool().total.closed.unrequested, calls);
            later();
        }
    }
}

/// A response of this size that says `text`.
fn of_size(size: usize, text: &str) -> String {
    let padded = |spaces: usize| {
        let body = body(text) + &" ".repeat(spaces);
        format!("HTTP/1.1 200 OK\r\ncontent-length: {:05}\r\n\r\n{body}", body.len())
    };
    padded(size - padded(0).len())
}

#[test]
fn an_answer_that_fills_the_buffer_does_not_hide_extra_bytes() {
    // Around the sizes of a read and of a TLS record.
    for size in [12_288, 16_384, 24_576].into_iter().flat_map(|size| size - 2..=size + 2) {
        for &encrypted in KINDS {
            let (_listener, builder) = server(encrypted, move |peer| {
                while let Some(question) = peer.request() {
                    peer.send(of_size(size, &question) + &response("EVIL"));
                }
            });
            let client = builder.build().unwrap();
            call(&client, 3);
            let total = client.pool().total;
            // The system's TLS may hold more without saying so; those count as ended.
            let closed = total.closed.unrequested + total.closed.ended;
            assert_eq!((closed + total.idle as u64, size), (3, size));
        }
    }
}

fn with_length(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn in_chunks(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
    )
}

fn error(text: &str) -> String {
    format!(r#"{{"error":{{"message":"{text}","type":"invalid_request_error"}}}}"#)
}

fn events(text: &str) -> String {
    format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\
         \"finish_reason\":\"stop\"}}]}}\n\ndata: [DONE]\n\n"
    )
}

#[test]
fn extra_bytes_after_any_kind_of_response_are_never_used() {
    let kinds: [fn(&str) -> String; 7] = [
        |text| in_chunks(&body(text)),
        |text| with_length("400 Bad Request", &error(text)),
        |text| with_length("503 Service Unavailable", &error(text)),
        |_| "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        |_| with_length("200 OK", ""),
        |_| in_chunks("").replace("0\r\n\r\n0\r\n\r\n", "0\r\n\r\n"),
        |_| with_length("502 Bad Gateway", ""),
    ];
    for (kind, answer) in kinds.into_iter().enumerate() {
        for &encrypted in KINDS {
            let (_listener, builder) = server(encrypted, move |peer| {
                while let Some(question) = peer.request() {
                    peer.send(answer(&question) + &response("EVIL"));
                }
            });
            let client = builder.build().unwrap();
            for number in 0..20 {
                let question = format!("question {number}");
                match client.chat(question.as_str()) {
                    Ok(answer) => assert_eq!(answer.text(), question, "{kind}"),
                    Err(error) if kind <= 2 => assert_eq!(error.message(), question),
                    Err(error) => assert!(error.status().is_some(), "{error}"),
                }
            }
            assert_eq!(client.pool().total.idle, 0, "{kind}");
        }
    }
}

#[test]
fn extra_bytes_in_the_write_that_ends_a_stream_are_never_used() {
    let kinds: [fn(&str) -> String; 4] = [
        |text| in_chunks(&events(text)),
        |text| in_chunks(&(events(text) + "junk behind the end marker")),
        |text| with_length("200 OK", &events(text)),
        |text| with_length("200 OK", &(events(text) + "\n\n: comment\n\ndata: {}\n\n")),
    ];
    for answer in kinds {
        for &encrypted in KINDS {
            let (_listener, builder) = server(encrypted, move |peer| {
                while let Some(question) = peer.request() {
                    let answer = answer(&question);
                    // All in one write, and the end of the stream in a second one.
                    let (start, end) = answer.split_at(answer.len() - 7);
                    match question.ends_with('0') {
                        true => peer.send(answer + &in_chunks(&events("EVIL"))),
                        false => {
                            peer.send(start);
                            peer.send(end.to_owned() + &in_chunks(&events("EVIL")));
                        }
                    }
                }
            });
            let client = builder.build().unwrap();
            for number in 0..40 {
                let question = format!("question {number}");
                let mut stream = client.stream(question.as_str()).unwrap();
                assert_eq!(whole(&mut stream), question);
                drop(stream);
            }
            assert_eq!(client.pool().total.closed.total() + client.pool().total.idle as u64, 40);
        }
    }
}

#[test]
fn extra_bytes_after_a_stream_are_never_used() {
    for &encrypted in KINDS {
        let ((go, is_to), (done, is_done)) = (channel(), channel());
        let words = Mutex::new((is_to, done));
        let (_listener, builder) = server(encrypted, move |peer| {
            while let Some(question) = peer.request() {
                peer.send(in_chunks(&events(&question)));
                let (is_to, done) = &*words.lock().unwrap();
                if is_to.recv_timeout(PATIENCE).is_err() {
                    return;
                }
                peer.send(in_chunks(&events("EVIL")));
                peer.wait_until_unread();
                done.send(()).unwrap();
            }
        });
        let client = builder.build().unwrap();
        for number in 1..=50 {
            let question = format!("question {number}");
            let mut stream = client.stream(question.as_str()).unwrap();
            assert_eq!(whole(&mut stream), question);
            drop(stream);
            assert_eq!(client.pool().total.idle, 1);
            go.send(()).unwrap();
            is_done.recv_timeout(PATIENCE).unwrap();
        }
        assert_eq!(client.pool().total.closed.unrequested, 49);
    }
}

/// On a connection that `warm_up` opened.
#[test]
fn extra_bytes_before_the_first_request_are_never_used() {
    // With the system's TLS, session tickets look the same.
    for &encrypted in KINDS.iter().filter(|encrypted| !**encrypted || cfg!(feature = "rustls")) {
        let (done, is_done) = channel();
        let first = Mutex::new(Some(done));
        let (listener, builder) = server(encrypted, move |peer| {
            if let Some(done) = first.lock().unwrap().take() {
                peer.send(response("EVIL"));
                peer.wait_until_unread();
                done.send(()).unwrap();
            }
            echo(peer, "");
        });
        let client = builder.build().unwrap();
        assert_eq!(client.warm_up(1).unwrap(), 1);
        is_done.recv_timeout(PATIENCE).unwrap();
        call(&client, 3);
        assert_eq!(client.pool().total.closed.unrequested, 1);
        assert_eq!(listener.accepted(), 2);
    }
}

/// Does a proxy's part of the handshake.
fn be_a_proxy(peer: &mut Peer, scheme: &str) {
    let socket = peer.socket();
    if scheme == "http" {
        assert!(support::server::request(socket).is_some());
        socket.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
        return;
    }
    // RFC 1928: a greeting, its answer, and an address as a number or a name.
    let read = |mut socket: &TcpStream, length: usize| {
        let mut bytes = vec![0; length];
        socket.read_exact(&mut bytes).unwrap();
        bytes
    };
    assert_eq!(read(socket, 3), [5, 1, 0]);
    socket.write_all(&[5, 0]).unwrap();
    let rest = match read(socket, 4)[3] {
        1 => 6,
        _ => usize::from(read(socket, 1)[0]) + 2,
    };
    read(socket, rest);
    socket.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
}

#[test]
fn extra_bytes_through_a_proxy_are_never_used() {
    for scheme in ["http", "socks5"] {
        for &encrypted in KINDS {
            let ((go, is_to), (done, is_done)) = (channel(), channel());
            let words = Mutex::new((is_to, done));
            let (listener, builder) = server(encrypted, move |peer| {
                be_a_proxy(peer, scheme);
                while let Some(question) = peer.request() {
                    peer.send(response(&question));
                    let (is_to, done) = &*words.lock().unwrap();
                    match is_to.recv_timeout(PATIENCE) {
                        Ok(true) => {
                            peer.send(response("EVIL"));
                            peer.wait_until_unread();
                        }
                        Ok(false) => {}
                        Err(_) => return,
                    }
                    done.send(()).unwrap();
                }
            });
            let proxy = Proxy::Url(format!("{scheme}://{}", listener.address()));
            let client = builder.proxy(proxy).build().unwrap();
            assert_eq!(client.warm_up(1).unwrap(), 1);
            for number in 1..=20 {
                call(&client, 1);
                go.send(number % 2 == 0).unwrap();
                is_done.recv_timeout(PATIENCE).unwrap();
                let closed = client.pool().total.closed;
                // Through SOCKS, extra bytes and an end look the same.
                assert_eq!(closed.unrequested + closed.broken, (number - 1) / 2, "{scheme}");
            }
            assert_eq!(client.pool().total.opened, 10);
        }
    }
}

#[cfg(feature = "rustls")]
#[test]
fn part_of_a_tls_record_ends_the_connection() {
    // The header of a record of 64 bytes, and parts of it (RFC 8446 section 5.1).
    for length in 1..8 {
        let (_listener, client, later) = echo_and_later(true, move |peer| {
            peer.socket().write_all(&[0x17, 3, 3, 0, 64, 1, 2, 3][..length]).unwrap();
            peer.wait_until_unread();
        });
        call(&client, 1);
        later();
        call(&client, 1);
        assert_eq!(client.pool().total.closed.unrequested, 1, "{length}");
    }
}

/// RFC 8446 section 4.6.3.
#[cfg(feature = "rustls")]
#[test]
fn a_tls_key_update_does_not_end_the_connection() {
    let (listener, client, later) = echo_and_later(true, |peer| {
        let tls = peer.tls();
        tls.conn.refresh_traffic_keys().unwrap();
        tls.conn.write_tls(&mut tls.sock).unwrap();
        peer.wait_until_unread();
    });
    for _ in 0..20 {
        call(&client, 1);
        later();
    }
    assert_eq!((listener.accepted(), client.pool().total.closed.total()), (1, 0));
}

#[test]
fn a_connection_the_server_closed_counts_as_broken() {
    for &encrypted in KINDS {
        let (listener, builder) = server(encrypted, |peer| {
            if let Some(question) = peer.request() {
                peer.send(response(&question));
            }
        });
        let client = builder.build().unwrap();
        call(&client, 1);
        support::eventually("the pool notices the closed connection", || {
            call(&client, 1);
            client.pool().total.closed.broken > 0
        });
        let total = client.pool().total;
        assert_eq!(total.closed.unrequested, 0);
        assert_eq!(total.opened, listener.accepted() as u64);
    }
}
