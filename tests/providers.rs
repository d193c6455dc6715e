//! One client calls many providers.

mod support;

use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use support::{loopback, quick_retries};
use tollgate::provider::{Auth, Credentials, Format, Profile, Unsigned};
use tollgate::testing::{Loopback, Reply};
use tollgate::{
    ApiKey, Budget, ChatRequest, Client, ErrorKind, Money, Observer, PoolConfig, ProviderConfig,
};

/// The providers of these tests, each with a model and the header that its key is sent in.
const PROVIDERS: [(&str, &str, &str); 5] = [
    ("openai", "gpt-4o-mini", "authorization"),
    ("anthropic", "claude-haiku-4-5", "x-api-key"),
    ("groq", "llama-3.3-70b-versatile", "authorization"),
    ("deepseek", "deepseek-chat", "authorization"),
    ("azure", "gpt-4o", "api-key"),
];

fn key(provider: &str) -> String {
    format!("sk-of-{provider}-0123456789")
}

fn config(provider: &str, server: &Loopback) -> ProviderConfig {
    ProviderConfig::new(provider)
        .api_key(key(provider))
        .base_url(server.base_url(provider))
        .header("x-for", format!("only-{provider}"))
        .connect_timeout(Duration::from_secs(30))
}

/// Counts the connections that are open at the same time.
#[derive(Default)]
struct Peaks(Mutex<BTreeMap<String, (i64, i64)>>);

impl Peaks {
    fn add(&self, origin: &str, change: i64) {
        let mut all = self.0.lock().unwrap();
        for name in [origin, "all"] {
            let (open, peak) = all.entry(name.to_owned()).or_default();
            *open += change;
            *peak = (*peak).max(*open);
        }
    }
}

impl Observer for Peaks {
    fn connection_opened(&self, origin: &str, _took: Duration) {
        self.add(origin, 1);
    }

    fn connection_closed(&self, origin: &str) {
        self.add(origin, -1);
    }
}

#[test]
fn five_providers_are_called_through_one_client_from_32_threads() {
    const THREADS: usize = 32;
    const ROUNDS: usize = 10;
    let servers = PROVIDERS.map(|(name, ..)| (name, loopback()));
    let mut builder = Client::builder();
    for (name, server) in &servers {
        let name = (*name).to_owned();
        server.respond(move |_| Some(Reply::text(format!("from {name}")).usage(1000, 100)));
        builder = builder.add_provider(config(server_name(server, &servers), server));
    }
    let pool = PoolConfig { max_size: 7, max_per_origin: 2, ..PoolConfig::default() };
    let peaks = Arc::new(Peaks::default());
    let client = builder
        .pool(pool)
        .shared_observer(peaks.clone())
        .retry(quick_retries(0))
        .budget(Budget::total(Money::dollars(1000)))
        .build()
        .unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let client = &client;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let (provider, model, _) = PROVIDERS[(thread + round) % PROVIDERS.len()];
                    let request = ChatRequest::from("hi").model(format!("{provider}/{model}"));
                    let response = match thread % 2 {
                        0 => client.chat(request).unwrap(),
                        _ => client.stream(request).unwrap().finish().unwrap(),
                    };
                    assert_eq!(response.text(), format!("from {provider}"));
                    assert_eq!(response.provider, provider);
                    let attempt = &response.attempts()[0];
                    assert_eq!((&*attempt.provider, &*attempt.model), (provider, model));
                }
            });
        }
    });

    let calls = u64::try_from(THREADS * ROUNDS / PROVIDERS.len()).unwrap();
    let (costs, metrics, stats) = (client.costs(), client.metrics(), client.pool());
    for ((name, model, header), (_, server)) in PROVIDERS.iter().zip(&servers) {
        let requests = server.requests();
        assert_eq!(requests.len() as u64, calls, "{name}");
        for request in requests {
            assert!(request.header(header).unwrap().ends_with(&key(name)), "{name}");
            assert_eq!(request.header("x-for").unwrap(), format!("only-{name}"));
            assert_eq!(request.json()["model"], *model);
            for (other, ..) in PROVIDERS.iter().filter(|(other, ..)| other != name) {
                let sent = format!("{request:?}") + &String::from_utf8_lossy(request.body());
                assert!(!sent.contains(&key(other)), "a key of {other} was sent to {name}");
            }
        }
        let booked = costs.by_provider.iter().find(|row| row.key == *name).unwrap();
        assert_eq!(booked.tally.calls, calls, "{name}");
        assert_eq!(booked.tally.usage.prompt_tokens, calls * 1000, "{name}");
        let counted = metrics.by_model.iter().find(|stats| stats.provider == *name).unwrap();
        assert_eq!((counted.model.as_str(), counted.total.calls), (*model, calls), "{name}");
        assert_eq!(counted.server_port, server.address().port());
    }
    assert_eq!(costs.total.calls, calls * 5);
    assert!(stats.total.idle <= 7 && stats.total.active == 0, "{stats:?}");
    assert_eq!(stats.origins.len(), 5);
    let peaks = peaks.0.lock().unwrap();
    assert_eq!(peaks.len(), 6, "five origins and their sum");
    for (origin, (_, peak)) in &*peaks {
        let cap = if origin == "all" { 7 } else { 2 };
        assert!(*peak <= cap, "{origin}: {peaks:?}");
    }
}

fn server_name<'a>(server: &Loopback, servers: &'a [(&'a str, Loopback)]) -> &'a str {
    let found = servers.iter().find(|(_, other)| other.address() == server.address());
    found.map(|(name, _)| *name).unwrap()
}

#[test]
fn a_model_of_another_provider_is_asked_there_and_nowhere_else() {
    let (openai, groq) = (loopback(), loopback());
    let client = Client::builder()
        .provider("openai")
        .model("gpt-4o-mini")
        .api_key(key("openai"))
        .header("x-gateway", "only-of-openai")
        .base_url(openai.base_url("openai"))
        .add_provider(config("groq", &groq))
        .retry(quick_retries(0))
        .build()
        .unwrap();
    client.chat("hi").unwrap();
    let request = || ChatRequest::from("hi");
    for (request, sent) in [
        (request().model("groq/llama-3.3-70b"), "llama-3.3-70b"),
        (request().model("groq/openai/gpt-oss-120b"), "openai/gpt-oss-120b"),
        // With a provider set, the model name is used unchanged.
        (request().provider("groq").model("groq/compound"), "groq/compound"),
    ] {
        let before = openai.request_count();
        assert_eq!(client.chat(request).unwrap().provider, "groq");
        assert_eq!(openai.request_count(), before);
        let got = groq.requests().pop().unwrap();
        assert_eq!(got.json()["model"], sent);
        assert_eq!(got.header("authorization"), Some(&*format!("Bearer {}", key("groq"))));
        assert_eq!(got.header("x-gateway"), None);
    }
    assert_eq!(openai.requests().pop().unwrap().header("x-gateway"), Some("only-of-openai"));
}

#[test]
fn a_misconfigured_provider_is_an_error_before_sending() {
    let server = loopback();
    let client = Client::builder()
        .provider("openai")
        .api_key("sk-test")
        .base_url(server.base_url("openai"))
        .build()
        .unwrap();
    for (request, kind, expected) in [
        (ChatRequest::from("hi"), ErrorKind::InvalidRequest, "no model of openai"),
        (ChatRequest::from("hi").model("gorq/llama"), ErrorKind::Configuration, "mean groq?"),
        (
            ChatRequest::from("hi").provider("gorq").model("llama"),
            ErrorKind::Configuration,
            "unknown provider \"gorq\"; did you mean groq?",
        ),
        (
            ChatRequest::from("hi").provider("ollama"),
            ErrorKind::InvalidRequest,
            "no model of ollama",
        ),
        (ChatRequest::from("hi").model(" "), ErrorKind::InvalidRequest, "the model is empty"),
        (
            ChatRequest::from("hi").model("cohere-openai/command-a"),
            ErrorKind::Configuration,
            "no API key for cohere-openai; set the environment variable",
        ),
    ] {
        let error = client.chat(&request).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(client.stream(request).unwrap_err().kind(), kind);
        assert!(error.attempts().is_empty());
    }
    assert_eq!(server.connections().opened, 0);
    // The metrics include all of these calls.
    assert_eq!(client.metrics().total.calls, 12);
    // A client without a provider asks for one with each request.
    let client = Client::builder().build().unwrap();
    let error = client.chat("hi").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    let error = client.chat(ChatRequest::from("hi").model("gpt-4o")).unwrap_err();
    assert!(error.message().contains("names no provider; write it as provider/model"), "{error}");
    assert!(client.warm_up(1).unwrap_err().message().contains("no provider of its own"));
}

#[test]
fn a_failure_names_the_provider_and_model_of_each_attempt() {
    let (openai, groq) = (loopback(), loopback());
    groq.default_reply(Reply::status(500));
    let client = Client::builder()
        .provider("openai")
        .api_key(key("openai"))
        .base_url(openai.base_url("openai"))
        .add_provider(config("groq", &groq))
        .retry(quick_retries(2))
        .build()
        .unwrap();
    let error = client.chat(ChatRequest::from("hi").model("groq/llama-3.3-70b")).unwrap_err();
    assert_eq!(error.provider(), Some("groq"));
    let attempts: BTreeMap<_, usize> =
        error.attempts().iter().fold(BTreeMap::new(), |mut all, attempt| {
            *all.entry((attempt.provider.as_str(), attempt.model.as_str())).or_default() += 1;
            all
        });
    assert_eq!(attempts, BTreeMap::from([(("groq", "llama-3.3-70b"), 3)]));
}

/// Signs with the length of the body, and counts.
struct Signer;

impl Credentials for Signer {
    fn headers(
        &self,
        request: &Unsigned<'_>,
    ) -> Result<Vec<(String, ApiKey)>, Box<dyn std::error::Error + Send + Sync>> {
        assert_eq!(request.method, "POST");
        let signature = format!("signature-over-{}-{}", request.body.len(), request.url);
        Ok(vec![("x-signature".to_owned(), ApiKey::from(signature))])
    }
}

#[test]
fn credentials_are_computed_for_each_attempt_over_the_bytes_sent() {
    let server = loopback();
    server.reply(Reply::status(503));
    server.reply(Reply::error(400, "bad", "signature-over-what?"));
    let profile = Profile::new("acme", Format::OpenAiChat, server.base_url("openai"));
    let client = Client::builder()
        .add_provider(ProviderConfig::of(profile).credentials(Signer))
        .retry(quick_retries(1))
        .build()
        .unwrap();
    client.chat(ChatRequest::from("hi").model("acme/acme-7b")).unwrap_err();
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        let url = format!("{}/chat/completions", server.base_url("openai"));
        let expected = format!("signature-over-{}-{url}", request.body().len());
        assert_eq!(request.header("x-signature"), Some(&*expected));
        assert_eq!(request.header("authorization"), None);
    }
}

#[test]
fn a_token_is_fetched_for_each_attempt_and_never_shown() {
    use std::sync::atomic::{AtomicU32, Ordering};

    let server = loopback();
    let fetched = AtomicU32::new(0);
    let token = move || match fetched.fetch_add(1, Ordering::SeqCst) {
        2 => Err("the token service is down".into()),
        number => Ok(ApiKey::from(format!("entra-token-{number}"))),
    };
    server.reply(Reply::error(503, "busy", "no room for entra-token-0"));
    server.reply(Reply::error(401, "wrong", "what is entra-token-1?"));
    let client = Client::builder()
        .add_provider(
            ProviderConfig::new("azure").base_url(server.base_url("azure")).credentials(token),
        )
        .retry(quick_retries(1))
        .build()
        .unwrap();
    let request = || ChatRequest::from("hi").model("azure/gpt-4o");
    let error = client.chat(request()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    let shown = format!("{error} {error:?} {:?}", error.attempts());
    assert!(!shown.contains("entra-token"), "{shown}");
    let sent: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.header("authorization").unwrap().to_owned())
        .collect();
    assert_eq!(sent, ["Bearer entra-token-0", "Bearer entra-token-1"]);
    let error = client.chat(request()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.message().contains("cannot get credentials for azure"), "{error}");
    assert_eq!(server.request_count(), 2, "nothing is sent without credentials");
}

#[test]
fn a_custom_profile_is_reached_by_its_id() {
    let server = loopback();
    let profile = Profile::new("acme", Format::OpenAiChat, server.base_url("openai"))
        .auth(Auth::header("x-acme-key"))
        .key_optional();
    let client = Client::builder().profiles([profile]).build().unwrap();
    let response = client.chat(ChatRequest::from("hi").model("acme/lab/acme-7b")).unwrap();
    assert_eq!(response.provider, "acme");
    assert_eq!(server.requests()[0].json()["model"], json!("lab/acme-7b"));
}
