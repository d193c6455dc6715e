//! The settings of a client, checked together with the environment.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::setters::Setters;
use super::{
    CheckedRoute, ClientBuilder, Environment, PoolConfig, ProviderConfig, ProviderSettings, Proxy,
    RootFiles, Timeouts, Tls, cleaned, limits, replay, route,
};
use crate::cache;
use crate::catalogue::Catalogue;
use crate::cost::{Budget, CostConfig, CostTracker};
use crate::error::{Error, ErrorKind};
use crate::observe::Observers;
use crate::provider::{self, ModelName, Own, Profile, Provider};
use crate::replay::Replay;
use crate::retry::{RetryConfig, Sleeper};
use crate::throttle::Rule;
#[cfg(feature = "vertex")]
use crate::url::Url;

/// The checked settings of a client.
pub(crate) struct Settings {
    /// The model of requests that name none.
    pub(crate) model: Option<String>,
    /// The profiles known besides the built-in ones.
    pub(crate) profiles: Vec<Profile>,
    pub(crate) timeouts: Timeouts,
    pub(crate) max_response_bytes: usize,
    pub(crate) max_response_head_bytes: usize,
    pub(crate) pool: PoolConfig,
    pub(crate) retry: RetryConfig,
    pub(crate) sleeper: Arc<dyn Sleeper>,
    pub(crate) idempotency_keys: bool,
    pub(crate) proxy: Proxy,
    pub(crate) tls: Option<Tls>,
    pub(crate) root_files: RootFiles,
    pub(crate) catalogue: Catalogue,
    /// Whether calls are checked against the catalogue: where set, at every address.
    pub(crate) check_models: Option<bool>,
    pub(crate) costs: CostTracker,
    pub(crate) observers: Observers,
    pub(crate) metrics: bool,
    /// `None` if no answer is kept.
    pub(crate) cache: Option<Arc<cache::Ready>>,
    /// Where calls are recorded and replayed; `None` if they are neither.
    pub(crate) replay: Option<Replay>,
}

/// The checked settings of a client and of its providers.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) settings: Settings,
    /// The provider of requests that name none.
    pub(crate) own: Option<ProviderSettings>,
    pub(crate) others: Vec<ProviderSettings>,
    pub(crate) routes: Vec<CheckedRoute>,
    /// The limits of the client and of the targets.
    pub(crate) limits: Vec<Rule>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("model", &self.model).finish_non_exhaustive()
    }
}

impl Settings {
    /// The settings of a provider that was not set up: its profile and the environment.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) if the provider is unknown, or its key or
    /// address is missing.
    pub(crate) fn provider(&self, provider: &Provider) -> Result<ProviderSettings, Error> {
        let config = ProviderConfig::new(provider);
        let (environment, setters) = (Environment::of_process(), Setters::ProviderConfig);
        config
            .check(
                &self.profiles,
                &self.timeouts,
                &self.proxy,
                &environment,
                setters,
                self.replay.is_some(),
            )
            .map_err(|problems| wrong(&problems))
    }
}

#[cfg(feature = "vertex")]
impl Settings {
    /// The proxy for a URL outside of any provider, if there is one.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) if the proxy cannot be used.
    pub(crate) fn proxy_for(&self, url: &Url) -> Result<Option<ureq::Proxy>, Error> {
        let proxy = self.proxy.resolve(url, &Environment::of_process());
        proxy.map_err(|problem| wrong(&[problem]))
    }
}

impl ClientBuilder {
    /// Checks every setting at once.
    pub(crate) fn check(mut self, environment: &Environment<'_>) -> Result<Checked, Error> {
        let mut problems = Vec::new();
        self.model = self.model.as_deref().map(cleaned).transpose().unwrap_or_else(|stray| {
            problems.push(format!("the model contains {stray}; name one, such as \"gpt-4o-mini\""));
            None
        });
        problems.extend(self.problems());
        let replay = replay::ready(self.replay.take(), environment).unwrap_or_else(|mut found| {
            problems.append(&mut found);
            None
        });
        let replays = replay.is_some();
        let observers = Observers::new(std::mem::take(&mut self.observers));
        let cache = self.cache.take().and_then(|cache| {
            let observers = observers.clone();
            let report: cache::Report =
                Box::new(move |error| observers.notify(|observer| observer.cache_failed(error)));
            cache.ready(report).map_err(|mut found| problems.append(&mut found)).ok()
        });
        let timeouts = self.time_limits.over(&Timeouts::DEFAULT);
        if let Err(problem) = self.name_provider() {
            problems.insert(0, problem);
        }
        // Requests name these profiles by id, like those of `profiles`.
        let set_up = self.providers.iter().chain([&self.own]);
        self.profiles.extend(set_up.filter_map(|config| config.profile.clone()));
        let mut check = |config: ProviderConfig, setters| {
            let (profiles, proxy) = (&self.profiles, &self.proxy);
            let checked = config.check(profiles, &timeouts, proxy, environment, setters, replays);
            checked.map_err(|mut found| problems.append(&mut found)).ok()
        };
        let configs: Vec<_> = match self.routes.is_empty() {
            true => Vec::new(),
            false => self.providers.iter().chain([&self.own]).cloned().collect(),
        };
        let own = self.own.id().is_some().then_some(self.own);
        let own = own.and_then(|own| check(own, Setters::Client));
        let others = self.providers.into_iter();
        let others: Vec<_> =
            others.filter_map(|other| check(other, Setters::ProviderConfig)).collect();
        let ids: Vec<_> = own.iter().chain(&others).map(|one| &one.profile.id).collect();
        for (at, id) in ids.iter().enumerate() {
            if ids[..at].contains(id) {
                problems.push(format!("the provider {id} is set up twice; merge its settings"));
            }
        }

        let routes = route::check(
            self.routes,
            &route::Known {
                own: own.as_ref().map(|own| Own { id: &own.profile.id, names: own.model_names }),
                profiles: &self.profiles,
                configs: &configs,
                environment,
            },
            &mut problems,
            |config| {
                let setters = Setters::ProviderConfig;
                config.check(&self.profiles, &timeouts, &self.proxy, environment, setters, replays)
            },
        );

        let mut rules = limits::check(&self.limits, &self.profiles, &mut problems);
        rules.extend(routes.iter().flat_map(CheckedRoute::limits));

        let root_files = RootFiles::find(environment).unwrap_or_else(|problem| {
            problems.push(problem);
            RootFiles::default()
        });
        let known: Vec<_> =
            ids.into_iter().chain(self.profiles.iter().map(|one| &one.id)).collect();
        let costs = tracker(self.cost_tracker, self.costs, self.budgets, &known)
            .map_err(|error| problems.push(error.message().to_owned()))
            .ok();

        match costs {
            Some(costs) if problems.is_empty() => Ok(Checked {
                settings: Settings {
                    model: self.model,
                    profiles: self.profiles,
                    timeouts,
                    max_response_bytes: self.max_response_bytes,
                    max_response_head_bytes: self.max_response_head_bytes,
                    pool: self.pool,
                    retry: self.retry,
                    sleeper: self.sleeper,
                    idempotency_keys: self.idempotency_keys,
                    proxy: self.proxy,
                    tls: self.tls,
                    root_files,
                    catalogue: self.catalogue,
                    check_models: self.check_models,
                    costs,
                    observers,
                    metrics: self.metrics,
                    cache,
                    replay,
                },
                own,
                others,
                routes,
                limits: rules,
            }),
            _ => Err(wrong(&problems)),
        }
    }

    /// Takes the provider from the model (`provider/model`) if none is set.
    fn name_provider(&mut self) -> Result<(), String> {
        if self.own.id().is_some() {
            return Ok(());
        }
        let is_route = |model: &str| self.routes.iter().any(|route| route.name == model);
        if self.model.as_deref().is_some_and(is_route) {
            return Ok(());
        }
        if let Some(model) = self.model.take_if(|model| !model.trim().is_empty()) {
            let ModelName { provider, model } = provider::resolve(&model, None, &self.profiles)
                .map_err(|error| error.message().to_owned())?;
            (self.own.provider, self.model) = (Some(provider), Some(model.to_owned()));
            return Ok(());
        }
        match self.own.first_own_setting() {
            None => Ok(()),
            Some(setting) => Err(format!(
                "{setting} is set, but no provider; call .provider(\"openai\"), for example"
            )),
        }
    }

    /// What is wrong with the settings that are not about one provider.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.model.as_deref().is_some_and(|model| model.trim().is_empty()) {
            problems.push("the model is empty; name one, such as \"gpt-4o-mini\"".to_owned());
        }
        if self.max_response_bytes == 0 {
            problems.push(
                "max_response_bytes is zero; no response could ever be read; set it above zero"
                    .to_owned(),
            );
        }
        if !HEAD_BYTES.contains(&self.max_response_head_bytes) {
            problems.push(format!(
                "max_response_head_bytes is {}; set it between {} and {}",
                self.max_response_head_bytes,
                HEAD_BYTES.start(),
                HEAD_BYTES.end()
            ));
        }
        problems.extend(self.time_limits.problems());
        problems.extend(self.pool.problems());
        problems.extend(self.retry.problems());
        if !self.retry.retry_ambiguous {
            let hedged = self.routes.iter().filter(|route| route.hedge.is_some());
            problems.extend(hedged.map(|route| {
                format!(
                    "route {:?}: it hedges, but retry_ambiguous is false; a hedge always repeats a \
                     request that may be billed, so remove the hedge or allow such retries",
                    route.name
                )
            }));
        }
        problems
    }
}

/// The shared tracker, or a new one for this client.
fn tracker(
    shared: Option<CostTracker>,
    config: Option<CostConfig>,
    budgets: Vec<Budget>,
    known: &[&Provider],
) -> Result<CostTracker, Error> {
    match shared {
        None => {
            let known: Vec<_> = known.iter().map(|id| id.as_str()).collect();
            config.unwrap_or_default().budgets(budgets).build_for(&known)
        }
        Some(shared) if config.is_none() && budgets.is_empty() => Ok(shared),
        Some(_) => Err(Error::new(
            ErrorKind::Configuration,
            "a shared cost_tracker has its own budgets and settings; set them with CostConfig when \
             you build it, not with .budget(…) or .costs(…)",
        )),
    }
}

fn wrong(problems: &[String]) -> Error {
    Error::new(ErrorKind::Configuration, problems.join("; "))
}

/// The allowed limits for a response head. Few real heads fit into less, and each connection has a
/// buffer of this size.
const HEAD_BYTES: RangeInclusive<usize> = 1024..=1024 * 1024;

#[cfg(test)]
mod tests;
