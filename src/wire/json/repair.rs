//! Repairs almost valid JSON.

use std::borrow::Cow;

use super::halves;

/// Replaces what some servers write although JSON does not allow it. The replaced content is lost
/// anyway. Unpaired surrogate escapes, left where a server cut a text inside a pair, and invalid
/// UTF-8 become U+FFFD. `NaN`, `Infinity` and numbers beyond every type become null.
///
/// Returns `None` if there was nothing to replace.
pub(in crate::wire) fn repair(body: &[u8]) -> Option<String> {
    repaired(body, false)
}

/// Like [`repair`], for an event of a stream. A surrogate at the start or end of a string becomes a
/// [mark](halves), because its other half can be in another event. Also returns true if there may
/// be marks.
pub(in crate::wire) fn repair_event(body: &[u8]) -> (Option<String>, bool) {
    let text = std::str::from_utf8(body).ok();
    let mark = text.is_some_and(|text| !halves::is_ambiguous(text));
    (repaired(body, mark), mark)
}

fn repaired(body: &[u8], mark: bool) -> Option<String> {
    let lossy = String::from_utf8_lossy(body);
    let changed = matches!(lossy, Cow::Owned(_));
    let mut repaired = String::with_capacity(lossy.len());
    let mut rest: &str = &lossy;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string(rest, mark, &mut repaired),
            '-' | '0'..='9' | 'A'..='Z' | 'a'..='z' => word(rest, &mut repaired),
            other => {
                repaired.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    (changed || repaired != lossy).then_some(repaired)
}

/// Copies the string at the start of `rest` and returns its length. If `mark` is true, surrogate
/// halves at its start and end become marks.
fn string(rest: &str, mark: bool, repaired: &mut String) -> usize {
    repaired.push('"');
    let mut at = 1;
    while let Some(found) = rest[at..].find(['"', '\\']) {
        repaired.push_str(&rest[at..at + found]);
        at += found;
        if rest[at..].starts_with('"') {
            repaired.push('"');
            return at + 1;
        }
        let (escape, half) = match escaped(&rest[at..]) {
            Some(high @ 0xd800..=0xdbff) => match escaped(&rest[at + 6..]) {
                Some(0xdc00..=0xdfff) => (12, None),
                _ => (6, Some((high, rest[at + 6..].starts_with('"')))),
            },
            Some(low @ 0xdc00..=0xdfff) => (6, Some((low, at == 1))),
            Some(_) => (6, None),
            None => (1 + rest[at + 1..].chars().next().map_or(0, char::len_utf8), None),
        };
        match half {
            None => repaired.push_str(&rest[at..at + escape]),
            Some((half, true)) if mark => repaired.push(halves::mark(half)),
            Some(_) => repaired.push_str("\\ufffd"),
        }
        at += escape;
    }
    repaired.push_str(&rest[at..]);
    rest.len()
}

/// Returns the code unit of a `\uXXXX` at the start of `text`.
fn escaped(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
    u16::from_str_radix(digits, 16).ok()
}

/// Copies the number or name at the start of `rest` and returns its length.
fn word(rest: &str, repaired: &mut String) -> usize {
    let inside = |character: char| character.is_ascii_alphanumeric() || "+-.".contains(character);
    let length = rest.find(|character| !inside(character)).unwrap_or(rest.len());
    let word = &rest[..length];
    let number = word.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let endless = number && word.parse::<f64>().is_ok_and(f64::is_infinite);
    repaired.push_str(if endless || matches!(word, "NaN" | "Infinity") { "null" } else { word });
    length
}

#[cfg(test)]
mod tests {
    use super::repair;

    #[test]
    fn only_invalid_json_is_replaced() {
        for (body, expected) in [
            (r#"["half \ud83d"]"#, r#"["half \ufffd"]"#),
            (r#"["\uDE00 half", "\ud83d\n", "\ud83d\ud83d\ude00"]"#, {
                r#"["\ufffd half", "\ufffd\n", "\ufffd\ud83d\ude00"]"#
            }),
            (r#"[NaN, -Infinity, Infinity, 1e999, -2e400]"#, "[null, null, null, null, null]"),
            (r#"{"NaN": "NaN \" \\", "a": 1e999}"#, r#"{"NaN": "NaN \" \\", "a": null}"#),
        ] {
            let repaired = repair(body.as_bytes()).unwrap();
            assert_eq!(repaired, expected);
            assert!(serde_json::from_str::<serde_json::Value>(&repaired).is_ok());
        }
        assert_eq!(repair(b"[\"a\xffb\"]").as_deref(), Some("[\"a\u{fffd}b\"]"));
        for body in [
            "",
            r#"{"a": [1, -2.5e-3, true, null], "b": "\ud83d\ude00 \u00e9 \\ud83d é"}"#,
            "<html>",
            r#"["open"#,
            r#"["\"#,
            r#"["\u12"#,
            r#"["\ué000"]"#,
        ] {
            assert_eq!(repair(body.as_bytes()), None, "{body}");
        }
    }
}
