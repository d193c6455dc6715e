//! Keeps numbers exact that JSON values cannot represent.
//!
//! A [`Value`] holds 64-bit integers and floats. Tool arguments can contain longer numbers, such as
//! ids, which must not change on the way from the model to the tool or back. Before parsing, such
//! numbers are marked: they become strings that no server writes. When the value is written as
//! text, they become numbers again.

use serde_json::Value;
use std::borrow::Cow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The prefix of a marked number. It is different in every process, so that no text from outside
/// can pass for one.
fn prefix() -> &'static str {
    static PREFIX: OnceLock<String> = OnceLock::new();
    PREFIX.get_or_init(|| format!("\u{10f7fe}{:032x}:", fastrand::u128(..)))
}

/// True once this process has marked a number. It almost never does.
static MARKED: AtomicBool = AtomicBool::new(false);

/// Marks the numbers in JSON text that a value cannot represent, everywhere or only within members
/// called `within`. Returns `None` if there are none.
pub(in crate::wire) fn marked(text: &str, within: Option<&str>) -> Option<String> {
    let mut marked = String::new();
    let (mut copied, mut at, mut depth) = (0, 0, 0_usize);
    // The depth of the member whose value is being scanned.
    let mut inside = within.is_none().then_some(0);
    let mut last_string = "";
    let bytes = text.as_bytes();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let length = string_length(&text[at..]);
                last_string = text[at..at + length].trim_matches('"');
                at += length;
                continue;
            }
            b':' if inside.is_none() && within == Some(last_string) => inside = Some(depth),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                // The value ends here, or the object whose last member it is.
                if within.is_some() && inside.is_some_and(|inside| depth <= inside) {
                    inside = None;
                }
            }
            b',' if within.is_some() && inside == Some(depth) => inside = None,
            b'-' | b'0'..=b'9' => {
                let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                let length = bytes[at..].iter().take_while(|byte| is_part(byte)).count();
                let number = &text[at..at + length];
                if inside.is_some() && !is_exact(number) {
                    marked.push_str(&text[copied..at]);
                    marked.extend(["\"", prefix(), number, "\""]);
                    copied = at + length;
                }
                at += length;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return None;
    }
    MARKED.store(true, Ordering::Relaxed);
    marked.push_str(&text[copied..]);
    Some(marked)
}

/// Returns the length of the JSON string at the start of `text`, quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

/// Returns true if a value represents the number exactly. Floats do so up to 17 digits (IEEE 754,
/// binary64).
fn is_exact(number: &str) -> bool {
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    let is_integer = mantissa.len() == number.len() && !number.contains('.');
    if is_integer {
        return number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
    }
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0');
    // Anything else is not a number; the parser rejects it.
    !number.parse::<f64>().is_ok_and(|float| float.is_infinite() || digits.count() > 17)
}

/// Turns marked numbers in JSON text back into numbers.
pub(in crate::wire) fn unmarked(mut text: String) -> String {
    if !MARKED.load(Ordering::Relaxed) {
        return text;
    }
    while let Some(at) = text.find(prefix()) {
        let behind = at + prefix().len();
        let end = text[behind..].find('"').map_or(text.len(), |end| behind + end);
        if at == 0 || end == text.len() {
            break;
        }
        text.replace_range(end..=end, "");
        text.replace_range(at - 1..behind, "");
    }
    text
}

/// Like [`unmarked`], for bytes.
pub(in crate::wire) fn unmarked_bytes(written: Vec<u8>) -> Vec<u8> {
    if !MARKED.load(Ordering::Relaxed) {
        return written;
    }
    match String::from_utf8(written) {
        Ok(text) => unmarked(text).into_bytes(),
        Err(not_text) => not_text.into_bytes(),
    }
}

/// Rounds the marked numbers in a value to numbers that it can represent.
pub(in crate::wire) fn round(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(number) = text.strip_prefix(prefix()) {
                *value = serde_json::from_str(number).unwrap_or_default();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(round),
        Value::Object(members) => members.values_mut().for_each(round),
        _ => {}
    }
}

/// Returns true if a value holds a float, and so perhaps a number that needed a mark: the parser
/// makes floats of too long integers and of everything with a point or exponent. An answer has few
/// values, so this is much faster than searching its text.
pub(in crate::wire) fn has_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_float),
        Value::Object(members) => members.values().any(has_float),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// Parses a text and marks the numbers that a value cannot represent.
pub(in crate::wire) fn read(text: &str) -> Result<Value, serde_json::Error> {
    match serde_json::from_str(text) {
        Ok(value) if !has_float(&value) => Ok(value),
        // Unmarked numbers beyond the range of floats are an error.
        read => marked(text, None).map_or(read, |marked| serde_json::from_str(&marked)),
    }
}

/// Marks the text if it has numbers that need it.
pub(in crate::wire) fn prepared<'a>(text: &'a str, within: Option<&str>) -> Cow<'a, str> {
    marked(text, within).map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_parsing_and_writing() {
        for text in [
            r#"{"a":123456789012345678901234567890}"#,
            r#"{"a":-123456789012345678901234567890,"b":[18446744073709551616,1]}"#,
            r#"[18446744073709551615,-9223372036854775808,-9223372036854775809]"#,
            r#"{"a":{"b":3.14159265358979323846264338327950288}}"#,
            r#"[1e400,12345678901234567890.5]"#,
            "123456789012345678901234567890",
        ] {
            let marked = marked(text, None).unwrap();
            let value: Value = serde_json::from_str(&marked).unwrap();
            assert_eq!(unmarked(value.to_string()), text);
            assert_eq!(unmarked_bytes(serde_json::to_vec(&value).unwrap()), text.as_bytes());
            let mut rounded = value;
            round(&mut rounded);
            assert!(!rounded.to_string().contains(prefix()), "{rounded}");
        }
        for text in [
            "{}",
            "",
            r#"{"a":1,"b":-2.5e-3,"c":[0.1,18446744073709551615],"d":true,"e":null}"#,
            r#"{"a":"123456789012345678901234567890","b":"x\"1234567890123456789012"}"#,
            r#"{"a":0.00012345678901234567}"#,
            "[nonsense 12",
            r#"{"a":"open"#,
        ] {
            assert_eq!(marked(text, None), None, "{text}");
            assert_eq!(prepared(text, None), text);
        }
    }

    #[test]
    fn only_numbers_in_the_named_members_are_marked() {
        let long = "123456789012345678901234567890";
        for (text, count) in [
            (
                format!(r#"{{"a":{long},"input":{{"b":{long},"c":[{{"d":{long}}}]}},"e":{long}}}"#),
                2,
            ),
            (format!(r#"[{{"input":{long},"b":{long}}},{{"input":[{long}]}},{long}]"#), 2),
            (format!(r#"{{"a":"input","b":{long}}}"#), 0),
            (format!(r#"{{"x":{{"input":{long}}},"b":{long}}}"#), 1),
        ] {
            let marked = marked(&text, Some("input")).unwrap_or_default();
            assert_eq!(marked.matches(prefix()).count(), count, "{text}");
        }
    }

    #[test]
    fn a_value_without_floats_needs_no_marks() {
        let mut random = fastrand::Rng::with_seed(7);
        let pieces = [
            "1",
            "23",
            "0",
            "-",
            "+",
            ".",
            "e",
            "E",
            "e40",
            "e-400",
            "12345678",
            "922337203685477",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775809",
            ",",
            ":",
            "[",
            "]",
            "{",
            "}",
            "\"a\":",
            "\"a\"",
            "true",
            "null",
            " ",
        ];
        let (mut held, mut with_marks) = (0, 0);
        for _ in 0..200_000 {
            let count = random.usize(1..6);
            let number: String = (0..count).map(|_| *random.choice(&pieces).unwrap()).collect();
            for text in [format!("[{number}]"), format!("{{\"b\":{number}}}"), number] {
                let marked = marked(&text, None);
                with_marks += usize::from(marked.is_some());
                let whole = |text: &str| serde_json::from_str(text).ok();
                let expected: Option<Value> = whole(marked.as_deref().unwrap_or(&text));
                assert_eq!(read(&text).ok(), expected, "{text}");
                let plain: Option<Value> = whole(&text);
                if let Some(plain) = plain.filter(|plain| !has_float(plain)) {
                    assert_eq!(Some(plain), expected, "{text}");
                    held += 1;
                }
            }
        }
        assert!(held > 1000 && with_marks > 1000, "{held} {with_marks}");
    }

    #[test]
    fn a_text_from_outside_never_passes_for_a_marked_number() {
        let _ = marked("123456789012345678901234567890", None);
        let text = "{\"a\":\"\u{10f7fe}0123456789abcdef0123456789abcdef:12\"}";
        assert_eq!(unmarked(text.to_owned()), text);
    }
}
