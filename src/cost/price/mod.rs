//! What tokens cost.
//!
//! `prices.rs` finds the [`Price`] of a model. It looks first among those set by the caller
//! (`custom.rs`; `overrides.rs` reads their file, in the form of `stored.rs`), then in `table.txt`
//! (`table.rs` reads it, `pattern.rs` has the forms of names, `address.rs` base URLs). A price is a list of
//! periods (`period.rs`). Each has a sheet for every service tier, and each sheet has rates
//! (`rates.rs`) for every prompt size. `ceiling.rs` bounds what a call can cost.

mod address;
mod ceiling;
mod cost;
mod custom;
mod day;
mod max_price;
mod overrides;
mod pattern;
mod period;
mod prices;
mod rates;
mod stored;
mod table;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};

use super::Money;
use crate::upper_bound::UpperBound;
use crate::usage::Usage;
pub use cost::{Cost, CostSource};
pub(crate) use max_price::Excess;
pub use max_price::MaxPrice;
pub(super) use pattern::fold;
use period::{Period, Sheet, When};
pub use prices::Prices;
use rates::{Rates, per_piece, per_token, times};
use stored::StoredPrice;

/// What is known about the service tier of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tier<'a> {
    /// The tier that served it.
    Served(&'a str),
    /// The tier that was requested, if any.
    Asked(Option<&'a str>),
}

/// What a model costs.
///
/// Rates are set per million tokens and kept in whole pico-dollars (10⁻¹² dollars) per token;
/// finer ones are rounded. Negative rates count as 0, and
/// [`CostConfig::build`](super::CostConfig::build) refuses them. A rate that is not set equals
/// that of plain input or output. A rate that is set to zero is free.
///
/// ```
/// use tollgate::{Money, Price, Prices};
///
/// let price = Price::per_million("1.25".parse()?, Money::dollars(10))
///     .cached_input("0.125".parse()?)
///     .above(200_000, Price::per_million("2.5".parse()?, Money::dollars(15)))
///     .service_tier("batch", Price::per_million("0.625".parse()?, Money::dollars(5)));
/// let prices = Prices::builtin().set("openai", "our-finetune", price);
/// # let _ = prices;
/// # Ok::<(), tollgate::Error>(())
/// ```
///
/// Its serialized form is that of the entries in a [price file](Prices::load).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredPrice", into = "StoredPrice")]
pub struct Price {
    /// Never empty. The first always applies; the last one that applies counts.
    periods: Vec<Period>,
    context_window: Option<u64>,
    max_output: Option<u64>,
    /// Whether a negative amount was set.
    negative: bool,
}

impl Price {
    /// Creates a price from the cost of a million input tokens and of a million output tokens.
    pub fn per_million(input: Money, output: Money) -> Self {
        let rates =
            Rates { input: per_token(input), output: per_token(output), ..Rates::default() };
        Self::of(Sheet { rates, ..Sheet::default() }).noting(input).noting(output)
    }

    /// Creates a price of zero.
    pub fn free() -> Self {
        Self::of(Sheet::default())
    }

    fn of(standard: Sheet) -> Self {
        let periods = vec![Period::new(When::Always, standard)];
        Self { periods, context_window: None, max_output: None, negative: false }
    }

    /// Sets the cost of a million input tokens read from a cache. Default: as input.
    #[must_use]
    pub fn cached_input(self, per_million: Money) -> Self {
        self.noting(per_million).with(|rates| rates.cached_input = Some(per_token(per_million)))
    }

    /// Sets the cost of a million input tokens written to a cache. Default: as input.
    #[must_use]
    pub fn cache_write(self, per_million: Money) -> Self {
        self.noting(per_million).with(|rates| rates.cache_write = Some(per_token(per_million)))
    }

    /// Sets the cost of a million input tokens written to a cache for an hour. Default: as
    /// [`cache_write`](Self::cache_write).
    #[must_use]
    pub fn cache_write_1h(self, per_million: Money) -> Self {
        self.noting(per_million).with(|rates| rates.cache_write_1h = Some(per_token(per_million)))
    }

    /// Sets the cost of a million output tokens spent on reasoning. Default: as output.
    #[must_use]
    pub fn reasoning(self, per_million: Money) -> Self {
        self.noting(per_million).with(|rates| rates.reasoning = Some(per_token(per_million)))
    }

    /// Sets the cost of a million input tokens of audio. Default: as input.
    #[must_use]
    pub fn input_audio(self, per_million: Money) -> Self {
        self.noting(per_million).with(|rates| rates.input_audio = Some(per_token(per_million)))
    }

    /// Sets the cost of a million output tokens of audio. Default: as output.
    #[must_use]
    pub fn output_audio(self, per_million: Money) -> Self {
        self.noting(per_million).with(|rates| rates.output_audio = Some(per_token(per_million)))
    }

    /// Sets the cost of a million input tokens of images. Default: as input.
    #[must_use]
    pub fn input_image(self, per_million: Money) -> Self {
        self.noting(per_million).with(|rates| rates.input_image = Some(per_token(per_million)))
    }

    /// Sets the cost of a million output tokens of images. Default: as output.
    #[must_use]
    pub fn output_image(self, per_million: Money) -> Self {
        self.noting(per_million).with(|rates| rates.output_image = Some(per_token(per_million)))
    }

    /// Sets the cost of each request, in addition to its tokens. Default: zero.
    #[must_use]
    pub fn request(self, each: Money) -> Self {
        self.noting(each).with(|rates| rates.request = per_piece(each))
    }

    /// Sets the cost of each web search. Default: zero.
    #[must_use]
    pub fn web_search(self, each: Money) -> Self {
        self.noting(each).with(|rates| rates.web_search = per_piece(each))
    }

    /// Sets the price of calls with more than `prompt_tokens` input tokens, for all of their
    /// tokens. Only the rates of `price` count, and a rate not set there equals its own plain
    /// input or output. Default: one price for all sizes.
    #[must_use]
    pub fn above(mut self, prompt_tokens: u64, price: Self) -> Self {
        self.negative |= price.negative;
        self.periods[0].standard.set_above(prompt_tokens, price.periods[0].standard.rates);
        self
    }

    /// Sets the price of calls served in the tier `name`, such as `batch`, `flex` or `priority`.
    /// The rates and prompt sizes of `price` count. Default: the standard price.
    #[must_use]
    pub fn service_tier(mut self, name: &str, mut price: Self) -> Self {
        self.negative |= price.negative;
        self.periods[0].set_tier(name, price.periods.swap_remove(0).standard);
        self
    }

    /// Sets the price from `start` on, until another price set this way begins. It replaces the
    /// earlier price completely. The rates, prompt sizes and service tiers of `price` count.
    #[must_use]
    pub fn since(self, start: SystemTime, price: Self) -> Self {
        self.then(When::Since(seconds(start).clamp(day::FIRST, day::LAST)), price)
    }

    /// Sets the price between two times of every day, given as the time since midnight UTC. If
    /// `until` is smaller than `from`, the period runs past midnight. It takes precedence over
    /// prices set with [`since`](Self::since), and the same parts of `price` count.
    #[must_use]
    pub fn daily(self, from: Duration, until: Duration, price: Self) -> Self {
        let second = |time: Duration| u32::try_from(time.as_secs() % day::LENGTH).unwrap_or(0);
        self.then(When::Daily(second(from), second(until)), price)
    }

    /// Sets how many tokens input and output may have together. Default: unknown.
    #[must_use]
    pub fn context_window(mut self, tokens: u64) -> Self {
        self.context_window = Some(tokens);
        self
    }

    /// Sets how many tokens the output may have, including reasoning. Default: unknown.
    #[must_use]
    pub fn max_output(mut self, tokens: u64) -> Self {
        self.max_output = Some(tokens);
        self
    }

    /// How many tokens input and output may have together, if known.
    pub fn context_window_tokens(&self) -> Option<u64> {
        self.context_window
    }

    /// How many tokens the output may have, including reasoning, if known.
    pub fn max_output_tokens(&self) -> Option<u64> {
        self.max_output
    }

    /// What `usage` costs in the tier that served it, at the prices of `at`.
    ///
    /// Pass the `service_tier` of the answer
    /// ([`ChatResponse::service_tier`](crate::ChatResponse::service_tier)), or `batch` for a
    /// batch, which providers do not always report. `None` and tiers without their own price cost
    /// the standard price. For a batch without one that is more than is billed, because no
    /// discount is guessed.
    ///
    /// The size of the whole prompt, including cached tokens, selects the price by size. Parts
    /// that exceed the whole are cut: 90 cached of 80 input tokens count as 80. Cached tokens are
    /// assumed to be text. The provider's [own bill](Usage::reported_cost) is ignored.
    pub fn cost(&self, usage: &Usage, service_tier: Option<&str>, at: SystemTime) -> Cost {
        let sheet = self.period(at).sheet(service_tier);
        sheet.rates(usage.prompt_tokens).cost(usage)
    }

    /// What the summed `usage` of several calls costs, if each of their prompts has the same price
    /// by size as one of `prompt_tokens`.
    pub(crate) fn cost_of(
        &self,
        usage: &Usage,
        calls: u64,
        prompt_tokens: u64,
        service_tier: Option<&str>,
        at: SystemTime,
    ) -> Cost {
        let rates = self.period(at).sheet(service_tier).rates(prompt_tokens);
        let mut cost = rates.cost(usage);
        cost.request = times(rates.request, calls);
        cost.total = cost.items();
        cost
    }

    /// The prompt sizes above which the rates of that time change, in any tier.
    pub(crate) fn borders(&self, at: SystemTime) -> Vec<u64> {
        let period = self.period(at);
        let sheets = period.tiers.iter().map(|(_, sheet)| sheet).chain([&period.standard]);
        sheets.flat_map(|sheet| sheet.above.keys().copied()).collect()
    }

    /// The most that a call within a bound can cost, for each of several limits of its output,
    /// which replace the bound's. A call that asks for a tier is served in that tier or the
    /// standard one. One that asks for `auto` or for none may be served in any but `batch`. The
    /// prices are those of `at`, so price what was reserved this way at the same time.
    pub(crate) fn at_most<const N: usize>(
        &self,
        bound: &UpperBound,
        output_tokens: [u64; N],
        service_tier: Option<&str>,
        at: SystemTime,
    ) -> [Money; N] {
        let mut most = [Money::ZERO; N];
        for sheet in self.period(at).served(service_tier) {
            sheet.each_size(bound, |_, ceiling| {
                for (most, tokens) in most.iter_mut().zip(output_tokens) {
                    *most = (*most).max(ceiling.at(tokens));
                }
            });
        }
        most
    }

    /// The most that a call can cost if only its input or its output is `known`, or neither. The
    /// known side costs what `usage` says. For the other side, `bound` gives the number of tokens
    /// and their possible kinds.
    pub(crate) fn at_most_beside(
        &self,
        usage: &Usage,
        known: (bool, bool),
        bound: &UpperBound,
        tier: Tier<'_>,
        at: SystemTime,
    ) -> Money {
        let period = self.period(at);
        let most = |sheet: &Sheet| sheet.at_most_beside(usage, known, bound);
        match tier {
            Tier::Served(tier) => most(period.sheet(Some(tier))),
            Tier::Asked(tier) => period.served(tier).map(most).max().unwrap_or(Money::ZERO),
        }
    }

    /// The most output tokens for which [`at_most`](Self::at_most) stays within `amount`, whatever
    /// output `bound` allows. 0 if none fits, which includes input that alone costs too much.
    pub(crate) fn output_within(
        &self,
        bound: &UpperBound,
        amount: Money,
        service_tier: Option<&str>,
        at: SystemTime,
    ) -> u64 {
        let mut tokens = u64::MAX;
        for sheet in self.period(at).served(service_tier) {
            sheet.each_size(bound, |_, ceiling| tokens = tokens.min(ceiling.output_within(amount)));
        }
        tokens
    }

    /// The price of a batch: that of the tier `batch`, or `percent` of the standard price at any
    /// time without one. Web searches and requests are not discounted. It has no tiers of its own.
    pub(in crate::cost) fn of_batch(&self, percent: u8) -> Self {
        let period = |period: &Period| {
            let listed = period.tiers.iter().find(|(name, _)| name == "batch");
            let sheet =
                listed.map_or_else(|| period.standard.scaled(percent), |(_, sheet)| sheet.clone());
            Period::new(period.when, sheet)
        };
        Self { periods: self.periods.iter().map(period).collect(), ..self.clone() }
    }

    /// Removes the service tiers, for a provider that has these prices but not these tiers.
    fn forget_tiers(&mut self) {
        for period in &mut self.periods {
            period.tiers.clear();
        }
    }

    /// What is wrong with it, if anything: a negative amount.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        self.negative.then_some("has a negative amount; set 0 for what is free")
    }

    fn noting(mut self, amount: Money) -> Self {
        self.negative |= amount.is_negative();
        self
    }

    fn with(mut self, set: impl FnOnce(&mut Rates)) -> Self {
        set(&mut self.periods[0].standard.rates);
        self
    }

    fn then(mut self, when: When, mut price: Self) -> Self {
        self.negative |= price.negative;
        self.insert(Period { when, ..price.periods.swap_remove(0) });
        self
    }

    /// Inserts a period, in this order: the first, dates in order, then times of day.
    fn insert(&mut self, period: Period) {
        let when = period.when;
        self.periods.retain(|other| other.when != when);
        let before = |other: &Period| match (other.when, when) {
            (When::Always, _) | (_, When::Daily(..)) => true,
            (When::Since(start), When::Since(new)) => start <= new,
            _ => false,
        };
        let at = self.periods.iter().take_while(|other| before(other)).count();
        self.periods.insert(at, period);
    }

    fn period(&self, at: SystemTime) -> &Period {
        if let [only] = &self.periods[..] {
            return only;
        }
        let now = seconds(at);
        let holding = self.periods.iter().rev().find(|period| period.when.holds(now));
        holding.unwrap_or(&self.periods[0])
    }
}

/// Seconds since the Unix epoch, rounded down.
fn seconds(at: SystemTime) -> i64 {
    match at.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            let before = before.duration();
            let whole = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
            -whole.saturating_add(i64::from(before.subsec_nanos() > 0))
        }
    }
}
