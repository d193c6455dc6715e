//! The key of a request covers every member that is sent.

use serde_json::json;
use std::collections::BTreeMap;
use tollgate::replay::Mode;
use tollgate::{ChatRequest, Client, EmbedRequest, Error, ErrorKind, ModerationRequest, Replay};

/// A client of a folder without recordings: its errors name the file of each request.
fn client(url: &str, provider: &str) -> Client {
    let model = if provider == "anthropic" { "claude-sonnet-4-5" } else { "gpt-5-mini" };
    let replay = Replay::dir("no-such-folder").mode(Mode::Replay);
    let builder = Client::builder().provider(provider).model(model).base_url(url);
    builder.replay(replay).build().unwrap()
}

/// The name of the file with the recording of a request; `None` if it cannot be sent.
fn file<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Option<String> {
    let error = outcome.unwrap_err();
    let text = error.to_string();
    let name = text.split("no-such-folder/").nth(1)?.split(')').next()?.to_owned();
    assert_eq!(error.kind(), ErrorKind::NotRecorded, "{error}");
    Some(name)
}

#[test]
fn another_provider_address_or_operation_has_another_key() {
    let url = "http://127.0.0.1:1/v1";
    let mut names = BTreeMap::new();
    let mut add = |what: &'static str, name: Option<String>| {
        let name = name.expect(what);
        // The hash alone.
        let hash = name.trim_end_matches(".json").rsplit('-').next().unwrap().to_owned();
        assert_eq!(names.insert(hash, what), None, "{what}");
    };
    add("chat", file(client(url, "openai").chat("hi")));
    add("stream", file(client(url, "openai").stream("hi").map(drop)));
    add("completion", file(client(url, "openai").complete("hi")));
    add("other provider", file(client(url, "groq").chat("hi")));
    add("other host", file(client("http://127.0.0.2:1/v1", "openai").chat("hi")));
    add("other port", file(client("http://127.0.0.1:2/v1", "openai").chat("hi")));
    add("other path", file(client("http://127.0.0.1:1/v2", "openai").chat("hi")));
    add("other query", file(client("http://127.0.0.1:1/v1?a=1", "openai").chat("hi")));
    add("embedding", file(client(url, "openai").embed("hi")));
    let short = EmbedRequest::from("hi").dimensions(256);
    add("short embedding", file(client(url, "openai").embed(short)));
    add("moderation", file(client(url, "openai").moderate(ModerationRequest::from(["hi"]))));
    add("models", file(client(url, "openai").models("openai")));
    add("raw", file(client(url, "openai").post("/chat/completions", json!({"a": 1}))));
}

#[test]
#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn the_key_is_the_same_in_every_process_and_with_every_key_and_header() {
    let client = |key: &str, url: &str| {
        Client::builder()
            .provider("openai")
            .model("gpt-4o-mini")
            .base_url(url)
            .api_key(key)
            .header("x-team", key)
            .idempotency_keys(true)
            .replay(Replay::dir("no-such-folder").mode(Mode::Replay))
            .build()
            .unwrap()
    };
    // Computed by another program; a change of this name loses every recording.
    let name = "openai-completions-gpt-4o-mini-8f41ccd1c3e9c8bd.json";
    for (key, url) in [
        ("sk-one-one-one", "https://api.openai.com/v1"),
        ("sk-two-two-two", "https://api.openai.com/v1?key=secret-secret"),
    ] {
        let request = ChatRequest::from("hi").timeout(std::time::Duration::from_secs(9));
        assert_eq!(file(client(key, url).chat(request)).as_deref(), Some(name), "{url}");
    }
}
