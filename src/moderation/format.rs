//! `ModerationFormat`: how a provider's moderation is called.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How a provider's endpoint for moderation is called.
///
/// It belongs to a provider's [profile](crate::provider::Profile::moderation), beside the format of
/// its chats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModerationFormat {
    /// Mistral's: `POST /moderations` for texts, `POST /chat/moderations` for conversations.
    Mistral,
    /// OpenAI's: `POST /moderations`, for texts and images.
    #[serde(rename = "openai")]
    OpenAi,
}

impl ModerationFormat {
    /// Returns the format's name in profiles.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mistral => "mistral",
            Self::OpenAi => "openai",
        }
    }

    /// Returns the model of a request that names none.
    ///
    /// - OpenAI: `omni-moderation-latest`, the API's own default (its OpenAPI file,
    ///   `CreateModerationRequest`).
    /// - Mistral: `mistral-moderation-2603`, because "`mistral-moderation-latest` still points to
    ///   the deprecated 2411 model" (docs.mistral.ai/studio/safety-moderation/quickstarts).
    pub fn default_model(self) -> &'static str {
        match self {
            Self::Mistral => "mistral-moderation-2603",
            Self::OpenAi => "omni-moderation-latest",
        }
    }
}

impl fmt::Display for ModerationFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::ModerationFormat;

    #[test]
    fn formats_are_stored_by_name() {
        for name in ["mistral", "openai"] {
            let stored = format!("\"{name}\"");
            let format: ModerationFormat = serde_json::from_str(&stored).unwrap();
            assert_eq!((format.as_str(), serde_json::to_string(&format).unwrap()), (name, stored));
        }
    }
}
