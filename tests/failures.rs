//! Every failure gives a clear error of its own, in time and without secrets.

mod support;

use std::error::Error as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use support::server::{RawServer, request, send};
use support::stream::LONG;
use support::{KEY, builder, builder_at, client, loopback};
use tollgate::testing::{Framing, Loopback, Reply};
use tollgate::{
    CancelToken, ChatRequest, Client, ClientBuilder, Error, ErrorKind, Phase, PoolConfig,
};

const BOTH: [&str; 2] = ["openai", "anthropic"];

/// The error of one call. It comes within the timeout, and shows neither the key
/// nor the prompt.
fn failure(builder: ClientBuilder) -> Error {
    let client = builder.timeout(Duration::from_secs(20)).build().unwrap();
    failure_of(&client)
}

fn failure_of(client: &Client) -> Error {
    let begun = Instant::now();
    let error = client.chat("a most private prompt").unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(25));
    for text in [error.to_string(), format!("{error:?}"), format!("{client:?}")] {
        assert!(!text.contains(KEY), "{text}");
        assert!(!text.contains("private prompt"), "{text}");
    }
    error
}

fn failure_with(provider: &str, reply: Reply) -> (Error, Loopback) {
    let server = loopback();
    server.reply(reply);
    let error = failure(builder(&server, provider));
    (error, server)
}

#[test]
fn a_refused_key_that_was_not_sent_is_called_missing() {
    let server = loopback();
    server.require_key("another-key");
    let at = |provider: &str| {
        let builder = Client::builder().provider(provider).model("m");
        builder.base_url(server.base_url(provider))
    };
    let advice =
        "provided; no key was sent; set LLAMA_API_KEY, or pass one to .api_key(…) (llamacpp";
    let error = failure(at("llamacpp").without_api_key());
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    assert!(error.to_string().contains(advice), "{error}");

    let sent = [
        at("llamacpp").api_key(KEY),
        at("llamacpp").without_api_key().header("authorization", KEY),
        at("anthropic").without_api_key().header("x-api-key", KEY),
    ];
    for builder in sent {
        let error = failure(builder);
        assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
        assert!(!error.to_string().contains("no key was sent"), "{error}");
    }
}

#[test]
fn wrong_key() {
    for provider in BOTH {
        let server = loopback();
        server.require_key("another-key");
        let error = failure(builder(&server, provider));
        assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
        assert_eq!(error.status(), Some(401));
        assert_eq!(error.provider(), Some(provider));
        assert!(error.request_id().is_some());
    }
}

#[test]
fn a_key_repeated_by_the_server_is_hidden_in_the_message() {
    let (error, _server) =
        failure_with("openai", Reply::error(401, "invalid_api_key", format!("bad key {KEY}")));
    assert_eq!(error.message(), "bad key [key]");
}

#[test]
fn unknown_model() {
    for (provider, code) in [("openai", "model_not_found"), ("anthropic", "not_found_error")] {
        let (error, _server) = failure_with(provider, Reply::error(404, code, "no such model"));
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert_eq!(error.code(), Some(code));
        assert_eq!(error.message(), "no such model");
    }
}

#[test]
fn dead_server() {
    // A port that was free a moment ago, and where nobody listens.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = failure(
        Client::builder()
            .provider("openai")
            .model("gpt-4o-mini")
            .api_key(KEY)
            .base_url(format!("http://{address}/v1"))
            .retry(support::quick_retries(1)),
    );
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
    assert_eq!(error.phase(), Some(Phase::Connect));
    assert_eq!(error.attempts().len(), 2);
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert!(error.source().is_some());
}

#[test]
fn hanging_server() {
    let server = loopback();
    server.reply(Reply::hang());
    let client = builder(&server, "openai").timeout(Duration::from_millis(1500)).build().unwrap();
    let error = failure_of(&client);
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(error.phase(), Some(Phase::FirstByte));
    assert!(error.is_timeout());
}

#[test]
fn a_server_that_stalls_in_the_middle() {
    let server = loopback();
    server.reply(Reply::text("a long answer").stall_after(20));
    let client = builder(&server, "openai").timeout(Duration::from_millis(1500)).build().unwrap();
    let error = failure_of(&client);
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(error.phase(), Some(Phase::Body));
}

#[test]
fn a_full_pool() {
    let server = loopback();
    server.reply(Reply::hang());
    let one = PoolConfig { max_size: 1, ..PoolConfig::default() };
    let client = builder(&server, "openai").pool(one).build().unwrap();
    let token = CancelToken::new();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| client.chat(ChatRequest::from("hi").cancel_token(&token)));
        assert!(server.wait_for_requests(1, Duration::from_secs(20)));
        let request = ChatRequest::from("hi").timeout(Duration::from_millis(20));
        let error = client.chat(request).unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::PoolWait)));
        token.cancel();
        first.join().unwrap().unwrap_err();
    });
    assert_eq!(server.connections().opened, 1);
}

#[test]
fn half_a_body() {
    for framing in [Framing::ContentLength, Framing::Chunked] {
        let (error, _server) =
            failure_with("openai", Reply::text("a long answer").framing(framing).cut_after(60));
        assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
        assert_eq!(error.phase(), Some(Phase::Body));
    }
    // If the end of the connection ends the body, only the JSON shows that it is incomplete.
    let (error, _server) = failure_with(
        "openai",
        Reply::text("a long answer").framing(Framing::UntilClose).cut_after(60),
    );
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    assert!(error.to_string().contains("truncated"), "{error}");
}

#[test]
fn a_reset_in_the_middle_of_the_body() {
    let (error, _server) = failure_with("openai", Reply::text("a long answer").reset_after(60));
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
}

#[test]
fn no_answer_at_all() {
    let (error, _server) = failure_with("openai", Reply::reset());
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
    assert_eq!(error.phase(), Some(Phase::FirstByte));
}

#[test]
fn too_large_a_body() {
    const SIZE: usize = 20_000_000;
    for framing in [Framing::ContentLength, Framing::Chunked, Framing::UntilClose] {
        let (error, _server) = failure_with(
            "openai",
            Reply::raw(200, "application/json", vec![b' '; SIZE]).framing(framing),
        );
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert!(error.to_string().contains("larger than the 16777216 bytes allowed"), "{error}");
        assert!(error.to_string().contains("max_response_bytes()"), "{error}");
    }
}

#[test]
fn a_body_of_just_the_size_allowed() {
    let body = br#"{"choices":[{"message":{"role":"assistant","content":"hi"}}]}"#;
    let server = loopback();
    for _ in 0..2 {
        server.reply(Reply::raw(200, "application/json", body.to_vec()));
    }
    let exact = builder(&server, "openai").max_response_bytes(body.len()).build().unwrap();
    assert_eq!(exact.chat("hi").unwrap().text(), "hi");
    assert_eq!(exact.chat("hi").unwrap().text(), "hi");
    assert_eq!(server.connections().opened, 1, "the connection was reused");
    server.reply(Reply::raw(200, "application/json", body.to_vec()));
    let less = builder(&server, "openai").max_response_bytes(body.len() - 1).build().unwrap();
    assert_eq!(less.chat("hi").unwrap_err().kind(), ErrorKind::Protocol);
}

#[test]
fn a_body_that_is_not_json() {
    for provider in BOTH {
        let (error, _server) =
            failure_with(provider, Reply::raw(200, "text/html", "<html>It works!</html>"));
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert_eq!(error.status(), Some(200));
        assert!(error.to_string().contains("is not JSON"), "{error}");
        let (error, _server) = failure_with(provider, Reply::text("answer").malformed());
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        let (error, _server) = failure_with(provider, Reply::raw(200, "application/json", ""));
        assert!(error.to_string().contains("is empty"), "{error}");
    }
}

#[test]
fn an_error_page_of_a_proxy() {
    for provider in BOTH {
        let page = "<html><head><title>502 Bad Gateway</title></head></html>";
        let (error, _server) = failure_with(provider, Reply::raw(502, "text/html", page));
        assert_eq!(error.kind(), ErrorKind::Server, "{error}");
        assert_eq!(error.status(), Some(502));
        assert!(error.to_string().contains("502 Bad Gateway"), "{error}");
    }
}

#[test]
fn a_redirect_is_not_followed() {
    for provider in BOTH {
        let (elsewhere, server) = (loopback(), loopback());
        let target = format!("{}/chat/completions", elsewhere.base_url("openai"));
        server.reply(Reply::status(307).header("location", target));
        let error = failure(builder(&server, provider));
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        assert_eq!(error.status(), Some(307));
        assert!(error.to_string().contains("redirect"), "{error}");
        assert_eq!(elsewhere.connections().opened, 0);
    }
}

#[test]
fn plain_http_to_the_outside() {
    let error = Client::builder()
        .provider("openai")
        .api_key(KEY)
        .base_url("http://api.openai.com/v1")
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("plain http to api.openai.com"), "{error}");
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
#[test]
fn a_host_that_cannot_be_found() {
    // RFC 6761 section 6.4 reserves this top-level name.
    let error = failure(
        Client::builder()
            .provider("openai")
            .model("gpt-4o-mini")
            .api_key(KEY)
            .base_url("https://no-such-host.invalid/v1")
            .retry(support::quick_retries(0)),
    );
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
    assert_eq!(error.phase(), Some(Phase::Resolve));
    assert!(
        error.to_string().contains("cannot resolve the host \"no-such-host.invalid\""),
        "{error}"
    );
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
#[test]
fn tls_to_a_server_without_tls() {
    let server = loopback();
    let address = server.base_url("openai").replace("http://", "https://");
    let error = failure(builder(&server, "openai").base_url(address));
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert_eq!(error.phase(), Some(Phase::Tls));
}

#[test]
fn a_server_that_does_not_speak_http() {
    let server = RawServer::start(|_, mut socket| {
        send(&mut socket, "220 mail.example.com ESMTP\r\n\r\n");
        // Read what the client sent, so that closing does not reset the connection.
        let _ = request(&mut socket);
    });
    let error = failure(builder_at(&server.base_url()));
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
}

#[test]
fn a_large_request_that_the_server_refuses_unread() {
    // The server answers after the first bytes and closes. The rest is more than the sockets
    // hold, so it cannot be sent.
    let server = RawServer::start(|_, mut socket| {
        let mut start = vec![0; 100_000];
        let _ = std::io::Read::read(&mut socket, &mut start);
        let body = r#"{"error":{"message":"too large","type":"invalid_request_error"}}"#;
        let length = body.len();
        send(
            &mut socket,
            &format!("HTTP/1.1 413 Payload Too Large\r\ncontent-length: {length}\r\n\r\n{body}"),
        );
    });
    // A busy machine may take long to write so large a request.
    let client = builder_at(&server.base_url()).timeout(LONG).build().unwrap();
    let error = client.chat("x".repeat(16_000_000)).unwrap_err();
    // A reset may discard an answer that has arrived (RFC 9112 section 9.6). Then it is a broken
    // connection: never a success, and never reused. Linux keeps what arrived before.
    let is_told = error.status() == Some(413) && error.message() == "too large";
    let may_be_lost = cfg!(not(target_os = "linux"));
    assert!(is_told || (may_be_lost && error.kind() == ErrorKind::Connection), "{error}");
    assert_eq!(client.pool().total.idle, 0);
}

#[test]
fn a_content_length_larger_than_memory() {
    for length in ["18446744073709551615", "9223372036854775807"] {
        let server = RawServer::start(move |_, mut socket| {
            let _ = request(&mut socket);
            send(&mut socket, &format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{{"));
        });
        let error = failure(builder_at(&server.base_url()).max_response_bytes(usize::MAX));
        assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
    }
}

#[test]
fn headers_without_end() {
    let server = RawServer::start(|_, mut socket| {
        let _ = request(&mut socket);
        send(&mut socket, &format!("HTTP/1.1 200 OK\r\nx: {}\r\n", "y".repeat(100_000)));
    });
    let error = failure(builder_at(&server.base_url()));
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    assert!(error.to_string().contains("the 65536 bytes allowed"), "{error}");
    assert!(error.to_string().contains("max_response_head_bytes()"), "{error}");
}

#[test]
fn an_error_whose_body_stalls_keeps_its_status() {
    let server = loopback();
    server.reply(Reply::error(401, "invalid_api_key", "no").stall_after(5));
    let error = failure_of(
        &builder(&server, "openai").timeout(Duration::from_millis(1500)).build().unwrap(),
    );
    assert_eq!((error.kind(), error.status()), (ErrorKind::Authentication, Some(401)));

    // It does not use up the time for another attempt either.
    server.reply(Reply::status(503).stall_after(5));
    let client = builder(&server, "openai").retry(support::quick_retries(1));
    let response = client.build().unwrap().chat("hi").unwrap();
    assert_eq!(response.attempts().len(), 2);
}

#[test]
fn a_secret_in_a_custom_header_is_hidden_too() {
    let server = loopback();
    for reply in [
        Reply::error(401, "bad", format!("bad key {KEY}")),
        Reply::raw(502, "text/html", format!("<html>{}{KEY}</html>", "x ".repeat(90))),
        Reply::error(400, KEY, "odd"),
        Reply::raw(200, "application/json", format!(r#"{{"error":{{"message":"{KEY}"}}}}"#)),
    ] {
        server.reply(reply);
        let builder = builder(&server, "openai").without_api_key().header("api-key", KEY);
        failure(builder);
    }
}

#[test]
fn an_invalid_request_is_refused_before_sending() {
    let server = loopback();
    let client = Client::builder()
        .provider("openai")
        .api_key(KEY)
        .base_url(server.base_url("openai"))
        .build()
        .unwrap();
    let nameless = client.chat("hi").unwrap_err();
    assert_eq!(nameless.kind(), ErrorKind::InvalidRequest);
    assert!(nameless.to_string().contains("no model"), "{nameless}");
    let request = tollgate::ChatRequest::from("hi").model("gpt-4o-mini").timeout(Duration::ZERO);
    assert!(client.chat(request).unwrap_err().to_string().contains("timeout is zero"));
    let anthropic = support::client(&server, "anthropic");
    let error = anthropic.complete("once upon a time").unwrap_err();
    assert!(error.to_string().contains("no text completions"), "{error}");
    assert_eq!(error.attempts().len(), 0);
    assert_eq!(server.connections().opened, 0);
}

#[test]
fn the_other_provider_refuses_the_same_mistakes() {
    let server = loopback();
    server.reply(Reply::error(529, "overloaded_error", "Overloaded"));
    let error = failure_of(&client(&server, "anthropic"));
    assert_eq!(error.kind(), ErrorKind::Overloaded, "{error}");
}
