//! Tests of the mistakes that `build` refuses, and of keys, environment variables and defaults.

use super::*;
use crate::config::ProviderSettings;
use std::time::Duration;

fn openai() -> ClientBuilder {
    ClientBuilder::default().provider(Provider::OPENAI).model("gpt-4o-mini").api_key("sk-test")
}

/// A client at an address that a build without TLS can reach.
fn local_server() -> ClientBuilder {
    openai().base_url("http://localhost:9/v1")
}

fn nothing() -> Environment<'static> {
    Environment::new(|_| None::<String>)
}

fn own(builder: ClientBuilder, environment: &Environment<'_>) -> ProviderSettings {
    builder.check(environment).unwrap().own.unwrap()
}

fn problem(builder: ClientBuilder) -> String {
    let error = builder.check(&nothing()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    error.to_string()
}

#[test]
fn each_mistake_has_its_own_error() {
    for (builder, sentence) in [
        (ClientBuilder::default().api_key("k"), "api_key is set, but no provider"),
        (ClientBuilder::default().model("gpt-4o"), "the model \"gpt-4o\" names no provider"),
        (ClientBuilder::default().model("gorq/llama"), "did you mean groq?"),
        (openai().add_provider(ProviderConfig::new("gorq")), "did you mean groq?"),
        (
            openai().add_provider(ProviderConfig::new("groq")),
            "variable GROQ_API_KEY, or call ProviderConfig::api_key",
        ),
        (
            local_server().add_provider(
                ProviderConfig::new("openai").base_url("http://localhost").api_key("k"),
            ),
            "set up twice",
        ),
        (
            ClientBuilder::default().provider(Provider::OPENAI),
            "set the environment variable OPENAI_API_KEY",
        ),
        (
            ClientBuilder::default().provider(Provider::ANTHROPIC),
            "set the environment variable ANTHROPIC_API_KEY",
        ),
        (openai().api_key("  "), "the API key is empty"),
        (
            openai().api_key("sk-\u{7f}x"),
            "the API key contains the character U+007F at character 4",
        ),
        (openai().model(" "), "the model is empty"),
        (openai().model("gpt-4o\nmini"), "the model contains a line break"),
        (openai().organization("org\n1"), "the openai-organization contains a line break"),
        (openai().timeout(Duration::ZERO), "the timeout is zero"),
        (openai().connect_timeout(Duration::ZERO), "the connect_timeout is zero"),
        (openai().idle_timeout(Duration::ZERO), "the idle_timeout is zero"),
        (openai().stream_timeout(Duration::ZERO), "the stream_timeout is zero"),
        (openai().max_response_bytes(0), "max_response_bytes is zero"),
        (openai().max_response_head_bytes(1023), "max_response_head_bytes is 1023; set it between"),
        (openai().max_response_head_bytes(usize::MAX), "set it between 1024 and 1048576"),
        (openai().base_url("http://example.com/v1"), "plain http to example.com"),
        (
            openai().base_url("http://localhost.example.com/v1"),
            "plain http to localhost.example.com",
        ),
        (openai().header("bad name", "x"), "\"bad name\" is not a valid header name"),
        (openai().header("x-good", "bad\nvalue"), "the value of the header x-good"),
        (openai().header("Host", "example.com"), "the header host cannot be set"),
        (
            openai().retry(RetryConfig { jitter: 2.0, ..RetryConfig::default() }),
            "the retry jitter is 2",
        ),
        (openai().provider(Provider::ANTHROPIC).project("p"), "anthropic has none"),
    ] {
        let text = problem(builder);
        assert!(text.contains(sentence), "{sentence:?} is not in {text:?}");
    }
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let text = problem(openai().model("").timeout(Duration::ZERO).base_url("http://a.b"));
    assert!(text.contains("model") && text.contains("timeout") && text.contains("plain http"));
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
#[test]
fn a_key_is_never_shown() {
    let builder = openai()
        .api_key("sk-very-secret")
        .header("x-gateway", "sk-very-secret")
        .base_url("http://u:sk-very-secret@localhost");
    assert!(!format!("{builder:?}").contains("sk-very-secret"));
    let builder = openai().api_key("sk-very-secret");
    assert!(!format!("{builder:?}").contains("sk-very-secret"));
    let settings = builder.check(&nothing()).unwrap();
    assert!(!format!("{settings:?}").contains("sk-very-secret"));
    let builder = openai().base_url("https://api.test/v1?key=sk-very-secret");
    assert!(!format!("{builder:?}").contains("sk-very-secret"));
    let client = builder.clone().build().unwrap();
    assert!(format!("{client:?}").contains("\"https://api.test/v1\""), "{client:?}");
    let shown = format!("{client:#?} {:?}", builder.check(&nothing()).unwrap());
    assert!(!shown.contains("sk-very-secret"), "{shown}");
    assert!(!problem(openai().api_key("sk-very-secret\nx")).contains("sk-very-secret"));
    assert!(!problem(openai().base_url("sk-very-secret")).contains("sk-very-secret"));
}

#[test]
fn keys_in_headers_the_query_and_the_proxy_are_hidden_and_harmless_values_are_not() {
    let builder = openai()
        .api_key("sk-test-1234")
        .organization("org-12345678")
        .header("x-gateway", "pass-phrase")
        .header("anthropic-beta", "files-api-2025-04-14")
        .base_url("http://localhost/v1?api-version=2024-10-21&sig=a%2Fb%2Fc%2Fd%2Fe")
        .proxy(crate::config::Proxy::Url("http://porter:p%40ss-word@localhost:1".to_owned()));
    let settings = own(builder, &nothing());
    // `porter:p@ss-word`
    let hidden =
        ["sk-test-1234", "pass-phrase", "a/b/c/d/e", "p@ss-word", "cG9ydGVyOnBAc3Mtd29yZA=="];
    let shown = ["org-12345678", "files-api-2025-04-14", "2024-10-21", "application/json"];
    for (text, is_hidden) in
        hidden.map(|text| (text, true)).into_iter().chain(shown.map(|text| (text, false)))
    {
        assert_eq!(settings.secrets.are_in(text.as_bytes()), is_hidden, "{text}");
    }
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
#[test]
fn the_environment_supplies_what_is_not_set() {
    let environment = &Environment::new(|name| {
        match name {
            "OPENAI_API_KEY" => Some("sk-env\n"),
            "OPENAI_BASE_URL" => Some("http://127.0.0.1:9/v1/"),
            "OPENAI_ORG_ID" => Some("org-1"),
            "ANTHROPIC_API_KEY" => Some(""),
            _ => None,
        }
        .map(str::to_owned)
    });
    let builder = ClientBuilder::default().provider(Provider::OPENAI);
    let settings = own(builder.clone(), environment);
    assert_eq!(settings.base, "http://127.0.0.1:9/v1");
    assert_eq!(settings.headers["authorization"], "Bearer sk-env");
    assert_eq!(settings.headers["openai-organization"], "org-1");
    let given = builder.clone().api_key("sk-given").base_url("https://example.com");
    let settings = own(given, environment);
    assert_eq!(settings.base, "https://example.com");
    assert_eq!(settings.headers["authorization"], "Bearer sk-given");
    let without = own(builder.clone().without_api_key(), environment);
    assert!(without.headers.get("authorization").is_none());
    // An empty variable counts as not set.
    assert!(builder.provider(Provider::ANTHROPIC).check(environment).is_err());
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
#[test]
fn each_provider_has_its_own_headers() {
    let settings = own(openai().provider(Provider::ANTHROPIC), &nothing());
    assert_eq!(settings.base, "https://api.anthropic.com");
    assert_eq!(settings.headers["x-api-key"], "sk-test");
    assert_eq!(settings.headers["anthropic-version"], "2023-06-01");
    assert!(settings.headers.get("authorization").is_none());
    let settings = own(openai().header("X-Gateway", "g").project("p"), &nothing());
    assert_eq!(settings.base, "https://api.openai.com/v1");
    assert_eq!(settings.headers["authorization"], "Bearer sk-test");
    assert_eq!(settings.headers["x-gateway"], "g");
    assert_eq!(settings.headers["openai-project"], "p");
    let settings = own(openai().header("content-type", "application/x"), &nothing());
    assert_eq!(settings.headers.iter().filter(|(name, _)| *name == "content-type").count(), 1);
}

#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
#[test]
fn https_is_refused_by_a_build_without_tls() {
    assert!(problem(openai()).contains("was built without"));
    assert!(openai().base_url("http://localhost").check(&nothing()).is_ok());
}

#[test]
fn each_setting_has_its_documented_default() {
    let Checked { settings, own, .. } = local_server().check(&nothing()).unwrap();
    let own = own.unwrap();
    let seconds = Duration::from_secs;
    assert_eq!(
        (own.timeouts.call, own.timeouts.connect, own.timeouts.idle),
        (seconds(600), seconds(5), seconds(600))
    );
    assert_eq!((own.timeouts.attempt, own.timeouts.first_token), (None, None));
    assert_eq!(own.timeouts.stream, ("stream_timeout", seconds(3600)));
    assert_eq!(settings.max_response_bytes, 16 * 1024 * 1024);
    assert_eq!(settings.max_response_head_bytes, 64 * 1024);
    assert!(settings.metrics && !settings.idempotency_keys && own.proxy.is_none());

    let pool = settings.pool;
    assert_eq!((pool.max_size, pool.max_per_origin), (100, 100));
    assert_eq!((pool.idle_timeout, pool.max_lifetime), (seconds(90), Some(seconds(30 * 60))));
    assert_eq!((pool.cleanup_period, pool.acquire_timeout), (seconds(1), None));
    assert!(pool.retry_stale);

    let retry = settings.retry;
    assert_eq!((retry.max_retries, retry.multiplier, retry.jitter), (2, 2.0, 0.25));
    let half = Duration::from_millis(500);
    assert_eq!((retry.initial_interval, retry.max_interval), (half, seconds(8)));
    assert!(retry.retry_ambiguous);
    assert_eq!((retry.budget.capacity, retry.budget.refill), (100, 0.2));
}

#[test]
fn a_value_set_in_code_is_cleaned_like_a_variable() {
    let Checked { settings, own, .. } = local_server()
        .model(" “gpt-4o-mini”\n")
        .api_key("'sk-1'\r\n")
        .base_url("\u{feff}http://localhost:9/v1\n")
        .organization(" \"org-1\" ")
        .header("x-gateway", " sk-2\n")
        .check(&nothing())
        .unwrap();
    let own = own.unwrap();
    assert_eq!(settings.model.as_deref(), Some("gpt-4o-mini"));
    assert_eq!(own.base, "http://localhost:9/v1");
    for (name, value) in
        [("authorization", "Bearer sk-1"), ("openai-organization", "org-1"), ("x-gateway", "sk-2")]
    {
        assert_eq!(own.headers[name], value, "{name}");
    }
}

#[test]
fn an_error_about_a_variable_names_it() {
    let nothing = ["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"];
    for broken in nothing {
        let environment = Environment::new(|name| match name {
            _ if name == broken => Some("secret\nsecret"),
            "OPENAI_API_KEY" => Some("sk-1"),
            _ => None,
        });
        let builder = ClientBuilder::default().provider(Provider::OPENAI);
        let text = builder.check(&environment).unwrap_err().to_string();
        assert!(text.contains(broken) && text.contains("a line break"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn organization_and_project_are_sent_to_openai_only() {
    let environment = Environment::new(|name| match name {
        "OPENAI_ORG_ID" => Some("org-2"),
        "OPENAI_PROJECT_ID" => Some("proj-2"),
        _ => None,
    });
    let headers = own(local_server().organization("org-1"), &environment).headers;
    // Settings in code win over the environment.
    assert_eq!(headers["openai-organization"], "org-1");
    assert_eq!(headers["openai-project"], "proj-2");
    for builder in [openai().organization("org-1"), openai().project("proj-1")] {
        let text = problem(builder.provider("groq"));
        assert!(text.contains("groq has none"), "{text}");
    }
}

#[test]
fn the_base_url_decides_whose_prices_apply() {
    let named = |builder: ClientBuilder| own(builder, &nothing()).price_provider;
    assert_eq!(named(local_server()), "openai");
    assert_eq!(named(local_server().price_provider("acme")), "acme");
    assert_eq!(named(local_server().provider("ollama")), "ollama");
    if cfg!(any(feature = "rustls", feature = "native-tls")) {
        assert_eq!(named(openai()), "openai");
        assert_eq!(named(openai().base_url("https://api.groq.com/openai/v1")), "groq");
        assert_eq!(named(openai().provider("gemini-openai")), "google");
    }
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
#[test]
fn the_settings_of_one_provider_never_reach_another() {
    let seconds = Duration::from_secs;
    let builder = openai()
        .header("x-gateway", "pass-phrase")
        .timeout(seconds(60))
        .idle_timeout(seconds(9))
        .add_provider(
            ProviderConfig::new("groq")
                .api_key("gsk-test-1")
                .header("x-team", "blue")
                .base_url("http://localhost:7/openai/v1")
                .timeout(seconds(20)),
        );
    let Checked { settings, own, others, .. } = builder.check(&nothing()).unwrap();
    let (own, groq) = (own.unwrap(), &others[0]);
    assert_eq!((own.timeouts.call, groq.timeouts.call), (seconds(60), seconds(20)));
    assert_eq!((own.timeouts.idle, groq.timeouts.idle), (seconds(9), seconds(9)));
    // The stream timeout follows the call timeout of the same place.
    assert_eq!(own.timeouts.stream, ("timeout", seconds(60)));
    assert_eq!(groq.timeouts.stream, ("timeout", seconds(20)));
    assert_eq!(groq.base, "http://localhost:7/openai/v1");
    assert_eq!(own.base, "https://api.openai.com/v1");
    assert_eq!(groq.headers["authorization"], "Bearer gsk-test-1");
    assert_eq!((groq.headers.get("x-gateway"), own.headers.get("x-team")), (None, None));
    assert!(!groq.secrets.are_in(b"pass-phrase") && groq.secrets.are_in(b"gsk-test-1"));
    // A provider that was not set up has its defaults.
    let error = settings.provider(&Provider::new("mistral")).unwrap_err();
    assert!(error.message().contains("MISTRAL_API_KEY"), "{error}");
    let ollama = settings.provider(&Provider::new("ollama")).unwrap();
    assert_eq!((ollama.timeouts.call, ollama.headers.get("x-gateway")), (seconds(60), None));
}

#[test]
fn the_model_names_the_provider_if_none_is_set() {
    let builder = ClientBuilder::default().model("ollama/hf.co/unsloth/gemma");
    let Checked { settings, own, .. } = builder.check(&nothing()).unwrap();
    assert_eq!(settings.model.as_deref(), Some("hf.co/unsloth/gemma"));
    assert_eq!(own.unwrap().profile.id, "ollama");
    // With a provider, the whole name is that provider's own.
    let builder = local_server().model("groq/llama");
    let Checked { settings, .. } = builder.check(&nothing()).unwrap();
    assert_eq!(settings.model.as_deref(), Some("groq/llama"));
    let Checked { own, .. } = ClientBuilder::default().check(&nothing()).unwrap();
    assert!(own.is_none());
}

fn vertex() -> ClientBuilder {
    ClientBuilder::default().provider("vertex").model("gemini-2.5-flash")
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
#[test]
fn vertex_finds_its_address_and_its_key() {
    let variables = |name: &str| match name {
        "GOOGLE_CLOUD_PROJECT" => Some("p-1"),
        "GOOGLE_CLOUD_LOCATION" => Some("us-east5"),
        _ => None,
    };
    let token = || vertex().credentials(|| Ok("ya29.x".into()));
    let settings = own(token(), &Environment::new(variables));
    let regional = "https://us-east5-aiplatform.googleapis.com/v1/projects/p-1/locations/us-east5";
    assert_eq!(settings.base, regional);
    assert_eq!(settings.price_provider, "google");
    assert!(settings.credentials.is_some());
    let settings = own(token().project("p-2").location("global"), &Environment::new(variables));
    let global = "https://aiplatform.googleapis.com/v1/projects/p-2/locations/global";
    assert_eq!(settings.base, global);
    // The credentials may know the project.
    assert_eq!(own(token(), &nothing()).base.path(), "/v1/projects/{project}/locations/global");
    // A key of express mode.
    let key = Environment::new(|name| (name == "GOOGLE_VERTEX_API_KEY").then_some("AQ.key"));
    let settings = own(vertex(), &key);
    assert_eq!(settings.base, "https://aiplatform.googleapis.com/v1");
    assert_eq!(settings.headers["x-goog-api-key"], "AQ.key");
    assert!(settings.credentials.is_none());
    // A gateway, from the environment.
    let gateway = Environment::new(|name| match name {
        "GOOGLE_VERTEX_BASE_URL" => Some("https://gw.test/vertex/v1"),
        name => variables(name),
    });
    let expected = "https://gw.test/vertex/v1/projects/p-1/locations/us-east5";
    assert_eq!(own(token(), &gateway).base, expected);
}

#[cfg(not(feature = "vertex"))]
#[test]
fn vertex_without_credentials_names_the_feature() {
    let problem = problem(vertex());
    assert!(problem.contains("enable tollgate's feature \"vertex\""), "{problem}");
    assert!(problem.contains("call .credentials(…)"), "{problem}");
}

#[cfg(feature = "vertex")]
#[test]
fn vertex_finds_google_clouds_credentials() {
    use std::{env, fs, process};

    let path = env::temp_dir().join(format!("tollgate-settings-{}.json", process::id()));
    let file = serde_json::json!({
        "type": "service_account",
        "project_id": "p-3",
        "client_email": "me@p-3.test",
        "private_key": include_str!("../../provider/auth/google/test_key.pem"),
    });
    fs::write(&path, file.to_string()).unwrap();
    let named = path.to_str().unwrap().to_owned();
    let environment =
        Environment::new(|name| (name == "GOOGLE_APPLICATION_CREDENTIALS").then(|| named.clone()));
    let settings = own(vertex(), &environment);
    assert_eq!(settings.base.path(), "/v1/projects/p-3/locations/global");
    assert!(settings.credentials.is_some());
    fs::write(&path, "{}").unwrap();
    let error = vertex().check(&environment).unwrap_err();
    assert!(error.message().contains("have no \"type\""), "{error}");
    fs::remove_file(&path).unwrap();
    // Nothing is read or asked if the program has its own.
    let settings = own(vertex().project("p").without_api_key(), &environment);
    assert!(settings.credentials.is_none());
    // The metadata server is asked when the client calls.
    assert_eq!(own(vertex(), &nothing()).base.path(), "/v1/projects/{project}/locations/global");
}
