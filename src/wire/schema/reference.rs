//! Resolves references in a schema, and merges schemas made of several parts.

use serde_json::{Map, Value};
use std::borrow::Cow;

/// The root schema, in which references are looked up.
#[derive(Clone, Copy)]
pub(super) struct Definitions<'a>(&'a Map<String, Value>);

impl<'a> Definitions<'a> {
    pub(super) fn of(root: &'a Map<String, Value>) -> Self {
        Self(root)
    }

    /// Follows a reference, and further references, to its target. `None` if the target is not in
    /// the schema or not an object.
    pub(super) fn resolved(self, pointer: &Value) -> Option<&'a Map<String, Value>> {
        let mut target = self.target(pointer)?;
        // A longer chain is a cycle.
        for _ in 0..64 {
            match target.get("$ref") {
                Some(next) if target.len() == 1 => target = self.target(next)?,
                _ => return Some(target),
            }
        }
        None
    }

    /// A reference is a URI whose fragment is a JSON pointer (RFC 6901 section 6).
    fn target(self, pointer: &Value) -> Option<&'a Map<String, Value>> {
        let pointer = pointer.as_str()?.strip_prefix('#')?;
        if pointer.is_empty() {
            return Some(self.0);
        }
        let mut steps = pointer.strip_prefix('/')?.split('/').map(unescaped);
        let mut at = self.0.get(&*steps.next()?)?;
        for step in steps {
            at = match at {
                Value::Object(members) => members.get(&*step)?,
                Value::Array(items) => items.get(step.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        at.as_object()
    }

    /// Finds a cycle of references that is reachable from the root; returns the reference that
    /// closes it.
    pub(super) fn cycle(self) -> Option<&'a str> {
        let mut search = Search { definitions: self, open: Vec::new(), done: Vec::new() };
        self.0.values().find_map(|value| search.within(value, 0))
    }
}

/// A depth-first search for cycles.
struct Search<'a> {
    definitions: Definitions<'a>,
    /// The references between the root and here.
    open: Vec<&'a str>,
    /// References that lead to no cycle.
    done: Vec<&'a str>,
}

impl<'a> Search<'a> {
    fn within(&mut self, value: &'a Value, depth: usize) -> Option<&'a str> {
        if depth > super::strict::DEEPEST {
            return None;
        }
        match value {
            Value::Array(items) => items.iter().find_map(|item| self.within(item, depth + 1)),
            Value::Object(members) => {
                let pointer = members.get("$ref").and_then(Value::as_str);
                pointer
                    .and_then(|pointer| self.follow(pointer, depth))
                    .or_else(|| members.values().find_map(|value| self.within(value, depth + 1)))
            }
            _ => None,
        }
    }

    fn follow(&mut self, pointer: &'a str, depth: usize) -> Option<&'a str> {
        if self.open.contains(&pointer) || pointer == "#" {
            return Some(pointer);
        }
        if self.done.contains(&pointer) {
            return None;
        }
        self.open.push(pointer);
        let target = self.definitions.target(&Value::from(pointer))?;
        let cycle = target.get("$ref").and_then(Value::as_str);
        let cycle = cycle.and_then(|pointer| self.follow(pointer, depth + 1));
        let cycle =
            cycle.or_else(|| target.values().find_map(|value| self.within(value, depth + 1)));
        self.open.pop();
        self.done.push(pointer);
        cycle
    }
}

/// Decodes `~1` and `~0` (RFC 6901 section 4), and the URI escapes that occur in names.
fn unescaped(step: &str) -> Cow<'_, str> {
    if !step.contains(['~', '%']) {
        return Cow::Borrowed(step);
    }
    let mut text = step.to_owned();
    for (escape, plain) in
        [("%20", " "), ("%3C", "<"), ("%3E", ">"), ("%25", "%"), ("~1", "/"), ("~0", "~")]
    {
        text = text.replace(escape, plain);
    }
    Cow::Owned(text)
}

/// Merges one part of a schema into another that must hold as well. `Err` is the keyword in which
/// the two conflict.
pub(super) fn merge(
    schema: &mut Map<String, Value>,
    part: &Map<String, Value>,
) -> Result<(), String> {
    for (keyword, value) in part {
        match (keyword.as_str(), schema.get_mut(keyword)) {
            (_, None) => {
                schema.insert(keyword.clone(), value.clone());
            }
            (_, Some(known)) if known == value => {}
            ("description" | "title" | "default" | "examples" | "$comment", Some(_)) => {}
            ("properties", Some(Value::Object(known))) => {
                for (name, property) in value.as_object().into_iter().flatten() {
                    if known.get(name).is_some_and(|known| known != property) {
                        return Err(name.clone());
                    }
                    known.insert(name.clone(), property.clone());
                }
            }
            ("required", Some(Value::Array(known))) => {
                let more = value.as_array().into_iter().flatten();
                for name in more {
                    if !known.contains(name) {
                        known.push(name.clone());
                    }
                }
            }
            // Completion closes the merged object in the end.
            ("additionalProperties" | "unevaluatedProperties", Some(known))
                if known.is_boolean() && value.is_boolean() =>
            {
                *known = false.into();
            }
            _ => return Err(keyword.clone()),
        }
    }
    Ok(())
}

/// Names the type of a value for a message.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
