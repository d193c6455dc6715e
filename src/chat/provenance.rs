//! Which provider sent a part of an answer, and in which format.

use serde::{Deserialize, Serialize};

use super::Provider;

/// The wire format of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Format {
    /// OpenAI's Chat Completions, and its text completions for models without chat:
    /// `POST /chat/completions` and `POST /completions` below the base URL.
    #[serde(rename = "openai_chat")]
    OpenAiChat,
    /// OpenAI's Responses: `POST /responses` below the base URL.
    #[serde(rename = "openai_responses")]
    OpenAiResponses,
    /// Anthropic's Messages: `POST /v1/messages` below the base URL.
    #[serde(rename = "anthropic")]
    Anthropic,
    /// Amazon Bedrock's Converse: `POST /model/{model}/converse` below the base URL. Needs the
    /// feature `bedrock`.
    #[serde(rename = "bedrock")]
    Bedrock,
    /// Cohere's Chat, version 2: `POST /v2/chat` below the base URL.
    #[serde(rename = "cohere")]
    Cohere,
    /// Google's Gemini: `POST /models/{model}:generateContent` below the base URL.
    #[serde(rename = "gemini")]
    Gemini,
    /// Google's Vertex AI: Gemini's or Anthropic's format, whichever the model speaks, at
    /// `POST /publishers/{publisher}/models/{model}:…` below a base URL with project and location.
    /// Parts of answers have the format that the model spoke, [`Gemini`](Self::Gemini) or
    /// [`Anthropic`](Self::Anthropic).
    #[serde(rename = "vertex")]
    Vertex,
    /// Ollama's own: `POST /api/chat` below the base URL.
    #[serde(rename = "ollama")]
    Ollama,
}

impl Format {
    /// Its name, as in stored profiles.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::OpenAiResponses => "openai_responses",
            Self::Anthropic => "anthropic",
            Self::Bedrock => "bedrock",
            Self::Cohere => "cohere",
            Self::Gemini => "gemini",
            Self::Vertex => "vertex",
            Self::Ollama => "ollama",
        }
    }
}

/// The provider that sent something, and the wire format it used.
///
/// Only the sender understands its encrypted reasoning, signatures and special blocks. They go back
/// to the same provider in the same format, and to no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Provenance {
    /// The provider. `None` means every provider that uses the format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// The wire format.
    pub format: Format,
}

impl Provenance {
    /// Creates the provenance of content that this provider sent in this format.
    pub fn new(provider: impl Into<Provider>, format: Format) -> Self {
        Self { provider: Some(provider.into()), format }
    }

    /// Creates a provenance that matches every provider of the format, for blocks that the caller
    /// wrote.
    pub const fn any(format: Format) -> Self {
        Self { provider: None, format }
    }

    /// Creates a provenance with the format's inventor as provider, until
    /// [`set_sender`](Self::set_sender) replaces it with the actual one.
    pub(crate) const fn inventor(format: Format) -> Self {
        let provider = match format {
            Format::OpenAiChat | Format::OpenAiResponses => Provider::OPENAI,
            Format::Anthropic => Provider::ANTHROPIC,
            Format::Cohere => Provider::COHERE,
            Format::Gemini => Provider::GEMINI,
            Format::Bedrock => Provider::BEDROCK,
            Format::Vertex => Provider::VERTEX,
            Format::Ollama => Provider::OLLAMA,
        };
        Self { provider: Some(provider), format }
    }

    /// Records the provider that actually sent the content.
    pub(crate) fn set_sender(&mut self, provider: &Provider) {
        self.provider = Some(provider.clone());
    }

    /// Returns true if a request to `provider` in `format` may include the content.
    pub(crate) fn allows(&self, provider: &Provider, format: Format) -> bool {
        self.format == format && self.provider.as_ref().is_none_or(|sender| sender == provider)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn content_goes_back_only_to_its_own_provider_and_format() {
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
    fn provenance_is_stored_by_name() {
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
