//! Deserializes JSON objects of which only some members matter.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

use crate::wire::json::string::LooseString;

/// A type that is filled member by member.
///
/// Derived code rejects an object with a duplicate member. Here the last one wins, so that a
/// duplicate never costs an answer that was paid for.
pub(in crate::wire) trait Members<'de>: Default {
    /// Takes the member's value from `members` and returns true, or leaves it there and returns
    /// false.
    fn take<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<bool, A::Error>;
}

/// Implements [`Members`] for a type: each named member fills a field. A type that borrows from the
/// text uses the lifetime `'de`.
macro_rules! members {
    ($type:ident { $($rows:tt)* }) => {
        members!(impl [] $type { $($rows)* });
    };
    (impl [$($generic:tt)*] $type:ty { $($name:literal => $field:ident,)* }) => {
        members!(impl [$($generic)*] $type { $($name => $field,)* _ => |_, _, _| Ok(false), });
    };
    // `rest` handles members with any other name.
    (impl [$($generic:tt)*] $type:ty {
        $($name:literal => $field:ident,)*
        _ => $rest:expr,
    }) => {
        impl<'de, $($generic)*> $crate::wire::json::object::Members<'de> for $type {
            #[inline]
            fn take<A: serde::de::MapAccess<'de>>(
                &mut self,
                name: &str,
                members: &mut A,
            ) -> Result<bool, A::Error> {
                match name {
                    $($name => self.$field = members.next_value()?,)*
                    _ => return ($rest)(self, name, members),
                }
                Ok(true)
            }
        }
    };
}
pub(in crate::wire) use members;

/// Deserializes a type from an object. Anything but an object yields the default.
#[derive(Debug, Default)]
pub(in crate::wire) struct Object<T>(pub(in crate::wire) T);

/// Fills a large type in its box. `Object<Box<T>>` moves it less often than `Box<Object<T>>`, which
/// boxes it once it is complete.
impl<'de, T: Members<'de>> Members<'de> for Box<T> {
    #[inline]
    fn take<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<bool, A::Error> {
        (**self).take(name, members)
    }
}

/// Deserializes the first element of an array and skips the others. Anything but an array yields
/// none.
#[derive(Debug)]
pub(in crate::wire) struct First<T>(pub(in crate::wire) Option<T>);

impl<T> Default for First<T> {
    fn default() -> Self {
        Self(None)
    }
}

struct Reader<T>(PhantomData<T>);

/// The methods of a visitor that ignores scalars.
macro_rules! ignore_scalars {
    () => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("JSON")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }

        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
    };
}

pub(in crate::wire) use ignore_scalars;

impl<'de, T: Members<'de>> Visitor<'de> for Reader<Object<T>> {
    type Value = Object<T>;

    ignore_scalars!();

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Object<T>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Object::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Object<T>, A::Error> {
        let mut object = T::default();
        while let Some(LooseString(name)) = members.next_key()? {
            if !object.take(&name, &mut members)? {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Object(object))
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<First<T>> {
    type Value = First<T>;

    ignore_scalars!();

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<First<T>, A::Error> {
        let first = items.next_element()?;
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(First(first))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<First<T>, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(First(None))
    }
}

impl<'de, T: Members<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader(PhantomData::<Self>))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for First<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader(PhantomData::<Self>))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq)]
    struct Name(String);

    impl<'de> Members<'de> for Name {
        fn take<A: MapAccess<'de>>(
            &mut self,
            name: &str,
            members: &mut A,
        ) -> Result<bool, A::Error> {
            match name {
                "name" => self.0 = members.next_value()?,
                _ => return Ok(false),
            }
            Ok(true)
        }
    }

    #[test]
    fn the_last_duplicate_wins_and_unknown_members_are_skipped() {
        for (text, expected) in [
            (r#"{"name": "a", "other": [{}], "name": "b"}"#, "b"),
            (r#"{"other": {"name": "a"}}"#, ""),
            (r#"[{"name": "a"}]"#, ""),
            ("null", ""),
            ("1.5", ""),
            ("\"name\"", ""),
        ] {
            let Object(Name(name)) = serde_json::from_str(text).unwrap();
            assert_eq!(name, expected, "{text}");
        }
    }

    #[test]
    fn only_the_first_element_is_read() {
        for (text, expected) in [
            (r#"["a", 1, {"b": []}]"#, Some("a")),
            ("[]", None),
            ("{\"a\": 1}", None),
            ("null", None),
            ("7", None),
        ] {
            let First::<String>(first) = serde_json::from_str(text).unwrap();
            assert_eq!(first.as_deref(), expected, "{text}");
        }
    }
}
