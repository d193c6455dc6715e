//! What to do about a call that its model cannot serve.

use super::Caller;
use super::target::Target;
use crate::catalogue::{Needs, Selected, Unfit};
use crate::error::ErrorKind;

/// How many models an error names.
const NAMED: usize = 3;

/// Says what to do: which models can serve the call, and how to correct what is known.
pub(super) fn on(unfit: &Unfit, needs: &Needs, target: &Target, caller: &Caller) -> String {
    let successor = target.known.model.as_ref().and_then(|model| model.successor.as_deref());
    let others = match (unfit.kind, successor) {
        (ErrorKind::NotFound, Some(successor)) => format!("its successor {successor}"),
        _ => match &others(needs, caller)[..] {
            [] => "another model".to_owned(),
            [only] => only.clone(),
            [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
        },
    };
    let remedy = unfit.remedy.map(|remedy| format!("{remedy}, or ")).unwrap_or_default();
    format!(
        "{remedy}use {others}; if this is wrong, correct the model with ClientBuilder::catalogue, or \
         turn the checks off with ClientBuilder::check_models(false)"
    )
}

/// The best models for a call: those that the client can reach, otherwise those of any provider.
fn others(needs: &Needs, caller: &Caller) -> Vec<String> {
    let catalogue = caller.lists.catalogue();
    let conditions = caller.conditions(&catalogue);
    let best = |needs: &Needs| -> Vec<String> {
        let ranked = catalogue.select(needs, &conditions).ranked;
        let stays = ranked.iter().filter(|one| stays_and_fits(one, needs));
        stays.map(Selected::name).take(NAMED).collect()
    };
    let reached = best(needs);
    if reached.is_empty() { best(&needs.clone().any_provider()) } else { reached }
}

/// Whether a model is not about to leave, and has the settings that the call needs.
fn stays_and_fits(selected: &Selected, needs: &Needs) -> bool {
    let model = &selected.model;
    !model.is_leaving()
        && needs.unmet(&model.capabilities, || None).is_none()
        && needs.unmet_effort(&model.efforts).is_none()
}
