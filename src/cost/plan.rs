//! `CallPlan`: what a call is about to ask for, and the most it can use.

use std::collections::BTreeMap;

use super::budget::Facts;
use crate::provider;
use crate::upper_bound::UpperBound;

/// What a call is about to ask for: who and what is asked, for whom, and the most it can
/// use.
///
/// [`Client`](crate::Client) makes these itself. Programs that send their requests by
/// other means make them for [`CostTracker::reserve`](super::CostTracker::reserve).
#[derive(Debug, Clone)]
pub struct CallPlan {
    pub(super) provider: String,
    /// The provider's name in the price table, where that is another.
    price_provider: Option<String>,
    pub(super) model: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) service_tier: Option<String>,
    pub(super) bound: UpperBound,
    /// Whether the bound's input and output tokens were ever set.
    has_input: bool,
    has_output: bool,
    /// The output of least use, where the output limit may be lowered to what the
    /// budgets bear.
    pub(super) min_output: Option<u64>,
    /// The input tokens it takes by estimate, where that is not its bound.
    pub(super) expected_input: Option<u64>,
}

impl CallPlan {
    /// Plans a call of `model` at `provider`, such as `gpt-4o` at `openai`.
    ///
    /// Budgets and reports use the provider's id as it is given here. Prices are looked up
    /// under the name that the provider's [profile](crate::provider::Profile::prices) has for
    /// them, or under the id if there is no such profile;
    /// [`price_provider`](Self::price_provider) sets another.
    pub fn new(provider: impl Into<String>, model: impl Into<String>) -> Self {
        let provider = provider.into();
        let prices = provider::price_name(&provider).map(String::from);
        Self::with(provider, prices, model.into())
    }

    /// Plans a call whose provider has the name `prices` in the price table.
    pub(crate) fn priced_as(provider: &str, prices: &str, model: &str) -> Self {
        let prices = (prices != provider).then(|| prices.to_owned());
        Self::with(provider.to_owned(), prices, model.to_owned())
    }

    fn with(provider: String, price_provider: Option<String>, model: String) -> Self {
        Self {
            provider,
            price_provider,
            model,
            tags: BTreeMap::new(),
            service_tier: None,
            bound: UpperBound::default(),
            has_input: false,
            has_output: false,
            min_output: None,
            expected_input: None,
        }
    }

    /// Sets the provider's name in the price table. Default: see [`new`](Self::new).
    #[must_use]
    pub fn price_provider(mut self, name: impl Into<String>) -> Self {
        self.price_provider = Some(name.into());
        self
    }

    /// The most input tokens it can take. Default: not known, so that no money can be set
    /// aside: [`reserve`](super::CostTracker::reserve) refuses the call where a hard budget
    /// bears on it.
    #[must_use]
    pub fn input_tokens(mut self, most: u64) -> Self {
        self.has_input = true;
        self.bound.input_tokens = most;
        self
    }

    /// The most output tokens it can bring, all choices together; 0 for a call that brings
    /// none. Default: not known, as of [`input_tokens`](Self::input_tokens).
    #[must_use]
    pub fn output_tokens(mut self, most: u64) -> Self {
        self.has_output = true;
        self.bound.output_tokens = most;
        self
    }

    /// Lets a budget lower the output limit to what it bears, down to `least` tokens.
    /// [`Reservation::output_tokens`](super::Reservation::output_tokens) then says what
    /// to send as `max_tokens`. Default: it is not lowered.
    #[must_use]
    pub fn min_output_tokens(mut self, least: u64) -> Self {
        self.min_output = Some(least);
        self
    }

    /// Input may be written to a prompt cache, which some providers bill higher.
    /// Default: not.
    #[must_use]
    pub fn cache_writes(mut self) -> Self {
        self.bound.cache_writes = true;
        self
    }

    /// The most web searches the provider may run. Default: none.
    #[must_use]
    pub fn web_searches(mut self, most: u64) -> Self {
        self.bound.web_searches = most;
        self
    }

    /// The service tier asked for, such as `flex` or `priority`, or `batch`. Default: none;
    /// then the dearest tier that may serve the call is reserved, and what is not used is
    /// free again.
    #[must_use]
    pub fn service_tier(mut self, tier: impl Into<String>) -> Self {
        self.service_tier = Some(tier.into());
        self
    }

    /// Marks the call, so that budgets and reports can tell it apart.
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    pub(crate) fn tags(mut self, tags: &BTreeMap<String, String>) -> Self {
        self.tags.clone_from(tags);
        self
    }

    /// As [`min_output_tokens`](Self::min_output_tokens), for each of the answers.
    pub(crate) fn min_output_each(self, tokens: u64) -> Self {
        let least = self.bound.output_of(tokens);
        self.min_output_tokens(least)
    }

    /// The most it can use, all told.
    pub(super) fn measured(&mut self, bound: UpperBound) {
        (self.bound, self.has_input, self.has_output) = (bound, true, true);
    }

    /// The tokens of which it does not say how many it can use.
    pub(super) fn missing(&self) -> Option<&'static str> {
        match (self.has_input, self.has_output) {
            (false, _) => Some("input"),
            (true, false) => Some("output"),
            (true, true) => None,
        }
    }

    /// Whether it says how much input it can use, and how much output.
    pub(super) fn states(&self) -> (bool, bool) {
        (self.has_input, self.has_output)
    }

    pub(super) fn facts(&self) -> Facts<'_> {
        let (provider, price_provider) = (self.provider.as_str(), self.prices());
        Facts { provider, price_provider, model: &self.model, tags: &self.tags }
    }

    /// The provider's name in the price table.
    pub(super) fn prices(&self) -> &str {
        self.price_provider.as_deref().unwrap_or(&self.provider)
    }

    /// The input is likely of so many tokens.
    pub(crate) fn expecting(mut self, input_tokens: u64) -> Self {
        self.expected_input = Some(input_tokens);
        self
    }

    /// The input tokens it takes by estimate.
    pub(super) fn expected_input(&self) -> u64 {
        self.expected_input.unwrap_or(self.bound.input_tokens)
    }
}
