//! Decides if unmodelled content is part of the answer.

use serde_json::Value;

/// Returns true if an unmodelled value holds some of the answer: a non-empty text, other than one
/// that only names the object or its kind.
pub(in crate::wire) fn says_something(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(says_something),
        Value::Object(members) => {
            members.iter().any(|(name, member)| !is_label(name) && says_something(member))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Returns true if a member with this name only names its object or its kind.
pub(in crate::wire) fn is_label(name: &str) -> bool {
    matches!(name, "type" | "id" | "index" | "format" | "object" | "role" | "status")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_non_empty_texts_that_are_not_labels_count() {
        for (value, expected) in [
            (json!("x"), true),
            (json!([{"type": "y", "data": "x"}]), true),
            (json!({"a": {"b": ["", "x"]}}), true),
            (json!(""), false),
            (json!(null), false),
            (json!([0, 1.5, true, null, "", [], {}]), false),
            (json!({"type": "x", "id": "x", "index": 1, "format": "x", "text": ""}), false),
        ] {
            assert_eq!(says_something(&value), expected, "{value}");
        }
    }
}
