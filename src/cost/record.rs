//! `CallRecord`: one attempt that was or may have been billed.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::Cost;
use super::scope::Scope;
use crate::tags::Tags;
use crate::time::rfc3339;
use crate::usage::Usage;

/// One attempt that was billed, or may have been. It holds nothing of the prompt or the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CallRecord {
    /// When it ended. Stored as RFC 3339 text in UTC, to the millisecond.
    #[serde(with = "rfc3339::text")]
    pub at: SystemTime,
    /// The provider's id, such as `openai` or `groq`.
    pub provider: String,
    /// The requested model.
    pub model: String,
    /// The model that answered, by the provider's name for it; empty if it did not say.
    #[serde(default)]
    pub served_model: String,
    /// The service tier that the provider reports, such as `priority`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// The caller's tags: names and values.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The charged usage: what the provider reported, and what
    /// [`UnreportedUsage`](crate::UnreportedUsage) says for the rest. Its
    /// [source](Usage::source) says which part was reported.
    pub usage: Usage,
    /// What it cost; `None` if no price is known.
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
    /// With a complete answer.
    Answered,
    /// With an answer that broke off or could not be decoded. It may be billed in full; see
    /// [`UnreportedUsage`](crate::UnreportedUsage).
    Broken,
    /// Without an answer, although the request was sent. Whether it is billed is not known.
    Unanswered,
    /// It was made elsewhere, and the program reported its usage.
    Tracked,
}

impl CallOutcome {
    /// The name under which it is stored.
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

/// The name of a service tier, which is usually one of a few.
pub(super) type Tier = Cow<'static, str>;

/// The name of a service tier.
pub(super) fn tier(name: &str) -> Tier {
    let known = ["default", "standard", "priority", "flex", "auto", "scale", "on_demand"];
    match known.into_iter().find(|known| *known == name) {
        Some(known) => Tier::Borrowed(known),
        None => Tier::Owned(name.to_owned()),
    }
}

/// A record as the tracker keeps it: it shares names and tags with the call.
#[derive(Debug, Clone)]
pub(super) struct KeptRecord {
    pub(super) at: SystemTime,
    /// The provider and the model.
    pub(super) scope: Arc<Scope>,
    /// `None` if it is the requested one, and empty if unknown.
    pub(super) served_model: Option<String>,
    pub(super) service_tier: Option<Tier>,
    pub(super) tags: Tags,
    pub(super) usage: Usage,
    pub(super) cost: Option<Cost>,
    pub(super) outcome: CallOutcome,
}

impl KeptRecord {
    pub(super) fn shown(&self) -> CallRecord {
        let Scope { provider, model, .. } = &*self.scope;
        CallRecord {
            at: self.at,
            provider: provider.clone(),
            model: model.clone(),
            served_model: self.served_model.as_ref().unwrap_or(model).clone(),
            service_tier: self.service_tier.clone().map(Tier::into_owned),
            tags: BTreeMap::clone(&self.tags),
            usage: self.usage,
            cost: self.cost,
            outcome: self.outcome,
        }
    }
}

#[cfg(test)]
impl From<CallRecord> for KeptRecord {
    fn from(record: CallRecord) -> Self {
        Self {
            at: record.at,
            scope: Arc::new(Scope::named(record.provider, None, record.model)),
            served_model: Some(record.served_model),
            service_tier: record.service_tier.map(Tier::Owned),
            tags: record.tags.into(),
            usage: record.usage,
            cost: record.cost,
            outcome: record.outcome,
        }
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
