//! Reads vectors from JSON straight into floats.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

use crate::base64;

/// A vector, in the form that a body has it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::wire) enum Vector {
    /// An array of numbers. An element that is not a number is a NaN, so that
    /// [`Rows::push`](crate::embed::Rows::push) refuses it.
    Numbers(Vec<f32>),
    /// The bytes of a base64 string.
    Bytes(Vec<u8>),
    /// Anything else.
    Other(&'static str),
}

impl Vector {
    /// Returns the components. A string has them as little-endian `f32` (OpenAI's
    /// `encoding_format` `base64`; openai-python reads it with `numpy.frombuffer(…, "float32")`).
    pub(in crate::wire) fn floats(self) -> Result<Vec<f32>, &'static str> {
        match self {
            Self::Numbers(numbers) => Ok(numbers),
            Self::Bytes(bytes) => {
                let chunks = bytes.chunks_exact(4);
                if !chunks.remainder().is_empty() {
                    return Err("is not a whole number of 32-bit floats");
                }
                let float = |chunk: &[u8]| chunk.try_into().map(f32::from_le_bytes);
                Ok(chunks.map(|chunk| float(chunk).unwrap_or(f32::NAN)).collect())
            }
            Self::Other(what) => Err(what),
        }
    }

    /// Returns the components. A string has them as signed bytes.
    pub(in crate::wire) fn signed_bytes(self) -> Result<Vec<f32>, &'static str> {
        match self {
            Self::Bytes(bytes) => {
                Ok(bytes.into_iter().map(|byte| f32::from(i8::from_le_bytes([byte]))).collect())
            }
            other => other.floats(),
        }
    }
}

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Vector;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a vector")
    }

    fn visit_str<E>(self, text: &str) -> Result<Vector, E> {
        Ok(base64::decode(text).map_or(Vector::Other("is not valid base64"), Vector::Bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vector, A::Error> {
        let mut numbers = Vec::new();
        while let Some(Component(number)) = items.next_element()? {
            numbers.push(number);
        }
        Ok(Vector::Numbers(numbers))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Vector, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Vector::Other("is an object, not a vector"))
    }

    fn visit_unit<E>(self) -> Result<Vector, E> {
        Ok(Vector::Other("is null"))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Vector, E> {
        Ok(Vector::Other("is a boolean, not a vector"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Vector, E> {
        Ok(Vector::Other("is a number, not a vector"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Vector, E> {
        Ok(Vector::Other("is a number, not a vector"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Vector, E> {
        Ok(Vector::Other("is a number, not a vector"))
    }
}

/// One component; NaN if it is not a number.
struct Component(f32);

impl<'de> Deserialize<'de> for Component {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ComponentReader)
    }
}

struct ComponentReader;

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
impl<'de> Visitor<'de> for ComponentReader {
    type Value = Component;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a component of a vector")
    }

    fn visit_f64<E>(self, number: f64) -> Result<Component, E> {
        // Beyond the range of `f32` it becomes infinite, which is refused too.
        Ok(Component(number as f32))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Component, E> {
        Ok(Component(number as f32))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Component, E> {
        Ok(Component(number as f32))
    }

    fn visit_str<E>(self, _: &str) -> Result<Component, E> {
        Ok(Component(f32::NAN))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Component, E> {
        Ok(Component(f32::NAN))
    }

    fn visit_unit<E>(self) -> Result<Component, E> {
        Ok(Component(f32::NAN))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Component, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Component(f32::NAN))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Component, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Component(f32::NAN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(json: &str) -> Result<Vec<f32>, &'static str> {
        serde_json::from_str::<Vector>(json).unwrap().floats()
    }

    #[test]
    fn vectors_are_read_from_numbers_and_from_base64() {
        let values = [0.0, -1.5, 3.25e-9, f32::MAX, f32::MIN_POSITIVE];
        let bytes: Vec<u8> = values.iter().flat_map(|value: &f32| value.to_le_bytes()).collect();
        let text = base64::encode(&bytes);
        assert_eq!(floats(&format!("\"{text}\"")).unwrap(), values);
        assert_eq!(floats(&format!("\"{}\"", text.replace('/', "\\/"))).unwrap(), values);
        assert_eq!(floats(&serde_json::to_string(&values).unwrap()).unwrap(), values);
        assert_eq!(floats("[1, -2, 0.5]").unwrap(), [1.0, -2.0, 0.5]);
        let signed = |json| serde_json::from_str::<Vector>(json).unwrap().signed_bytes().unwrap();
        assert_eq!(signed("\"AH+A/w==\""), [0.0, 127.0, -128.0, -1.0]);
        assert_eq!(signed("[5, -5]"), [5.0, -5.0]);
    }

    #[test]
    fn what_is_no_number_never_becomes_one() {
        for element in ["null", "\"1\"", "true", "[1]", "{\"a\": 1}"] {
            let read = floats(&format!("[1, {element}]")).unwrap();
            assert!(read[0] == 1.0 && read[1].is_nan(), "{element}");
        }
        assert_eq!(floats("[1e39]").unwrap(), [f32::INFINITY]);
        for (json, expected) in [
            ("null", "is null"),
            ("3", "is a number, not a vector"),
            ("{}", "is an object, not a vector"),
            ("\"AAAA\"", "is not a whole number of 32-bit floats"),
            ("\"AAA\"", "is not valid base64"),
        ] {
            assert_eq!(floats(json), Err(expected), "{json}");
        }
    }
}
