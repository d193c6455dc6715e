//! Routes, checked together with the environment.

use super::{Route, RouteTarget};
use crate::catalogue::Needs;
use crate::config::ProviderSettings;
use crate::config::limits;
use crate::config::{Environment, ProviderConfig};
use crate::provider::{self, Own, Profile, Provider};
use crate::throttle::{Rule, TargetId};

/// A checked route.
#[derive(Debug)]
pub(crate) struct CheckedRoute {
    pub(crate) route: Route,
    /// As many as the route has targets.
    pub(crate) targets: Vec<CheckedTarget>,
}

/// A checked target of a route.
#[derive(Debug)]
pub(crate) struct CheckedTarget {
    pub(crate) name: String,
    pub(crate) provider: Provider,
    /// The provider's own name of the model.
    pub(crate) model: String,
    /// The target's own settings; `None` if it has those of the client.
    pub(crate) settings: Option<ProviderSettings>,
    /// The first target, of this route or an earlier one, with the same provider, key and model.
    pub(crate) same_as: Option<TargetId>,
    /// Its own place, or that of the target it is the same as.
    pub(crate) id: TargetId,
}

/// What the targets of routes are checked with.
pub(in crate::config) struct Known<'a> {
    pub(in crate::config) own: Option<Own<'a>>,
    pub(in crate::config) profiles: &'a [Profile],
    /// The settings of the client's providers.
    pub(in crate::config) configs: &'a [ProviderConfig],
    pub(in crate::config) environment: &'a Environment<'a>,
}

/// Checks routes. `check` checks the settings of one provider.
pub(in crate::config) fn check(
    routes: Vec<Route>,
    known: &Known<'_>,
    problems: &mut Vec<String>,
    mut check: impl FnMut(ProviderConfig) -> Result<ProviderSettings, Vec<String>>,
) -> Vec<CheckedRoute> {
    let mut checked: Vec<CheckedRoute> = Vec::new();
    for route in routes {
        problems.extend(route.problems());
        if checked.iter().any(|other| other.route.name == route.name) {
            problems.push(format!("two routes are named {:?}; rename one", route.name));
        }
        let asked = route.auto.needs.iter().flat_map(Needs::asked_providers);
        let unknown = asked.filter(|name| provider::id(name, known.profiles).is_none());
        problems.extend(unknown.map(|name| {
            let unknown = provider::unknown(name, known.profiles);
            format!("route {:?}: its needs name an {unknown}", route.name)
        }));
        let mut targets: Vec<CheckedTarget> = Vec::new();
        for target in &route.targets {
            let found = resolve(target, known).and_then(|(provider, model)| {
                // Nothing is sent there, so it needs no key.
                if !target.enabled {
                    return Ok((provider, model, None));
                }
                let config = own_config(target, &provider, known)?;
                let settings = config.map(&mut check).transpose();
                let settings = settings.map_err(|problems| problems.join("; "))?;
                Ok((provider, model, settings))
            });
            match found {
                Ok((provider, model, settings)) => targets.push(CheckedTarget {
                    name: name(target, &provider, &model, &targets),
                    same_as: None,
                    id: (checked.len(), targets.len()),
                    provider,
                    model,
                    settings,
                }),
                Err(problem) => {
                    problems.push(format!("route {:?}: {}: {problem}", route.name, target.model));
                }
            }
        }
        checked.push(CheckedRoute { route, targets });
    }
    if problems.is_empty() {
        find_same(&mut checked);
        share_limits(&mut checked, problems);
    }
    checked
}

impl CheckedRoute {
    /// The limits of its targets. A target that is the same as another has its limits.
    pub(in crate::config) fn limits(&self) -> impl Iterator<Item = Rule> {
        let targets = self.targets.iter().zip(&self.route.targets);
        let own = targets.filter(|(target, _)| target.same_as.is_none());
        own.flat_map(|(target, set)| {
            let limits = set.limits.iter();
            limits.flat_map(|limits| limits::of_target(limits, &target.name, target.id))
        })
    }
}

/// Gives the limits of a target to the first one that is the same, which stands for both.
fn share_limits(routes: &mut [CheckedRoute], problems: &mut Vec<String>) {
    for route in 0..routes.len() {
        for at in 0..routes[route].targets.len() {
            let Some((first_route, first)) = routes[route].targets[at].same_as else { continue };
            let Some(limits) = routes[route].route.targets[at].limits.clone() else { continue };
            let set = routes[first_route].route.targets[first].limits.get_or_insert(limits.clone());
            if *set != limits {
                problems.push(format!(
                    "route {:?}: {} has two different limits, although it is one target; set the \
                     same ones",
                    routes[route].route.name, routes[route].targets[at].name
                ));
            }
        }
    }
}

/// Finds the provider of a target, and its model there.
fn resolve(target: &RouteTarget, known: &Known<'_>) -> Result<(Provider, String), String> {
    if let Some(config) = &target.settings {
        let named = config.id().map(Provider::as_str).unwrap_or_default();
        let id = provider::id(named, known.profiles);
        let id = id.or_else(|| config.profile.as_ref().map(|profile| profile.id.clone()));
        let id = id.ok_or_else(|| provider::unknown(named, known.profiles))?;
        return Ok((id, target.model.clone()));
    }
    let name = provider::resolve(&target.model, known.own, known.profiles)
        .map_err(|error| error.message().to_owned())?;
    Ok((name.provider, name.model.to_owned()))
}

/// The settings of a target that has its own.
fn own_config(
    target: &RouteTarget,
    provider: &Provider,
    known: &Known<'_>,
) -> Result<Option<ProviderConfig>, String> {
    let key = match (&target.api_key, &target.key_variable) {
        (Some(key), _) => Some(key.clone()),
        (None, Some(variable)) => match known.environment.read(variable)? {
            Some(key) => Some(key.into()),
            None => {
                return Err(format!(
                    "the environment variable {variable} is not set; set it to the key, or remove \
                     the target"
                ));
            }
        },
        (None, None) => None,
    };
    let Some(key) = key else { return Ok(target.settings.clone()) };
    let client = || {
        let is_its = |config: &&ProviderConfig| {
            let id = config.id().and_then(|id| provider::id(id.as_str(), known.profiles));
            id.as_ref() == Some(provider)
        };
        let set_up = known.configs.iter().find(is_its).cloned();
        set_up.unwrap_or_else(|| ProviderConfig::new(provider))
    };
    let mut config = target.settings.clone().unwrap_or_else(client);
    (config.without_api_key, config.credentials) = (false, None);
    Ok(Some(config.api_key(key)))
}

/// The name of a target, different from those of the `others` before it.
fn name(
    target: &RouteTarget,
    provider: &Provider,
    model: &str,
    others: &[CheckedTarget],
) -> String {
    let usual = target.name.clone().unwrap_or_else(|| format!("{provider}/{model}"));
    let is_free = |name: &str| others.iter().all(|other| other.name != name);
    let numbered = (2..).map(|number| format!("{usual} ({number})"));
    std::iter::once(usual.clone()).chain(numbered).find(|name| is_free(name)).unwrap_or(usual)
}

/// Finds targets that are the same in several routes, so that they share what is measured.
fn find_same(routes: &mut [CheckedRoute]) {
    let mut seen: Vec<(usize, usize)> = Vec::new();
    for route in 0..routes.len() {
        for at in 0..routes[route].targets.len() {
            let same = seen.iter().copied().find(|(other_route, other)| {
                let (one, two) = (&routes[route], &routes[*other_route]);
                is_same((one, at), (two, *other))
            });
            match same {
                Some(same) => {
                    let target = &mut routes[route].targets[at];
                    (target.same_as, target.id) = (Some(same), same);
                }
                None => seen.push((route, at)),
            }
        }
    }
}

/// Whether two targets have the same provider, key and model.
fn is_same((one, at): (&CheckedRoute, usize), (two, other): (&CheckedRoute, usize)) -> bool {
    let (checked, others) = (&one.targets[at], &two.targets[other]);
    let (set, set_other) = (&one.route.targets[at], &two.route.targets[other]);
    let key = |target: &RouteTarget| target.api_key.as_ref().map(|key| key.expose().to_owned());
    (&checked.provider, &checked.model) == (&others.provider, &others.model)
        && set.settings.is_none()
        && set_other.settings.is_none()
        && key(set) == key(set_other)
        && set.key_variable == set_other.key_variable
}
