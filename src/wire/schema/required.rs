//! Finds objects without a required member.

use serde_json::Value;

/// Returns true if every object with members in a schema requires at least one of them.
pub(super) fn has_any(schema: &Value) -> bool {
    match schema {
        Value::Object(schema) => {
            let members = schema.get("properties").and_then(Value::as_object);
            let required = schema.get("required").and_then(Value::as_array);
            let lacks = members.is_some_and(|members| !members.is_empty())
                && required.is_none_or(Vec::is_empty);
            !lacks && schema.values().all(has_any)
        }
        Value::Array(items) => items.iter().all(has_any),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_objects_with_members_need_a_required_one() {
        let text = json!({"type": "string"});
        let object = |members: &Value, required: &[&str]| json!({"type": "object", "properties": members, "required": required});
        let city = json!({"city": text});
        for (schema, expected) in [
            (text, true),
            (object(&json!({}), &[]), true),
            (object(&city, &["city"]), true),
            (object(&city, &[]), false),
            (json!({"type": "object", "properties": city}), false),
            (object(&json!({"places": {"anyOf": [object(&city, &[])]}}), &["places"]), false),
        ] {
            assert_eq!(has_any(&schema), expected, "{schema}");
        }
    }
}
