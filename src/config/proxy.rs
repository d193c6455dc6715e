//! Which HTTP proxy a client uses, from its settings or the environment.

use std::fmt;
use ureq::http::Uri;
use ureq::http::uri::Scheme;

use super::base_url::{is_loopback, is_reachable};

/// Which HTTP proxy calls go through.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proxy {
    /// The one the environment names, as other programs understand it:
    /// `HTTPS_PROXY` for an `https` base URL, `HTTP_PROXY` for an `http` one, else
    /// `ALL_PROXY`, in capitals or not; none for a host that `NO_PROXY` lists, nor
    /// for this machine. The default.
    #[default]
    Environment,
    /// None, whatever the environment says.
    Direct,
    /// The one at this URL, for every host: `http://proxy.example:3128`, with
    /// `user:password@` before the host if it asks for that. `https`, `socks4` and
    /// `socks5` work too.
    Url(String),
}

impl Proxy {
    /// The proxy for `base`, if any. `variable` looks up the environment. An error
    /// is what is wrong, without the URL: that may hold a password.
    pub(super) fn resolve(
        &self,
        base: &Uri,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<ureq::Proxy>, String> {
        let (url, source) = match self {
            Self::Direct => return Ok(None),
            Self::Url(url) => (url.clone(), "of .proxy(…)".to_owned()),
            Self::Environment => {
                let either =
                    |name: &str| variable(name).or_else(|| variable(&name.to_ascii_lowercase()));
                let host = base.host().unwrap_or_default();
                let bypassed = either("NO_PROXY").is_some_and(|list| lists(&list, base));
                if bypassed || is_loopback(host) {
                    return Ok(None);
                }
                let encrypted = base.scheme() == Some(&Scheme::HTTPS);
                let own = if encrypted { "HTTPS_PROXY" } else { "HTTP_PROXY" };
                let found = [own, "ALL_PROXY"]
                    .into_iter()
                    .find_map(|name| Some((either(name)?, format!("in {name}"))));
                match found {
                    Some(found) => found,
                    None => return Ok(None),
                }
            }
        };
        match ureq::Proxy::new(&url) {
            Ok(proxy) if is_reachable(proxy.uri()) => Ok(Some(proxy)),
            _ => Err(format!(
                "the proxy {source} is malformed; expected one such as http://proxy.example:3128"
            )),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "Environment",
            Self::Direct => "Direct",
            // It may hold a password.
            Self::Url(_) => "Url([hidden])",
        })
    }
}

/// Whether a `NO_PROXY` list names the host of `base`: by itself, by a domain it
/// lies in (with or without a leading dot or `*.`), with a port of its own, or by
/// `*` for all.
fn lists(list: &str, base: &Uri) -> bool {
    let host = base.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
    let default = if base.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let port = base.port_u16().unwrap_or(default).to_string();
    list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        let entry = entry.trim_start_matches("*.").trim_start_matches('.').to_ascii_lowercase();
        // An IPv6 address has colons of its own.
        let (name, only_port) = match entry.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
            _ => (entry.as_str(), None),
        };
        let name = name.trim_matches(['[', ']']);
        let inside =
            host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        !name.is_empty() && inside && only_port.is_none_or(|only| only == port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_exceptions_is_read_as_others_read_it() {
        for (list, url, expected) in [
            ("example.com", "https://example.com/v1", true),
            ("example.com", "https://api.example.com/v1", true),
            (".example.com", "https://api.example.com", true),
            ("*.example.com", "https://api.example.com", true),
            ("example.com", "https://notexample.com", false),
            ("EXAMPLE.com", "https://api.Example.COM", true),
            ("a.b, example.com", "https://example.com", true),
            ("example.com:443", "https://example.com", true),
            ("example.com:8080", "https://example.com", false),
            ("*", "https://anything.at.all", true),
            ("10.0.0.1", "http://10.0.0.1:8080", true),
            ("::1,fe80::1", "http://[fe80::1]:8080", true),
            ("[fe80::1]:8080", "http://[fe80::1]:8080", true),
            ("", "https://example.com", false),
            (",.,", "https://example.com", false),
        ] {
            assert_eq!(lists(list, &url.parse().unwrap()), expected, "{list} {url}");
        }
    }

    #[test]
    fn the_environment_names_a_proxy_by_scheme() {
        let variables = |name: &str| {
            match name {
                "HTTPS_PROXY" => Some("http://secure:1"),
                "http_proxy" => Some("http://plain:2"),
                "NO_PROXY" => Some("internal"),
                _ => None,
            }
            .map(str::to_owned)
        };
        let all = |name: &str| (name == "ALL_PROXY").then(|| "http://all:3".to_owned());
        let host = |proxy: Result<Option<ureq::Proxy>, String>| {
            proxy.unwrap().map(|proxy| proxy.host().to_owned())
        };
        let environment = |url: &str| Proxy::Environment.resolve(&url.parse().unwrap(), variables);
        assert_eq!(host(environment("https://example.com")).as_deref(), Some("secure"));
        assert_eq!(host(environment("http://example.com")).as_deref(), Some("plain"));
        assert_eq!(host(environment("https://api.internal")), None);
        assert_eq!(host(environment("http://localhost:8080")), None);
        let base = "https://example.com".parse().unwrap();
        assert_eq!(host(Proxy::Environment.resolve(&base, all)).as_deref(), Some("all"));
        assert_eq!(host(Proxy::Direct.resolve(&base, all)), None);
        let given = Proxy::Url("http://given:4".to_owned());
        assert_eq!(host(given.resolve(&base, all)).as_deref(), Some("given"));
    }

    #[test]
    fn a_malformed_proxy_is_an_error_that_hides_its_password() {
        for url in ["http://user:secret@:x", "secret://host", "http://secret:99999", "", "http://"]
        {
            let proxy = Proxy::Url(url.to_owned());
            let problem = proxy.resolve(&"https://a.b".parse().unwrap(), |_| None).unwrap_err();
            assert!(problem.contains("malformed") && !problem.contains("secret"), "{url}");
            assert!(!format!("{proxy:?}").contains("secret"));
        }
    }
}
