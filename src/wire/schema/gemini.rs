//! Gemini's subset of JSON Schema.
//!
//! "Only the following properties are supported: `$id`, `$defs`, `$ref`, `$anchor`, `type`,
//! `format`, `title`, `description`, `enum` (for strings and numbers), `items`, `prefixItems`,
//! `minItems`, `maxItems`, `minimum`, `maximum`, `anyOf`, `oneOf` (interpreted the same as
//! `anyOf`), `properties`, `additionalProperties`, `required`", and `propertyOrdering`
//! (ai.google.dev/api/generate-content, `responseJsonSchema`).

use serde_json::{Map, Value, json};

/// The keywords, without those that only name a schema, which mean nothing to a model.
const KEYWORDS: [&str; 18] = [
    "$defs",
    "$ref",
    "type",
    "format",
    "title",
    "description",
    "enum",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "anyOf",
    "properties",
    "additionalProperties",
    "required",
    "propertyOrdering",
];

/// The formats of strings (ai.google.dev/gemini-api/docs/structured-output, "JSON schema
/// support").
const FORMATS: [&str; 3] = ["date-time", "date", "time"];

/// Returns true if Gemini supports a keyword with this value.
pub(super) fn knows(keyword: &str, value: &Value) -> bool {
    match (keyword, value) {
        ("format", Value::String(format)) => FORMATS.contains(&format.as_str()),
        ("enum", Value::Array(values)) => !values.iter().any(Value::is_boolean),
        _ => KEYWORDS.contains(&keyword),
    }
}

/// Replaces unsupported keywords by supported ones: a constant by an enumeration of one value,
/// older names of definitions and tuples by their newer names.
pub(super) fn rewrite(schema: &mut Map<String, Value>) {
    match schema.get("const") {
        Some(Value::Null) => {
            schema.shift_remove("const");
            schema.insert("type".to_owned(), "null".into());
        }
        Some(value @ (Value::String(_) | Value::Number(_))) => {
            let values = json!([value]);
            schema.shift_remove("const");
            schema.insert("enum".to_owned(), values);
        }
        _ => {}
    }
    if let Some(Value::Object(older)) = schema.shift_remove("definitions") {
        let definitions = schema.entry("$defs").or_insert_with(|| json!({}));
        if let Value::Object(definitions) = definitions {
            for (name, definition) in older {
                definitions.entry(name).or_insert(definition);
            }
        }
    }
    if let Some(Value::Array(items)) = schema.get("items") {
        let items = items.clone();
        schema.shift_remove("items");
        schema.insert("prefixItems".to_owned(), items.into());
    }
}

/// Updates references to renamed definitions.
pub(super) fn rename_references(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(rename_references),
        Value::Object(members) => members.iter_mut().for_each(|(name, member)| match member {
            Value::String(pointer) if name == "$ref" => {
                if let Some(definition) = pointer.strip_prefix("#/definitions/") {
                    *pointer = format!("#/$defs/{definition}");
                }
            }
            member => rename_references(member),
        }),
        _ => {}
    }
}

/// Moves null from an enumeration, which can only have strings and numbers, to a variant of its
/// own.
pub(super) fn without_null(schema: Value) -> Value {
    let Value::Object(mut schema) = schema else { return schema };
    let Some(Value::Array(values)) = schema.get_mut("enum") else { return schema.into() };
    let before = values.len();
    values.retain(|value| !value.is_null());
    if values.len() == before {
        return schema.into();
    }
    if values.is_empty() {
        schema.shift_remove("enum");
        schema.insert("type".to_owned(), "null".into());
        return schema.into();
    }
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [kind] = kinds.as_slice() {
            let kind = kind.clone();
            schema.insert("type".to_owned(), kind);
        }
    }
    let mut union = Map::new();
    if let Some(description) = schema.shift_remove("description") {
        union.insert("description".to_owned(), description);
    }
    union.insert("anyOf".to_owned(), json!([schema, {"type": "null"}]));
    union.into()
}

#[cfg(test)]
mod tests {
    use crate::chat::{Function, JsonSchema};
    use crate::wire::schema::{Subset, of_answer, of_tool};
    use serde_json::{Value, json};

    #[test]
    fn what_the_subset_lacks_is_said_in_other_words() {
        for (given, expected) in [
            // Optional members and open objects stay.
            (
                json!({"type": "object", "properties": {"a": {"type": "string"}},
                    "additionalProperties": {"type": "integer", "exclusiveMinimum": 0}}),
                json!({"type": "object", "properties": {"a": {"type": "string"}},
                    "additionalProperties": {"type": "integer",
                        "description": "(exclusiveMinimum: 0)"}}),
            ),
            (json!({"const": "a"}), json!({"type": "string", "enum": ["a"]})),
            (json!({"const": true}), json!({"type": "boolean", "description": "(const: true)"})),
            (json!({"const": null}), json!({"type": "null"})),
            (
                json!({"type": "string", "pattern": "^a", "minLength": 1, "description": "x"}),
                json!({"type": "string", "description": "x (pattern: ^a, minLength: 1)"}),
            ),
            (
                json!({"type": "string", "format": "date"}),
                json!({"type": "string", "format": "date"}),
            ),
            (
                json!({"type": "string", "format": "uuid"}),
                json!({"type": "string", "description": "(format: uuid)"}),
            ),
            (json!({"type": "integer", "format": "int64"}), json!({"type": "integer"})),
            (
                json!({"enum": ["a", null], "description": "x"}),
                json!({"description": "x",
                    "anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]}),
            ),
            (json!({"type": "string", "nullable": true}), json!({"type": ["string", "null"]})),
            (
                json!({"oneOf": [{"type": "string"}, {"type": "integer"}]}),
                json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}),
            ),
            (
                json!({"type": "array", "items": [{"type": "string"}, {"const": 1}]}),
                json!({"type": "array",
                    "prefixItems": [{"type": "string"}, {"type": "integer", "enum": [1]}]}),
            ),
            (
                json!({"type": "object", "properties": {"a": {"$ref": "#/definitions/A",
                    "description": "x"}}, "definitions": {"A": {"type": "string"}}}),
                json!({"type": "object",
                    "properties": {"a": {"description": "x", "anyOf": [{"$ref": "#/$defs/A"}]}},
                    "$defs": {"A": {"type": "string"}}}),
            ),
            (
                json!({"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}},
                    {"required": ["a"]}], "$schema": "x"}),
                json!({"type": "object", "properties": {"a": {"type": "string"}},
                    "required": ["a"]}),
            ),
        ] {
            let schema = of_answer(&JsonSchema::new("s", given.clone()), true, Subset::Gemini);
            assert_eq!(schema.unwrap(), expected, "{given}");
        }
    }

    #[test]
    fn what_has_no_equivalent_is_refused_with_its_path_where_it_must_hold() {
        let given = json!({"type": "object", "properties": {
            "a": {"type": "array", "items": {"type": "object", "patternProperties": {"^x": {}}}}}});
        let format = JsonSchema::new("s", given.clone());
        let error = of_answer(&format, true, Subset::Gemini).unwrap_err();
        assert!(error.message().contains("$.properties.a.items"), "{error}");
        assert!(error.message().contains("\"patternProperties\""), "{error}");
        let function = Function::new("f", given.clone()).strict(true);
        let error = of_tool(&function, Subset::Gemini).unwrap_err();
        assert!(error.message().contains("$.properties.a.items"), "{error}");
        // Where it need not, it is sent as it is.
        assert_eq!(of_answer(&format, false, Subset::Gemini).unwrap(), given);
        assert_eq!(of_tool(&Function::new("f", given.clone()), Subset::Gemini).unwrap(), given);
        let lax = Function::new("f", json!({"properties": {"a": {"const": "x"}}}));
        let schema: Value = of_tool(&lax, Subset::Gemini).unwrap();
        assert_eq!(schema["properties"]["a"], json!({"type": "string", "enum": ["x"]}));
    }
}
