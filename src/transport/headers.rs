use std::fmt;
use std::sync::Arc;
use ureq::http::HeaderMap;

/// The headers of a request: those that may be seen in a log, and those that hold
/// keys.
pub(crate) struct Headers {
    open: HeaderMap,
    /// As they stand on the wire.
    private: Arc<[u8]>,
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
        for name in names {
            headers.remove(name);
        }
        Self { open: headers, private: private.into() }
    }

    /// What ureq may see.
    pub(super) fn open(&self) -> &HeaderMap {
        &self.open
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
    use ureq::http::HeaderValue;

    #[test]
    fn what_is_sensitive_is_kept_apart() {
        let mut headers = HeaderMap::new();
        headers.insert("accept", HeaderValue::from_static("x/y"));
        let mut key = HeaderValue::from_static("Bearer secret");
        key.set_sensitive(true);
        headers.insert("authorization", key);
        let headers = Headers::new(headers);
        assert_eq!(headers.open().len(), 1);
        assert_eq!(&**headers.private(), b"authorization: Bearer secret\r\n");
        // Neither as text nor byte by byte.
        let shown = format!("{headers:?}");
        assert!(!shown.contains("secret") && !shown.contains("115"), "{shown}");
    }
}
