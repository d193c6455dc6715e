//! Which targets of a route cannot serve a call, judged before anything is sent.

use super::Caller;
use super::operation::Operation;
use super::routes::Route;
use super::target::Target;
use crate::catalogue::{Capabilities, Needs, Unfit};
use crate::cost::MaxPrice;
use crate::error::{Error, ErrorKind};
use crate::provider::{Format, ImageInput, Profile, ReasoningControl, ResponseFormats};
use crate::routing::Walk;
use crate::tags::Tags;
use crate::usage::Usage;

/// Marks the targets that cannot serve a call, with the reasons. Returns the kind of error if the
/// route has no others.
pub(super) fn skip_unfit<O: Operation>(
    walk: &mut Walk,
    route: &Route,
    caller: &Caller,
    operation: &O,
) -> Option<ErrorKind> {
    let needs = operation.needs();
    let prices = [operation.max_price(), route.max_price.as_ref()];
    let mut kind = None;
    for at in 0..route.state.targets.len() {
        let unfit = refused(at, &needs, route, caller, operation)
            .or_else(|| too_expensive(at, &needs, prices, route, caller));
        let Some(Unfit { kind: its, why }) = unfit else { continue };
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
fn refused<O: Operation>(
    at: usize,
    needs: &Needs,
    route: &Route,
    caller: &Caller,
    operation: &O,
) -> Option<Unfit> {
    let target = &route.state.targets[at];
    if !target.enabled {
        return Some(Unfit::new(ErrorKind::Configuration, "the target is disabled"));
    }
    needs.unmet(&target.capabilities, || {
        let tokenizer = caller.settings.costs.tokenizer()?;
        let (provider, model) = (&target.state.provider, &target.state.model);
        operation.count_text(&|text| tokenizer.count(provider, model, text))
    })
}

/// Why the price of a target is too high.
fn too_expensive(
    at: usize,
    needs: &Needs,
    prices: [Option<&MaxPrice>; 2],
    route: &Route,
    caller: &Caller,
) -> Option<Unfit> {
    if prices.iter().all(Option::is_none) {
        return None;
    }
    let Caller { endpoints, settings, transport, .. } = caller;
    // If it cannot be prepared, the attempt says why.
    let Target { endpoint, model } = route.target(at, endpoints, settings, transport).ok()?;
    let set = &endpoint.settings;
    let (provider, priced_as) = (set.profile.id.as_str(), &set.price_provider);
    let mut plan = settings.costs.plan(provider, priced_as, &model, Tags::default());
    if let Some(tier) = set.service_tier {
        plan = plan.service_tier(tier);
    }
    let bytes = usize::try_from(needs.prompt_bytes).unwrap_or(usize::MAX);
    plan.expect(Usage::estimated(bytes, 0).prompt_tokens);
    let check = |most: &MaxPrice| settings.costs.check_price(&plan, most).err();
    let refusal: Error = prices.into_iter().flatten().find_map(check)?;
    Some(Unfit::new(refusal.kind(), refusal.message()))
}

/// What a provider's profile rules out for all its models. Encoding would refuse it too, but only
/// after the strategy has chosen the target.
pub(super) fn of_profile(profile: &Profile) -> Capabilities {
    if profile.format != Some(Format::OpenAiChat) {
        return Capabilities::default();
    }
    let dialect = &profile.dialect;
    let not = |unsupported: bool| unsupported.then_some(false);
    Capabilities {
        images: not(dialect.images == ImageInput::Unsupported),
        documents: not(!dialect.files),
        schema: not(dialect.response_formats == ResponseFormats::JsonObject),
        reasoning: not(dialect.reasoning_control == ReasoningControl::Unsupported),
        ..Capabilities::default()
    }
}
