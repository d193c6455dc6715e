//! What the wire formats share in writing and reading JSON.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Failure;
use crate::error::Error;

/// Merges `extra` into `body`: objects key by key, anything else replaced.
pub(super) fn merge(body: &mut Map<String, Value>, extra: &Map<String, Value>) {
    for (key, value) in extra {
        match (body.get_mut(key), value) {
            (Some(Value::Object(ours)), Value::Object(theirs)) => merge(ours, theirs),
            _ => {
                body.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Writes a body.
pub(super) fn write(body: &Map<String, Value>) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(body).map_err(|cause| {
        Error::invalid_request("the request cannot be written as JSON").with_source(cause)
    })
}

/// Reads a successful response's body. What it says goes into no message, for it
/// may hold the answer.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|cause| {
        let what = match cause.classify() {
            serde_json::error::Category::Data => "is not the JSON this format promises",
            serde_json::error::Category::Eof if body.is_empty() => "is empty",
            serde_json::error::Category::Eof => "is JSON that breaks off",
            _ => "is not JSON",
        };
        Failure::protocol(format!(
            "the response body {what} ({} bytes, line {} column {})",
            body.len(),
            cause.line(),
            cause.column()
        ))
    })
}

/// The start of an error page for a message: on one line, without markup's
/// angle brackets, at most 200 characters.
pub(super) fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4096)]);
    let mut plain = String::new();
    let mut in_tag = false;
    for character in text.chars() {
        match character {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                plain.push(' ');
            }
            _ if in_tag => {}
            _ => plain.push(character),
        }
    }
    let words: Vec<_> = plain.split_whitespace().collect();
    words.join(" ").chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn extra_is_merged_into_objects_and_replaces_the_rest() {
        let mut body = object(json!({"a": 1, "b": {"c": [1], "d": 2}}));
        merge(&mut body, &object(json!({"a": null, "b": {"c": [2], "e": 3}, "f": 4})));
        assert_eq!(
            Value::Object(body),
            json!({"a": null, "b": {"c": [2], "d": 2, "e": 3}, "f": 4})
        );
    }

    #[test]
    fn unreadable_bodies_are_told_apart_and_not_repeated() {
        for (body, expected) in [
            ("", "is empty"),
            ("{\"secret\": ", "breaks off"),
            ("secret", "is not JSON"),
            ("[1]", "is not the JSON this format promises"),
        ] {
            let failure = read::<Map<String, Value>>(body.as_bytes()).unwrap_err();
            assert!(failure.message.contains(expected), "{body}: {}", failure.message);
            assert!(!failure.message.contains("secret"));
        }
    }

    #[test]
    fn an_error_page_is_shown_without_its_markup() {
        let page = "<html><head><title>502 Bad Gateway</title></head>\r\n<body>nginx</body></html>";
        assert_eq!(excerpt(page.as_bytes()), "502 Bad Gateway nginx");
    }
}
