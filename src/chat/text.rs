//! A text part and its citations.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::fmt;

use super::{Hidden, Opaque};

/// A text and its citations.
///
/// A text alone is stored as a plain string.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Text {
    /// The text.
    pub text: String,
    /// The sources that the model cited, in the provider's own form: Anthropic's citations of
    /// documents and searches, Cohere's of documents and tool results, or OpenAI's annotations of a
    /// message. Anthropic, Cohere and OpenAI's Responses get their own back with the text they belong
    /// to.
    pub citations: Vec<Value>,
    /// What the text came with, for the provider that sent it: OpenAI's Responses give each message
    /// of an answer an id and a phase, and want them back.
    pub opaque: Option<Box<Opaque>>,
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self { text, citations: Vec::new(), opaque: None }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_tuple("Text");
        debug.field(&Hidden(self.text.len()));
        if !self.citations.is_empty() {
            debug.field(&format_args!("{} citations", self.citations.len()));
        }
        debug.finish()
    }
}

#[derive(Serialize)]
struct Cited<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    citations: &'a [Value],
    #[serde(skip_serializing_if = "Option::is_none")]
    opaque: Option<&'a Opaque>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Plain(String),
    Cited {
        text: String,
        #[serde(default)]
        citations: Vec<Value>,
        #[serde(default)]
        opaque: Option<Box<Opaque>>,
    },
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.citations.is_empty() && self.opaque.is_none() {
            return serializer.serialize_str(&self.text);
        }
        let Self { text, citations, opaque } = self;
        Cited { text, citations, opaque: opaque.as_deref() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Stored::deserialize(deserializer)? {
            Stored::Plain(text) => text.into(),
            Stored::Cited { text, citations, opaque } => Self { text, citations, opaque },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Format, Provenance};
    use serde_json::json;

    #[test]
    fn a_text_alone_is_stored_as_a_string() {
        let provenance = Provenance::new("openai", Format::OpenAiResponses);
        let members = [("id".to_owned(), json!("msg_1"))].into_iter().collect();
        let opaque = Some(Opaque::new(provenance, members).into());
        let named = Text { opaque, ..Text::from("a") };
        let cited = Text { citations: vec![json!({"url": "u"})], ..Text::from("a") };
        for (text, stored) in [
            (Text::from("a"), json!("a")),
            (cited, json!({"text": "a", "citations": [{"url": "u"}]})),
            (
                named,
                json!({"text": "a", "opaque": {"provider": "openai", "format": "openai_responses",
                    "members": {"id": "msg_1"}}}),
            ),
        ] {
            assert_eq!(serde_json::to_value(&text).unwrap(), stored);
            assert_eq!(serde_json::from_value::<Text>(stored).unwrap(), text);
        }
        assert_eq!(serde_json::from_value::<Text>(json!({"text": "a"})).unwrap(), Text::from("a"));
        assert!(serde_json::from_value::<Text>(json!(1)).is_err());
    }

    #[test]
    fn debug_shows_only_sizes() {
        let text = Text { citations: vec![json!("secret")], ..Text::from("secret") };
        assert_eq!(format!("{text:?}"), "Text([6 bytes], 1 citations)");
    }
}
