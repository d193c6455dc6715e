//! The setters of [`ClientBuilder`].

use std::sync::Arc;
use std::time::Duration;

use super::ClientBuilder;
use crate::cache::Cache;
use crate::catalogue::Catalogue;
use crate::config::{Limits, PoolConfig, ProviderConfig, Proxy, Route, Tls};
use crate::cost::{Budget, CostConfig, CostTracker};
use crate::key::ApiKey;
use crate::observe::Observer;
use crate::provider::{Credentials, Profile, Provider};
use crate::replay::Replay;
use crate::retry::{RetryConfig, Sleeper};

impl ClientBuilder {
    /// Sets the provider for requests that name none, by name or alias, such as `"groq"`; see
    /// [`Profile::all`](crate::provider::Profile::all). Default: none; the [`model`](Self::model)
    /// or that of each request then names its provider, as `provider/model`.
    ///
    /// The [`api_key`](Self::api_key), [`base_url`](Self::base_url), [`header`](Self::header)s,
    /// [`organization`](Self::organization), [`project`](Self::project),
    /// [`location`](Self::location) and [`price_provider`](Self::price_provider) of this builder apply to this provider only. All
    /// other settings apply to every provider of the client.
    pub fn provider(mut self, provider: impl Into<Provider>) -> Self {
        self.own.provider = Some(provider.into());
        self
    }

    /// Sets the provider by its profile: its address, its format and how it takes the key. Use it
    /// for a provider the crate does not know, or to change a built-in one. Default: the built-in
    /// profile of the [`provider`](Self::provider).
    pub fn profile(mut self, profile: Profile) -> Self {
        self.own.profile = Some(profile);
        self
    }

    /// Adds the settings of another provider, for requests whose model names it, such as
    /// `groq/llama-3.3-70b-versatile`. A provider that is not added has its defaults: the built-in
    /// profile, and the key from the environment. Default: none.
    pub fn add_provider(mut self, provider: ProviderConfig) -> Self {
        self.providers.push(provider);
        self
    }

    /// Adds profiles of providers the crate does not know, for example from a file that
    /// [`Profile::load`] read. A profile with the id of a built-in provider replaces it. Default:
    /// none.
    pub fn profiles(mut self, profiles: impl IntoIterator<Item = Profile>) -> Self {
        self.profiles.extend(profiles);
        self
    }

    /// Adds a route: a name for several targets. A request whose model is that name goes to one of
    /// them. Default: none.
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Adds routes, for example from a file that [`Route::load`] read. Default: none.
    pub fn routes(mut self, routes: impl IntoIterator<Item = Route>) -> Self {
        self.routes.extend(routes);
        self
    }

    /// Sets credentials that sign each attempt instead of a key: for tokens that expire and for
    /// signatures over the request. Default: the key.
    pub fn credentials(mut self, credentials: impl Credentials + 'static) -> Self {
        self.own = self.own.credentials(credentials);
        self
    }

    /// Sets the model for requests that name none. With a [`provider`](Self::provider), this is
    /// that provider's name for the model; without one, `provider/model`. Default: none.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Sets the API key. Default: from the provider's variable, such as `OPENAI_API_KEY` or
    /// `GROQ_API_KEY`; see [`Profile::key_variables`](crate::provider::Profile::key_variables).
    pub fn api_key(mut self, key: impl Into<ApiKey>) -> Self {
        self.own = self.own.api_key(key);
        self
    }

    /// Sends no key, for a server that needs none. The client then ignores a key in the environment
    /// too. Default: a key is sent.
    pub fn without_api_key(mut self) -> Self {
        self.own = self.own.without_api_key();
        self
    }

    /// Sets the base URL, such as `http://localhost:8080/v1`. Write the path as for the provider's
    /// own SDK: OpenAI's ends in `/v1`, Anthropic's does not. Default: from the environment, such
    /// as `OPENAI_BASE_URL` or `GROQ_BASE_URL`, otherwise the provider's own address.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.own = self.own.base_url(url);
        self
    }

    /// Allows `http` to hosts other than this machine. Default: `false`, because the key and the
    /// prompts would cross the network unencrypted.
    pub fn allow_plain_http(mut self, allowed: bool) -> Self {
        self.own = self.own.allow_plain_http(allowed);
        self
    }

    /// Sets the longest a whole call may take: the wait for a connection, connecting, all attempts,
    /// the waits between them, and the whole of a stream. With a
    /// [`stream_timeout`](Self::stream_timeout), that limit bounds the stream, and this one the
    /// time to its first event. Default: 600 s; for a stream, 600 s to its first event.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.time_limits.call = Some(timeout);
        self
    }

    /// Sets the longest that opening one connection may take: resolving the host name, connecting
    /// and the TLS handshake. If an address does not answer within 250 ms, the client also tries
    /// the host's next address, within this same limit. Default: 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.time_limits.connect = Some(timeout);
        self
    }

    /// Sets the longest one attempt may take, including the wait for a connection and opening it;
    /// for a stream, up to its first event. It leaves time for a retry when an attempt hangs.
    /// Default: none; an attempt may take all of the [`timeout`](Self::timeout).
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.time_limits.attempt = Some(timeout);
        self
    }

    /// Sets the longest a stream may take from sending the request to its first event. An attempt
    /// that takes longer fails, and is retried if time is left. Default: none; the first event may
    /// take all of the [`timeout`](Self::timeout), because models may think for minutes before they
    /// answer.
    pub fn first_token_timeout(mut self, timeout: Duration) -> Self {
        self.time_limits.first_token = Some(timeout);
        self
    }

    /// Sets the longest a stream may go without
    /// [progress](crate::StreamDecoder#what-counts-as-progress), counted from the head of the
    /// response. Keep-alives and other choices (`n`) are not progress. Thinking that the provider
    /// does not show looks like silence. The time you take to handle an event does not count.
    /// Default: 600 s, the read timeout of the official SDKs.
    #[doc(alias = "read_timeout")]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.time_limits.idle = Some(timeout);
        self
    }

    /// Sets the longest a stream may take from the call to its end, including the time you take to
    /// handle events. Default: the [`timeout`](Self::timeout) if set, otherwise 1 hour, because a
    /// long answer is not a fault.
    pub fn stream_timeout(mut self, timeout: Duration) -> Self {
        self.time_limits.stream = Some(timeout);
        self
    }

    /// Sets the largest response body the client reads, in bytes. A larger one is an error.
    /// Default: 16 MiB.
    pub fn max_response_bytes(mut self, bytes: usize) -> Self {
        self.max_response_bytes = bytes;
        self
    }

    /// Sets the largest response head (status line and headers) the client reads, in bytes, from 1
    /// KiB to 1 MiB. A larger one is an error. Default: 64 KiB.
    ///
    /// A head may have at most 128 headers; that limit is fixed.
    pub fn max_response_head_bytes(mut self, bytes: usize) -> Self {
        self.max_response_head_bytes = bytes;
        self
    }

    /// Sets how the client shares and keeps connections. Default: [`PoolConfig::default`].
    pub fn pool(mut self, pool: PoolConfig) -> Self {
        self.pool = pool;
        self
    }

    /// Sets when and how often the client retries a failed attempt. Default:
    /// [`RetryConfig::default`].
    pub fn retry(mut self, retry: RetryConfig) -> Self {
        self.retry = retry;
        self
    }

    /// Sets how many times the client retries a call after its first attempt; 0 turns retries off.
    /// Default: 2.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.retry.max_retries = retries;
        self
    }

    /// Sets how the client waits between attempts. Default: real time; cancelling the call ends the
    /// wait.
    pub fn sleeper(mut self, sleeper: impl Sleeper + 'static) -> Self {
        self.sleeper = Arc::new(sleeper);
        self
    }

    /// Sends a fresh `Idempotency-Key` with every call, the same for all its attempts
    /// (draft-ietf-httpapi-idempotency-key-header), so that a server can recognise a repeated
    /// request and serve it once. OpenAI and Anthropic do not document support for it, and their
    /// SDKs send none; gateways may support it.
    /// [`ChatRequest::idempotency_key`](crate::ChatRequest::idempotency_key) sets the key of one
    /// request. Default: `false`.
    pub fn idempotency_keys(mut self, sent: bool) -> Self {
        self.idempotency_keys = sent;
        self
    }

    /// Adds a header to every request, replacing the client's own header of that name. A request's
    /// [betas](crate::ChatRequest::betas) are appended to `anthropic-beta`. Default: none.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.own = self.own.header(name, value);
        self
    }

    /// Sets the organisation to bill (`OpenAI-Organization`). OpenAI only. Default: from
    /// `OPENAI_ORG_ID`.
    pub fn organization(mut self, id: impl Into<String>) -> Self {
        self.own = self.own.organization(id);
        self
    }

    /// Sets the project, as [`ProviderConfig::project`] does: OpenAI's to bill, or Google Cloud's for
    /// Vertex AI. Default: from `OPENAI_PROJECT_ID`; for Vertex AI from `GOOGLE_VERTEX_PROJECT`,
    /// `GOOGLE_CLOUD_PROJECT` or `GCLOUD_PROJECT`, otherwise the project of the credentials.
    pub fn project(mut self, id: impl Into<String>) -> Self {
        self.own = self.own.project(id);
        self
    }

    /// Sets the Google Cloud location for Vertex AI or the AWS region for Bedrock, as
    /// [`ProviderConfig::location`] does. Default for Vertex AI: from `GOOGLE_VERTEX_LOCATION`,
    /// `GOOGLE_CLOUD_LOCATION` or `CLOUD_ML_REGION`, otherwise `global`. Default for Bedrock: from
    /// `AWS_REGION` or `AWS_DEFAULT_REGION`, otherwise the region of the AWS profile.
    pub fn location(mut self, name: impl Into<String>) -> Self {
        self.own = self.own.location(name);
        self
    }

    /// Sets the proxy for all calls. Default: the environment decides, see [`Proxy`].
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// Sets which certificates the client trusts. Default: see [`Tls`].
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Adds a budget, which applies to every call. Default: none.
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

    /// Sets what is known of models: their limits, and what they accept. Default:
    /// [`Catalogue::builtin`].
    pub fn catalogue(mut self, catalogue: Catalogue) -> Self {
        self.catalogue = catalogue;
        self
    }

    /// Sets whether a call that its model certainly cannot serve is refused before it is sent. The
    /// error says why, and names models that can serve the call. Default: calls to a provider's own
    /// address are checked against the built-in [`Catalogue`]. Behind another base URL, a model of
    /// the same name may be another model, so only what your program set with
    /// [`catalogue`](Self::catalogue) counts there.
    ///
    /// With true, calls behind every base URL are checked, such as those to a proxy in front of the
    /// provider. With false, no call is. [Routes](Self::route) skip targets by the same rules.
    pub fn check_models(mut self, check: bool) -> Self {
        self.check_models = Some(check);
        self
    }

    /// Adds limits on requests and tokens per minute and on calls in flight. All limits that apply
    /// to a call must have room for it. Default: none.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits.push(limits);
        self
    }

    /// Sets how the client tracks costs: prices, the ledger, and what happens with models that have
    /// no price. Its budgets and those added here all apply. Default: [`CostConfig::default`].
    pub fn costs(mut self, costs: CostConfig) -> Self {
        self.costs = Some(costs);
        self
    }

    /// Shares a tracker, with its budgets and ledger, between clients. Default: the client has its
    /// own.
    pub fn cost_tracker(mut self, tracker: CostTracker) -> Self {
        self.cost_tracker = Some(tracker);
        self
    }

    /// Sets whose prices apply, by the name in the price table, such as `openrouter` or `groq`. It
    /// affects prices only: budgets, reports, metrics and errors use the provider's id. Default:
    /// the provider that the price table lists for the base URL; if it lists none, as for your own
    /// gateway, the name in the provider's [profile](crate::provider::Profile::prices), otherwise
    /// its id.
    pub fn price_provider(mut self, name: impl Into<String>) -> Self {
        self.own = self.own.price_provider(name);
        self
    }

    /// Adds an observer: its callbacks run while the client works, see [`Observer`]. Default: none.
    pub fn observer(self, observer: impl Observer + 'static) -> Self {
        self.shared_observer(Arc::new(observer))
    }

    /// Adds an observer that you also keep elsewhere. Default: none.
    pub fn shared_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Sets whether the client counts and times calls for
    /// [`Client::metrics`](crate::Client::metrics). Default: `true`.
    pub fn metrics(mut self, on: bool) -> Self {
        self.metrics = on;
        self
    }

    /// Keeps answers, and answers equal requests from them; see [`Cache`]. Default: none.
    ///
    /// Chats, streams, completions and embeddings are cached. A call that the cache answers opens no
    /// connection, waits for no limit, and charges no budget. While the client
    /// [replays](Self::replay) or records, it does not use the cache.
    pub fn cache(mut self, cache: impl Into<Cache>) -> Self {
        self.cache = Some(cache.into());
        self
    }

    /// Answers from recordings, and records what is missing; see [`Replay`] for when. Default: none,
    /// unless the environment variable `TOLLGATE_REPLAY` asks for it; the recordings are then in the
    /// folder that `TOLLGATE_REPLAY_DIR` names, or in `llm`.
    ///
    /// A replayed call needs no key, opens no connection, and charges no budget. It makes one
    /// attempt, and waits for no limit.
    pub fn replay(mut self, replay: impl Into<Replay>) -> Self {
        self.replay = Some(replay.into());
        self
    }
}
