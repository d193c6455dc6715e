//! `Scope`: a provider's model, and what a tracker knows about all calls to it.

use std::sync::Arc;

use super::{Budget, Price};
use crate::tags::Tags;

/// A provider's model, and what a tracker knows about all calls to it.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) provider: String,
    /// The provider's name in the price table, if it is a different one.
    pub(super) price_provider: Option<String>,
    pub(super) model: String,
    /// The percentage of the standard price that a batch costs if the table lists no price for
    /// batches; `None` for single calls.
    pub(super) batch_percent: Option<u8>,
    /// What the tracker knows; `None` before a tracker has seen it.
    pub(super) known: Option<Known>,
}

/// What a tracker knows about all calls to a model. Its prices and budgets never change.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) price: Option<Arc<Price>>,
    /// The budgets that apply to calls with the right tags, in the order of their places.
    pub(super) budgets: Vec<Applicable>,
}

/// A budget that applies to calls with the right tags.
#[derive(Debug, Clone)]
pub(super) struct Applicable {
    /// The index of the budget.
    pub(super) place: usize,
    /// The name of the account, or its start if tags are part of it.
    pub(super) account: Arc<str>,
}

impl Scope {
    /// A model that no tracker has seen.
    pub(super) fn named(provider: String, price_provider: Option<String>, model: String) -> Self {
        Self { provider, price_provider, model, batch_percent: None, known: None }
    }

    /// What a price of the table is for these calls.
    pub(super) fn priced(&self, price: Arc<Price>) -> Arc<Price> {
        match self.batch_percent {
            Some(percent) => Arc::new(price.of_batch(percent)),
            None => price,
        }
    }

    /// The provider's name in the price table.
    pub(super) fn prices(&self) -> &str {
        self.price_provider.as_deref().unwrap_or(&self.provider)
    }

    /// The price of the model, or the one that the tracker assumes.
    pub(super) fn price(&self) -> Option<&Arc<Price>> {
        self.known.as_ref()?.price.as_ref()
    }

    /// The budgets of `all` that apply to a call with these tags.
    pub(super) fn applying<'a>(
        &'a self,
        all: &'a [Budget],
        tags: &'a Tags,
    ) -> impl Iterator<Item = (&'a Applicable, &'a Budget)> {
        let budgets = self.known.as_ref().map_or(&[][..], |known| &known.budgets);
        budgets
            .iter()
            .map(|applicable| (applicable, &all[applicable.place]))
            .filter(|(_, budget)| budget.has_tags(tags))
    }
}
