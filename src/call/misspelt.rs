//! What an error says when a request may misspell the name of a route.

use super::Caller;
use super::routes::Routes;
use super::target::Asked;
use crate::error::{Error, ErrorKind};
use crate::provider::nearest;

/// Adds the names of all routes to the error for a model that names no provider.
pub(super) fn list_routes(error: Error, asked: Asked<'_>, routes: &Routes) -> Error {
    let may_be_route = matches!(asked, Asked::Model(None, Some(model)) if !model.contains('/'));
    if !may_be_route || error.kind() != ErrorKind::Configuration {
        return error;
    }
    let names: Vec<_> = routes.names().map(|name| format!("{name:?}")).collect();
    match &names[..] {
        [] => error,
        names => error.with_more_advice(format!("the client's routes are {}", names.join(", "))),
    }
}

/// Adds the names of similar routes to the error of a provider that does not know the model. Only
/// the provider can tell: a model may be newer than the catalogue, and its name close to a route's.
pub(super) fn suggest_routes(error: Error, asked: Asked<'_>, caller: &Caller) -> Error {
    let Asked::Model(None, asked) = asked else { return error };
    let model = asked.or(caller.settings.model.as_deref());
    let Some(model) = model.filter(|_| error.kind() == ErrorKind::NotFound) else { return error };
    let names = nearest(model.trim(), caller.routes.names());
    let names: Vec<_> = names.into_iter().map(|name| format!("{name:?}")).collect();
    match &names[..] {
        [] => error,
        names => error.with_more_advice(format!("did you mean the route {}?", names.join(" or "))),
    }
}
