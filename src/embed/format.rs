//! `EmbeddingFormat`: how requests for embeddings are written and answers read.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How a provider's endpoint for embeddings is called.
///
/// It belongs to a provider's [profile](crate::provider::Profile::embeddings), beside the format of
/// its chats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EmbeddingFormat {
    /// Amazon Bedrock's: `POST /model/{model}/invoke`, with the body of Amazon's Titan or Cohere's
    /// Embed.
    Bedrock,
    /// Cohere's: `POST /v2/embed`. It needs an [input type](super::InputType).
    Cohere,
    /// Gemini's: `POST /models/{model}:batchEmbedContents`.
    Gemini,
    /// Jina's: like [`OpenAi`](Self::OpenAi), with tasks and truncation.
    Jina,
    /// Mistral's: `POST /embeddings`, with `output_dimension` in place of `dimensions`.
    Mistral,
    /// Ollama's: `POST /api/embed`.
    Ollama,
    /// OpenAI's own: `POST /embeddings`, with the vectors in base64.
    #[serde(rename = "openai")]
    OpenAi,
    /// For servers that follow OpenAI: like [`OpenAi`](Self::OpenAi), with the vectors as JSON
    /// numbers, because not every server knows `encoding_format`. Both forms are read.
    #[serde(rename = "openai_compatible")]
    OpenAiCompatible,
    /// Perplexity's: `POST /v1/embeddings`, with components of one byte.
    Perplexity,
    /// Vertex AI's: `POST /publishers/google/models/{model}:predict`, or `:embedContent`.
    Vertex,
    /// Voyage's: like [`OpenAi`](Self::OpenAi), with input types and truncation.
    Voyage,
}

impl EmbeddingFormat {
    /// Returns the format's name in profiles.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bedrock => "bedrock",
            Self::Cohere => "cohere",
            Self::Gemini => "gemini",
            Self::Jina => "jina",
            Self::Mistral => "mistral",
            Self::Ollama => "ollama",
            Self::OpenAi => "openai",
            Self::OpenAiCompatible => "openai_compatible",
            Self::Perplexity => "perplexity",
            Self::Vertex => "vertex",
            Self::Voyage => "voyage",
        }
    }
}

impl fmt::Display for EmbeddingFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::EmbeddingFormat;

    #[test]
    fn formats_are_stored_by_name() {
        for name in [
            "bedrock",
            "cohere",
            "gemini",
            "jina",
            "mistral",
            "ollama",
            "openai",
            "openai_compatible",
            "perplexity",
            "vertex",
            "voyage",
        ] {
            let stored = format!("\"{name}\"");
            let format: EmbeddingFormat = serde_json::from_str(&stored).unwrap();
            assert_eq!((format.as_str(), serde_json::to_string(&format).unwrap()), (name, stored));
        }
    }
}
