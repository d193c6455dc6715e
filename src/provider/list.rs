//! JSON arrays that are read element by element.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

use super::MAX_PARTS;
use super::object::nothing_in_scalars;

/// What was made of the elements of an array.
#[derive(Default)]
pub(in crate::provider) struct Each<S> {
    /// Whether it was an array at all; anything else has no elements.
    pub(in crate::provider) listed: bool,
    pub(in crate::provider) made: S,
}

/// Hands every element of an array to `take`.
pub(in crate::provider) fn each<'de, D, S, T>(
    deserializer: D,
    take: impl FnMut(&mut S, T),
) -> Result<Each<S>, D::Error>
where
    D: Deserializer<'de>,
    S: Default,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(Reader(take, PhantomData))
}

/// A list that has one element most of the time, read without a list's memory.
pub(in crate::provider) struct Few<T> {
    pub(in crate::provider) first: Option<T>,
    pub(in crate::provider) rest: Vec<T>,
    /// Whether there were more than any answer has.
    pub(in crate::provider) exceeded: bool,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { first: None, rest: Vec::new(), exceeded: false }
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<std::option::IntoIter<T>, std::vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.rest)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let take = |few: &mut Self, item| match few {
            Self { first: first @ None, .. } => *first = Some(item),
            Self { rest, .. } if rest.len() + 1 < MAX_PARTS => rest.push(item),
            Self { exceeded, .. } => *exceeded = true,
        };
        Ok(each(deserializer, take)?.made)
    }
}

struct Reader<F, S, T>(F, PhantomData<(S, T)>);

impl<'de, F, S, T> Visitor<'de> for Reader<F, S, T>
where
    F: FnMut(&mut S, T),
    S: Default,
    T: Deserialize<'de>,
{
    type Value = Each<S>;

    nothing_in_scalars!();

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Each<S>, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Each::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Each<S>, A::Error> {
        let mut made = S::default();
        while let Some(item) = items.next_element()? {
            (self.0)(&mut made, item);
        }
        Ok(Each { listed: true, made })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn few(text: &str) -> (Vec<u32>, bool) {
        let few: Few<u32> = serde_json::from_str(text).unwrap();
        let exceeded = few.exceeded;
        (few.into_iter().collect(), exceeded)
    }

    #[test]
    fn elements_come_in_order_and_in_bounded_number() {
        for (text, expected) in [
            ("[]", vec![]),
            ("[1]", vec![1]),
            ("[1, 2, 3]", vec![1, 2, 3]),
            ("null", vec![]),
            ("{\"a\": [1]}", vec![]),
            ("\"a\"", vec![]),
        ] {
            assert_eq!(few(text), (expected, false), "{text}");
        }
        let most = format!("[{}]", vec!["1"; MAX_PARTS].join(","));
        assert_eq!(few(&most), (vec![1; MAX_PARTS], false));
        let more = format!("[{}]", vec!["1"; MAX_PARTS + 1].join(","));
        assert_eq!(few(&more), (vec![1; MAX_PARTS], true));
    }
}
