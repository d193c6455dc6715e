//! What embeddings and moderation have in common: their answers have no output tokens.

use super::Caller;
use super::target::Target;
use crate::cost::{Bill, CallPlan, Charge, Cost, Reservation};
use crate::error::Error;
use crate::key::Secrets;
use crate::tags::Tags;
use crate::upper_bound::UpperBound;
use crate::usage::Usage;
use crate::wire;

/// Plans a request with so many bytes of text. With `batch_percent`, it is priced as part of a
/// batch.
pub(super) fn plan(
    caller: &Caller,
    target: &Target,
    tags: &Tags,
    text_bytes: usize,
    batch_percent: Option<u8>,
) -> CallPlan {
    let (costs, settings) = (&caller.settings.costs, &target.endpoint.settings);
    let (provider, priced_as) = (settings.profile.id.as_str(), &settings.price_provider);
    let (model, tags) = (&target.model, tags.clone());
    let mut plan = match batch_percent {
        None => costs.plan(provider, priced_as, model, tags),
        Some(percent) => costs.plan_in_batch(provider, priced_as, model, percent, tags),
    };
    plan.expect(Usage::estimated(text_bytes, 0).prompt_tokens);
    plan
}

/// Reserves what a planned request can cost. `most` counts the most input tokens that it can have, if
/// a budget needs to know. Returns the expected input tokens too.
pub(super) fn reserve(
    caller: &Caller,
    mut plan: CallPlan,
    most: impl FnOnce() -> u64,
) -> Result<(Reservation, u64), Error> {
    let costs = &caller.settings.costs;
    costs.measure(&mut plan, None, |_| {
        Ok(UpperBound { input_tokens: most(), ..UpperBound::default() })
    })?;
    let expected = plan.expected_input();
    Ok((costs.reserve(plan)?, expected))
}

/// Settles an attempt at a request with so many bytes of text. `parts` are the model, the usage and
/// the cost of its answer.
pub(super) fn settle<T>(
    charge: Charge,
    text_bytes: usize,
    mut answered: Result<T, Error>,
    parts: impl FnOnce(&mut T) -> (&str, &mut Usage, &mut Option<Cost>),
) -> Result<T, Error> {
    match &mut answered {
        Ok(answered) => {
            let (model, usage, cost) = parts(answered);
            *usage = usage.or_estimate(|| Usage::estimated(text_bytes, 0));
            *cost = charge.settle(Bill::new(*usage).served_model(model));
        }
        Err(error) => charge.fail(error),
    }
    answered
}

/// Makes the names in an answer safe to show. The model is the one that was asked for if the answer
/// names none.
pub(super) fn show_names(
    model: &mut String,
    id: &mut Option<String>,
    asked: &str,
    secrets: &Secrets,
) {
    if model.is_empty() {
        asked.clone_into(model);
    }
    wire::showable_model(model, asked, secrets);
    id.iter_mut().for_each(|id| wire::showable(id, secrets));
}
