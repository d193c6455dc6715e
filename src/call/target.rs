//! Where a request is sent: a provider and one of its models.

use std::sync::Arc;

use super::endpoint::{Endpoint, Endpoints};
use super::known::Known;
use crate::config::Settings;
use crate::error::Error;
use crate::provider::{self, ModelName, Own, Provider};
use crate::transport::Transport;
use crate::wire;

/// A provider, and a model under the provider's name for it.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) endpoint: Arc<Endpoint>,
    /// The model's name, shared by all calls to it.
    pub(super) model: Arc<str>,
    pub(super) known: Arc<Known>,
}

impl Target {
    pub(super) fn new(endpoint: Arc<Endpoint>, model: &str, settings: &Settings) -> Self {
        let known = endpoint.known(model, settings);
        Self { endpoint, model: Arc::clone(&known.name), known }
    }

    /// The target as the wire formats see it.
    pub(super) fn as_wire(&self) -> wire::Target<'_> {
        let profile = &self.endpoint.settings.profile;
        wire::Target {
            provider: &profile.id,
            model: &self.model,
            traits: self.known.traits,
            dialect: &profile.dialect,
        }
    }
}

/// The target that a request asks for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked<'a> {
    /// A model, and its provider if one is named.
    Model(Option<&'a Provider>, Option<&'a str>),
    /// A provider, or the client's own. The model only labels the call.
    Provider(Option<&'a Provider>, &'a str),
}

impl Asked<'_> {
    /// The names of provider and model, if nothing more is known.
    pub(super) fn names(&self) -> (&str, &str) {
        let (provider, model) = match self {
            Self::Model(provider, model) => (provider, model.unwrap_or_default()),
            Self::Provider(provider, label) => (provider, *label),
        };
        let model = model.trim();
        match (provider, model.split_once('/')) {
            (Some(provider), _) => (provider.as_str(), model),
            (None, Some(split)) => split,
            (None, None) => ("", model),
        }
    }
}

/// Finds the target of a request, and prepares its provider on first use.
///
/// # Errors
///
/// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) without a model,
/// [`Configuration`](crate::ErrorKind::Configuration) if the provider is unknown or has no key.
pub(super) fn resolve(
    asked: Asked<'_>,
    endpoints: &Endpoints,
    settings: &Settings,
    transport: &Transport,
) -> Result<Target, Error> {
    let get = |provider: &Provider| endpoints.get(provider, settings, transport);
    let named = |name: &Provider| {
        let id = provider::id(name.as_str(), &settings.profiles);
        get(id.as_ref().unwrap_or(name))
    };
    let own = endpoints.own();
    let (provider, model) = match asked {
        Asked::Model(_, Some(model)) if model.trim().is_empty() => {
            return Err(Error::invalid_request(
                "the model is empty; name one, such as \"gpt-4o-mini\"",
            ));
        }
        Asked::Model(None, Some(model)) => {
            let own = own.map(|own| Own { id: own.id(), names: own.settings.model_names });
            let ModelName { provider, model } = provider::resolve(model, own, &settings.profiles)?;
            return Ok(Target::new(get(&provider)?, model, settings));
        }
        Asked::Model(provider, model) => (provider, model),
        Asked::Provider(provider, label) => (provider, Some(label)),
    };
    let endpoint = match (provider, own, asked) {
        (Some(provider), ..) => named(provider)?,
        (None, Some(own), _) => Arc::clone(own),
        (None, None, Asked::Model(..)) => return Err(no_model(None)),
        (None, None, Asked::Provider(..)) => {
            return Err(Error::invalid_request(
                "no provider is set; name one in the request, or for all requests with \
                 ClientBuilder::provider",
            ));
        }
    };
    let is_own = own.is_some_and(|own| Arc::ptr_eq(own, &endpoint));
    // The client's model belongs to its own provider.
    match model.or(settings.model.as_deref().filter(|_| is_own)) {
        Some(model) => Ok(Target::new(endpoint, model, settings)),
        None => Err(no_model(Some(endpoint.id()))),
    }
}

fn no_model(provider: Option<&Provider>) -> Error {
    let of = provider.map(|provider| format!(" of {provider}")).unwrap_or_default();
    Error::invalid_request(format!(
        "no model{of} is set; name one in the request, or for all requests with ClientBuilder::model"
    ))
}
