//! `Streak`: consecutive calls that count in the same rows.

use std::sync::Arc;

use super::{Usage, fitted};
use crate::cost::record::{KeptRecord, Tier};
use crate::cost::scope::Scope;
use crate::cost::{CostSource, Tally, UtcOffset};
use crate::tags::Tags;
use crate::time::rfc3339;

/// Consecutive calls that count in the same rows. Their sum is added to all these rows at once,
/// because most programs make many calls with the same model and tags.
#[derive(Debug)]
pub(super) struct Streak {
    /// The provider and the model.
    pub(super) scope: Arc<Scope>,
    pub(super) service_tier: Option<Tier>,
    pub(super) tags: Tags,
    pub(super) rows: Rows,
    /// The fewest and the most prompt tokens.
    pub(super) least: u64,
    pub(super) most: u64,
    pub(super) tally: Tally,
    /// Whether the parts of each usage fit into their whole, so [`fitted`] changes nothing.
    pub(super) fits: bool,
}

/// What decides which rows a call counts in, besides its names and tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rows {
    /// The day since 1970-01-01.
    pub(super) day: i64,
    /// Whether its cost can be compared with that of another model.
    pub(super) comparable: bool,
    /// How many borders the prompt exceeds.
    pub(super) size: usize,
}

impl Rows {
    pub(super) fn of(record: &KeptRecord, borders: &[u64]) -> Self {
        let is_exact = |source| matches!(source, CostSource::Priced | CostSource::Reported);
        Self {
            day: rfc3339::day(record.at, UtcOffset::UTC),
            comparable: record.cost.is_some_and(|cost| is_exact(cost.source)),
            size: borders.partition_point(|border| *border < record.usage.prompt_tokens),
        }
    }
}

impl Streak {
    pub(super) fn of(record: &KeptRecord, rows: Rows) -> Self {
        let prompt = record.usage.prompt_tokens;
        Self {
            scope: Arc::clone(&record.scope),
            service_tier: record.service_tier.clone(),
            tags: record.tags.clone(),
            rows,
            least: prompt,
            most: prompt,
            tally: Tally::of(record),
            fits: fits(&record.usage),
        }
    }

    /// Adds a call if it counts in the same rows. Returns whether it does.
    pub(super) fn add(&mut self, record: &mut KeptRecord, rows: Rows) -> bool {
        let is_same = self.fits
            && self.rows == rows
            && Arc::ptr_eq(&self.scope, &record.scope)
            && self.service_tier == record.service_tier
            && self.tags == record.tags
            && fits(&record.usage);
        if is_same {
            let prompt = record.usage.prompt_tokens;
            self.least = self.least.min(prompt);
            self.most = self.most.max(prompt);
            self.tally += &Tally::of(record);
            // The kept records then share one copy.
            record.tags = self.tags.clone();
        }
        is_same
    }
}

fn fits(usage: &Usage) -> bool {
    fitted(*usage) == *usage
}
