//! A response with invalid framing or an invalid head is a protocol error. It keeps its status and
//! is not retried.

mod support;

use support::listener::Listener;
use support::peer::server;
use support::server::{body, response, word};
use support::stream::CHUNK;
use support::{builder_at, quick_retries};
use tollgate::{Client, Error, ErrorKind};

/// A client that retries, and a server that gives this answer and then ends the connection or
/// keeps it open.
fn answering(answer: &str, ends: bool) -> (Listener, Client) {
    let answer = answer.to_owned();
    let (listener, builder) = server(false, move |peer| {
        while peer.request().is_some() {
            peer.send(&answer);
            if ends {
                return;
            }
        }
    });
    (listener, builder.retry(quick_retries(2)).build().unwrap())
}

/// The error of a call and of a stream, which must be the same and not retried.
fn failure(answer: &str) -> Error {
    let [whole, streamed] = [false, true].map(|streams| {
        let (listener, client) = answering(answer, false);
        let error = match streams {
            false => client.chat("hi").unwrap_err(),
            true => client.stream("hi").unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::Protocol, "{answer:?}: {error}");
        assert_eq!(listener.accepted(), 1, "{answer:?} is not retried");
        assert_eq!(client.pool().total.idle, 0);
        error
    });
    assert_eq!(whole.to_string(), streamed.to_string());
    whole
}

#[test]
fn invalid_chunk_framing_is_a_protocol_error_and_not_retried() {
    let text = body("hi");
    let length = text.len();
    let head = "HTTP/1.1 200 OK\r\nx-request-id: r-1\r\ntransfer-encoding: chunked\r\n\r\n";
    for (chunks, wrong) in [
        (format!("{length:x}\n{text}\n0\n\n"), "bare line feed"),
        (format!("+{length:x}\r\n{text}\r\n0\r\n\r\n"), "not a hexadecimal number"),
        (format!("-{length:x}\r\n{text}\r\n0\r\n\r\n"), "not a hexadecimal number"),
        (format!("0x{length:x}\r\n{text}\r\n0\r\n\r\n"), "not a hexadecimal number"),
        (format!(" {length:x}\r\n{text}\r\n0\r\n\r\n"), "not a hexadecimal number"),
        (format!("xyz\r\n{text}\r\n0\r\n\r\n"), "not a hexadecimal number"),
        (format!("\r\n{text}\r\n0\r\n\r\n"), "not a hexadecimal number"),
        (format!("{:x}\r\n{text}\r\n0\r\n\r\n", length - 1), "does not end where its size says"),
        (format!("{length:x}\r\n{text}\n0\r\n\r\n"), "does not end where its size says"),
        (format!("{length:x}\r{text}\r\n0\r\n\r\n"), "bare carriage return"),
        (format!("{length:x};{}\r\n{text}\r\n0\r\n\r\n", "x".repeat(20_000)), "larger than 16 KiB"),
        (format!("{}{length:x}\r\n{text}\r\n0\r\n\r\n", "0".repeat(100)), "more than 16 digits"),
        (format!("fffffffffffffffff\r\n{text}"), "more than 16 digits"),
        ("0\r\n\n".to_owned(), "bare line feed"),
    ] {
        let error = failure(&(head.to_owned() + &chunks));
        assert!(error.message().contains(wrong), "{chunks:?}: {error}");
        assert_eq!((error.status(), error.request_id()), (Some(200), Some("r-1")));
    }
}

#[test]
fn invalid_chunk_framing_ends_a_stream() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let good = format!("{:x}\r\n{CHUNK}\r\n", CHUNK.len());
    let (word, wait) = word();
    let (listener, builder) = server(false, move |peer| {
        while peer.request().is_some() {
            peer.send(head.to_owned() + &good);
            wait();
            // The line can never become valid, so the client does not wait for its end.
            peer.send("5\nhello");
        }
    });
    let client = builder.retry(quick_retries(2)).build().unwrap();
    let mut stream = client.stream("hi").unwrap();
    word.send(()).unwrap();
    let error = stream.finish().unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Protocol, Some(200)), "{error}");
    assert_eq!((listener.accepted(), client.pool().total.idle), (1, 0));
}

#[test]
fn unknown_transfer_codings_are_refused() {
    let text = body("hi");
    let length = text.len();
    let chunks = format!("{length:x}\r\n{text}\r\n0\r\n\r\n");
    for coding in ["xchunked", "gzip, chunked", "chunked, gzip", "chunked, chunked", "gzip", ""] {
        let error =
            failure(&format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {coding}\r\n\r\n{chunks}"));
        assert!(error.message().contains("transfer-encoding"), "{coding}: {error}");
    }
    let error = failure(&format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: gzip\r\n\r\n{chunks}"
    ));
    assert!(error.message().contains("transfer-encoding"), "{error}");
    let error = failure(&format!("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"));
    assert!(error.message().contains("HTTP/1.0"), "{error}");
    for coding in ["chunked", "Chunked", " CHUNKED "] {
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding:{coding}\r\n\r\n{chunks}");
        let (listener, client) = answering(&answer, false);
        for _ in 0..3 {
            assert_eq!(client.chat("hi").unwrap().text(), "hi");
        }
        assert_eq!(listener.accepted(), 1);
    }
    let identity = response("hi").replace("\r\n\r\n", "\r\ntransfer-encoding: identity\r\n\r\n");
    assert_eq!(answering(&identity, false).1.chat("hi").unwrap().text(), "hi");
}

/// An intermediary may have used the other framing (RFC 9112 section 6.3).
#[test]
fn a_response_with_two_framings_is_refused_and_its_connection_never_reused() {
    let text = body("hi");
    let length = text.len();
    let chunks = format!("{length:x}\r\n{text}\r\n0\r\n\r\n");
    for (framing, body, wrong) in [
        ("content-length: 5\r\ntransfer-encoding: chunked", &chunks, "both a content-length and a"),
        ("content-length: 5\r\ncontent-length: 6", &text, "two different content-lengths"),
        ("content-length: 5, 6", &text, "two different content-lengths"),
        ("content-length: -5", &text, "the content-length is not a number"),
        ("content-length: 99999999999999999999", &text, "does not fit into 64 bits"),
    ] {
        let error = failure(&format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{body}"));
        assert!(error.message().contains(wrong), "{framing}: {error}");
        assert_eq!(error.status(), Some(200));
    }
    let twice = response("hi");
    let length = format!("content-length: {length}\r\n");
    let twice = twice.replacen(&length, &format!("{length}{length}"), 1);
    assert_eq!(answering(&twice, false).1.chat("hi").unwrap().text(), "hi");
}

#[test]
fn an_invalid_head_is_refused_and_its_connection_never_reused() {
    for (head, wrong) in [
        ("HTTP/1.1 200 OK\r\na: b\r\n c: d\r\n\r\n", "line folding"),
        ("HTTP/1.1 200 OK\r\na: b\rc: d\r\n\r\n", "bare carriage return"),
        ("HTTP/1.1 200 OK\r\na : b\r\n\r\n", "a header name ends with a space"),
        ("HTTP/1.1 200 OK\r\na: \0\r\n\r\n", "a NUL byte"),
        ("HTTP/2 200\r\n\r\n", "does not start with HTTP/1.1"),
        ("SSH-2.0-OpenSSH_9.2p1", "does not start with HTTP/1.1"),
        ("HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n", "Switching Protocols"),
    ] {
        let error = failure(head);
        assert!(error.message().contains(wrong), "{head:?}: {error}");
        assert_eq!(error.status(), None);
    }
}

#[test]
fn an_interim_response_with_wrong_framing_is_refused() {
    for (field, problem) in [
        ("content-length: 5x", "content-length is not a number"),
        ("content-length: 5\r\ncontent-length: 6", "two different content-lengths"),
        ("content-length: 5\r\ntransfer-encoding: chunked", "both a content-length"),
        ("transfer-encoding: gzip", "not just \"chunked\""),
    ] {
        let interim = format!("HTTP/1.1 103 Early Hints\r\n{field}\r\n\r\n");
        let error = failure(&(interim + &response("hi")));
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert!(error.message().contains(problem), "{field}: {error}");
    }
}

#[test]
fn interim_responses_are_skipped_up_to_a_limit() {
    let interim = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    for (pairs, fits) in [(1, true), (8, true), (9, false), (500, false)] {
        let answer = interim.repeat(pairs) + &response("hi");
        if !fits {
            let error = failure(&answer);
            assert!(error.message().contains("more than 16 interim responses"), "{error}");
            continue;
        }
        let (listener, client) = answering(&answer, false);
        for _ in 0..3 {
            assert_eq!(client.chat("hi").unwrap().text(), "hi");
        }
        assert_eq!(listener.accepted(), 1);
    }
}

#[test]
fn invalid_framing_does_not_hide_the_status_of_an_error() {
    for framing in
        ["transfer-encoding: xchunked\r\n\r\n", "transfer-encoding: chunked\r\n\r\nzz\r\n"]
    {
        let (listener, client) =
            answering(&format!("HTTP/1.1 503 Service Unavailable\r\n{framing}"), false);
        let error = client.chat("hi").unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Overloaded, Some(503)), "{error}");
        assert_eq!(listener.accepted(), 3);
    }
}

/// A response whose head is of this size.
fn with_head(size: usize) -> String {
    let (head, body) = (response("hi"), body("hi"));
    let head = head.strip_suffix(&body).unwrap().strip_suffix("\r\n").unwrap();
    let padding = "x".repeat(size - head.len() - "x-padding: \r\n\r\n".len());
    let head = format!("{head}x-padding: {padding}\r\n\r\n");
    assert_eq!(head.len(), size);
    head + &body
}

#[test]
fn response_heads_are_read_up_to_the_limit() {
    for limit in [None, Some(1024), Some(12_288), Some(20_000), Some(1 << 20)] {
        let size = limit.unwrap_or(65_536);
        for (size, fits) in [(size - 1, true), (size, true), (size + 1, false), (size * 2, false)] {
            let answer = with_head(size);
            let (listener, builder) = server(false, move |peer| {
                while peer.request().is_some() {
                    peer.send(&answer);
                }
            });
            let builder = match limit {
                Some(limit) => builder.max_response_head_bytes(limit),
                None => builder,
            };
            let client = builder.retry(quick_retries(2)).build().unwrap();
            for streams in [false, true] {
                let outcome = match streams {
                    false => client.chat("hi"),
                    true => client.stream("hi").and_then(|mut stream| stream.finish()),
                };
                match outcome {
                    Ok(answer) => assert_eq!((answer.text().as_str(), fits), ("hi", true)),
                    Err(error) => {
                        assert!(!fits, "{size} of {limit:?}: {error}");
                        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
                        let expected = format!("{} bytes allowed", limit.unwrap_or(65_536));
                        assert!(error.message().contains(&expected), "{error}");
                        assert!(error.message().contains("max_response_head_bytes()"), "{error}");
                    }
                }
            }
            assert_eq!(listener.accepted(), if fits { 1 } else { 2 }, "{size} of {limit:?}");
        }
    }
}

#[test]
fn more_than_128_headers_are_an_error_that_names_the_limit() {
    for (count, fits) in [(127, true), (128, true), (129, false), (500, false)] {
        let more = "x: y\r\n".repeat(count - 2);
        let answer = response("hi").replacen("\r\n", &format!("\r\n{more}"), 1);
        let (listener, client) = answering(&answer, false);
        match client.chat("hi") {
            Ok(answer) => assert_eq!((answer.text().as_str(), fits), ("hi", true)),
            Err(error) => {
                assert!(!fits, "{count}: {error}");
                assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
                assert!(error.message().contains("more than 128 headers"), "{error}");
            }
        }
        assert_eq!(listener.accepted(), 1, "it is not retried");
    }
}

#[test]
fn a_broken_body_keeps_status_and_request_id() {
    let head = "HTTP/1.1 200 OK\r\nx-request-id: r-2\r\n";
    let event = format!("{:x}\r\n{CHUNK}\r\n", CHUNK.len());
    for (body, kind) in [
        ("content-length: 100\r\n\r\n{".to_owned(), ErrorKind::Connection),
        ("transfer-encoding: chunked\r\n\r\n5\r\n{".to_owned(), ErrorKind::Connection),
        ("\r\n".to_owned(), ErrorKind::Connection),
        ("content-length: 2\r\n\r\n[]".to_owned(), ErrorKind::Protocol),
        (format!("content-length: 40000000\r\n\r\n{CHUNK}"), ErrorKind::Protocol),
        (format!("transfer-encoding: chunked\r\n\r\n{event}zz\r\n"), ErrorKind::Protocol),
    ] {
        let (_listener, client) = answering(&format!("{head}{body}"), true);
        let error = client.chat("hi").unwrap_err();
        assert_eq!(error.kind(), kind, "{body:?}: {error}");
        assert_eq!((error.status(), error.request_id()), (Some(200), Some("r-2")), "{error}");
        let failure = error.attempts()[0].failure.clone().unwrap();
        assert_eq!((failure.status, failure.request_id.as_deref()), (Some(200), Some("r-2")));
        let outcome = client.stream("hi").and_then(|mut stream| stream.finish());
        let error = outcome.unwrap_err();
        assert_eq!((error.status(), error.request_id()), (Some(200), Some("r-2")), "{error}");
    }
    // Without a head there is no status.
    let (_listener, builder) = server(false, |peer| drop(peer.request()));
    let error = builder.build().unwrap().chat("hi").unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Connection, None), "{error}");
}

#[test]
fn a_body_that_times_out_keeps_status_and_request_id() {
    for body in ["content-length: 100\r\n\r\n{", "transfer-encoding: chunked\r\n\r\n5"] {
        let head = format!("HTTP/1.1 200 OK\r\nx-request-id: r-3\r\n{body}");
        let (listener, _) = answering(&head, false);
        let client = builder_at(&format!("http://{}/v1", listener.address()))
            .timeout(std::time::Duration::from_millis(500))
            .build()
            .unwrap();
        for error in [client.chat("hi").unwrap_err(), client.stream("hi").unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            assert_eq!((error.status(), error.request_id()), (Some(200), Some("r-3")), "{error}");
        }
    }
}
