//! The lists of models that a client has read, on top of its catalogue.

use parking_lot::RwLock;
use std::sync::Arc;

use super::Caller;
use crate::catalogue::{Catalogue, Model, Refreshed};
use crate::error::Error;
use crate::models::ModelsRequest;
use crate::provider::{self, Format, Provider};

/// The catalogue of a client, with the lists of providers that were read.
pub(crate) struct Lists {
    /// As the client was built.
    base: Catalogue,
    /// Guards only the lists and their sum; no other lock is taken under it.
    read: RwLock<Read>,
}

struct Read {
    /// The base with all lists.
    catalogue: Catalogue,
    lists: Vec<(Provider, Vec<Model>)>,
    /// How many lists were read so far.
    version: u64,
}

impl Lists {
    pub(crate) fn new(base: &Catalogue) -> Self {
        let read = Read { catalogue: base.clone(), lists: Vec::new(), version: 0 };
        Self { base: base.clone(), read: RwLock::new(read) }
    }

    /// The catalogue with all lists.
    pub(crate) fn catalogue(&self) -> Catalogue {
        self.read.read().catalogue.clone()
    }

    /// Adds a list, replacing an earlier one of the same provider.
    fn add(&self, provider: Provider, models: Vec<Model>) {
        let read = &mut *self.read.write();
        read.lists.retain(|(other, _)| *other != provider);
        read.lists.push((provider, models));
        let base = self.base.clone();
        read.catalogue = read.lists.iter().fold(base, |all, (_, models)| all.with_list(models));
        read.version += 1;
    }

    fn version(&self) -> u64 {
        self.read.read().version
    }
}

impl Caller {
    /// Reads a provider's list of models, adds it to the catalogue, and lets automatic routes choose
    /// from it.
    ///
    /// # Errors
    ///
    /// As for [`models`](Self::models).
    pub(crate) fn refresh(self: &Arc<Self>, request: &ModelsRequest) -> Result<Refreshed, Error> {
        let list = self.models(request)?;
        let named = request.provider.as_ref().map(|name| {
            provider::id(name.as_str(), &self.settings.profiles).unwrap_or_else(|| name.clone())
        });
        let own = || self.endpoints.own().map(|own| own.id().clone());
        // Without any provider, the list could not be read.
        let provider = named.or_else(own).unwrap_or_else(|| Provider::from(""));
        let format = provider::find(provider.as_str(), &self.settings.profiles)
            .and_then(|profile| profile.format);
        let is_input = matches!(format, Some(Format::Gemini | Format::Anthropic));
        let models = self.lists.base.read_list(&provider, &list, is_input);
        // The base has none of the earlier lists.
        let refreshed = self.lists.catalogue().compare_list(provider.clone(), &models);
        self.lists.add(provider, models);
        loop {
            let version = self.lists.version();
            let catalogue = self.lists.catalogue();
            self.routes.refresh(&catalogue, &self.conditions(&catalogue));
            // Another thread may have added a list meanwhile, and be done with its routes already.
            if self.lists.version() == version {
                return Ok(refreshed);
            }
        }
    }
}
