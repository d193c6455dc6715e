//! The members of a request: their names, and every request in which one of them differs.

use serde::de::value::Error as NotStruct;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde_json::{Map, Value, json};

/// The names of all members of a type, as serde knows them.
pub(crate) fn names<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Names<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Names<'_> {
        type Error = NotStruct;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NotStruct> {
            Err(NotStruct::custom("it is not a struct"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            names: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, NotStruct> {
            *self.0 = names;
            Err(NotStruct::custom("only its names are of interest"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut names: &[_] = &[];
    let _ = T::deserialize(Names(&mut names));
    assert!(!names.is_empty(), "the type is no struct");
    names
}

/// A request with the members of `base`, and as many others as `can_be_sent` accepts together, added
/// in this order.
pub(crate) fn grown<T: DeserializeOwned>(
    base: &Value,
    others: &Value,
    can_be_sent: impl Fn(&T) -> bool,
) -> (Value, T) {
    let members = |value: &Value| value.as_object().expect("a request is an object").clone();
    let request = |members: &Map<String, Value>| {
        serde_json::from_value(Value::Object(members.clone())).expect("a request")
    };
    let mut grown = members(base);
    for (name, member) in members(others) {
        let before = grown.insert(name.clone(), member);
        if !can_be_sent(&request(&grown)) {
            match before {
                Some(before) => drop(grown.insert(name, before)),
                None => drop(grown.shift_remove(&name)),
            }
        }
    }
    let request = request(&grown);
    (Value::Object(grown), request)
}

/// Every value with one of its members changed or removed, with the path of that member.
pub(crate) fn variants(value: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let mut put = |path: String, new: Option<Value>| {
                    let mut changed: Map<String, Value> = members.clone();
                    match new {
                        Some(new) => drop(changed.insert(name.clone(), new)),
                        None => drop(changed.shift_remove(name)),
                    }
                    found.push((path, Value::Object(changed)));
                };
                for (path, new) in variants(member) {
                    put(format!("/{name}{path}"), Some(new));
                }
                if !member.is_null() {
                    put(format!("/{name}"), None);
                }
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                for (path, new) in variants(item) {
                    let mut changed = items.clone();
                    changed[at] = new;
                    found.push((format!("/{at}{path}"), Value::Array(changed)));
                }
                let mut fewer = items.clone();
                fewer.remove(at);
                found.push((format!("/{at}"), Value::Array(fewer)));
            }
        }
        Value::String(text) => found.push((String::new(), json!(format!("{text}x")))),
        Value::Bool(it) => found.push((String::new(), json!(!it))),
        Value::Number(number) => {
            let new = match number.as_u64() {
                Some(count) => json!(count + 1),
                None => json!(number.as_f64().unwrap() / 2.0),
            };
            found.push((String::new(), new));
        }
        Value::Null => {}
    }
    found
}
