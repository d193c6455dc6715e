//! Who sent a part of an answer.

use serde::{Deserialize, Serialize};

use super::Provider;

/// A wire format, by what it is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Format {
    /// OpenAI's Chat Completions, and its text completions for the models that have no
    /// others: `POST /chat/completions`, `POST /completions` below the base URL.
    #[serde(rename = "openai_chat")]
    OpenAiChat,
    /// Anthropic's Messages: `POST /v1/messages` below the base URL.
    #[serde(rename = "anthropic")]
    Anthropic,
}

/// The provider that sent something, and the wire format it used.
///
/// What only its sender understands (encrypted reasoning, signatures, blocks of its own) goes
/// back to the same provider in the same format, and to no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Provenance {
    /// The provider. `None` stands for every provider that speaks the format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// The wire format.
    pub format: Format,
}

impl Provenance {
    /// Sent by this provider in this format.
    pub fn new(provider: impl Into<Provider>, format: Format) -> Self {
        Self { provider: Some(provider.into()), format }
    }

    /// For every provider that speaks the format, such as a block that the caller wrote.
    pub const fn any(format: Format) -> Self {
        Self { provider: None, format }
    }

    /// Sent in this format by the provider that invented it; see [`sent_by`](Self::sent_by).
    pub(crate) const fn founder(format: Format) -> Self {
        let provider = match format {
            Format::OpenAiChat => Provider::OPENAI,
            Format::Anthropic => Provider::ANTHROPIC,
        };
        Self { provider: Some(provider), format }
    }

    /// Names the provider that really sent it.
    pub(crate) fn sent_by(&mut self, provider: &Provider) {
        self.provider = Some(provider.clone());
    }

    /// Whether a request to `provider` in `format` may hold what this came with.
    pub(crate) fn allows(&self, provider: &Provider, format: Format) -> bool {
        self.format == format && self.provider.as_ref().is_none_or(|sender| sender == provider)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_allows_its_own_provider_and_format_only() {
        let groq = Provenance::new("groq", Format::OpenAiChat);
        let any = Provenance::any(Format::OpenAiChat);
        for (provenance, provider, format, expected) in [
            (&groq, "groq", Format::OpenAiChat, true),
            (&groq, "groq", Format::Anthropic, false),
            (&groq, "openai", Format::OpenAiChat, false),
            (&any, "openai", Format::OpenAiChat, true),
            (&any, "anthropic", Format::Anthropic, false),
        ] {
            assert_eq!(provenance.allows(&Provider::new(provider), format), expected);
        }
    }

    #[test]
    fn it_is_stored_by_names() {
        for (provenance, stored) in [
            (
                Provenance::new("groq", Format::OpenAiChat),
                json!({"provider": "groq", "format": "openai_chat"}),
            ),
            (Provenance::any(Format::Anthropic), json!({"format": "anthropic"})),
        ] {
            assert_eq!(serde_json::to_value(&provenance).unwrap(), stored);
            assert_eq!(serde_json::from_value::<Provenance>(stored).unwrap(), provenance);
        }
    }
}
