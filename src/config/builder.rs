//! `ClientBuilder`: every setting of a client, with its default.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{PoolConfig, ProviderConfig, Proxy, Tls};
use crate::cost::{Budget, CostConfig, CostTracker};
use crate::key::ApiKey;
use crate::observe::Observer;
use crate::provider::{Credentials, Profile, Provider};
use crate::retry::{Interruptible, RetryConfig, Sleeper};

/// Sets up a [`Client`](crate::Client).
///
/// | setting | default |
/// |---|---|
/// | [`provider`](Self::provider), [`profile`](Self::profile) | none; then models are named `provider/model` |
/// | [`add_provider`](Self::add_provider), [`profiles`](Self::profiles) | none |
/// | [`model`](Self::model) | none; then each request names its own |
/// | [`credentials`](Self::credentials) | the key |
/// | [`api_key`](Self::api_key) | from the provider's variable, such as `GROQ_API_KEY` |
/// | [`organization`](Self::organization), [`project`](Self::project) | `OPENAI_ORG_ID`, `OPENAI_PROJECT_ID` |
/// | [`base_url`](Self::base_url) | from the environment, such as `GROQ_BASE_URL`, else the provider's own |
/// | [`timeout`](Self::timeout) | 600 s |
/// | [`connect_timeout`](Self::connect_timeout) | 5 s |
/// | [`attempt_timeout`](Self::attempt_timeout) | none |
/// | [`first_token_timeout`](Self::first_token_timeout) | none |
/// | [`idle_timeout`](Self::idle_timeout) | 600 s |
/// | [`stream_timeout`](Self::stream_timeout) | the `timeout` if that is set, else 1 hour |
/// | [`max_response_bytes`](Self::max_response_bytes) | 16 MiB |
/// | [`max_response_head_bytes`](Self::max_response_head_bytes) | 12 KiB |
/// | [`pool`](Self::pool) | [`PoolConfig::default`] |
/// | [`retry`](Self::retry) | [`RetryConfig::default`] |
/// | [`allow_plain_http`](Self::allow_plain_http) | only to this machine |
/// | [`budget`](Self::budget) | none |
/// | [`costs`](Self::costs), [`cost_tracker`](Self::cost_tracker) | [`CostConfig::default`], the client's own |
/// | [`price_provider`](Self::price_provider) | by the base URL |
/// | [`observer`](Self::observer) | none |
/// | [`metrics`](Self::metrics) | on |
/// | [`header`](Self::header) | none |
/// | [`tls`](Self::tls) | from `SSL_CERT_FILE` and `SSL_CERT_DIR`, else see [`Tls`] |
/// | [`sleeper`](Self::sleeper) | real time |
/// | [`idempotency_keys`](Self::idempotency_keys) | none are sent |
/// | [`proxy`](Self::proxy) | `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, without those in `NO_PROXY` |
///
/// ```
/// use std::time::Duration;
/// use tollgate::{Client, Provider};
///
/// # fn main() -> Result<(), tollgate::Error> {
/// let client = Client::builder()
///     .provider(Provider::ANTHROPIC)
///     .model("claude-haiku-4-5")
///     .api_key("sk-ant-test")
///     .timeout(Duration::from_secs(60))
///     .build()
///     # .or_else(|_| Client::builder().provider(Provider::ANTHROPIC).api_key("k").build())
///     ?;
/// # let _ = client;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct ClientBuilder {
    /// Of the provider that is asked where a request names no other.
    pub(super) own: ProviderConfig,
    pub(super) providers: Vec<ProviderConfig>,
    pub(super) profiles: Vec<Profile>,
    pub(super) model: Option<String>,
    pub(super) timeout: Option<Duration>,
    pub(super) connect_timeout: Duration,
    pub(super) attempt_timeout: Option<Duration>,
    pub(super) first_token_timeout: Option<Duration>,
    pub(super) idle_timeout: Duration,
    pub(super) stream_timeout: Option<Duration>,
    pub(super) max_response_bytes: usize,
    pub(super) max_response_head_bytes: usize,
    pub(super) pool: PoolConfig,
    pub(super) retry: RetryConfig,
    pub(super) sleeper: Arc<dyn Sleeper>,
    pub(super) idempotency_keys: bool,
    pub(super) proxy: Proxy,
    pub(super) tls: Option<Tls>,
    pub(super) budgets: Vec<Budget>,
    pub(super) costs: Option<CostConfig>,
    pub(super) cost_tracker: Option<CostTracker>,
    pub(super) observers: Vec<Arc<dyn Observer>>,
    pub(super) metrics: bool,
}

/// Shows neither the key nor what else may hold one: the values of headers, and
/// the base URL before it was checked.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("own", &self.own)
            .field("providers", &self.providers)
            .field("profiles", &self.profiles)
            .field("model", &self.model)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("first_token_timeout", &self.first_token_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("stream_timeout", &self.stream_timeout)
            .field("max_response_bytes", &self.max_response_bytes)
            .field("max_response_head_bytes", &self.max_response_head_bytes)
            .field("pool", &self.pool)
            .field("retry", &self.retry)
            .field("idempotency_keys", &self.idempotency_keys)
            .field("proxy", &self.proxy)
            .field("tls", &self.tls)
            .field("budgets", &self.budgets)
            .field("costs", &self.costs)
            .field("observers", &self.observers.len())
            .field("metrics", &self.metrics)
            .finish_non_exhaustive()
    }
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            own: ProviderConfig::default(),
            providers: Vec::new(),
            profiles: Vec::new(),
            model: None,
            timeout: None,
            connect_timeout: Duration::from_secs(5),
            attempt_timeout: None,
            first_token_timeout: None,
            idle_timeout: Duration::from_secs(600),
            stream_timeout: None,
            max_response_bytes: 16 * 1024 * 1024,
            max_response_head_bytes: 12 * 1024,
            pool: PoolConfig::default(),
            retry: RetryConfig::default(),
            sleeper: Arc::new(Interruptible),
            idempotency_keys: false,
            proxy: Proxy::default(),
            tls: None,
            budgets: Vec::new(),
            costs: None,
            cost_tracker: None,
            observers: Vec::new(),
            metrics: true,
        }
    }
}

impl ClientBuilder {
    /// Sets the provider for requests that name none, by its name or an alias, such as
    /// `"groq"`; see [`Profile::all`](crate::provider::Profile::all). Default: none; then the
    /// [`model`](Self::model), or that of each request, names its own as `provider/model`.
    ///
    /// The [`api_key`](Self::api_key), [`base_url`](Self::base_url), [`header`](Self::header)s,
    /// [`organization`](Self::organization), [`project`](Self::project) and
    /// [`price_provider`](Self::price_provider) of this builder are this provider's alone. All
    /// other settings hold for every provider of the client.
    pub fn provider(mut self, provider: impl Into<Provider>) -> Self {
        self.own.provider = Some(provider.into());
        self
    }

    /// Sets a provider by how it is reached, for one that the crate does not know, or knows
    /// otherwise. Default: the crate's own profile of the [`provider`](Self::provider).
    pub fn profile(mut self, profile: Profile) -> Self {
        self.own.profile = Some(profile);
        self
    }

    /// Adds the settings of another provider, for requests whose model names it, such as
    /// `groq/llama-3.3-70b-versatile`. Providers that are not added are reached with their
    /// defaults: the crate's own profile, and the key from the environment. Default: none.
    pub fn add_provider(mut self, provider: ProviderConfig) -> Self {
        self.providers.push(provider);
        self
    }

    /// Adds profiles of providers that the crate does not know, or knows otherwise, such as
    /// those of a file that [`Profile::load`] has read. One that has the id of a built-in
    /// provider stands in its place. Default: none.
    pub fn profiles(mut self, profiles: impl IntoIterator<Item = Profile>) -> Self {
        self.profiles.extend(profiles);
        self
    }

    /// Sets what signs each attempt, in place of a key: for tokens that expire and
    /// signatures over the request. Default: the key.
    pub fn credentials(mut self, credentials: impl Credentials + 'static) -> Self {
        self.own = self.own.credentials(credentials);
        self
    }

    /// Sets the model for requests that name none. With a [`provider`](Self::provider) it is
    /// that provider's own name for it, else `provider/model`. Default: none.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Sets the API key. Default: from the provider's own variable, such as
    /// `OPENAI_API_KEY` or `GROQ_API_KEY`; see
    /// [`Profile::key_variables`](crate::provider::Profile::key_variables).
    pub fn api_key(mut self, key: impl Into<ApiKey>) -> Self {
        self.own.api_key = Some(key.into());
        self
    }

    /// Sends no key, for a server that asks for none. A key in the environment is
    /// then not used either.
    pub fn without_api_key(mut self) -> Self {
        self.own.without_api_key = true;
        self
    }

    /// Sets where the provider is, such as `http://localhost:8080/v1`. The path is
    /// given as to the provider's own SDK: OpenAI's ends in `/v1`, Anthropic's does
    /// not. Default: from the environment, as `OPENAI_BASE_URL` or `GROQ_BASE_URL`, else
    /// the provider's own address.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.own.base_url = Some(url.into());
        self
    }

    /// Allows `http` to hosts other than this machine. Default: false, for key and
    /// prompts would cross the network in the clear.
    pub fn allow_plain_http(mut self, allowed: bool) -> Self {
        self.own.allow_plain_http = allowed;
        self
    }

    /// Sets the longest a whole call may take, everything included: waiting for a
    /// connection, connecting, all attempts and the waits between them, and the whole of a
    /// stream. Where a [`stream_timeout`](Self::stream_timeout) is set as well, that one
    /// bounds the stream, and this one the time to its first event. Default: 600 s, for a
    /// stream to its first event.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the longest that opening one connection may take: looking up the host
    /// name, connecting and the TLS handshake. An address that does not answer within 250 ms
    /// is joined by the host's next one, within this same time. Default: 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the longest that one attempt may take (of a stream, up to its first
    /// event), waiting for a connection and
    /// opening it included, so that one that hangs leaves time for another.
    /// Default: none, so that an attempt may take all of [`timeout`](Self::timeout).
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// Sets the longest that a stream may take from the sending of the request to its
    /// first event. An attempt that takes longer fails, and there may be time for
    /// another. Default: none, so that it may take all of
    /// [`timeout`](Self::timeout): models may think for minutes before they answer.
    pub fn first_token_timeout(mut self, timeout: Duration) -> Self {
        self.first_token_timeout = Some(timeout);
        self
    }

    /// Sets the longest that a stream may go without
    /// [bringing the answer on](crate::StreamDecoder#what-brings-an-answer-on), from the head of
    /// the response on. What only keeps the connection alive does not count, nor do other
    /// choices (`n`); thinking that the provider does not show looks like silence. The time
    /// that the caller takes over an event is not counted. Default: 600 s, as long as the
    /// official SDKs let one read take.
    #[doc(alias = "read_timeout")]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets the longest that a stream may take from the call to its end, the time that its
    /// caller takes over it included. Default: the [`timeout`](Self::timeout) if that is set,
    /// else 1 hour, because a long answer is no fault.
    pub fn stream_timeout(mut self, timeout: Duration) -> Self {
        self.stream_timeout = Some(timeout);
        self
    }

    /// Sets the largest response body that is read. Default: 16 MiB.
    pub fn max_response_bytes(mut self, bytes: usize) -> Self {
        self.max_response_bytes = bytes;
        self
    }

    /// Sets the largest response head (status line and headers) that is read, in bytes, from
    /// 1 KiB to 1 MiB. A larger one is an error. Default: 12 KiB.
    ///
    /// Each open connection has a buffer of this size, and of at least 12 KiB, so raise it
    /// only if a server or a proxy needs it. A head may have at most 128 headers, which
    /// cannot be changed.
    pub fn max_response_head_bytes(mut self, bytes: usize) -> Self {
        self.max_response_head_bytes = bytes;
        self
    }

    /// Sets how connections are shared and kept.
    pub fn pool(mut self, pool: PoolConfig) -> Self {
        self.pool = pool;
        self
    }

    /// Sets how calls are tried again.
    pub fn retry(mut self, retry: RetryConfig) -> Self {
        self.retry = retry;
        self
    }

    /// Sets how often a call is tried again after its first attempt. Default: 2. 0 turns
    /// retries off.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.retry.max_retries = retries;
        self
    }

    /// Sets what waits between attempts. Default: real time, cut short when the call
    /// is cancelled.
    pub fn sleeper(mut self, sleeper: impl Sleeper + 'static) -> Self {
        self.sleeper = Arc::new(sleeper);
        self
    }

    /// Sends a fresh `Idempotency-Key` with every call, the same for all its
    /// attempts (draft-ietf-httpapi-idempotency-key-header), for a server that
    /// recognises a repeated request by it and serves it once. Neither OpenAI nor
    /// Anthropic documents that it does, and their SDKs send none; gateways may.
    /// [`ChatRequest::idempotency_key`](crate::ChatRequest::idempotency_key) sets the
    /// key of one request. Default: false.
    pub fn idempotency_keys(mut self, sent: bool) -> Self {
        self.idempotency_keys = sent;
        self
    }

    /// Adds a header to every request, in place of one of our own by that name. A request's
    /// [betas](crate::ChatRequest::betas) are added to `anthropic-beta`. Default: none.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.own.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the organisation to bill (`OpenAI-Organization`). Default: from
    /// `OPENAI_ORG_ID`. OpenAI only.
    pub fn organization(mut self, id: impl Into<String>) -> Self {
        self.own.organization = Some(id.into());
        self
    }

    /// Sets the project to bill (`OpenAI-Project`). Default: from
    /// `OPENAI_PROJECT_ID`. OpenAI only.
    pub fn project(mut self, id: impl Into<String>) -> Self {
        self.own.project = Some(id.into());
        self
    }

    /// Sets which HTTP proxy calls go through. Default: the one the environment
    /// names, see [`Proxy`].
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// Sets whose certificates are trusted. Default: see [`Tls`].
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Adds a budget, which every call is held to. Default: none.
    ///
    /// ```
    /// # use tollgate::{Budget, Client, Money, Provider};
    /// let client = Client::builder()
    ///     .provider(Provider::OPENAI)
    ///     .model("gpt-4o-mini")
    ///     .api_key("sk-test")
    ///     .budget(Budget::monthly(Money::dollars(50)))
    ///     .budget(Budget::daily(Money::dollars(5)).per_tag("customer"))
    ///     .build();
    /// ```
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budgets.push(budget);
        self
    }

    /// How costs are kept track of: prices, the ledger, what to do about models without
    /// a price. Budgets of its own and those added here hold together. Default:
    /// [`CostConfig::default`].
    pub fn costs(mut self, costs: CostConfig) -> Self {
        self.costs = Some(costs);
        self
    }

    /// Shares a tracker with other clients, its budgets and books with it. Default: the
    /// client has its own.
    pub fn cost_tracker(mut self, tracker: CostTracker) -> Self {
        self.cost_tracker = Some(tracker);
        self
    }

    /// Sets whose prices apply, by the name in the price table (`openrouter`, `groq`). It is
    /// used for nothing else: budgets, reports, metrics and errors have the provider's id.
    /// Default: the provider that the price table has for the base URL; if it has none, as for
    /// your own gateway, the provider's name in its
    /// [profile](crate::provider::Profile::prices), or else its id.
    pub fn price_provider(mut self, name: impl Into<String>) -> Self {
        self.own.price_provider = Some(name.into());
        self
    }

    /// Adds one who is told what the client does, while it does it; see [`Observer`].
    /// Default: none.
    pub fn observer(self, observer: impl Observer + 'static) -> Self {
        self.shared_observer(Arc::new(observer))
    }

    /// Adds an observer that is kept elsewhere, too.
    pub fn shared_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Whether calls are counted and measured for
    /// [`Client::metrics`](crate::Client::metrics). Default: they are.
    pub fn metrics(mut self, on: bool) -> Self {
        self.metrics = on;
        self
    }
}
