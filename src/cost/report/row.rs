//! `Row`: one row of a table in a cost report.

use serde::{Deserialize, Serialize};

use crate::cost::Tally;

/// The key of the row for everything that has no row of its own.
pub(in crate::cost) const OTHER: &str = "(other)";

/// The key of the row for the calls without a tag.
pub(in crate::cost) const NONE: &str = "(none)";

/// A row of one of a report's tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Row {
    /// The provider, only in the table by model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model, provider, tag value or day (`2026-11-23`).
    pub key: String,
    /// The calls.
    pub tally: Tally,
}

impl Row {
    pub(in crate::cost) fn new(key: &str) -> Self {
        Self { provider: None, key: key.to_owned(), tally: Tally::default() }
    }

    pub(in crate::cost) fn model(provider: &str, model: &str) -> Self {
        Self { provider: Some(provider.to_owned()), ..Self::new(model) }
    }

    pub(in crate::cost) fn with(mut self, tally: Tally) -> Self {
        self.tally = tally;
        self
    }
}
