//! The key of a request covers every member that is sent.

mod support;

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use support::{loopback, weather};
use tollgate::replay::Mode;
use tollgate::testing::Loopback;
use tollgate::{
    ChatRequest, Client, EmbedRequest, Error, ErrorKind, Image, Message, ModerationRequest,
    ReasoningEffort, Replay, ToolChoice,
};

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

/// Every value with one of its members changed or removed, with the path of that member.
fn variants(value: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let mut put = |path: String, new: Option<Value>| {
                    let mut changed: Map<String, Value> = members.clone();
                    match new {
                        Some(new) => drop(changed.insert(name.clone(), new)),
                        None => drop(changed.shift_remove(name)),
                    }
                    found.push((path, Value::Object(changed)));
                };
                for (path, new) in variants(member) {
                    put(format!("/{name}{path}"), Some(new));
                }
                if !member.is_null() {
                    put(format!("/{name}"), None);
                }
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                for (path, new) in variants(item) {
                    let mut changed = items.clone();
                    changed[at] = new;
                    found.push((format!("/{at}{path}"), Value::Array(changed)));
                }
                let mut fewer = items.clone();
                fewer.remove(at);
                found.push((format!("/{at}"), Value::Array(fewer)));
            }
        }
        Value::String(text) => found.push((String::new(), json!(format!("{text}x")))),
        Value::Bool(it) => found.push((String::new(), json!(!it))),
        Value::Number(number) => {
            let new = match number.as_u64() {
                Some(count) => json!(count + 1),
                None => json!(number.as_f64().unwrap() / 2.0),
            };
            found.push((String::new(), new));
        }
        Value::Null => {}
    }
    found
}

/// A request with every member that this provider takes.
fn full(provider: &str) -> ChatRequest {
    let request = ChatRequest::new([
        Message::system("Be brief."),
        Message::user("What is on the picture?").with(Image::from_url("https://a.b/c.png")),
    ])
    .tools([weather()])
    .tool_choice(ToolChoice::Required)
    .max_output_tokens(9000)
    .timeout(std::time::Duration::from_secs(7))
    .idempotency_key("key-1")
    .tag("customer", "acme")
    .extra("metadata", json!({"user_id": "u-1"}));
    match provider {
        "anthropic" => request.stop("END").beta("context-management-2025-06-27"),
        _ => request
            .n(2)
            .seed(7)
            .parallel_tool_calls(false)
            .reasoning_effort(ReasoningEffort::Low)
            .json_schema("answer", json!({"type": "object", "properties": {}})),
    }
}

/// The body and the betas that a live client sends.
fn sent(server: &Loopback, client: &Client, request: ChatRequest) -> Option<(Vec<u8>, String)> {
    let before = server.requests().len();
    let _ = client.chat(request);
    let sent = server.requests().into_iter().nth(before)?;
    Some((sent.body().to_vec(), sent.header("anthropic-beta").unwrap_or_default().to_owned()))
}

#[test]
fn changing_any_member_that_is_sent_changes_the_key() {
    for provider in ["openai", "anthropic"] {
        let server = loopback();
        let live = support::builder(&server, provider)
            .model(if provider == "anthropic" { "claude-sonnet-4-5" } else { "gpt-5-mini" })
            .build()
            .unwrap();
        let offline = client(&server.base_url(provider), provider);
        let base = full(provider);
        let own = file(offline.chat(base.clone())).expect("the request can be sent");
        assert_eq!(file(offline.chat(base.clone())).as_ref(), Some(&own));
        let own_body = sent(&server, &live, base.clone()).unwrap();
        let (mut changed, mut same) = (Vec::new(), Vec::new());
        for (path, variant) in variants(&serde_json::to_value(&base).unwrap()) {
            let Ok(request) = serde_json::from_value::<ChatRequest>(variant) else { continue };
            let Some(name) = file(offline.chat(request.clone())) else { continue };
            let body = sent(&server, &live, request).expect("it can be sent");
            assert_eq!(name == own, body == own_body, "{provider} {path}");
            let paths = if name == own { &mut same } else { &mut changed };
            paths.push(path);
        }
        for path in ["/timeout/secs", "/idempotency_key", "/tags/customer"] {
            assert!(same.iter().any(|same| same == path), "{provider}: {path} in {same:?}");
        }
        for path in ["/messages/0/content/0/text", "/max_output_tokens", "/extra/metadata/user_id"]
        {
            assert!(changed.iter().any(|changed| changed == path), "{path} in {changed:?}");
        }
        assert!(changed.len() >= 15, "{provider}: {changed:?}");
        assert_ne!(file(offline.stream(base.clone()).map(drop)), Some(own.clone()));
    }
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
