//! Limits on requests, tokens and calls in flight, as the caller sets them.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::provider::{self, Profile};
use crate::routing::seconds;
use crate::throttle::{Allowance, InFlight, Rate, Rule, Scope, TargetId};

/// Limits how many requests and tokens calls take per minute, and how many are in flight at once.
///
/// Pass it to [`ClientBuilder::limits`](crate::ClientBuilder::limits), or to
/// [`RouteTarget::limits`](crate::route::RouteTarget::limits) for one target of a route. A call
/// that finds no room waits in line, first come first served, within its deadline. The guide's page
/// [Limits](crate::guide::limits) shows how to use it.
///
/// ```
/// use std::time::Duration;
/// use tollgate::{Client, Limits};
///
/// let client = Client::builder()
///     .model("openai/gpt-4o-mini")
///     .api_key("sk-test")
///     .limits(
///         Limits::new()
///             .provider("openai")
///             .requests_per_minute(500)
///             .tokens_per_minute(200_000)
///             .max_in_flight(16),
///     )
///     .limits(Limits::new().per_tag("customer").requests_per_minute(20))
///     .build()?;
/// for limit in client.limits() {
///     println!("{limit}"); // openai: 3 of 16 in flight, 480 of 500 requests available, …
/// }
/// # Ok::<(), tollgate::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct Limits {
    name: Option<String>,
    provider: Option<String>,
    model: Option<String>,
    tags: BTreeMap<String, String>,
    per_provider: bool,
    per_model: bool,
    per_tags: BTreeSet<String>,
    requests_per_minute: Option<u64>,
    tokens_per_minute: Option<u64>,
    max_in_flight: Option<u32>,
    #[serde(with = "seconds")]
    burst: Duration,
    adaptive: bool,
    learned: bool,
}

/// The most calls in flight if an adaptive limit names no maximum: that of Netflix's
/// `Gradient2Limit`.
const MOST_IN_FLIGHT: u32 = 200;

/// The same as [`Limits::new`].
impl Default for Limits {
    fn default() -> Self {
        Self {
            name: None,
            provider: None,
            model: None,
            tags: BTreeMap::new(),
            per_provider: false,
            per_model: false,
            per_tags: BTreeSet::new(),
            requests_per_minute: None,
            tokens_per_minute: None,
            max_in_flight: None,
            burst: Duration::from_secs(60),
            adaptive: false,
            learned: false,
        }
    }
}

impl Limits {
    /// Starts with no limit, for all calls of the client together.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the name in errors, traces and [`Client::limits`](crate::Client::limits). Default: made
    /// from the calls it applies to, such as `openai` or `customer=acme`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Limits only calls to this provider. Default: all.
    pub fn provider(mut self, provider: impl Into<String>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Limits only calls to this model, under the provider's name for it. Default: all.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Limits only calls with this tag. Repeat it to require several. Default: all calls.
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Limits each provider separately. Default: together.
    pub fn per_provider(mut self) -> Self {
        self.per_provider = true;
        self
    }

    /// Limits each model separately, as most providers do. Default: together.
    pub fn per_model(mut self) -> Self {
        self.per_model = true;
        self
    }

    /// Limits each value of this tag separately, such as each customer. Calls without the tag share
    /// one more limit. Default: together.
    pub fn per_tag(mut self, key: impl Into<String>) -> Self {
        self.per_tags.insert(key.into());
        self
    }

    /// Sets the most requests per minute, 1 or more. Each attempt of a call is a request. Default:
    /// no limit.
    #[doc(alias = "rpm")]
    pub fn requests_per_minute(mut self, requests: u64) -> Self {
        self.requests_per_minute = Some(requests);
        self
    }

    /// Sets the most tokens per minute, input and output together, 1 or more. Default: no limit.
    ///
    /// A call reserves the most it can use before it is sent. When it ends, it gives back what it
    /// did not use.
    #[doc(alias = "tpm")]
    pub fn tokens_per_minute(mut self, tokens: u64) -> Self {
        self.tokens_per_minute = Some(tokens);
        self
    }

    /// Sets the most calls in flight at once, 1 or more. A stream is in flight until it ends.
    /// Default: no limit.
    #[doc(alias = "concurrency")]
    pub fn max_in_flight(mut self, calls: u32) -> Self {
        self.max_in_flight = Some(calls);
        self
    }

    /// Sets how much unused room accumulates for a burst, as a time. Default: 60 s, as at OpenAI
    /// and Anthropic: after a quiet minute, all requests of a minute can be sent at once.
    ///
    /// In any minute, at most the limit plus one burst is sent. For a provider that counts
    /// strictly by the minute, set a short burst. Zero spaces requests evenly.
    pub fn burst(mut self, burst: Duration) -> Self {
        self.burst = burst;
        self
    }

    /// Adapts the limit on calls in flight to the latency: it falls while latencies rise above
    /// their usual level, and when the server refuses calls for overload.
    /// [`max_in_flight`](Self::max_in_flight) is then the upper bound. Default: off; if on, at most
    /// 200 calls.
    ///
    /// The algorithm is Gradient2 of Netflix's concurrency-limits.
    pub fn adaptive(mut self) -> Self {
        self.adaptive = true;
        self
    }

    /// Learns the provider's own limits from the rate-limit headers of its responses, for each
    /// model and key. Calls then wait instead of being refused by the provider. Default: off.
    pub fn learned(mut self) -> Self {
        self.learned = true;
        self
    }

    /// Whether it says which calls it applies to.
    fn has_scope(&self) -> bool {
        let one = self.provider.is_some() || self.model.is_some() || !self.tags.is_empty();
        one || self.per_provider || self.per_model || !self.per_tags.is_empty()
    }

    /// The name shown to people.
    fn label(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let mut parts = match (&self.provider, &self.model) {
            (Some(provider), Some(model)) => vec![format!("{provider}/{model}")],
            (Some(one), None) | (None, Some(one)) => vec![one.clone()],
            (None, None) => Vec::new(),
        };
        parts.extend(self.tags.iter().map(|(key, value)| format!("{key}={value}")));
        let per = [(self.per_provider, "provider"), (self.per_model, "model")];
        let per = per.into_iter().filter_map(|(set, word)| set.then_some(word));
        parts.extend(
            per.chain(self.per_tags.iter().map(String::as_str)).map(|key| format!("per {key}")),
        );
        if parts.is_empty() { "all calls".to_owned() } else { parts.join(" ") }
    }

    /// What is wrong with it.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let zeros = [
            ("requests_per_minute", self.requests_per_minute == Some(0)),
            ("tokens_per_minute", self.tokens_per_minute == Some(0)),
            ("max_in_flight", self.max_in_flight == Some(0)),
        ];
        for (setting, _) in zeros.into_iter().filter(|(_, is_zero)| *is_zero) {
            problems.push(format!("{setting} is 0, so no call could ever pass; set 1 or more"));
        }
        let rates = self.requests_per_minute.is_some() || self.tokens_per_minute.is_some();
        if !rates && self.max_in_flight.is_none() && !self.adaptive && !self.learned {
            problems.push(
                "it limits nothing; call .requests_per_minute(…), .tokens_per_minute(…), \
                 .max_in_flight(…), .adaptive() or .learned()"
                    .to_owned(),
            );
        }
        for (setting, value) in
            [("name", &self.name), ("provider", &self.provider), ("model", &self.model)]
        {
            if value.as_deref().is_some_and(|value| value.trim().is_empty()) {
                problems.push(format!("the {setting} is empty; set one or leave it out"));
            }
        }
        if self.tags.keys().chain(&self.per_tags).any(|key| key.trim().is_empty()) {
            problems.push("a tag has an empty key; set one or leave the tag out".to_owned());
        }
        problems
    }

    /// What it allows, and for which calls.
    fn rules(&self, name: &str, scope: &Scope) -> impl Iterator<Item = Rule> {
        let rate = |per_minute| Rate { per_minute, burst: self.burst };
        let in_flight = match (self.adaptive, self.max_in_flight) {
            (true, most) => InFlight::Adaptive(most.unwrap_or(MOST_IN_FLIGHT)),
            (false, Some(most)) => InFlight::AtMost(most),
            (false, None) => InFlight::Any,
        };
        let requests = self.requests_per_minute.map(rate);
        let tokens = self.tokens_per_minute.map(rate);
        let sets = requests.is_some() || tokens.is_some() || in_flight != InFlight::Any;
        let set = sets.then(|| Rule {
            name: name.to_owned(),
            scope: scope.clone(),
            allowance: Allowance::Set { requests, tokens, in_flight },
        });
        let learned = self.learned.then(|| Rule {
            name: name.to_owned(),
            // Providers limit each model.
            scope: Scope { per_provider: true, per_model: true, ..scope.clone() },
            allowance: Allowance::Learned,
        });
        set.into_iter().chain(learned)
    }
}

/// Checks the limits of a client. `profiles` are the providers known besides the built-in ones.
pub(super) fn check(
    limits: &[Limits],
    profiles: &[Profile],
    problems: &mut Vec<String>,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut labels = Vec::new();
    for limit in limits {
        let label = limit.label();
        let mut wrong = limit.problems();
        if labels.contains(&label) {
            wrong.push("another limit has the same name; give it one with .name(…)".to_owned());
        }
        let mut id = None;
        if let Some(name) = limit.provider.as_deref().filter(|name| !name.trim().is_empty()) {
            match provider::id(name, profiles) {
                Some(known) => id = Some(known.as_str().to_owned()),
                None => wrong.push(provider::unknown(name, profiles)),
            }
        }
        let scope = Scope {
            target: None,
            provider: id,
            model: limit.model.clone(),
            tags: limit.tags.clone(),
            per_provider: limit.per_provider,
            per_model: limit.per_model,
            per_tags: limit.per_tags.clone(),
        };
        rules.extend(limit.rules(&label, &scope));
        problems.extend(wrong.into_iter().map(|problem| format!("limits {label:?}: {problem}")));
        labels.push(label);
    }
    rules
}

/// What is wrong with the limits of a target.
pub(super) fn target_problems(limits: &Limits) -> Vec<String> {
    let mut problems = limits.problems();
    if limits.has_scope() {
        problems.push(
            "they apply to the calls to that target; for a provider, a model or a tag, use \
             ClientBuilder::limits"
                .to_owned(),
        );
    }
    problems.into_iter().map(|problem| format!("its limits: {problem}")).collect()
}

/// The limits of a target.
pub(super) fn of_target(limits: &Limits, target: &str, id: TargetId) -> Vec<Rule> {
    let name = limits.name.clone().unwrap_or_else(|| target.to_owned());
    limits.rules(&name, &Scope { target: Some(id), ..Scope::default() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(limits: &[Limits]) -> (Vec<Rule>, Vec<String>) {
        let mut problems = Vec::new();
        let rules = check(limits, &[], &mut problems);
        (rules, problems)
    }

    #[test]
    fn limits_read_from_json_as_they_are_set() {
        let json = r#"{"requests_per_minute": 60, "tokens_per_minute": 9000, "max_in_flight": 4,
                       "burst": 1.5, "adaptive": true, "learned": true}"#;
        let limits: Limits = serde_json::from_str(json).unwrap();
        let expected = Limits::new()
            .requests_per_minute(60)
            .tokens_per_minute(9_000)
            .max_in_flight(4)
            .burst(Duration::from_millis(1_500))
            .adaptive()
            .learned();
        assert_eq!(limits, expected);
        assert_eq!(serde_json::from_str::<Limits>("{}").unwrap(), Limits::new());
        assert!(serde_json::from_str::<Limits>(r#"{"rpm": 1}"#).is_err());
        let stored = serde_json::to_string(&limits).unwrap();
        assert_eq!(serde_json::from_str::<Limits>(&stored).unwrap(), limits);
    }

    #[test]
    fn each_limit_becomes_a_rule_and_a_learned_one_a_second_rule() {
        let (rules, problems) = checked(&[
            Limits::new().provider("Google").requests_per_minute(60).learned(),
            Limits::new().tag("team", "a").per_tag("customer").adaptive(),
        ]);
        assert_eq!(problems, [""; 0]);
        let [set, learned, adaptive] = &rules[..] else { panic!("{rules:?}") };
        assert_eq!((set.name.as_str(), set.scope.provider.as_deref()), ("Google", Some("gemini")));
        assert_eq!(learned.allowance, Allowance::Learned);
        assert!(learned.scope.per_model && !set.scope.per_model);
        assert_eq!(adaptive.name, "team=a per customer");
        let Allowance::Set { in_flight, .. } = adaptive.allowance else { panic!("{adaptive:?}") };
        assert_eq!(in_flight, InFlight::Adaptive(200));
    }

    #[test]
    fn mistakes_are_named() {
        let good = || Limits::new().requests_per_minute(1);
        for (limits, problem) in [
            (Limits::new(), "limits \"all calls\": it limits nothing; call"),
            (Limits::new().requests_per_minute(0), "requests_per_minute is 0"),
            (Limits::new().tokens_per_minute(0), "tokens_per_minute is 0"),
            (Limits::new().max_in_flight(0), "max_in_flight is 0"),
            (good().provider("oepnai"), "\"oepnai\""),
            (good().name(" "), "the name is empty"),
            (good().model(""), "the model is empty"),
            (good().per_tag(""), "a tag has an empty key"),
        ] {
            let (_, problems) = checked(&[limits]);
            assert!(problems.len() == 1 && problems[0].contains(problem), "{problems:?}");
        }
        let (_, problems) = checked(&[good(), good()]);
        assert!(problems[0].contains("another limit has the same name"), "{problems:?}");
        assert_eq!(target_problems(&good()), [""; 0]);
        let problems = target_problems(&good().provider("openai"));
        assert!(problems[0].contains("use ClientBuilder::limits"), "{problems:?}");
    }
}
