//! Routes, as the caller sets them.

mod auto;
mod cascade;
mod checked;
mod classifier;
mod file;
mod target;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::chat::ChatResponse;
use crate::config::limits;
use crate::cost::MaxPrice;
use crate::routing::{Ascending, BreakerConfig, Failover, Hedge, Ranked, Strategy};
use auto::Auto;
pub(crate) use cascade::Cascade;
pub use cascade::{Check, Verdict};
pub(crate) use checked::CheckedRoute;
pub(super) use checked::{Known, check};
pub use classifier::{ByPrompt, Choice, Classifier, TargetInfo};
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
    /// As set; [`chosen_strategy`](Self::chosen_strategy) has the default.
    strategy: Option<Arc<dyn Strategy>>,
    pub(crate) breaker: BreakerConfig,
    pub(crate) short_wait: Duration,
    pub(crate) reroute_refusals: bool,
    pub(crate) wait_for_targets: bool,
    pub(crate) max_price: Option<MaxPrice>,
    pub(crate) hedge: Option<Hedge>,
    pub(crate) cascade: Option<Cascade>,
    pub(crate) classifier: Option<Arc<dyn Classifier>>,
    /// The setters for cascades that were called before it was one.
    stray: Vec<&'static str>,
    pub(crate) auto: Auto,
}

impl Route {
    /// Starts a route without targets. A name must differ from those of the client's models.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            targets: Vec::new(),
            strategy: None,
            breaker: BreakerConfig::default(),
            short_wait: Duration::from_secs(2),
            reroute_refusals: false,
            wait_for_targets: false,
            max_price: None,
            hedge: None,
            cascade: None,
            classifier: None,
            stray: Vec::new(),
            auto: Auto::default(),
        }
    }

    /// Starts a cascade: a route that tries its cheapest target first, and moves up to the next one
    /// if it does not accept the answer. The targets are in the order in which to try them, with the
    /// cheapest first; [`cheapest_first`](Self::cheapest_first) can order them by price.
    ///
    /// [`checks`](Self::checks) and [`accept`](Self::accept) decide whether an answer will do. By
    /// default, a cascade moves up if the model refuses, is cut off, writes nothing, or does not
    /// write the JSON that the request asks for.
    ///
    /// One deadline, one cancel token, `max_retries` and all budgets apply to all steps together.
    /// Each step reserves and is charged the price of its own target, and
    /// [`ChatResponse::cost`](crate::ChatResponse::cost) is the sum. A step that fails is handled as
    /// in any route: the call goes on to the next target, or retries.
    ///
    /// If no answer is accepted, or the targets that are left cannot be asked (because they fail or
    /// rest, because a budget does not allow them, or because time ran out), the call returns the
    /// last answer, since that is paid for. [`ChatResponse::not_accepted`] says why it was not
    /// accepted, and [`ChatResponse::route`] what became of every target.
    /// [`require_accepted`](Self::require_accepted) turns this into an error. A cancelled call is
    /// always an error.
    ///
    /// A cascade has to see a whole answer to judge it, so it refuses streams. It goes by its order,
    /// so it takes no strategy. It takes no hedge either, because that would ask an expensive model
    /// before the cheap one has answered.
    ///
    /// ```
    /// use tollgate::ChatResponse;
    /// use tollgate::route::Route;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct City {
    ///     name: String,
    /// }
    ///
    /// let targets = ["groq/llama-3.1-8b-instant", "openai/gpt-4o-mini", "openai/gpt-4o"];
    /// let route = Route::cascade("cities", targets)
    ///     .accept(|answer: &ChatResponse| answer.parse::<City>())
    ///     .accept(|answer: &ChatResponse| answer.text().len() < 2_000);
    /// # let _ = route;
    /// ```
    pub fn cascade<T: Into<RouteTarget>>(
        name: impl Into<String>,
        targets: impl IntoIterator<Item = T>,
    ) -> Self {
        Self { cascade: Some(Cascade::default()), ..Self::new(name).targets(targets) }
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
        self.strategy = Some(Arc::new(strategy));
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

    /// Adds a check of yours to a [cascade](Self::cascade). It gets each answer that its
    /// [`checks`](Self::checks) do not object to, and returns whether the answer will do: a `bool`, a
    /// `Result` whose error says why not, or a [`Verdict`]. All checks must accept an answer.
    /// Default: none.
    ///
    /// It runs on the thread that makes the call, after the answer has been charged. A panic reaches
    /// the code that made the call.
    pub fn accept<V: Into<Verdict>>(
        self,
        check: impl Fn(&ChatResponse) -> V + Send + Sync + 'static,
    ) -> Self {
        let check = Arc::new(move |answer: &ChatResponse| check(answer).into());
        self.with_cascade("accept", |cascade| cascade.accept.push(check))
    }

    /// Sets which ready-made checks a [cascade](Self::cascade) makes, instead of the default.
    /// Default: [`Check::ALL`].
    pub fn checks(self, checks: impl IntoIterator<Item = Check>) -> Self {
        self.with_cascade("checks", |cascade| cascade.checks = checks.into_iter().collect())
    }

    /// Sets whether a call to a [cascade](Self::cascade) fails if no answer is accepted: with
    /// [`NotAccepted`](crate::ErrorKind::NotAccepted) after the last target, or with the error that
    /// kept it from going on. Default: `false`; the call returns the last answer, and
    /// [`ChatResponse::not_accepted`] says what is wrong with it.
    pub fn require_accepted(self, require: bool) -> Self {
        self.with_cascade("require_accepted", |cascade| cascade.require_accepted = require)
    }

    /// Sets whether a [cascade](Self::cascade) tries its targets in the order of what the call can be
    /// expected to cost there, from their prices and the length of their recent answers. A target
    /// without a known price comes last. Default: `false`; your order counts.
    pub fn cheapest_first(self, by_cost: bool) -> Self {
        self.with_cascade("cheapest_first", |cascade| cascade.cheapest_first = by_cost)
    }

    fn with_cascade(mut self, setter: &'static str, set: impl FnOnce(&mut Cascade)) -> Self {
        match &mut self.cascade {
            Some(cascade) => set(cascade),
            None => self.stray.push(setter),
        }
        self
    }

    /// Sets a classifier, which reads each request and chooses the target to try first. Default:
    /// none; the strategy chooses.
    pub fn classifier(mut self, classifier: impl Classifier + 'static) -> Self {
        self.classifier = Some(Arc::new(classifier));
        self
    }

    /// The strategy that was set, otherwise the one of its kind of route.
    pub(crate) fn chosen_strategy(&self) -> Arc<dyn Strategy> {
        match (&self.strategy, &self.cascade) {
            (Some(strategy), _) => Arc::clone(strategy),
            (None, Some(cascade)) => Arc::new(Ascending { by_cost: cascade.cheapest_first }),
            (None, None) if self.auto.is_on => Arc::new(Ranked),
            (None, None) => Arc::new(Failover),
        }
    }

    /// What makes no sense in a cascade, or outside of one.
    fn cascade_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let Some(cascade) = &self.cascade else {
            problems.extend(self.stray.iter().map(|setter| {
                format!("{setter} is for cascades only; start the route with Route::cascade")
            }));
            return problems;
        };
        if let Some(strategy) = &self.strategy {
            problems.push(format!(
                "a cascade tries its targets in their order, so it cannot have the strategy {:?}; \
                 remove the strategy",
                strategy.name()
            ));
        }
        if self.hedge.is_some() {
            problems.push(
                "a cascade cannot hedge, because that would ask an expensive model before the cheap \
                 one has answered; remove the hedge"
                    .to_owned(),
            );
        }
        if self.classifier.is_some() && cascade.cheapest_first {
            problems.push(
                "cheapest_first and the classifier would both choose the first target; remove one"
                    .to_owned(),
            );
        }
        if self.targets.len() == 1 {
            problems.push(
                "a cascade with one target cannot move up; add a target, or use Route::new"
                    .to_owned(),
            );
        }
        problems
    }

    /// What is wrong with it, besides its targets' providers.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.name.trim().is_empty() {
            problems.push("a route has no name; give it one, such as \"smart\"".to_owned());
            return problems;
        }
        problems.extend(self.auto_problems());
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
        problems.extend(self.cascade_problems());
        problems.into_iter().map(|problem| format!("route {:?}: {problem}", self.name)).collect()
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("name", &self.name)
            .field("targets", &self.targets)
            .field("strategy", &self.chosen_strategy().name())
            .field("breaker", &self.breaker)
            .field("short_wait", &self.short_wait)
            .field("reroute_refusals", &self.reroute_refusals)
            .field("wait_for_targets", &self.wait_for_targets)
            .field("max_price", &self.max_price)
            .field("hedge", &self.hedge)
            .field("cascade", &self.cascade)
            .field("classifier", &self.classifier.as_ref().map(|one| one.name().to_owned()))
            .field("auto", &self.auto)
            .finish()
    }
}
