//! The record of one billed attempt, as the books keep it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use super::Cost;
use crate::time::rfc3339;
use crate::usage::Usage;

/// One attempt that was billed, or may have been, as it is kept in the books. Nothing of
/// what was asked and answered is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CallRecord {
    /// When it ended. Stored as RFC 3339 text in UTC, to the millisecond.
    #[serde(with = "rfc3339::text")]
    pub at: SystemTime,
    /// The provider's id, such as `openai` or `groq`.
    pub provider: String,
    /// The model, as it was asked for.
    pub model: String,
    /// The model that answered, as the provider calls it; empty where it has not said.
    #[serde(default)]
    pub served_model: String,
    /// The service tier that the provider says it used, such as `priority`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// What the caller has labelled the call with: names and values.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// What was charged: the usage that the provider reported, and for what it did not
    /// report what [`UnreportedUsage`](crate::UnreportedUsage) says. Its [source](Usage::source) says
    /// which of it was reported.
    pub usage: Usage,
    /// What it cost; `None` where no price is known.
    #[serde(default)]
    pub cost: Option<Cost>,
    /// How it ended.
    pub outcome: CallOutcome,
}

/// How a [recorded](CallRecord) call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CallOutcome {
    /// With a whole answer.
    Answered,
    /// With an answer that broke off or was not understood. It may be billed in full; see
    /// [`UnreportedUsage`](crate::UnreportedUsage).
    Broken,
    /// Without an answer, though the request was sent: whether it is billed is not known.
    Unanswered,
    /// It was made elsewhere, and the program told of its usage.
    Tracked,
}

impl CallOutcome {
    /// Its name, as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Broken => "broken",
            Self::Unanswered => "unanswered",
            Self::Tracked => "tracked",
        }
    }
}

impl fmt::Display for CallOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_stored_by_their_names() {
        for outcome in [
            CallOutcome::Answered,
            CallOutcome::Broken,
            CallOutcome::Unanswered,
            CallOutcome::Tracked,
        ] {
            let stored = serde_json::to_string(&outcome).unwrap();
            assert_eq!(stored, format!("\"{}\"", outcome.as_str()));
            assert_eq!(serde_json::from_str::<CallOutcome>(&stored).unwrap(), outcome);
        }
    }
}
