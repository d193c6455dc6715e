//! JSON values of a bounded size.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::cell::Cell;
use std::fmt;

/// Metadata of an answer: counts, names, an error.
pub(in crate::wire) type Detail = Bounded<10_000>;

/// What the model wrote. No answer has more values than this: the longest possible today, 128,000
/// tokens, holds fewer.
pub(in crate::wire) type Content = Bounded<250_000>;

/// A JSON value made of at most `MAX` values.
///
/// A parsed value takes up to a hundred times the memory of its text, so a small body could fill a
/// large memory. A value beyond the limit is skipped and counts as null, because it must not take
/// the rest of the body with it.
#[derive(Debug, Default)]
pub(in crate::wire) struct Bounded<const MAX: usize> {
    pub(in crate::wire) value: Value,
    /// True if the value exceeded the limit.
    pub(in crate::wire) exceeded: bool,
}

impl<'de, const MAX: usize> Deserialize<'de> for Bounded<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let left = Cell::new(Some(MAX));
        let value = Limited(&left).deserialize(deserializer)?;
        Ok(match left.get() {
            Some(_) => Self { value, exceeded: false },
            None => Self { value: Value::Null, exceeded: true },
        })
    }
}

/// Deserializes a value and counts down. `None` means that the value exceeded the limit.
#[derive(Clone, Copy)]
struct Limited<'a>(&'a Cell<Option<usize>>);

impl Limited<'_> {
    fn count(self) -> bool {
        self.0.set(self.0.get().and_then(|left| left.checked_sub(1)));
        self.0.get().is_some()
    }
}

impl<'de> DeserializeSeed<'de> for Limited<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Limited<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut kept = Vec::new();
        while self.0.get().is_some() {
            match items.next_element_seed(self)? {
                Some(item) if self.count() => kept.push(item),
                Some(_) => {}
                None => return Ok(Value::Array(kept)),
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        while self.0.get().is_some() {
            let Some(name) = members.next_key()? else { return Ok(Value::Object(kept)) };
            let member = members.next_value_seed(self)?;
            if self.count() {
                kept.insert(name, member);
            }
        }
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn small_values_are_kept_and_large_ones_skipped() {
        type Ten = Bounded<10>;
        for value in [
            json!(null),
            json!([1, -2, 0.5, "x", true, null]),
            json!({"b": {"c": [[]]}, "a": ""}),
            json!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ] {
            let read: Ten = serde_json::from_value(value.clone()).unwrap();
            assert_eq!((read.value, read.exceeded), (value, false));
        }
        for text in [
            "[0,1,2,3,4,5,6,7,8,9,10]",
            "[[0,1,2,3,4,5],{\"a\":[0,1,2]},5,[6,7]]",
            "{\"a\":{\"b\":[[],[],[],[],[],[],[],[],[],[]]},\"c\":[{}]}",
        ] {
            let read: Ten = serde_json::from_str(text).unwrap();
            assert_eq!((read.value, read.exceeded), (Value::Null, true), "{text}");
        }
        let twice: Ten = serde_json::from_str(r#"{"a": 1, "a": 2}"#).unwrap();
        assert_eq!(twice.value, json!({"a": 2}));
    }
}
