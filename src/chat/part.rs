use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

use super::{Document, Hidden, Image, ToolCall, ToolResult};

/// A piece of a [`Message`](super::Message).
///
/// A part that a provider cannot express is an error before anything is sent,
/// with these exceptions, which are left out in silence because they only make
/// sense where they came from: [`Reasoning`](Part::Reasoning) and
/// [`Other`](Part::Other) of another provider, and
/// [`CachePoint`](Part::CachePoint) where caching is automatic.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Part {
    /// Text.
    Text(String),
    /// An image.
    Image(Image),
    /// A document, such as a PDF.
    Document(Document),
    /// The words in which a model declined to answer.
    Refusal(String),
    /// What a model thought before it answered.
    Reasoning(Reasoning),
    /// A tool the model wants called.
    ToolCall(ToolCall),
    /// What a tool answered.
    ToolResult(ToolResult),
    /// Everything up to here, system and tools included, may be cached by the
    /// provider for later requests that begin the same.
    CachePoint(CacheTtl),
    /// A block of one provider's own kind (a server-side search and its result,
    /// say), kept as it came and sent back to that provider only.
    Other {
        /// The [name](crate::Provider::name) of the provider it came from.
        provider: String,
        /// The block, as it came.
        value: Value,
    },
}

impl Part {
    /// The text of a text part.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.debug_tuple("Text").field(&Hidden(text.len())).finish(),
            Self::Refusal(text) => f.debug_tuple("Refusal").field(&Hidden(text.len())).finish(),
            Self::Image(image) => image.fmt(f),
            Self::Document(document) => document.fmt(f),
            Self::Reasoning(reasoning) => reasoning.fmt(f),
            Self::ToolCall(call) => call.fmt(f),
            Self::ToolResult(result) => result.fmt(f),
            Self::CachePoint(ttl) => f.debug_tuple("CachePoint").field(ttl).finish(),
            Self::Other { provider, value } => f
                .debug_struct("Other")
                .field("provider", provider)
                .field("type", &value.get("type").and_then(Value::as_str))
                .finish_non_exhaustive(),
        }
    }
}

/// What a model thought before it answered.
///
/// Keep it in the conversation as it came: providers that sign or encrypt
/// reasoning require it back, unchanged, when tools are used.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reasoning {
    /// The reasoning, or a summary of it; empty where the provider hides it.
    #[serde(default)]
    pub text: String,
    /// The provider's signature over the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Reasoning that only the provider can read (Anthropic's redacted
    /// thinking, OpenAI's encrypted content).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<String>,
    /// The provider's id for this piece of reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl Reasoning {
    /// Reasoning in plain text.
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
            .finish()
    }
}

/// How long a provider keeps a [`Part::CachePoint`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CacheTtl {
    /// The provider's default, five minutes at Anthropic.
    #[default]
    Short,
    /// One hour, where the provider offers it; writing costs more.
    OneHour,
}

impl From<&str> for Part {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Part {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

macro_rules! part_from {
    ($($kind:ident),*) => {$(
        impl From<$kind> for Part {
            fn from(value: $kind) -> Self {
                Self::$kind(value)
            }
        }
    )*};
}

part_from!(Image, Document, Reasoning, ToolCall, ToolResult);
