//! An error in the body of a response keeps the status and the request id of its head.

mod support;

use support::listener::Listener;
use support::peer::server;
use support::stream::CHUNK;
use support::{builder_at, quick_retries};
use tollgate::{Client, ErrorKind};

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

#[test]
fn a_broken_body_keeps_status_and_request_id() {
    let head = "HTTP/1.1 200 OK\r\nx-request-id: r-2\r\n";
    for (body, kind) in [
        ("content-length: 100\r\n\r\n{".to_owned(), ErrorKind::Connection),
        ("transfer-encoding: chunked\r\n\r\n5\r\n{".to_owned(), ErrorKind::Connection),
        ("content-length: 2\r\n\r\n[]".to_owned(), ErrorKind::Protocol),
        (format!("content-length: 40000000\r\n\r\n{CHUNK}"), ErrorKind::Protocol),
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
