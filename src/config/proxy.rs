//! The HTTP proxy of a client, from its settings or the environment.

use std::fmt;

use super::base_url::{is_loopback, is_reachable};
use super::environment::{Environment, cleaned};
use super::no_proxy;
use crate::url::Url;

/// Which HTTP proxy the client uses.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proxy {
    /// The proxy that the environment names, as for curl and Go: `HTTPS_PROXY` for an `https` base
    /// URL, `HTTP_PROXY` for an `http` one, otherwise `ALL_PROXY`, in upper or lower case. The
    /// default.
    ///
    /// Hosts in `NO_PROXY` and this machine are reached directly. Commas, spaces and line breaks
    /// separate the entries: a host (`example.com`, which includes its subdomains), a suffix
    /// (`.example.com`, `*.example.com`), an address, a network (`10.0.0.0/8`, `fd00::/8`), any of
    /// these with a port (`example.com:8443`), or `*` for every host.
    #[default]
    Environment,
    /// No proxy, whatever the environment says.
    Direct,
    /// The proxy at this URL, for every host: `http://proxy.example:3128`, with `user:password@`
    /// before the host if it needs a login. `https`, `socks4` and `socks5` also work.
    Url(String),
}

impl Proxy {
    /// The proxy for `base`, if any. An error does not show the URL, which may contain a password.
    pub(super) fn resolve(
        &self,
        base: &Url,
        environment: &Environment<'_>,
    ) -> Result<Option<ureq::Proxy>, String> {
        let (url, source) = match self {
            Self::Direct => return Ok(None),
            Self::Url(url) => {
                let url = cleaned(url);
                let url = url.map_err(|stray| format!("the proxy of .proxy(…) contains {stray}; expected a URL such as http://proxy.example:3128"))?;
                (url, "of .proxy(…)".to_owned())
            }
            Self::Environment => match proxy_from_environment(base, environment)? {
                Some((url, variable)) => (url, format!("in {variable}")),
                None => return Ok(None),
            },
        };
        // curl and Go also default to http.
        let url = if url.contains("://") { url } else { format!("http://{url}") };
        match ureq::Proxy::new(&url) {
            Ok(proxy) if proxy.uri().to_string().parse().is_ok_and(|url| is_reachable(&url)) => {
                Ok(Some(proxy))
            }
            _ => Err(format!(
                "the proxy {source} is not a valid URL; expected a URL such as http://proxy.example:3128"
            )),
        }
    }
}

/// The proxy that the environment names for `base`, and the name of the variable.
fn proxy_from_environment(
    base: &Url,
    environment: &Environment<'_>,
) -> Result<Option<(String, String)>, String> {
    // This machine is never behind a proxy.
    if is_loopback(base.host()) {
        return Ok(None);
    }
    let encrypted = base.is_https();
    let own = if encrypted { "HTTPS_PROXY" } else { "HTTP_PROXY" };
    // In a CGI program, HTTP_PROXY is the `Proxy` header of the request it serves, so any visitor
    // could set it (https://httpoxy.org; curl and Go ignore it too).
    let from_request = own == "HTTP_PROXY" && environment.read("REQUEST_METHOD")?.is_some();
    for name in [own, "ALL_PROXY"] {
        for name in [name.to_owned(), name.to_ascii_lowercase()] {
            if name == "HTTP_PROXY" && from_request {
                continue;
            }
            if let Some(url) = environment.read(&name)? {
                return Ok(if is_exempt(base, environment)? { None } else { Some((url, name)) });
            }
        }
    }
    Ok(None)
}

fn is_exempt(base: &Url, environment: &Environment<'_>) -> Result<bool, String> {
    let mut entries = environment.list("NO_PROXY")?;
    if entries.is_empty() {
        entries = environment.list("no_proxy")?;
    }
    Ok(no_proxy::covers(&entries, base))
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "Environment",
            Self::Direct => "Direct",
            // The URL may contain a password.
            Self::Url(_) => "Url([hidden])",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The host and port of the proxy for `url`, given these environment variables.
    fn found(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let environment = Environment::new(|name| {
            let (_, value) = variables.iter().find(|(set, _)| *set == name)?;
            Some((*value).to_owned())
        });
        let proxy = Proxy::Environment.resolve(&url.parse().unwrap(), &environment).unwrap();
        proxy.map(|proxy| format!("{}:{}", proxy.host(), proxy.port()))
    }

    #[test]
    fn the_scheme_of_the_base_url_selects_the_proxy_variable() {
        let both = [("HTTPS_PROXY", "http://secure:1"), ("http_proxy", "http://plain:2")];
        let all = [("ALL_PROXY", "http://all:3")];
        for (variables, url, expected) in [
            (&both[..], "https://example.com", Some("secure:1")),
            (&both, "http://example.com", Some("plain:2")),
            (&both, "http://localhost:8080", None),
            (&all, "https://example.com", Some("all:3")),
            (&[("all_proxy", "http://all:3")], "https://example.com", Some("all:3")),
            (&[("HTTPS_PROXY", " "), ("https_proxy", "a:1")], "https://example.com", Some("a:1")),
            (&[], "https://example.com", None),
            // A web server passes its visitor's header to a CGI program in this variable.
            (&[("HTTP_PROXY", "evil:1"), ("REQUEST_METHOD", "GET")], "http://example.com", None),
            (
                &[("http_proxy", "a:1"), ("REQUEST_METHOD", "GET")],
                "http://example.com",
                Some("a:1"),
            ),
            (
                &[("HTTPS_PROXY", "a:1"), ("REQUEST_METHOD", "GET")],
                "https://example.com",
                Some("a:1"),
            ),
        ] {
            assert_eq!(found(variables, url).as_deref(), expected, "{variables:?} {url}");
        }
        let base = "https://example.com".parse().unwrap();
        let environment = Environment::new(|name| (name == "ALL_PROXY").then_some("http://all:3"));
        assert_eq!(Proxy::Direct.resolve(&base, &environment), Ok(None));
        let given = Proxy::Url("http://given:4".to_owned()).resolve(&base, &environment);
        assert_eq!(given.unwrap().unwrap().host(), "given");
    }

    #[test]
    fn a_proxy_url_is_cleaned_like_every_setting() {
        for value in [
            "http://127.0.0.1:7890",
            " http://127.0.0.1:7890\n",
            "\"http://127.0.0.1:7890\"",
            "‘http://127.0.0.1:7890/’\r\n",
            "\u{feff}http://127.0.0.1:7890",
            "http://127.0.0.1\u{200b}:7890",
            "127.0.0.1:7890",
            "127.0.0.1:7890/",
            "HTTP://127.0.0.1:7890",
        ] {
            for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
                let proxy = found(&[(name, value)], "https://example.com");
                assert_eq!(proxy.as_deref(), Some("127.0.0.1:7890"), "{name} {value:?}");
            }
            let proxy = Proxy::Url(value.to_owned());
            let nothing = Environment::new(|_| None::<String>);
            let proxy = proxy.resolve(&"https://a.b".parse().unwrap(), &nothing).unwrap();
            assert_eq!(proxy.unwrap().port(), 7890, "{value:?}");
        }
    }

    #[test]
    fn no_proxy_may_use_any_common_separator() {
        for (list, url, is_direct) in [
            ("a.b, example.com", "https://example.com", true),
            ("a.b\nexample.com\n", "https://example.com", true),
            ("a.b\r\n\texample.com", "https://example.com", true),
            ("a.b\tc.d 10.0.0.0/8", "https://10.1.2.3", true),
            ("\"a.b,\n 10.0.0.0/8\n\"", "https://10.1.2.3", true),
            ("a.b,\u{200b}fd00::/8", "https://[fd00::1]", true),
            ("“*”", "https://example.com", true),
            ("a.b\tc.d", "https://example.com", false),
            (",.,", "https://example.com", false),
        ] {
            for name in ["NO_PROXY", "no_proxy"] {
                let proxy = found(&[("HTTPS_PROXY", "http://a:1"), (name, list)], url);
                assert_eq!(proxy.is_none(), is_direct, "{name}={list:?} {url}");
            }
        }
    }

    #[test]
    fn a_malformed_proxy_is_an_error_that_hides_its_password() {
        for url in ["http://user:secret@:x", "secret://host", "http://secret:99999", "", "http://"]
        {
            let proxy = Proxy::Url(url.to_owned());
            let nothing = Environment::new(|_| None::<String>);
            let problem = proxy.resolve(&"https://a.b".parse().unwrap(), &nothing).unwrap_err();
            assert!(problem.contains("not a valid URL") && !problem.contains("secret"), "{url}");
            assert!(!format!("{proxy:?}").contains("secret"));
        }
        let broken = "http://user:secret\nhost@proxy:1";
        let environment = Environment::new(|name| (name == "https_proxy").then_some(broken));
        for (proxy, name) in [
            (Proxy::Url(broken.to_owned()), ".proxy(…)"),
            (Proxy::Environment, "the environment variable https_proxy"),
        ] {
            let problem = proxy.resolve(&"https://a.b".parse().unwrap(), &environment);
            let problem = problem.unwrap_err();
            assert!(problem.contains(name) && problem.contains("a line break"), "{problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
