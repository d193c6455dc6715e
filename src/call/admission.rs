//! Encodes a request and reserves the most it can cost.

use serde_json::Value;
use ureq::http::HeaderValue;

use super::Caller;
use super::target::Target;
use crate::chat::{ChatRequest, Usage};
use crate::cost::{CallPlan, Reservation};
use crate::error::Error;
use crate::wire::{
    self, Delivery, OUTPUT_LIMITS, Wire, output_limit, states_limit, thinking_budget,
};

/// A request, encoded and admitted by the budgets.
pub(super) struct Admission {
    pub(super) body: Vec<u8>,
    /// How much of it is text, to estimate its tokens from.
    pub(super) text_bytes: usize,
    /// The betas that the request asks for, where they are others than the client's.
    pub(super) betas: Option<HeaderValue>,
    /// What every further attempt is admitted by.
    pub(super) plan: CallPlan,
    /// What is set aside for the first.
    pub(super) reservation: Reservation,
}

/// Encodes a request and sets aside the most that it can cost, with the output limit
/// that the budgets bear where it has none of its own.
pub(super) fn admit(
    caller: &Caller,
    target: &Target,
    wire: Wire,
    request: &ChatRequest,
    delivery: Delivery,
) -> Result<Admission, Error> {
    let (costs, settings) = (&caller.settings.costs, &target.endpoint.settings);
    let (model, dialect) = (target.model.as_str(), &settings.profile.dialect);
    let betas = wire.betas(request, settings.betas.as_ref())?;
    let target = wire::Target { provider: &settings.profile.id, model, dialect };
    let (provider, priced_as) = (settings.profile.id.as_str(), settings.price_provider.as_str());
    let mut plan = CallPlan::priced_as(provider, priced_as, model).tags(&request.tags);
    let least = costs.least_output(&plan);
    let limited = least.and_then(|_| without_nulls(request));
    let request = limited.as_ref().unwrap_or(request);
    let mut body = wire.encode(request, target, delivery)?;
    if let Some(tier) = body.get("service_tier").and_then(Value::as_str) {
        plan = plan.service_tier(tier);
    }
    let mut written = wire::write(&body)?;
    let text_bytes = written.len().saturating_sub(request.media_bytes());
    plan = plan.expecting(Usage::estimated(text_bytes, 0).prompt_tokens);
    // A limit has to be above the budget for thoughts that is in the body.
    let least = least
        .filter(|_| !has_limit(request))
        .map(|least| least.saturating_add(thinking_budget(&body)));
    costs.measure(&mut plan, &body, wire, least)?;
    if least.is_some() && output_limit(&body).is_none() {
        costs.leave_room(&mut plan);
    }
    let reservation = costs.reserve(match least {
        Some(each) => plan.clone().at_least_each(each),
        None => plan.clone(),
    })?;
    if let (Some(_), Some(limit)) = (least, reservation.output_limit()) {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        match output_limit(&body) {
            Some(stated) if stated == u64::from(limit) => {}
            // As most requests are: what is written stays as it is.
            None => wire::append(&mut written, wire.limit_member(model, dialect), limit),
            // The format has a default, and the reasoning may be a share of the limit.
            Some(_) if request.reasoning_effort.is_some() => {
                let limited = ChatRequest { max_output_tokens: Some(limit), ..request.clone() };
                written = wire::write(&wire.encode(&limited, target, delivery)?)?;
            }
            Some(_) => {
                body.insert(wire.limit_member(model, dialect).to_owned(), limit.into());
                written = wire::write(&body)?;
            }
        }
        plan = plan.output_tokens(reservation.output_tokens());
    }
    Ok(Admission { body: written, text_bytes, betas, plan, reservation })
}

/// Whether a request has an output limit of its own, or says itself that it has none.
fn has_limit(request: &ChatRequest) -> bool {
    request.max_output_tokens.is_some()
        || states_limit(&request.extra)
        || request.omit.iter().any(|name| OUTPUT_LIMITS.contains(&&**name))
}

/// The request without limits that are null, so that another can be sent; `None` where it
/// has none such. To a server they are as good as left out.
fn without_nulls(request: &ChatRequest) -> Option<ChatRequest> {
    let null = |name: &str| request.extra.get(name).is_some_and(Value::is_null);
    OUTPUT_LIMITS.iter().any(|name| null(name)).then(|| {
        let mut request = request.clone();
        request.extra.retain(|name, value| !(value.is_null() && OUTPUT_LIMITS.contains(&&**name)));
        request
    })
}
