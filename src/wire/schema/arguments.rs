//! The schema of a tool's arguments if the tool is not strict.

use serde_json::{Map, Value, json};

use super::reference::{self, Definitions};

/// Keywords that OpenAI and Anthropic reject at the top of a tool's schema: "must have type
/// 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level" (OpenAI, in the
/// error; n8n-io/n8n #21475), "input_schema does not support oneOf, allOf, or anyOf at the top
/// level" (Anthropic; anthropics/claude-code #4753).
const NOT_AT_THE_TOP: [&str; 5] = ["oneOf", "anyOf", "allOf", "enum", "not"];

/// Completes the schema of a tool's arguments to an object with `properties`.
///
/// Null, `{}` and `{"type": "object"}` mean a tool without arguments. OpenAI rejects an object
/// without `properties` ("object schema missing properties"), and many servers reject a function
/// without `parameters`.
///
/// # Errors
///
/// A schema that describes anything but an object, with what to do instead.
pub(super) fn arguments(parameters: &Value) -> Result<Value, String> {
    let given = match parameters {
        Value::Null => &Map::new(),
        Value::Object(given) => given,
        other => {
            return Err(format!(
                "are {}, not a JSON Schema; give one such as {EXAMPLE}",
                reference::type_name(other)
            ));
        }
    };
    let mut schema = with_root_inlined(given)?;
    let not_here = |keyword: &&&str| schema.keys().any(|name| name == **keyword);
    if let Some(keyword) = NOT_AT_THE_TOP.iter().find(not_here) {
        return Err(format!(
            "have {keyword:?} at the top, which providers reject; put it into a property, \
             as in {EXAMPLE}"
        ));
    }
    match schema.get("type") {
        Some(kind) if is_object(kind) => {
            schema.insert("type".to_owned(), "object".into());
        }
        Some(kind) => {
            return Err(format!(
                "describe {kind}, but tool arguments must be an object; name each argument, as in \
                 {EXAMPLE}"
            ));
        }
        None => {
            schema.shift_insert(0, "type".to_owned(), "object".into());
        }
    }
    if !schema.get("properties").is_some_and(Value::is_object) {
        schema.insert("properties".to_owned(), json!({}));
    }
    Ok(schema.into())
}

const EXAMPLE: &str = r#"{"type": "object", "properties": {"city": {"type": "string"}}}"#;

/// Replaces a reference at the top of a schema, as recursive types have it, with its target.
pub(super) fn with_root_inlined(given: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    let Some(pointer) = given.get("$ref") else { return Ok(given.clone()) };
    let target = Definitions::of(given).resolved(pointer).ok_or_else(|| {
        format!("cannot be resolved: {pointer} is not in the schema; define it in \"$defs\"")
    })?;
    let mut schema = target.clone();
    for (name, value) in given.iter().filter(|(name, _)| *name != "$ref") {
        schema.insert(name.clone(), value.clone());
    }
    Ok(schema)
}

/// Returns true if a `type` is an object, or an object or null.
pub(super) fn is_object(kind: &Value) -> bool {
    match kind {
        Value::String(kind) => kind == "object",
        Value::Array(kinds) => {
            kinds.iter().any(|kind| kind == "object")
                && kinds.iter().all(|kind| kind == "object" || kind == "null")
        }
        _ => false,
    }
}
