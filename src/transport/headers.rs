use std::fmt;
use std::sync::Arc;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};

use super::Outgoing;

/// Which attempt of a call a request is, counted from 0, as the official SDKs say it
/// (openai-python and anthropic-sdk-python, `_base_client.py`).
const RETRY_COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");

/// draft-ietf-httpapi-idempotency-key-header.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The headers of a request: those that may be seen in a log, and those that hold
/// keys.
pub(crate) struct Headers {
    open: HeaderMap,
    /// As they stand on the wire.
    private: Arc<[u8]>,
    private_names: Vec<HeaderName>,
}

impl Headers {
    /// Tells them apart by their [sensitivity](ureq::http::HeaderValue::is_sensitive).
    pub(crate) fn new(mut headers: HeaderMap) -> Self {
        let mut private = Vec::new();
        let names: Vec<_> = headers
            .iter()
            .filter(|(_, value)| value.is_sensitive())
            .map(|(name, value)| {
                for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                    private.extend_from_slice(part);
                }
                name.clone()
            })
            .collect();
        for name in &names {
            headers.remove(name);
        }
        Self { open: headers, private: private.into(), private_names: names }
    }

    /// What ureq may see. A header set by hand goes before one of ours.
    pub(super) fn write(&self, request: &Outgoing<'_>, headers: &mut HeaderMap) {
        headers.clone_from(&self.open);
        let retries = (RETRY_COUNT, HeaderValue::from(request.retries));
        let key = request.idempotency_key.map(|key| (IDEMPOTENCY_KEY, key.clone()));
        for (name, value) in [Some(retries), key].into_iter().flatten() {
            if !self.private_names.contains(&name) {
                headers.entry(name).or_insert(value);
            }
        }
    }

    /// What it may not, as it stands on the wire.
    pub(super) fn private(&self) -> &Arc<[u8]> {
        &self.private
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headers").field("open", &self.open).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::Uri;

    #[test]
    fn what_is_sensitive_is_kept_apart() {
        let mut headers = HeaderMap::new();
        headers.insert("accept", HeaderValue::from_static("x/y"));
        let mut key = HeaderValue::from_static("Bearer secret");
        key.set_sensitive(true);
        headers.insert("authorization", key);
        let headers = Headers::new(headers);
        assert_eq!(headers.open.len(), 1);
        assert_eq!(&**headers.private(), b"authorization: Bearer secret\r\n");
        // Neither as text nor byte by byte.
        let shown = format!("{headers:?}");
        assert!(!shown.contains("secret") && !shown.contains("115"), "{shown}");
    }

    #[test]
    fn a_request_says_which_attempt_it_is() {
        let key = HeaderValue::from_static("k-1");
        let mut written = HeaderMap::new();
        let mut set = HeaderMap::new();
        let request = |headers, retries, idempotency_key, written: &mut HeaderMap| {
            let uri = Uri::from_static("http://localhost");
            let body = b"";
            let probe = false;
            let request = Outgoing { uri: &uri, headers, retries, idempotency_key, probe, body };
            headers.write(&request, written);
        };
        let plain = Headers::new(HeaderMap::new());
        request(&plain, 2, Some(&key), &mut written);
        assert_eq!(written["x-stainless-retry-count"], "2");
        assert_eq!(written["idempotency-key"], "k-1");
        set.insert("x-stainless-retry-count", HeaderValue::from_static("mine"));
        let mut private = HeaderValue::from_static("mine, too");
        private.set_sensitive(true);
        set.insert("idempotency-key", private);
        let own = Headers::new(set);
        request(&own, 0, Some(&key), &mut written);
        assert_eq!(written["x-stainless-retry-count"], "mine");
        assert!(!written.contains_key("idempotency-key"));
    }
}
