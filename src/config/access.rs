//! Finds the address and the key of a provider, in the settings or the environment.

use std::net::Ipv6Addr;

use super::base_url;
use super::environment::{Environment, cleaned, name_of};
use super::setters::Setters;
use super::vertex::PROJECT;
use crate::header::{HeaderValue, header_name};
use crate::key::ApiKey;
use crate::provider::{Auth, Format, Profile};
use crate::url::Url;

/// The provider's base URL: the one that was `set`, otherwise the environment's, otherwise the
/// profile's.
///
/// Ollama's own format is never below `/v1`, where its OpenAI-compatible format is. Other programs
/// read that address from the same variables, so the end is left out.
pub(super) fn address(
    profile: &Profile,
    set: Option<String>,
    allow_plain_http: bool,
    environment: &Environment<'_>,
    setters: Setters,
) -> Result<Url, String> {
    let uri = configured(profile, set, allow_plain_http, environment, setters)?;
    if profile.format == Some(Format::Ollama) {
        let short =
            uri.as_str().trim_end_matches('/').strip_suffix("/v1").and_then(|url| url.parse().ok());
        return Ok(short.unwrap_or(uri));
    }
    Ok(uri)
}

fn configured(
    profile: &Profile,
    set: Option<String>,
    allow_plain_http: bool,
    environment: &Environment<'_>,
    setters: Setters,
) -> Result<Url, String> {
    if let Some(url) = set {
        return base_url::parse(&url, allow_plain_http);
    }
    let usual = profile.id.base_url_variable();
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
            let url = complete_host(&host, &profile.base_url);
            let url = fill_placeholders(profile, &url, environment, setters)?;
            return base_url::parse(&url, allow_plain_http).map_err(|text| named(name, text));
        }
    }
    let url = fill_placeholders(profile, &profile.base_url, environment, setters)?;
    base_url::parse(&url, allow_plain_http)
}

/// Completes a host with the scheme, port and path of `base`. A host with a path is already a whole
/// base URL. A port alone, and an IPv6 address without brackets, are read as Ollama's own client
/// reads them (`Host` in ollama/ollama `envconfig/config.go`).
fn complete_host(host: &str, base: &str) -> String {
    let host = host.trim_end_matches('/');
    // Without a scheme, its client uses TLS for this host alone.
    if host == "ollama.com" {
        return format!("https://{host}");
    }
    let (own_scheme, own_rest) = base.split_once("://").unwrap_or(("https", base));
    let (own_authority, own_path) = own_rest.split_once('/').unwrap_or((own_rest, ""));
    let (scheme, rest) = host.split_once("://").unwrap_or((own_scheme, host));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, own_path));
    let completed;
    let authority = if authority.parse::<Ipv6Addr>().is_ok() {
        completed = format!("[{authority}]");
        &completed
    } else if authority.starts_with(':') {
        let own_host = own_authority.split(':').next().unwrap_or_default();
        completed = format!("{own_host}{authority}");
        &completed
    } else {
        authority
    };
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| {
        !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    });
    let own_port = own_authority.rsplit_once(':').map(|(_, port)| port);
    // A server binds to these addresses; a client cannot connect to them.
    let authority = match authority.strip_prefix("0.0.0.0") {
        Some(port) => format!("127.0.0.1{port}"),
        None => authority.replace("[::]", "[::1]"),
    };
    match own_port.filter(|_| !has_port && !host.contains("://")) {
        Some(port) => format!("{scheme}://{authority}:{port}/{path}"),
        None => format!("{scheme}://{authority}/{path}"),
    }
}

/// A base URL with the values of the variables it names, see [`Profile::base_url`].
fn fill_placeholders(
    profile: &Profile,
    base: &str,
    environment: &Environment<'_>,
    setters: Setters,
) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = base;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((inner, behind)) = after.split_once('}') else { break };
        let (names, default) = match inner.split_once('=') {
            Some((names, default)) => (names, Some(default.to_owned())),
            // Each request fills in its model.
            None if inner == "model" => ("", Some("{model}".to_owned())),
            // The credentials fill in their project.
            None if inner == "project" => ("", Some(PROJECT.to_owned())),
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
                "the address of {} is incomplete; set the environment variable {}, or call {}",
                profile.id,
                alternatives(&others),
                setters.call("base_url", "…"),
            ));
        };
        let value = value.trim_start_matches("https://").trim_end_matches('/');
        filled.extend([before, value]);
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// `A`, `A or B`, or `A, B or C`.
fn alternatives<T: AsRef<str>>(names: &[T]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.as_slice() {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => names.concat(),
    }
}

/// The key that was `set`, otherwise the environment's, and how to send it; `None` for a provider
/// that needs none. An error names where a bad key came from and never shows any of it.
pub(super) fn key(
    profile: &Profile,
    set: Option<ApiKey>,
    environment: &Environment<'_>,
    setters: Setters,
) -> Result<Option<(ApiKey, Auth)>, String> {
    let own = |key| Some((key, profile.auth.clone()));
    let clean_key = |key: &str, source: &str| clean_key(key, source, setters);
    if let Some(key) = set {
        return clean_key(key.expose(), "the API key").map(own);
    }
    for name in &profile.key_variables {
        if let Some(key) = environment.read(name)? {
            return clean_key(&key, &format!("the API key in {name}")).map(own);
        }
    }
    for name in &profile.token_variables {
        if let Some(token) = environment.read(name)? {
            let token = clean_key(&token, &format!("the token in {name}"))?;
            return Ok(Some((token, Auth::Bearer)));
        }
    }
    if profile.key_optional || profile.auth == Auth::None {
        return Ok(None);
    }
    let set = match profile.key_variables.as_slice() {
        [] => String::new(),
        names => format!("set the environment variable {}, or ", alternatives(names)),
    };
    Err(format!(
        "no API key for {}; {set}call {}, or {} if the server needs none",
        profile.id,
        setters.call("api_key", "…"),
        setters.call("without_api_key", ""),
    ))
}

/// The key without what pasting added, if a header can carry it. `source` names the key in errors.
fn clean_key(key: &str, source: &str, setters: Setters) -> Result<ApiKey, String> {
    let advice = "copy the key again from where it was issued";
    let clean =
        |key: &str| cleaned(key).map_err(|stray| format!("{source} contains {stray}; {advice}"));
    let mut key = clean(key)?;
    // People paste it from an example header, and their code may add the scheme a second time.
    while let Some(bare) = without_scheme(&key) {
        key = clean(bare)?;
    }
    if key.is_empty() {
        return Err(format!(
            "{source} is empty; set a key, or call {} if the server needs none",
            setters.call("without_api_key", "")
        ));
    }
    // RFC 9110 section 5.5 allows more, but no provider issues keys with other characters.
    match key.chars().enumerate().find(|(_, char)| !matches!(char, ' '..='~')) {
        None => Ok(ApiKey::from(key)),
        Some((at, char)) => Err(format!(
            "{source} contains {} at character {}, which a header cannot carry; {advice}",
            name_of(char),
            at + 1
        )),
    }
}

/// The key after `Bearer`, or after the name of a header that carries keys.
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

/// The header that carries the key.
pub(super) fn credentials(
    auth: &Auth,
    key: &ApiKey,
) -> Result<Option<(String, HeaderValue)>, String> {
    let (name, value) = match auth {
        Auth::Bearer => ("authorization".to_owned(), format!("Bearer {}", key.expose())),
        Auth::Header(name) => {
            let name = header_name(name)
                .ok_or_else(|| format!("{name:?} is not a valid header name for the API key; correct .auth(…) of the profile"))?;
            (name, key.expose().to_owned())
        }
        Auth::None => return Ok(None),
    };
    let value = HeaderValue::new(value).ok_or_else(|| {
        "the API key contains a character that a header cannot carry; copy the key again from \
         where it was issued"
            .to_owned()
    })?;
    Ok(Some((name, value.secret(true))))
}

#[cfg(test)]
mod tests;
