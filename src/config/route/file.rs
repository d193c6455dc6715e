//! Routes as JSON.

use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::auto::AutoFields;
use super::{ByPrompt, Cascade, Classifier, Route, RouteTarget};
use crate::catalogue::{Capabilities, ModelStatus};
use crate::config::Limits;
use crate::cost::MaxPrice;
use crate::error::{Error, ErrorKind};
use crate::routing::{
    Balanced, BreakerConfig, Cheapest, Failover, Fastest, Hedge, Sticky, Strategy, Weighted,
};
use crate::settings_file;

impl Route {
    /// Reads a list of routes from JSON.
    ///
    /// A route has a `name`, its `targets`, and optionally `strategy` (`failover`, `weighted`,
    /// `balanced`, `fastest`, `fastest_tokens`, `cheapest` or `sticky`), `breaker`, `hedge` (a
    /// number of seconds, or `"p95"`), `classifier` (`by_prompt`) and the other settings of
    /// [`Route`].
    ///
    /// A `cascade` member makes the route a [cascade](Route::cascade). It is an object, which may be
    /// empty, with `checks` (`refusal`, `cut_off`, `empty` and `format`), `require_accepted` and
    /// `cheapest_first`.
    ///
    /// An `auto` member makes the route an [automatic](Route::auto) one, which has no `targets`. It is
    /// an object, which may be empty, with `shortlist` and the settings of
    /// [`Needs`](crate::catalogue::Needs) by their names, such as `providers`, `context`, `quality`,
    /// `max_latency` and `tools`.
    ///
    /// A target is `provider/model`, or an object with `model` and optionally `name`,
    /// `key_variable`, `weight`, `region`, `enabled`, `limits`, and what its model can do:
    /// `context_window`, `max_output`, `images`, `documents`, `tools`, `schema`, `reasoning` and
    /// `status`. `limits` has `requests_per_minute`, `tokens_per_minute`, `max_in_flight` and the
    /// other settings of [`Limits`](crate::Limits).
    ///
    /// Times are in seconds, and prices in dollars per million tokens. Do not put a key into a
    /// file; name its variable instead.
    ///
    /// ```
    /// use tollgate::route::Route;
    ///
    /// let routes = Route::from_json(
    ///     r#"[{
    ///         "name": "smart",
    ///         "strategy": "weighted",
    ///         "targets": [
    ///             {"model": "openai/gpt-4o", "weight": 3, "limits": {"max_in_flight": 8}},
    ///             {"model": "openai/gpt-4o", "name": "second key", "key_variable": "OPENAI_KEY_2"},
    ///             "anthropic/claude-sonnet-4-5"
    ///         ],
    ///         "breaker": {"rest": 10},
    ///         "max_price": {"input": 5, "output": 20}
    ///     }, {
    ///         "name": "best",
    ///         "auto": {"providers": ["openai", "anthropic"], "context": 100000}
    ///     }]"#,
    /// )?;
    /// assert_eq!(routes.len(), 2);
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) for invalid JSON, an unknown member or an
    /// unknown strategy, with the line and column of the mistake.
    pub fn from_json(text: &str) -> Result<Vec<Self>, Error> {
        let text = settings_file::without_mark(text);
        let routes: Vec<ReadRoute> = serde_json::from_str(text).map_err(|cause| {
            Error::new(ErrorKind::Configuration, format!("the routes are invalid: {cause}"))
        })?;
        Ok(routes.into_iter().map(|read| read.0).collect())
    }

    /// Reads a JSON file like [`from_json`](Self::from_json), for
    /// [`ClientBuilder::routes`](crate::ClientBuilder::routes).
    ///
    /// # Errors
    ///
    /// As for [`from_json`](Self::from_json), with the name of the file, and
    /// [`Configuration`](ErrorKind::Configuration) if the file cannot be read.
    pub fn load(path: impl AsRef<Path>) -> Result<Vec<Self>, Error> {
        settings_file::load(path.as_ref(), Self::from_json)
    }
}

/// A route as it was read.
#[derive(Deserialize)]
#[serde(try_from = "RouteFields")]
struct ReadRoute(Route);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteFields {
    name: String,
    targets: Option<Vec<TargetFields>>,
    auto: Option<AutoFields>,
    strategy: Option<StrategyName>,
    #[serde(default)]
    breaker: BreakerConfig,
    #[serde(default, deserialize_with = "crate::routing::seconds::optional")]
    short_wait: Option<Duration>,
    #[serde(default)]
    reroute_refusals: bool,
    #[serde(default)]
    wait_for_targets: bool,
    max_price: Option<MaxPrice>,
    #[serde(default)]
    hedge: Option<Hedge>,
    cascade: Option<Cascade>,
    classifier: Option<ClassifierName>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum ClassifierName {
    ByPrompt,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a target must be \"provider/model\", or an object with a model")]
enum TargetFields {
    Model(String),
    Object(Box<TargetObject>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetObject {
    model: String,
    name: Option<String>,
    key_variable: Option<String>,
    weight: Option<f64>,
    region: Option<String>,
    enabled: Option<bool>,
    context_window: Option<u64>,
    max_output: Option<u64>,
    images: Option<bool>,
    documents: Option<bool>,
    tools: Option<bool>,
    schema: Option<bool>,
    reasoning: Option<bool>,
    status: Option<ModelStatus>,
    limits: Option<Limits>,
}

impl TargetObject {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            context_window: self.context_window,
            max_output: self.max_output,
            images: self.images,
            documents: self.documents,
            tools: self.tools,
            schema: self.schema,
            reasoning: self.reasoning,
            status: self.status,
            ..Capabilities::default()
        }
    }
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum StrategyName {
    Failover,
    Weighted,
    Balanced,
    Fastest,
    FastestTokens,
    Cheapest,
    Sticky,
}

impl StrategyName {
    fn strategy(self) -> Arc<dyn Strategy> {
        match self {
            Self::Failover => Arc::new(Failover),
            Self::Weighted => Arc::new(Weighted),
            Self::Balanced => Arc::new(Balanced),
            Self::Fastest => Arc::new(Fastest::first_token()),
            Self::FastestTokens => Arc::new(Fastest::tokens_per_second()),
            Self::Cheapest => Arc::new(Cheapest),
            Self::Sticky => Arc::new(Sticky::default()),
        }
    }
}

impl TargetFields {
    fn target(self) -> RouteTarget {
        match self {
            Self::Model(model) => RouteTarget::new(model),
            Self::Object(fields) => RouteTarget {
                enabled: fields.enabled.unwrap_or(true),
                capabilities: fields.capabilities(),
                name: fields.name,
                key_variable: fields.key_variable,
                weight: fields.weight.unwrap_or(1.0),
                region: fields.region,
                limits: fields.limits,
                ..RouteTarget::new(fields.model)
            },
        }
    }
}

impl TryFrom<RouteFields> for ReadRoute {
    type Error = &'static str;

    fn try_from(fields: RouteFields) -> Result<Self, Self::Error> {
        let route = match (fields.targets, fields.auto) {
            (Some(targets), None) => {
                Route::new(fields.name).targets(targets.into_iter().map(TargetFields::target))
            }
            (None, Some(auto)) => auto.route(fields.name),
            (Some(_), Some(_)) => {
                return Err("a route has either targets or auto; name the models to choose from \
                            in auto's models");
            }
            (None, None) => {
                return Err("missing field `targets`, or `auto` for an automatic route");
            }
        };
        let classifier = |name: ClassifierName| -> Arc<dyn Classifier> {
            match name {
                ClassifierName::ByPrompt => Arc::new(ByPrompt::default()),
            }
        };
        Ok(Self(Route {
            strategy: fields.strategy.map(StrategyName::strategy),
            cascade: fields.cascade,
            classifier: fields.classifier.map(classifier),
            breaker: fields.breaker,
            short_wait: fields.short_wait.unwrap_or(route.short_wait),
            reroute_refusals: fields.reroute_refusals,
            wait_for_targets: fields.wait_for_targets,
            max_price: fields.max_price,
            hedge: fields.hedge,
            ..route
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Needs;

    #[test]
    fn a_route_reads_from_json_with_its_defaults() {
        let routes = Route::from_json(
            "\u{feff}[{\"name\": \"r\", \"targets\": [\"a/b\", {\"model\": \"c/d\", \"weight\": 2, \
             \"region\": \"eu\", \"key_variable\": \"K\", \"context_window\": 9, \"limits\": \
             {\"requests_per_minute\": 7, \"learned\": true}}], \
             \"strategy\": \"fastest_tokens\", \"short_wait\": 0.5, \"breaker\": {\"rest\": 7}, \
             \"reroute_refusals\": true, \"wait_for_targets\": true, \"hedge\": 0.5}, \
             {\"name\": \"s\", \"targets\": [\"a/b\"], \"hedge\": \"p95\"}]",
        );
        let routes = routes.unwrap();
        let [first, second] = &routes[..] else { panic!("{routes:?}") };
        assert_eq!(first.chosen_strategy().name(), "fastest_tokens");
        assert_eq!(first.breaker, BreakerConfig::default().rest(Duration::from_secs(7)));
        assert_eq!(first.short_wait, Duration::from_millis(500));
        assert!(first.reroute_refusals && first.wait_for_targets);
        let hedges = [Hedge::after(Duration::from_millis(500)), Hedge::at_p95()];
        assert_eq!([first.hedge, second.hedge], hedges.map(Some));
        let target = &first.targets[1];
        assert_eq!((target.model.as_str(), target.weight), ("c/d", 2.0));
        assert_eq!(target.key_variable.as_deref(), Some("K"));
        assert_eq!(target.region.as_deref(), Some("eu"));
        assert_eq!(target.capabilities, Capabilities::default().context_window(9));
        assert!(target.enabled && first.max_price.is_none());
        assert_eq!(target.limits, Some(Limits::new().requests_per_minute(7).learned()));
        assert_eq!(second.chosen_strategy().name(), "failover");
        assert_eq!(second.short_wait, Duration::from_secs(2));
        assert!(!second.reroute_refusals && !second.wait_for_targets);
    }

    #[test]
    fn what_a_target_can_do_and_may_cost_reads_from_json() {
        let routes = Route::from_json(
            "[{\"name\": \"r\", \"max_price\": {\"input\": 1.5, \"output\": \"6\"}, \"targets\": [
              {\"model\": \"a/b\", \"enabled\": false},
              {\"model\": \"c/d\", \"context_window\": 9, \"max_output\": 3, \"images\": true,
               \"documents\": false, \"tools\": false, \"schema\": false, \"reasoning\": false,
               \"status\": \"deprecated\"}]}]",
        );
        let routes = routes.unwrap();
        let most = MaxPrice::per_million("1.5".parse().unwrap(), "6".parse().unwrap());
        assert_eq!(routes[0].max_price, Some(most));
        let [first, second] = &routes[0].targets[..] else { panic!("{routes:?}") };
        assert!(!first.enabled && second.enabled);
        let can = Capabilities::default().context_window(9).max_output(3).images(true);
        let can = can.documents(false).tools(false).schema(false).reasoning(false);
        assert_eq!(second.capabilities, can.status(ModelStatus::Deprecated));
    }

    #[test]
    fn a_cascade_reads_from_json_with_its_defaults() {
        let routes = Route::from_json(
            "[{\"name\": \"r\", \"targets\": [\"a/b\", \"c/d\"], \"cascade\": {}}, \
             {\"name\": \"s\", \"targets\": [\"a/b\", \"c/d\"], \"cascade\": \
             {\"cheapest_first\": true}}]",
        );
        let routes = routes.unwrap();
        let [first, second] = &routes[..] else { panic!("{routes:?}") };
        let expected = |by_cost| Route::cascade("r", ["a/b", "c/d"]).cheapest_first(by_cost);
        for (read, built) in [(first, expected(false)), (second, expected(true))] {
            let [read_cascade, built_cascade] = [&read.cascade, &built.cascade];
            assert_eq!(format!("{read_cascade:?}"), format!("{built_cascade:?}"));
            assert_eq!(read.chosen_strategy().name(), built.chosen_strategy().name());
        }
    }

    #[test]
    fn an_automatic_route_reads_from_json() {
        let routes = Route::from_json(
            "[{\"name\": \"a\", \"auto\": {}, \"hedge\": \"p95\"}, {\"name\": \"b\", \"auto\": {
              \"shortlist\": 3, \"images\": true, \"documents\": true, \"audio\": true,
              \"video\": true, \"tools\": true, \"parallel_tools\": true, \"schema\": true,
              \"reasoning\": true, \"max_output\": 1, \"context\": 2, \"prompt_tokens\": 3,
              \"answer_tokens\": 4, \"max_price\": {\"input\": 5}, \"max_latency\": 0.5,
              \"quality\": 70, \"providers\": [\"p\"], \"models\": [\"m\"], \"regions\": [\"eu\"]}}]",
        );
        let routes = routes.unwrap();
        let [first, second] = &routes[..] else { panic!("{routes:?}") };
        assert!(first.auto.is_on && first.auto.needs == Some(Needs::new()));
        assert_eq!((first.auto.places, first.hedge), (5, Some(Hedge::at_p95())));
        let needs = Needs::new().images(true).documents(true).audio(true).video(true).tools(true);
        let needs = needs.parallel_tools(true).schema(true).reasoning(true).max_output(1);
        let needs = needs.context(2).prompt_tokens(3).answer_tokens(4).quality(70.0);
        let needs = needs.max_price(MaxPrice::of_input("5".parse().unwrap()));
        let needs = needs.max_latency(Duration::from_millis(500));
        let needs = needs.providers(["p"]).models(["m"]).regions(["eu"]);
        assert_eq!((&second.auto.needs, second.auto.places), (&Some(needs), 3));
    }

    #[test]
    fn mistakes_in_json_are_errors_with_their_place() {
        for (json, problem) in [
            ("[", "EOF"),
            ("{}", "invalid type"),
            ("[{}]", "missing field `name`"),
            ("[{\"name\": \"r\"}]", "missing field `targets`, or `auto`"),
            ("[{\"name\": \"r\", \"auto\": {}, \"targets\": []}]", "either targets or auto"),
            ("[{\"name\": \"r\", \"auto\": {\"size\": 1}}]", "unknown field `size`"),
            ("[{\"name\": \"r\", \"auto\": {\"max_latency\": -1}}]", "-1 is not a number of"),
            ("[{\"name\": \"r\", \"targets\": [], \"order\": 1}]", "unknown field `order`"),
            (
                "[{\"name\": \"r\", \"targets\": [], \"strategy\": \"best\"}]",
                "unknown variant `best`",
            ),
            (
                "[{\"name\": \"r\", \"targets\": [], \"cascade\": {\"accept\": []}}]",
                "unknown field `accept`",
            ),
            ("[{\"name\": \"r\", \"targets\": [{\"key\": 1}]}]", "an object with a model"),
            ("[{\"name\": \"r\", \"targets\": [], \"short_wait\": -1}]", "-1 is not a number of"),
            ("[{\"name\": \"r\", \"targets\": [], \"hedge\": \"p99\"}]", "\"p95\" or a number"),
            ("[{\"name\": \"r\", \"targets\": [], \"hedge\": -1}]", "-1 is not a number of"),
            (
                "[{\"name\": \"r\", \"targets\": [], \"max_price\": {\"prompt\": 1}}]",
                "unknown field `prompt`",
            ),
        ] {
            let error = Route::from_json(json).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(error.message().contains(problem), "{json}: {error}");
            assert!(error.message().contains("line 1 column"), "{error}");
        }
    }
}
