//! What tokens cost.
//!
//! `prices.rs` finds the [`Price`] of a model, among those set by hand (`overrides.rs`
//! reads their file, in the form of `form.rs`) and those of `table.txt` (`table.rs`
//! reads it, `pattern.rs` matches names, `address.rs` base URLs). A price is a list of
//! periods (`period.rs`), each with a sheet for every service tier, each with rates
//! (`rates.rs`) for every size of prompt; `ceiling.rs` bounds what a call can cost.

mod address;
mod ceiling;
mod cost;
mod custom;
mod day;
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
pub(super) use pattern::fold;
use period::{Period, Sheet, When};
pub use prices::Prices;
use rates::{Rates, per_piece, per_token, times};
use stored::StoredPrice;

/// What is known of the service tier of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tier<'a> {
    /// The one that served it.
    Served(&'a str),
    /// The one that was asked for, or none.
    Asked(Option<&'a str>),
}

/// What a model costs.
///
/// Rates are given for a million tokens, and counted in whole pico-dollars (10⁻¹²
/// dollars) a token: finer ones are rounded. Negative ones are 0, and refused by
/// [`CostConfig::build`](super::CostConfig::build). A rate that is not set
/// is that of plain input or output; one that is set to nothing is free.
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
/// It is stored and loaded in the form of the entries of a file of
/// [prices](Prices::load).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredPrice", into = "StoredPrice")]
pub struct Price {
    /// Never empty; the first holds always, and of those that hold the last counts.
    periods: Vec<Period>,
    context_window: Option<u64>,
    max_output: Option<u64>,
    /// Whether an amount was set that is less than nothing.
    negative: bool,
}

impl Price {
    /// So much for a million input tokens and for a million output tokens.
    pub fn per_million(input: Money, output: Money) -> Self {
        let rates =
            Rates { input: per_token(input), output: per_token(output), ..Rates::default() };
        Self::of(Sheet { rates, ..Sheet::default() }).noting(input).noting(output)
    }

    /// Nothing at all.
    pub fn free() -> Self {
        Self::of(Sheet::default())
    }

    fn of(standard: Sheet) -> Self {
        let periods = vec![Period::new(When::Always, standard)];
        Self { periods, context_window: None, max_output: None, negative: false }
    }

    /// For a million input tokens read from a cache. Default: as input.
    #[must_use]
    pub fn cached_input(self, per_million: Money) -> Self {
        self.noting(per_million).with(|rates| rates.cached_input = Some(per_token(per_million)))
    }

    /// For a million input tokens written to a cache. Default: as input.
    #[must_use]
    pub fn cache_write(self, per_million: Money) -> Self {
        self.noting(per_million).with(|rates| rates.cache_write = Some(per_token(per_million)))
    }

    /// For a million input tokens written to a cache for an hour. Default: as those
    /// [written](Self::cache_write) for a shorter time.
    #[must_use]
    pub fn cache_write_1h(self, per_million: Money) -> Self {
        self.noting(per_million).with(|rates| rates.cache_write_1h = Some(per_token(per_million)))
    }

    /// For a million output tokens spent on reasoning. Default: as output.
    #[must_use]
    pub fn reasoning(self, per_million: Money) -> Self {
        self.noting(per_million).with(|rates| rates.reasoning = Some(per_token(per_million)))
    }

    /// For a million input tokens that are audio. Default: as input.
    #[must_use]
    pub fn input_audio(self, per_million: Money) -> Self {
        self.noting(per_million).with(|rates| rates.input_audio = Some(per_token(per_million)))
    }

    /// For a million output tokens that are audio. Default: as output.
    #[must_use]
    pub fn output_audio(self, per_million: Money) -> Self {
        self.noting(per_million).with(|rates| rates.output_audio = Some(per_token(per_million)))
    }

    /// For a million input tokens that are images. Default: as input.
    #[must_use]
    pub fn input_image(self, per_million: Money) -> Self {
        self.noting(per_million).with(|rates| rates.input_image = Some(per_token(per_million)))
    }

    /// For a million output tokens that are images. Default: as output.
    #[must_use]
    pub fn output_image(self, per_million: Money) -> Self {
        self.noting(per_million).with(|rates| rates.output_image = Some(per_token(per_million)))
    }

    /// For every request, whatever its tokens. Default: nothing.
    #[must_use]
    pub fn request(self, each: Money) -> Self {
        self.noting(each).with(|rates| rates.request = per_piece(each))
    }

    /// For every web search. Default: nothing.
    #[must_use]
    pub fn web_search(self, each: Money) -> Self {
        self.noting(each).with(|rates| rates.web_search = per_piece(each))
    }

    /// For calls with more than so many input tokens: all of their tokens cost what
    /// `price` says. Only its rates count, all of them: what is not set in it is that of
    /// its own plain input or output.
    #[must_use]
    pub fn above(mut self, prompt_tokens: u64, price: Self) -> Self {
        self.negative |= price.negative;
        self.periods[0].standard.set_above(prompt_tokens, price.periods[0].standard.rates);
        self
    }

    /// For calls that are served in a tier of this name, such as `batch`, `flex` or
    /// `priority`. Of `price` the rates and the sizes of prompts count. Tiers without a
    /// price of their own cost what is standard.
    #[must_use]
    pub fn service_tier(mut self, name: &str, mut price: Self) -> Self {
        self.negative |= price.negative;
        self.periods[0].set_tier(name, price.periods.swap_remove(0).standard);
        self
    }

    /// From then on, until another price that is set so begins. Of `price` the rates, the
    /// sizes of prompts and the service tiers count, and nothing of the price before
    /// does.
    #[must_use]
    pub fn since(self, start: SystemTime, price: Self) -> Self {
        self.then(When::Since(seconds(start).clamp(day::FIRST, day::LAST)), price)
    }

    /// Every day between two times, counted from midnight UTC, over midnight where the
    /// second is the smaller. It comes before prices [since](Self::since) a date, and of
    /// `price` the same counts.
    #[must_use]
    pub fn daily(self, from: Duration, until: Duration, price: Self) -> Self {
        let second = |time: Duration| u32::try_from(time.as_secs() % day::LENGTH).unwrap_or(0);
        self.then(When::Daily(second(from), second(until)), price)
    }

    /// How many tokens input and output may have together. Default: not known.
    #[must_use]
    pub fn context_window(mut self, tokens: u64) -> Self {
        self.context_window = Some(tokens);
        self
    }

    /// How many tokens the output may have, reasoning included. Default: not known.
    #[must_use]
    pub fn max_output(mut self, tokens: u64) -> Self {
        self.max_output = Some(tokens);
        self
    }

    /// How many tokens input and output may have together, where that is known.
    pub fn context_window_tokens(&self) -> Option<u64> {
        self.context_window
    }

    /// How many tokens the output may have, reasoning included, where that is known.
    pub fn max_output_tokens(&self) -> Option<u64> {
        self.max_output
    }

    /// What `usage` cost in the tier that served it, at that time.
    ///
    /// `service_tier` is the one of the answer
    /// ([`ChatResponse::service_tier`](crate::ChatResponse::service_tier)), or `batch` for a
    /// batch, which providers do not always say. `None` and tiers without a price of their
    /// own cost what is standard; for a batch without one that is more than is billed,
    /// since no discount is guessed.
    ///
    /// The size of the whole prompt, cached tokens included, decides on the tier by size.
    /// Parts that exceed the whole are cut: 90 cached of 80 input tokens are 80. Cached
    /// tokens are taken to be text. The provider's [own bill](Usage::reported_cost) is not
    /// looked at.
    pub fn cost(&self, usage: &Usage, service_tier: Option<&str>, at: SystemTime) -> Cost {
        let sheet = self.period(at).sheet(service_tier);
        sheet.rates(usage.prompt_tokens).cost(usage)
    }

    /// What `usage` cost that is the sum of so many calls, each of whose prompts is in the
    /// same tier of size as one of `prompt_tokens`.
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

    /// The prompt sizes above which another rate holds at that time, in any tier.
    pub(crate) fn borders(&self, at: SystemTime) -> Vec<u64> {
        let period = self.period(at);
        let sheets = period.tiers.iter().map(|(_, sheet)| sheet).chain([&period.standard]);
        sheets.flat_map(|sheet| sheet.above.keys().copied()).collect()
    }

    /// The most that a call within a bound can cost, if it asks for a tier and is served
    /// in that or in the standard one; asking for `auto` or for none it may be served in any
    /// but `batch`. At a
    /// price that holds at `at`, so what is reserved by this must be priced at the same
    /// time.
    pub(crate) fn at_most(
        &self,
        bound: &UpperBound,
        service_tier: Option<&str>,
        at: SystemTime,
    ) -> Money {
        self.period(at)
            .served(service_tier)
            .flat_map(|sheet| sheet.ceilings(bound))
            .map(|ceiling| ceiling.at(bound.output_tokens))
            .max()
            .unwrap_or(Money::ZERO)
    }

    /// The most that a call can cost of which some counts are known. The input of `usage`,
    /// its output, or both cost what they cost; for the other side, `bound` says of how many
    /// tokens it is and of which kinds these may be.
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

    /// The most output tokens with which [`at_most`](Self::at_most) is within an amount,
    /// whatever the bound says of them: with one more it is not. 0 where none fits,
    /// which also is where the input alone is too much.
    pub(crate) fn output_within(
        &self,
        bound: &UpperBound,
        amount: Money,
        service_tier: Option<&str>,
        at: SystemTime,
    ) -> u64 {
        self.period(at)
            .served(service_tier)
            .flat_map(|sheet| sheet.ceilings(bound))
            .map(|ceiling| ceiling.output_within(amount))
            .min()
            .unwrap_or(0)
    }

    /// Another provider serves the model at these prices, but not in these tiers.
    fn forget_tiers(&mut self) {
        for period in &mut self.periods {
            period.tiers.clear();
        }
    }

    /// What is wrong with it, if something is: an amount that is less than nothing.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        self.negative.then_some("has an amount that is less than nothing; write 0 for what is free")
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

    /// Keeps the periods in order: the first, dates by date, then times of day.
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
