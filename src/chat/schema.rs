//! Whether an answer matches the format that its request asked for.

use serde_json::{Map, Value};
use std::cell::Cell;
use std::fmt::Display;

use super::{ChatResponse, ResponseFormat, typed};

/// How many schemas one answer is compared with at most. A schema that refers to itself without
/// end, or an answer that is larger, is taken to match.
const MOST: u32 = 100_000;

/// How deep schemas may be nested, for the same reason.
const DEEPEST: usize = 100;

impl ChatResponse {
    /// Why the text does not match this format; `None` if it does. Quotes nothing of the text.
    pub(crate) fn mismatch(&self, format: &ResponseFormat) -> Option<String> {
        let schema = match format {
            ResponseFormat::Text => return None,
            ResponseFormat::JsonObject => None,
            ResponseFormat::JsonSchema(schema) => Some(&schema.schema),
        };
        let text = self.text();
        let value: Value = match typed::read(typed::strip_fence(&text)) {
            Ok(value) => value,
            Err(cause) => return Some(typed::problem(&cause)),
        };
        match schema {
            Some(schema) => mismatch(&value, schema),
            None if value.is_object() => None,
            None => Some("it is JSON, but no object".to_owned()),
        }
    }
}

/// Where a value differs from a schema, and how; `None` if it matches.
///
/// This covers the keywords that models are asked to follow: types, members, items, alternatives,
/// constants, references and limits. It ignores others, such as `pattern`, `format` and `not`. A
/// null matches as a member that the schema does not require, because the strict mode of providers
/// requires every member and allows null for optional ones.
fn mismatch(value: &Value, schema: &Value) -> Option<String> {
    let root = Root { schema, left: Cell::new(MOST) };
    root.compare(value, schema, &Place { depth: 0, name: None, above: None })
}

struct Root<'a> {
    schema: &'a Value,
    left: Cell<u32>,
}

/// A place in the value, by the names of the schema's members and the numbers of items.
struct Place<'a> {
    depth: usize,
    name: Option<&'a dyn Display>,
    above: Option<&'a Self>,
}

impl Place<'_> {
    fn below<'a>(&'a self, name: &'a dyn Display) -> Place<'a> {
        Place { name: Some(name), ..self.again() }
    }

    /// The same place for another schema. It is one deeper, so that a reference to itself ends.
    fn again(&self) -> Place<'_> {
        Place { depth: self.depth + 1, name: None, above: Some(self) }
    }

    fn path(&self) -> String {
        let above = self.above.map(Place::path).unwrap_or_default();
        match &self.name {
            Some(name) => format!("{above}/{name}"),
            None => above,
        }
    }

    fn says(&self, what: impl AsRef<str>) -> Option<String> {
        let (path, what) = (self.path(), what.as_ref());
        Some(match path.is_empty() {
            true => format!("it {what}"),
            false => format!("{path} {what}"),
        })
    }
}

impl Root<'_> {
    fn compare(&self, value: &Value, schema: &Value, place: &Place<'_>) -> Option<String> {
        let left = self.left.get();
        if left == 0 || place.depth > DEEPEST {
            return None;
        }
        self.left.set(left - 1);
        let schema = match schema {
            Value::Object(schema) => schema,
            Value::Bool(false) => return place.says("is not allowed by the schema"),
            _ => return None,
        };
        self.refers(value, schema, place)
            .or_else(|| of_type(value, schema, place))
            .or_else(|| one_of_these(value, schema, place))
            .or_else(|| self.combined(value, schema, place))
            .or_else(|| match value {
                Value::Object(members) => self.members(members, schema, place),
                Value::Array(items) => self.items(items, schema, place),
                Value::Number(_) => in_range(value.as_f64()?, schema, place),
                Value::String(text) => {
                    let length = text.chars().count();
                    within(length, schema, ["minLength", "maxLength"], "characters", place)
                }
                _ => None,
            })
    }

    fn refers(
        &self,
        value: &Value,
        schema: &Map<String, Value>,
        place: &Place<'_>,
    ) -> Option<String> {
        let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
        let target = self.schema.pointer(pointer)?;
        self.compare(value, target, &place.again())
    }

    fn combined(
        &self,
        value: &Value,
        schema: &Map<String, Value>,
        place: &Place<'_>,
    ) -> Option<String> {
        let list = |name: &str| schema.get(name).and_then(Value::as_array);
        let place = place.again();
        if let Some(all) = list("allOf") {
            if let Some(found) = all.iter().find_map(|one| self.compare(value, one, &place)) {
                return Some(found);
            }
        }
        // Providers treat `oneOf` like `anyOf`.
        for alternatives in ["anyOf", "oneOf"].into_iter().filter_map(list) {
            let matches = |one: &Value| self.compare(value, one, &place).is_none();
            if !alternatives.is_empty() && !alternatives.iter().any(matches) {
                return place.says("matches none of the alternatives in the schema");
            }
        }
        None
    }

    fn members(
        &self,
        members: &Map<String, Value>,
        schema: &Map<String, Value>,
        place: &Place<'_>,
    ) -> Option<String> {
        let required = schema.get("required").and_then(Value::as_array);
        let required = || required.into_iter().flatten().filter_map(Value::as_str);
        if let Some(missing) = required().find(|name| !members.contains_key(*name)) {
            return place.says(format!("has no member {missing:?}"));
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        let known = |name: &str| properties.and_then(|properties| properties.get(name));
        for (name, member) in members {
            let Some(expected) = known(name) else { continue };
            if member.is_null() && !required().any(|required| required == name) {
                continue;
            }
            if let Some(found) = self.compare(member, expected, &place.below(&name)) {
                return Some(found);
            }
        }
        if schema.contains_key("patternProperties") {
            return None;
        }
        let others = schema.get("additionalProperties")?;
        let mut unknown = members.iter().filter(|(name, _)| known(name).is_none());
        match others {
            Value::Bool(false) => unknown
                .next()
                .and_then(|_| place.says("has a member that the schema does not allow")),
            others => {
                unknown.find_map(|(_, member)| self.compare(member, others, &place.below(&"*")))
            }
        }
    }

    fn items(
        &self,
        items: &[Value],
        schema: &Map<String, Value>,
        place: &Place<'_>,
    ) -> Option<String> {
        if let Some(found) = within(items.len(), schema, ["minItems", "maxItems"], "items", place) {
            return Some(found);
        }
        // Before the draft 2020-12, a list in `items` was what `prefixItems` is now.
        let list = |name: &str| schema.get(name).and_then(Value::as_array);
        let first = list("prefixItems").or_else(|| list("items")).map_or(&[][..], Vec::as_slice);
        let others = schema.get("items").filter(|others| !others.is_array());
        let mut items = items.iter().enumerate();
        items.find_map(|(at, item)| {
            let expected = first.get(at).or(others)?;
            self.compare(item, expected, &place.below(&at))
        })
    }
}

fn of_type(value: &Value, schema: &Map<String, Value>, place: &Place<'_>) -> Option<String> {
    let expected = schema.get("type")?;
    if is_allowed_null(value, schema) {
        return None;
    }
    let names: Vec<&str> = match expected {
        Value::String(name) => vec![name.as_str()],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    // Gemini's schemas have names in capitals.
    let is_it = |name: &&str| match name.to_ascii_lowercase().as_str() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        // 1.0 is one too (JSON Schema Validation 2020-12, section 6.1.1).
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => true,
    };
    match names.is_empty() || names.iter().any(is_it) {
        true => None,
        false => place.says(format!("is not of the type {}", names.join(" or "))),
    }
}

fn one_of_these(value: &Value, schema: &Map<String, Value>, place: &Place<'_>) -> Option<String> {
    let allowed = schema.get("enum").and_then(Value::as_array);
    let is_missing = allowed.is_some_and(|allowed| !allowed.iter().any(|one| is_equal(one, value)));
    if is_missing && !is_allowed_null(value, schema) {
        return place.says("is none of the values in the schema");
    }
    match schema.get("const") {
        Some(constant) if !is_equal(constant, value) => {
            place.says("is not the value in the schema")
        }
        _ => None,
    }
}

/// Whether it is a null that `nullable` allows, a keyword of OpenAPI 3.0 and of Gemini's schemas.
fn is_allowed_null(value: &Value, schema: &Map<String, Value>) -> bool {
    value.is_null() && schema.get("nullable") == Some(&Value::Bool(true))
}

/// Numbers are equal if their values are.
fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(_), Value::Number(_)) => one == other || one.as_f64() == other.as_f64(),
        _ => one == other,
    }
}

fn in_range(number: f64, schema: &Map<String, Value>, place: &Place<'_>) -> Option<String> {
    let limit = |name: &str| schema.get(name).and_then(Value::as_f64);
    let is_low = limit("minimum").is_some_and(|least| number < least)
        || limit("exclusiveMinimum").is_some_and(|least| number <= least);
    let is_high = limit("maximum").is_some_and(|most| number > most)
        || limit("exclusiveMaximum").is_some_and(|most| number >= most);
    match (is_low, is_high) {
        (true, _) => place.says("is too small"),
        (_, true) => place.says("is too large"),
        _ => None,
    }
}

fn within(
    count: usize,
    schema: &Map<String, Value>,
    [least, most]: [&str; 2],
    what: &str,
    place: &Place<'_>,
) -> Option<String> {
    let limit = |name: &str| schema.get(name).and_then(Value::as_u64);
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    if limit(least).is_some_and(|least| count < least) {
        return place.says(format!("has too few {what}"));
    }
    limit(most)
        .filter(|most| count > *most)
        .and_then(|_| place.says(format!("has too many {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn person() -> Value {
        json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 5},
                "age": {"type": "integer", "minimum": 0, "exclusiveMaximum": 200},
                "kind": {"enum": ["cat", "dog", 3]},
                "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "maxItems": 2},
                "friend": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}
            },
            "required": ["name"],
            "additionalProperties": false,
            "$defs": {"tag": {"const": "x"}}
        })
    }

    #[test]
    fn values_match_by_every_keyword() {
        for (value, expected) in [
            (json!({"name": "Ann"}), None),
            (json!({"name": "Ann", "age": 3.0, "kind": 3.0, "tags": ["x", "x"]}), None),
            (json!({"name": "Ann", "age": null, "friend": {"name": "Bo", "friend": null}}), None),
            (json!([]), Some("it is not of the type object")),
            (json!({}), Some("it has no member \"name\"")),
            (json!({"name": null}), Some("/name is not of the type string")),
            (json!({"name": ""}), Some("/name has too few characters")),
            (json!({"name": "abcdef"}), Some("/name has too many characters")),
            (json!({"name": "ößüäé"}), None),
            (json!({"name": "A", "age": 1.5}), Some("/age is not of the type integer")),
            (json!({"name": "A", "age": -1}), Some("/age is too small")),
            (json!({"name": "A", "age": 200}), Some("/age is too large")),
            (
                json!({"name": "A", "kind": "cow"}),
                Some("/kind is none of the values in the schema"),
            ),
            (
                json!({"name": "A", "tags": ["x", "y"]}),
                Some("/tags/1 is not the value in the schema"),
            ),
            (json!({"name": "A", "tags": ["x", "x", "x"]}), Some("/tags has too many items")),
            (
                json!({"name": "A", "secret": 1}),
                Some("it has a member that the schema does not allow"),
            ),
            (
                json!({"name": "A", "friend": {"name": 1}}),
                Some("/friend matches none of the alternatives in the schema"),
            ),
        ] {
            assert_eq!(mismatch(&value, &person()).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn less_usual_schemas_are_understood() {
        let pair = json!({"prefixItems": [{"type": "string"}], "items": {"type": "number"}});
        let old = json!({"items": [{"type": "string"}]});
        let open = json!({"type": "object", "additionalProperties": {"type": "number"}});
        let all = json!({"allOf": [{"type": "number"}, {"minimum": 2}]});
        for (value, schema, matches) in [
            (json!(["a", 1, 2]), &pair, true),
            (json!(["a", "b"]), &pair, false),
            (json!(["a", "b"]), &old, true),
            (json!([1]), &old, false),
            (json!({"a": 1}), &open, true),
            (json!({"a": "1"}), &open, false),
            (json!(2), &all, true),
            (json!(1), &all, false),
            (json!(null), &json!({"type": "STRING", "nullable": true}), true),
            (json!(1), &json!({"type": "STRING", "nullable": true}), false),
            (json!(1), &json!({"type": ["string", "integer"]}), true),
            (json!(1), &json!(false), false),
            (json!(1), &json!(true), true),
            (json!(1), &json!({"$ref": "#/nowhere"}), true),
            (json!(1), &json!({"type": "a type of the future", "pattern": "["}), true),
        ] {
            assert_eq!(mismatch(&value, schema).is_none(), matches, "{value} {schema}");
        }
    }

    #[test]
    fn a_schema_without_end_does_not_hang() {
        let own = json!({"$ref": "#"});
        assert_eq!(mismatch(&json!(1), &own), None);
        let twice = json!({"anyOf": [{"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, {"$ref": "#"}]});
        assert_eq!(mismatch(&json!(1), &twice), None);
        let mut deep = json!(1);
        for _ in 0..120 {
            deep = json!([deep]);
        }
        assert_eq!(mismatch(&deep, &json!({"items": {"$ref": "#"}})), None);
    }
}
