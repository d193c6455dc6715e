//! Where an answer came from.

use serde::{Deserialize, Serialize};

/// Where an answer came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AnswerSource {
    /// The provider answered this call.
    #[default]
    Live,
    /// The [cache](crate::Cache) answered. Nothing was sent, and nothing was charged.
    Cached,
    /// A [recording](crate::Replay) answered. Nothing was sent, and nothing was charged.
    Replayed,
}

impl AnswerSource {
    pub(crate) fn is_live(&self) -> bool {
        *self == Self::Live
    }
}
