//! The parts a message consists of, and how they are stored.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use std::fmt;

use super::{
    Audio, Document, Format, Hidden, Image, Provenance, Reasoning, Text, ToolCall, ToolResult,
};

/// A piece of a [`Message`](super::Message).
///
/// A part that a provider cannot express is an error before anything is sent,
/// with these exceptions, which are left out in silence because they only make
/// sense where they came from: [`Reasoning`](Part::Reasoning) and
/// [`Other`](Part::Other) of another provider, reasoning and citations that a
/// format cannot take back, and [`CachePoint`](Part::CachePoint) where caching is
/// automatic. Blank texts, which Anthropic refuses, are left out there too.
///
/// Media that a model made are part of its message. No format takes another provider's back, so
/// that images are left out for every provider but their own, and [`Audio`](Part::Audio) goes as
/// its transcript. To show an image to another model, put it into a user message.
///
/// Parts of a kind that a later version stored are loaded as
/// [`Other`](Part::Other) without provenance, and stored again as they were.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", remote = "Self")]
#[non_exhaustive]
pub enum Part {
    /// Text.
    Text(Text),
    /// An image: one to look at in a user message, or one that the model made in its own (Chat
    /// Completions, in `message.images` of OpenRouter's page "Image Generation" and of LiteLLM, or
    /// as a part of the content).
    Image(Image),
    /// Speech that the model answered with.
    Audio(Audio),
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
    /// A block of one provider's own kind (a server-side search and its result), kept as it came and sent back to that provider only.
    Other {
        /// Who sent it, or whom it is for. `None` for what a later version stored, which goes
        /// nowhere.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provenance: Option<Provenance>,
        /// The block, as it came.
        value: Value,
    },
}

/// The kinds as they are stored.
const KINDS: &[&str] = &[
    "text",
    "image",
    "audio",
    "document",
    "refusal",
    "reasoning",
    "tool_call",
    "tool_result",
    "cache_point",
    "other",
];

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // Of a kind unknown here; see the type.
            Self::Other { provenance: None, value } if is_unknown(value) => {
                value.serialize(serializer)
            }
            // The derived one, for `remote` makes it a function of its own.
            part => Self::serialize(part, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if is_unknown(&value) {
            return Ok(Self::Other { provenance: None, value });
        }
        Self::deserialize(value).map_err(de::Error::custom)
    }
}

/// Whether this has the form of a stored part, and no kind that is known here.
fn is_unknown(value: &Value) -> bool {
    match value {
        Value::String(kind) => !KINDS.contains(&kind.as_str()),
        Value::Object(part) => {
            part.len() == 1 && part.keys().all(|kind| !KINDS.contains(&kind.as_str()))
        }
        _ => false,
    }
}

impl Part {
    /// A text without citations.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into().into())
    }

    /// A block in a provider's own format, for every provider that speaks it, such as audio for
    /// Chat Completions.
    pub fn native(format: Format, value: Value) -> Self {
        Self::Other { provenance: Some(Provenance::any(format)), value }
    }

    /// The text of a text part.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.text),
            _ => None,
        }
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            Self::Refusal(text) => f.debug_tuple("Refusal").field(&Hidden(text.len())).finish(),
            Self::Image(image) => image.fmt(f),
            Self::Audio(audio) => audio.fmt(f),
            Self::Document(document) => document.fmt(f),
            Self::Reasoning(reasoning) => reasoning.fmt(f),
            Self::ToolCall(call) => call.fmt(f),
            Self::ToolResult(result) => result.fmt(f),
            Self::CachePoint(ttl) => f.debug_tuple("CachePoint").field(ttl).finish(),
            Self::Other { provenance, value } => f
                .debug_struct("Other")
                .field("provenance", provenance)
                .field("type", &value.get("type").and_then(Value::as_str))
                .finish_non_exhaustive(),
        }
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
        Self::text(text)
    }
}

impl From<String> for Part {
    fn from(text: String) -> Self {
        Self::text(text)
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

part_from!(Text, Image, Audio, Document, Reasoning, ToolCall, ToolResult);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_kind_is_stored_and_loaded() {
        let other = json!({"type": "x"});
        let parts = [
            Part::text("a"),
            Image::from_url("u").into(),
            Audio { transcript: "a".into(), ..Audio::default() }.into(),
            Document::from_url("u").into(),
            Part::Refusal("no".into()),
            Reasoning::new("hm").into(),
            ToolCall::new("c", "f", "{}").into(),
            ToolResult::new("c", "x").into(),
            Part::CachePoint(CacheTtl::Short),
            Part::native(Format::OpenAiChat, other.clone()),
            Part::Other { provenance: None, value: other },
        ];
        for part in parts {
            let stored = serde_json::to_value(&part).unwrap();
            let kind = stored.as_object().unwrap().keys().next().unwrap();
            assert!(KINDS.contains(&kind.as_str()) || kind == "type", "{kind}");
            assert_eq!(serde_json::from_value::<Part>(stored).unwrap(), part);
        }
        assert_eq!(serde_json::to_value(Part::text("a")).unwrap(), json!({"text": "a"}));
    }

    #[test]
    fn kinds_of_later_versions_are_kept_and_nonsense_is_refused() {
        for stored in [json!({"hologram": {"data": [1]}}), json!("separator")] {
            let part: Part = serde_json::from_value(stored.clone()).unwrap();
            assert_eq!(part, Part::Other { provenance: None, value: stored.clone() });
            assert_eq!(serde_json::to_value(&part).unwrap(), stored);
        }
        for stored in [json!(1), json!({}), json!({"image": 1}), json!({"a": 1, "b": 2})] {
            assert!(serde_json::from_value::<Part>(stored.clone()).is_err(), "{stored}");
        }
    }
}
