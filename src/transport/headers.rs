//! The headers of every request of a client.

use std::fmt;
use ureq::http::header::{ACCEPT, ACCEPT_ENCODING, Entry, USER_AGENT};
use ureq::http::uri::PathAndQuery;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::Outgoing;
use super::http::{end_head, start_head, write_header, write_number};
use super::open::has_default_port;
use crate::wire::anthropic;

/// The number of the attempt, counted from 0, as the official SDKs send it (openai-python and
/// anthropic-sdk-python, `_base_client.py`).
const RETRY_COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");

/// draft-ietf-httpapi-idempotency-key-header.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

const BETAS: HeaderName = HeaderName::from_static(anthropic::BETAS);

/// The headers of every request of a client. They are formatted only once.
pub(crate) struct Headers {
    /// Formatted for the wire.
    written: Vec<u8>,
    names: Vec<HeaderName>,
    host: String,
}

impl Headers {
    /// The client's own headers for requests to `base`, and this crate's defaults where it sets
    /// none.
    pub(crate) fn new(mut headers: HeaderMap, base: &Uri) -> Self {
        let agent = concat!("tollgate/", env!("CARGO_PKG_VERSION"));
        let ours = [
            (ACCEPT, "application/json"),
            // Without it, the server may choose any encoding (RFC 9110 section 12.5.3).
            (ACCEPT_ENCODING, "identity"),
            (USER_AGENT, agent),
        ];
        for (name, ours) in ours {
            if let Entry::Vacant(place) = headers.entry(name) {
                place.insert(HeaderValue::from_static(ours));
            }
        }
        let mut written = Vec::new();
        for (name, value) in &headers {
            write_header(&mut written, name.as_str(), value.as_bytes());
        }
        Self {
            written,
            names: headers.into_iter().filter_map(|(name, _)| name).collect(),
            host: host(base),
        }
    }

    /// The head of a request. A header set by hand replaces one of ours.
    pub(super) fn head(&self, request: &Outgoing<'_>) -> Vec<u8> {
        let mut head = Vec::with_capacity(self.written.len() + 512);
        let target = request.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        start_head(&mut head, request.method.as_str(), target, self.host.as_bytes());
        head.extend_from_slice(&self.written);
        if !self.names.contains(&RETRY_COUNT) {
            write_number(&mut head, RETRY_COUNT.as_str(), request.retries as usize);
        }
        let ours = [(&IDEMPOTENCY_KEY, request.idempotency_key), (&BETAS, request.betas)];
        let ours = ours.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let credentials = request.credentials.iter().map(|(name, value)| (name, value));
        for (name, value) in ours.chain(credentials) {
            if !self.names.contains(name) {
                write_header(&mut head, name.as_str(), value.as_bytes());
            }
        }
        let has_body = request.method != Method::GET;
        end_head(&mut head, has_body.then_some(request.body.len()));
        head
    }
}

/// The `host` of requests to a URL, with the port unless it is the scheme's default (RFC 9110
/// section 7.2).
fn host(base: &Uri) -> String {
    let host = base.host().unwrap_or_default();
    match base.port_u16().filter(|_| !has_default_port(base)) {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headers").field("names", &self.names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Provider;

    const LOCALHOST: &str = "http://localhost";

    fn written(headers: &Headers, retries: u32, key: Option<&HeaderValue>) -> String {
        let uri = Uri::from_static(LOCALHOST);
        let body = b"";
        let request = Outgoing {
            provider: &Provider::OPENAI,
            method: &ureq::http::Method::POST,
            uri: &uri,
            headers,
            credentials: &[],
            retries,
            idempotency_key: key,
            betas: None,
            body,
        };
        let head = String::from_utf8(headers.head(&request)).unwrap();
        let lines = head.strip_prefix("POST / HTTP/1.1\r\nhost: localhost\r\n").unwrap();
        lines.strip_suffix("content-length: 0\r\n\r\n").unwrap().to_owned()
    }

    #[test]
    fn header_values_are_sent_but_never_shown() {
        let mut set = HeaderMap::new();
        set.insert("accept", HeaderValue::from_static("x/y"));
        set.insert("authorization", HeaderValue::from_static("Bearer secret"));
        let headers = Headers::new(set, &Uri::from_static(LOCALHOST));
        let agent = format!("user-agent: tollgate/{}\r\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(
            written(&headers, 0, None),
            format!(
                "accept: x/y\r\nauthorization: Bearer secret\r\naccept-encoding: identity\r\n\
                 {agent}x-stainless-retry-count: 0\r\n"
            )
        );
        // Neither as text nor byte by byte.
        let shown = format!("{headers:?}");
        assert!(!shown.contains("secret") && !shown.contains("115"), "{shown}");
    }

    #[test]
    fn a_request_carries_the_number_of_its_attempt() {
        let key = HeaderValue::from_static("k-1");
        let localhost = Uri::from_static(LOCALHOST);
        let plain = written(&Headers::new(HeaderMap::new(), &localhost), 2, Some(&key));
        assert!(plain.ends_with("x-stainless-retry-count: 2\r\nidempotency-key: k-1\r\n"));
        let mut set = HeaderMap::new();
        set.insert("x-stainless-retry-count", HeaderValue::from_static("mine"));
        set.insert("idempotency-key", HeaderValue::from_static("mine, too"));
        let own = written(&Headers::new(set, &localhost), 0, Some(&key));
        assert_eq!(own.matches("x-stainless-retry-count").count(), 1, "{own}");
        assert_eq!(own.matches("idempotency-key").count(), 1, "{own}");
        assert!(own.contains("x-stainless-retry-count: mine\r\n"), "{own}");
    }

    #[test]
    fn the_host_has_its_port_unless_it_is_the_default() {
        for (base, expected) in [
            ("http://localhost/v1", "localhost"),
            ("http://localhost:80/v1", "localhost"),
            ("https://api.example.com:443", "api.example.com"),
            ("http://localhost:443", "localhost:443"),
            ("https://[::1]:8443/v1", "[::1]:8443"),
        ] {
            let host = host(&base.parse().unwrap());
            assert_eq!(host, expected);
        }
    }
}
