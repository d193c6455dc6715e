//! The type of the values that a schema allows.

use serde_json::{Map, Value, json};

use super::arguments::is_object;

/// Adds the type that other keywords imply.
pub(super) fn add_implied_type(schema: &mut Map<String, Value>) {
    if schema.contains_key("type") || schema.contains_key("anyOf") || schema.contains_key("$ref") {
        return;
    }
    let kind = if ["properties", "additionalProperties", "required"]
        .iter()
        .any(|name| schema.contains_key(*name))
    {
        json!("object")
    } else if schema.contains_key("items") || schema.contains_key("prefixItems") {
        json!("array")
    } else {
        let values = match (schema.get("enum"), schema.get("const")) {
            (Some(Value::Array(values)), _) => values.as_slice(),
            (None, Some(value)) => std::slice::from_ref(value),
            _ => return,
        };
        let mut kinds: Vec<Value> = Vec::new();
        for value in values {
            let kind = match value {
                Value::Null => "null",
                Value::Bool(_) => "boolean",
                Value::Number(number) if number.is_f64() => "number",
                Value::Number(_) => "integer",
                Value::String(_) => "string",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
            };
            if !kinds.iter().any(|known| known == kind) {
                kinds.push(kind.into());
            }
        }
        match kinds.len() {
            0 => return,
            1 => kinds.remove(0),
            _ => kinds.into(),
        }
    };
    schema.shift_insert(0, "type".to_owned(), kind);
}

/// Returns true if a schema says that it is an object.
pub(super) fn is_an_object(schema: &Map<String, Value>) -> bool {
    schema.get("type").is_some_and(is_object)
}

/// Returns true if a schema does not allow just any value.
pub(super) fn is_typed(schema: &Map<String, Value>) -> bool {
    ["type", "anyOf", "enum", "const", "$ref"].iter().any(|name| schema.contains_key(*name))
}
