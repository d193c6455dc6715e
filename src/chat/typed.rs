//! Reading a caller's own type out of what a model wrote.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;

/// Reads JSON that a model wrote for a schema.
///
/// Strict schemas require every member, and allow null for those that may be missing. Where
/// a type has no place for a null, such as a member with a default, it is read as missing.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text).or_else(|cause| {
        let Ok(mut value) = serde_json::from_str::<Value>(text) else { return Err(cause) };
        drop_nulls(&mut value);
        serde_json::from_value(value).map_err(|_| cause)
    })
}

/// The JSON in an answer: without the fence that models put around it when no schema binds
/// them.
pub(super) fn unfenced(text: &str) -> &str {
    let text = text.trim_start_matches('\u{feff}').trim();
    let inner = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    let Some(inner) = inner else { return text };
    inner.trim_start_matches(|char: char| char.is_ascii_alphanumeric()).trim()
}

/// What is wrong with JSON, without a word of it.
pub(super) fn problem(cause: &serde_json::Error) -> String {
    let place = format!("line {} column {}", cause.line(), cause.column());
    match cause.classify() {
        Category::Eof => format!("it breaks off at {place}"),
        Category::Data => {
            let text = cause.to_string();
            // The type's own words; all others quote from the text.
            let names_member = text.starts_with("missing field");
            match text.split(" at line ").next().filter(|_| names_member) {
                Some(missing) => missing.to_owned(),
                None => format!("it has another form at {place}"),
            }
        }
        Category::Syntax | Category::Io => format!("it is not JSON at {place}"),
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
    fn what_may_be_missing_may_be_null() {
        let ann = |age, extra| Person { name: "Ann".into(), age, tags: Vec::new(), extra };
        for (text, expected) in [
            (r#"{"name": "Ann"}"#, ann(None, Value::Null)),
            (r#"{"name": "Ann", "age": null}"#, ann(None, Value::Null)),
            (r#"{"name": "Ann", "age": 3, "tags": null}"#, ann(Some(3), Value::Null)),
            // A null that fits stays.
            (r#"{"name": "Ann", "extra": [null]}"#, ann(None, serde_json::json!([null]))),
        ] {
            assert_eq!(read::<Person>(text).unwrap(), expected, "{text}");
        }
        assert!(read::<Person>(r#"{"name": null}"#).is_err());
    }

    #[test]
    fn problems_are_named_without_the_text() {
        for (text, expected) in [
            (r#"{"name": "secret"#, "it breaks off at line 1 column 16"),
            (r#"{"age": 1}"#, "missing field `name`"),
            (r#"{"name": 1}"#, "it has another form at line 1 column 10"),
            (r#"{"name": "x", "age": "secret"}"#, "it has another form at line 1 column 29"),
            ("secret", "it is not JSON at line 1 column 1"),
        ] {
            let problem = problem(&read::<Person>(text).unwrap_err());
            assert_eq!(problem, expected, "{text}");
        }
    }

    #[test]
    fn fences_are_taken_off() {
        for text in ["{}", " {}\n", "```json\n{}\n```", "```\n{}```", "```JSON\n{}\n```\n"] {
            assert_eq!(unfenced(text), "{}", "{text}");
        }
        assert_eq!(unfenced("a ```{}```"), "a ```{}```");
    }
}
