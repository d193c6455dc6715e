//! `Cost`: what one call cost, item by item.

use serde::{Deserialize, Serialize};
use std::fmt;

use super::Money;

/// What a call cost, item by item. Its JSON leaves out the items that are zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Cost {
    /// The total: the sum of the items, or the provider's own bill.
    pub total: Money,
    /// Input tokens at the full price.
    #[serde(skip_serializing_if = "is_zero")]
    pub input: Money,
    /// Input tokens read from a cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cached_input: Money,
    /// Input tokens written to a cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write: Money,
    /// Input tokens of audio or images, if they have their own price.
    #[serde(skip_serializing_if = "is_zero")]
    pub input_media: Money,
    /// Output tokens. Includes reasoning if that has no price of its own.
    #[serde(skip_serializing_if = "is_zero")]
    pub output: Money,
    /// Output tokens spent on reasoning, if they have their own price.
    #[serde(skip_serializing_if = "is_zero")]
    pub reasoning: Money,
    /// Output tokens of audio or images, if they have their own price.
    #[serde(skip_serializing_if = "is_zero")]
    pub output_media: Money,
    /// Web searches.
    #[serde(skip_serializing_if = "is_zero")]
    pub web_searches: Money,
    /// The fixed price per request.
    #[serde(skip_serializing_if = "is_zero")]
    pub request: Money,
    /// How the cost was determined.
    pub source: CostSource,
}

fn is_zero(amount: &Money) -> bool {
    amount.is_zero()
}

impl Cost {
    /// The sum of the items.
    pub fn items(&self) -> Money {
        self.read() + self.written() + self.web_searches + self.request
    }

    /// The cost of both. The source is that of the less certain one.
    pub(crate) fn plus(self, other: Self) -> Self {
        let certainty = |source: CostSource| match source {
            CostSource::Priced => 0,
            CostSource::Reported => 1,
            CostSource::Bound => 2,
            CostSource::Estimated => 3,
        };
        Self {
            total: self.total + other.total,
            input: self.input + other.input,
            cached_input: self.cached_input + other.cached_input,
            cache_write: self.cache_write + other.cache_write,
            input_media: self.input_media + other.input_media,
            output: self.output + other.output,
            reasoning: self.reasoning + other.reasoning,
            output_media: self.output_media + other.output_media,
            web_searches: self.web_searches + other.web_searches,
            request: self.request + other.request,
            source: [self.source, other.source]
                .into_iter()
                .max_by_key(|one| certainty(*one))
                .unwrap_or_default(),
        }
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

/// The total in dollars. A precision rounds it.
impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.total.fmt(f)
    }
}

/// How a [`Cost`] was determined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CostSource {
    /// The reported usage, at the price of the model.
    #[default]
    Priced,
    /// The provider's own bill. The items price its usage at the price of the model, if that is
    /// known, and need not add up to the total.
    Reported,
    /// The most that may have been billed, at the price of the model, because the provider did
    /// not report all usage. Without an answer, that is all that was reserved. The items need not
    /// add up to the total: unreported tokens may have been of a more expensive kind or tier.
    Bound,
    /// An estimate at the price of the model, because the provider did not report all usage; see
    /// [`UnreportedUsage`](crate::UnreportedUsage).
    Estimated,
}
