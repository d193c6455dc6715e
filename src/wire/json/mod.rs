//! What the wire formats share in writing and reading JSON.

pub(in crate::wire) mod array;
pub(in crate::wire) mod bounded;
pub(in crate::wire) mod exact;
pub(in crate::wire) mod halves;
pub(in crate::wire) mod number;
pub(in crate::wire) mod object;
pub(in crate::wire) mod repair;
pub(in crate::wire) mod string;

use serde::Deserialize;
use serde::de::{Error as _, IgnoredAny};
use serde_json::error::Category;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::wire::Failure;
use crate::wire::json::bounded::Detail;
use crate::wire::json::number::Number;

/// Merges `extra` into `body`: objects key by key, anything else replaced.
pub(in crate::wire) fn merge(body: &mut Map<String, Value>, extra: &Map<String, Value>) {
    for (key, value) in extra {
        match (body.get_mut(key), value) {
            (Some(Value::Object(ours)), Value::Object(theirs)) => merge(ours, theirs),
            _ => {
                body.insert(key.clone(), value.clone());
            }
        }
    }
}

/// An object of these members. It is allocated once, in its size.
pub(in crate::wire) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let mut object = Map::with_capacity(N);
    for (name, value) in members {
        object.insert(name.to_owned(), value);
    }
    Value::Object(object)
}

/// The member of an object with few members, by a look at each: a map hashes a name in the
/// time of thirty such looks.
pub(in crate::wire) fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(member, _)| *member == name).map(|(_, value)| value)
}

/// As [`member`], to change it.
pub(in crate::wire) fn member_mut<'a>(
    object: &'a mut Map<String, Value>,
    name: &str,
) -> Option<&'a mut Value> {
    object.iter_mut().find(|(member, _)| *member == name).map(|(_, value)| value)
}

/// Writes a body.
pub(crate) fn write(body: &Map<String, Value>) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(body).map(exact::unmarked_bytes).map_err(|cause| {
        Error::invalid_request("the request cannot be written as JSON").with_source(cause)
    })
}

/// Adds a number to an object that is written, under a name that it does not have.
pub(crate) fn append(written: &mut Vec<u8>, name: &str, number: u32) {
    let itoa = &*number.to_string();
    let separator = if written.ends_with(b"{}") { "" } else { "," };
    if written.pop().is_some() {
        for part in [separator, "\"", name, "\":", itoa, "}"] {
            written.extend_from_slice(part.as_bytes());
        }
    }
}

/// Reads a successful response's body; nearly JSON is read [repaired](repair),
/// and then kept in `repaired`. What it says goes into no message, for it may hold the
/// answer.
pub(in crate::wire) fn read<'a, T: Deserialize<'a>>(
    body: &'a [u8],
    repaired: &'a mut Option<String>,
) -> Result<T, Failure> {
    if let Some(what) = other_than_object(body) {
        let length = body.len();
        return Err(Failure::protocol(format!(
            "the response body is {what} ({length} bytes), not a JSON object"
        )));
    }
    tolerantly(body, std::str::from_utf8(body).ok(), repaired).map_err(|cause| {
        let what = match (body.trim_ascii(), cause.classify()) {
            (b"", _) if body.is_empty() => "is empty",
            (b"", _) => "is blank",
            _ if is_wide(body) => {
                "is UTF-16 or UTF-32, but JSON must be UTF-8 (RFC 8259 section 8.1)"
            }
            (_, Category::Data) => "is not the JSON this format promises",
            (_, Category::Eof) => "is JSON that breaks off",
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

/// The type of a JSON body that is not an object, as every answer is.
fn other_than_object(body: &[u8]) -> Option<&'static str> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let what = match body.trim_ascii_start().first()? {
        b'{' => return None,
        b'[' => "an array",
        b'"' => "a string",
        b'n' => "null",
        b't' | b'f' => "a boolean",
        _ => "a number",
    };
    serde_json::from_slice::<IgnoredAny>(body).is_ok().then_some(what)
}

/// Whether a body is UTF-16 or UTF-32: it has a byte order mark, or a zero among its first two
/// bytes, since JSON begins with ASCII characters (RFC 4627 section 3).
fn is_wide(body: &[u8]) -> bool {
    matches!(body, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..])
}

/// Reads the data of an event of a stream, as [`read`] a body. Also returns whether its texts
/// may have marks of [halves].
pub(in crate::wire) fn event<'a, T: Deserialize<'a>>(
    data: &'a str,
    repaired: &'a mut Option<String>,
) -> Result<(T, bool), Failure> {
    let cause = match serde_json::from_str(data) {
        Ok(read) => return Ok((read, false)),
        Err(cause) => cause,
    };
    let (text, marked) = repair::repair_event(data.as_bytes());
    *repaired = text;
    let read = repaired.as_deref().and_then(|text| serde_json::from_str(text).ok());
    read.map(|read| (read, marked)).ok_or_else(|| {
        Failure::protocol(format!(
            "an event of the stream is not JSON ({} bytes, line {} column {})",
            data.len(),
            cause.line(),
            cause.column()
        ))
    })
}

/// Reads `bytes`, which are `text` if they are any. Always from text, so that there is one
/// parser of each type.
fn tolerantly<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    text: Option<&'a str>,
    repaired: &'a mut Option<String>,
) -> Result<T, serde_json::Error> {
    let cause = match text.map(serde_json::from_str) {
        Some(Ok(read)) => return Ok(read),
        Some(Err(cause)) => cause,
        None => serde_json::Error::custom("not UTF-8"),
    };
    *repaired = repair::repair(bytes);
    match repaired.as_deref().map(serde_json::from_str) {
        Some(Ok(read)) => Ok(read),
        Some(Err(later)) if text.is_none() => Err(later),
        _ => Err(cause),
    }
}

/// A count of tokens, as [`Number::count`] reads it.
pub(in crate::wire) fn count(value: &Value) -> Option<u64> {
    Number::deserialize(value).ok()?.count()
}

/// Reads an error's body; none where it is no JSON.
pub(in crate::wire) fn detail(body: &[u8]) -> Option<Value> {
    let mut repaired = None;
    let read: Detail = tolerantly(body, std::str::from_utf8(body).ok(), &mut repaired).ok()?;
    Some(read.value)
}

/// A name or a word: a text, or a number in digits. An empty one is none.
pub(in crate::wire) fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
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
    fn a_number_is_added_to_what_is_written() {
        for (object, expected) in
            [(json!({}), json!({"n": 7})), (json!({"a": {}}), json!({"a": {}, "n": 7}))]
        {
            let mut written = write(&super::tests::object(object)).unwrap();
            append(&mut written, "n", 7);
            assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), expected);
        }
    }

    #[test]
    fn unreadable_bodies_are_told_apart_and_not_repeated() {
        for (body, expected) in [
            (&b""[..], "is empty"),
            (b" \r\n", "is blank"),
            (b"null\n", "is null"),
            (b"{\"secret\": ", "breaks off"),
            (b"secret", "is not JSON"),
            (b"[1]", "is an array"),
            (b" \"secret\"", "is a string"),
            (b"-1.5", "is a number"),
            (b"false", "is a boolean"),
            (b"\xef\xbb\xbfnull", "is null"),
            (b"nothing secret", "is not JSON"),
            (b"{\"a\": 1, \"a\": }", "is not JSON"),
            (b"\xff\xfe{\0}\0", "is UTF-16"),
            (b"\xfe\xff\0{\0}", "is UTF-16"),
            (b"{\0}\0", "is UTF-16"),
            (b"\0{\0}", "is UTF-16"),
            (b"\0\0\0{\0\0\0}", "UTF-32"),
            (b"\xffsecret", "is not JSON"),
        ] {
            let failure = read::<Map<String, Value>>(body, &mut None).unwrap_err();
            assert!(failure.message.contains(expected), "{body:?}: {}", failure.message);
            assert!(!failure.message.contains("secret"));
        }
    }

    #[test]
    fn numbers_stay_what_they_were_when_stored_and_loaded() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..10_000 {
            let number = random.f64();
            let stored = serde_json::to_string(&number).unwrap();
            assert_eq!(serde_json::from_str::<f64>(&stored).unwrap(), number);
        }
    }
}
