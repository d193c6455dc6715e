//! The headers of every request of a client.

use std::fmt;
use std::ops::Range;

use super::http::{end_head, start_head, write_header, write_number};
use super::{Method, Outgoing};
use crate::header::{HeaderList, HeaderValue};
use crate::url::Url;
use crate::wire::anthropic;

/// The number of the attempt, counted from 0, as the official SDKs send it (openai-python and
/// anthropic-sdk-python, `_base_client.py`).
const RETRY_COUNT: &str = "x-stainless-retry-count";

const CONTENT_TYPE: &str = "content-type";

/// draft-ietf-httpapi-idempotency-key-header.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The headers of every request of a client. They are formatted only once.
pub(crate) struct Headers {
    /// Formatted for the wire.
    written: Vec<u8>,
    /// Where the `content-type` is in it.
    content_type: Range<usize>,
    names: Vec<String>,
    /// Whether the number of the attempt is ours to send.
    counts_retries: bool,
    host: String,
}

impl Headers {
    /// The client's own headers for requests to `base`, and this crate's defaults where it sets
    /// none.
    pub(crate) fn new(mut headers: HeaderList, base: &Url) -> Self {
        let agent = concat!("tollgate/", env!("CARGO_PKG_VERSION"));
        let ours = [
            ("accept", "application/json"),
            // Without it, the server may choose any encoding (RFC 9110 section 12.5.3).
            ("accept-encoding", "identity"),
            ("user-agent", agent),
        ];
        for (name, ours) in ours {
            if headers.get(name).is_none() {
                headers.extend(HeaderValue::new(ours).map(|ours| (name, ours)));
            }
        }
        let mut written = Vec::new();
        let mut content_type = 0..0;
        for (name, value) in headers.iter() {
            let start = written.len();
            write_header(&mut written, name, value.as_str().as_bytes());
            if name == CONTENT_TYPE {
                content_type = start..written.len();
            }
        }
        Self {
            written,
            content_type,
            names: headers.iter().map(|(name, _)| name.to_owned()).collect(),
            counts_retries: headers.get(RETRY_COUNT).is_none(),
            host: host(base),
        }
    }

    /// The head of a request. A header set by hand replaces one of ours.
    pub(super) fn head(&self, request: &Outgoing<'_>) -> Vec<u8> {
        let mut head = Vec::with_capacity(self.written.len() + 512);
        let (method, target) = (request.method.as_str(), request.uri.target());
        start_head(&mut head, method, target, self.host.as_bytes());
        match request.content_type {
            None => head.extend_from_slice(&self.written),
            Some(own) => {
                head.extend_from_slice(&self.written[..self.content_type.start]);
                write_header(&mut head, CONTENT_TYPE, own.as_str().as_bytes());
                head.extend_from_slice(&self.written[self.content_type.end..]);
            }
        }
        if self.counts_retries {
            write_number(&mut head, RETRY_COUNT, request.retries as usize);
        }
        let ours = [(IDEMPOTENCY_KEY, request.idempotency_key), (anthropic::BETAS, request.betas)];
        let ours = ours.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let credentials = request.credentials.iter().map(|(name, value)| (name.as_str(), value));
        for (name, value) in ours.chain(credentials) {
            if !self.names.iter().any(|known| known == name) {
                write_header(&mut head, name, value.as_str().as_bytes());
            }
        }
        let has_body = request.method != Method::Get;
        end_head(&mut head, has_body.then_some(request.body.len()));
        head
    }
}

/// The `host` of requests to a URL, with the port unless it is the scheme's default (RFC 9110
/// section 7.2).
fn host(base: &Url) -> String {
    match base.port().filter(|port| *port != base.default_port()) {
        Some(port) => format!("{}:{port}", base.host()),
        None => base.host().to_owned(),
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
        let uri = LOCALHOST.parse().unwrap();
        let body = b"";
        let request = Outgoing {
            provider: &Provider::OPENAI,
            method: Method::Post,
            uri: &uri,
            headers,
            credentials: &[],
            retries,
            idempotency_key: key,
            betas: None,
            content_type: None,
            body,
        };
        let head = String::from_utf8(headers.head(&request)).unwrap();
        let lines = head.strip_prefix("POST / HTTP/1.1\r\nhost: localhost\r\n").unwrap();
        lines.strip_suffix("content-length: 0\r\n\r\n").unwrap().to_owned()
    }

    #[test]
    fn header_values_are_sent_but_never_shown() {
        let mut set = HeaderList::default();
        set.set("accept", HeaderValue::new("x/y").unwrap());
        set.set("authorization", HeaderValue::new("Bearer secret").unwrap());
        let headers = Headers::new(set, &LOCALHOST.parse().unwrap());
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
        let key = HeaderValue::new("k-1").unwrap();
        let localhost = LOCALHOST.parse().unwrap();
        let plain = written(&Headers::new(HeaderList::default(), &localhost), 2, Some(&key));
        assert!(plain.ends_with("x-stainless-retry-count: 2\r\nidempotency-key: k-1\r\n"));
        let mut set = HeaderList::default();
        set.set("x-stainless-retry-count", HeaderValue::new("mine").unwrap());
        set.set("idempotency-key", HeaderValue::new("mine, too").unwrap());
        let own = written(&Headers::new(set, &localhost), 0, Some(&key));
        assert_eq!(own.matches("x-stainless-retry-count").count(), 1, "{own}");
        assert_eq!(own.matches("idempotency-key").count(), 1, "{own}");
        assert!(own.contains("x-stainless-retry-count: mine\r\n"), "{own}");
    }

    #[test]
    fn an_upload_replaces_the_content_type() {
        let mut set = HeaderList::default();
        set.set("accept", HeaderValue::new("x/y").unwrap());
        set.set("content-type", HeaderValue::new("application/json").unwrap());
        set.set("x-own", HeaderValue::new("1").unwrap());
        let headers = Headers::new(set, &LOCALHOST.parse().unwrap());
        let own = HeaderValue::new("multipart/form-data; boundary=b").unwrap();
        let uri = LOCALHOST.parse().unwrap();
        let request = Outgoing {
            provider: &Provider::OPENAI,
            method: Method::Post,
            uri: &uri,
            headers: &headers,
            credentials: &[],
            retries: 0,
            idempotency_key: None,
            betas: None,
            content_type: Some(&own),
            body: b"",
        };
        let head = String::from_utf8(headers.head(&request)).unwrap();
        assert_eq!(head.matches("content-type").count(), 1, "{head}");
        let expected =
            "accept: x/y\r\ncontent-type: multipart/form-data; boundary=b\r\nx-own: 1\r\n";
        assert!(head.contains(expected), "{head}");
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
