//! Tests that this deserializer and serde_json's agree.

use super::*;
use serde_json::{Value, json};

/// Checks that both read the same from a text, whether it is kept or skipped.
fn agree(text: &str) {
    let theirs = serde_json::from_str::<Value>(text);
    match (from_str::<Value>(text), theirs) {
        (Ok(ours), Ok(theirs)) => {
            // Also compares the bits of floats, and the order of members.
            assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "{text:?}");
        }
        (Err(ours), Err(theirs)) => assert_eq!(ours, Cause::from(theirs), "{text:?}"),
        (ours, theirs) => panic!("{text:?}: {ours:?}, {theirs:?}"),
    }
    let theirs = serde_json::from_str::<IgnoredAny>(text).is_ok();
    assert_eq!(from_str::<IgnoredAny>(text).is_ok(), theirs, "{text:?} is skipped");
}

const TEXTS: &[&str] = &[
    "",
    " ",
    "null",
    " true ",
    "\u{feff}1",
    "nul",
    "nullx",
    "falsetrue",
    "0",
    "-0",
    "-0.0",
    "00",
    "01",
    "-",
    "-a",
    "+1",
    ".5",
    "5.",
    "5.e1",
    "1e",
    "1e+",
    "1E-2",
    "1e5",
    "1e999",
    "-1e999",
    "1e-999",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "123456789012345678901234567890.123456789012345678901234567890e-20",
    "0.1",
    "2.2250738585072011e-308",
    "\"\"",
    "\"a\"",
    "\"é🚀\u{7f}\u{80}\"",
    "\"a",
    "\"a\nb\"",
    "\"a\tb\"",
    "\"a\u{0}b\"",
    "\"12345678\"",
    "\"1234567\\n8\"",
    r#""\"\\\/\b\f\n\r\t\u00e9""#,
    r#""\ud83d\ude80""#,
    r#""\ud83d""#,
    r#""\ud83d\n""#,
    r#""\ud83d\u0041""#,
    r#""\ude80""#,
    r#""\u12""#,
    r#""\u12G4""#,
    r#""\u+123""#,
    r#""\x""#,
    r#""\"#,
    "[]",
    "[ ]",
    "[1]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1,2",
    "[",
    "]",
    "[}",
    "{}",
    "{ }",
    r#"{"a":1}"#,
    r#"{ "a" : 1 , "b" : [ { } ] }"#,
    r#"{"a":1,"a":2}"#,
    r#"{"a":1,}"#,
    r#"{,"a":1}"#,
    r#"{"a" 1}"#,
    r#"{"a":}"#,
    r#"{a:1}"#,
    r#"{1:1}"#,
    r#"{"a":1]"#,
    r#"{"\u0061\n":{"b":"c"}}"#,
    "1 2",
    "{} {}",
];

#[test]
fn both_read_the_same() {
    TEXTS.iter().for_each(|text| agree(text));
    for text in TEXTS {
        agree(&format!("[{text},{text}]"));
        agree(&format!("{{\"k\": {text} , \"k2\":[{text}]}}"));
    }
}

#[test]
fn both_read_the_same_when_bytes_are_changed() {
    let text = json!({
        "id": "chatcmpl-1", "n": [0, -1, 1.5, 1e300, true, false, null], "é": "🚀 \"quoted\" \\ \n",
        "usage": {"prompt_tokens": 14, "details": {"cached": 0}}, "empty": [{}, [], ""],
    })
    .to_string();
    let marks: Vec<char> = "{}[]\",:\\u0e-+. \n\u{1}aé9".chars().collect();
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..50_000 {
        let mut characters: Vec<char> = text.chars().collect();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..characters.len());
            let new = *random.choice(&marks).unwrap();
            match random.u8(..3) {
                0 => characters[at] = new,
                1 => characters.insert(at, new),
                _ => drop(characters.remove(at)),
            }
        }
        if random.bool() {
            characters.truncate(random.usize(..characters.len()));
        }
        agree(&characters.into_iter().collect::<String>());
    }
}

#[test]
fn both_read_the_same_floats() {
    let mut random = fastrand::Rng::with_seed(2);
    for _ in 0..20_000 {
        let number = f64::from_bits(random.u64(..));
        if number.is_finite() {
            agree(&format!("{number:?}"));
            agree(&format!("{number}"));
            agree(&format!("{number:e}"));
        }
        agree(&random.u64(..).to_string());
        agree(&random.i64(..).to_string());
    }
}

#[test]
fn values_may_be_nested_as_deeply_as_for_serde_json() {
    for depth in [1, 126, 127, 128, 129, 1000] {
        agree(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
        agree(&format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)));
        agree(&"[".repeat(depth));
    }
}

#[test]
fn the_end_of_a_plain_text_is_found_at_any_position() {
    for length in 0..120 {
        for at in 0..length {
            for end in [b'"', b'\\', 0, 0x1f] {
                let mut bytes = vec![0xff; length];
                bytes[at] = end;
                bytes.extend_from_slice(b"!~\x7f \x80");
                assert_eq!(plain_end(&bytes, 0), at);
                assert_eq!(plain_end(&bytes, at + 1), bytes.len());
            }
        }
    }
}

#[test]
fn plain_texts_are_borrowed() {
    let read: &str = from_str("\"a\"").unwrap();
    assert_eq!(read, "a");
    assert!(from_str::<&str>(r#""\n""#).is_err());
}

#[test]
fn valid_json_that_a_type_refuses_is_a_data_error_at_its_place() {
    let text = "{\n  \"a\": [1,\n 2, true]\n}";
    let theirs = serde_json::from_str::<std::collections::HashMap<&str, Vec<u8>>>(text);
    let ours = from_str::<std::collections::HashMap<&str, Vec<u8>>>(text);
    assert_eq!(ours.unwrap_err(), Cause::from(theirs.unwrap_err()));
}
