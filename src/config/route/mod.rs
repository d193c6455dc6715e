//! Routes, as the caller sets them.

mod checked;
mod file;
mod target;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::config::limits;
use crate::cost::MaxPrice;
use crate::routing::{BreakerConfig, Failover, Hedge, Strategy};
pub(crate) use checked::{CheckedRoute, CheckedTarget};
pub(super) use checked::{Known, check};
pub use target::RouteTarget;

/// A name for several targets, one of which serves each call.
///
/// Pass it to [`ClientBuilder::route`](crate::ClientBuilder::route). A request whose
/// [`model`](crate::ChatRequest::model) is the route's name goes to one of its targets. If that
/// fails, it goes on to the next, within the same deadline, retry budget and money budgets.
///
/// ```
/// use tollgate::Client;
/// use tollgate::route::{Balanced, Route};
///
/// let client = Client::builder()
///     .route(Route::new("smart").targets(["openai/gpt-4o", "anthropic/claude-sonnet-4-5"]))
///     .route(
///         Route::new("fast")
///             .targets(["groq/llama-3.3-70b-versatile", "cerebras/llama-3.3-70b"])
///             .strategy(Balanced),
///     )
///     .model("smart")
///     .build()?;
/// # let _ = client;
/// # Ok::<(), tollgate::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Route {
    pub(crate) name: String,
    pub(crate) targets: Vec<RouteTarget>,
    pub(crate) strategy: Arc<dyn Strategy>,
    pub(crate) breaker: BreakerConfig,
    pub(crate) short_wait: Duration,
    pub(crate) reroute_refusals: bool,
    pub(crate) wait_for_targets: bool,
    pub(crate) max_price: Option<MaxPrice>,
    pub(crate) hedge: Option<Hedge>,
}

impl Route {
    /// Starts a route without targets. A name must differ from those of the client's models.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            targets: Vec::new(),
            strategy: Arc::new(Failover),
            breaker: BreakerConfig::default(),
            short_wait: Duration::from_secs(2),
            reroute_refusals: false,
            wait_for_targets: false,
            max_price: None,
            hedge: None,
        }
    }

    /// Adds a target.
    pub fn target(mut self, target: impl Into<RouteTarget>) -> Self {
        self.targets.push(target.into());
        self
    }

    /// Adds targets.
    pub fn targets<T: Into<RouteTarget>>(mut self, targets: impl IntoIterator<Item = T>) -> Self {
        self.targets.extend(targets.into_iter().map(Into::into));
        self
    }

    /// Sets how to choose a target. Default: [`Failover`].
    pub fn strategy(mut self, strategy: impl Strategy + 'static) -> Self {
        self.strategy = Arc::new(strategy);
        self
    }

    /// Sets when a target rests. Default: [`BreakerConfig::default`].
    pub fn breaker(mut self, breaker: BreakerConfig) -> Self {
        self.breaker = breaker;
        self
    }

    /// Sets the longest wait that a rate limit may ask for while other targets are free. The call
    /// waits for a shorter one, and goes on to the next target for a longer one. Default: 2 s.
    pub fn short_wait(mut self, wait: Duration) -> Self {
        self.short_wait = wait;
        self
    }

    /// Sets whether a call that a provider's content policy refuses goes on to the next target.
    /// Default: `false`.
    pub fn reroute_refusals(mut self, reroute: bool) -> Self {
        self.reroute_refusals = reroute;
        self
    }

    /// Sets whether a call waits, within its deadline, until a target returns, if all of them
    /// rest. Default: `false`; the call fails, and [`retry_after`](crate::Error::retry_after) says
    /// when the first one returns.
    pub fn wait_for_targets(mut self, wait: bool) -> Self {
        self.wait_for_targets = wait;
        self
    }

    /// Sets the highest price that its targets may have, in dollars per million tokens. Calls skip
    /// a target that costs more. It applies besides the
    /// [`max_price`](crate::ChatRequest::max_price) of a request. Default: no limit.
    pub fn max_price(mut self, most: MaxPrice) -> Self {
        self.max_price = Some(most);
        self
    }

    /// Sets when a call tries a second target although the first has not failed: after a fixed
    /// silence ([`Hedge::after`]), or after one that is long for that target ([`Hedge::at_p95`]).
    /// Default: never.
    ///
    /// A client that must not repeat what may have been billed
    /// ([`retry_ambiguous`](crate::RetryConfig::retry_ambiguous) is `false`) cannot have a route
    /// with hedges: a hedge always repeats such a request.
    pub fn hedge(mut self, hedge: Hedge) -> Self {
        self.hedge = Some(hedge);
        self
    }

    /// What is wrong with it, besides its targets' providers.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.name.trim().is_empty() {
            problems.push("a route has no name; give it one, such as \"smart\"".to_owned());
            return problems;
        }
        if self.targets.is_empty() {
            problems.push("it has no targets; add one, such as \"openai/gpt-4o-mini\"".to_owned());
        }
        for target in &self.targets {
            let weight = target.weight;
            if !(weight.is_finite() && weight >= 0.0) {
                problems.push(format!(
                    "the weight of {} is {weight}; set a number of 0 or more",
                    target.model
                ));
            }
            let limits = target.limits.iter().flat_map(limits::target_problems);
            problems.extend(limits.map(|problem| format!("{}: {problem}", target.model)));
            if target.api_key.is_some() && target.key_variable.is_some() {
                problems.push(format!(
                    "{} has both an api_key and a key_variable; set one of them",
                    target.model
                ));
            }
        }
        if !self.targets.is_empty() && self.targets.iter().all(|target| target.weight == 0.0) {
            problems.push("the weights of all its targets are 0; set one above 0".to_owned());
        }
        problems.extend(self.breaker.problems());
        problems.extend(self.hedge.and_then(Hedge::problem));
        problems.into_iter().map(|problem| format!("route {:?}: {problem}", self.name)).collect()
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("name", &self.name)
            .field("targets", &self.targets)
            .field("strategy", &self.strategy.name())
            .field("breaker", &self.breaker)
            .field("short_wait", &self.short_wait)
            .field("reroute_refusals", &self.reroute_refusals)
            .field("wait_for_targets", &self.wait_for_targets)
            .field("max_price", &self.max_price)
            .field("hedge", &self.hedge)
            .finish()
    }
}
