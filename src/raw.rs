//! Requests to endpoints the crate does not model.

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::answer_source::AnswerSource;
use crate::cancel::CancelToken;
use crate::chat::Provider;
use crate::error::{Attempt, Error, ErrorKind, RateLimit};

/// A request to any endpoint of a provider, for [`Client::send`](crate::Client::send).
///
/// ```
/// use serde_json::json;
/// use std::time::Duration;
/// use tollgate::RawRequest;
///
/// let list = RawRequest::get("/models").timeout(Duration::from_secs(10));
/// let image = RawRequest::post("/images/generations", json!({"prompt": "a cat"}))
///     .provider("openai")
///     .tag("feature", "avatars");
/// # let _ = (list, image);
/// ```
#[derive(Clone)]
#[must_use]
pub struct RawRequest {
    pub(crate) path: String,
    /// `None` for `GET`.
    pub(crate) body: Option<Value>,
    pub(crate) provider: Option<Provider>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) cancel_token: Option<CancelToken>,
    pub(crate) idempotency_key: Option<String>,
}

impl RawRequest {
    /// A `GET` of a path below the provider's base URL, such as `/models`. The path may have a
    /// query.
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            body: None,
            provider: None,
            tags: BTreeMap::new(),
            timeout: None,
            cancel_token: None,
            idempotency_key: None,
        }
    }

    /// A `POST` of JSON to a path below the provider's base URL, such as
    /// `/images/generations`.
    pub fn post(path: impl Into<String>, body: impl Into<Value>) -> Self {
        Self { body: Some(body.into()), ..Self::get(path) }
    }

    /// Sets the provider, by name or alias. Default: the client's own.
    pub fn provider(mut self, provider: impl Into<Provider>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Sets the longest the whole call may take. Default: the client's
    /// [`timeout`](crate::ClientBuilder::timeout), 600 s if not set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the token that can cancel the call from another thread. Default: none.
    pub fn cancel_token(mut self, token: &CancelToken) -> Self {
        self.cancel_token = Some(token.clone());
        self
    }

    /// Tags the call for metrics and observers. Default: no tags.
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    /// Sets the `Idempotency-Key`, the same for every attempt. Default: none, or a fresh one if the
    /// client [sends them](crate::ClientBuilder::idempotency_keys).
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// The model that the body names.
    pub(crate) fn model(&self) -> &str {
        self.body.as_ref().and_then(|body| body.get("model")?.as_str()).unwrap_or_default()
    }
}

/// Hides the body, which may contain a prompt.
impl fmt::Debug for RawRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.split('?').next().unwrap_or_default();
        f.debug_struct("RawRequest")
            .field("method", &if self.body.is_some() { "POST" } else { "GET" })
            .field("path", &path)
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

/// A provider's response to a [`RawRequest`], with a 2xx status.
#[derive(Clone)]
#[non_exhaustive]
pub struct RawResponse {
    /// The HTTP status.
    pub status: u16,
    /// The body, unchanged.
    pub body: Vec<u8>,
    /// The media type of the body (`content-type`), if the server sent it.
    pub media_type: Option<String>,
    /// The provider that answered.
    pub provider: Provider,
    /// The provider's request id; quote it when you contact its support.
    pub request_id: Option<String>,
    /// The rate limits from the headers.
    pub rate_limit: RateLimit,
    /// The time from the call to the end of the response, including waits and retries.
    pub latency: Duration,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) source: AnswerSource,
}

impl RawResponse {
    /// What answered: the provider, the [cache](crate::Cache) or a [recording](crate::Replay).
    pub fn source(&self) -> AnswerSource {
        self.source
    }

    /// The body as text. Invalid UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Parses the body as JSON into any type.
    ///
    /// # Errors
    ///
    /// [`Protocol`](ErrorKind::Protocol) if it is not JSON, or not of this type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|cause| {
            // serde_json's message may quote the body.
            let (line, column) = (cause.line(), cause.column());
            let what = if cause.is_data() { "not of the expected type" } else { "not JSON" };
            let message = format!("the response body is {what} (line {line}, column {column})");
            Error::new(ErrorKind::Protocol, message)
                .with_provider(self.provider.as_str())
                .with_status(self.status)
                .with_request_id(self.request_id.clone())
        })
    }

    /// Every attempt of the call, in order.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }
}

/// Hides the body, which may be long.
impl fmt::Debug for RawResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawResponse")
            .field("status", &self.status)
            .field("media_type", &self.media_type)
            .field("bytes", &self.body.len())
            .field("provider", &self.provider)
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}
