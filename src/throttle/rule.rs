//! One limit: the calls it applies to, and what it allows.

use std::collections::{BTreeMap, BTreeSet};

use super::bucket::Rate;

/// One limit of a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Shown to people.
    pub(crate) name: String,
    pub(crate) scope: Scope,
    pub(crate) allowance: Allowance,
}

/// What a limit allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Allowance {
    /// What the client's owner has set.
    Set { requests: Option<Rate>, tokens: Option<Rate>, in_flight: InFlight },
    /// What the provider's headers report.
    Learned,
}

impl Default for Allowance {
    fn default() -> Self {
        Self::Set { requests: None, tokens: None, in_flight: InFlight::Any }
    }
}

/// How many calls may be in flight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum InFlight {
    #[default]
    Any,
    AtMost(u32),
    /// As many as the latency allows, and at most this many.
    Adaptive(u32),
}

/// The calls that a limit applies to, and how they are split into accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Only calls to this target of a route.
    pub(crate) target: Option<TargetId>,
    pub(crate) provider: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) per_provider: bool,
    pub(crate) per_model: bool,
    pub(crate) per_tags: BTreeSet<String>,
}

/// A target of a route: the places of both.
pub(crate) type TargetId = (usize, usize);

/// What decides which limits apply to a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) provider: &'a str,
    pub(crate) model: &'a str,
    pub(crate) tags: &'a BTreeMap<String, String>,
    /// The target of the route that the call goes to, and its name if it has settings of its own.
    pub(crate) target: Option<(TargetId, Option<&'a str>)>,
}

impl Rule {
    /// Whether it counts tokens.
    pub(super) fn counts_tokens(&self) -> bool {
        match self.allowance {
            Allowance::Set { tokens, .. } => tokens.is_some(),
            Allowance::Learned => true,
        }
    }

    /// Whether responses change it.
    pub(super) fn learns(&self) -> bool {
        match self.allowance {
            Allowance::Set { in_flight, .. } => matches!(in_flight, InFlight::Adaptive(_)),
            Allowance::Learned => true,
        }
    }

    pub(super) fn applies(&self, facts: &Facts<'_>) -> bool {
        let Scope { target, provider, model, tags, .. } = &self.scope;
        let is =
            |only: &Option<String>, actual: &str| only.as_deref().is_none_or(|only| only == actual);
        target.is_none_or(|target| facts.target.is_some_and(|(actual, _)| actual == target))
            && is(provider, facts.provider)
            && is(model, facts.model)
            && tags.iter().all(|(key, value)| facts.tags.get(key) == Some(value))
    }

    /// The account of a call among those of the limit. Empty if there is only one.
    pub(super) fn account(&self, facts: &Facts<'_>) -> String {
        let mut parts: Vec<String> = Vec::new();
        let Scope { per_provider, per_model, per_tags, target, .. } = &self.scope;
        match (per_provider, per_model) {
            (true, true) => parts.push(format!("{}/{}", facts.provider, facts.model)),
            (true, false) => parts.push(facts.provider.to_owned()),
            (false, true) => parts.push(facts.model.to_owned()),
            (false, false) => {}
        }
        for key in per_tags {
            match facts.tags.get(key) {
                Some(value) => parts.push(format!("{key}={value}")),
                None => parts.push(key.clone()),
            }
        }
        // Another key has other limits at the provider.
        let own = facts.target.and_then(|(_, own)| own);
        if let (Allowance::Learned, None, Some(own)) = (&self.allowance, target, own) {
            parts.push(format!("({own})"));
        }
        parts.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_applies_to_the_calls_in_its_scope() {
        let tags = BTreeMap::from([("customer".to_owned(), "acme".to_owned())]);
        let plain = Facts { provider: "openai", model: "gpt-4o", tags: &tags, target: None };
        let routed = Facts { target: Some(((0, 1), Some("second key"))), ..plain };
        let of = |scope: Scope| Rule { scope, ..Rule::default() };
        let all = Scope::default;
        let some = |text: &str| Some(text.to_owned());
        for (scope, expected) in [
            (all(), (true, true)),
            (Scope { provider: some("openai"), ..all() }, (true, true)),
            (Scope { provider: some("groq"), ..all() }, (false, false)),
            (Scope { model: some("gpt-4o"), ..all() }, (true, true)),
            (Scope { model: some("gpt-4o-mini"), ..all() }, (false, false)),
            (Scope { tags: tags.clone(), ..all() }, (true, true)),
            (
                Scope { tags: BTreeMap::from([("customer".into(), "b".into())]), ..all() },
                (false, false),
            ),
            (Scope { target: Some((0, 1)), ..all() }, (false, true)),
            (Scope { target: Some((1, 1)), ..all() }, (false, false)),
        ] {
            let rule = of(scope);
            assert_eq!((rule.applies(&plain), rule.applies(&routed)), expected, "{rule:?}");
        }
    }

    #[test]
    fn calls_are_split_into_accounts() {
        let tags = BTreeMap::from([("customer".to_owned(), "acme".to_owned())]);
        let facts = Facts {
            provider: "openai",
            model: "gpt-4o",
            tags: &tags,
            target: Some(((0, 1), Some("second key"))),
        };
        let split = Scope { per_provider: true, per_model: true, ..Scope::default() };
        let tagged = |key: &str| Scope { per_tags: [key.to_owned()].into(), ..Scope::default() };
        let set = Allowance::default;
        let target = Scope { target: Some((0, 1)), ..split.clone() };
        for (scope, allowance, expected) in [
            (Scope::default(), set(), ""),
            (split.clone(), set(), "openai/gpt-4o"),
            (Scope { per_model: false, ..split.clone() }, set(), "openai"),
            (tagged("customer"), set(), "customer=acme"),
            (tagged("job"), set(), "job"),
            (split, Allowance::Learned, "openai/gpt-4o (second key)"),
            (target, Allowance::Learned, "openai/gpt-4o"),
        ] {
            let rule = Rule { name: String::new(), scope, allowance };
            assert_eq!(rule.account(&facts), expected);
        }
    }
}
