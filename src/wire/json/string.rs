//! Strings and counts from a body, borrowed where the text has them unescaped.

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

use crate::wire::json::bounded::Content;

/// A leniently parsed string, as [`json::text`](crate::wire::json::text) reads it: a string, or a
/// number in digits. Anything else is the empty string.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::wire) struct LooseString<'a>(pub(in crate::wire) Cow<'a, str>);

/// What a model wrote: a text, or some other value that a server sends instead.
#[derive(Debug)]
pub(in crate::wire) enum Written<'a> {
    Text(Cow<'a, str>),
    /// Boxed because it is rare.
    Value(Option<Box<Content>>),
}

/// A count or an index; none if it is not a whole number.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) struct Count(pub(in crate::wire) Option<u64>);

impl LooseString<'_> {
    /// Returns the string unless it is empty.
    pub(in crate::wire) fn text(self) -> Option<String> {
        Some(self.0.into_owned()).filter(|text| !text.is_empty())
    }
}

impl Default for Written<'_> {
    fn default() -> Self {
        Self::Value(None)
    }
}

impl<'de> Deserialize<'de> for LooseString<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseStringReader)
    }
}

impl<'de> Deserialize<'de> for Written<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WrittenReader)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountReader)
    }
}

struct LooseStringReader;

impl<'de> Visitor<'de> for LooseStringReader {
    type Value = LooseString<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<LooseString<'de>, E> {
        Ok(LooseString(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<LooseString<'de>, E> {
        Ok(LooseString(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<LooseString<'de>, E> {
        Ok(LooseString(Cow::Owned(number.to_string())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<LooseString<'de>, E> {
        Ok(LooseString(Cow::Owned(number.to_string())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<LooseString<'de>, E> {
        Ok(LooseString(Cow::Owned(Value::from(number).to_string())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<LooseString<'de>, E> {
        Ok(LooseString::default())
    }

    fn visit_unit<E>(self) -> Result<LooseString<'de>, E> {
        Ok(LooseString::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<LooseString<'de>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(LooseString::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<LooseString<'de>, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(LooseString::default())
    }
}

struct WrittenReader;

impl<'de> Visitor<'de> for WrittenReader {
    type Value = Written<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Written<'de>, E> {
        Ok(Written::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Written<'de>, E> {
        Ok(Written::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Written<'de>, E> {
        Ok(Written::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Written<'de>, E> {
        Ok(Written::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Written<'de>, E> {
        Ok(Written::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Written<'de>, E> {
        Ok(Written::default())
    }

    fn visit_unit<E>(self) -> Result<Written<'de>, E> {
        Ok(Written::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Written<'de>, A::Error> {
        let content = Content::deserialize(SeqAccessDeserializer::new(items))?;
        Ok(Written::Value(Some(content.into())))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Written<'de>, A::Error> {
        let content = Content::deserialize(MapAccessDeserializer::new(members))?;
        Ok(Written::Value(Some(content.into())))
    }
}

struct CountReader;

impl<'de> Visitor<'de> for CountReader {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Count, E> {
        Ok(Count(Some(number)))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_unit<E>(self) -> Result<Count, E> {
        Ok(Count(None))
    }

    fn visit_str<E>(self, text: &str) -> Result<Count, E> {
        // Some gateways write the index of a tool call as a text.
        Ok(Count(text.trim().parse().ok()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Count, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Count(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Count, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Count(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json;
    use serde_json::json;

    const VALUES: [&str; 13] = [
        "null",
        "true",
        "7",
        "-7",
        "0.5",
        "1e3",
        "18446744073709551616",
        "\"\"",
        "\"a\"",
        "\"\\u00e9\\n\"",
        "[\"a\", 1]",
        "[]",
        "{\"a\": [1]}",
    ];

    #[test]
    fn loose_strings_are_read_as_json_text_reads_them() {
        for text in VALUES {
            let LooseString(read) = serde_json::from_str(text).unwrap();
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(read, json::text(value).unwrap_or_default(), "{text}");
        }
    }

    #[test]
    fn unescaped_strings_are_borrowed() {
        let borrowed =
            |text| matches!(serde_json::from_str(text), Ok(LooseString(Cow::Borrowed(_))));
        assert!(borrowed("\"a\"") && !borrowed("\"\\n\""));
        assert!(matches!(serde_json::from_str("\"a\""), Ok(Written::Text(Cow::Borrowed("a")))));
    }

    #[test]
    fn what_a_model_wrote_is_a_text_or_a_value() {
        for text in VALUES {
            let value: Value = serde_json::from_str(text).unwrap();
            match serde_json::from_str(text).unwrap() {
                Written::Text(text) => assert_eq!(json!(text), value),
                Written::Value(Some(read)) => assert_eq!(read.value, value),
                Written::Value(None) => assert!(!value.is_array() && !value.is_object()),
            }
        }
    }

    #[test]
    fn only_whole_numbers_are_counts() {
        for text in VALUES {
            let Count(number) = serde_json::from_str(text).unwrap();
            assert_eq!(number, (text == "7").then_some(7), "{text}");
        }
        let Count(most) = serde_json::from_str("18446744073709551615").unwrap();
        assert_eq!(most, Some(u64::MAX));
    }
}
