//! Routes as JSON.

use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Route, RouteTarget};
use crate::error::{Error, ErrorKind};
use crate::routing::{
    Balanced, BreakerConfig, Cheapest, Failover, Fastest, Sticky, Strategy, Weighted,
};
use crate::settings_file;

impl Route {
    /// Reads a list of routes from JSON.
    ///
    /// A route has a `name`, its `targets`, and optionally `strategy` (`failover`, `weighted`,
    /// `balanced`, `fastest`, `fastest_tokens`, `cheapest` or `sticky`), `breaker` and the other
    /// settings of [`Route`]. A target is `provider/model`, or an object with `model` and
    /// optionally `name`, `key_variable`, `weight`, `region` and `context_window`. Times are in
    /// seconds. A key itself does not belong into a file.
    ///
    /// ```
    /// use tollgate::route::Route;
    ///
    /// let routes = Route::from_json(
    ///     r#"[{
    ///         "name": "smart",
    ///         "strategy": "weighted",
    ///         "targets": [
    ///             {"model": "openai/gpt-4o", "weight": 3},
    ///             {"model": "openai/gpt-4o", "name": "second key", "key_variable": "OPENAI_KEY_2"},
    ///             "anthropic/claude-sonnet-4-5"
    ///         ],
    ///         "breaker": {"rest": 10}
    ///     }]"#,
    /// )?;
    /// assert_eq!(routes.len(), 1);
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) for invalid JSON, an unknown member or an
    /// unknown strategy, with the line and column of the mistake.
    pub fn from_json(text: &str) -> Result<Vec<Self>, Error> {
        let text = settings_file::without_mark(text);
        let routes: Vec<RouteFields> = serde_json::from_str(text).map_err(|cause| {
            Error::new(ErrorKind::Configuration, format!("the routes are invalid: {cause}"))
        })?;
        Ok(routes.into_iter().map(RouteFields::route).collect())
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteFields {
    name: String,
    targets: Vec<TargetFields>,
    #[serde(default)]
    strategy: StrategyName,
    #[serde(default)]
    breaker: BreakerConfig,
    #[serde(default, with = "optional_seconds")]
    short_wait: Option<Duration>,
    #[serde(default)]
    reroute_refusals: bool,
    #[serde(default)]
    wait_for_targets: bool,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a target must be \"provider/model\", or an object with a model")]
enum TargetFields {
    Model(String),
    Object(TargetObject),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetObject {
    model: String,
    name: Option<String>,
    key_variable: Option<String>,
    weight: Option<f64>,
    region: Option<String>,
    context_window: Option<u64>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum StrategyName {
    #[default]
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

impl RouteFields {
    fn route(self) -> Route {
        let targets = self.targets.into_iter().map(|target| match target {
            TargetFields::Model(model) => RouteTarget::new(model),
            TargetFields::Object(fields) => RouteTarget {
                name: fields.name,
                key_variable: fields.key_variable,
                weight: fields.weight.unwrap_or(1.0),
                region: fields.region,
                context_window: fields.context_window,
                ..RouteTarget::new(fields.model)
            },
        });
        let route = Route::new(self.name).targets(targets);
        Route {
            strategy: self.strategy.strategy(),
            breaker: self.breaker,
            short_wait: self.short_wait.unwrap_or(route.short_wait),
            reroute_refusals: self.reroute_refusals,
            wait_for_targets: self.wait_for_targets,
            ..route
        }
    }
}

mod optional_seconds {
    use serde::Deserializer;
    use std::time::Duration;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        crate::routing::seconds::deserialize(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_reads_from_json_with_its_defaults() {
        let routes = Route::from_json(
            "\u{feff}[{\"name\": \"r\", \"targets\": [\"a/b\", {\"model\": \"c/d\", \"weight\": 2, \
             \"region\": \"eu\", \"key_variable\": \"K\", \"context_window\": 9}], \
             \"strategy\": \"fastest_tokens\", \"short_wait\": 0.5, \"breaker\": {\"rest\": 7}, \
             \"reroute_refusals\": true, \"wait_for_targets\": true}, \
             {\"name\": \"s\", \"targets\": [\"a/b\"]}]",
        );
        let routes = routes.unwrap();
        let [first, second] = &routes[..] else { panic!("{routes:?}") };
        assert_eq!(first.strategy.name(), "fastest_tokens");
        assert_eq!(first.breaker, BreakerConfig::default().rest(Duration::from_secs(7)));
        assert_eq!(first.short_wait, Duration::from_millis(500));
        assert!(first.reroute_refusals && first.wait_for_targets);
        let target = &first.targets[1];
        assert_eq!((target.model.as_str(), target.weight), ("c/d", 2.0));
        assert_eq!(target.key_variable.as_deref(), Some("K"));
        assert_eq!((target.region.as_deref(), target.context_window), (Some("eu"), Some(9)));
        assert_eq!(second.strategy.name(), "failover");
        assert_eq!(second.short_wait, Duration::from_secs(2));
        assert!(!second.reroute_refusals && !second.wait_for_targets);
    }

    #[test]
    fn mistakes_in_json_are_errors_with_their_place() {
        for (json, problem) in [
            ("[", "EOF"),
            ("{}", "invalid type"),
            ("[{}]", "missing field `name`"),
            ("[{\"name\": \"r\"}]", "missing field `targets`"),
            ("[{\"name\": \"r\", \"targets\": [], \"order\": 1}]", "unknown field `order`"),
            (
                "[{\"name\": \"r\", \"targets\": [], \"strategy\": \"best\"}]",
                "unknown variant `best`",
            ),
            ("[{\"name\": \"r\", \"targets\": [{\"key\": 1}]}]", "an object with a model"),
            ("[{\"name\": \"r\", \"targets\": [], \"short_wait\": -1}]", "-1 is not a number of"),
        ] {
            let error = Route::from_json(json).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(error.message().contains(problem), "{json}: {error}");
            assert!(error.message().contains("line 1 column"), "{error}");
        }
    }
}
