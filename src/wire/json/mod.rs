//! JSON reading and writing that the wire formats share.

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

use crate::decimal;
use crate::error::Error;
use crate::wire::json::bounded::Detail;
use crate::wire::json::number::Number;
use crate::wire::{AnswerBody, Failure};

/// Merges `extra` into `body`: objects key by key, everything else replaced.
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

/// Adds a member to a body, if it has a value.
#[inline]
pub(in crate::wire) fn set(
    body: &mut Map<String, Value>,
    name: &str,
    value: Option<impl Into<Value>>,
) {
    if let Some(value) = value {
        insert(body, name, value.into());
    }
}

/// Adds a member. Apart from [`set`], so that a member without a value costs one comparison.
#[inline(never)]
fn insert(body: &mut Map<String, Value>, name: &str, value: Value) {
    body.insert(name.to_owned(), value);
}

/// Builds an object from members whose names are known to the compiler: `object_of!("type": kind)`.
///
/// A copy of an object with these names takes less time than hashing each of them, and a
/// conversation has one such object per message.
macro_rules! object_of {
    ($($name:literal: $value:expr),+ $(,)?) => {{
        use serde_json::{Map, Value};
        static NAMES: std::sync::LazyLock<Map<String, Value>> =
            std::sync::LazyLock::new(|| Map::from_iter([$(($name.to_owned(), Value::Null)),+]));
        $crate::wire::json::filled(&NAMES, [$($value),+])
    }};
}
pub(in crate::wire) use object_of;

/// Returns a copy of an object with these values.
pub(in crate::wire) fn filled<const N: usize>(
    names: &Map<String, Value>,
    values: [Value; N],
) -> Value {
    let mut object = names.clone();
    for (member, value) in object.values_mut().zip(values) {
        *member = value;
    }
    Value::Object(object)
}

/// Builds an object from these members, with one allocation of the right size.
pub(in crate::wire) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let mut object = Map::with_capacity(N);
    for (name, value) in members {
        object.insert(name.to_owned(), value);
    }
    Value::Object(object)
}

/// Returns a member of a small object by linear search. Hashing one name takes as long as thirty
/// comparisons.
pub(in crate::wire) fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(member, _)| *member == name).map(|(_, value)| value)
}

/// Like [`member`], but mutable.
pub(in crate::wire) fn member_mut<'a>(
    object: &'a mut Map<String, Value>,
    name: &str,
) -> Option<&'a mut Value> {
    object.iter_mut().find(|(member, _)| *member == name).map(|(_, value)| value)
}

/// Serializes a body.
pub(crate) fn write(body: &Map<String, Value>) -> Result<Vec<u8>, Error> {
    let mut written = buffer();
    serde_json::to_writer(&mut written, body).map_err(unwritable)?;
    Ok(exact::unmarked_bytes(written))
}

/// Returns an empty buffer for a body. It holds a short question, with room for a number to append.
pub(in crate::wire) fn buffer() -> Vec<u8> {
    Vec::with_capacity(512)
}

/// The error for a body that cannot be serialized.
pub(in crate::wire) fn unwritable(cause: serde_json::Error) -> Error {
    Error::invalid_request("the request cannot be written as JSON").with_source(cause)
}

/// Adds a number to an already serialized object, under a name that it does not have yet.
pub(crate) fn append(written: &mut Vec<u8>, name: &str, number: u32) {
    let separator = if written.ends_with(b"{}") { "" } else { "," };
    if written.pop().is_some() {
        for part in [separator, "\"", name, "\":"] {
            written.extend_from_slice(part.as_bytes());
        }
        decimal::write(number.into(), written);
        written.push(b'}');
    }
}

/// Parses the body of a successful response. Almost valid JSON is [repaired](repair) into
/// `repaired` first. Errors never quote the body, because it can hold the answer.
pub(in crate::wire) fn read<'a, T: Deserialize<'a>>(
    body: impl Into<AnswerBody<'a>>,
    repaired: &'a mut Option<String>,
) -> Result<T, Failure> {
    let AnswerBody { bytes: body, text } = body.into();
    if let Some(what) = other_than_object(body) {
        let length = body.len();
        return Err(Failure::protocol(format!(
            "the response body is {what} ({length} bytes), not a JSON object"
        )));
    }
    tolerantly(body, text, repaired).map_err(|cause| {
        let what = match (body.trim_ascii(), cause.classify()) {
            (b"", _) if body.is_empty() => "is empty",
            (b"", _) => "is blank",
            _ if is_wide(body) => {
                "is UTF-16 or UTF-32, but JSON must be UTF-8 (RFC 8259 section 8.1)"
            }
            (_, Category::Data) => "is not the JSON that this format requires",
            (_, Category::Eof) => "is truncated JSON",
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

/// Returns the type of a JSON body that is not an object. Every answer is an object.
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

/// Returns true if a body is UTF-16 or UTF-32. It then starts with a byte order mark or has a zero
/// in its first two bytes, because JSON starts with ASCII characters (RFC 4627 section 3).
fn is_wide(body: &[u8]) -> bool {
    matches!(body, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..])
}

/// Parses the data of a stream's event, as [`read`] parses a body. Also returns true if its texts
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

/// Parses `bytes`; `text` is the same if they are valid UTF-8. Always parses from `str`, so that
/// the compiler generates one parser per type.
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

/// Returns a count of tokens, read as [`Number::count`] reads it.
pub(in crate::wire) fn count(value: &Value) -> Option<u64> {
    Number::deserialize(value).ok()?.count()
}

/// Parses the body of an error; `None` if it is not JSON.
pub(in crate::wire) fn detail(body: &[u8]) -> Option<Value> {
    let mut repaired = None;
    let read: Detail = tolerantly(body, std::str::from_utf8(body).ok(), &mut repaired).ok()?;
    Some(read.value)
}

/// Returns a name or id: a string, or a number in digits. An empty string is none.
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
    fn extra_merges_into_objects_and_replaces_everything_else() {
        let mut body = object(json!({"a": 1, "b": {"c": [1], "d": 2}}));
        merge(&mut body, &object(json!({"a": null, "b": {"c": [2], "e": 3}, "f": 4})));
        assert_eq!(
            Value::Object(body),
            json!({"a": null, "b": {"c": [2], "d": 2, "e": 3}, "f": 4})
        );
    }

    #[test]
    fn a_number_is_appended_to_a_serialized_object() {
        for (object, expected) in
            [(json!({}), json!({"n": 7})), (json!({"a": {}}), json!({"a": {}, "n": 7}))]
        {
            let mut written = write(&super::tests::object(object)).unwrap();
            append(&mut written, "n", 7);
            assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), expected);
        }
    }

    #[test]
    fn each_unreadable_body_has_its_own_message_that_does_not_quote_it() {
        for (body, expected) in [
            (&b""[..], "is empty"),
            (b" \r\n", "is blank"),
            (b"null\n", "is null"),
            (b"{\"secret\": ", "truncated"),
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
    fn numbers_survive_storage_unchanged() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..10_000 {
            let number = random.f64();
            let stored = serde_json::to_string(&number).unwrap();
            assert_eq!(serde_json::from_str::<f64>(&stored).unwrap(), number);
        }
    }
}
