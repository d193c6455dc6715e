//! The schema of a tool's arguments where nothing strict is asked for.

use serde_json::{Map, Value, json};

use super::reference::{self, Definitions};

/// Keywords that neither OpenAI nor Anthropic takes at the top of a tool's schema: "must
/// have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level"
/// (OpenAI, in the error; n8n-io/n8n #21475), "input_schema does not support oneOf, allOf,
/// or anyOf at the top level" (Anthropic; anthropics/claude-code #4753).
const NOT_AT_THE_TOP: [&str; 5] = ["oneOf", "anyOf", "allOf", "enum", "not"];

/// The schema of a tool's arguments: an object's, with its `properties`.
///
/// Null, `{}` and `{"type": "object"}` mean a tool without arguments. OpenAI refuses an
/// object without `properties` ("object schema missing properties"), and many servers a
/// function without `parameters`.
///
/// # Errors
///
/// If the schema describes anything but an object, with the remedy.
pub(super) fn arguments(parameters: &Value) -> Result<Value, String> {
    let given = match parameters {
        Value::Null => &Map::new(),
        Value::Object(given) => given,
        other => {
            return Err(format!(
                "are {}, not a JSON Schema; give one such as {EXAMPLE}",
                reference::noun(other)
            ));
        }
    };
    let mut schema = inlined(given)?;
    let not_here = |keyword: &&&str| schema.keys().any(|name| name == **keyword);
    if let Some(keyword) = NOT_AT_THE_TOP.iter().find(not_here) {
        return Err(format!(
            "have {keyword:?} at the top, which providers refuse there; put it into a property, \
             as in {EXAMPLE}"
        ));
    }
    match schema.get("type") {
        Some(kind) if is_object(kind) => {
            schema.insert("type".to_owned(), "object".into());
        }
        Some(kind) => {
            return Err(format!(
                "describe {kind}, but the arguments of a tool are an object; name each argument, \
                 as in {EXAMPLE}"
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

/// A schema that is only a reference at the top, as that of a recursive type, with what it
/// points to in its place.
pub(super) fn inlined(given: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    let Some(pointer) = given.get("$ref") else { return Ok(given.clone()) };
    let target = Definitions::of(given).resolved(pointer).ok_or_else(|| {
        format!("refer to {pointer}, which is not in the schema; put it into \"$defs\"")
    })?;
    let mut schema = target.clone();
    for (name, value) in given.iter().filter(|(name, _)| *name != "$ref") {
        schema.insert(name.clone(), value.clone());
    }
    Ok(schema)
}

/// Whether a `type` is an object's, or an object's or null.
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
