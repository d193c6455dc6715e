//! Deserializes JSON arrays element by element.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

use crate::wire::MAX_PARTS;
use crate::wire::json::object::ignore_scalars;

/// The state after the elements of an array.
#[derive(Default)]
pub(in crate::wire) struct Each<S> {
    /// True if it was an array; anything else has no elements.
    pub(in crate::wire) listed: bool,
    pub(in crate::wire) made: S,
}

/// Calls `take` for every element of an array.
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

/// The elements of an array, up to the number of parts that an answer may have.
pub(in crate::wire) struct Array<T> {
    pub(in crate::wire) items: Vec<T>,
    /// True if there were more elements.
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

    ignore_scalars!();

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
    fn elements_are_in_order_and_bounded_in_number() {
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
