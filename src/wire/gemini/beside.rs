//! Members beside an answer: the sources of a search, safety ratings.

use serde_json::{Map, Value};

use super::chunk;
use crate::wire::stream::SizeLimit;

/// The most bytes kept. They do not count towards the size limit of the answer. Members that do not
/// fit are left out.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Unmodelled members, joined over the chunks of a stream.
#[derive(Debug, Clone)]
pub(super) struct Beside {
    members: Map<String, Value>,
    room: SizeLimit,
}

impl Default for Beside {
    fn default() -> Self {
        Self { members: Map::new(), room: SizeLimit::new(MAX_BYTES) }
    }
}

impl Beside {
    /// Adds the members of a later chunk, and returns true if any of them is new. Objects are
    /// merged member by member. A list that starts with the known one replaces it; any other list
    /// continues it. Other values replace the known ones.
    pub(super) fn add(&mut self, more: chunk::Beside) -> bool {
        let Some(members) = more.0 else { return false };
        let before = self.room.left();
        // Vertex AI sends the time in every chunk. The caller has a clock.
        for (name, value) in members.into_iter().filter(|(name, _)| name != "createTime") {
            join(&mut self.members, name, value, &mut self.room);
        }
        self.room.left() != before
    }

    pub(super) fn insert(&mut self, name: &str, value: Value) {
        join(&mut self.members, name.to_owned(), value, &mut self.room);
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.members.shift_remove(name)
    }

    pub(super) fn into_members(self) -> Map<String, Value> {
        self.members
    }
}

fn join(kept: &mut Map<String, Value>, name: String, value: Value, room: &mut SizeLimit) {
    match (kept.get_mut(&name), value) {
        (Some(known), value) if *known == value => {}
        (Some(Value::Object(known)), Value::Object(members)) => {
            for (name, member) in members {
                join(known, name, member, room);
            }
        }
        (Some(Value::Array(known)), Value::Array(items)) => {
            let new = if items.starts_with(known) { known.len() } else { 0 };
            for item in items.into_iter().skip(new) {
                if room.keep_value(&item).is_ok() {
                    known.push(item);
                }
            }
        }
        (_, value) => {
            if room.keep(name.len()).is_ok() && room.keep_value(&value).is_ok() {
                kept.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn later_chunks_repeat_or_continue_earlier_members() {
        let mut beside = Beside::default();
        for more in [
            json!({"groundingMetadata": {"webSearchQueries": ["a"], "n": 1}, "createTime": "t"}),
            json!({"groundingMetadata": {"webSearchQueries": ["a", "b"], "n": 2}}),
            json!({"groundingMetadata": {"webSearchQueries": ["c"]}, "avgLogprobs": -1}),
            json!({"groundingMetadata": {"webSearchQueries": ["a", "b", "c"]}, "avgLogprobs": -2}),
        ] {
            let members = more.as_object().unwrap().clone();
            beside.add(chunk::Beside(Some(members.into())));
        }
        let expected = json!({"groundingMetadata": {"webSearchQueries": ["a", "b", "c"], "n": 2},
            "avgLogprobs": -2});
        assert_eq!(Value::Object(beside.into_members()), expected);
    }

    #[test]
    fn members_that_do_not_fit_are_left_out() {
        let mut beside = Beside::default();
        beside.insert("a", "x".repeat(MAX_BYTES).into());
        beside.insert("b", json!("1"));
        assert_eq!(Value::Object(beside.into_members()), json!({"b": "1"}));
    }
}
