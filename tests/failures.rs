//! Whatever goes wrong gives its own clear error, in time, and tells no secrets.

mod support;

use std::error::Error as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use support::{KEY, builder, client, loopback};
use tollgate::testing::{Framing, Loopback, Reply};
use tollgate::{Client, ClientBuilder, Error, ErrorKind, Phase, PoolConfig, Provider};

const BOTH: [Provider; 2] = [Provider::OpenAi, Provider::Anthropic];

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

fn failure_with(provider: Provider, reply: Reply) -> (Error, Loopback) {
    let server = loopback();
    server.reply(reply);
    let error = failure(builder(&server, provider));
    (error, server)
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
fn a_key_that_the_server_repeats_is_taken_out_of_the_message() {
    let (error, _server) = failure_with(
        Provider::OpenAi,
        Reply::error(401, "invalid_api_key", format!("bad key {KEY}")),
    );
    assert_eq!(error.message(), "bad key [key]");
}

#[test]
fn unknown_model() {
    for (provider, code) in
        [(Provider::OpenAi, "model_not_found"), (Provider::Anthropic, "not_found_error")]
    {
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
            .provider(Provider::OpenAi)
            .model("gpt-4o-mini")
            .api_key(KEY)
            .base_url(format!("http://{address}/v1"))
            .retry(support::quick_retries(1)),
    );
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
    assert_eq!(error.phase(), Some(Phase::Connect));
    assert_eq!(error.attempts(), 2);
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert!(error.source().is_some());
}

#[test]
fn hanging_server() {
    let server = loopback();
    server.reply(Reply::hang());
    let client =
        builder(&server, Provider::OpenAi).timeout(Duration::from_millis(200)).build().unwrap();
    let error = failure_of(&client);
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(error.phase(), Some(Phase::FirstByte));
    assert!(error.is_timeout());
}

#[test]
fn a_server_that_stalls_in_the_middle() {
    let server = loopback();
    server.reply(Reply::text("a long answer").stall_after(20));
    let client =
        builder(&server, Provider::OpenAi).timeout(Duration::from_millis(200)).build().unwrap();
    let error = failure_of(&client);
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(error.phase(), Some(Phase::Body));
}

#[test]
fn a_server_that_never_reads() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = Client::builder()
        .provider(Provider::OpenAi)
        .model("gpt-4o-mini")
        .api_key(KEY)
        .base_url(format!("http://{address}/v1"))
        .timeout(Duration::from_secs(3))
        .build()
        .unwrap();
    let error = client.chat("x".repeat(20_000_000)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(error.phase(), Some(Phase::Send));
}

#[test]
fn a_full_pool() {
    let server = loopback();
    server.reply(Reply::hang());
    let one = PoolConfig { max_size: 1, ..PoolConfig::default() };
    let client = builder(&server, Provider::OpenAi)
        .pool(one)
        .timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    let phases = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..2).map(|_| scope.spawn(|| failure_of(&client).phase())).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(phases.contains(&Some(Phase::PoolWait)), "{phases:?}");
    assert!(phases.contains(&Some(Phase::FirstByte)), "{phases:?}");
    assert_eq!(server.connections().opened, 1);
}

#[test]
fn half_a_body() {
    for framing in [Framing::ContentLength, Framing::Chunked] {
        let (error, _server) = failure_with(
            Provider::OpenAi,
            Reply::text("a long answer").framing(framing).cut_after(60),
        );
        assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
        assert_eq!(error.phase(), Some(Phase::Body));
    }
    // Where the end of the connection ends the body, only the JSON tells.
    let (error, _server) = failure_with(
        Provider::OpenAi,
        Reply::text("a long answer").framing(Framing::UntilClose).cut_after(60),
    );
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    assert!(error.to_string().contains("breaks off"), "{error}");
}

#[test]
fn a_reset_in_the_middle_of_the_body() {
    let (error, _server) =
        failure_with(Provider::OpenAi, Reply::text("a long answer").reset_after(60));
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
}

#[test]
fn no_answer_at_all() {
    let (error, _server) = failure_with(Provider::OpenAi, Reply::reset());
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
    assert_eq!(error.phase(), Some(Phase::FirstByte));
}

#[test]
fn too_large_a_body() {
    const SIZE: usize = 20_000_000;
    for framing in [Framing::ContentLength, Framing::Chunked, Framing::UntilClose] {
        let (error, _server) = failure_with(
            Provider::OpenAi,
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
    let exact = builder(&server, Provider::OpenAi).max_response_bytes(body.len()).build().unwrap();
    assert_eq!(exact.chat("hi").unwrap().text(), "hi");
    assert_eq!(exact.chat("hi").unwrap().text(), "hi");
    assert_eq!(server.connections().opened, 1, "the connection was reused");
    server.reply(Reply::raw(200, "application/json", body.to_vec()));
    let less =
        builder(&server, Provider::OpenAi).max_response_bytes(body.len() - 1).build().unwrap();
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
        let target = format!("{}/chat/completions", elsewhere.base_url(Provider::OpenAi));
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
        .provider(Provider::OpenAi)
        .api_key(KEY)
        .base_url("http://api.openai.com/v1")
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("plain http to api.openai.com"), "{error}");
}

#[test]
fn a_host_that_cannot_be_found() {
    // RFC 6761 section 6.4 reserves this top-level name.
    let error = failure(
        Client::builder()
            .provider(Provider::OpenAi)
            .model("gpt-4o-mini")
            .api_key(KEY)
            .base_url("https://no-such-host.invalid/v1")
            .retry(support::quick_retries(0)),
    );
    assert_eq!(error.kind(), ErrorKind::Connection, "{error}");
    assert_eq!(error.phase(), Some(Phase::Resolve));
    assert!(error.to_string().contains("cannot find the host \"no-such-host.invalid\""), "{error}");
}

#[test]
fn encryption_that_the_server_does_not_speak() {
    let server = loopback();
    let address = server.base_url(Provider::OpenAi).replace("http://", "https://");
    let error = failure(builder(&server, Provider::OpenAi).base_url(address));
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert_eq!(error.phase(), Some(Phase::Tls));
}

#[test]
fn a_server_that_does_not_speak_http() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut socket, b"220 mail.example.com ESMTP\r\n\r\n").unwrap();
        // Read until the client goes, so that what it sent does not reset the reply.
        let _ = std::io::copy(&mut socket, &mut std::io::sink());
    });
    let error = failure(
        Client::builder()
            .provider(Provider::OpenAi)
            .model("gpt-4o-mini")
            .api_key(KEY)
            .base_url(format!("http://{address}/v1"))
            .retry(support::quick_retries(0)),
    );
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    server.join().unwrap();
}

#[test]
fn what_is_wrong_with_a_request_is_told_before_anything_is_sent() {
    let server = loopback();
    let client = Client::builder()
        .provider(Provider::OpenAi)
        .api_key(KEY)
        .base_url(server.base_url(Provider::OpenAi))
        .build()
        .unwrap();
    let nameless = client.chat("hi").unwrap_err();
    assert_eq!(nameless.kind(), ErrorKind::InvalidRequest);
    assert!(nameless.to_string().contains("no model"), "{nameless}");
    let request = tollgate::ChatRequest::from("hi").model("gpt-4o-mini").timeout(Duration::ZERO);
    assert!(client.chat(request).unwrap_err().to_string().contains("timeout is zero"));
    let anthropic = support::client(&server, Provider::Anthropic);
    let error = anthropic.complete("once upon a time").unwrap_err();
    assert!(error.to_string().contains("no text completions"), "{error}");
    assert_eq!(error.attempts(), 0);
    assert_eq!(server.connections().opened, 0);
}

#[test]
fn a_large_request_that_is_refused_before_it_was_read() {
    // The server answers and closes while most of the request is still under way.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut socket, _) = listener.accept().unwrap();
        let mut start = [0; 16];
        socket.read_exact(&mut start).unwrap();
        let body = r#"{"error":{"message":"too large","type":"invalid_request_error"}}"#;
        write!(
            socket,
            "HTTP/1.1 413 Payload Too Large\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        // Closed without reading on: what the client still sends is refused.
        std::thread::spawn(move || {
            let mut rest = vec![0; 1024 * 1024];
            let _ = socket.read(&mut rest);
        })
        .join()
        .unwrap();
    });
    let client = Client::builder()
        .provider(Provider::OpenAi)
        .model("gpt-4o-mini")
        .api_key(KEY)
        .base_url(format!("http://{address}/v1"))
        .retry(support::quick_retries(0))
        .build()
        .unwrap();
    let error = client.chat("x".repeat(50_000_000)).unwrap_err();
    server.join().unwrap();
    // A reset may overtake the answer in the network; it never looks like success.
    assert!(error.status() == Some(413) || error.kind() == ErrorKind::Connection, "{error}");
}

#[test]
fn the_same_mistakes_at_the_client_of_the_other_provider() {
    let server = loopback();
    server.reply(Reply::error(529, "overloaded_error", "Overloaded"));
    let error = failure_of(&client(&server, Provider::Anthropic));
    assert_eq!(error.kind(), ErrorKind::Overloaded, "{error}");
}
