//! The routes of a client, with the providers that their targets call.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use super::Caller;
use super::automatic::{AutoRoute, States};
use super::endpoint::{Endpoint, Endpoints};
use super::known::Known;
use super::reach;
use super::target::{Asked, Target};
use crate::catalogue::{Capabilities, Catalogue, Conditions};
use crate::chat::{ReasoningEffort, Usage};
use crate::config::{Cascade, CheckedRoute, Classifier, ProviderSettings, Settings};
use crate::cost::{MaxPrice, Money};
use crate::error::Error;
use crate::observed::Server;
use crate::provider::Provider;
use crate::routing::{Expected, Hedge, RouteState, RoutedTarget, Rules, TargetState, TargetStatus};
use crate::throttle::TargetId;
use crate::transport::Transport;

/// The routes of a client.
pub(crate) struct Routes {
    set: Vec<Route>,
    automatic: Vec<AutoRoute>,
}

/// A route for one call: one of the client's, or one that was made for it.
pub(super) enum CallRoute<'a> {
    Set(&'a Route),
    Made(Box<Route>),
}

/// A route that a request names.
pub(super) enum Found<'a> {
    Set(&'a Route),
    Automatic(&'a AutoRoute),
}

/// A route, ready for calls.
pub(super) struct Route {
    pub(super) state: Arc<RouteState>,
    pub(super) max_price: Option<MaxPrice>,
    pub(super) cascade: Option<Cascade>,
    pub(super) classifier: Option<Arc<dyn Classifier>>,
    pub(super) targets: Vec<Arc<Callee>>,
}

/// What a target calls.
pub(super) struct Callee {
    provider: Provider,
    model: Arc<str>,
    /// The provider: with the target's own settings, or the client's once it has been used.
    endpoint: OnceLock<Arc<Endpoint>>,
    /// Whether it has settings of its own.
    has_own: bool,
    /// The place of the target, or of the one it is the same as.
    id: TargetId,
    /// What is known of the model, if the provider's settings are complete.
    known: Option<Arc<Known>>,
    /// What it certainly cannot do: as the target sets it, and as far as that is known.
    certain: Capabilities,
    /// Whether anything is certain that could refuse a call.
    is_checked: bool,
}

impl Routes {
    pub(crate) fn new(
        checked: Vec<CheckedRoute>,
        endpoints: &Endpoints,
        settings: &Settings,
        transport: &Transport,
        now: Instant,
    ) -> Result<Self, Error> {
        let mut set: Vec<Route> = Vec::with_capacity(checked.len());
        let mut automatic = Vec::new();
        // By the place of the route; those of automatic routes are made when they are needed.
        let mut states: Vec<Vec<Arc<TargetState>>> = Vec::with_capacity(checked.len());
        for (place, CheckedRoute { route, targets }) in checked.into_iter().enumerate() {
            let rules = Rules {
                short_wait: route.short_wait,
                reroute_refusals: route.reroute_refusals,
                wait_for_targets: route.wait_for_targets,
                hedge: route.hedge,
            };
            if route.auto.is_on {
                automatic.push((place, route, rules));
                states.push(Vec::new());
                continue;
            }
            let strategy = route.chosen_strategy();
            let mut routed: Vec<RoutedTarget> = Vec::with_capacity(targets.len());
            let mut callees = Vec::with_capacity(targets.len());
            states.push(Vec::with_capacity(targets.len()));
            for (target, set) in targets.into_iter().zip(route.targets) {
                let new = || {
                    let (provider, model) = (target.provider.as_str(), &target.model);
                    Arc::new(TargetState::new(provider, model, route.breaker, now))
                };
                let state = match target.same_as {
                    Some((place, at)) => Arc::clone(&states[place][at]),
                    None => new(),
                };
                states[place].push(Arc::clone(&state));
                if route.hedge.is_some_and(Hedge::is_measured) {
                    state.keep_percentiles();
                }
                let (provider, model) = (&target.provider, &target.model);
                let known = known(provider, model, target.settings.as_ref(), endpoints, settings);
                let listed = match &known {
                    Some(known) => known.capabilities,
                    // Its provider's settings are incomplete, so it serves no call.
                    None => Capabilities::default(),
                };
                let certain = set.capabilities.or(certain(known.as_deref()));
                let capabilities = set.capabilities.or(listed);
                let mut one = RoutedTarget::new(target.name, state);
                (one.weight, one.region) = (set.weight, set.region);
                (one.enabled, one.capabilities) = (set.enabled, capabilities);
                routed.push(one);
                let own = target.settings;
                let own = own.map(|own| Endpoint::new(own, settings, transport)).transpose()?;
                let endpoint = own.map_or_else(OnceLock::new, |own| Arc::new(own).into());
                let (provider, model, id) = (target.provider, target.model.into(), target.id);
                let callee = Callee::new(provider, model, endpoint, id, known, certain);
                callees.push(Arc::new(callee));
            }
            let state = Arc::new(RouteState::new(route.name, strategy, rules, routed));
            set.push(Route {
                state,
                max_price: route.max_price,
                cascade: route.cascade,
                classifier: route.classifier,
                targets: callees,
            });
        }
        let mut routes = Self { set, automatic: Vec::new() };
        if !automatic.is_empty() {
            let shared = Arc::new(States::default());
            routes.own().for_each(|target| shared.add(&target.state));
            let catalogue = &settings.catalogue;
            let conditions = reach::conditions(endpoints, settings, catalogue);
            let made = automatic.into_iter().map(|(place, route, rules)| {
                AutoRoute::new(route, place, rules, &shared, catalogue, &conditions)
            });
            routes.automatic = made.collect();
        }
        Ok(routes)
    }

    /// The targets that are set and have no key or settings of their own.
    fn own(&self) -> impl Iterator<Item = &RoutedTarget> {
        let targets =
            self.set.iter().flat_map(|route| route.state.targets.iter().zip(&route.targets));
        targets.filter(|(_, callee)| !callee.has_own).map(|(target, _)| target)
    }

    /// Finds the route that a request names, or that the client's `model` names if the request
    /// names none.
    pub(super) fn find(&self, asked: Asked<'_>, model: Option<&str>) -> Option<Found<'_>> {
        if self.is_empty() {
            return None;
        }
        let Asked::Model(None, asked) = asked else { return None };
        let name = asked.or(model)?;
        let set = self.set.iter().find(|route| route.state.name == name);
        let automatic = || self.automatic.iter().find(|route| route.name == name);
        set.map(Found::Set).or_else(|| automatic().map(Found::Automatic))
    }

    fn is_empty(&self) -> bool {
        self.set.is_empty() && self.automatic.is_empty()
    }

    /// The names of all routes.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let set = self.set.iter().map(|route| route.state.name.as_str());
        set.chain(self.automatic.iter().map(|route| route.name.as_str()))
    }

    /// The health of each model that is called with the client's own key.
    pub(super) fn states(&self) -> Vec<Arc<TargetState>> {
        let set = self.own().map(|target| Arc::clone(&target.state));
        set.chain(self.automatic.iter().flat_map(AutoRoute::states)).collect()
    }

    /// Lets automatic routes choose from the models in a catalogue.
    pub(super) fn refresh(&self, catalogue: &Catalogue, conditions: &Conditions) {
        self.automatic.iter().for_each(|route| route.refresh(catalogue, conditions));
    }

    /// The state of all targets.
    pub(crate) fn status(&self, now: Instant) -> Vec<TargetStatus> {
        let set = self.set.iter().flat_map(|route| route.state.status(now));
        set.chain(self.automatic.iter().flat_map(|route| route.status(now))).collect()
    }
}

impl Found<'_> {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Set(route) => &route.state.name,
            Self::Automatic(route) => &route.name,
        }
    }
}

impl Deref for CallRoute<'_> {
    type Target = Route;

    fn deref(&self) -> &Route {
        match self {
            Self::Set(route) => route,
            Self::Made(route) => route,
        }
    }
}

impl Route {
    /// The server and the model of its target, if it has only one.
    pub(super) fn only(&self, caller: &Caller) -> Option<(Arc<Server>, Arc<str>)> {
        let [callee] = &self.targets[..] else { return None };
        let Caller { endpoints, settings, transport, .. } = caller;
        let endpoint = callee.endpoint(endpoints, settings, transport).ok()?;
        Some((Arc::clone(&endpoint.server), Arc::clone(&callee.model)))
    }

    /// Prepares the provider of a target on its first use.
    ///
    /// # Errors
    ///
    /// As for [`Endpoints::get`].
    pub(super) fn target(
        &self,
        at: usize,
        endpoints: &Endpoints,
        settings: &Settings,
        transport: &Transport,
    ) -> Result<Target, Error> {
        let callee = &self.targets[at];
        let endpoint = callee.endpoint(endpoints, settings, transport)?;
        let (endpoint, model) = (Arc::clone(endpoint), Arc::clone(&callee.model));
        Ok(match &callee.known {
            Some(known) => Target { endpoint, model, known: Arc::clone(known) },
            None => Target::new(endpoint, &model, settings),
        })
    }

    /// What the model of a target certainly cannot do, and the efforts of reasoning that it has.
    /// `None` if nothing is certain that could refuse a call.
    pub(super) fn certain(&self, at: usize) -> Option<(&Capabilities, &[ReasoningEffort])> {
        let Callee { certain, known, is_checked, .. } = &*self.targets[at];
        is_checked.then(|| (certain, efforts(known.as_deref())))
    }

    /// The place of a target for limits, and its name if it has settings of its own.
    pub(super) fn place(&self, at: usize) -> (TargetId, Option<&str>) {
        let Callee { has_own, id, .. } = *self.targets[at];
        (id, has_own.then(|| self.state.targets[at].name.as_str()))
    }

    /// What a call with this prompt can be expected to cost at a target; `None` if it has no known
    /// price.
    pub(super) fn expected_cost(
        &self,
        at: usize,
        prompt_bytes: usize,
        expected: Expected,
        caller: &Caller,
    ) -> Option<Money> {
        let Caller { endpoints, settings, transport, .. } = caller;
        let callee = &self.targets[at];
        let endpoint = callee.endpoint(endpoints, settings, transport).ok()?;
        let prices = settings.costs.prices();
        let price = prices.find(&endpoint.settings.price_provider, &callee.model)?;
        let prompt = Usage::estimated(prompt_bytes, 0).prompt_tokens;
        #[allow(clippy::cast_possible_truncation)]
        let tokens = |count: f64| count.round() as u64;
        let output = tokens(expected.output_tokens);
        let usage = Usage {
            cached_tokens: tokens(prompt as f64 * expected.cached_share),
            ..Usage::reported(prompt, output)
        };
        Some(price.cost(&usage, None, SystemTime::now()).total)
    }
}

impl Callee {
    /// A model that is called with the client's settings for its provider.
    pub(super) fn plain(
        provider: Provider,
        model: String,
        id: TargetId,
        endpoints: &Endpoints,
        settings: &Settings,
    ) -> Self {
        let known = known(&provider, &model, None, endpoints, settings);
        let certain = certain(known.as_deref());
        Self::new(provider, model.into(), OnceLock::new(), id, known, certain)
    }

    /// A model, called with the client's settings unless `endpoint` has others.
    fn new(
        provider: Provider,
        model: Arc<str>,
        endpoint: OnceLock<Arc<Endpoint>>,
        id: TargetId,
        known: Option<Arc<Known>>,
        certain: Capabilities,
    ) -> Self {
        let is_checked =
            certain != Capabilities::default() || !efforts(known.as_deref()).is_empty();
        let has_own = endpoint.get().is_some();
        Self { provider, model, endpoint, has_own, id, known, certain, is_checked }
    }

    fn endpoint(
        &self,
        endpoints: &Endpoints,
        settings: &Settings,
        transport: &Transport,
    ) -> Result<&Arc<Endpoint>, Error> {
        if let Some(endpoint) = self.endpoint.get() {
            return Ok(endpoint);
        }
        let endpoint = endpoints.get(&self.provider, settings, transport)?;
        Ok(self.endpoint.get_or_init(|| endpoint))
    }
}

/// What the model of a target certainly cannot do.
fn certain(known: Option<&Known>) -> Capabilities {
    known.map(|known| known.certain.or(known.routed)).unwrap_or_default()
}

/// The efforts of reasoning that the model of a target has; empty if they are unknown.
fn efforts(known: Option<&Known>) -> &[ReasoningEffort] {
    known.map_or(&[], |known| &known.efforts)
}

/// What is known of the model of a target; `None` if the settings of its provider are incomplete.
/// `own` are the target's own settings.
fn known(
    provider: &Provider,
    model: &str,
    own: Option<&ProviderSettings>,
    endpoints: &Endpoints,
    settings: &Settings,
) -> Option<Arc<Known>> {
    let of = |own: &ProviderSettings| Arc::new(Known::of(own, model, settings));
    match own {
        Some(own) => Some(of(own)),
        None => endpoints.with_settings(provider, settings, of),
    }
}
