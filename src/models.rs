//! The models that a provider offers.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::cancel::CancelToken;
use crate::chat::Provider;

/// A request for a provider's list of models, for [`Client::models`](crate::Client::models).
///
/// A provider's name is a request too: `client.models("groq")`.
///
/// ```
/// use std::time::Duration;
/// use tollgate::ModelsRequest;
///
/// // For the client's own provider.
/// let request = ModelsRequest::new().timeout(Duration::from_secs(10));
/// # let _ = request;
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ModelsRequest {
    pub(crate) provider: Option<Provider>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) cancel_token: Option<CancelToken>,
}

impl ModelsRequest {
    /// Asks the client's own provider.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the provider, by name or alias. Default: the client's own.
    pub fn provider(mut self, provider: impl Into<Provider>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Sets the longest the whole call may take, over all pages of the list. Default: the client's
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
}

/// Asks this provider.
impl From<&str> for ModelsRequest {
    fn from(provider: &str) -> Self {
        Self::new().provider(provider)
    }
}

/// Asks this provider.
impl From<Provider> for ModelsRequest {
    fn from(provider: Provider) -> Self {
        Self::new().provider(provider)
    }
}

/// Asks this provider.
impl From<&Provider> for ModelsRequest {
    fn from(provider: &Provider) -> Self {
        Self::new().provider(provider)
    }
}

/// A model, as its provider describes it. Every field but [`id`](Self::id) depends on the provider.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ModelInfo {
    /// The name to use in requests.
    pub id: String,
    /// The name to show to people.
    pub display_name: Option<String>,
    /// When the model was created or released.
    pub created: Option<SystemTime>,
    /// The most tokens of a request. Gemini and Anthropic count the input alone; most others count
    /// input and output together.
    pub context_window: Option<u64>,
    /// The most tokens that the model writes in one answer.
    pub max_output_tokens: Option<u64>,
    /// Everything else that the provider says about the model, such as `pricing` at OpenRouter or
    /// `supportedGenerationMethods` at Gemini.
    pub extra: Map<String, Value>,
}
