//! Encodes a request and reserves the most it can cost.

use super::Caller;
use super::target::Target;
use crate::chat::{ChatRequest, Usage};
use crate::cost::{CallPlan, CostTracker, Reservation};
use crate::error::Error;
use crate::header::HeaderValue;
use crate::tags::Tags;
use crate::throttle::Amount;
use crate::upper_bound::UpperBound;
use crate::wire::{Delivery, Encoded, Wire};

/// A request that is encoded and that the budgets allow.
pub(super) struct Admission {
    pub(super) body: Vec<u8>,
    /// How many bytes of it are text, to estimate its tokens.
    pub(super) text_bytes: usize,
    /// The request's betas, if they differ from the client's.
    pub(super) betas: Option<HeaderValue>,
    /// The reservation of the first attempt.
    pub(super) reservation: Reservation,
    /// What each attempt takes of the client's limits.
    pub(super) amount: Amount,
    /// Whether the budgets can only afford a shorter answer than planned.
    pub(super) is_cut_short: bool,
}

/// Encodes a request and reserves the most it can cost. If the request sets no output limit, the
/// budgets set one that they can afford. With `batch_percent`, it is priced as part of a batch.
/// Reserves nothing if `is_free` says so of the encoded body and the request's betas.
#[expect(clippy::too_many_arguments)]
pub(super) fn admit(
    caller: &Caller,
    target: &Target,
    tags: &Tags,
    wire: Wire,
    request: &ChatRequest,
    delivery: Delivery,
    batch_percent: Option<u8>,
    is_free: impl FnOnce(&[u8], Option<&HeaderValue>) -> Result<bool, Error>,
) -> Result<Admission, Error> {
    let (costs, settings) = (&caller.settings.costs, &target.endpoint.settings);
    let model = &*target.model;
    let betas = wire.betas(request, settings.betas.as_ref())?;
    let (provider, priced_as) = (settings.profile.id.as_str(), settings.price_provider.as_str());
    let mut plan = match batch_percent {
        None => costs.plan(provider, priced_as, model, tags.clone()),
        Some(percent) => costs.plan_in_batch(provider, priced_as, model, percent, tags.clone()),
    };
    let known = &target.known.capabilities;
    plan.model_limits(known.context_window, known.max_output);
    let least = costs.min_output(&plan);
    let mut encoded = wire.encode(request, target.as_wire(), delivery, least.is_some())?;
    if let (None, Some(tier)) = (batch_percent, encoded.service_tier().or(settings.service_tier)) {
        plan = plan.service_tier(tier);
    }
    let text_bytes = encoded.text_bytes();
    plan.expect(Usage::estimated(text_bytes, 0).prompt_tokens);
    if let Some(most) = &request.max_price {
        costs.check_price(&plan, most)?;
    }
    // Before a budget limits the output: an answer that is complete does not depend on a limit.
    if is_free(encoded.bytes(), betas.as_ref())? {
        let (reservation, amount) = (costs.free(plan), Amount::default());
        let body = encoded.into_bytes();
        return Ok(Admission { body, text_bytes, betas, reservation, amount, is_cut_short: false });
    }
    let least = least
        .filter(|_| !encoded.is_limited_by_caller())
        .map(|least| least.saturating_add(encoded.thinking_budget()));
    costs.measure(&mut plan, least, |limits| encoded.upper_bound(limits))?;
    if least.is_some() && !encoded.is_limited() {
        costs.fit_window(&mut plan);
    }
    let planned = plan.planned_output();
    let reservation = costs.reserve(match least {
        Some(each) => plan.min_output_each(each),
        None => plan,
    })?;
    let (mut is_cut_short, mut chosen) = (false, None);
    if let (Some(least), Some(limit)) = (least, reservation.output_limit()) {
        is_cut_short = reservation.output_tokens() < planned;
        encoded.limit_output(u32::try_from(limit).unwrap_or(u32::MAX))?;
        chosen = Some((limit, least));
    }
    let counts_tokens = caller.limiter.as_ref().is_some_and(|limiter| limiter.counts_tokens());
    let amount = match counts_tokens {
        true => amount(costs, reservation.plan(), chosen, &encoded),
        false => Amount::default(),
    };
    let body = encoded.into_bytes();
    Ok(Admission { body, text_bytes, betas, reservation, amount, is_cut_short })
}

/// The most tokens that a request can use, as far as that is known. A provider counts no more for
/// content that cannot be measured until it has answered. `chosen` is the output limit that the
/// budgets have set for each answer, and the least that they could have set.
fn amount(
    costs: &CostTracker,
    plan: &CallPlan,
    chosen: Option<(u64, u64)>,
    encoded: &Encoded<'_>,
) -> Amount {
    let expected_input = plan.expected_input();
    let sent = chosen.map(|(limit, _)| limit);
    let Ok(bound) = costs.token_bound(plan, sent, |limits| encoded.upper_bound(limits)) else {
        return Amount { input: expected_input, expected_input, ..Amount::default() };
    };
    let UpperBound { input_tokens: input, output_tokens: output, .. } = bound;
    let needed_output = chosen.map_or(output, |(_, least)| bound.output_of(least).min(output));
    Amount { input, output, needed_output, expected_input }
}
