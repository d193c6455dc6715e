//! JSON arrays that are read element by element.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

use crate::wire::MAX_PARTS;
use crate::wire::json::object::nothing_in_scalars;

/// What was made of the elements of an array.
#[derive(Default)]
pub(in crate::wire) struct Each<S> {
    /// Whether it was an array at all; anything else has no elements.
    pub(in crate::wire) listed: bool,
    pub(in crate::wire) made: S,
}

/// Hands every element of an array to `take`.
pub(in crate::wire) fn each<'de, D, S, T>(
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

/// The elements of an array, as many as an answer may have parts.
pub(in crate::wire) struct Array<T> {
    pub(in crate::wire) items: Vec<T>,
    /// Whether there were more.
    pub(in crate::wire) exceeded: bool,
}

impl<T> Default for Array<T> {
    fn default() -> Self {
        Self { items: Vec::new(), exceeded: false }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Array<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let take = |list: &mut Self, item| {
            if list.items.len() < MAX_PARTS {
                list.items.push(item);
            } else {
                list.exceeded = true;
            }
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

    fn list(text: &str) -> (Vec<u32>, bool) {
        let list: Array<u32> = serde_json::from_str(text).unwrap();
        (list.items, list.exceeded)
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
            assert_eq!(list(text), (expected, false), "{text}");
        }
        let most = format!("[{}]", vec!["1"; MAX_PARTS].join(","));
        assert_eq!(list(&most), (vec![1; MAX_PARTS], false));
        let more = format!("[{}]", vec!["1"; MAX_PARTS + 1].join(","));
        assert_eq!(list(&more), (vec![1; MAX_PARTS], true));
    }
}
