//! What a provider sent that this crate does not model.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

use super::Provenance;

/// Members of a message or of a tool call that this crate does not model, kept as they came.
///
/// Many providers keep their own state in such members and refuse the next turn without it:
/// `extra_content.google.thought_signature` of Gemini 3, `reasoning_details` of OpenRouter,
/// `thinking_blocks` of LiteLLM. They go back unchanged to the provider that sent them, and to
/// no other. Members that are null or empty are not kept.
///
/// `Debug` shows their names only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Opaque {
    /// Who sent them.
    #[serde(flatten)]
    pub provenance: Provenance,
    /// The members by their names. Those inside the `function` of a tool call are in an object
    /// of that name.
    pub members: Map<String, Value>,
}

impl Opaque {
    /// Members that this sender wants back.
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
