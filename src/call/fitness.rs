//! Which models cannot serve a call, judged before anything is sent.

use std::cell::OnceCell;

use super::chat::Chat;
use super::routes::Route;
use super::run::Begun;
use super::target::Target;
use super::{Caller, advice};
use crate::catalogue::{self, Capabilities, Needs, Unfit};
use crate::chat::{ChatRequest, ReasoningEffort};
use crate::cost::MaxPrice;
use crate::error::{Error, ErrorKind, Phase};
use crate::observed::ObservedCall;
use crate::routing::Walk;
use crate::tags::Tags;
use crate::usage::Usage;

/// Marks the targets that cannot serve a call, with the reasons. Returns the kind of error if the
/// route has no others.
pub(super) fn skip_unfit(
    walk: &mut Walk,
    route: &Route,
    call: &Begun<'_, Chat<'_>>,
) -> Option<ErrorKind> {
    let prices = [call.operation.request.max_price.as_ref(), route.max_price.as_ref()];
    let mut kind = None;
    for at in 0..route.state.targets.len() {
        let unfit = refused(at, route, call).or_else(|| too_expensive(at, prices, route, call));
        let Some(Unfit { kind: its, why, .. }) = unfit else { continue };
        walk.cannot_serve(at, why);
        kind = Some(match kind {
            // A disabled target says nothing about the request.
            None | Some(ErrorKind::Configuration) => its,
            Some(kind) if kind == its || its == ErrorKind::Configuration => kind,
            Some(_) => ErrorKind::InvalidRequest,
        });
    }
    kind
}

/// Why a target cannot meet the needs of a call.
fn refused(at: usize, route: &Route, call: &Begun<'_, Chat<'_>>) -> Option<Unfit> {
    let target = &route.state.targets[at];
    if !target.enabled {
        return Some(Unfit::new(ErrorKind::Configuration, "the target is disabled"));
    }
    let certain = route.certain(at)?;
    let names = (target.state.provider.as_str(), target.state.model.as_str());
    unmet(call.needs(), certain, names, call.caller, call.operation.request)
}

/// Why a model certainly cannot meet the needs of a call. For calls to a model and to a route alike.
fn unmet(
    needs: &Needs,
    (certain, efforts): (&Capabilities, &[ReasoningEffort]),
    (provider, model): (&str, &str),
    caller: &Caller,
    request: &ChatRequest,
) -> Option<Unfit> {
    let counted = OnceCell::new();
    let count = || {
        *counted.get_or_init(|| {
            let tokenizer = caller.settings.costs.tokenizer()?;
            catalogue::count_text(request, &|text| tokenizer.count(provider, model, text))
        })
    };
    let unfit = match needs.unmet(certain, count) {
        // It may fit after all: this takes longer to find out, and is seldom needed.
        Some(Unfit { kind: ErrorKind::ContextWindowExceeded, .. }) if count().is_none() => {
            let prompt_bytes = u64::try_from(catalogue::dense_bytes(request)).unwrap_or(u64::MAX);
            let mut needs = needs.clone();
            needs.prompt_bytes = prompt_bytes;
            needs.unmet(certain, || None)
        }
        unfit => unfit,
    };
    unfit.or_else(|| needs.unmet_effort(efforts))
}

/// Refuses a call that its model certainly cannot serve.
///
/// # Errors
///
/// [`InvalidRequest`](ErrorKind::InvalidRequest),
/// [`ContextWindowExceeded`](ErrorKind::ContextWindowExceeded), or
/// [`NotFound`](ErrorKind::NotFound) for a retired model. Their advice names models that can.
pub(super) fn check(caller: &Caller, request: &ChatRequest, target: &Target) -> Result<(), Error> {
    let known = &target.known;
    if !known.is_checked {
        return Ok(());
    }
    let needs = Needs::of(request);
    let names = (target.endpoint.id().as_str(), &*target.model);
    match unmet(&needs, (&known.certain, &known.efforts), names, caller, request) {
        None => Ok(()),
        Some(unfit) => {
            let advice = advice::on(&unfit, &needs, target, caller);
            let error = Error::new(unfit.kind, unfit.why);
            Err(error.with_phase(Phase::Encode).with_advice(Some(advice)))
        }
    }
}

/// Tells the observers that a model is deprecated, once for each client and model.
pub(super) fn warn(caller: &Caller, target: &Target, observed: &ObservedCall) {
    if let Some(model) = target.known.newly_deprecated() {
        // Several routes may name the model, each with what it knows of it.
        if caller.warned.insert([target.endpoint.id().as_str(), &target.model], ()) {
            observed.model_deprecated(model);
        }
    }
}

/// Why the price of a target is too high.
fn too_expensive(
    at: usize,
    prices: [Option<&MaxPrice>; 2],
    route: &Route,
    call: &Begun<'_, Chat<'_>>,
) -> Option<Unfit> {
    if prices.iter().all(Option::is_none) {
        return None;
    }
    let Caller { endpoints, settings, transport, .. } = &**call.caller;
    // If it cannot be prepared, the attempt says why.
    let Target { endpoint, model, .. } = route.target(at, endpoints, settings, transport).ok()?;
    let set = &endpoint.settings;
    let (provider, priced_as) = (set.profile.id.as_str(), &set.price_provider);
    let mut plan = settings.costs.plan(provider, priced_as, &model, Tags::default());
    if let Some(tier) = set.service_tier {
        plan = plan.service_tier(tier);
    }
    let bytes = usize::try_from(call.needs().prompt_bytes).unwrap_or(usize::MAX);
    plan.expect(Usage::estimated(bytes, 0).prompt_tokens);
    let check = |most: &MaxPrice| settings.costs.check_price(&plan, most).err();
    let refusal: Error = prices.into_iter().flatten().find_map(check)?;
    Some(Unfit::new(refusal.kind(), refusal.message()))
}
