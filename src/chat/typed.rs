//! Deserializes what a model wrote into a type of the caller's.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;

/// Parses JSON that a model wrote for a schema.
///
/// Strict schemas require every member, and allow null for optional ones. If the type rejects the
/// nulls (a member with a default, for example), they count as missing.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text).or_else(|cause| {
        let Ok(mut value) = serde_json::from_str::<Value>(text) else { return Err(cause) };
        drop_nulls(&mut value);
        serde_json::from_value(value).map_err(|_| cause)
    })
}

/// Strips the Markdown fence that models put around JSON when no schema is enforced.
pub(super) fn strip_fence(text: &str) -> &str {
    let text = text.trim_start_matches('\u{feff}').trim();
    let inner = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    let Some(inner) = inner else { return text };
    inner.trim_start_matches(|char: char| char.is_ascii_alphanumeric()).trim()
}

/// Describes what is wrong with the JSON without quoting any of it.
pub(crate) fn problem(cause: &serde_json::Error) -> String {
    described(cause, &format!("line {} column {}", cause.line(), cause.column()))
}

/// Like [`problem`], for JSON that is one line of a file. The caller knows which.
pub(crate) fn problem_in_line(cause: &serde_json::Error) -> String {
    described(cause, &format!("column {}", cause.column()))
}

fn described(cause: &serde_json::Error, place: &str) -> String {
    match cause.classify() {
        Category::Eof => format!("it ends early at {place}"),
        Category::Data => {
            let text = cause.to_string();
            // This text names a field of the caller's type. All others quote the JSON.
            let names_field = text.starts_with("missing field");
            match text.split(" at line ").next().filter(|_| names_field) {
                Some(missing) => missing.to_owned(),
                None => format!("wrong type or value at {place}"),
            }
        }
        Category::Syntax | Category::Io => format!("invalid JSON at {place}"),
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Person {
        name: String,
        age: Option<u32>,
        #[serde(default)]
        tags: Vec<String>,
        #[serde(default)]
        extra: Value,
    }

    #[test]
    fn optional_members_may_be_null() {
        let ann = |age, extra| Person { name: "Ann".into(), age, tags: Vec::new(), extra };
        for (text, expected) in [
            (r#"{"name": "Ann"}"#, ann(None, Value::Null)),
            (r#"{"name": "Ann", "age": null}"#, ann(None, Value::Null)),
            (r#"{"name": "Ann", "age": 3, "tags": null}"#, ann(Some(3), Value::Null)),
            // A null that the type accepts stays.
            (r#"{"name": "Ann", "extra": [null]}"#, ann(None, serde_json::json!([null]))),
        ] {
            assert_eq!(read::<Person>(text).unwrap(), expected, "{text}");
        }
        assert!(read::<Person>(r#"{"name": null}"#).is_err());
    }

    #[test]
    fn problems_are_described_without_quoting_the_json() {
        for (text, expected) in [
            (r#"{"name": "secret"#, "it ends early at line 1 column 16"),
            (r#"{"age": 1}"#, "missing field `name`"),
            (r#"{"name": 1}"#, "wrong type or value at line 1 column 10"),
            (r#"{"name": "x", "age": "secret"}"#, "wrong type or value at line 1 column 29"),
            ("secret", "invalid JSON at line 1 column 1"),
        ] {
            let problem = problem(&read::<Person>(text).unwrap_err());
            assert_eq!(problem, expected, "{text}");
            let in_line = problem_in_line(&read::<Person>(text).unwrap_err());
            assert_eq!(in_line, expected.replace("line 1 ", ""), "{text}");
        }
    }

    #[test]
    fn markdown_fences_are_stripped() {
        for text in ["{}", " {}\n", "```json\n{}\n```", "```\n{}```", "```JSON\n{}\n```\n"] {
            assert_eq!(strip_fence(text), "{}", "{text}");
        }
        assert_eq!(strip_fence("a ```{}```"), "a ```{}```");
    }
}
