//! Reads the price table.
//!
//! The crate in `prices/` writes `table.txt`, and documents its sources. The first lines of the
//! table name them. A line in brackets starts a provider: its name, patterns for its other names,
//! patterns for its base URLs, and the providers whose models it serves too. Each line below it is
//! a model:
//!
//! ```text
//! name|patterns|context window|maximum output|price
//! gpt-5|= gpt-5-chat|400000|128000|1.25 10 cached=0.125 >272000 2.5 15 @2026-10-12 flex: 0.625 5
//! ```
//!
//! A lookup returns the first model with a matching pattern. `=` stands for the model's own name,
//! and without any pattern only that name matches. A price is in dollars per million tokens of
//! input and of output, followed by named rates. `>` starts the rates for larger prompts, a name
//! with a colon those of a service tier, and `@` those from a date or for hours of the day;
//! whatever such a part does not repeat stays as before. `-` is a model that is not priced by
//! tokens. A line's contents are parsed when they are first needed.

use std::sync::OnceLock;

use super::address::Address;
use super::rates::{per_piece, per_token};
use super::{Money, Period, Price, Rates, Sheet, When, day, pattern};
use crate::wildcard;

const TABLE: &str = include_str!("table.txt");

/// Names from the OpenTelemetry GenAI conventions (`gen_ai.provider.name`) for providers whose
/// patterns in the table do not match them.
const ALIASES: [(&str, &str); 3] =
    [("x_ai", "x-ai"), ("azure.ai.openai", "azure"), ("azure.ai.inference", "azure")];

/// A provider in the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section {
    pub(super) name: &'static str,
    aliases: &'static str,
    addresses: &'static str,
    fallbacks: &'static str,
    lines: &'static str,
}

/// A model in the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) provider: &'static str,
    pub(super) name: &'static str,
    patterns: &'static str,
    context_window: &'static str,
    max_output: &'static str,
    price: &'static str,
}

/// The date of the data.
pub(super) fn date() -> &'static str {
    let first = TABLE.lines().next().unwrap_or_default();
    let mut words = first.split([' ', ';']);
    words.find(|word| day::read(word).is_some()).unwrap_or_default()
}

/// The providers, split in one pass over the table.
pub(super) fn sections() -> &'static [Section] {
    static SECTIONS: OnceLock<Vec<Section>> = OnceLock::new();
    SECTIONS.get_or_init(|| TABLE.split("\n[").skip(1).filter_map(Section::read).collect())
}

/// Finds a provider by its name, or else by one of its other names.
pub(super) fn section(provider: &str) -> Option<&'static Section> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == provider);
    let provider = alias.map_or(provider, |(_, name)| name);
    let named = |section: &&Section| section.name == provider;
    let known = |section: &&Section| {
        section
            .aliases
            .split(' ')
            .any(|alias| !alias.is_empty() && wildcard::matches(alias, provider))
    };
    sections().iter().find(named).or_else(|| sections().iter().find(known))
}

/// The name of the provider with this base URL.
pub(super) fn provider_of(base_url: &str) -> Option<&'static str> {
    let address = Address::new(base_url)?;
    let below = |section: &&Section| {
        section.addresses.split(' ').any(|pattern| !pattern.is_empty() && address.is_below(pattern))
    };
    sections().iter().find(below).map(|section| section.name)
}

impl Section {
    fn read(text: &'static str) -> Option<Self> {
        let (head, lines) = text.split_once('\n').unwrap_or((text, ""));
        let mut fields = head.strip_suffix(']')?.split('|');
        let (name, aliases) = (fields.next()?, fields.next()?);
        let (addresses, fallbacks) = (fields.next()?, fields.next()?);
        Some(Self { name, aliases, addresses, fallbacks, lines })
    }

    /// Its models, without those of its fallbacks.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> + use<> {
        let provider = self.name;
        self.lines.lines().filter_map(move |line| Entry::read(provider, line))
    }

    /// Finds a model by its name in lower case, here or at a fallback. If there is none, tries the
    /// name with dashes in its dates, and then the names listed in the table, which need not be
    /// names that the provider knows.
    pub(super) fn find(&self, model: &str) -> Option<Entry> {
        let dashed = || self.find_as_written(&pattern::with_dashes(model)?);
        let listed = || self.entries().find(|entry| pattern::fold(entry.name) == model);
        self.find_as_written(model).or_else(dashed).or_else(listed)
    }

    fn find_as_written(&self, model: &str) -> Option<Entry> {
        let named = |name: &str| sections().iter().find(|section| section.name == name);
        let fallbacks = self.fallbacks.split(' ').filter_map(named);
        std::iter::once(self)
            .chain(fallbacks)
            .find_map(|section| section.entries().find(|entry| entry.matches(model)))
    }
}

impl Entry {
    fn read(provider: &'static str, line: &'static str) -> Option<Self> {
        let mut fields = line.splitn(5, '|');
        let (name, patterns) = (fields.next()?, fields.next()?);
        let (context_window, max_output) = (fields.next()?, fields.next()?);
        let price = fields.next()?;
        Some(Self { provider, name, patterns, context_window, max_output, price })
    }

    fn matches(&self, model: &str) -> bool {
        self.patterns.split(' ').any(|pattern| match pattern {
            "" | "=" => pattern::fold(self.name) == model,
            _ => wildcard::matches(pattern, model),
        })
    }

    #[cfg(test)]
    pub(super) fn is_unpriced(&self) -> bool {
        self.price == "-"
    }

    /// Its price; `None` if it is not priced by tokens.
    pub(super) fn price(&self) -> Option<Price> {
        let periods = read_price(self.price)?;
        let context_window = self.context_window.parse().ok();
        let max_output = self.max_output.parse().ok();
        Some(Price { periods, context_window, max_output, negative: false })
    }
}

fn read_price(text: &str) -> Option<Vec<Period>> {
    let mut periods = vec![Period::new(When::Always, Sheet::default())];
    let mut tier: Option<&str> = None;
    let mut above: Option<u64> = None;
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.next() {
        if let Some(when) = word.strip_prefix('@') {
            let last = periods.last()?.clone();
            periods.push(Period { when: read_when(when)?, ..last });
            (tier, above) = (None, None);
        } else if let Some(name) = word.strip_suffix(':') {
            (tier, above) = (Some(name), None);
        } else if let Some(tokens) = word.strip_prefix('>') {
            above = Some(tokens.parse().ok()?);
        } else {
            let mut rates = Rates {
                input: per_token(word.parse().ok()?),
                output: per_token(words.next()?.parse().ok()?),
                ..Rates::default()
            };
            while let Some((name, price)) = words.peek().and_then(|word| word.split_once('=')) {
                set(&mut rates, name, price.parse().ok()?)?;
                words.next();
            }
            let period = periods.last_mut()?;
            match (tier, above) {
                (None, None) => period.standard = Sheet { rates, ..Sheet::default() },
                (Some(tier), None) => period.set_tier(tier, Sheet { rates, ..Sheet::default() }),
                (None, Some(tokens)) => period.standard.set_above(tokens, rates),
                (Some(tier), Some(tokens)) => {
                    let mut tiers = period.tiers.iter_mut();
                    let (_, sheet) = tiers.find(|(name, _)| name == tier)?;
                    sheet.set_above(tokens, rates);
                }
            }
        }
    }
    Some(periods)
}

fn read_when(text: &str) -> Option<When> {
    match day::read(text) {
        Some(start) => Some(When::Since(start)),
        None => {
            let (from, until) = text.split_once('-')?;
            Some(When::Daily(day::read_time(from)?, day::read_time(until)?))
        }
    }
}

fn set(rates: &mut Rates, name: &str, price: Money) -> Option<()> {
    match name {
        "cached" => rates.cached_input = Some(per_token(price)),
        "write" => rates.cache_write = Some(per_token(price)),
        "write-1h" => rates.cache_write_1h = Some(per_token(price)),
        "reasoning" => rates.reasoning = Some(per_token(price)),
        "audio-in" => rates.input_audio = Some(per_token(price)),
        "audio-out" => rates.output_audio = Some(per_token(price)),
        "image-in" => rates.input_image = Some(per_token(price)),
        "image-out" => rates.output_image = Some(per_token(price)),
        "request" => rates.request = per_piece(price),
        "search" => rates.web_search = per_piece(price),
        _ => return None,
    }
    Some(())
}
