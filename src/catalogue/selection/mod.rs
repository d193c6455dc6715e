//! Which models meet the needs of a call, the best first.
//!
//! ```text
//! offer       a model with its price; judged for a call
//! lack        why it is left out
//! grounds     why it has its place
//! purpose     what it is made for, if not for chats
//! shortlist   the best few of many
//! conditions  prices, time, reachable providers, measurements
//! ```
//!
//! Everything here is a function of values and the time.

mod conditions;
mod grounds;
mod lack;
mod offer;
mod purpose;
mod shortlist;

use serde::Serialize;
use std::fmt;

use super::{Capabilities, Catalogue, Model, Needs, table};
use crate::chat::Provider;
use crate::cost::Money;
pub use conditions::{Conditions, Measured};
pub(crate) use grounds::Grounds;
pub(crate) use lack::Lack;
pub(crate) use offer::{Call, Offer};
pub(crate) use shortlist::Shortlist;

/// The models that meet the needs of a call, the best first, and why the others are left out.
///
/// `Display` shows a table.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Selection {
    /// The models that meet the needs, the best first.
    pub ranked: Vec<Selected>,
    /// The models of the same providers that do not, in the order of their names. A provider or a
    /// model that is asked for and unknown is here too.
    pub left_out: Vec<LeftOut>,
    /// The providers that are not considered because they cannot be called: they have no key.
    pub unreachable: Vec<Provider>,
}

/// A model that meets the needs of a call.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Selected {
    /// What the catalogue knows of it.
    pub model: Model,
    /// Its score: the dollars that 1,000 such calls can be expected to cost, rounded to two
    /// significant digits. The lower, the better. `None` if its price is unknown.
    pub score: Option<Money>,
    /// What one such call can be expected to cost. `None` if its price is unknown.
    pub cost: Option<Money>,
    /// Why it has its place, one phrase each, what counts most first.
    pub reasons: Vec<String>,
}

/// A model that is left out of a selection.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// Its name, as `provider/model`.
    pub name: String,
    /// Why it is left out.
    pub why: String,
}

impl Selected {
    /// Its name as `provider/model`, as requests use it.
    pub fn name(&self) -> String {
        self.model.name()
    }
}

impl Selection {
    /// The best model; `None` if none meets the needs.
    pub fn best(&self) -> Option<&Selected> {
        self.ranked.first()
    }
}

impl Catalogue {
    /// Ranks the models that meet the needs of a call, and says why each of the others is left out.
    ///
    /// The result depends on the arguments alone. [`Client::select`](crate::Client::select) passes
    /// the client's prices, providers and measurements.
    ///
    /// A model must be known to do what is needed: if the catalogue does not say whether it supports
    /// tools, a call with tools leaves it out. Retired models are always left out. Models with a
    /// special purpose, such as translation, by their names, and free variants (`:free`), whose
    /// providers may keep the prompts, are left out unless [`Needs::models`] names them. So are
    /// Azure's models, whose names are those of your deployments, unless [`Needs::providers`] names
    /// Azure.
    ///
    /// The best model is the one with the lowest score: what 1,000 such calls can be expected to
    /// cost, rounded to two significant digits. Among models with the same score, the order is:
    /// highest quality, lowest latency, largest context window, newest release, lowest exact cost,
    /// name. Unknown qualities and prices rank last. An unknown latency ranks first, so that it is
    /// measured. Models in service come before previews, and previews before deprecated models,
    /// whatever they cost.
    ///
    /// ```
    /// use tollgate::catalogue::{Catalogue, Conditions, Needs};
    ///
    /// let needs = Needs::new().tools(true).images(true).providers(["openai", "anthropic"]);
    /// let selection = Catalogue::builtin().select(&needs, &Conditions::default());
    /// let best = selection.best().expect("a model that meets the needs");
    /// println!("{}: {}", best.name(), best.reasons.join("; "));
    /// for left_out in &selection.left_out {
    ///     println!("not {}: {}", left_out.name, left_out.why);
    /// }
    /// ```
    pub fn select(&self, needs: &Needs, conditions: &Conditions) -> Selection {
        let (offers, mut selection) = self.offers(needs, conditions);
        let mut call = Call::new(needs, conditions.at);
        call.expect(conditions.answer_tokens());
        let mut ranked: Vec<(Offer, Grounds)> = Vec::new();
        for offer in offers {
            let Model { provider, id, .. } = &offer.model;
            match offer.judge(&call, conditions.measured_of(provider.as_str(), id)) {
                Ok(grounds) => ranked.push((offer, grounds)),
                Err(lack) => selection.leave_out(offer.model.name(), &lack),
            }
        }
        ranked.sort_by(|(one, grounds), (other, others)| {
            grounds.order(others).then_with(|| one.name_order(other))
        });
        let selected = |(Offer { model, .. }, grounds): (Offer, Grounds)| Selected {
            model,
            score: grounds.score,
            cost: grounds.cost,
            reasons: grounds.reasons(),
        };
        selection.ranked = ranked.into_iter().map(selected).collect();
        selection.left_out.sort_by(|one, other| one.name.cmp(&other.name));
        selection
    }

    /// The models that a call with these needs may go to, before any of them is judged. The
    /// selection says which are left out already, and has no ranking yet.
    pub(crate) fn offers(&self, needs: &Needs, conditions: &Conditions) -> (Vec<Offer>, Selection) {
        let mut selection = Selection::default();
        let mut offers = Vec::new();
        let asked = &needs.wishes.models;
        let mut is_found = vec![false; asked.len()];
        for provider in self.considered(needs, conditions.providers.as_deref(), &mut selection) {
            let priced_as = conditions.priced_as(&provider);
            let region = conditions.region_of(&provider);
            let limits = conditions.limits_of(&provider);
            for mut model in self.models(&provider) {
                let mut is_asked = asked.is_empty();
                for (name, is_found) in asked.iter().zip(&mut is_found) {
                    let is_name = is_name_of(name, &model);
                    (is_asked, *is_found) = (is_asked || is_name, *is_found || is_name);
                }
                if !is_asked {
                    continue;
                }
                let price = conditions.prices.find(&priced_as, &model.id);
                let of_price = Capabilities::of_price(price.as_deref());
                model.capabilities = limits.or(model.capabilities).or(of_price);
                let offer = Offer { model, price };
                match offer.excluded(needs, region) {
                    None => offers.push(offer),
                    Some(lack) => selection.leave_out(offer.model.name(), &lack),
                }
            }
        }
        for (name, _) in asked.iter().zip(is_found).filter(|(_, is_found)| !is_found) {
            let why = "no provider that can be called has a model of this name in the catalogue";
            selection.left_out.push(LeftOut { name: name.clone(), why: why.to_owned() });
        }
        (offers, selection)
    }

    /// The ids of the providers to consider. Notes in `selection` those that cannot be called, and
    /// those that are asked for and unknown.
    fn considered(
        &self,
        needs: &Needs,
        reachable: Option<&[String]>,
        selection: &mut Selection,
    ) -> Vec<String> {
        let asked: Vec<_> = needs.wishes.providers.iter().map(|name| self.id_of(name)).collect();
        let is_reachable = |id: &str| {
            needs.wishes.any_provider
                || reachable.is_none_or(|reachable| reachable.iter().any(|one| one == id))
        };
        let of_all = reachable.is_none() || needs.wishes.any_provider;
        let mut considered = Vec::new();
        for id in self.providers() {
            let is_asked = asked.iter().any(|asked| *asked == id);
            if !asked.is_empty() && !is_asked || !is_asked && of_all && self.is_twin(id) {
                continue;
            }
            match is_reachable(id) {
                true => considered.push(id.to_owned()),
                false => selection.unreachable.push(Provider::from(id)),
            }
        }
        for id in asked {
            if !self.providers().any(|known| known == id) {
                selection.left_out.push(LeftOut {
                    name: id.into_owned(),
                    why: "the catalogue has no models of this provider".to_owned(),
                });
            }
        }
        considered
    }

    /// Whether a provider only serves the models of another one in another format.
    pub(crate) fn is_twin(&self, id: &str) -> bool {
        self.builtin && table::section(id).is_some_and(|section| !section.is_named(id))
    }
}

impl Selection {
    fn leave_out(&mut self, name: String, lack: &Lack) {
        self.left_out.push(LeftOut { name, why: lack.to_string() });
    }
}

/// Whether a model is called this: by its own name, or with its provider in front.
fn is_name_of(name: &str, model: &Model) -> bool {
    name.eq_ignore_ascii_case(&model.id)
        || name.split_once('/').is_some_and(|(provider, id)| {
            provider.eq_ignore_ascii_case(model.provider.as_str())
                && id.eq_ignore_ascii_case(&model.id)
        })
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, one) in self.ranked.iter().enumerate() {
            writeln!(f, "{}. {}: {}", at + 1, one.name(), one.reasons.join("; "))?;
        }
        if self.ranked.is_empty() {
            writeln!(f, "no model meets the needs")?;
        }
        for one in &self.left_out {
            writeln!(f, "not {}: {}", one.name, one.why)?;
        }
        if !self.unreachable.is_empty() {
            let ids: Vec<_> = self.unreachable.iter().map(Provider::as_str).collect();
            writeln!(f, "without a key: {}", ids.join(", "))?;
        }
        Ok(())
    }
}
