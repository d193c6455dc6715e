//! State of a provider that this crate does not model.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

use super::Provenance;

/// Members of a message or tool call that this crate does not model, kept unchanged.
///
/// Many providers keep their state in such members and reject the next turn without them:
/// `extra_content.google.thought_signature` of Gemini 3, `reasoning_details` of OpenRouter,
/// `thinking_blocks` of LiteLLM. The crate sends them back unchanged to the provider that sent
/// them, and to no other. It drops members that are null or empty.
///
/// `Debug` shows only the names of the members.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Opaque {
    /// The provider and format they came from.
    #[serde(flatten)]
    pub provenance: Provenance,
    /// The members by name. Members from inside a tool call's `function` are in an object called
    /// `function`.
    pub members: Map<String, Value>,
}

impl Opaque {
    /// Creates a set of members that go back to this sender.
    pub fn new(provenance: Provenance, members: Map<String, Value>) -> Self {
        Self { provenance, members }
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opaque")
            .field("provider", &self.provenance.provider)
            .field("members", &self.members.keys().collect::<Vec<_>>())
            .finish()
    }
}
