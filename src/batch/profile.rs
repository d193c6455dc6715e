//! `BatchProfile`: how a provider's batches are called, and what they may contain.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How a provider's batches are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BatchFormat {
    /// Anthropic's: the requests go into `POST /v1/messages/batches`.
    Anthropic,
    /// Gemini's: the requests go into `POST /models/{model}:batchGenerateContent`, or into a file if
    /// they are many.
    Gemini,
    /// Mistral's: a file of requests, and `POST /batch/jobs`.
    Mistral,
    /// OpenAI's: a file of requests, and `POST /batches`.
    #[serde(rename = "openai")]
    OpenAi,
    /// Together's: like OpenAI's, with another endpoint for the upload.
    Together,
}

impl BatchFormat {
    /// Returns the format's name in profiles.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Mistral => "mistral",
            Self::OpenAi => "openai",
            Self::Together => "together",
        }
    }
}

impl fmt::Display for BatchFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a provider's batches are called, what one may contain, and what it costs.
///
/// It belongs to a provider's [profile](crate::provider::Profile::batches).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BatchProfile {
    /// How they are called.
    pub format: BatchFormat,
    /// The most requests of one batch.
    pub max_requests: u32,
    /// The most bytes of one batch, as sent.
    pub max_bytes: u64,
    /// The price of a batch, in percent of the standard price, where the [price
    /// table](crate::Prices) lists no price for batches. Default: 50.
    #[serde(default = "half")]
    pub price_percent: u8,
    /// Whether it takes requests in OpenAI's Responses format. Default: `false`.
    #[serde(default)]
    pub responses: bool,
    /// Whether it takes embeddings. Default: `false`.
    #[serde(default)]
    pub embeddings: bool,
    /// The most requests that go into the job itself, in a format that also takes a file: Gemini's.
    /// Default: 100.
    #[serde(default = "inline_requests")]
    pub inline_requests: u32,
    /// The most bytes of such a job. Default: 20,000,000.
    #[serde(default = "inline_bytes")]
    pub inline_bytes: u64,
}

fn half() -> u8 {
    50
}

/// The results of such a job come in one response, twice: in `response` and in `metadata.output`. Those
/// of 100 requests fit into a response of 16 MiB if each answer has up to 80 KiB.
const fn inline_requests() -> u32 {
    100
}

/// "keep the total request size under 20MB" (ai.google.dev/gemini-api/docs/batch-api).
const fn inline_bytes() -> u64 {
    20_000_000
}

impl BatchProfile {
    /// Makes a profile for chats, at half the price.
    pub const fn new(format: BatchFormat, max_requests: u32, max_bytes: u64) -> Self {
        Self {
            format,
            max_requests,
            max_bytes,
            price_percent: 50,
            responses: false,
            embeddings: false,
            inline_requests: inline_requests(),
            inline_bytes: inline_bytes(),
        }
    }

    /// Says that batches take requests in OpenAI's Responses format. Default: they do not.
    #[must_use]
    pub const fn responses(mut self) -> Self {
        self.responses = true;
        self
    }

    /// Says that batches take embeddings. Default: they do not.
    #[must_use]
    pub const fn embeddings(mut self) -> Self {
        self.embeddings = true;
        self
    }

    /// Sets the most requests and the most bytes that go into the job itself. Larger jobs go through a
    /// file. Only Gemini's format has both ways. Default: 100 requests and 20,000,000 bytes.
    #[must_use]
    pub const fn inline(mut self, requests: u32, bytes: u64) -> Self {
        self.inline_requests = requests;
        self.inline_bytes = bytes;
        self
    }

    /// Sets the price of a batch, in percent of the standard price, where the price table lists no
    /// price for batches. Default: 50.
    #[must_use]
    pub const fn price_percent(mut self, percent: u8) -> Self {
        self.price_percent = percent;
        self
    }
}
