//! What a selection depends on, as a client sees it.

use std::time::Instant;

use super::Caller;
use super::endpoint::Endpoints;
use crate::catalogue::{Catalogue, Conditions};
use crate::config::{Reached, Settings};

/// The providers that a client can call: those that it has settings for or has used, and those
/// whose key is in the environment.
pub(super) fn reached(
    endpoints: &Endpoints,
    settings: &Settings,
    catalogue: &Catalogue,
) -> Vec<Reached> {
    let mut all: Vec<Reached> = endpoints.settings(Reached::new);
    for id in catalogue.providers().filter(|id| !catalogue.is_twin(id)) {
        if all.iter().all(|one| one.provider.as_str() != id) {
            all.extend(settings.reached(id));
        }
    }
    all
}

impl Caller {
    /// The prices, the providers that can be called, and what has been measured of whole answers.
    pub(crate) fn conditions(&self) -> Conditions {
        let Self { endpoints, settings, routes, .. } = self;
        let all = reached(endpoints, settings, &settings.catalogue);
        let mut conditions = Conditions::default()
            .prices(settings.costs.prices().clone())
            .providers(all.iter().map(|one| one.provider.as_str()));
        for Reached { provider, price_provider, region } in all {
            conditions = conditions.price_provider(provider.as_str(), price_provider);
            if let Some(region) = region {
                conditions = conditions.region(provider.as_str(), region);
            }
        }
        for (provider, model, measured) in routes.measured(Instant::now()) {
            conditions = conditions.measured(provider, model, measured);
        }
        conditions
    }
}
