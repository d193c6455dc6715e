//! Keywords that a subset of JSON Schema lacks. Those that the model can follow as text move into
//! the description.

use serde_json::{Map, Value};
use std::fmt::Write as _;

use super::path::Path;
use super::{Subset, gemini};

/// String formats that both providers support.
const FORMATS: [&str; 9] =
    ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];

/// Keywords that mean nothing to a model.
const IGNORED: [&str; 8] = [
    "$schema",
    "$id",
    "$comment",
    "$anchor",
    "discriminator",
    "deprecated",
    "readOnly",
    "writeOnly",
];

/// The only string formats that Cohere supports.
const FORMATS_OF_COHERE: [&str; 4] = ["date-time", "uuid", "date", "time"];

/// Limits that no subset supports. They move into the description.
const LIMITS: [&str; 11] = [
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
    "uniqueItems",
    "minContains",
    "maxContains",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "examples",
];

/// Limits that Anthropic's and Cohere's subsets lack. Anthropic supports `minItems`, but only 0
/// and 1.
const LIMITS_BEYOND_OPENAI: [&str; 7] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "maxItems",
    "minItems",
];

/// Keywords without an equivalent, and what to do instead.
const REJECTED: [(&str, &str); 9] = [
    ("patternProperties", "use an array of objects with a key and a value"),
    ("not", "list what is allowed"),
    ("if", "use anyOf with one object for each case"),
    ("then", "use anyOf with one object for each case"),
    ("else", "use anyOf with one object for each case"),
    ("dependentRequired", "use anyOf with one object for each case"),
    ("dependentSchemas", "use anyOf with one object for each case"),
    ("dependencies", "use anyOf with one object for each case"),
    ("additionalItems", "use an object with a member for each item"),
];

/// Removes the keywords that the subset lacks. A keyword that the model can follow as text moves
/// into the description; any other is an error.
pub(super) fn remove_unsupported(
    schema: &mut Map<String, Value>,
    subset: Subset,
    path: &Path<'_>,
) -> Result<(), String> {
    schema.shift_remove("$schema");
    if subset == Subset::Any {
        return Ok(());
    }
    for (keyword, remedy) in REJECTED {
        let is_empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
        if schema.get(keyword).is_some_and(is_empty) {
            schema.shift_remove(keyword);
        } else if schema.contains_key(keyword) {
            return Err(rejection(path, &format!("{keyword:?} has no equivalent"), remedy));
        }
    }
    if let Some(Value::Array(values)) = schema.get("enum") {
        if values.iter().any(|value| value.is_object() || value.is_array()) {
            return Err(rejection(
                path,
                "\"enum\" contains an object or an array",
                "describe it with anyOf and const members",
            ));
        }
    }
    let mut notes = Vec::new();
    for keyword in names(schema) {
        let Some(value) = schema.get(&keyword) else { continue };
        let keep = match keyword.as_str() {
            _ if subset == Subset::Gemini => gemini::knows(&keyword, value),
            "format" if subset == Subset::Cohere => {
                value.as_str().is_some_and(|format| FORMATS_OF_COHERE.contains(&format))
            }
            "format" => {
                let format = value.as_str().unwrap_or_default();
                FORMATS.contains(&format) || (format == "uri" && subset == Subset::Anthropic)
            }
            "pattern" => {
                value.as_str().is_some_and(|pattern| is_supported_pattern(pattern, subset))
            }
            // "'default' is not permitted" (OpenAI).
            "default" => subset == Subset::Anthropic && !value.is_null(),
            "minItems" if subset == Subset::Anthropic => matches!(value.as_u64(), Some(0 | 1)),
            // Every object is closed anyway.
            "unevaluatedProperties" => false,
            name if IGNORED.contains(&name) || name.starts_with("x-") => false,
            name if LIMITS.contains(&name) => false,
            name => subset == Subset::OpenAi || !LIMITS_BEYOND_OPENAI.contains(&name),
        };
        if keep {
            continue;
        }
        let Some(value) = schema.shift_remove(&keyword) else { continue };
        let says = match keyword.as_str() {
            "default" => !value.is_null(),
            // The formats of Rust's number types add nothing to the type.
            "format" => !is_number(schema.get("type")),
            "unevaluatedProperties" => false,
            name => !(IGNORED.contains(&name) || name.starts_with("x-")),
        };
        if says {
            notes.push((keyword, value));
        }
    }
    if !notes.is_empty() {
        append_to_description(schema, &notes);
    }
    Ok(())
}

/// Builds the error for a place in a schema, with what to do instead.
pub(super) fn rejection(path: &Path<'_>, problem: &str, remedy: &str) -> String {
    format!("cannot be strict: at {path}, {problem}; {remedy}, or set strict to false")
}

/// Copies the names of the members, so that the members can change.
fn names(schema: &Map<String, Value>) -> Vec<String> {
    schema.keys().cloned().collect()
}

fn is_number(kind: Option<&Value>) -> bool {
    let number = |kind: &Value| kind == "integer" || kind == "number" || kind == "null";
    match kind {
        Some(Value::Array(kinds)) => kinds.iter().all(number),
        Some(kind) => number(kind),
        None => false,
    }
}

/// Returns true if the subset supports the pattern. Neither has lookaround; Anthropic's has no
/// back-references and no word boundaries either.
fn is_supported_pattern(pattern: &str, subset: Subset) -> bool {
    let escapes = match subset {
        // "The following are not supported in Regular Expressions" (its guide).
        Subset::Cohere => &["^", "$"][..],
        Subset::Anthropic => &["\\b", "\\B", "\\1", "\\2", "\\3", "\\4", "\\k"][..],
        _ => &[],
    };
    let lookaround = ["(?=", "(?!", "(?<=", "(?<!"];
    !lookaround.iter().chain(escapes).any(|token| pattern.contains(token))
}

/// Appends the removed keywords to the description, as Anthropic's SDK does.
fn append_to_description(schema: &mut Map<String, Value>, notes: &[(String, Value)]) {
    let mut text = match schema.get("description").and_then(Value::as_str) {
        Some(description) if !description.trim().is_empty() => format!("{description} "),
        _ => String::new(),
    };
    for (index, (keyword, value)) in notes.iter().enumerate() {
        let before = if index == 0 { '(' } else { ',' };
        let gap = if index == 0 { "" } else { " " };
        let _ = match value.as_str() {
            Some(value) => write!(text, "{before}{gap}{keyword}: {value}"),
            None => write!(text, "{before}{gap}{keyword}: {value}"),
        };
    }
    text.push(')');
    schema.insert("description".to_owned(), text.into());
}
