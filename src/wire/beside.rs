//! Members beside an answer that are not modelled.

use serde::de::MapAccess;
use serde_json::{Map, Value};

use crate::wire::json::bounded::Content;
use crate::wire::stream::{SizeLimit, is_label};

/// The most bytes kept of what stands beside a streamed answer, repetitions that differ included.
const MAX_BYTES: usize = 1024 * 1024;

/// The member that comes in pieces (vLLM, `return_token_ids`).
const PIECES: &str = "token_ids";

/// The members of one object that are not modelled.
///
/// Left out are nulls and empty values, which say nothing, the names of the object and of its
/// kind, and its time, because the caller has a clock. Boxed, because most objects have none.
#[derive(Debug, Default, Clone)]
pub(in crate::wire) struct Beside(Option<Box<Map<String, Value>>>);

impl Beside {
    /// Takes a member of a name that is not known.
    #[cold]
    pub(in crate::wire) fn take<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        members: &mut A,
    ) -> Result<bool, A::Error> {
        if is_label(name) || name == "created" {
            return Ok(false);
        }
        self.keep(name, members.next_value::<Content>()?.value);
        Ok(true)
    }

    /// As [`take`](Self::take), of a value that was read.
    pub(in crate::wire) fn insert(&mut self, name: &str, value: Value) {
        if !is_label(name) && name != "created" {
            self.keep(name, value);
        }
    }

    /// Keeps a member of any name, unless it says nothing.
    pub(in crate::wire) fn keep(&mut self, name: &str, value: Value) {
        if !is_empty(&value) {
            self.0.get_or_insert_default().insert(name.to_owned(), value);
        }
    }

    pub(in crate::wire) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether there is a member that comes in pieces.
    pub(in crate::wire) fn has_pieces(&self) -> bool {
        self.0.as_ref().is_some_and(|members| members.contains_key(PIECES))
    }

    /// Puts the members into `all`, except for those of a name that is taken.
    pub(in crate::wire) fn add_to(self, all: &mut Map<String, Value>) {
        for (name, value) in self.0.map(|members| *members).unwrap_or_default() {
            all.entry(name).or_insert(value);
        }
    }

    /// As [`add_to`](Self::add_to), in an object of this name.
    pub(in crate::wire) fn nest_in(self, name: &str, all: &mut Map<String, Value>) {
        if let Some(members) = self.0 {
            all.entry(name).or_insert(Value::Object(*members));
        }
    }
}

/// What the events of a stream say beside the answer. It takes none of the answer's own room, and
/// what does not fit is left out.
#[derive(Debug, Clone)]
pub(in crate::wire) struct Kept {
    members: Beside,
    room: SizeLimit,
}

impl Default for Kept {
    fn default() -> Self {
        Self { members: Beside::default(), room: SizeLimit::new(MAX_BYTES) }
    }
}

impl Kept {
    /// Takes over what a later event says. Servers repeat the whole of a member, so the last
    /// holds; only [`PIECES`] is joined.
    pub(in crate::wire) fn replace(&mut self, more: Beside) {
        let Some(more) = more.0 else { return };
        let kept = self.members.0.get_or_insert_default();
        for (name, value) in *more {
            let known = kept.get_mut(&name);
            if known.as_deref() == Some(&value) && name != PIECES {
                continue;
            }
            if self.room.keep(name.len()).and_then(|()| self.room.keep_value(&value)).is_err() {
                continue;
            }
            match (known, value) {
                (Some(Value::Array(items)), Value::Array(more)) if name == PIECES => {
                    items.extend(more);
                }
                (_, value) => {
                    kept.insert(name, value);
                }
            }
        }
    }

    pub(in crate::wire) fn into_members(self) -> Beside {
        self.members
    }
}

/// Whether a value says nothing.
pub(in crate::wire) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn beside(members: Value) -> Beside {
        let Value::Object(members) = members else { panic!() };
        let mut beside = Beside::default();
        members.into_iter().for_each(|(name, value)| beside.insert(&name, value));
        beside
    }

    fn members(beside: Beside) -> Value {
        let mut all = Map::new();
        beside.add_to(&mut all);
        all.into()
    }

    #[test]
    fn what_says_something_is_kept_and_names_and_times_are_not() {
        let given =
            json!({"a": 1, "b": false, "id": "x", "created": 5, "c": null, "d": "", "e": {}});
        assert_eq!(members(beside(given)), json!({"a": 1, "b": false}));
        assert!(beside(json!({"type": "x", "f": []})).is_empty());
        let mut all = Map::from_iter([("a".to_owned(), json!(1))]);
        beside(json!({"a": 2, "b": 3})).add_to(&mut all);
        beside(json!({"c": 4})).nest_in("usage", &mut all);
        Beside::default().nest_in("none", &mut all);
        assert_eq!(Value::from(all), json!({"a": 1, "b": 3, "usage": {"c": 4}}));
    }

    #[test]
    fn the_last_holds_and_ids_of_tokens_are_joined() {
        let mut kept = Kept::default();
        for more in [
            json!({"a": [1], "token_ids": [7]}),
            json!({"a": [1, 2], "token_ids": [7]}),
            json!({"b": 1, "token_ids": [8]}),
        ] {
            kept.replace(beside(more));
        }
        let expected = json!({"a": [1, 2], "b": 1, "token_ids": [7, 7, 8]});
        assert_eq!(members(kept.into_members()), expected);
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut kept = Kept::default();
        kept.replace(beside(json!({"a": "x".repeat(MAX_BYTES)})));
        kept.replace(beside(json!({"b": 1})));
        assert_eq!(members(kept.into_members()), json!({"b": 1}));
    }
}
