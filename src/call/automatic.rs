//! Automatic routes: the models that they choose from, and the targets that they make for a call.

use parking_lot::RwLock;
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use super::Caller;
use super::routes::{Callee, Route};
use crate::catalogue::{
    Call, Catalogue, Conditions, Lack, Measured, Model, Needs, Offer, Selection, Shortlist,
};
use crate::config::{self, Classifier};
use crate::error::{Error, ErrorKind};
use crate::provider::Provider;
use crate::routing::{
    BreakerConfig, Hedge, RouteState, RoutedTarget, Rules, Strategy, TargetState, TargetStatus,
};

/// A route that finds the targets of each call itself.
pub(super) struct AutoRoute {
    pub(super) name: String,
    /// Its place among the routes.
    place: usize,
    strategy: Arc<dyn Strategy>,
    rules: Rules,
    classifier: Option<Arc<dyn Classifier>>,
    breaker: BreakerConfig,
    needs: Needs,
    /// The most targets of a call.
    places: usize,
    states: Arc<States>,
    /// Guards only the pointer; no other lock is taken under it.
    candidates: RwLock<Arc<Candidates>>,
}

/// The health of the models that are called with the client's own keys, which all routes share.
#[derive(Default)]
pub(super) struct States {
    /// Guards only the list; no other lock is taken under it.
    all: RwLock<Vec<Arc<TargetState>>>,
}

/// The models that a route chooses from.
struct Candidates {
    list: Vec<Candidate>,
    /// What was left out from the start.
    selection: Selection,
}

struct Candidate {
    offer: Offer,
    /// Its health, if it was known when the route was made.
    state: Option<Arc<TargetState>>,
    /// Its target, from its first place in a shortlist on.
    target: OnceLock<Arc<Made>>,
}

/// A target, as calls get it.
struct Made {
    routed: RoutedTarget,
    callee: Arc<Callee>,
}

impl States {
    /// Adds the health of a target of another route.
    pub(super) fn add(&self, state: &Arc<TargetState>) {
        self.all.write().push(Arc::clone(state));
    }

    fn find(&self, model: &Model) -> Option<Arc<TargetState>> {
        self.all.read().iter().find(|state| is_of(state, model)).cloned()
    }

    fn get(&self, model: &Model, new: impl FnOnce() -> TargetState) -> Arc<TargetState> {
        let mut all = self.all.write();
        if let Some(state) = all.iter().find(|state| is_of(state, model)) {
            return Arc::clone(state);
        }
        let state = Arc::new(new());
        all.push(Arc::clone(&state));
        state
    }
}

/// Whether this is the health of a model.
fn is_of(state: &TargetState, model: &Model) -> bool {
    state.model == model.id && state.provider == model.provider.as_str()
}

impl AutoRoute {
    pub(super) fn new(
        route: config::Route,
        place: usize,
        rules: Rules,
        states: &Arc<States>,
        catalogue: &Catalogue,
        conditions: &Conditions,
    ) -> Self {
        let strategy = route.chosen_strategy();
        let mut needs = route.auto.needs.unwrap_or_default();
        if let Some(most) = route.max_price {
            needs = needs.and_max_price(most);
        }
        let candidates = Candidates::new(catalogue, &needs, conditions, states, None);
        let candidates = RwLock::new(Arc::new(candidates));
        Self {
            name: route.name,
            place,
            strategy,
            rules,
            classifier: route.classifier,
            breaker: route.breaker,
            needs,
            places: route.auto.places,
            states: Arc::clone(states),
            candidates,
        }
    }

    /// Finds the models to choose from again. Models that stay keep their health.
    pub(super) fn refresh(&self, catalogue: &Catalogue, conditions: &Conditions) {
        let old = Arc::clone(&self.candidates.read());
        let (needs, states) = (&self.needs, &self.states);
        let new = Candidates::new(catalogue, needs, conditions, states, Some(&old));
        *self.candidates.write() = Arc::new(new);
    }

    /// Makes the route of a call with these needs.
    ///
    /// # Errors
    ///
    /// If no model meets them.
    pub(super) fn route(
        &self,
        request: &Needs,
        streamed: bool,
        caller: &Caller,
    ) -> Result<Route, Error> {
        let (now, at) = (Instant::now(), SystemTime::now());
        let needs = request.under(&self.needs);
        let call = Call::new(&needs, at);
        let candidates = Arc::clone(&self.candidates.read());
        let list = &candidates.list;
        let offers = list.iter().map(|one| &one.offer);
        let Shortlist { chosen, left_out } =
            Shortlist::new(offers, call, |at| list[at].measured(streamed, now), self.places);
        if chosen.is_empty() {
            return Err(self.none_fits(&candidates, &left_out));
        }
        let mut routed = Vec::with_capacity(chosen.len());
        let mut callees = Vec::with_capacity(chosen.len());
        for (at, _) in &chosen {
            let made = self.made(&list[*at], *at, now, caller);
            routed.push(made.routed.clone());
            callees.push(Arc::clone(&made.callee));
        }
        let grounds = chosen.into_iter().map(|(_, grounds)| grounds).collect();
        let (name, strategy) = (self.name.clone(), Arc::clone(&self.strategy));
        let state = RouteState::ranked(name, strategy, self.rules, routed, grounds, left_out);
        // The price limit is among the needs.
        let classifier = self.classifier.clone();
        Ok(Route {
            state: Arc::new(state),
            max_price: None,
            cascade: None,
            classifier,
            targets: callees,
        })
    }

    fn made<'a>(
        &self,
        candidate: &'a Candidate,
        at: usize,
        now: Instant,
        caller: &Caller,
    ) -> &'a Arc<Made> {
        candidate.target.get_or_init(|| {
            let model = &candidate.offer.model;
            let (provider, id) = (model.provider.as_str(), &*model.id);
            let new = || TargetState::new(provider, id, self.breaker, now);
            let state = candidate.state.clone().unwrap_or_else(|| self.states.get(model, new));
            if self.rules.hedge.is_some_and(Hedge::is_measured) {
                state.keep_percentiles();
            }
            let mut routed = RoutedTarget::new(model.name(), state);
            routed.capabilities = model.capabilities;
            let Caller { endpoints, settings, .. } = caller;
            let (provider, place) = (model.provider.clone(), (self.place, at));
            let callee = Callee::plain(provider, id.to_owned(), place, endpoints, settings);
            Arc::new(Made { routed, callee: Arc::new(callee) })
        })
    }

    fn none_fits(&self, candidates: &Candidates, left_out: &[(Lack, usize)]) -> Error {
        let name = &self.name;
        if !candidates.list.is_empty() {
            let message = format!(
                "the automatic route {name:?} knows no model that meets the needs of this call: {}",
                Shortlist::describe(left_out).join("; ")
            );
            let all = |is: fn(&Lack) -> bool| left_out.iter().all(|(lack, _)| is(lack));
            let kind = match () {
                () if all(Lack::is_size) => ErrorKind::ContextWindowExceeded,
                () if all(Lack::is_price) => ErrorKind::BudgetExceeded,
                () => ErrorKind::InvalidRequest,
            };
            return Error::new(kind, message);
        }
        let Selection { left_out, unreachable, .. } = &candidates.selection;
        let why = match (&left_out[..], &unreachable[..]) {
            ([], []) => "the catalogue is empty".to_owned(),
            ([], all) => {
                let ids: Vec<_> = all.iter().map(Provider::as_str).collect();
                format!(
                    "the client has no key for any of these providers: {}; set the environment \
                     variable of one, such as OPENAI_API_KEY, or call ClientBuilder::add_provider",
                    ids.join(", ")
                )
            }
            ([first, rest @ ..], _) => {
                let more = match rest.len() {
                    0 => String::new(),
                    count => format!(", and {count} others are left out too"),
                };
                format!("{}: {}{more}", first.name, first.why)
            }
        };
        let message = format!("the automatic route {name:?} has no models to choose from: {why}");
        Error::new(ErrorKind::Configuration, message)
    }

    /// The state of the models that have had a place in a shortlist.
    pub(super) fn status(&self, now: Instant) -> Vec<TargetStatus> {
        let candidates = Arc::clone(&self.candidates.read());
        let made = candidates.list.iter().filter_map(|one| one.target.get());
        made.map(|made| made.routed.status(&self.name, now)).collect()
    }

    /// The health of these models.
    pub(super) fn states(&self) -> Vec<Arc<TargetState>> {
        let candidates = Arc::clone(&self.candidates.read());
        let made = candidates.list.iter().filter_map(|one| one.target.get());
        made.map(|made| Arc::clone(&made.routed.state)).collect()
    }
}

impl Candidates {
    /// The models that calls with these needs may go to. Those that were among the `old` ones keep
    /// their targets.
    fn new(
        catalogue: &Catalogue,
        needs: &Needs,
        conditions: &Conditions,
        states: &States,
        old: Option<&Self>,
    ) -> Self {
        let (offers, selection) = catalogue.offers(needs, conditions);
        let old = old.into_iter().flat_map(|old| &old.list);
        let kept: Vec<_> = old.filter_map(|one| Some((&one.offer, one.target.get()?))).collect();
        let target = |offer: &Offer| {
            let (_, made) = kept.iter().find(|(old, _)| old.name_order(offer).is_eq())?;
            let Made { routed, callee } = &***made;
            let mut routed = routed.clone();
            routed.capabilities = offer.model.capabilities;
            Some(Arc::new(Made { routed, callee: Arc::clone(callee) }))
        };
        let candidate = |offer: Offer| Candidate {
            state: states.find(&offer.model),
            target: target(&offer).map_or_else(OnceLock::new, OnceLock::from),
            offer,
        };
        Self { list: offers.into_iter().map(candidate).collect(), selection }
    }
}

impl Candidate {
    fn measured(&self, streamed: bool, now: Instant) -> Measured {
        let state = self.state.as_ref().or_else(|| Some(&self.target.get()?.routed.state));
        state.map(|state| state.measured(streamed, now)).unwrap_or_default()
    }
}
