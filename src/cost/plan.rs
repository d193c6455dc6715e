//! `CallPlan`: what a call will ask for, and the most it can use.

use std::sync::Arc;

use super::Price;
use super::scope::Scope;
use crate::provider;
use crate::tags::Tags;
use crate::upper_bound::UpperBound;

/// What a call will ask for: its provider, model and tags, and the most it can use.
///
/// A [`Client`](crate::Client) makes these itself. Programs that send requests by other means
/// pass one to [`CostTracker::reserve`](super::CostTracker::reserve).
#[derive(Debug, Clone)]
pub struct CallPlan {
    /// The provider and the model.
    pub(super) scope: Arc<Scope>,
    pub(super) tags: Tags,
    pub(super) service_tier: Option<String>,
    pub(super) bound: UpperBound,
    /// Whether the most input tokens were set, and the most output tokens.
    has_input: bool,
    has_output: bool,
    /// The fewest output tokens worth the call, if the output limit may be lowered to fit the
    /// budgets.
    pub(super) min_output: Option<u64>,
    /// The estimated input tokens, if they differ from the bound.
    pub(super) expected_input: Option<u64>,
    /// What a client knows of the model. The limits in its price apply where this is unknown.
    pub(super) context_window: Option<u64>,
    pub(super) max_output: Option<u64>,
}

impl CallPlan {
    /// Plans a call to `model` at `provider`, such as `gpt-4o` at `openai`.
    ///
    /// Budgets and reports use the provider's id as given here. Prices are looked up under the
    /// name that the provider's [profile](crate::provider::Profile::prices) gives for them, or
    /// under the id if there is no such profile.
    /// [`price_provider`](Self::price_provider) overrides that name.
    pub fn new(provider: impl Into<String>, model: impl Into<String>) -> Self {
        let provider = provider.into();
        let prices = provider::price_name(&provider).map(String::from);
        Self::to(Arc::new(Scope::named(provider, prices, model.into())), Tags::default())
    }

    /// Plans a call to a model that a tracker knows.
    pub(super) fn to(scope: Arc<Scope>, tags: Tags) -> Self {
        Self {
            scope,
            tags,
            service_tier: None,
            bound: UpperBound::default(),
            has_input: false,
            has_output: false,
            min_output: None,
            expected_input: None,
            context_window: None,
            max_output: None,
        }
    }

    /// Sets the provider's name in the price table. Default: see [`new`](Self::new).
    #[must_use]
    pub fn price_provider(mut self, name: impl Into<String>) -> Self {
        let Scope { provider, model, .. } = &*self.scope;
        let named = Scope::named(provider.clone(), Some(name.into()), model.clone());
        self.scope = Arc::new(named);
        self
    }

    /// Sets the most input tokens the call can use. Default: unknown. If a hard budget applies,
    /// [`reserve`](super::CostTracker::reserve) then refuses the call.
    #[must_use]
    pub fn input_tokens(mut self, most: u64) -> Self {
        self.has_input = true;
        self.bound.input_tokens = most;
        self
    }

    /// Sets the most output tokens the call can produce, over all choices together; 0 if it
    /// produces none. Default: unknown, with the same effect as for
    /// [`input_tokens`](Self::input_tokens).
    #[must_use]
    pub fn output_tokens(mut self, most: u64) -> Self {
        self.has_output = true;
        self.bound.output_tokens = most;
        self
    }

    /// Lets a budget lower the output limit to what it can pay for, down to `least` tokens.
    /// [`Reservation::output_tokens`](super::Reservation::output_tokens) then says what to send
    /// as `max_tokens`. Default: the limit is not lowered.
    #[must_use]
    pub fn min_output_tokens(mut self, least: u64) -> Self {
        self.min_output = Some(least);
        self
    }

    /// Declares that input may be written to a prompt cache, which some providers bill at a
    /// higher rate. Default: no.
    #[must_use]
    pub fn cache_writes(mut self) -> Self {
        self.bound.cache_writes = true;
        self
    }

    /// Sets the most web searches the provider may run. Default: none.
    #[must_use]
    pub fn web_searches(mut self, most: u64) -> Self {
        self.bound.web_searches = most;
        self
    }

    /// Sets the requested service tier, such as `flex`, `priority` or `batch`. Default: none. The
    /// most expensive tier that may serve the call is then reserved, and the difference is
    /// released when the call ends.
    #[must_use]
    pub fn service_tier(mut self, tier: impl Into<String>) -> Self {
        self.service_tier = Some(tier.into());
        self
    }

    /// Labels the call for budgets and reports. Default: no tags.
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    /// Like [`min_output_tokens`](Self::min_output_tokens), per answer.
    pub(crate) fn min_output_each(self, tokens: u64) -> Self {
        let least = self.bound.output_of(tokens);
        self.min_output_tokens(least)
    }

    /// Sets the most it can use of everything.
    pub(super) fn measured(&mut self, bound: UpperBound) {
        (self.bound, self.has_input, self.has_output) = (bound, true, true);
    }

    /// The kind of tokens, `input` or `output`, that has no upper bound.
    pub(super) fn missing(&self) -> Option<&'static str> {
        match (self.has_input, self.has_output) {
            (false, _) => Some("input"),
            (true, false) => Some("output"),
            (true, true) => None,
        }
    }

    /// Whether the most input was stated, and the most output.
    pub(super) fn states(&self) -> (bool, bool) {
        (self.has_input, self.has_output)
    }

    /// The most output tokens it can produce, as planned.
    pub(crate) fn planned_output(&self) -> u64 {
        self.bound.output_tokens
    }

    /// Sets the limits of the model.
    pub(crate) fn model_limits(&mut self, context_window: Option<u64>, max_output: Option<u64>) {
        (self.context_window, self.max_output) = (context_window, max_output);
    }

    /// The context window of the model.
    pub(super) fn context_window(&self, price: Option<&Price>) -> Option<u64> {
        self.context_window.or_else(|| price?.context_window_tokens())
    }

    /// The most tokens that the model writes.
    pub(super) fn max_output(&self, price: Option<&Price>) -> Option<u64> {
        self.max_output.or_else(|| price?.max_output_tokens())
    }

    /// Sets the estimated input tokens.
    pub(crate) fn expect(&mut self, input_tokens: u64) {
        self.expected_input = Some(input_tokens);
    }

    /// The estimated input tokens.
    pub(crate) fn expected_input(&self) -> u64 {
        self.expected_input.unwrap_or(self.bound.input_tokens)
    }
}
