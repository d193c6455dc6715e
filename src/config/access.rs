//! How a client reaches its provider: address and key, from settings or the environment.

use ureq::http::Uri;
use ureq::http::header::{AUTHORIZATION, HeaderName, HeaderValue};

use super::base_url;
use super::environment::{Environment, cleaned, name_of};
use crate::key::ApiKey;
use crate::provider::{Auth, Profile};

/// Where the provider is: the address that was `set`, else the environment's, else its own.
pub(super) fn address(
    profile: &Profile,
    set: Option<String>,
    allow_plain_http: bool,
    environment: &Environment<'_>,
) -> Result<Uri, String> {
    if let Some(url) = set {
        return base_url::parse(&url, allow_plain_http);
    }
    let usual = profile.usual_url_variable();
    let hosts = || profile.host_variables.iter().map(AsRef::as_ref);
    let whole = [usual.as_str()].into_iter().filter(|usual| !hosts().any(|name| name == *usual));
    let whole = whole.chain(profile.base_url_variables.iter().map(AsRef::as_ref));
    let named = |name: &str, problem: String| format!("{name}: {problem}");
    for name in whole {
        if let Some(url) = environment.read(name)? {
            return base_url::parse(&url, allow_plain_http).map_err(|text| named(name, text));
        }
    }
    for name in hosts() {
        if let Some(host) = environment.read(name)? {
            let url = filled(profile, &completed(&host, &profile.base_url), environment)?;
            return base_url::parse(&url, allow_plain_http).map_err(|text| named(name, text));
        }
    }
    base_url::parse(&filled(profile, &profile.base_url, environment)?, allow_plain_http)
}

/// A host, with what it lacks of scheme, port and path taken from `base`. What has a path
/// is a whole base URL.
fn completed(host: &str, base: &str) -> String {
    let host = host.trim_end_matches('/');
    let (own_scheme, own_rest) = base.split_once("://").unwrap_or(("https", base));
    let (own_authority, own_path) = own_rest.split_once('/').unwrap_or((own_rest, ""));
    let (scheme, rest) = host.split_once("://").unwrap_or((own_scheme, host));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, own_path));
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| {
        !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    });
    let own_port = own_authority.rsplit_once(':').map(|(_, port)| port);
    // What a server binds to is no address to connect to.
    let authority = match authority.strip_prefix("0.0.0.0") {
        Some(port) => format!("127.0.0.1{port}"),
        None => authority.replace("[::]", "[::1]"),
    };
    match own_port.filter(|_| !has_port && !host.contains("://")) {
        Some(port) => format!("{scheme}://{authority}:{port}/{path}"),
        None => format!("{scheme}://{authority}/{path}"),
    }
}

/// A base URL with the values of the variables that it names, see [`Profile::base_url`].
fn filled(profile: &Profile, base: &str, environment: &Environment<'_>) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = base;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((inner, behind)) = after.split_once('}') else { break };
        let (names, default) = match inner.split_once('=') {
            Some((names, default)) => (names, Some(default.to_owned())),
            // Each request fills it in.
            None if inner == "model" => ("", Some("{model}".to_owned())),
            None => (inner, None),
        };
        let names: Vec<&str> = names.split('|').filter(|name| !name.is_empty()).collect();
        let mut value = None;
        for name in &names {
            value = value.or(environment.read(name)?);
        }
        let Some(value) = value.or(default) else {
            let others: Vec<&str> =
                names.into_iter().chain(profile.host_variables.iter().map(AsRef::as_ref)).collect();
            return Err(format!(
                "the address of {} is not complete; set the environment variable {} or call \
                 .base_url(…)",
                profile.id,
                others.join(" or "),
            ));
        };
        let value = value.trim_start_matches("https://").trim_end_matches('/');
        filled.extend([before, value]);
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The key that was `set`, else the environment's, and how it is sent; `None` for a provider
/// that needs none.
/// The error names where a bad key came from and never shows any of it.
pub(super) fn key(
    profile: &Profile,
    set: Option<ApiKey>,
    environment: &Environment<'_>,
) -> Result<Option<(ApiKey, Auth)>, String> {
    let own = |key| Some((key, profile.auth.clone()));
    if let Some(key) = set {
        return readable(key.expose(), "the API key").map(own);
    }
    for name in &profile.key_variables {
        if let Some(key) = environment.read(name)? {
            return readable(&key, &format!("the API key in {name}")).map(own);
        }
    }
    for name in &profile.token_variables {
        if let Some(token) = environment.read(name)? {
            let token = readable(&token, &format!("the token in {name}"))?;
            return Ok(Some((token, Auth::Bearer)));
        }
    }
    if profile.key_optional || profile.auth == Auth::None {
        return Ok(None);
    }
    let set = match profile.key_variables.as_slice() {
        [] => String::new(),
        names => format!("set the environment variable {} or ", names.join(" or ")),
    };
    Err(format!(
        "no API key for {}; {set}call .api_key(…) (.without_api_key() for a server that needs none)",
        profile.id
    ))
}

/// A key as it was meant, if a header can carry it. `source` says which key it is.
fn readable(key: &str, source: &str) -> Result<ApiKey, String> {
    let advice = "copy it again from where it was issued";
    let clean =
        |key: &str| cleaned(key).map_err(|stray| format!("{source} holds {stray}; {advice}"));
    let mut key = clean(key)?;
    // Copied from an example's header, and twice where the code adds the scheme as well.
    while let Some(bare) = without_scheme(&key) {
        key = clean(bare)?;
    }
    if key.is_empty() {
        return Err(format!("{source} is empty"));
    }
    // RFC 9110 section 5.5; no provider issues keys with other characters.
    match key.chars().enumerate().find(|(_, char)| !matches!(char, ' '..='~')) {
        None => Ok(ApiKey::from(key)),
        Some((at, char)) => Err(format!(
            "{source} holds {} at character {}, which cannot be sent; {advice}",
            name_of(char),
            at + 1
        )),
    }
}

/// What stands behind `Bearer`, or behind the name of a header that keys are sent in.
fn without_scheme(key: &str) -> Option<&str> {
    const SCHEMES: [&str; 4] = ["authorization:", "x-api-key:", "api-key:", "bearer "];
    if key.eq_ignore_ascii_case("bearer") {
        return Some("");
    }
    SCHEMES.iter().find_map(|scheme| {
        let (before, behind) = key.split_at_checked(scheme.len())?;
        before.eq_ignore_ascii_case(scheme).then_some(behind)
    })
}

/// The header that a key is sent in.
pub(super) fn credentials(
    auth: &Auth,
    key: &ApiKey,
) -> Result<Option<(HeaderName, HeaderValue)>, String> {
    let (name, value) = match auth {
        Auth::Bearer => (AUTHORIZATION, format!("Bearer {}", key.expose())),
        Auth::Header(name) => {
            let name = HeaderName::try_from(&**name)
                .map_err(|_| format!("{name:?}, which the key goes into, is not a header name"))?;
            (name, key.expose().to_owned())
        }
        Auth::None => return Ok(None),
    };
    let mut value = HeaderValue::from_str(&value).map_err(|_| {
        "the API key holds a character that cannot be sent; copy it again from where it was issued"
            .to_owned()
    })?;
    value.set_sensitive(true);
    Ok(Some((name, value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Format;

    fn profile(name: &str) -> Profile {
        Profile::builtin(name).unwrap()
    }

    /// An environment of one or no variable.
    fn only<'a>(name: &'a str, value: &'a str) -> Environment<'a> {
        Environment::new(move |asked| (asked == name).then(|| value.to_owned()))
    }

    #[test]
    fn a_base_url_comes_from_the_settings_the_environment_or_the_row() {
        for (provider, variable, value, expected) in [
            ("groq", "", "", "https://api.groq.com/openai/v1"),
            // Groq's own SDK puts only the host there; others the whole base URL.
            (
                "groq",
                "GROQ_BASE_URL",
                "https://eu.groq.example",
                "https://eu.groq.example/openai/v1",
            ),
            (
                "groq",
                "GROQ_BASE_URL",
                "https://a.example/openai/v1/",
                "https://a.example/openai/v1",
            ),
            ("groq", "GROQ_API_BASE", "https://a.example/v9", "https://a.example/v9"),
            ("cerebras", "CEREBRAS_BASE_URL", "https://c.example", "https://c.example/v1"),
            ("together", "TOGETHER_BASE_URL", "https://t.example/", "https://t.example/v1"),
            ("openai", "OPENAI_BASE_URL", "http://localhost:8080/v1", "http://localhost:8080/v1"),
            ("openai", "OPENAI_BASE_URL", "http://localhost:8080", "http://localhost:8080/"),
            ("mistral", "MISTRAL_BASE_URL", "https://m.example/v1", "https://m.example/v1"),
            ("anthropic", "ANTHROPIC_BASE_URL", "http://localhost:4000", "http://localhost:4000/"),
            ("ollama", "OLLAMA_HOST", "0.0.0.0", "http://127.0.0.1:11434/v1"),
            ("ollama", "OLLAMA_HOST", "127.0.0.1:9999", "http://127.0.0.1:9999/v1"),
            ("ollama", "OLLAMA_HOST", "http://localhost:11434", "http://localhost:11434/v1"),
            ("ollama", "OLLAMA_HOST", "https://o.example", "https://o.example/v1"),
            ("ollama", "OLLAMA_HOST", "[::]:11434", "http://[::1]:11434/v1"),
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
    fn azures_older_address_holds_deployment_and_version() {
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
            (
                endpoint,
                "https://b.openai.azure.com/openai/deployments/{model}?api-version=2024-10-21",
            ),
        ] {
            assert_eq!(address(&azure, None, false, &environment).unwrap(), expected);
        }
    }

    #[test]
    fn an_address_that_cannot_be_used_names_the_variable() {
        for (provider, variable, value, expected) in [
            ("azure", "", "", "variable AZURE_RESOURCE_NAME or AZURE_OPENAI_ENDPOINT"),
            ("cloudflare", "", "", "variable CLOUDFLARE_ACCOUNT_ID or call .base_url"),
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
    fn keys_come_from_all_spellings_and_their_lack_names_them() {
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
        assert!(missing.contains("TOGETHER_API_KEY or TOGETHERAI_API_KEY"), "{missing}");
        for local in ["ollama", "vllm", "llamacpp"] {
            assert_eq!(key(&profile(local), None, &nothing), Ok(None));
        }
        // The key of Ollama's cloud stays at home.
        assert_eq!(key(&profile("ollama"), None, &only("OLLAMA_API_KEY", "cloud-key")), Ok(None));
    }

    #[test]
    fn a_key_is_read_as_it_was_meant_or_refused_by_name() {
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
            for found in [
                key(&openai, set, &only("", "")),
                key(&openai, None, &only("OPENAI_API_KEY", text)),
            ] {
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
        let blank = key(&openai, Some(ApiKey::from("\u{200b}")), &only("OPENAI_API_KEY", "sk-1"));
        assert_eq!(blank, Err("the API key is empty".to_owned()));
        for empty in ["Bearer ", "bearer", "\"\"", "Authorization: Bearer"] {
            let blank = key(&openai, Some(ApiKey::from(empty)), &only("", ""));
            assert_eq!(blank, Err("the API key is empty".to_owned()), "{empty}");
        }
    }

    #[test]
    fn every_variable_of_a_row_is_cleaned_alike() {
        for profile in Profile::all().filter(|profile| profile.auth != Auth::None) {
            for name in &profile.key_variables {
                let found = key(&profile, None, &only(name, "\u{feff}“sk-1”\r\n")).unwrap();
                assert_eq!(found.unwrap().0.expose(), "sk-1", "{name}");
                let problem = key(&profile, None, &only(name, "sk-1\nsk-2")).unwrap_err();
                assert!(problem.contains(&**name) && !problem.contains("sk-"), "{problem}");
            }
            let usual = profile.usual_url_variable();
            let urls = profile.base_url_variables.iter().chain(&profile.host_variables);
            for name in urls.map(AsRef::as_ref).chain([usual.as_str()]) {
                let found =
                    address(&profile, None, false, &only(name, " 'https://a.example/v9'\n"));
                assert_eq!(found.unwrap(), "https://a.example/v9", "{name}");
                let problem = address(&profile, None, false, &only(name, "https://a\nb"));
                let problem = problem.unwrap_err();
                assert!(problem.contains(name) && problem.contains("line break"), "{problem}");
            }
        }
    }

    #[test]
    fn a_key_goes_where_the_provider_wants_it() {
        let key = ApiKey::from("secret-key");
        for (auth, name, value) in [
            (Auth::Bearer, "authorization", "Bearer secret-key"),
            (Auth::header("api-key"), "api-key", "secret-key"),
        ] {
            let (sent_name, sent) = credentials(&auth, &key).unwrap().unwrap();
            assert_eq!((sent_name.as_str(), sent.to_str().unwrap()), (name, value));
            assert!(sent.is_sensitive());
        }
        assert_eq!(credentials(&Auth::None, &key), Ok(None));
        let wrong = Profile::new("x", Format::OpenAiChat, "https://x.y").auth(Auth::header("a b"));
        assert!(credentials(&wrong.auth, &key).unwrap_err().contains("not a header name"));
    }
}
