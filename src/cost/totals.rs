//! Running totals of what calls cost.

mod streak;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use super::Prices;
use super::record::{KeptRecord, Tier};
use super::report::{CostReport, NONE, OTHER, Row, UsageClass};
use super::scope::Scope;
use super::tally::Tally;
use crate::sorted_map::SortedMap;
use crate::time::rfc3339;
use crate::usage::Usage;
use streak::{Rows, Streak};

/// The prompt sizes, in tokens, above which some model's price changes: all those in the
/// genai-prices data set (<https://github.com/pydantic/genai-prices>), November 2026. A prompt
/// above a border pays the other price for all of its tokens, so usage can only be repriced if
/// each side of a border has its own sum.
pub(crate) const BORDERS: [u64; 9] =
    [32_000, 100_000, 128_000, 199_999, 200_000, 256_000, 272_000, 512_000, 524_288];

/// How many tag names have rows of their own. Each may fill a whole table, and a sensible
/// program has a handful.
const TAGS: usize = 32;

/// How many bytes are kept of a name or value from outside.
const NAME: usize = 256;

/// What the totals keep. Plain data.
#[derive(Debug, Clone)]
pub(crate) struct TotalsConfig {
    /// How many recent calls to list. Default 100.
    pub(crate) last: usize,
    /// How many rows each table has at most, besides the row for all others. Default 1,000.
    pub(crate) max_rows: usize,
    /// The prompt sizes at which prices change, in any order. Default [`BORDERS`].
    pub(crate) borders: Vec<u64>,
}

impl TotalsConfig {
    /// With the borders of these prices besides the built-in ones.
    pub(crate) fn of(prices: &Prices) -> Self {
        Self { borders: prices.custom_borders().chain(BORDERS).collect(), ..Self::default() }
    }
}

impl Default for TotalsConfig {
    fn default() -> Self {
        Self { last: 100, max_rows: 1_000, borders: BORDERS.to_vec() }
    }
}

/// The running totals, in bounded memory. Whatever no longer has its own row is added to the
/// row [`OTHER`], so every table adds up to the total.
#[derive(Debug)]
pub(crate) struct Totals {
    config: TotalsConfig,
    since: Option<SystemTime>,
    total: Tally,
    refused: u64,
    models: Table<(String, String)>,
    providers: Table<String>,
    tags: SortedMap<String, Box<TagRows>>,
    days: Days,
    classes: SortedMap<ClassKey, Box<Class>>,
    last: VecDeque<KeptRecord>,
    /// The latest calls, which are in no row yet.
    streak: Option<Box<Streak>>,
}

/// The rows of one table.
#[derive(Debug)]
struct Table<K> {
    // Boxed, because a new row moves those behind it.
    rows: SortedMap<K, Box<Tally>>,
    other: Tally,
}

/// The values of one tag.
#[derive(Debug)]
struct TagRows {
    values: Table<String>,
    /// The calls without this tag.
    none: Tally,
}

/// Totals by day, counted from 1970-01-01. Only the latest days have rows.
#[derive(Debug, Default)]
struct Days {
    /// By date.
    rows: SortedMap<i64, Tally>,
    earlier: Tally,
}

/// What is summed separately so that it can be repriced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct ClassKey {
    provider: String,
    model: String,
    service_tier: Option<String>,
    comparable: bool,
    /// How many borders the prompts exceed.
    size: usize,
}

#[derive(Debug)]
struct Class {
    least: u64,
    most: u64,
    tally: Tally,
}

impl Totals {
    pub(crate) fn new(mut config: TotalsConfig) -> Self {
        config.borders.sort_unstable();
        config.borders.dedup();
        Self {
            config,
            since: None,
            total: Tally::default(),
            refused: 0,
            models: Table::default(),
            providers: Table::default(),
            tags: SortedMap::new(),
            days: Days::default(),
            classes: SortedMap::new(),
            last: VecDeque::new(),
            streak: None,
        }
    }

    /// Adds a call.
    pub(super) fn record(&mut self, mut record: KeptRecord) {
        record.clip();
        self.since = Some(self.since.map_or(record.at, |since| since.min(record.at)));
        let rows = Rows::of(&record, &self.config.borders);
        let is_same = self.streak.as_mut().is_some_and(|streak| streak.add(&mut record, rows));
        if !is_same {
            self.end_streak();
            self.streak = Some(Box::new(Streak::of(&record, rows)));
        }
        if self.config.last > 0 {
            record.clip_tags();
            if self.last.len() >= self.config.last {
                self.last.pop_front();
            }
            self.last.push_back(record);
        }
    }

    /// Adds the latest calls to their rows.
    fn end_streak(&mut self) {
        let Some(streak) = self.streak.take() else { return };
        let (tally, most) = (&streak.tally, self.config.max_rows);
        self.record_tags(&streak.tags, tally);
        self.days.add(streak.rows.day, tally, most);
        let Scope { provider, model, .. } = &*streak.scope;
        self.providers.add_named(provider, tally, most);
        let order = |(p, m): &(String, String)| p.cmp(provider).then_with(|| m.cmp(model));
        self.models.add(order, || (provider.clone(), model.clone()), tally, most);
        self.record_class(&streak);
        self.total += tally;
    }

    /// Counts a call that a budget refused.
    pub(crate) fn refused(&mut self) {
        self.refused = self.refused.saturating_add(1);
    }

    fn record_tags(&mut self, tags: &BTreeMap<String, String>, tally: &Tally) {
        let most = self.config.max_rows;
        if tags.keys().all(|name| self.tags.contains_key(name.as_str())) {
            for (name, rows) in self.tags.iter_mut() {
                match tags.get(name) {
                    Some(value) => rows.values.add_named(clipped(value), tally, most),
                    None => rows.none += tally,
                }
            }
            return;
        }
        // Names without a table count under `OTHER`, once per call however many there are.
        let mut named: Vec<(&str, &str)> = Vec::new();
        for (name, value) in tags {
            let (mut name, mut value) = (clipped(name), clipped(value));
            if !self.tags.contains_key(name) {
                if self.tags.len() >= TAGS {
                    (name, value) = (OTHER, OTHER);
                }
                // Earlier calls did not have this tag.
                let none = self.total;
                let new = || Box::new(TagRows { values: Table::default(), none });
                self.tags.get_or_insert_with(name.to_owned(), new);
            }
            match named.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => named.push((name, value)),
            }
        }
        for (name, rows) in self.tags.iter_mut() {
            match named.iter().find(|(known, _)| known == name) {
                Some((_, value)) => rows.values.add_named(value, tally, most),
                None => rows.none += tally,
            }
        }
    }

    fn record_class(&mut self, streak: &Streak) {
        let Scope { provider, model, .. } = &*streak.scope;
        let service_tier = streak.service_tier.as_deref();
        let Rows { comparable, size, .. } = streak.rows;
        let found = self.classes.get_mut_by(|key| {
            let names = key.provider.cmp(provider).then_with(|| key.model.cmp(model));
            let tier = names.then_with(|| key.service_tier.as_deref().cmp(&service_tier));
            tier.then_with(|| (key.comparable, key.size).cmp(&(comparable, size)))
        });
        if let Some(class) = found {
            return class.add(streak);
        }
        let (mut provider, mut model) = (provider.clone(), model.clone());
        let mut service_tier = service_tier.map(str::to_owned);
        if self.classes.len() >= self.config.max_rows {
            // The size is kept, because it decides the price at any other model.
            (provider, model) = (OTHER.to_owned(), OTHER.to_owned());
            service_tier = None;
        }
        let key = ClassKey { provider, model, service_tier, comparable, size };
        let Streak { least, most, .. } = *streak;
        let new = || Box::new(Class { least, most, tally: Tally::default() });
        self.classes.get_or_insert_with(key, new).add(streak);
    }

    /// What calls have cost so far, without budgets and prices, which are not known here.
    pub(crate) fn report(&mut self) -> CostReport {
        self.end_streak();
        let model = |(provider, model): &(String, String)| Row::model(provider, model);
        let mut by_tag = BTreeMap::new();
        for (name, tags) in self.tags.iter() {
            let rows = tags.values.rows(|value| Row::new(value), Some(tags.none));
            by_tag.insert(name.clone(), rows);
        }
        CostReport {
            since: self.since,
            total: self.total,
            by_model: self.models.rows(model, None),
            by_provider: self.providers.rows(|name| Row::new(name), None),
            by_tag,
            by_day: self.days.rows(),
            usage_classes: self.classes.iter().map(|(key, class)| class.shown(key)).collect(),
            last: self.last.iter().map(KeptRecord::shown).collect(),
            refused: self.refused,
            ..CostReport::default()
        }
    }
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { rows: SortedMap::new(), other: Tally::default() }
    }
}

impl Table<String> {
    fn add_named(&mut self, name: &str, tally: &Tally, most: usize) {
        self.add(|key| key.as_str().cmp(name), || name.to_owned(), tally, most);
    }
}

impl<K: Ord> Table<K> {
    /// Adds to the row whose key is `Equal`, or to a new one with the key that `new` makes.
    fn add(
        &mut self,
        order: impl FnMut(&K) -> Ordering,
        new: impl FnOnce() -> K,
        tally: &Tally,
        most: usize,
    ) {
        if let Some(row) = self.rows.get_mut_by(order) {
            **row += tally;
        } else if self.rows.len() >= most {
            self.other += tally;
        } else {
            **self.rows.get_or_insert_with(new(), Box::default) += tally;
        }
    }

    fn rows(&self, row: impl Fn(&K) -> Row, none: Option<Tally>) -> Vec<Row> {
        let mut rows: Vec<Row> =
            self.rows.iter().map(|(key, tally)| row(key).with(**tally)).collect();
        sort_by_cost(&mut rows);
        let none = (NONE, none.unwrap_or_default());
        let extra = [none, (OTHER, self.other)].into_iter().filter(|(_, tally)| tally.calls > 0);
        rows.extend(extra.map(|(key, tally)| Row::new(key).with(tally)));
        rows
    }
}

fn sort_by_cost(rows: &mut [Row]) {
    rows.sort_by_key(|row| std::cmp::Reverse(row.tally.cost.total));
}

impl Days {
    fn add(&mut self, day: i64, tally: &Tally, most: usize) {
        *self.rows.get_or_insert_with(day, Tally::default) += tally;
        if self.rows.len() > most {
            if let Some((_, first)) = self.rows.pop_first() {
                self.earlier += first;
            }
        }
    }

    /// The rows by date, after the row for the days that no longer have one.
    fn rows(&self) -> Vec<Row> {
        let earlier = (self.earlier.calls > 0).then(|| Row::new(OTHER).with(self.earlier));
        let days = self.rows.iter().map(|(day, tally)| Row::new(&rfc3339::date(*day)).with(*tally));
        earlier.into_iter().chain(days).collect()
    }
}

impl Class {
    fn add(&mut self, streak: &Streak) {
        self.least = self.least.min(streak.least);
        self.most = self.most.max(streak.most);
        let Streak { tally, fits, .. } = streak;
        match fits {
            true => self.tally += tally,
            false => self.tally += &Tally { usage: fitted(tally.usage), ..*tally },
        }
    }

    fn shown(&self, key: &ClassKey) -> UsageClass {
        UsageClass {
            provider: key.provider.clone(),
            model: key.model.clone(),
            service_tier: key.service_tier.clone(),
            comparable: key.comparable,
            least_prompt_tokens: self.least,
            most_prompt_tokens: self.most,
            tally: self.tally,
        }
    }
}

/// Clamps the parts of the prompt and the output to their whole, in the order in which they are
/// priced. Otherwise the excess of one call would fill what another left over.
fn fitted(usage: Usage) -> Usage {
    let cached = usage.cached_tokens.min(usage.prompt_tokens);
    let written = usage.cache_write_tokens.min(usage.prompt_tokens - cached);
    let rest = usage.prompt_tokens - cached - written;
    Usage {
        cached_tokens: cached,
        cache_write_tokens: written,
        cache_write_1h_tokens: usage.cache_write_1h_tokens.min(written),
        // Cached tokens are assumed to be text.
        prompt_audio_tokens: usage.prompt_audio_tokens.min(rest),
        prompt_image_tokens: usage.prompt_image_tokens.min(rest),
        reasoning_tokens: usage.reasoning_tokens.min(usage.completion_tokens),
        completion_audio_tokens: usage.completion_audio_tokens.min(usage.completion_tokens),
        completion_image_tokens: usage.completion_image_tokens.min(usage.completion_tokens),
        ..usage
    }
}

/// The first [`NAME`] bytes of a name, at most.
fn clipped(name: &str) -> &str {
    if name.len() <= NAME {
        return name;
    }
    let mut end = NAME;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

impl KeptRecord {
    /// Cuts its names to the longest that a report keeps.
    fn clip(&mut self) {
        let Scope { provider, model, .. } = &*self.scope;
        if provider.len() > NAME || model.len() > NAME {
            let (provider, model) = (clipped(provider).to_owned(), clipped(model).to_owned());
            self.scope = Arc::new(Scope::named(provider, None, model));
        }
        if let Some(model) = self.served_model.as_mut().filter(|model| model.len() > NAME) {
            *model = clipped(model).to_owned();
        }
        if let Some(tier) = self.service_tier.as_mut().filter(|tier| tier.len() > NAME) {
            *tier = Tier::Owned(clipped(tier).to_owned());
        }
    }

    /// Drops the tags that a report has no room for, and cuts the others.
    fn clip_tags(&mut self) {
        let tags = &self.tags;
        if tags.len() > TAGS || tags.iter().any(|(k, v)| k.len().max(v.len()) > NAME) {
            let kept = tags.iter().take(TAGS);
            let cut = |(name, value): (&String, &String)| {
                (clipped(name).to_owned(), clipped(value).to_owned())
            };
            self.tags = kept.map(cut).collect::<BTreeMap<_, _>>().into();
        }
    }
}
