//! What the tests share.
#![allow(dead_code)]

pub(crate) mod batches;
pub(crate) mod cascades;
pub(crate) mod costs;
pub(crate) mod folder;
#[cfg(unix)]
pub(crate) mod front;
pub(crate) mod http;
pub(crate) mod listener;
pub(crate) mod members;
pub(crate) mod observer;
pub(crate) mod peer;
pub(crate) mod recordings;
pub(crate) mod routes;
pub(crate) mod server;
pub(crate) mod stream;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
pub(crate) mod tls;

use serde_json::json;
use std::thread;
use std::time::{Duration, Instant};
use tollgate::provider::{Format, Profile};
use tollgate::testing::{Loopback, Request};
use tollgate::{
    CancelToken, ChatRequest, Client, ClientBuilder, Error, ErrorKind, RetryConfig, Tool,
};

pub(crate) const KEY: &str = "sk-loopback-secret-key";

/// The known providers that have chats in this build: Bedrock needs its feature.
pub(crate) fn chat_profiles() -> impl Iterator<Item = Profile> {
    let is_built = |profile: &Profile| {
        profile.format.is_some_and(|format| cfg!(feature = "bedrock") || format != Format::Bedrock)
    };
    Profile::all().filter(is_built)
}

pub(crate) fn loopback() -> Loopback {
    Loopback::start().expect("a free port on 127.0.0.1")
}

/// The last request that the server got.
pub(crate) fn last(server: &Loopback) -> Request {
    server.requests().pop().expect("a request")
}

pub(crate) fn weather() -> Tool {
    let city = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    Tool::function("weather", "Weather in a city", city)
}

/// A client of the loopback provider without retries.
pub(crate) fn builder(server: &Loopback, provider: &str) -> ClientBuilder {
    Client::builder()
        .provider(provider)
        .model(match provider {
            "anthropic" => "claude-haiku-4-5",
            "cohere" => "command-a-03-2025",
            "gemini" | "vertex" => "gemini-2.5-flash",
            _ => "gpt-4o-mini",
        })
        .api_key(KEY)
        .base_url(server.base_url(provider))
        .timeout(Duration::from_secs(30))
        // A handshake can take long on a busy machine.
        .connect_timeout(Duration::from_secs(30))
        .retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
}

pub(crate) fn client(server: &Loopback, provider: &str) -> Client {
    builder(server, provider).build().expect("a valid configuration")
}

/// A client of any vendor, for a model that no vendor has rules for.
pub(crate) fn vendor_client(server: &Loopback, provider: &str) -> Client {
    builder(server, provider).model("some-model").build().expect("a valid configuration")
}

/// A client of a server at `url` without retries.
pub(crate) fn builder_at(url: &str) -> ClientBuilder {
    Client::builder()
        .provider("openai")
        .model("gpt-4o-mini")
        .api_key(KEY)
        .base_url(url)
        .timeout(Duration::from_secs(30))
        // A handshake can take long on a busy machine.
        .connect_timeout(Duration::from_secs(30))
        .retry(quick_retries(0))
}

/// Retries with short waits.
pub(crate) fn quick_retries(max_retries: u32) -> RetryConfig {
    RetryConfig {
        max_retries,
        initial_interval: Duration::from_millis(1),
        max_interval: Duration::from_millis(5),
        ..RetryConfig::default()
    }
}

/// The error of a call that is cancelled, from another thread, once `ready` returns.
pub(crate) fn cancelled(client: &Client, ready: impl FnOnce()) -> Error {
    let token = CancelToken::new();
    let request = ChatRequest::from("hi").cancel_token(&token);
    let error = thread::scope(|scope| {
        let call = scope.spawn(|| client.chat(request));
        ready();
        token.cancel();
        call.join().unwrap().unwrap_err()
    });
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    error
}

/// Waits until the condition holds. The short sleep between two checks only keeps the processor
/// free for whoever makes it hold.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}
