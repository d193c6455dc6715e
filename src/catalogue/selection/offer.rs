//! A model that a selection may choose, and whether it meets the needs of a call.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::SystemTime;

use super::grounds::{Class, Grounds};
use super::lack::Lack;
use super::{Measured, purpose};
use crate::catalogue::{Model, ModelApi, ModelDate, ModelStatus, Needs};
use crate::cost::{MaxPrice, Money, Price};
use crate::usage::Usage;

/// The input tokens that a call is taken to have if nothing says how many.
const USUAL_PROMPT: u64 = 1_000;

/// The output tokens that a call is taken to have if nothing says how many.
const USUAL_ANSWER: f64 = 300.0;

/// The bytes of a token in dense text, such as code and languages without a Latin alphabet. The
/// prompt may have as many tokens.
const DENSE_BYTES: u64 = 3;

/// A model that a selection may choose.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) model: Model,
    pub(crate) price: Option<Arc<Price>>,
}

/// What a call needs, in the form in which models are judged by it.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    pub(crate) needs: &'a Needs,
    at: SystemTime,
    today: ModelDate,
    /// The tokens of the prompt, about.
    prompt: u64,
    /// The most that they are likely to be.
    dense_prompt: u64,
    /// The tokens of an answer where none was measured.
    usual_answer: f64,
}

impl<'a> Call<'a> {
    pub(crate) fn new(needs: &'a Needs, at: SystemTime) -> Self {
        let bytes = needs.prompt_bytes;
        let (prompt, dense_prompt) = match needs.wishes.prompt_tokens {
            Some(tokens) => (tokens, tokens),
            None if bytes == 0 => (USUAL_PROMPT, USUAL_PROMPT),
            None => {
                let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                (Usage::estimated(bytes, 0).prompt_tokens, needs.prompt_bytes / DENSE_BYTES)
            }
        };
        let (today, usual_answer) = (ModelDate::on(at), USUAL_ANSWER);
        Self { needs, at, today, prompt, dense_prompt, usual_answer }
    }

    /// Expects answers of the mean length where none was measured, so that a model is not preferred
    /// because nobody has tried the others.
    pub(crate) fn expect(&mut self, measured: impl Iterator<Item = f64>) {
        let (sum, count) = measured.fold((0.0, 0.0), |(sum, count), one| (sum + one, count + 1.0));
        if count > 0.0 {
            self.usual_answer = sum / count;
        }
    }

    /// The tokens that a model with these answers can be expected to write.
    fn answer(&self, measured: Measured) -> u64 {
        let most = self.needs.max_output.unwrap_or(u64::MAX);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let usual = || measured.answer_tokens.unwrap_or(self.usual_answer).round() as u64;
        self.needs.wishes.answer_tokens.unwrap_or_else(usual).min(most)
    }

    fn usage(&self, measured: Measured) -> Usage {
        let share = measured.cached_share.unwrap_or(0.0).clamp(0.0, 1.0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let cached_tokens = (self.prompt as f64 * share).round() as u64;
        Usage { cached_tokens, ..Usage::reported(self.prompt, self.answer(measured)) }
    }
}

impl Offer {
    /// Returns why it is left out of every selection with these needs, whatever the call.
    pub(crate) fn excluded(&self, needs: &Needs, region: Option<&str>) -> Option<Lack> {
        let model = &self.model;
        if !matches!(model.api, None | Some(ModelApi::Chat | ModelApi::Responses)) {
            return Some(Lack::NoChat);
        }
        // A program that names models knows what they are for.
        if needs.wishes.models.is_empty() {
            if let Some(purpose) = purpose::of(model) {
                return Some(Lack::MadeFor(purpose));
            }
            let is_deployed = model.provider.as_str().starts_with("azure");
            if is_deployed && needs.wishes.providers.is_empty() {
                return Some(Lack::Deployment);
            }
        }
        let wanted = &needs.wishes.regions;
        if wanted.is_empty() {
            return None;
        }
        let regions = model.regions.iter().map(|region| &**region);
        let mut regions = regions.chain(region.filter(|_| model.regions.is_empty())).peekable();
        if regions.peek().is_none() {
            return Some(Lack::Unknown("one of the regions"));
        }
        let is_wanted = |region: &str| wanted.iter().any(|begin| begins(region, begin));
        (!regions.any(is_wanted)).then_some(Lack::Region)
    }

    /// By provider, then by name.
    pub(crate) fn name_order(&self, other: &Self) -> Ordering {
        let (one, two) = (&self.model, &other.model);
        one.provider.as_str().cmp(two.provider.as_str()).then_with(|| one.id.cmp(&two.id))
    }

    /// Judges it for a call.
    ///
    /// # Errors
    ///
    /// Why it is left out.
    pub(crate) fn judge(&self, call: &Call<'_>, measured: Measured) -> Result<Grounds, Lack> {
        let (needs, model) = (call.needs, &self.model);
        let can = &model.capabilities;
        let (status, retired) = model.status_on(call.today);
        if status == Some(ModelStatus::Retired) {
            return Err(Lack::Retired(retired));
        }
        let require = |needed: bool, can: Option<bool>, what: &'static str| match can {
            _ if !needed => Ok(()),
            Some(true) => Ok(()),
            Some(false) => Err(Lack::Cannot(what)),
            None => Err(Lack::Unknown(what)),
        };
        for ability in needs.abilities(can) {
            require(ability.needed, ability.can, ability.what)?;
        }
        require(needs.parallel_tools, can.parallel_tools, "several tool calls at once")?;
        let has_effort = |effort| model.efforts.is_empty() || model.efforts.contains(&effort);
        if needs.reasoning && !needs.effort.is_none_or(has_effort) {
            return Err(Lack::Cannot("the reasoning effort"));
        }
        if needs.sampling && can.temperature == Some(false) {
            return Err(Lack::Cannot("a temperature"));
        }
        let fits_surely = self.fits(call, measured)?;
        let quality = model.quality;
        if let Some(needed) = needs.wishes.quality {
            let has = quality.ok_or(Lack::Unknown("the quality that is wanted"))?;
            if has < needed {
                return Err(Lack::Quality { has, needed });
            }
        }
        if let Some(most) = &needs.wishes.max_price {
            self.is_affordable(most, call)?;
        }
        if let (Some(measured), Some(most)) = (measured.latency, needs.wishes.max_latency) {
            if measured > most {
                return Err(Lack::Latency { measured, most });
            }
        }
        let usage = call.usage(measured);
        let cost = self.price.as_ref().map(|price| price.cost(&usage, None, call.at).total);
        Ok(Grounds {
            class: Class { rests: measured.rests, tight: !fits_surely, status },
            score: cost.map(|cost| two_digits(cost * 1_000)),
            cost,
            quality,
            latency: measured.latency,
            window: can.context_window.unwrap_or(0),
            released: model.released,
            tokens: (usage.prompt_tokens, usage.completion_tokens),
        })
    }

    /// Whether prompt and answer surely fit.
    ///
    /// # Errors
    ///
    /// If they do not fit, or if nobody knows.
    fn fits(&self, call: &Call<'_>, measured: Measured) -> Result<bool, Lack> {
        let (can, needs) = (&self.model.capabilities, call.needs);
        let output = needs.max_output.unwrap_or_else(|| call.answer(measured));
        let window = can.context_window.ok_or(Lack::Unknown("a context window of that size"))?;
        let whole = |prompt: u64| prompt.saturating_add(output);
        let needed = needs.wishes.context.unwrap_or(0).max(whole(call.prompt));
        if window < needed {
            return Err(Lack::Window { has: window, needed });
        }
        if let Some(has) = can.max_input.filter(|most| *most < call.prompt) {
            return Err(Lack::Input { has, needed: call.prompt });
        }
        if let Some(needed) = needs.max_output {
            let has = can.max_output.ok_or(Lack::Unknown("an answer of that length"))?;
            if has < needed {
                return Err(Lack::Output { has, needed });
            }
        }
        let input_fits = can.max_input.is_none_or(|most| call.dense_prompt <= most);
        Ok(input_fits && whole(call.dense_prompt) <= window)
    }

    fn is_affordable(&self, most: &MaxPrice, call: &Call<'_>) -> Result<(), Lack> {
        let price = self.price.as_ref().ok_or(Lack::NoPrice)?;
        match most.excess(price, call.prompt, None, call.at) {
            None => Ok(()),
            Some(excess) => Err(Lack::Price(excess)),
        }
    }
}

/// Whether a name begins with another, in upper or lower case.
fn begins(name: &str, begin: &str) -> bool {
    name.get(..begin.len()).is_some_and(|start| start.eq_ignore_ascii_case(begin))
}

/// Rounds an amount to two significant digits.
fn two_digits(amount: Money) -> Money {
    let picos = amount.as_picos();
    let digits = picos.checked_ilog10().unwrap_or(0);
    match digits.checked_sub(1) {
        None | Some(0) => amount,
        Some(cut) => {
            let step = 10_i128.pow(cut);
            Money::picos((picos.saturating_add(step / 2)) / step * step)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_rounded_to_two_digits() {
        for (amount, rounded) in [
            ("0", "0"),
            ("0.000000000007", "0.000000000007"),
            ("0.000000000074", "0.000000000074"),
            ("0.000000000745", "0.00000000075"),
            ("0.1234", "0.12"),
            ("0.125", "0.13"),
            ("0.995", "1"),
            ("12345", "12000"),
        ] {
            assert_eq!(two_digits(amount.parse().unwrap()), rounded.parse().unwrap(), "{amount}");
        }
        assert!(two_digits(Money::MAX) > Money::ZERO);
    }

    #[test]
    fn regions_begin_with_what_is_asked_for() {
        for (region, begin, matches) in [
            ("eu-west-1", "eu", true),
            ("europe-west4", "EU", true),
            ("us-east-1", "eu", false),
            ("e", "eu", false),
            ("é", "e", false),
        ] {
            assert_eq!(begins(region, begin), matches, "{region} {begin}");
        }
    }
}
