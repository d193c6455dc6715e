//! A number or boolean in a usage report.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A number or `true` in a usage report. Anything else, including `false`, is none.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(in crate::wire) enum Number {
    #[default]
    None,
    Whole(u64),
    /// A fraction, a negative number, or one beyond 64 bits.
    Float(f64),
    Yes,
}

impl Number {
    /// Returns a count of tokens. Some servers write it as a float, `500.0`. `None` for a negative
    /// number or a fraction.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(in crate::wire) fn count(self) -> Option<u64> {
        match self {
            Self::Whole(count) => Some(count),
            // Floats above are not exact.
            Self::Float(float) if (0.0..=MOST_EXACT).contains(&float) && float.fract() == 0.0 => {
                Some(float as u64)
            }
            _ => None,
        }
    }

    /// Returns any number as a float.
    #[allow(clippy::cast_precision_loss)]
    pub(in crate::wire) fn float(self) -> Option<f64> {
        match self {
            Self::Whole(number) => Some(number as f64),
            Self::Float(number) => Some(number),
            Self::None | Self::Yes => None,
        }
    }

    pub(in crate::wire) fn is_yes(self) -> bool {
        self == Self::Yes
    }
}

/// Floats represent every whole number up to this one exactly: 2⁵³.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
        Ok(Number::Whole(number))
    }

    #[allow(clippy::cast_precision_loss)]
    fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
        Ok(u64::try_from(number).map_or(Number::Float(number as f64), Number::Whole))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
        Ok(Number::Float(number))
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Number, E> {
        Ok(if yes { Number::Yes } else { Number::None })
    }

    fn visit_unit<E>(self) -> Result<Number, E> {
        Ok(Number::None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Number, E> {
        Ok(Number::None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Number, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Number::None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Number, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Number::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_a_whole_number_written_as_integer_or_float() {
        for (text, count, number) in [
            ("7", Some(7), Some(7.0)),
            ("0", Some(0), Some(0.0)),
            ("500.0", Some(500), Some(500.0)),
            ("1e3", Some(1000), Some(1000.0)),
            ("9007199254740992.0", Some(1 << 53), Some(9_007_199_254_740_992.0)),
            ("9007199254740994.0", None, Some(9_007_199_254_740_994.0)),
            ("18446744073709551615", Some(u64::MAX), Some(18_446_744_073_709_551_615.0)),
            ("18446744073709551616", None, Some(18_446_744_073_709_551_616.0)),
            ("-1", None, Some(-1.0)),
            ("0.5", None, Some(0.5)),
            ("true", None, None),
            ("false", None, None),
            ("null", None, None),
            ("\"7\"", None, None),
            ("[7]", None, None),
            ("{\"a\": 7}", None, None),
        ] {
            let read: Number = serde_json::from_str(text).unwrap();
            assert_eq!((read.count(), read.float()), (count, number), "{text}");
            assert_eq!(read.is_yes(), text == "true");
        }
    }
}
