//! Who serves the models.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// Who serves the models.
///
/// A server of one's own or another vendor's that speaks a provider's format is
/// reached by that provider with another
/// [base URL](crate::ClientBuilder::base_url).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Provider {
    /// OpenAI's Chat Completions, and its text completions for the models that
    /// have no others. Key in `OPENAI_API_KEY`.
    #[serde(rename = "openai")]
    OpenAi,
    /// Anthropic's Messages. Key in `ANTHROPIC_API_KEY`.
    Anthropic,
}

impl Provider {
    /// Its name in the OpenTelemetry GenAI conventions (`gen_ai.provider.name`).
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Provider {
    type Err = Error;

    /// Reads a provider's [name](Provider::name).
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) for a name that is not known.
    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "openai" => Ok(Self::OpenAi),
            "anthropic" => Ok(Self::Anthropic),
            _ => Err(Error::new(
                ErrorKind::Configuration,
                format!("there is no provider {name:?}; it is \"openai\" or \"anthropic\""),
            )),
        }
    }
}
