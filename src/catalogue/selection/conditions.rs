//! What a selection depends on besides the catalogue and the needs.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::catalogue::Capabilities;
use crate::cost::Prices;
use crate::provider;

/// What a selection depends on besides the catalogue and the needs: the prices, the time, the
/// providers that can be called, and what has been measured.
///
/// ```
/// use tollgate::Prices;
/// use tollgate::catalogue::Conditions;
///
/// let conditions = Conditions::default().prices(Prices::builtin()).providers(["openai", "groq"]);
/// # let _ = conditions;
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Conditions {
    pub(super) prices: Prices,
    pub(super) at: SystemTime,
    /// Their ids; `None` for all.
    pub(super) providers: Option<Vec<String>>,
    /// By provider.
    price_providers: BTreeMap<String, String>,
    /// By provider.
    regions: BTreeMap<String, String>,
    /// By provider: what it rules out for all its models.
    limits: BTreeMap<String, Capabilities>,
    /// By provider, then by model.
    measured: BTreeMap<String, BTreeMap<String, Measured>>,
}

/// What has been measured of a model in the last minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Measured {
    /// Its latency: to the first event for streams, otherwise to the whole answer.
    pub latency: Option<Duration>,
    /// The mean number of tokens of its answers.
    pub answer_tokens: Option<f64>,
    /// The share of input tokens that came from a prompt cache, from 0 to 1.
    pub cached_share: Option<f64>,
    /// Whether it rests after failures or because of a rate limit.
    pub rests: bool,
}

impl Measured {
    /// Sets its latency. Default: unknown.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = Some(latency);
        self
    }

    /// Sets the mean number of tokens of its answers. Default: unknown.
    #[must_use]
    pub fn answer_tokens(mut self, tokens: f64) -> Self {
        self.answer_tokens = Some(tokens);
        self
    }

    /// Sets the share of input tokens that came from a prompt cache, from 0 to 1. Default: unknown.
    #[must_use]
    pub fn cached_share(mut self, share: f64) -> Self {
        self.cached_share = Some(share);
        self
    }

    /// Sets whether it rests. Default: no.
    #[must_use]
    pub fn rests(mut self, rests: bool) -> Self {
        self.rests = rests;
        self
    }
}

/// The built-in prices, now, all providers, and nothing measured.
impl Default for Conditions {
    fn default() -> Self {
        Self {
            prices: Prices::builtin(),
            at: SystemTime::now(),
            providers: None,
            price_providers: BTreeMap::new(),
            regions: BTreeMap::new(),
            limits: BTreeMap::new(),
            measured: BTreeMap::new(),
        }
    }
}

impl Conditions {
    /// Sets the prices. Default: the built-in ones.
    pub fn prices(mut self, prices: Prices) -> Self {
        self.prices = prices;
        self
    }

    /// Sets the time, which decides on prices and retirements. Default: now.
    pub fn at(mut self, time: SystemTime) -> Self {
        self.at = time;
        self
    }

    /// Sets the providers that can be called, by id. Default: all.
    pub fn providers<T: Into<String>>(mut self, ids: impl IntoIterator<Item = T>) -> Self {
        self.providers = Some(ids.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the name of a provider in the price table. Default: the one in its profile.
    pub fn price_provider(mut self, id: impl Into<String>, name: impl Into<String>) -> Self {
        self.price_providers.insert(id.into(), name.into());
        self
    }

    /// Sets the region of a provider, for models without [regions](super::Model::regions) of their
    /// own. Default: unknown.
    pub fn region(mut self, provider: impl Into<String>, region: impl Into<String>) -> Self {
        self.regions.insert(provider.into(), region.into());
        self
    }

    /// Adds what has been measured of a model. Default: nothing.
    pub fn measured(
        mut self,
        provider: impl Into<String>,
        model: impl Into<String>,
        measured: Measured,
    ) -> Self {
        self.measured.entry(provider.into()).or_default().insert(model.into(), measured);
        self
    }

    /// Sets what a provider rules out for all its models. Default: nothing.
    pub(crate) fn limits(mut self, provider: impl Into<String>, limits: Capabilities) -> Self {
        self.limits.insert(provider.into(), limits);
        self
    }

    pub(super) fn limits_of(&self, provider: &str) -> Capabilities {
        self.limits.get(provider).copied().unwrap_or_default()
    }

    /// The name of a provider in the price table.
    pub(super) fn priced_as<'a>(&'a self, provider: &'a str) -> Cow<'a, str> {
        match self.price_providers.get(provider) {
            Some(name) => name.as_str().into(),
            None => provider::price_name(provider).unwrap_or(provider.into()),
        }
    }

    pub(super) fn region_of(&self, provider: &str) -> Option<&str> {
        self.regions.get(provider).map(String::as_str)
    }

    /// The lengths of answers that were measured.
    pub(super) fn answer_tokens(&self) -> impl Iterator<Item = f64> {
        self.measured.values().flat_map(BTreeMap::values).filter_map(|one| one.answer_tokens)
    }

    pub(super) fn measured_of(&self, provider: &str, model: &str) -> Measured {
        self.measured
            .get(provider)
            .and_then(|models| models.get(model))
            .copied()
            .unwrap_or_default()
    }
}
