//! The settings of one provider, before they are checked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::TimeLimits;
use crate::key::ApiKey;
use crate::provider::{Credentials, Profile, Provider};

/// The settings of one provider of a [`Client`](crate::Client), for
/// [`ClientBuilder::add_provider`](crate::ClientBuilder::add_provider).
///
/// They apply to this provider only: its key, base URL and headers never reach another. A provider
/// needs no settings if the defaults from its profile and the environment are right.
///
/// What is not set here is as for the client; each method says what that is. All settings are in
/// [Settings](crate::guide::settings#the-client).
///
/// ```
/// use std::time::Duration;
/// use tollgate::{ChatRequest, Client, ProviderConfig};
///
/// # fn main() -> Result<(), tollgate::Error> {
/// let client = Client::builder()
///     .provider("openai")
///     .model("gpt-4o-mini")
///     .api_key("sk-test")
///     .add_provider(ProviderConfig::new("groq").api_key("gsk_test").timeout(Duration::from_secs(20)))
///     .build()
///     # .or_else(|_| Client::builder().build())
///     ?;
/// let request = ChatRequest::from("Hello").model("groq/llama-3.3-70b-versatile");
/// # let _ = (client, request);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct ProviderConfig {
    pub(super) provider: Option<Provider>,
    pub(super) profile: Option<Profile>,
    pub(super) api_key: Option<ApiKey>,
    pub(super) without_api_key: bool,
    pub(super) credentials: Option<Arc<dyn Credentials>>,
    pub(super) base_url: Option<String>,
    pub(super) allow_plain_http: bool,
    pub(super) headers: Vec<(String, String)>,
    pub(super) organization: Option<String>,
    pub(super) project: Option<String>,
    pub(super) location: Option<String>,
    pub(super) limits: TimeLimits,
    pub(super) price_provider: Option<String>,
}

impl ProviderConfig {
    /// Starts with the defaults of the provider of this name or alias.
    pub fn new(provider: impl Into<Provider>) -> Self {
        Self { provider: Some(provider.into()), ..Self::default() }
    }

    /// Starts with the defaults of the provider this profile describes.
    pub fn of(profile: Profile) -> Self {
        Self { profile: Some(profile), ..Self::default() }
    }

    /// Sets the API key. Default: from the provider's variable, such as `GROQ_API_KEY`; see
    /// [`Profile::key_variables`](crate::provider::Profile::key_variables).
    pub fn api_key(mut self, key: impl Into<ApiKey>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// Sends no key, for a server that needs none. The client then ignores a key in the environment
    /// too. Default: a key is sent.
    pub fn without_api_key(mut self) -> Self {
        self.without_api_key = true;
        self
    }

    /// Sets credentials that sign each attempt instead of a key: for tokens that expire and for
    /// signatures over the request. Default: the key.
    pub fn credentials(mut self, credentials: impl Credentials + 'static) -> Self {
        self.credentials = Some(Arc::new(credentials));
        self
    }

    /// Sets the base URL, as [`ClientBuilder::base_url`](crate::ClientBuilder::base_url) does.
    /// Default: from the environment, such as `GROQ_BASE_URL`, otherwise the provider's own
    /// address.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Allows `http` to hosts other than this machine. Default: `false`, because the key and the
    /// prompts would cross the network unencrypted.
    pub fn allow_plain_http(mut self, allowed: bool) -> Self {
        self.allow_plain_http = allowed;
        self
    }

    /// Adds a header to every request to this provider, replacing the client's own header of that
    /// name. Default: none.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the organisation to bill (`OpenAI-Organization`). OpenAI only. Default: from
    /// `OPENAI_ORG_ID`.
    pub fn organization(mut self, id: impl Into<String>) -> Self {
        self.organization = Some(id.into());
        self
    }

    /// Sets the project: of OpenAI the one to bill (`OpenAI-Project`), of Vertex AI the Google Cloud
    /// project. Other providers have none. Default: from `OPENAI_PROJECT_ID`; for Vertex AI from
    /// `GOOGLE_VERTEX_PROJECT`, `GOOGLE_CLOUD_PROJECT` or `GCLOUD_PROJECT`, otherwise the project of
    /// the credentials.
    pub fn project(mut self, id: impl Into<String>) -> Self {
        self.project = Some(id.into());
        self
    }

    /// Sets the Google Cloud location that serves Vertex AI's models: `global`, a region such as
    /// `us-central1`, or all regions of the `us` or `eu`. For Bedrock, sets the AWS region, such as
    /// `eu-west-1`. Other providers have none. Default for Vertex AI: from `GOOGLE_VERTEX_LOCATION`,
    /// `GOOGLE_CLOUD_LOCATION` or `CLOUD_ML_REGION`, otherwise `global`. Default for Bedrock: from
    /// `AWS_REGION` or `AWS_DEFAULT_REGION`, otherwise the region of the AWS profile.
    pub fn location(mut self, name: impl Into<String>) -> Self {
        self.location = Some(name.into());
        self
    }

    /// Sets the longest a whole call may take. Default: the client's
    /// [`timeout`](crate::ClientBuilder::timeout), 600 s if not set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.call = Some(timeout);
        self
    }

    /// Sets the longest that opening one connection may take. Default: the client's
    /// [`connect_timeout`](crate::ClientBuilder::connect_timeout), 5 s if not set.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.limits.connect = Some(timeout);
        self
    }

    /// Sets the longest one attempt may take. Default: the client's
    /// [`attempt_timeout`](crate::ClientBuilder::attempt_timeout), none if not set.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.limits.attempt = Some(timeout);
        self
    }

    /// Sets the longest a stream may take from sending the request to its first event. Default: the
    /// client's [`first_token_timeout`](crate::ClientBuilder::first_token_timeout), none if not
    /// set.
    pub fn first_token_timeout(mut self, timeout: Duration) -> Self {
        self.limits.first_token = Some(timeout);
        self
    }

    /// Sets the longest a stream may go without progress. Default: the client's
    /// [`idle_timeout`](crate::ClientBuilder::idle_timeout), 600 s if not set.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.limits.idle = Some(timeout);
        self
    }

    /// Sets the longest a stream may take from the call to its end. Default: this provider's
    /// [`timeout`](Self::timeout) if set, otherwise the client's
    /// [`stream_timeout`](crate::ClientBuilder::stream_timeout), 1 hour if neither is set.
    pub fn stream_timeout(mut self, timeout: Duration) -> Self {
        self.limits.stream = Some(timeout);
        self
    }

    /// Sets whose prices apply, by the name in the price table, such as `openrouter` or `groq`.
    /// Default: as for [`ClientBuilder::price_provider`](crate::ClientBuilder::price_provider).
    pub fn price_provider(mut self, name: impl Into<String>) -> Self {
        self.price_provider = Some(name.into());
        self
    }

    /// The first setting that makes no sense without a provider.
    pub(super) fn first_own_setting(&self) -> Option<&'static str> {
        [
            ("api_key", self.api_key.is_some()),
            ("without_api_key", self.without_api_key),
            ("credentials", self.credentials.is_some()),
            ("base_url", self.base_url.is_some()),
            ("header", !self.headers.is_empty()),
            ("organization", self.organization.is_some()),
            ("project", self.project.is_some()),
            ("location", self.location.is_some()),
            ("price_provider", self.price_provider.is_some()),
        ]
        .into_iter()
        .find_map(|(name, is_set)| is_set.then_some(name))
    }

    /// The id of the provider, if one is named.
    pub(super) fn id(&self) -> Option<&Provider> {
        self.profile.as_ref().map(|profile| &profile.id).or(self.provider.as_ref())
    }
}

/// Hides the key and whatever else may contain one: header values, and the base URL, which is not
/// checked yet.
impl fmt::Debug for ProviderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("ProviderConfig")
            .field("provider", &self.id())
            .field("api_key", &self.api_key)
            .field("base_url", &self.base_url.as_ref().map(|_| "[hidden]"))
            .field("headers", &headers)
            .field("limits", &self.limits)
            .field("price_provider", &self.price_provider)
            .finish_non_exhaustive()
    }
}
