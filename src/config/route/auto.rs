//! Routes that find their targets themselves.

use super::Route;
use crate::catalogue::Needs;

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
