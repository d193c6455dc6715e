//! The key of a recording covers every member of a request that is sent, and no other.
//!
//! For every format, the tests build a request with all the members that the format takes. They
//! change each of them, however deep it is. The name of the recording must change exactly if the
//! bytes that a live client sends do.

mod support;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Debug;
use support::members::{grown, names, variants};
use support::{builder, loopback, weather};
use tollgate::chat::CacheTtl;
use tollgate::provider::Format;
use tollgate::replay::Mode;
use tollgate::testing::Loopback;
use tollgate::{
    ChatRequest, Client, EmbedRequest, Error, ErrorKind, Image, Message, ModerationRequest, Part,
    Replay, ToolCall,
};

/// A server, a client that sends, and one that only looks for recordings, where there are none.
struct Pair {
    server: Loopback,
    live: Client,
    offline: Client,
}

impl Pair {
    fn new(provider: &str, model: &str) -> Self {
        let server = loopback();
        let client = || builder(&server, provider).model(model);
        let live = client().build().unwrap();
        let replay = Replay::dir("no-such-folder").mode(Mode::Replay);
        let offline = client().replay(replay).build().unwrap();
        Self { server, live, offline }
    }

    /// The name of the file with the recording of a call; `None` if the call cannot be sent.
    fn file<T: Debug>(&self, call: impl Fn(&Client) -> Result<T, Error>) -> Option<String> {
        let error = call(&self.offline).unwrap_err();
        let text = error.to_string();
        let name = text.split("no-such-folder/").nth(1)?.split(')').next()?.to_owned();
        assert_eq!(error.kind(), ErrorKind::NotRecorded, "{error}");
        // The hash alone.
        Some(name.trim_end_matches(".json").rsplit('-').next()?.to_owned())
    }

    /// The method, the address, the betas and the body that a call sends.
    fn sent<T>(&self, call: impl Fn(&Client) -> Result<T, Error>) -> [Vec<u8>; 4] {
        let before = self.server.requests().len();
        let outcome = call(&self.live).map(drop);
        let sent = self.server.requests().into_iter().nth(before);
        let sent = sent.unwrap_or_else(|| panic!("it can be sent: {outcome:?}"));
        let target = format!("{}?{}", sent.path(), sent.query().unwrap_or_default());
        let betas = sent.header("anthropic-beta").unwrap_or_default();
        let head = [sent.method(), &target, betas].map(|text| text.as_bytes().to_vec());
        let [method, target, betas] = head;
        [method, target, betas, sent.body().to_vec()]
    }

    /// Grows a request from `base`, and changes each member that it got.
    fn walk<R, T>(
        &self,
        base: &Value,
        others: &Value,
        call: impl Fn(&Client, &R) -> Result<T, Error>,
    ) -> Walked
    where
        R: Serialize + DeserializeOwned,
        T: Debug,
    {
        let file = |request: &R| self.file(|client| call(client, request));
        let (value, request) = grown::<R>(base, others, |request| file(request).is_some());
        let own = file(&request).unwrap_or_else(|| panic!("{:?}", call(&self.offline, &request)));
        assert_eq!(file(&request), Some(own.clone()));
        let own_bytes = self.sent(|client| call(client, &request));
        let mut walked = Walked::default();
        let top = |path: &str| path.split('/').nth(1).unwrap_or_default().to_owned();
        for (path, variant) in variants(&value) {
            let Ok(request) = serde_json::from_value::<R>(variant) else { continue };
            let Some(name) = file(&request) else { continue };
            let bytes = self.sent(|client| call(client, &request));
            assert_eq!(name == own, bytes == own_bytes, "{path}");
            walked.variants += 1;
            walked.had.insert(top(&path));
            if name != own {
                walked.keyed.insert(top(&path));
            }
        }
        walked
    }
}

#[derive(Default)]
struct Walked {
    variants: usize,
    /// The members that were changed.
    had: BTreeSet<String>,
    /// Those whose change changed the key.
    keyed: BTreeSet<String>,
}

/// Checks that the walks covered every member of a type, and that exactly `unsent` never changed
/// the key.
fn check_all<R: DeserializeOwned>(walks: &[Walked], unsent: &[&str]) {
    let all = |members: fn(&Walked) -> &BTreeSet<String>| -> BTreeSet<_> {
        walks.iter().flat_map(members).map(String::as_str).collect()
    };
    let (had, keyed) = (all(|walk| &walk.had), all(|walk| &walk.keyed));
    let names: BTreeSet<_> = names::<R>().iter().copied().collect();
    assert_eq!(had, names, "the walks change every member");
    let unkeyed: BTreeSet<_> = names.difference(&keyed).copied().collect();
    assert_eq!(unkeyed, unsent.iter().copied().collect(), "what never changes the key");
}

/// Joins the members of several objects.
fn joined(all: &[Value]) -> Value {
    let members = all.iter().flat_map(|some| some.as_object().unwrap().clone());
    Value::Object(members.collect())
}

/// The labels and limits that all requests have.
fn limits(provider: &str, model: &str) -> Value {
    let seconds = json!({"secs": 7, "nanos": 0});
    json!({
        "provider": provider, "model": model, "tags": {"customer": "acme"}, "timeout": seconds,
        "attempt_timeout": seconds, "idempotency_key": "key-1",
    })
}

/// A conversation with as much as the provider takes.
fn conversation(pair: &Pair, format: Format) -> Value {
    let native = Part::native(format, json!({"type": "text", "text": "native"}));
    let cached = Part::CachePoint(CacheTtl::default());
    let call = ToolCall::new("call_1", "weather", "{\"city\":\"Rome\"}");
    let turns = [
        vec![Message::system("Be brief.")],
        vec![Message::user("What is this?").with(Image::from_url("https://a.b/c.png"))],
        vec![Message::user("What is this?").with(Image::from_bytes("image/png", b"png"))],
        vec![Message::user("Keep this.").with(cached)],
        vec![Message::user("I am Anna.").named("anna")],
        vec![Message::user("And this?").with(native)],
        vec![Message::assistant("Wait.").with(call), Message::tool_result("call_1", "Sunny.")],
    ];
    let mut messages = vec![Message::user("Weather?")];
    for turn in turns {
        let longer: Vec<_> = turn.iter().chain(&messages).cloned().collect();
        let request = ChatRequest::new(longer.clone()).tools([weather()]);
        if pair.file(|client| client.chat(&request)).is_some() {
            messages = longer;
        }
    }
    assert!(messages.len() >= 3, "{}", messages.len());
    json!({"messages": messages, "tools": [weather()]})
}

/// What is never sent of any request.
const UNSENT: [&str; 5] = ["attempt_timeout", "idempotency_key", "provider", "tags", "timeout"];

/// What is never sent of chats alone.
const UNSENT_OF_CHATS: [&str; 7] = [
    "cache",
    "first_token_timeout",
    "idle_timeout",
    "max_input_tokens",
    "max_price",
    "routing_key",
    "stream_timeout",
];

#[test]
fn changing_a_member_of_a_chat_changes_the_key_exactly_if_it_is_sent() {
    let seconds = json!({"secs": 7, "nanos": 0});
    let options = json!({
        "max_output_tokens": 9000, "temperature": 0.5, "top_p": 0.5, "stop": ["END"], "seed": 7, "n": 2,
        "logprobs": 1, "parallel_tool_calls": false, "tool_choice": "required",
        "response_format": {"json_schema": {
            "name": "answer", "schema": {"type": "object", "properties": {}},
        }},
        "reasoning_effort": "low", "max_input_tokens": 100_000, "routing_key": "c-1",
        "max_price": {"input": "$1000", "output": "$1000"}, "first_token_timeout": seconds,
        "idle_timeout": seconds, "stream_timeout": seconds, "betas": ["b-2026-01-01"],
        "extra": {"metadata": {"user_id": "u-1"}, "x_own": [1, {"deep": true}]},
        "omit": ["temperature"], "cache": "refresh",
    });
    let mut walks = Vec::new();
    for (provider, model, format) in [
        ("openai", "gpt-4o-mini", Format::OpenAiChat),
        ("openai", "gpt-5-mini", Format::OpenAiChat),
        ("openai", "gpt-5-mini", Format::OpenAiResponses),
        ("anthropic", "claude-sonnet-4-5", Format::Anthropic),
        #[cfg(feature = "bedrock")]
        ("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", Format::Bedrock),
        ("cohere", "command-a-03-2025", Format::Cohere),
        ("gemini", "gemini-2.5-flash", Format::Gemini),
        ("mistral", "mistral-small-latest", Format::OpenAiChat),
        ("ollama", "llama3.2", Format::Ollama),
        ("vertex", "gemini-2.5-flash", Format::Vertex),
    ] {
        let pair = Pair::new(provider, model);
        let mut base = conversation(&pair, format);
        if format == Format::OpenAiResponses {
            base["wire_format"] = json!(format);
        }
        let others = joined(&[limits(provider, model), options.clone()]);
        let walk =
            pair.walk::<ChatRequest, _>(&base, &others, |client, request| client.chat(request));
        assert!(walk.variants >= 40, "{provider} {model}: {}", walk.variants);
        let stream = pair.walk::<ChatRequest, _>(&base, &others, |client, request| {
            client.stream(request).map(drop)
        });
        walks.extend([walk, stream]);
    }
    let unsent = [&UNSENT[..], &UNSENT_OF_CHATS].concat();
    check_all::<ChatRequest>(&walks, &unsent);
}

#[test]
fn changing_a_member_of_an_embedding_changes_the_key_exactly_if_it_is_sent() {
    let mut walks = Vec::new();
    for (provider, model) in [
        ("openai", "text-embedding-3-small"),
        #[cfg(feature = "bedrock")]
        ("bedrock", "amazon.titan-embed-text-v2:0"),
        ("cohere", "embed-v4.0"),
        ("gemini", "gemini-embedding-001"),
        ("jina", "jina-embeddings-v3"),
        ("mistral", "codestral-embed"),
        ("ollama", "nomic-embed-text"),
        ("perplexity", "pplx-embed-v1-4b"),
        ("together", "intfloat/multilingual-e5-large-instruct"),
        ("vertex", "gemini-embedding-001"),
        ("voyage", "voyage-3.5"),
    ] {
        let pair = Pair::new(provider, model);
        // Cohere requires the type.
        let base = match provider {
            "cohere" => json!({"texts": ["Paris is in France."], "input_type": "document"}),
            _ => json!({"texts": ["Paris is in France."]}),
        };
        let others = joined(&[
            limits(provider, model),
            json!({
                "dimensions": 256, "input_type": "query", "truncation": "end", "batch_size": 8,
                "parallel_requests": 2, "extra": {"x_own": [1, {"deep": true}], "user": "u-1"},
                "omit": ["user"], "cache": "refresh",
            }),
        ]);
        let walk =
            pair.walk::<EmbedRequest, _>(&base, &others, |client, request| client.embed(request));
        assert!(walk.variants >= 8, "{provider}: {}", walk.variants);
        walks.push(walk);
    }
    // How texts are split is not sent, although the texts of each request are.
    let unsent = [&UNSENT[..], &["batch_size", "cache", "parallel_requests"]].concat();
    check_all::<EmbedRequest>(&walks, &unsent);
}

#[test]
fn changing_a_member_of_a_moderation_changes_the_key_exactly_if_it_is_sent() {
    let image = Part::Image(Image::from_url("https://a.b/c.png"));
    let mut walks = Vec::new();
    for (provider, model, input) in [
        ("openai", "omni-moderation-latest", json!({"texts": ["one", "two"]})),
        ("openai", "omni-moderation-latest", json!({"content": [Part::text("look"), image]})),
        ("mistral", "mistral-moderation-latest", json!({"texts": ["one", "two"]})),
        (
            "mistral",
            "mistral-moderation-latest",
            json!({"chats": [[Message::user("hi"), Message::assistant("Hello!")]]}),
        ),
    ] {
        let pair = Pair::new(provider, model);
        let base = json!({"input": input});
        let others =
            joined(&[limits(provider, model), json!({"extra": {"metadata": {"user_id": "u-1"}}})]);
        let walk = pair.walk::<ModerationRequest, _>(&base, &others, |client, request| {
            client.moderate(request)
        });
        assert!(walk.variants >= 8, "{provider}: {}", walk.variants);
        walks.push(walk);
    }
    check_all::<ModerationRequest>(&walks, &UNSENT);
}
