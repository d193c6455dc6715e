//! What a request is sent to: a provider and one of its models.

use std::sync::Arc;

use super::endpoint::{Endpoint, Endpoints};
use crate::config::Settings;
use crate::error::Error;
use crate::provider::{self, ModelName, Own, Provider};
use crate::transport::Transport;

/// A provider, and a model as it names it.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) model: String,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) provider: Option<&'a Provider>,
    pub(super) model: Option<&'a str>,
}

impl Asked<'_> {
    /// The provider and the model, where nothing more is known of them.
    pub(super) fn names(&self) -> (&str, &str) {
        let model = self.model.unwrap_or_default().trim();
        match (self.provider, model.split_once('/')) {
            (Some(provider), _) => (provider.as_str(), model),
            (None, Some(split)) => split,
            (None, None) => ("", model),
        }
    }
}

/// Finds the target of a request, and prepares its provider on its first use.
///
/// # Errors
///
/// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) without a model,
/// [`Configuration`](crate::ErrorKind::Configuration) for a provider that is not known, or one that
/// has no key.
pub(super) fn resolve(
    asked: Asked<'_>,
    endpoints: &Endpoints,
    settings: &Settings,
    transport: &Transport,
) -> Result<Target, Error> {
    if asked.model.is_some_and(|model| model.trim().is_empty()) {
        return Err(Error::invalid_request("the model is empty"));
    }
    let get = |provider: &Provider| endpoints.get(provider, settings, transport);
    let own = endpoints.own();
    let endpoint = match (asked.provider, asked.model) {
        (Some(name), _) => {
            let id = provider::id(name.as_str(), &settings.profiles);
            get(id.as_ref().unwrap_or(name))?
        }
        (None, Some(model)) => {
            let names = |own: &'_ Arc<Endpoint>| own.settings.model_names;
            let own = own.map(|own| Own { id: own.id(), names: names(own) });
            let ModelName { provider, model } = provider::resolve(model, own, &settings.profiles)?;
            return Ok(Target { endpoint: get(&provider)?, model: model.to_owned() });
        }
        (None, None) => match own {
            Some(own) => Arc::clone(own),
            None => return Err(no_model(None)),
        },
    };
    let is_own = own.is_some_and(|own| Arc::ptr_eq(own, &endpoint));
    // The client's model is a name of its own provider's.
    match asked.model.or(settings.model.as_deref().filter(|_| is_own)) {
        Some(model) => Ok(Target { endpoint, model: model.to_owned() }),
        None => Err(no_model(Some(endpoint.id()))),
    }
}

fn no_model(provider: Option<&Provider>) -> Error {
    let of = provider.map(|provider| format!(" of {provider}")).unwrap_or_default();
    Error::invalid_request(format!(
        "no model{of}; name one in the request, or for all requests by ClientBuilder::model"
    ))
}
