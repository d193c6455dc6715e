//! The URL of a server.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// An absolute URL without a fragment (RFC 3986): `scheme://authority/path?query`. A clone shares
/// its text.
///
/// It accepts the same URLs as the `http` crate, because ureq opens the connections. These may have
/// braces and characters beyond ASCII in their paths and queries.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Url {
    text: Arc<str>,
    /// Where the authority ends, and the path starts.
    path: usize,
    /// Where the path ends.
    path_end: usize,
}

/// Why a text is not an absolute URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InvalidUrl(&'static str);

/// The longest URL, in bytes.
const LONGEST: usize = 65_534;

/// The longest scheme, in bytes.
const LONGEST_SCHEME: usize = 64;

const SEPARATOR: &str = "://";

impl Url {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    fn part(&self, start: usize, end: usize) -> &str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The scheme; `http` and `https` are in lower case.
    pub(crate) fn scheme(&self) -> &str {
        self.text.split(':').next().unwrap_or_default()
    }

    pub(crate) fn is_https(&self) -> bool {
        self.scheme() == "https"
    }

    /// The host and port, with the user's name if the URL has one.
    pub(crate) fn authority(&self) -> &str {
        self.part(self.scheme().len() + SEPARATOR.len(), self.path)
    }

    /// Whether it has a user's name.
    pub(crate) fn has_user(&self) -> bool {
        // A scheme has no such character.
        self.part(0, self.path).contains('@')
    }

    /// The host. An IPv6 address has its brackets.
    pub(crate) fn host(&self) -> &str {
        let authority = self.authority();
        let host = authority.rsplit('@').next().unwrap_or_default();
        match host.find(']').filter(|_| host.starts_with('[')) {
            Some(end) => &host[..=end],
            None => host.split(':').next().unwrap_or_default(),
        }
    }

    /// The port, if the URL has a valid one.
    pub(crate) fn port(&self) -> Option<u16> {
        let (_, port) = self.authority().rsplit_once(':')?;
        port.parse().ok()
    }

    /// The port, or the scheme's default.
    pub(crate) fn effective_port(&self) -> u16 {
        self.port().unwrap_or(self.default_port())
    }

    /// The default port of the scheme.
    pub(crate) fn default_port(&self) -> u16 {
        if self.is_https() { 443 } else { 80 }
    }

    /// The path; at least `/`.
    pub(crate) fn path(&self) -> &str {
        self.part(self.path, self.path_end)
    }

    pub(crate) fn query(&self) -> Option<&str> {
        self.text.get(self.path_end + 1..)
    }

    /// The path and the query.
    pub(crate) fn target(&self) -> &str {
        self.part(self.path, self.text.len())
    }

    /// Returns the URL of the same server with another path, and with a query if `target` has one.
    pub(crate) fn with_target(&self, target: &str) -> Result<Self, InvalidUrl> {
        if !target.is_empty() && !target.starts_with(['/', '?', '#']) {
            return Err(InvalidUrl("the path does not start with a slash"));
        }
        format!("{}{target}", self.part(0, self.path)).parse()
    }
}

impl FromStr for Url {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        if text.len() > LONGEST {
            return Err(InvalidUrl("the URL is too long"));
        }
        let (scheme, rest) =
            text.split_once(SEPARATOR).ok_or(InvalidUrl("the URL has no scheme"))?;
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if scheme.is_empty() || scheme.len() > LONGEST_SCHEME || !scheme.bytes().all(is_fit) {
            return Err(InvalidUrl("the URL's scheme is not valid"));
        }
        let known = ["http", "https"].into_iter().find(|known| known.eq_ignore_ascii_case(scheme));
        let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        check_authority(authority)?;
        let target = target.split('#').next().unwrap_or_default();
        let path_length = target.find('?').unwrap_or(target.len());
        let (path, query) = target.split_at(path_length);
        if !path.bytes().all(is_path) || !query.bytes().all(is_query) {
            return Err(InvalidUrl("the URL has an invalid character"));
        }
        let path = if path.is_empty() { "/" } else { path };
        let start = [known.unwrap_or(scheme), SEPARATOR, authority].concat();
        let text = [&start, path, query].concat();
        Ok(Self { text: text.into(), path: start.len(), path_end: start.len() + path.len() })
    }
}

/// Checks an authority (RFC 3986 section 3.2): user information, host and port.
fn check_authority(authority: &str) -> Result<(), InvalidUrl> {
    let wrong = Err(InvalidUrl("the URL has no valid host"));
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"!$&'()*+,-.:;=@[]_~%".contains(&byte);
    if !authority.bytes().all(is_fit) {
        return Err(InvalidUrl("the URL has an invalid character"));
    }
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if host.is_empty() || user.contains(['[', ']']) {
        return wrong;
    }
    let port = match host.split_once(']') {
        // An IPv6 address has colons, and can have a zone behind a percent sign.
        Some((address, port)) if address.starts_with('[') => {
            let is_address = !address[1..].contains('[') && address.matches(':').count() <= 8;
            if !is_address || port.contains(['[', ']']) {
                return wrong;
            }
            port
        }
        Some(_) => return wrong,
        None if host.contains('[') => return wrong,
        None => host,
    };
    if port.matches(':').count() > 1 || port.contains('%') {
        return wrong;
    }
    Ok(())
}

/// Returns true if a path may contain the byte: one that needs no percent-encoding there, or one
/// that is often sent without it.
fn is_path(byte: u8) -> bool {
    matches!(byte, b'!' | b'$'..=b';' | b'=' | b'@'..=b'_' | b'a'..=b'z' | b'|' | b'~' | 0x80..)
        || matches!(byte, b'"' | b'{' | b'}')
}

/// Returns true if a query, with its question mark, may contain the byte.
fn is_query(byte: u8) -> bool {
    matches!(byte, b'!' | b'$'..=b';' | b'=' | b'?'..=b'~' | 0x80..)
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Hides the query, which can contain a key, and user information.
impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port().map(|port| format!(":{port}")).unwrap_or_default();
        write!(f, "{}://{}{port}{}", self.scheme(), self.host(), self.path())
    }
}

#[cfg(test)]
impl PartialEq<&str> for Url {
    fn eq(&self, text: &&str) -> bool {
        text.parse().as_ref() == Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::Uri;

    const URLS: &[&str] = &[
        "https://api.openai.com/v1",
        "HTTP://localhost:8080",
        "http://localhost:8080/",
        "http://[::1]:8080/v1",
        "http://[::1]",
        "http://[fe80::1%25en0]/",
        "http://[[::1]]/",
        "http://::1/",
        "http://]a[/",
        "http://a]/",
        "http://[a]b/",
        "http://u:p@a.b:80/c?d=e",
        "http://u@/",
        "http://@a/",
        "http://a@b@c/",
        "http://u%40:p%@a/",
        "http://a%20b/",
        "http://a:b/",
        "http://a:/",
        "http://:80/",
        "http://a:99999/",
        "http://a:1:2/",
        "http://a?b",
        "http://a?b?c/d",
        "http://a#b",
        "http://a/b#c?d",
        "http://a/b?c#d",
        "http://a//b",
        "http://a/{model}/\"|~`",
        "http://a/`",
        "http://a/é?é",
        "http://é/",
        "http://a/b c",
        "http://a/?b c",
        "http://a/?{b}|`^<>",
        "http://a/?<",
        "http://a/<",
        "http://a/\u{7f}?\u{7f}",
        "http://a/\n",
        "ftp://a.b/c",
        "a+b-c.1://d",
        "http:///a",
        "http://",
        "http:",
        "http:/a",
        "/a",
        "a",
        "",
        "1a://b",
        "a_b://c",
        "http://a\\b/",
        "http://a/b\\c",
    ];

    /// Checks that both accept a text as a URL, with the same parts, or that neither does.
    fn agree(text: &str) {
        let uri = text.parse::<Uri>().ok().filter(|uri| uri.scheme().is_some());
        match (text.parse::<Url>(), uri) {
            (Ok(url), Some(uri)) => {
                assert_eq!(url.as_str(), uri.to_string(), "{text}");
                assert_eq!(Some(url.scheme()), uri.scheme_str(), "{text}");
                assert_eq!(Some(url.authority()), uri.authority().map(|it| it.as_str()), "{text}");
                assert_eq!(Some(url.host()), uri.host(), "{text}");
                assert_eq!(url.port(), uri.port_u16(), "{text}");
                assert_eq!((url.path(), url.query()), (uri.path(), uri.query()), "{text}");
            }
            (Err(_), None) => {}
            // ureq also accepts brackets that do not enclose an address.
            (Err(_), Some(_)) if text.contains('[') => {}
            (url, uri) => panic!("{text:?}: {url:?}, {uri:?}"),
        }
    }

    #[test]
    fn a_url_is_what_ureq_accepts() {
        URLS.iter().for_each(|url| agree(url));
        // Except for one without a scheme.
        assert!("://a".parse::<Url>().is_err());
        agree(&format!("{}://a", "a".repeat(LONGEST_SCHEME)));
        agree(&format!("{}://a", "a".repeat(LONGEST_SCHEME + 1)));
        agree(&format!("http://a/{}", "a".repeat(LONGEST - 9)));
        agree(&format!("http://a/{}", "a".repeat(LONGEST - 8)));
    }

    #[test]
    fn a_url_is_what_ureq_accepts_whatever_its_bytes() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..50_000 {
            let start = random.choice(["http://", "https://a.b", "http://[::1]", "x"]).unwrap();
            let rest = (0..random.usize(..8)).map(|_| char::from(random.u8(0x20..0x80)));
            let rest: String = rest.collect();
            agree(&format!("{start}{rest}"));
            let marks: String = (0..random.usize(..6))
                .map(|_| char::from(*random.choice(b"[]:@%/?#a1").unwrap()))
                .collect();
            agree(&format!("{start}{marks}"));
        }
    }

    #[test]
    fn another_target_keeps_the_server() {
        let url: Url = "https://a.b:8443/v1?c=d".parse().unwrap();
        for (target, expected) in [
            ("/v2/x", "https://a.b:8443/v2/x"),
            ("?e", "https://a.b:8443/?e"),
            ("", "https://a.b:8443/"),
        ] {
            assert_eq!(url.with_target(target).unwrap().as_str(), expected);
        }
        for target in ["x", "@evil.test/", ":1", "/a b", "/\n"] {
            assert!(url.with_target(target).is_err(), "{target}");
        }
        assert_eq!((url.target(), url.effective_port()), ("/v1?c=d", 8443));
    }

    #[test]
    fn debug_hides_query_and_user() {
        let url: Url = "https://user:secret@a.b:1/v1?key=secret".parse().unwrap();
        assert_eq!(format!("{url:?}"), "https://a.b:1/v1");
    }
}
