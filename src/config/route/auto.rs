//! Routes that find their targets themselves.

use serde::Deserialize;
use std::time::Duration;

use super::Route;
use crate::catalogue::Needs;
use crate::cost::MaxPrice;

/// How a route finds its targets.
#[derive(Debug, Clone)]
pub(crate) struct Auto {
    /// Whether it does. If not, its targets are set.
    pub(crate) is_on: bool,
    pub(crate) needs: Option<Needs>,
    /// The most targets of a call.
    pub(crate) places: usize,
}

impl Default for Auto {
    fn default() -> Self {
        Self { is_on: false, needs: None, places: 5 }
    }
}

/// The `auto` member of a route in JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AutoFields {
    shortlist: Option<usize>,
    images: bool,
    documents: bool,
    audio: bool,
    video: bool,
    tools: bool,
    parallel_tools: bool,
    schema: bool,
    reasoning: bool,
    max_output: Option<u64>,
    context: Option<u64>,
    prompt_tokens: Option<u64>,
    answer_tokens: Option<u64>,
    max_price: Option<MaxPrice>,
    #[serde(deserialize_with = "crate::routing::seconds::optional")]
    max_latency: Option<Duration>,
    quality: Option<f64>,
    providers: Vec<String>,
    models: Vec<String>,
    regions: Vec<String>,
}

impl AutoFields {
    /// The automatic route that they describe.
    pub(super) fn route(self, name: String) -> Route {
        let needs = Needs::new()
            .images(self.images)
            .documents(self.documents)
            .audio(self.audio)
            .video(self.video)
            .tools(self.tools)
            .parallel_tools(self.parallel_tools)
            .schema(self.schema)
            .reasoning(self.reasoning)
            .providers(self.providers)
            .models(self.models)
            .regions(self.regions);
        let needs = set(needs, self.max_output, Needs::max_output);
        let needs = set(needs, self.context, Needs::context);
        let needs = set(needs, self.prompt_tokens, Needs::prompt_tokens);
        let needs = set(needs, self.answer_tokens, Needs::answer_tokens);
        let needs = set(needs, self.max_price, Needs::max_price);
        let needs = set(needs, self.max_latency, Needs::max_latency);
        let needs = set(needs, self.quality, Needs::quality);
        let route = Route::auto(name).needs(needs);
        set(route, self.shortlist, Route::shortlist)
    }
}

/// Calls a setter with a value if there is one.
fn set<S, T>(on: S, value: Option<T>, setter: impl FnOnce(S, T) -> S) -> S {
    match value {
        Some(value) => setter(on, value),
        None => on,
    }
}

/// The most targets that a call may have.
const MAX_PLACES: usize = 20;

impl Route {
    /// Starts a route that finds the targets of each call itself: the best five models that meet
    /// the needs of the request, among the providers that the client has settings for or whose key
    /// is in the environment.
    ///
    /// The order is that of [`Catalogue::select`](crate::catalogue::Catalogue::select), with the
    /// latencies, answer lengths and cache shares that the client measured in the last five minutes.
    /// A model that rests comes after all others. Of the five targets, at most three belong to one
    /// provider as long as others have any. [`ChatResponse::route`](crate::ChatResponse::route) says
    /// why each target has its place, and why models are left out.
    ///
    /// ```
    /// use tollgate::Client;
    /// use tollgate::catalogue::Needs;
    /// use tollgate::route::Route;
    ///
    /// let client = Client::builder()
    ///     .route(Route::auto("best").needs(Needs::new().providers(["openai", "anthropic"])))
    ///     .model("best")
    ///     .build()?;
    /// # let _ = client;
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    pub fn auto(name: impl Into<String>) -> Self {
        let auto = Auto { is_on: true, ..Auto::default() };
        Self { auto, ..Self::new(name) }
    }

    /// Sets what the models of an [automatic](Self::auto) route must meet besides the needs of each
    /// request: a quality, a latency, or the providers and models to choose from. Default: nothing.
    pub fn needs(mut self, needs: Needs) -> Self {
        self.auto.needs = Some(needs);
        self
    }

    /// Sets the most targets of a call to an [automatic](Self::auto) route, from 1 to 20. Default: 5.
    pub fn shortlist(mut self, targets: usize) -> Self {
        self.auto.places = targets;
        self
    }

    /// What is wrong with the way it finds its targets.
    pub(super) fn auto_problems(&self) -> Option<String> {
        let Auto { is_on, needs, places } = &self.auto;
        match is_on {
            true if !self.targets.is_empty() => Some(
                "it is automatic and has targets; remove them and name their models with \
                 Needs::models, or start it with Route::new"
                    .to_owned(),
            ),
            true if !(1..=MAX_PLACES).contains(places) => {
                Some(format!("its shortlist has {places} targets; set 1 to {MAX_PLACES}"))
            }
            false if needs.is_some() => Some(
                "it has needs, which are for automatic routes; start it with Route::auto"
                    .to_owned(),
            ),
            false if self.targets.is_empty() => {
                Some("it has no targets; add one, such as \"openai/gpt-4o-mini\"".to_owned())
            }
            _ => None,
        }
    }
}
