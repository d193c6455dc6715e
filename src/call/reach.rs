//! What a selection depends on, as a client sees it.

use std::time::Instant;

use super::Caller;
use super::certain::of_profile;
use super::endpoint::Endpoints;
use crate::catalogue::{Catalogue, Conditions};
use crate::config::{Reached, Settings};
use crate::provider::Provider;

/// The providers that a client can call: those that it has settings for or has used, and those whose
/// key is in the environment.
fn reached(endpoints: &Endpoints, settings: &Settings, catalogue: &Catalogue) -> Vec<Reached> {
    let mut all: Vec<Reached> = endpoints.settings(Reached::new);
    for id in catalogue.providers().filter(|id| !catalogue.is_twin(id)) {
        if all.iter().all(|one| one.profile.id.as_str() != id) {
            all.extend(settings.reached(id));
        }
    }
    all
}

/// The prices of a client and the providers that it can call.
pub(super) fn conditions(
    endpoints: &Endpoints,
    settings: &Settings,
    catalogue: &Catalogue,
) -> Conditions {
    let all = reached(endpoints, settings, catalogue);
    let mut conditions = Conditions::default()
        .prices(settings.costs.prices().clone())
        .providers(all.iter().map(|one| one.profile.id.as_str()));
    for Reached { profile, price_provider, region } in all {
        let id = profile.id.as_str();
        conditions = conditions.price_provider(id, price_provider);
        conditions = conditions.limits(id, of_profile(&profile));
        if let Some(region) = region {
            conditions = conditions.region(id, region);
        }
    }
    conditions
}

impl Caller {
    /// The ids of the providers that can be called.
    pub(crate) fn reached(&self) -> Vec<Provider> {
        let all = reached(&self.endpoints, &self.settings, &self.lists.catalogue());
        all.into_iter().map(|one| one.profile.id).collect()
    }

    /// What a selection depends on, with what has been measured of whole answers.
    pub(crate) fn conditions(&self, catalogue: &Catalogue) -> Conditions {
        let now = Instant::now();
        let conditions = conditions(&self.endpoints, &self.settings, catalogue);
        self.routes.states().into_iter().fold(conditions, |conditions, state| {
            conditions.measured(&state.provider, &state.model, state.measured(false, now))
        })
    }
}
