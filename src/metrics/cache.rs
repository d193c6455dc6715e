//! `CacheStats`: what the cache did for the calls in some period.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::call::CallEnd;
use crate::money::Money;

/// What the [cache](crate::Cache) did for the calls in some period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CacheStats {
    /// Calls that the cache answered, those that waited for an equal call included.
    pub hits: u64,
    /// Calls for which the cache had no answer.
    pub misses: u64,
    /// What the hits would have cost, as far as prices are known.
    pub money_saved: Money,
    /// How much longer the provider took for the answers when it gave them.
    pub time_saved: Duration,
}

/// What the cache did for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheUse {
    Unused,
    /// It answered. The provider had taken so long.
    Hit {
        took: Duration,
    },
    Miss,
}

impl CacheStats {
    /// The share of calls that the cache answered, 0 to 1, among those that asked it. 0 without any.
    #[expect(clippy::cast_precision_loss)]
    pub fn hit_rate(&self) -> f64 {
        match self.hits.saturating_add(self.misses) {
            0 => 0.0,
            calls => self.hits as f64 / calls as f64,
        }
    }

    /// Whether any call asked the cache.
    pub(super) fn is_used(&self) -> bool {
        self.hits > 0 || self.misses > 0
    }

    pub(super) fn record(&mut self, call: &CallEnd<'_>) {
        match call.cache {
            CacheUse::Unused => {}
            CacheUse::Miss => self.misses += 1,
            CacheUse::Hit { took } => {
                self.hits += 1;
                self.money_saved += call.saved.unwrap_or(Money::ZERO);
                let saved = took.saturating_sub(call.latency);
                self.time_saved = self.time_saved.saturating_add(saved);
            }
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        let Self { hits, misses, money_saved, time_saved } = *other;
        self.hits = self.hits.saturating_add(hits);
        self.misses = self.misses.saturating_add(misses);
        self.money_saved += money_saved;
        self.time_saved = self.time_saved.saturating_add(time_saved);
    }
}
