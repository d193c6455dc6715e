//! A number or a boolean in a report on usage.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A number or a yes, as reports on usage hold them. Anything else, a no included, is
/// none.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(in crate::wire) enum Figure {
    #[default]
    None,
    Whole(u64),
    /// With a fraction, below zero, or beyond 64 bits.
    Float(f64),
    Yes,
}

impl Figure {
    /// A count of tokens. Some servers write it as a float, `500.0`; none where it is no
    /// whole number, or less than nothing.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(in crate::wire) fn count(self) -> Option<u64> {
        match self {
            Self::Whole(count) => Some(count),
            // Above, floats are no longer exact.
            Self::Float(float) if (0.0..=MOST_EXACT).contains(&float) && float.fract() == 0.0 => {
                Some(float as u64)
            }
            _ => None,
        }
    }

    /// Any number.
    #[allow(clippy::cast_precision_loss)]
    pub(in crate::wire) fn number(self) -> Option<f64> {
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

/// The greatest whole number below which floats are exact: 2⁵³.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Figure;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Figure, E> {
        Ok(Figure::Whole(number))
    }

    #[allow(clippy::cast_precision_loss)]
    fn visit_i64<E>(self, number: i64) -> Result<Figure, E> {
        Ok(u64::try_from(number).map_or(Figure::Float(number as f64), Figure::Whole))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Figure, E> {
        Ok(Figure::Float(number))
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Figure, E> {
        Ok(if yes { Figure::Yes } else { Figure::None })
    }

    fn visit_unit<E>(self) -> Result<Figure, E> {
        Ok(Figure::None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Figure, E> {
        Ok(Figure::None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Figure, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Figure::None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Figure, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Figure::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_a_whole_number_in_either_notation() {
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
            let figure: Figure = serde_json::from_str(text).unwrap();
            assert_eq!((figure.count(), figure.number()), (count, number), "{text}");
            assert_eq!(figure.is_yes(), text == "true");
        }
    }
}
