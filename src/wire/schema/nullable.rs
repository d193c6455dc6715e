//! Makes schemas allow null.

use serde_json::{Map, Value, json};

use super::reference::Definitions;

/// Makes a completed schema allow null too.
pub(super) fn nullable(schema: Value, definitions: Definitions<'_>) -> Value {
    let Value::Object(mut schema) = schema else { return schema };
    if admits_null(&schema, definitions, 0) {
        return schema.into();
    }
    if let Some(Value::Array(variants)) = schema.get_mut("anyOf") {
        variants.push(json!({"type": "null"}));
        return schema.into();
    }
    if let Some(value) = schema.shift_remove("const") {
        schema.insert("enum".to_owned(), json!([value]));
    }
    let is_plain = match schema.get("type") {
        Some(Value::String(kind)) => !matches!(kind.as_str(), "object" | "array"),
        Some(Value::Array(_)) => true,
        _ => false,
    };
    if is_plain {
        match schema.get_mut("type") {
            Some(Value::Array(kinds)) => kinds.push("null".into()),
            Some(kind) => *kind = json!([kind, "null"]),
            None => {}
        }
        if let Some(Value::Array(values)) = schema.get_mut("enum") {
            values.push(Value::Null);
        }
        return schema.into();
    }
    // The description goes next to the union, where a reader of the schema looks for it.
    let description = schema.shift_remove("description");
    let mut union = Map::new();
    if let Some(description) = description {
        union.insert("description".to_owned(), description);
    }
    union.insert("anyOf".to_owned(), json!([schema, {"type": "null"}]));
    union.into()
}

fn admits_null(schema: &Map<String, Value>, definitions: Definitions<'_>, depth: usize) -> bool {
    if depth > 16 {
        return false;
    }
    let within = |value: &Value| {
        value.as_object().is_some_and(|schema| admits_null(schema, definitions, depth + 1))
    };
    if let Some(pointer) = schema.get("$ref") {
        let target = definitions.resolved(pointer);
        return target.is_some_and(|target| admits_null(target, definitions, depth + 1));
    }
    if let Some(Value::Array(variants)) = schema.get("anyOf").or_else(|| schema.get("oneOf")) {
        return variants.iter().any(within);
    }
    if let Some(value) = schema.get("const") {
        return value.is_null();
    }
    let typed = match schema.get("type") {
        Some(Value::String(kind)) => kind == "null",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "null"),
        _ => true,
    };
    let listed = match schema.get("enum") {
        Some(Value::Array(values)) => values.iter().any(Value::is_null),
        _ => true,
    };
    typed && listed
}

/// Counts the unions in a schema: `anyOf`, and lists of types.
pub(super) fn unions(schema: &Value) -> usize {
    match schema {
        Value::Object(members) => {
            let own = usize::from(
                members.get("anyOf").is_some_and(Value::is_array)
                    || members.get("type").is_some_and(Value::is_array),
            );
            own + members.values().map(unions).sum::<usize>()
        }
        Value::Array(items) => items.iter().map(unions).sum(),
        _ => 0,
    }
}
