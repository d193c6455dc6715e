//! Parses and checks base URLs, and finds the secrets in their queries.

use std::net::IpAddr;

use super::environment::cleaned;
use crate::url::Url;

/// Parses a base URL and removes its trailing slash. The error says what is wrong with it.
pub(super) fn parse(url: &str, allow_plain_http: bool) -> Result<Url, String> {
    // Errors never show the URL: it may be a key pasted into the wrong place.
    const EXAMPLE: &str = "expected a URL such as https://api.openai.com/v1";
    let url =
        &*cleaned(url).map_err(|stray| format!("the base URL contains {stray}; {EXAMPLE}"))?;
    if !url.contains("://") {
        return Err(format!("the base URL does not start with http:// or https://; {EXAMPLE}"));
    }
    let shortened = url.trim_end_matches('/');
    if !shortened.contains("://") {
        return Err(format!("the base URL has no host; {EXAMPLE}"));
    }
    let uri: Url =
        shortened.parse().map_err(|_| format!("the base URL is not a valid URL; {EXAMPLE}"))?;
    let host = uri.host();
    if host.is_empty() {
        return Err(format!("the base URL has no host; {EXAMPLE}"));
    }
    if uri.authority().contains('@') {
        return Err(
            "the base URL contains a user name or password; pass the key to .api_key(…) instead"
                .to_owned(),
        );
    }
    if !is_reachable(&uri) {
        return Err(
            "the base URL's port is not a number from 1 to 65535; correct or remove it".to_owned()
        );
    }
    match uri.scheme() {
        "https" => {}
        "http" if allow_plain_http || is_loopback(host) => {}
        "http" => {
            return Err(format!(
                "plain http to {host} would send the key and prompts unencrypted; use https, or \
                 call .allow_plain_http(true)"
            ));
        }
        other => {
            return Err(format!("the base URL's scheme is {other:?}; use http or https"));
        }
    }
    if url.contains('#') {
        return Err("the base URL has a fragment (#…); remove it".to_owned());
    }
    Ok(uri)
}

/// Query parameters whose values are not secret, such as Azure's `api-version`.
const HARMLESS: &[&str] = &["alt", "api-version", "api_version", "beta", "model", "version"];

/// Calls `take` with every value in the base URL's query that may be a secret. Any value may be a
/// key, unless the parameter's name is known to be harmless. Values are decoded first.
pub(crate) fn query_secrets(base: Option<&Url>, mut take: impl FnMut(&str)) {
    let query = base.and_then(Url::query).unwrap_or_default();
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or(("", parameter));
        if !HARMLESS.contains(&&*name.to_ascii_lowercase()) {
            take(&percent_decoded(value));
        }
    }
}

/// Decodes percent-encoding (RFC 3986 section 2.1). Anything that is not a valid escape stays as it
/// is.
fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let escape = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = escape.filter(|_| *first == b'%');
        match byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                rest = &behind[2..];
            }
            None => {
                decoded.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The scheme, host, port and path of a base URL, without the query: it may contain a key.
pub(crate) fn shown(base: &Url) -> String {
    let port = base.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", base.scheme(), base.host(), base.path())
}

/// Whether a URL names a host and, if it names a port, a valid one. Code that reads the URL would
/// take an unreadable port for the default one.
pub(super) fn is_reachable(url: &Url) -> bool {
    let (host, authority) = (url.host(), url.authority());
    let address = authority.rsplit_once('@').map_or(authority, |(_, rest)| rest);
    let port = address.strip_prefix(host).and_then(|rest| rest.strip_prefix(':'));
    !host.is_empty() && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// Whether a URL's host is this machine (RFC 6761 section 6.3).
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for host in ["localhost", "LocalHost", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["example.com", "10.0.0.1", "192.168.0.1", "0.0.0.0", "[::]", "localhost.x"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_query_is_treated_as_secret_and_not_shown() {
        for (url, secrets, shown) in [
            ("https://api.test/v1?api-version=2024-10-21", &[][..], "https://api.test/v1"),
            (
                "http://[::1]:8080/a/b?key=x%2Fy&API-Version=1&z",
                &["x/y", "z"],
                "http://[::1]:8080/a/b",
            ),
            ("https://api.test?%41=%zz%2&=b", &["%zz%2", "b"], "https://api.test/"),
            ("https://api.test", &[""], "https://api.test/"),
        ] {
            let base: Url = url.parse().unwrap();
            let mut found = Vec::new();
            query_secrets(Some(&base), |secret| found.push(secret.to_owned()));
            assert_eq!(found, secrets, "{url}");
            assert_eq!(super::shown(&base), shown);
        }
    }

    #[test]
    fn a_base_url_is_accepted_or_refused_with_the_reason() {
        for (url, allowed, expected) in [
            ("https://api.openai.com/v1", false, Ok("https://api.openai.com/v1")),
            (" https://api.openai.com/v1/ ", false, Ok("https://api.openai.com/v1")),
            ("\u{feff}“https://api.openai.com/v1”\r\n", false, Ok("https://api.openai.com/v1")),
            ("https://a.b/v1\nhttps://c.d", false, Err("a line break at character 15")),
            ("http://[::1]:8080/v1", false, Ok("http://[::1]:8080/v1")),
            ("http://10.0.0.1", true, Ok("http://10.0.0.1/")),
            ("http://10.0.0.1", false, Err("plain http to 10.0.0.1")),
            ("http://localhost.example.com", false, Err("plain http to localhost.example.com")),
            ("nonsense", false, Err("does not start with http:// or https://")),
            ("localhost:8000/v1", false, Err("does not start with")),
            ("http://", false, Err("has no host")),
            ("https://a b/v1", false, Err("is not a valid URL")),
            ("", false, Err("does not start with")),
            ("ftp://example.com", false, Err("use http or https")),
            ("https://u:p@example.com/v1", false, Err("contains a user name or password")),
            ("https://example.com/v1?a=b", false, Ok("https://example.com/v1?a=b")),
            ("https://example.com/v1#a", false, Err("has a fragment")),
            ("https://example.com:80a/v1", false, Err("port is not a number")),
            ("https://example.com:99999/v1", false, Err("port is not a number")),
            ("https://example.com:/v1", false, Err("port is not a number")),
            ("https://example.com:0/v1", false, Err("port is not a number")),
            ("http://[::1]", false, Ok("http://[::1]/")),
        ] {
            match (parse(url, allowed), expected) {
                (Ok(uri), Ok(expected)) => assert_eq!(uri, expected),
                (Err(problem), Err(expected)) => {
                    assert!(problem.contains(expected), "{url}: {problem}");
                }
                (got, expected) => panic!("{url}: {got:?}, expected {expected:?}"),
            }
        }
    }
}
