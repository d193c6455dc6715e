//! A response without a usable answer gives the same error for a call and for a stream. The
//! error says what came, and is retried only if the body may have been cut off.

mod support;

use support::stream::BOTH;
use support::{KEY, builder, loopback, quick_retries};
use tollgate::testing::{Framing, Reply};
use tollgate::{Error, ErrorKind};

/// The errors of a call and of a stream with this reply, each after up to three attempts.
fn failures(provider: &str, reply: &Reply) -> [Error; 2] {
    [false, true].map(|streams| {
        let server = loopback();
        server.default_reply(reply.clone());
        let client = builder(&server, provider).retry(quick_retries(2)).build().unwrap();
        let error = match streams {
            false => client.chat("a private prompt").unwrap_err(),
            true => client.stream("a private prompt").unwrap_err(),
        };
        assert_eq!(server.request_count(), error.attempts().len() as u64);
        assert!(!error.to_string().contains(KEY) && !format!("{error:?}").contains(KEY));
        error
    })
}

/// The error of both, which must be the same and not retried.
fn failure(provider: &str, reply: &Reply) -> Error {
    let [whole, streamed] = failures(provider, reply);
    for error in [&whole, &streamed] {
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert_eq!(error.attempts().len(), 1, "{error}");
        assert!(error.request_id().is_some());
    }
    // Each has a server of its own, which the advice names by its port.
    let without_digits = |error: &Error| error.message().replace(|c: char| c.is_ascii_digit(), "");
    assert_eq!(without_digits(&whole), without_digits(&streamed));
    assert_eq!(whole.status(), streamed.status());
    whole
}

#[test]
fn requests_ask_for_identity_encoding() {
    let server = loopback();
    let client = support::client(&server, "openai");
    client.chat("hi").unwrap();
    client.stream("hi").unwrap().finish().unwrap();
    for request in server.requests() {
        assert_eq!(request.header("accept-encoding"), Some("identity"));
    }
}

#[test]
fn an_unrequested_content_coding_is_an_error_that_names_it() {
    // The header of every gzip file (RFC 1952 section 2.3.1).
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    for provider in BOTH {
        for coding in ["gzip", "br", "zstd", "identity, deflate", "Gzip"] {
            for framing in [Framing::ContentLength, Framing::Chunked, Framing::UntilClose] {
                let reply = Reply::raw(200, "text/event-stream", gzip)
                    .header("content-encoding", coding)
                    .framing(framing);
                let error = failure(provider, &reply);
                assert_eq!(error.status(), Some(200));
                let name = coding.rsplit(", ").next().unwrap();
                assert!(error.message().contains(&format!("{name:?}")), "{error}");
                assert!(error.message().contains("accept-encoding: identity"), "{error}");
            }
        }
    }
}

#[test]
fn an_encoded_error_body_changes_neither_status_nor_kind() {
    for (status, kind, attempts) in [
        (401, ErrorKind::Authentication, 1),
        (429, ErrorKind::RateLimited, 3),
        (502, ErrorKind::Server, 3),
    ] {
        let reply = Reply::raw(status, "text/html", [0x1f, 0x8b, 8, 0, b'g'])
            .header("content-encoding", "gzip");
        for error in failures("openai", &reply) {
            assert_eq!((error.kind(), error.status()), (kind, Some(status)), "{error}");
            assert_eq!(error.attempts().len(), attempts);
            assert!(error.message().contains("content-encoding \"gzip\""), "{error}");
        }
    }
}

#[test]
fn a_key_in_the_content_encoding_is_hidden() {
    for value in [KEY.to_owned(), format!("{KEY}{}", "x".repeat(100))] {
        failure("openai", &Reply::raw(200, "text/plain", "x").header("content-encoding", value));
    }
}

#[test]
fn errors_say_what_an_unusable_body_is() {
    let wide: Vec<u8> = "{\"choices\": []}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [&[0xff, 0xfe], &*wide].concat();
    for provider in BOTH {
        for (bytes, expected) in [
            (&b""[..], "is empty"),
            (b"\n\n", "is blank"),
            (b"null", "is null"),
            (&wide, "is UTF-16"),
            (&marked, "is UTF-16"),
            (b"Internal error", "is not JSON"),
            (b"<html>It works!</html>", "is not JSON"),
            (b"\"text\"", "is a string"),
            (b"[]", "is an array"),
            (b"{\"choices\": [", "truncated"),
        ] {
            for framing in [Framing::ContentLength, Framing::Chunked] {
                let reply = Reply::raw(200, "application/json", bytes).framing(framing);
                let error = failure(provider, &reply);
                assert!(error.message().contains(expected), "{bytes:?} {error}");
                assert_eq!(error.status(), Some(200));
            }
        }
        let error = failure(provider, &Reply::status(204));
        assert!(error.message().contains("204"), "{error}");
        assert_eq!(error.status(), Some(204));
    }
}

#[test]
fn a_stream_without_events_is_not_retried() {
    for provider in BOTH {
        for body in [": keep-alive\n\n", "retry: 3000\n\n", "event: ping\n\n"] {
            let server = loopback();
            server.default_reply(Reply::raw(200, "text/event-stream", body));
            let client = builder(&server, provider).retry(quick_retries(2)).build().unwrap();
            let error = client.stream("hi").unwrap_err();
            assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::Protocol, 1), "{error}");
            assert!(error.message().contains("without a single event"), "{error}");
        }
    }
}

/// If only the end of the connection ends a body, an empty one may have been cut off.
#[test]
fn an_empty_body_ended_by_the_connection_is_retried() {
    for provider in BOTH {
        let until_close =
            |body: &str| Reply::raw(200, "text/event-stream", body).framing(Framing::UntilClose);
        let [whole, streamed] = failures(provider, &until_close(""));
        assert_eq!((whole.kind(), whole.attempts().len()), (ErrorKind::Connection, 3), "{whole}");
        assert_eq!((streamed.kind(), streamed.attempts().len()), (ErrorKind::Truncated, 3));
        let [_, streamed] = failures(provider, &until_close(": keep-alive\n\n"));
        assert_eq!((streamed.kind(), streamed.attempts().len()), (ErrorKind::Truncated, 3));
        for body in ["null", "Internal error", "<html>"] {
            failure(provider, &until_close(body));
        }
    }
}

#[test]
fn only_redirects_are_called_redirects() {
    for (status, expected) in [
        (300, "several URLs"),
        (304, "(Not Modified)"),
        (305, "(Use Proxy)"),
        (306, "unexpected status"),
        (399, "unexpected status"),
    ] {
        let reply = Reply::status(status).header("location", "https://elsewhere.example/");
        let error = failure("openai", &reply);
        assert_eq!(error.status(), Some(status));
        assert!(error.message().contains(expected), "{error}");
        assert!(!error.message().contains("redirect"), "{error}");
    }
    for status in [301, 302, 303, 307, 308] {
        let reply = Reply::status(status).header("location", "https://elsewhere.example/");
        let error = failure("openai", &reply);
        assert!(error.message().contains("redirects to https://elsewhere.example;"), "{error}");
    }
}
