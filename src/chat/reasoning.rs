//! The reasoning of a model, with what the provider needs back.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

use super::{Hidden, Provenance};

/// The reasoning of a model before its answer.
///
/// Keep it unchanged in the conversation. When tools are used, providers that sign or encrypt
/// reasoning require it back, and so do some that do neither. It goes back only to the provider
/// that sent it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reasoning {
    /// The reasoning or a summary of it; empty if the provider hides it.
    #[serde(default)]
    pub text: String,
    /// The provider's signature over the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Reasoning that only the provider can read: Anthropic's redacted thinking, OpenAI's encrypted
    /// content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<String>,
    /// The provider's id for this piece of reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The provider and format it came from. Without it, the reasoning is never sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// The member of the message that held it. Servers of the same format use different ones
    /// (`reasoning_content`, `reasoning`), and it goes back in the same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Members of the block that this crate does not model.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

impl Reasoning {
    /// Creates reasoning from plain text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

impl fmt::Debug for Reasoning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reasoning")
            .field("text", &Hidden(self.text.len()))
            .field("signed", &self.signature.is_some())
            .field("encrypted", &self.encrypted.is_some())
            .field("provenance", &self.provenance)
            .finish()
    }
}
