//! Unmodelled members beside an answer.

use serde::de::MapAccess;
use serde_json::{Map, Value};

use crate::wire::json::bounded::Content;
use crate::wire::stream::{SizeLimit, is_label};

/// The most bytes of these members to keep from a stream. A member that was replaced still counts.
const MAX_BYTES: usize = 1024 * 1024;

/// The only member that arrives in pieces (vLLM, `return_token_ids`).
const PIECES: &str = "token_ids";

/// The unmodelled members of one object.
///
/// Nulls and empty values are dropped because they say nothing, and so are the names of the object
/// and its kind, and its time, because the caller has a clock. Boxed, because most objects have
/// none.
#[derive(Debug, Default, Clone)]
pub(in crate::wire) struct Beside(Option<Box<Map<String, Value>>>);

impl Beside {
    /// Takes a member with an unknown name.
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

    /// Like [`take`](Self::take), for a parsed value.
    pub(in crate::wire) fn insert(&mut self, name: &str, value: Value) {
        if !is_label(name) && name != "created" {
            self.keep(name, value);
        }
    }

    /// Keeps a member with any name unless it is empty.
    pub(in crate::wire) fn keep(&mut self, name: &str, value: Value) {
        if !is_empty(&value) {
            self.0.get_or_insert_default().insert(name.to_owned(), value);
        }
    }

    pub(in crate::wire) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns true if there is a member that arrives in pieces.
    pub(in crate::wire) fn has_pieces(&self) -> bool {
        self.0.as_ref().is_some_and(|members| members.contains_key(PIECES))
    }

    /// Adds the members to `all`, except those whose name is taken.
    pub(in crate::wire) fn add_to(self, all: &mut Map<String, Value>) {
        let Some(members) = self.0 else { return };
        // Moving the map takes less time than moving its members.
        if all.is_empty() {
            *all = *members;
            return;
        }
        for (name, value) in *members {
            all.entry(name).or_insert(value);
        }
    }

    /// Adds an object with the members to `all`, unless this name is taken.
    pub(in crate::wire) fn nest_in(self, name: &str, all: &mut Map<String, Value>) {
        if let Some(members) = self.0 {
            all.entry(name).or_insert(Value::Object(*members));
        }
    }
}

/// The unmodelled members from all events of a stream. They have a size limit of their own, so they
/// never use up the answer's; members beyond it are left out.
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
    /// Adds the members of a later event. Servers repeat the whole member, so the last one wins;
    /// only the pieces of [`PIECES`] are joined.
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

/// Returns true for null and for empty values.
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
    fn empty_values_names_and_times_are_left_out() {
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
    fn the_last_value_wins_and_token_ids_are_joined() {
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
    fn members_beyond_the_size_limit_are_left_out() {
        let mut kept = Kept::default();
        kept.replace(beside(json!({"a": "x".repeat(MAX_BYTES)})));
        kept.replace(beside(json!({"b": 1})));
        assert_eq!(members(kept.into_members()), json!({"b": 1}));
    }
}
