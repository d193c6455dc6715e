//! The settings of cost tracking: prices, budgets, and what to do without a price.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::ledger::{Ledger, MemoryLedger};
use super::tracker::CostTracker;
use super::{Budget, BudgetAlert, Money, Price, Prices};
use crate::error::{Error, ErrorKind};
use crate::upper_bound::Tokenizer;

/// A budget's alarm, called outside all locks.
pub(super) type OnAlert = Arc<dyn Fn(&BudgetAlert) + Send + Sync>;

/// Tells the time.
pub(super) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// What to do about a model whose price is not known.
///
/// ```
/// use std::sync::Arc;
/// use tollgate::{CostConfig, Money, Price, UnknownModel};
///
/// // Whatever it is, it is no dearer than this.
/// let dear = Price::per_million(Money::dollars(30), Money::dollars(180));
/// let costs = CostConfig::default().unknown_model(UnknownModel::Assume(Arc::new(dear)));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum UnknownModel {
    /// Refuse the call, with an error of kind [`Budget`](ErrorKind::BudgetExceeded): no budget can
    /// hold what it cannot price.
    Refuse,
    /// Take it to cost so much.
    Assume(Arc<Price>),
    /// Let it through, unpriced: it is [counted](crate::cost::Tally::unpriced) in the
    /// report, and budgets know nothing of what it costs unless the provider sends a bill
    /// or a model with a price has served it.
    Allow,
}

/// What to charge for a call that may have been billed, where the provider did not report how
/// much.
///
/// Such a call was sent and got no answer: it timed out, was cancelled, or its connection
/// broke. Or its stream ended before the last report of its usage, or its answer came without
/// usage, or with [zeros](crate::UsageSource) in place of it.
///
/// A request that certainly was not served costs nothing under any rule: one that could not
/// be sent, or that the provider answered with an error, since no provider bills those. The
/// errors of gateways that lost their upstream (408, 502, 504, 520, 524) do not count as the
/// provider's.
///
/// # Streams that end early
///
/// Whether a provider stops generating when its client hangs up, and whether it then bills
/// less, depends on the provider, and on every gateway before it. None of the providers this
/// crate knows documents it for all of its streams:
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
    /// The most the request can have cost, whatever arrived of its answer: of input and
    /// output, what was not reported is charged as it was reserved. Budgets hold with this.
    ///
    /// Where no budget applies to a call, nothing bounds it, and it is charged as by
    /// [`Estimate`](Self::Estimate).
    #[default]
    Reserved,
    /// The most that what arrived can have cost: a token of output for every byte, and input
    /// as by [`Reserved`](Self::Reserved). For providers that stop generating and billing when
    /// the client hangs up. Without any answer, all that was reserved.
    ///
    /// With a provider that does not stop, a budget can be overrun many times over. Reasoning
    /// that is billed and not shown is not charged.
    Received,
    /// What it is estimated to have used, see [`UsageSource`](crate::UsageSource); without an
    /// answer, its input. Nearer to the bill on average, and at times beyond a budget.
    Estimate,
    /// Nothing for what was not reported.
    Nothing,
}

/// Sets up a [`CostTracker`]: that of a client by [`ClientBuilder::costs`], one for several
/// clients or other programs by [`build`](Self::build).
///
/// | setting | default |
/// |---|---|
/// | [`budget`](Self::budget) | none |
/// | [`prices`](Self::prices) | [`Prices::builtin`] |
/// | [`unknown_model`](Self::unknown_model) | refuse with hard budgets, allow without |
/// | [`unreported_usage`](Self::unreported_usage) | the most it can have cost |
/// | [`trust_reported_costs`](Self::trust_reported_costs) | no |
/// | [`limit_output`](Self::limit_output) | yes |
/// | [`default_output_tokens`](Self::default_output_tokens) | what the model can write, or 4,096 |
/// | [`min_output_tokens`](Self::min_output_tokens) | 256 |
/// | [`tokenizer`](Self::tokenizer) | none: a token for every byte |
/// | [`on_alert`](Self::on_alert) | nobody is told |
/// | [`ledger`](Self::ledger) | [`MemoryLedger`] |
/// | [`recent_calls`](Self::recent_calls) | 100 |
/// | [`clock`](Self::clock) | the system's |
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

/// The fewest output tokens worth a call, where none are set.
const LEAST_OUTPUT: u64 = 256;

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
            min_output: LEAST_OUTPUT,
            on_alert: None,
            tokenizer: None,
            recent_calls: 100,
            clock: Arc::new(SystemTime::now),
        }
    }
}

impl CostConfig {
    /// Adds a budget. Default: none. Two that would keep the same account, as two daily ones
    /// over everything would, need [names](Budget::name).
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budgets.push(budget);
        self
    }

    /// Adds budgets, those of a file, say: they are read by serde. Default: none.
    pub fn budgets(mut self, budgets: impl IntoIterator<Item = Budget>) -> Self {
        self.budgets.extend(budgets);
        self
    }

    /// Where the books of the budgets are kept. Default: in memory, a [`MemoryLedger`], which
    /// begins with nothing spent in every process.
    ///
    /// A call waits for its ledger before it is sent and when it has ended, whatever its timeout
    /// and its [`CancelToken`](crate::CancelToken) say: how long, is the ledger's affair,
    /// such as `SqliteLedger::busy_timeout`.
    pub fn ledger(self, ledger: impl Ledger + 'static) -> Self {
        self.shared_ledger(Arc::new(ledger))
    }

    /// Keeps the books of the budgets in a ledger that others keep theirs in too. Budgets
    /// whose accounts have the same name are then held together. Default: as of
    /// [`ledger`](Self::ledger).
    pub fn shared_ledger(mut self, ledger: Arc<dyn Ledger>) -> Self {
        self.ledger = Some(ledger);
        self
    }

    /// What tokens cost. Default: the table that comes with the crate,
    /// [`Prices::builtin`].
    pub fn prices(mut self, prices: Prices) -> Self {
        self.prices = prices;
        self
    }

    /// What to do about a model whose price is not known. Default:
    /// [`Refuse`](UnknownModel::Refuse) where any budget is not [soft](Budget::soft), else
    /// [`Allow`](UnknownModel::Allow).
    pub fn unknown_model(mut self, policy: UnknownModel) -> Self {
        self.unknown_model = Some(policy);
        self
    }

    /// What to charge for calls that may have been billed, where the provider did not report
    /// how much. Default: [`Reserved`](UnreportedUsage::Reserved), for every provider.
    pub fn unreported_usage(mut self, rule: UnreportedUsage) -> Self {
        self.unreported = rule;
        self
    }

    /// Takes the provider's own bill for the cost, where it sends one (OpenRouter,
    /// xAI). Default: no; the usage is priced, and the bill only stands in where the
    /// model has no price.
    pub fn trust_reported_costs(mut self, believe: bool) -> Self {
        self.trust_reported = believe;
        self
    }

    /// Sends an output limit with every request that has none and that a hard budget bears on:
    /// as many tokens as the budgets bear, at most
    /// [`default_output_tokens`](Self::default_output_tokens) and at least
    /// [`min_output_tokens`](Self::min_output_tokens). Only with it does the provider
    /// itself see to it that a call costs no more than was reserved. Default: yes.
    ///
    /// A request has a limit of its own by
    /// [`max_output_tokens`](crate::ChatRequest::max_output_tokens); that is never changed,
    /// and the call refused where the budgets do not bear it.
    ///
    /// Without, such a request reserves what the model can write at most, by its price's
    /// [`max_output`](Price::max_output) or else its context window, and is refused where the
    /// budgets do not bear that or neither is known. So does one that says itself that it has
    /// no limit, as by `extra("max_tokens", -1)`. A null by `extra` is as good as left out.
    pub fn limit_output(mut self, limit: bool) -> Self {
        self.limit_output = limit;
        self
    }

    /// The most output tokens to reserve for a request that has no limit of its own.
    /// It is sent as the limit; without [`limit_output`](Self::limit_output) it does not hold.
    /// Default: the most that the model can write, or 4,096 where that is not known; of the
    /// formats that have a default of their own (Anthropic's, text completions), that. No
    /// setting raises the default of a format.
    /// A lower one lets more calls run at once on a small budget: what one has reserved,
    /// others have to do without until it is answered.
    pub fn default_output_tokens(mut self, tokens: u64) -> Self {
        self.default_output = Some(tokens);
        self
    }

    /// The fewest output tokens worth a call: where the budgets do not bear as many, a
    /// request that has no limit of its own is refused rather than answered in half a
    /// sentence. Not zero. Default: 256, or
    /// [`default_output_tokens`](Self::default_output_tokens) where that is lower.
    pub fn min_output_tokens(mut self, tokens: u64) -> Self {
        self.min_output = tokens;
        self
    }

    /// Is told whenever a budget's threshold is reached, once in a window for each; see
    /// [`Budget::alert_at`]. It runs in the thread whose call reached it, outside all locks;
    /// a panic in it is caught. Default: nobody is told;
    /// [`CostTracker::events`] tells, too.
    pub fn on_alert(mut self, tell: impl Fn(&BudgetAlert) + Send + Sync + 'static) -> Self {
        self.on_alert = Some(Arc::new(tell));
        self
    }

    /// Counts input tokens, for tighter reservations. Default: none; then a text has at most
    /// as many tokens as bytes, for English some four times too many.
    pub fn tokenizer(mut self, tokenizer: impl Tokenizer + 'static) -> Self {
        self.tokenizer = Some(Arc::new(tokenizer));
        self
    }

    /// How many calls the report [lists](crate::CostReport::last), the latest. Default: 100.
    pub fn recent_calls(mut self, calls: usize) -> Self {
        self.recent_calls = calls;
        self
    }

    /// The clock that windows and prices go by, for tests. Default: the system's.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// What is done about models whose price is not known.
    pub(super) fn unknown_models(&self) -> UnknownModel {
        self.unknown_model.clone().unwrap_or(match self.budgets.iter().all(|budget| budget.soft) {
            true => UnknownModel::Allow,
            false => UnknownModel::Refuse,
        })
    }

    /// Checks everything and makes the tracker, to use [on its own](CostTracker) or to share
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
    /// [`Configuration`](ErrorKind::Configuration), naming everything that is wrong, a
    /// sentence each: with a [budget](Budget::check), the [provider](Budget::provider()) that
    /// one is for, two budgets with one account, a limit that the ledger
    /// [cannot hold](Ledger::greatest), a setting, or a price that is set and less than
    /// nothing.
    pub fn build(self) -> Result<CostTracker, Error> {
        self.build_for(&[])
    }

    /// As [`build`](Self::build), for a client with providers of these ids.
    pub(crate) fn build_for(mut self, providers: &[&str]) -> Result<CostTracker, Error> {
        let mut problems: Vec<String> = Budget::problems_of(&self.budgets);
        let priced = self.unknown_models() == UnknownModel::Refuse;
        let of = |budget: &Budget| budget.provider_problem(providers, &self.prices, priced);
        problems.extend(self.budgets.iter().filter_map(of));
        if self.min_output == 0 {
            problems.push("min_output_tokens is zero; no answer is that short".to_owned());
        }
        if let Some(tokens) = self.default_output.filter(|tokens| *tokens < self.min_output) {
            // One that nobody set goes down with it.
            if self.min_output == LEAST_OUTPUT && tokens > 0 {
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
            problems.extend(problem.map(|problem| format!("the price to assume {problem}")));
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
    fn prices_less_than_nothing_are_refused() {
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
                error.message().contains("the price of \"m\" of \"openai\" has an amount"),
                "{error}"
            );
            let assume = UnknownModel::Assume(Arc::new(price));
            let error = CostConfig::default().unknown_model(assume).build().unwrap_err();
            assert!(error.message().contains("the price to assume has an amount"), "{error}");
        }
        let free = Prices::builtin().set("openai", "m", Price::free());
        assert!(CostConfig::default().prices(free).build().is_ok());
    }
    #[test]
    fn a_low_default_of_output_tokens_lowers_the_least_that_nobody_set() {
        let config = CostConfig::default().default_output_tokens(100);
        assert!(config.clone().build().is_ok());
        let error = config.min_output_tokens(200).build().unwrap_err();
        let expected = "default_output_tokens (100) is below min_output_tokens (200)";
        assert!(error.message().contains(expected), "{error}");
        let error = CostConfig::default().default_output_tokens(0).build().unwrap_err();
        assert!(error.message().contains("default_output_tokens (0)"), "{error}");
    }
}
