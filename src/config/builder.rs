//! `ClientBuilder`: every setting of a client, with its default.

mod setters;

use std::fmt;
use std::sync::Arc;

use super::{Limits, PoolConfig, ProviderConfig, Proxy, Route, TimeLimits, Tls};
use crate::cache::Cache;
use crate::catalogue::Catalogue;
use crate::cost::{Budget, CostConfig, CostTracker};
use crate::observe::Observer;
use crate::provider::Profile;
use crate::replay::Replay;
use crate::retry::{Interruptible, RetryConfig, Sleeper};

/// Configures a [`Client`](crate::Client).
///
/// All settings and their defaults: [Settings](crate::guide::settings#the-client).
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
    /// The provider of requests that name none.
    pub(super) own: ProviderConfig,
    pub(super) providers: Vec<ProviderConfig>,
    pub(super) profiles: Vec<Profile>,
    pub(super) model: Option<String>,
    pub(super) time_limits: TimeLimits,
    pub(super) max_response_bytes: usize,
    pub(super) max_response_head_bytes: usize,
    pub(super) pool: PoolConfig,
    pub(super) retry: RetryConfig,
    pub(super) sleeper: Arc<dyn Sleeper>,
    pub(super) idempotency_keys: bool,
    pub(super) proxy: Proxy,
    pub(super) tls: Option<Tls>,
    pub(super) budgets: Vec<Budget>,
    pub(super) catalogue: Catalogue,
    pub(super) check_models: Option<bool>,
    pub(super) costs: Option<CostConfig>,
    pub(super) cost_tracker: Option<CostTracker>,
    pub(super) limits: Vec<Limits>,
    pub(super) routes: Vec<Route>,
    pub(super) observers: Vec<Arc<dyn Observer>>,
    pub(super) metrics: bool,
    pub(super) replay: Option<Replay>,
    pub(super) cache: Option<Cache>,
}

/// Hides the key and whatever else may contain one: header values, and the base URL, which is not
/// checked yet.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("own", &self.own)
            .field("providers", &self.providers)
            .field("profiles", &self.profiles)
            .field("model", &self.model)
            .field("time_limits", &self.time_limits)
            .field("max_response_bytes", &self.max_response_bytes)
            .field("max_response_head_bytes", &self.max_response_head_bytes)
            .field("pool", &self.pool)
            .field("retry", &self.retry)
            .field("idempotency_keys", &self.idempotency_keys)
            .field("proxy", &self.proxy)
            .field("tls", &self.tls)
            .field("budgets", &self.budgets)
            .field("costs", &self.costs)
            .field("limits", &self.limits)
            .field("routes", &self.routes)
            .field("observers", &self.observers.len())
            .field("metrics", &self.metrics)
            .field("replay", &self.replay)
            .field("cache", &self.cache)
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
            time_limits: TimeLimits::default(),
            max_response_bytes: 16 * 1024 * 1024,
            max_response_head_bytes: 64 * 1024,
            pool: PoolConfig::default(),
            retry: RetryConfig::default(),
            sleeper: Arc::new(Interruptible),
            idempotency_keys: false,
            proxy: Proxy::default(),
            tls: None,
            budgets: Vec::new(),
            catalogue: Catalogue::builtin(),
            check_models: None,
            costs: None,
            cost_tracker: None,
            limits: Vec::new(),
            routes: Vec::new(),
            observers: Vec::new(),
            metrics: true,
            replay: None,
            cache: None,
        }
    }
}
