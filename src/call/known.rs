//! What a client knows of a provider's model, looked up once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::certain::{Refusals, of_profile};
use crate::catalogue::{Capabilities, Model};
use crate::chat::ReasoningEffort;
use crate::config::{ProviderSettings, Settings};
use crate::family::{ModelApi, Traits};
use crate::provider::Format;
use crate::wire::Wire;

/// What a client knows of a provider's model: from the catalogue, the price table, the provider's
/// profile and, where those know nothing, the model's name.
pub(super) struct Known {
    /// The model's name.
    pub(super) name: Arc<str>,
    /// What encoding depends on.
    pub(super) traits: Traits,
    /// The wire format of chats, unless the request asks for one; `None` if the provider has no
    /// chats.
    pub(super) wire: Option<Wire>,
    /// What is known of its abilities and limits.
    pub(super) capabilities: Capabilities,
    /// What its provider certainly refuses, so that the call can be refused before it is sent.
    pub(super) certain: Capabilities,
    /// What routes look at besides: what the provider's profile rules out, which encoding refuses
    /// with better advice, and the limits that the program has set in a price.
    pub(super) routed: Capabilities,
    /// The efforts of reasoning that its provider accepts; empty if they are unknown.
    pub(super) efforts: Vec<ReasoningEffort>,
    /// Its entry in the catalogue.
    pub(super) model: Option<Model>,
    /// Whether anything is certain that could refuse a call.
    pub(super) is_checked: bool,
    /// True until a call has found that it is deprecated; false if it is not.
    warns: AtomicBool,
}

impl Known {
    /// Looks a model up.
    pub(super) fn of(settings: &ProviderSettings, model: &str, client: &Settings) -> Self {
        let (profile, catalogue) = (&settings.profile, &client.catalogue);
        let id = profile.id.as_str();
        let found = catalogue.find(id, model);
        let own = catalogue.find_own(id, model);
        let guessed = Traits::of_name(model);
        let traits = found.as_ref().map_or(guessed, |found| found.traits(guessed));

        let (prices, priced_as) = (client.costs.prices(), &settings.price_provider);
        let (set, set_efforts) = facts(own.as_ref());
        let (listed, listed_efforts) = facts(found.as_ref());
        let ruled_out = of_profile(profile);
        let mut capabilities =
            set.or(ruled_out).or(Capabilities::of_price(prices.find(priced_as, model).as_deref()));
        // Behind another base URL, a model of this name may be another one.
        let is_listed_here = settings.is_own_address || client.check_models == Some(true);
        if is_listed_here {
            capabilities = capabilities.or(listed);
        }
        let (mut certain, mut efforts, mut routed) = Default::default();
        if client.check_models != Some(false) {
            (certain, efforts) = (set, set_efforts.to_vec());
            routed = Capabilities::of_price(prices.find_set(priced_as, model).as_deref());
        }
        if client.check_models.unwrap_or(settings.is_own_address) {
            let refusals = Refusals::of(profile);
            certain = certain.or(refusals.certain(capabilities, listed_efforts));
            if efforts.is_empty() {
                efforts = refusals.efforts(listed_efforts);
            }
        }
        let routed = ruled_out.or(routed);
        let says = own.as_ref().or(found.as_ref().filter(|_| is_listed_here));
        let warns = AtomicBool::new(says.is_some_and(Model::is_leaving));
        let wire = profile.format.map(|format| wire(id, format, model, traits.api));
        let is_checked = certain != Capabilities::default() || !efforts.is_empty();
        Self {
            name: model.into(),
            traits,
            wire,
            capabilities,
            certain,
            routed,
            efforts,
            model: found,
            is_checked,
            warns,
        }
    }

    /// Its entry in the catalogue if it is deprecated, for the first call that asks.
    pub(super) fn newly_deprecated(&self) -> Option<&Model> {
        let warns = self.warns.load(Ordering::Relaxed) && self.warns.swap(false, Ordering::Relaxed);
        self.model.as_ref().filter(|_| warns)
    }
}

/// The wire format of a model's chats.
fn wire(provider: &str, own: Format, model: &str, api: ModelApi) -> Wire {
    match (own, provider) {
        // Elsewhere a model of the same name may have both.
        (Format::OpenAiChat, "openai" | "azure") if api == ModelApi::Responses => {
            Wire::chat(Format::OpenAiResponses, model, api)
        }
        _ => Wire::chat(own, model, api),
    }
}

/// What an entry of the catalogue says; nothing if there is none.
fn facts(model: Option<&Model>) -> (Capabilities, &[ReasoningEffort]) {
    model.map_or((Capabilities::default(), &[]), |model| (model.capabilities, &model.efforts))
}
