//! The serialized form of prices.

use serde::{Deserialize, Serialize};

use super::rates::{per_million, per_piece, per_token};
use super::{Money, Period, Price, Rates, Sheet, When, day};
use crate::settings_file::Unique;

/// A price, or a nested price, which may have fewer members.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredPrice {
    input: Money,
    output: Money,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cached_input: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_write: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_write_1h: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reasoning: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input_audio: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output_audio: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input_image: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output_image: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    web_search: Option<Money>,
    #[serde(default, skip_serializing_if = "Unique::is_empty")]
    above: Unique<StoredPrice>,
    #[serde(default, skip_serializing_if = "Unique::is_empty")]
    service_tiers: Unique<StoredPrice>,
    #[serde(default, skip_serializing_if = "Unique::is_empty")]
    since: Unique<StoredPrice>,
    #[serde(default, skip_serializing_if = "Unique::is_empty")]
    daily: Unique<StoredPrice>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context_window: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_output: Option<u64>,
}

/// Where a price is nested. A price cannot contain prices of its own level or above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Size,
    Tier,
    Period,
    Model,
}

impl StoredPrice {
    fn rates(&self) -> Result<Rates, String> {
        let amounts = [
            ("input", Some(self.input)),
            ("output", Some(self.output)),
            ("cached_input", self.cached_input),
            ("cache_write", self.cache_write),
            ("cache_write_1h", self.cache_write_1h),
            ("reasoning", self.reasoning),
            ("input_audio", self.input_audio),
            ("output_audio", self.output_audio),
            ("input_image", self.input_image),
            ("output_image", self.output_image),
            ("request", self.request),
            ("web_search", self.web_search),
        ];
        for (name, amount) in amounts {
            if amount.is_some_and(Money::is_negative) {
                return Err(format!("{name} is negative; set 0 or more"));
            }
        }
        Ok(Rates {
            input: per_token(self.input),
            output: per_token(self.output),
            cached_input: self.cached_input.map(per_token),
            cache_write: self.cache_write.map(per_token),
            cache_write_1h: self.cache_write_1h.map(per_token),
            reasoning: self.reasoning.map(per_token),
            input_audio: self.input_audio.map(per_token),
            output_audio: self.output_audio.map(per_token),
            input_image: self.input_image.map(per_token),
            output_image: self.output_image.map(per_token),
            request: self.request.map_or(0, per_piece),
            web_search: self.web_search.map_or(0, per_piece),
        })
    }

    /// Refuses members that would have no effect at this level.
    fn check(&self, level: Level) -> Result<(), String> {
        let known = self.context_window.or(self.max_output).is_some();
        for (name, present, least) in [
            ("above", !self.above.is_empty(), Level::Tier),
            ("service_tiers", !self.service_tiers.is_empty(), Level::Period),
            ("since", !self.since.is_empty(), Level::Model),
            ("daily", !self.daily.is_empty(), Level::Model),
            ("context_window or max_output", known, Level::Model),
        ] {
            if present && level < least {
                let part = match level {
                    Level::Size => "a price in above",
                    Level::Tier => "a price in service_tiers",
                    Level::Period | Level::Model => "a price in since or daily",
                };
                return Err(format!("{part} cannot have {name}; put it one level up"));
            }
        }
        Ok(())
    }

    fn sheet(&self, level: Level) -> Result<Sheet, String> {
        self.check(level)?;
        let mut sheet = Sheet { rates: self.rates()?, ..Sheet::default() };
        for (tokens, stored) in &self.above.0 {
            let number = tokens.parse().map_err(|_| {
                format!("above has {tokens:?}; write a number of tokens, such as \"200000\"")
            })?;
            stored.check(Level::Size)?;
            sheet.set_above(number, stored.rates()?);
        }
        Ok(sheet)
    }

    fn period(&self, when: When, level: Level) -> Result<Period, String> {
        let mut period = Period::new(when, self.sheet(level)?);
        for (name, stored) in &self.service_tiers.0 {
            period.set_tier(name, stored.sheet(Level::Tier)?);
        }
        Ok(period)
    }
}

impl TryFrom<StoredPrice> for Price {
    type Error = String;

    fn try_from(stored: StoredPrice) -> Result<Self, String> {
        let period = stored.period(When::Always, Level::Model)?;
        let (context_window, max_output) = (stored.context_window, stored.max_output);
        let periods = vec![period];
        let mut price = Self { periods, context_window, max_output, negative: false };
        for (date, stored) in &stored.since.0 {
            let start = day::read(date).ok_or_else(|| {
                format!("since has {date:?}; write a date, such as \"2027-01-31\"")
            })?;
            price.insert(stored.period(When::Since(start), Level::Period)?);
        }
        for (hours, stored) in &stored.daily.0 {
            let when = hours.split_once('-').and_then(|(from, until)| {
                Some(When::Daily(day::read_time(from)?, day::read_time(until)?))
            });
            let when = when.ok_or_else(|| {
                format!("daily has {hours:?}; write a period, such as \"01:00-04:30\"")
            })?;
            price.insert(stored.period(when, Level::Period)?);
        }
        Ok(price)
    }
}

impl From<&Rates> for StoredPrice {
    fn from(rates: &Rates) -> Self {
        let piece = |rate: u64| (rate > 0).then(|| Money::picos(i128::from(rate)));
        Self {
            input: per_million(rates.input),
            output: per_million(rates.output),
            cached_input: rates.cached_input.map(per_million),
            cache_write: rates.cache_write.map(per_million),
            cache_write_1h: rates.cache_write_1h.map(per_million),
            reasoning: rates.reasoning.map(per_million),
            input_audio: rates.input_audio.map(per_million),
            output_audio: rates.output_audio.map(per_million),
            input_image: rates.input_image.map(per_million),
            output_image: rates.output_image.map(per_million),
            request: piece(rates.request),
            web_search: piece(rates.web_search),
            ..Self::default()
        }
    }
}

impl From<&Sheet> for StoredPrice {
    fn from(sheet: &Sheet) -> Self {
        let above = sheet.above.iter();
        let above = above.map(|(tokens, rates)| (tokens.to_string(), rates.into())).collect();
        Self { above: Unique(above), ..(&sheet.rates).into() }
    }
}

impl From<&Period> for StoredPrice {
    fn from(period: &Period) -> Self {
        let tiers = period.tiers.iter().map(|(name, sheet)| (name.clone(), sheet.into())).collect();
        Self { service_tiers: Unique(tiers), ..(&period.standard).into() }
    }
}

impl From<Price> for StoredPrice {
    fn from(price: Price) -> Self {
        let Price { periods, context_window, max_output, .. } = price;
        let mut stored = Self { context_window, max_output, ..(&periods[0]).into() };
        for period in &periods {
            match period.when {
                When::Always => {}
                When::Since(start) => stored.since.0.push((day::write(start), period.into())),
                When::Daily(from, until) => {
                    let hours = format!("{}-{}", day::write_time(from), day::write_time(until));
                    stored.daily.0.push((hours, period.into()));
                }
            }
        }
        stored
    }
}
