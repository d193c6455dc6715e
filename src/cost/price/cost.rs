//! What one call cost, item by item.

use serde::{Deserialize, Serialize};
use std::fmt;

use super::Money;

/// What a call cost, item by item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Cost {
    /// All of it: the sum of the items, or the provider's own bill.
    pub total: Money,
    /// Input tokens at the full price.
    pub input: Money,
    /// Input tokens read from a cache.
    pub cached_input: Money,
    /// Input tokens written to a cache.
    pub cache_write: Money,
    /// Input tokens that were audio or images, where these have a price of their own.
    pub input_media: Money,
    /// Output tokens; reasoning too, where it has no price of its own.
    pub output: Money,
    /// Output tokens spent on reasoning, where these have a price of their own.
    pub reasoning: Money,
    /// Output tokens that were audio or images, where these have a price of their own.
    pub output_media: Money,
    /// Web searches.
    pub web_searches: Money,
    /// The price of a request as such.
    pub request: Money,
    /// How it was found.
    pub source: CostSource,
}

impl Cost {
    /// The sum of the items.
    pub fn items(&self) -> Money {
        self.read() + self.written() + self.web_searches + self.request
    }

    /// What the input tokens cost.
    pub(super) fn read(&self) -> Money {
        self.input + self.cached_input + self.cache_write + self.input_media
    }

    /// What the output tokens cost.
    pub(super) fn written(&self) -> Money {
        self.output + self.reasoning + self.output_media
    }
}

/// The total, in dollars; a precision rounds.
impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.total.fmt(f)
    }
}

/// How a [`Cost`] was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CostSource {
    /// The usage that the provider reported, at the price of the model.
    #[default]
    Priced,
    /// The provider's own bill. The items are what its usage comes to at the price of
    /// the model, where that is known, and need not sum up to the total.
    Reported,
    /// The provider reported no usage, or not all of it: the most that may have been billed,
    /// at the price of the model. Without an answer, that is all that was reserved. The
    /// items need not sum up to the total: what was not reported may have been of a dearer
    /// kind, or served in a dearer tier.
    Bound,
    /// The provider reported no usage, or not all of it, and this is what was estimated,
    /// at the price of the model; see [`UnreportedUsage`](crate::UnreportedUsage).
    Estimated,
}
