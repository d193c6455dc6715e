//! The parts of a message, and how they are stored.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use std::fmt;

use super::{
    Audio, Document, Format, Hidden, Image, Provenance, Reasoning, Text, ToolCall, ToolResult,
};

/// One part of a [`Message`](super::Message).
///
/// If a provider's format cannot express a part, the call fails before anything is sent. Some parts
/// only make sense where they came from, so the crate leaves them out silently instead:
/// [`Reasoning`](Part::Reasoning) and [`Other`](Part::Other) from another provider, reasoning and
/// citations that the format cannot send back, and [`CachePoint`](Part::CachePoint) where caching
/// is automatic. It also leaves out blank texts for Anthropic, which rejects them.
///
/// Images and audio that a model generated stay in its message. No format accepts another
/// provider's. So the crate sends generated images back only to their own provider, and
/// [`Audio`](Part::Audio) to any other provider as its transcript. To show an image to another
/// model, put it into a user message.
///
/// A kind of part that only a later version of this crate knows loads as [`Other`](Part::Other)
/// without provenance, and is stored again unchanged.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", remote = "Self")]
#[non_exhaustive]
pub enum Part {
    /// Text.
    Text(Text),
    /// An image. In a user message, the model looks at it. In an assistant message, the model
    /// generated it (Chat Completions only: OpenRouter and LiteLLM send it in `message.images`, see
    /// OpenRouter's page "Image Generation"; others as a part of the content).
    Image(Image),
    /// Speech that the model generated.
    Audio(Audio),
    /// A document, such as a PDF.
    Document(Document),
    /// The text in which a model declined to answer.
    Refusal(String),
    /// The reasoning of a model.
    Reasoning(Reasoning),
    /// A tool call that the model made.
    ToolCall(ToolCall),
    /// The result of a tool call.
    ToolResult(ToolResult),
    /// A cache breakpoint: the provider may cache everything up to here, system message and tools
    /// included, for later requests with the same prefix.
    CachePoint(CacheTtl),
    /// A block that only one provider knows (a server-side search and its result). It is kept
    /// unchanged and sent back only to that provider.
    Other {
        /// The provider and format it came from, or is meant for. `None` for a part that a later
        /// version of this crate stored; such a part is never sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provenance: Option<Provenance>,
        /// The block, unchanged.
        value: Value,
    },
}

/// The stored names of the known kinds.
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
            // A kind from a later version of this crate; see the type's docs.
            Self::Other { provenance: None, value } if is_unknown(value) => {
                value.serialize(serializer)
            }
            // The derived implementation: `remote` makes it an inherent function.
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

/// Returns true if `value` looks like a stored part of an unknown kind.
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
    /// Creates a text part without citations.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into().into())
    }

    /// Creates a block in a wire format, for every provider that uses it, such as audio for Chat
    /// Completions.
    pub fn native(format: Format, value: Value) -> Self {
        Self::Other { provenance: Some(Provenance::any(format)), value }
    }

    /// Returns the text of a text part.
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
    /// The provider's default; five minutes at Anthropic.
    #[default]
    Short,
    /// One hour, where the provider offers it. Writing to this cache costs more.
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
    fn every_kind_survives_storage() {
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
    fn unknown_kinds_are_kept_and_malformed_parts_are_rejected() {
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
