//! Finds a provider by its base URL.

use crate::wildcard;

/// The host of a URL and the segments of its path.
pub(super) struct Address<'a> {
    host: String,
    path: &'a str,
}

impl<'a> Address<'a> {
    /// Parses only what is needed. `None` if the text is no HTTP URL.
    pub(super) fn new(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.trim().split_once("://")?;
        let web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
        web.then_some(())?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let host = authority.rsplit('@').next().unwrap_or(authority);
        let host = host.split(':').next().unwrap_or(host);
        let path = path.split(['?', '#']).next().unwrap_or(path);
        Some(Self { host: host.to_ascii_lowercase(), path })
    }

    /// Whether it lies below an address such as `*.example.com/v1/*/ai`: the same host, and a path
    /// that begins with the same segments.
    pub(super) fn is_below(&self, pattern: &str) -> bool {
        let (host, path) = pattern.split_once('/').unwrap_or((pattern, ""));
        let mut segments = self.path.split('/').filter(|segment| !segment.is_empty());
        wildcard::matches(host, &self.host)
            && path.split('/').filter(|wanted| !wanted.is_empty()).all(|wanted| {
                segments.next().is_some_and(|segment| wildcard::matches(wanted, segment))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_leading_path_segments_must_match() {
        for (url, pattern, below) in [
            ("https://api.openai.com/v1", "api.openai.com", true),
            ("HTTPS://key@API.OpenAI.com:443/v1?x=/", "api.openai.com", true),
            ("https://api.openai.com.example.org/v1", "api.openai.com", false),
            ("https://example.org/api.openai.com", "api.openai.com", false),
            ("https://example.org?https://api.openai.com", "api.openai.com", false),
            ("api.openai.com", "api.openai.com", false),
            ("https://eu.api.example.com", "*.example.com", true),
            ("https://h/cerebras/v1", "h/cerebras", true),
            ("https://h/cerebras2/v1", "h/cerebras", false),
            ("https://h", "h/cerebras", false),
            ("https://h/a/42/ai/v1", "h/a/*/ai", true),
            ("https://h/a/42/v1/ai", "h/a/*/ai", false),
        ] {
            let found = Address::new(url).is_some_and(|address| address.is_below(pattern));
            assert_eq!(found, below, "{url} {pattern}");
        }
    }
}
