//! Tests of where addresses and keys come from, and of what is wrong with them.

use super::*;
use crate::provider::Format;

fn profile(name: &str) -> Profile {
    Profile::builtin(name).unwrap()
}

/// An environment with at most one variable.
fn only<'a>(name: &'a str, value: &'a str) -> Environment<'a> {
    Environment::new(move |asked| (asked == name).then(|| value.to_owned()))
}

fn address(
    profile: &Profile,
    set: Option<String>,
    allow_plain_http: bool,
    environment: &Environment<'_>,
) -> Result<Url, String> {
    super::address(profile, set, allow_plain_http, environment, Setters::Client)
}

fn key(
    profile: &Profile,
    set: Option<ApiKey>,
    environment: &Environment<'_>,
) -> Result<Option<(ApiKey, Auth)>, String> {
    super::key(profile, set, environment, Setters::Client)
}

#[test]
fn advice_names_the_setters_that_configure_the_provider_and_all_its_variables() {
    let nothing = only("", "");
    let three = Profile::new("acme", Format::OpenAiChat, "https://{A|B|C}.acme.example")
        .key_variables(["KEY_1", "KEY_2", "KEY_3"]);
    for (setters, no_key, no_address) in [
        (
            Setters::Client,
            "KEY_1, KEY_2 or KEY_3, or call .api_key(…), or .without_api_key() if",
            "variable A, B or C, or call .base_url(…)",
        ),
        (
            Setters::ProviderConfig,
            "KEY_1, KEY_2 or KEY_3, or call ProviderConfig::api_key, or \
             ProviderConfig::without_api_key if",
            "variable A, B or C, or call ProviderConfig::base_url",
        ),
    ] {
        let problem = super::key(&three, None, &nothing, setters).unwrap_err();
        assert!(problem.contains(no_key), "{problem}");
        let problem = super::address(&three, None, false, &nothing, setters).unwrap_err();
        assert!(problem.contains(no_address), "{problem}");
    }
}

#[test]
fn the_base_url_comes_from_the_settings_then_the_environment_then_the_profile() {
    for (provider, variable, value, expected) in [
        ("groq", "", "", "https://api.groq.com/openai/v1"),
        // Groq's own SDK expects only the host there; other SDKs expect the whole base URL.
        ("groq", "GROQ_BASE_URL", "https://eu.groq.example", "https://eu.groq.example/openai/v1"),
        ("groq", "GROQ_BASE_URL", "https://a.example/openai/v1/", "https://a.example/openai/v1"),
        ("groq", "GROQ_API_BASE", "https://a.example/v9", "https://a.example/v9"),
        ("cerebras", "CEREBRAS_BASE_URL", "https://c.example", "https://c.example/v1"),
        ("together", "TOGETHER_BASE_URL", "https://t.example/", "https://t.example/v1"),
        ("openai", "OPENAI_BASE_URL", "http://localhost:8080/v1", "http://localhost:8080/v1"),
        ("openai", "OPENAI_BASE_URL", "http://localhost:8080", "http://localhost:8080/"),
        ("mistral", "MISTRAL_BASE_URL", "https://m.example/v1", "https://m.example/v1"),
        ("anthropic", "ANTHROPIC_BASE_URL", "http://localhost:4000", "http://localhost:4000/"),
        ("ollama", "", "", "http://127.0.0.1:11434/"),
        // As in ollama/ollama `envconfig/config_test.go`.
        ("ollama", "OLLAMA_HOST", "0.0.0.0", "http://127.0.0.1:11434/"),
        ("ollama", "OLLAMA_HOST", "127.0.0.1:9999", "http://127.0.0.1:9999/"),
        ("ollama", "OLLAMA_HOST", ":9999", "http://127.0.0.1:9999/"),
        ("ollama", "OLLAMA_HOST", "localhost", "http://localhost:11434/"),
        ("ollama", "OLLAMA_HOST", "http://localhost:11434", "http://localhost:11434/"),
        ("ollama", "OLLAMA_HOST", "http://localhost", "http://localhost/"),
        ("ollama", "OLLAMA_HOST", "https://o.example", "https://o.example/"),
        ("ollama", "OLLAMA_HOST", "https://o.example/ollama/", "https://o.example/ollama"),
        ("ollama", "OLLAMA_HOST", "[::]:11434", "http://[::1]:11434/"),
        ("ollama", "OLLAMA_HOST", "::", "http://[::1]:11434/"),
        ("ollama", "OLLAMA_HOST", "::1", "http://[::1]:11434/"),
        ("ollama", "OLLAMA_HOST", "[::1]", "http://[::1]:11434/"),
        ("ollama", "OLLAMA_HOST", "ollama.com", "https://ollama.com/"),
        // The address of the other format.
        ("ollama", "OLLAMA_BASE_URL", "http://localhost:11434/v1/", "http://localhost:11434/"),
        ("ollama", "OLLAMA_API_BASE", "https://o.example/x/v1", "https://o.example/x"),
        ("ollama-openai", "OLLAMA_HOST", "0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("ollama-openai", "OLLAMA_HOST", "https://o.example", "https://o.example/v1"),
        ("azure", "AZURE_RESOURCE_NAME", "acme", "https://acme.openai.azure.com/openai/v1"),
        (
            "azure",
            "AZURE_OPENAI_ENDPOINT",
            "https://acme.openai.azure.com/",
            "https://acme.openai.azure.com/openai/v1",
        ),
        (
            "cloudflare",
            "CLOUDFLARE_ACCOUNT_ID",
            "abc123",
            "https://api.cloudflare.com/client/v4/accounts/abc123/ai/v1",
        ),
        (
            "databricks",
            "DATABRICKS_HOST",
            "https://adb-1.2.azuredatabricks.net/",
            "https://adb-1.2.azuredatabricks.net/ai-gateway/mlflow/v1",
        ),
    ] {
        let uri = address(&profile(provider), None, false, &only(variable, value));
        assert_eq!(uri.unwrap(), expected, "{provider} {variable}={value}");
    }
    let set = Some("https://set.example/v1".to_owned());
    let uri = address(&profile("groq"), set, false, &only("GROQ_BASE_URL", "https://x.y"));
    assert_eq!(uri.unwrap(), "https://set.example/v1");
}

#[test]
fn azures_deployment_address_contains_deployment_and_version() {
    let azure = profile("azure-deployments");
    let resource = Environment::new(|name| match name {
        "AZURE_RESOURCE_NAME" => Some("acme".to_owned()),
        "AZURE_API_VERSION" => Some("2025-01-01-preview".to_owned()),
        _ => None,
    });
    let endpoint = only("AZURE_OPENAI_ENDPOINT", "https://b.openai.azure.com/");
    for (environment, expected) in [
        (
            resource,
            "https://acme.openai.azure.com/openai/deployments/{model}\
             ?api-version=2025-01-01-preview",
        ),
        (endpoint, "https://b.openai.azure.com/openai/deployments/{model}?api-version=2024-10-21"),
    ] {
        assert_eq!(address(&azure, None, false, &environment).unwrap(), expected);
    }
}

#[test]
fn an_error_about_an_address_names_the_variable() {
    for (provider, variable, value, expected) in [
        ("azure", "", "", "variable AZURE_RESOURCE_NAME, AZURE_OPENAI_ENDPOINT or AZURE_"),
        ("cloudflare", "", "", "variable CLOUDFLARE_ACCOUNT_ID, or call .base_url"),
        ("openai", "OPENAI_BASE_URL", "localhost:8080", "OPENAI_BASE_URL: the base URL does"),
        ("groq", "GROQ_BASE_URL", "http://groq.example", "GROQ_BASE_URL: plain http"),
        ("ollama", "OLLAMA_HOST", "10.0.0.7:11434", "OLLAMA_HOST: plain http to 10.0.0.7"),
    ] {
        let problem = address(&profile(provider), None, false, &only(variable, value));
        let problem = problem.unwrap_err();
        assert!(problem.contains(expected), "{provider} {variable}={value}: {problem}");
    }
}

#[test]
fn a_key_is_read_from_each_variable_and_a_missing_one_names_them_all() {
    for (provider, variable) in [
        ("openai", "OPENAI_API_KEY"),
        ("anthropic", "ANTHROPIC_API_KEY"),
        ("groq", "GROQ_API_KEY"),
        ("together", "TOGETHERAI_API_KEY"),
        ("huggingface", "HF_TOKEN"),
        ("azure", "AZURE_OPENAI_API_KEY"),
    ] {
        let key = key(&profile(provider), None, &only(variable, "secret-key")).unwrap();
        assert_eq!(key, Some((ApiKey::from("secret-key"), profile(provider).auth)));
    }
    for provider in ["azure", "azure-deployments"] {
        let environment = only("AZURE_OPENAI_AD_TOKEN", "entra-token");
        let token = key(&profile(provider), None, &environment).unwrap();
        assert_eq!(token, Some((ApiKey::from("entra-token"), Auth::Bearer)));
    }
    let nothing = only("", "");
    let missing = key(&profile("together"), None, &nothing).unwrap_err();
    assert!(missing.contains("TOGETHER_API_KEY, TOGETHERAI_API_KEY, "), "{missing}");
    for local in ["ollama", "ollama-openai", "vllm", "llamacpp"] {
        assert_eq!(key(&profile(local), None, &nothing), Ok(None));
    }
    // The key for Ollama's cloud is not sent to a local server.
    assert_eq!(key(&profile("ollama"), None, &only("OLLAMA_API_KEY", "cloud-key")), Ok(None));
}

#[test]
fn a_key_is_cleaned_and_a_bad_one_is_named_but_not_shown() {
    let openai = profile("openai");
    for text in [
        "sk-1",
        " sk-1\r\n",
        "“sk-1”",
        "'sk-1'",
        "\u{feff}sk-1",
        "s\u{200b}k-1",
        "\"sk-1\n\"",
        "Bearer sk-1",
        "bearer  sk-1\n",
        "\"Bearer sk-1\"",
        "Bearer \"sk-1\"",
        "Bearer Bearer sk-1",
        "Authorization: Bearer sk-1",
        "x-api-key: sk-1",
    ] {
        let set = Some(ApiKey::from(text));
        for found in
            [key(&openai, set, &only("", "")), key(&openai, None, &only("OPENAI_API_KEY", text))]
        {
            assert_eq!(found.unwrap().unwrap().0.expose(), "sk-1", "{text:?}");
        }
    }
    for (text, expected) in [
        ("sk-secret\nsk-other", "a line break at character 10"),
        ("sk-secret\tx", "a tab at character 10"),
        ("sk-secret“x", "the character U+201C at character 10"),
        ("sk-secret\u{a0}x", "the character U+00A0 at character 10"),
        ("sk-secretй", "the character U+0439 at character 10"),
    ] {
        let set = Some(ApiKey::from(text));
        for (found, name) in [
            (key(&openai, set, &only("", "")), "the API key"),
            (key(&openai, None, &only("OPENAI_API_KEY", text)), "OPENAI_API_KEY"),
        ] {
            let problem = found.unwrap_err();
            assert!(problem.contains(expected) && problem.contains(name), "{problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
    let empty = key(&openai, Some(ApiKey::from("\u{200b}")), &only("OPENAI_API_KEY", "sk-1"));
    assert!(empty.unwrap_err().starts_with("the API key is empty; set"));
    for text in ["Bearer ", "bearer", "\"\"", "Authorization: Bearer"] {
        let empty = key(&openai, Some(ApiKey::from(text)), &only("", ""));
        assert!(empty.unwrap_err().starts_with("the API key is empty; set"), "{text}");
    }
}

#[test]
fn every_variable_of_a_profile_is_cleaned() {
    for profile in Profile::all().filter(|profile| profile.auth != Auth::None) {
        for name in &profile.key_variables {
            let found = key(&profile, None, &only(name, "\u{feff}“sk-1”\r\n")).unwrap();
            assert_eq!(found.unwrap().0.expose(), "sk-1", "{name}");
            let problem = key(&profile, None, &only(name, "sk-1\nsk-2")).unwrap_err();
            assert!(problem.contains(&**name) && !problem.contains("sk-"), "{problem}");
        }
        let usual = profile.id.base_url_variable();
        let urls = profile.base_url_variables.iter().chain(&profile.host_variables);
        for name in urls.map(AsRef::as_ref).chain([usual.as_str()]) {
            let found = address(&profile, None, false, &only(name, " 'https://a.example/v9'\n"));
            assert_eq!(found.unwrap(), "https://a.example/v9", "{name}");
            let problem = address(&profile, None, false, &only(name, "https://a\nb"));
            let problem = problem.unwrap_err();
            assert!(problem.contains(name) && problem.contains("line break"), "{problem}");
        }
    }
}

#[test]
fn a_key_is_sent_in_the_header_the_provider_expects() {
    let key = ApiKey::from("secret-key");
    for (auth, name, value) in [
        (Auth::Bearer, "authorization", "Bearer secret-key"),
        (Auth::header("api-key"), "api-key", "secret-key"),
    ] {
        let (sent_name, sent) = credentials(&auth, &key).unwrap().unwrap();
        assert_eq!((sent_name.as_str(), sent.as_str()), (name, value));
        assert!(sent.is_secret());
    }
    assert_eq!(credentials(&Auth::None, &key), Ok(None));
    let wrong = Profile::new("x", Format::OpenAiChat, "https://x.y").auth(Auth::header("a b"));
    assert!(credentials(&wrong.auth, &key).unwrap_err().contains("not a valid header name"));
}
