//! `CostConfig`: prices, budgets, and what to do without a price.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::ledger::{Ledger, MemoryLedger};
use super::tracker::CostTracker;
use super::{Budget, BudgetAlert, Money, Price, Prices};
use crate::error::{Error, ErrorKind};
use crate::upper_bound::Tokenizer;

/// Called for every alert, outside all locks.
pub(super) type OnAlert = Arc<dyn Fn(&BudgetAlert) + Send + Sync>;

/// Returns the current time.
pub(super) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// What to do with a call to a model that has no known price.
///
/// ```
/// use std::sync::Arc;
/// use tollgate::{CostConfig, Money, Price, UnknownModel};
///
/// // Price unknown models at a rate that none of them exceeds.
/// let expensive = Price::per_million(Money::dollars(30), Money::dollars(180));
/// let costs = CostConfig::default().unknown_model(UnknownModel::Assume(Arc::new(expensive)));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum UnknownModel {
    /// Refuse the call with an error of kind [`CostUnknown`](ErrorKind::CostUnknown),
    /// because no budget can limit a call without a price.
    Refuse,
    /// Use this price.
    Assume(Arc<Price>),
    /// Send the call without a price. The report [counts](crate::cost::Tally::unpriced) it as
    /// unpriced. Budgets count its cost only if the provider sends a bill, or if a model with a
    /// price has served it.
    Allow,
}

/// What to charge for usage that the provider did not report, if the call may have been billed.
///
/// This covers calls that were sent and got no answer: a timeout, a cancellation, a broken
/// connection. It also covers streams that end before the final usage report, and answers that
/// come without usage or with [zeros](crate::UsageSource) in its place.
///
/// Under any rule, a request that was certainly not served costs nothing. That is one that could
/// not be sent, or that the provider answered with an error, since no provider bills those. The
/// errors of gateways that lost their upstream (408, 502, 504, 520, 524) do not count as the
/// provider's.
///
/// # Streams that end early
///
/// Whether a provider stops generating when its client hangs up, and whether it then bills less,
/// depends on the provider and on every gateway in between. None of the providers this crate
/// knows documents it for all of its streams:
///
/// - Amazon Bedrock bills a dropped stream in full (BerriAI/litellm #34147), and so did
///   Vercel's gateway (vercel/ai #8325).
/// - OpenRouter documents that a dropped stream "immediately stops model processing and
///   billing" for some of the providers behind it, and for others that "you will be billed
///   for the complete response"
///   (<https://openrouter.ai/docs/api-reference/streaming>, "Stream Cancellation"). By that
///   page OpenAI, Azure, Anthropic and DeepSeek stop; Bedrock, Groq, Google and Mistral do
///   not. Those providers' own pages do not say.
/// - Novita bills "actual token usage regardless of disconnect timing"
///   (<https://novita.ai/docs/guides/llm-billing>) and does not say whether it stops.
///
/// So [`Reserved`](Self::Reserved) is the default for all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnreportedUsage {
    /// The most the request can have cost, whatever arrived of its answer. Unreported input or
    /// output is charged as it was reserved. Only this rule guarantees that budgets hold.
    ///
    /// If no budget applies to a call, there is no upper bound, and the call is charged like
    /// [`Estimate`](Self::Estimate).
    #[default]
    Reserved,
    /// The most that what arrived can have cost: one output token for every byte, and input as
    /// in [`Reserved`](Self::Reserved). Use it for providers that stop generating and billing
    /// when the client hangs up. Without any answer, all that was reserved is charged.
    ///
    /// A provider that does not stop can overrun a budget many times over. Hidden reasoning that
    /// is billed is not charged.
    Received,
    /// The estimated usage, see [`UsageSource`](crate::UsageSource). Without an answer, the
    /// estimated input. On average this is closest to the bill, but it can exceed a budget.
    Estimate,
    /// Nothing for what was not reported.
    Nothing,
}

/// Sets up a [`CostTracker`]. Pass it to [`ClientBuilder::costs`] for one client, or call
/// [`build`](Self::build) for a tracker that several clients or other programs share.
///
/// All settings and their defaults: [Settings](crate::guide::settings#costconfig).
///
/// ```
/// use tollgate::{Budget, Client, CostConfig, Money, Price, Prices, Provider};
///
/// let prices = Prices::builtin()
///     .set("openai", "our-finetune", Price::per_million(Money::dollars(3), Money::dollars(6)));
/// let costs = CostConfig::default()
///     .budget(Budget::monthly(Money::dollars(50)))
///     .budget(Budget::daily(Money::dollars(1)).per_tag("customer"))
///     .prices(prices)
///     .default_output_tokens(2_000)
///     .on_alert(|alert| eprintln!("{alert}"));
/// let client = Client::builder()
///     .provider(Provider::OPENAI)
///     .model("our-finetune")
///     .api_key("sk-test")
///     .costs(costs)
///     .build()?;
/// # Ok::<(), tollgate::Error>(())
/// ```
///
/// [`ClientBuilder::costs`]: crate::ClientBuilder::costs
#[derive(Clone)]
#[must_use]
pub struct CostConfig {
    pub(super) budgets: Vec<Budget>,
    pub(super) prices: Prices,
    pub(super) ledger: Option<Arc<dyn Ledger>>,
    pub(super) unknown_model: Option<UnknownModel>,
    pub(super) unreported: UnreportedUsage,
    pub(super) trust_reported: bool,
    pub(super) limit_output: bool,
    pub(super) default_output: Option<u64>,
    pub(super) min_output: u64,
    pub(super) on_alert: Option<OnAlert>,
    pub(super) tokenizer: Option<Arc<dyn Tokenizer>>,
    pub(super) recent_calls: usize,
    pub(super) clock: Clock,
}

/// Default of [`CostConfig::min_output_tokens`].
const MIN_OUTPUT: u64 = 256;

impl Default for CostConfig {
    fn default() -> Self {
        Self {
            budgets: Vec::new(),
            prices: Prices::builtin(),
            ledger: None,
            unknown_model: None,
            unreported: UnreportedUsage::default(),
            trust_reported: false,
            limit_output: true,
            default_output: None,
            min_output: MIN_OUTPUT,
            on_alert: None,
            tokenizer: None,
            recent_calls: 100,
            clock: Arc::new(SystemTime::now),
        }
    }
}

impl CostConfig {
    /// Adds a budget. Two budgets that would use the same account, such as two daily budgets
    /// over all calls, need [names](Budget::name). Default: none.
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budgets.push(budget);
        self
    }

    /// Adds several budgets, for example deserialized from a file. Default: none.
    pub fn budgets(mut self, budgets: impl IntoIterator<Item = Budget>) -> Self {
        self.budgets.extend(budgets);
        self
    }

    /// Sets where budgets keep reserved and spent amounts. Default: in memory, in a
    /// [`MemoryLedger`], which starts with nothing spent in every process.
    ///
    /// A call waits for its ledger before it is sent and when it has ended. Neither the call's
    /// timeout nor its [`CancelToken`](crate::CancelToken) cuts that wait short: the ledger
    /// limits it, as with `SqliteLedger::busy_timeout`.
    pub fn ledger(self, ledger: impl Ledger + 'static) -> Self {
        self.shared_ledger(Arc::new(ledger))
    }

    /// Sets a ledger that other trackers use too. Budgets whose accounts have the same name then
    /// share them. Default: see [`ledger`](Self::ledger).
    pub fn shared_ledger(mut self, ledger: Arc<dyn Ledger>) -> Self {
        self.ledger = Some(ledger);
        self
    }

    /// Sets what tokens cost. Default: the built-in table, [`Prices::builtin`].
    pub fn prices(mut self, prices: Prices) -> Self {
        self.prices = prices;
        self
    }

    /// Sets what to do with models that have no known price. Default:
    /// [`Refuse`](UnknownModel::Refuse) if any budget is not [soft](Budget::soft), otherwise
    /// [`Allow`](UnknownModel::Allow).
    pub fn unknown_model(mut self, policy: UnknownModel) -> Self {
        self.unknown_model = Some(policy);
        self
    }

    /// Sets what to charge for usage that the provider did not report, if the call may have been
    /// billed. Default: [`Reserved`](UnreportedUsage::Reserved), for every provider.
    pub fn unreported_usage(mut self, rule: UnreportedUsage) -> Self {
        self.unreported = rule;
        self
    }

    /// Uses the provider's own bill as the cost if it sends one (OpenRouter, xAI). Default: no;
    /// the usage is priced, and the bill is used only if the model has no price.
    pub fn trust_reported_costs(mut self, trust: bool) -> Self {
        self.trust_reported = trust;
        self
    }

    /// Adds an output limit to every request that has none, if a hard budget applies. The limit
    /// is as many tokens as the budgets can pay for, at most
    /// [`default_output_tokens`](Self::default_output_tokens) and at least
    /// [`min_output_tokens`](Self::min_output_tokens). It makes the provider itself stop before
    /// a call costs more than was reserved. Default: yes.
    ///
    /// A limit set with [`max_output_tokens`](crate::ChatRequest::max_output_tokens) is never
    /// changed. If the budgets cannot pay for it, the call is refused.
    ///
    /// With `false`, a request without a limit reserves the most the model can write: its price's
    /// [`max_output`](Price::max_output), or its context window. If the budgets cannot pay for
    /// that, or neither is known, the call is refused. The same applies to a request that asks
    /// for no limit, such as `extra("max_tokens", -1)`. A null in `extra` counts as not set.
    pub fn limit_output(mut self, limit: bool) -> Self {
        self.limit_output = limit;
        self
    }

    /// Sets the most output tokens to reserve for a request without a limit of its own. The
    /// request is sent with this limit, unless [`limit_output`](Self::limit_output) is off; then
    /// this setting has no effect. Default: the most that the model can write, or 4,096 if that
    /// is not known. Formats that have their own default (Anthropic's, text completions) use
    /// that one, and no setting raises it.
    ///
    /// A lower value lets more calls run at once on a small budget, because reserved money is not
    /// available to others until the call ends.
    pub fn default_output_tokens(mut self, tokens: u64) -> Self {
        self.default_output = Some(tokens);
        self
    }

    /// Sets the fewest output tokens worth a call. If the budgets cannot pay for that many, a
    /// request without a limit of its own is refused rather than cut off mid-sentence. Not zero.
    /// Default: 256, or [`default_output_tokens`](Self::default_output_tokens) if that is lower.
    pub fn min_output_tokens(mut self, tokens: u64) -> Self {
        self.min_output = tokens;
        self
    }

    /// Calls `listener` whenever a budget reaches a threshold, once per window and threshold; see
    /// [`Budget::alert_at`]. It runs on the thread whose call reached the threshold, outside all
    /// locks, and a panic in it is caught. Default: none. [`CostTracker::events`] delivers alerts
    /// too.
    pub fn on_alert(mut self, listener: impl Fn(&BudgetAlert) + Send + Sync + 'static) -> Self {
        self.on_alert = Some(Arc::new(listener));
        self
    }

    /// Counts input tokens, for tighter reservations. Default: none; every byte of text then
    /// counts as a token, about four times too many for English.
    pub fn tokenizer(mut self, tokenizer: impl Tokenizer + 'static) -> Self {
        self.tokenizer = Some(Arc::new(tokenizer));
        self
    }

    /// Sets how many recent calls the report [lists](crate::CostReport::last). Default: 100.
    pub fn recent_calls(mut self, calls: usize) -> Self {
        self.recent_calls = calls;
        self
    }

    /// Sets the clock for windows and prices, for tests. Default: the system clock.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// What to do with models that have no known price.
    pub(super) fn unknown_models(&self) -> UnknownModel {
        self.unknown_model.clone().unwrap_or(match self.budgets.iter().all(|budget| budget.soft) {
            true => UnknownModel::Allow,
            false => UnknownModel::Refuse,
        })
    }

    /// Checks all settings and builds the tracker, to use [on its own](CostTracker) or to share
    /// between clients:
    ///
    /// ```
    /// use tollgate::{Budget, Client, CostConfig, Money, Provider};
    ///
    /// let costs = CostConfig::default().budget(Budget::daily(Money::dollars(5))).build()?;
    /// for provider in [Provider::OPENAI, Provider::ANTHROPIC] {
    ///     let client =
    ///         Client::builder().provider(provider).api_key("sk-test").cost_tracker(costs.clone());
    /// #   client.build()?;
    /// }
    /// # Ok::<(), tollgate::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) with one sentence for everything that is
    /// wrong: a [budget](Budget::check), a budget's [provider](Budget::provider()), two budgets
    /// with the same account, a limit that the ledger [cannot hold](Ledger::greatest), a setting,
    /// or a negative price.
    pub fn build(self) -> Result<CostTracker, Error> {
        self.build_for(&[])
    }

    /// Like [`build`](Self::build), for a client with providers of these ids.
    pub(crate) fn build_for(mut self, providers: &[&str]) -> Result<CostTracker, Error> {
        let mut problems: Vec<String> = Budget::problems_of(&self.budgets);
        let priced = self.unknown_models() == UnknownModel::Refuse;
        let problem = |budget: &Budget| budget.provider_problem(providers, &self.prices, priced);
        problems.extend(self.budgets.iter().filter_map(problem));
        if self.min_output == 0 {
            problems.push("min_output_tokens is 0; set at least 1".to_owned());
        }
        if let Some(tokens) = self.default_output.filter(|tokens| *tokens < self.min_output) {
            // A lower default also lowers a minimum that nobody set.
            if self.min_output == MIN_OUTPUT && tokens > 0 {
                self.min_output = tokens;
            } else {
                problems.push(format!(
                    "default_output_tokens ({tokens}) is below min_output_tokens ({}), so every \
                     call would be refused; raise the first or lower the second",
                    self.min_output
                ));
            }
        }
        problems.extend(self.prices.problems());
        if let Some(UnknownModel::Assume(price)) = &self.unknown_model {
            let problem = price.problem();
            problems.extend(problem.map(|problem| format!("the assumed price {problem}")));
        }
        let greatest = self.ledger.as_ref().map_or(Money::MAX, |ledger| ledger.greatest());
        problems.extend(Budget::beyond(&self.budgets, greatest));
        if !problems.is_empty() {
            return Err(Error::new(ErrorKind::Configuration, problems.join("; ")));
        }
        let ledger = self.ledger.take().unwrap_or_else(|| Arc::new(MemoryLedger::new()));
        Ok(CostTracker::with(self, ledger))
    }
}

impl fmt::Debug for CostConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CostConfig")
            .field("budgets", &self.budgets)
            .field("ledger", &self.ledger)
            .field("unknown_model", &self.unknown_model)
            .field("unreported", &self.unreported)
            .field("trust_reported", &self.trust_reported)
            .field("limit_output", &self.limit_output)
            .field("default_output", &self.default_output)
            .field("min_output", &self.min_output)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Money;

    #[test]
    fn negative_prices_are_refused() {
        let (one, less) = (Money::dollars(1), Money::dollars(-1));
        let good = || Price::per_million(one, one);
        for price in [
            Price::per_million(less, one),
            Price::per_million(one, less),
            good().cached_input(less),
            good().cache_write(less).cache_write(one),
            good().request(less),
            good().web_search(less),
            good().above(9, good().reasoning(less)),
            good().service_tier("flex", good().output_audio(less)),
            good().since(SystemTime::UNIX_EPOCH, Price::per_million(less, one)),
        ] {
            let set = Prices::empty().set("openai", "M", price.clone());
            let error = CostConfig::default().prices(set).build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(
                error.message().contains("the price of \"m\" of \"openai\" has a negative amount"),
                "{error}"
            );
            let assume = UnknownModel::Assume(Arc::new(price));
            let error = CostConfig::default().unknown_model(assume).build().unwrap_err();
            assert!(error.message().contains("the assumed price has a negative amount"), "{error}");
        }
        let free = Prices::builtin().set("openai", "m", Price::free());
        assert!(CostConfig::default().prices(free).build().is_ok());
    }
    #[test]
    fn a_low_default_output_limit_lowers_an_unset_minimum() {
        let config = CostConfig::default().default_output_tokens(100);
        assert!(config.clone().build().is_ok());
        let error = config.min_output_tokens(200).build().unwrap_err();
        let expected = "default_output_tokens (100) is below min_output_tokens (200)";
        assert!(error.message().contains(expected), "{error}");
        let error = CostConfig::default().default_output_tokens(0).build().unwrap_err();
        assert!(error.message().contains("default_output_tokens (0)"), "{error}");
    }
}
