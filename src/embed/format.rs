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
    /// Mistral's: `POST /embeddings`, with `output_dimension` in place of `dimensions`.
    Mistral,
    /// OpenAI's own: `POST /embeddings`, with the vectors in base64.
    #[serde(rename = "openai")]
    OpenAi,
    /// That of servers that follow OpenAI: like [`OpenAi`](Self::OpenAi), with the vectors as JSON
    /// numbers, because not every server knows `encoding_format`. Both forms are read.
    #[serde(rename = "openai_compatible")]
    OpenAiCompatible,
    /// Perplexity's: `POST /v1/embeddings`, with components of one byte.
    Perplexity,
}

impl EmbeddingFormat {
    /// Returns the format's name in profiles.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mistral => "mistral",
            Self::OpenAi => "openai",
            Self::OpenAiCompatible => "openai_compatible",
            Self::Perplexity => "perplexity",
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
        for name in ["mistral", "openai", "openai_compatible", "perplexity"] {
            let stored = format!("\"{name}\"");
            let format: EmbeddingFormat = serde_json::from_str(&stored).unwrap();
            assert_eq!((format.as_str(), serde_json::to_string(&format).unwrap()), (name, stored));
        }
    }
}
