//! The timeouts: each works on the client and on a request, and its error names it.

mod support;

use std::time::Duration;
use support::{builder, loopback};
use tollgate::testing::{Loopback, Reply};
use tollgate::{ChatRequest, Client, ClientBuilder, Error, Phase, PoolConfig};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(30);

/// A setting on the client, and the same one on a request.
type Setting = (fn(ClientBuilder) -> ClientBuilder, fn(ChatRequest) -> ChatRequest);

const TIMEOUT: Setting = (|client| client.timeout(SHORT), |request| request.timeout(SHORT));
const ATTEMPT: Setting =
    (|client| client.attempt_timeout(SHORT), |request| request.attempt_timeout(SHORT));
const FIRST: Setting =
    (|client| client.first_token_timeout(SHORT), |request| request.first_token_timeout(SHORT));
const IDLE: Setting = (|client| client.idle_timeout(SHORT), |request| request.idle_timeout(SHORT));
const STREAM: Setting =
    (|client| client.stream_timeout(SHORT), |request| request.stream_timeout(SHORT));

/// Takes 0.8 s; no gap in it is near the limit.
fn slow() -> Reply {
    let words = vec!["word"; 16].join(" ");
    Reply::text(words).chunk_delay(Duration::from_millis(50))
}

/// The head of the response, and nothing behind it.
fn head() -> Reply {
    Reply::text("one two").stall_after(0)
}

/// The first words, and then nothing.
fn half() -> Reply {
    Reply::text(vec!["word"; 16].join(" ")).stall_after(1500)
}

fn streamed(client: &Client, request: ChatRequest) -> Result<(), Error> {
    client.stream(request).and_then(|mut stream| stream.finish()).map(drop)
}

#[test]
fn every_timeout_works_on_client_and_request_and_its_error_names_setting_and_value() {
    for (name, setting, reply, is_stream, phase) in [
        ("timeout", TIMEOUT, Reply::hang as fn() -> Reply, false, Phase::FirstByte),
        ("timeout", TIMEOUT, head, false, Phase::Body),
        ("timeout", TIMEOUT, Reply::hang, true, Phase::FirstByte),
        ("timeout", TIMEOUT, head, true, Phase::FirstToken),
        ("timeout", TIMEOUT, slow, true, Phase::NextToken),
        ("attempt_timeout", ATTEMPT, Reply::hang, false, Phase::FirstByte),
        ("attempt_timeout", ATTEMPT, head, true, Phase::FirstToken),
        ("first_token_timeout", FIRST, Reply::hang, true, Phase::FirstByte),
        ("first_token_timeout", FIRST, head, true, Phase::FirstToken),
        ("idle_timeout", IDLE, head, true, Phase::FirstToken),
        ("idle_timeout", IDLE, half, true, Phase::NextToken),
        ("stream_timeout", STREAM, Reply::hang, true, Phase::FirstByte),
        ("stream_timeout", STREAM, slow, true, Phase::NextToken),
    ] {
        let server = loopback();
        server.default_reply(reply());
        let (on_client, on_request) = setting;
        let client = || builder(&server, "openai");
        for (client, request) in [
            (on_client(client()), ChatRequest::from("hi")),
            (client(), on_request(ChatRequest::from("hi"))),
        ] {
            let client = client.build().unwrap();
            let ended = match is_stream {
                true => streamed(&client, request),
                false => client.chat(request).map(drop),
            };
            let error = ended.expect_err(name);
            assert!(error.is_timeout(), "{name}: {error}");
            assert_eq!(error.phase(), Some(phase), "{name}: {error}");
            let text = error.to_string();
            assert!(text.contains(&format!("({name} of 300ms)")), "{name}: {text}");
        }
    }
}

#[test]
fn timeouts_that_are_not_reached_end_nothing() {
    for (setting, reply) in
        [(ATTEMPT, slow as fn() -> Reply), (FIRST, slow), (IDLE, slow), (STREAM, slow)]
    {
        let server = loopback();
        server.default_reply(reply());
        let (on_client, on_request) = setting;
        let client = on_client(builder(&server, "openai").stream_timeout(LONG)).build().unwrap();
        // Stream timeouts do not apply to a whole answer, and the others end at the first event.
        if !std::ptr::fn_addr_eq(on_client, STREAM.0) {
            streamed(&client, ChatRequest::from("hi")).unwrap();
            streamed(&client, on_request(ChatRequest::from("hi"))).unwrap();
        }
        server.default_reply(Reply::text("fine"));
        client.chat(on_request(ChatRequest::from("hi"))).unwrap();
    }
}

#[test]
fn a_stream_ends_at_the_nearest_timeout_for_all_of_it() {
    let ended = |client: fn(ClientBuilder) -> ClientBuilder, request: ChatRequest| {
        let server = loopback();
        server.default_reply(slow());
        streamed(&client(builder(&server, "openai")).build().unwrap(), request)
    };
    let hi = || ChatRequest::from("hi");
    // Both are set: `stream_timeout` bounds the stream, `timeout` its beginning.
    ended(|client| client.timeout(SHORT).stream_timeout(LONG), hi()).unwrap();
    ended(|client| client, hi().timeout(SHORT).stream_timeout(LONG)).unwrap();
    // A request's setting overrides the client's.
    ended(|client| client.stream_timeout(SHORT), hi().stream_timeout(LONG)).unwrap();
    ended(|client| client.timeout(SHORT), hi().timeout(LONG)).unwrap();
    ended(|client| client.stream_timeout(SHORT), hi().timeout(LONG)).unwrap();
    let error = ended(|client| client.stream_timeout(LONG), hi().timeout(SHORT)).unwrap_err();
    assert!(error.to_string().contains("(timeout of 300ms)"), "{error}");
    // The beginning alone.
    let server = loopback();
    server.default_reply(Reply::hang());
    let client = builder(&server, "openai").timeout(SHORT).stream_timeout(LONG).build().unwrap();
    let error = client.stream("hi").unwrap_err();
    assert!(error.to_string().contains("(timeout of 300ms)"), "{error}");
}

#[test]
fn a_timeout_of_zero_is_refused_before_sending() {
    let server = loopback();
    let client = builder(&server, "openai").build().unwrap();
    let zero = Duration::ZERO;
    for (name, request) in [
        ("timeout", ChatRequest::from("hi").timeout(zero)),
        ("attempt_timeout", ChatRequest::from("hi").attempt_timeout(zero)),
        ("first_token_timeout", ChatRequest::from("hi").first_token_timeout(zero)),
        ("idle_timeout", ChatRequest::from("hi").idle_timeout(zero)),
        ("stream_timeout", ChatRequest::from("hi").stream_timeout(zero)),
    ] {
        let error = client.stream(request).unwrap_err();
        assert!(error.to_string().contains(&format!("the {name} is zero")), "{error}");
    }
    assert_eq!(server.request_count(), 0);
}

/// A client of a server that takes connections and says nothing on them.
fn silent(server: &Loopback) -> ClientBuilder {
    server.ignore_connections().unwrap();
    builder(server, "openai")
}

#[test]
fn errors_of_connection_timeouts_name_their_setting_too() {
    let server = loopback();
    if cfg!(feature = "rustls") {
        let url = server.base_url("openai").replace("http://", "https://");
        let client = silent(&server).base_url(url).connect_timeout(SHORT).build().unwrap();
        let error = client.chat("hi").unwrap_err();
        assert_eq!(error.phase(), Some(Phase::Tls), "{error}");
        assert!(error.to_string().contains("(connect_timeout of 300ms)"), "{error}");
    }
    server.accept_connections().unwrap();
    let pool = PoolConfig { max_size: 1, acquire_timeout: Some(SHORT), ..PoolConfig::default() };
    let client = builder(&server, "openai").pool(pool).build().unwrap();
    server.default_reply(slow());
    let _holds = client.stream("hi").unwrap();
    let error = client.chat("hi").unwrap_err();
    assert_eq!(error.phase(), Some(Phase::PoolWait), "{error}");
    assert!(error.to_string().contains("(acquire_timeout of 300ms)"), "{error}");
}
