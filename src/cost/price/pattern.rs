//! Matches names of models and providers against the table's patterns. `*` stands for anything,
//! `#` for a digit. A pattern after `&` must match too, and one after `!` must not.

use std::borrow::Cow;

use super::day;

/// Whether a name in lower case matches.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let mut rest = pattern.as_bytes();
    let mut wanted = true;
    loop {
        let end = rest.iter().position(|byte| matches!(byte, b'&' | b'!'));
        if fits(&rest[..end.unwrap_or(rest.len())], name.as_bytes()) != wanted {
            return false;
        }
        let Some(end) = end else { return true };
        wanted = rest[end] == b'&';
        rest = &rest[end + 1..];
    }
}

/// Usual wildcard matching: on a mismatch, the last `*` takes one more byte.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut star, mut retry) = (0, None, 0);
    let mut position = 0;
    while position < name.len() {
        let byte = name[position];
        match pattern.get(at) {
            Some(b'*') => {
                star = Some(at);
                retry = position;
                at += 1;
                continue;
            }
            Some(wanted) if *wanted == byte || (*wanted == b'#' && byte.is_ascii_digit()) => {
                at += 1;
                position += 1;
                continue;
            }
            _ => {}
        }
        match star {
            Some(star) => {
                retry += 1;
                position = retry;
                at = star + 1;
            }
            None => return false,
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// Lower case, the form in which names are compared.
pub(in crate::cost) fn fold(name: &str) -> Cow<'_, str> {
    match name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        true => Cow::Borrowed(name),
        false => Cow::Owned(name.to_lowercase()),
    }
}

/// Adds dashes to dates that some gateways write without: `-20251211`, at the end or before `-` or
/// `:`. `None` if there is no such date.
pub(super) fn with_dashes(name: &str) -> Option<String> {
    let mut written = String::with_capacity(name.len() + 2);
    let mut rest = name;
    while let Some(dash) = rest.find('-') {
        written.push_str(&rest[..=dash]);
        rest = &rest[dash + 1..];
        let digits = rest.get(..8).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let number = |text: &str| text.parse().unwrap_or(0);
        let date = digits.filter(|text| {
            let ends = matches!(rest.as_bytes().get(8), None | Some(b'-' | b':'));
            let real = day::is_date(number(&text[..4]), number(&text[4..6]), number(&text[6..]));
            ends && real && text.starts_with("20")
        });
        if let Some(date) = date {
            for part in [&date[..4], "-", &date[4..6], "-", &date[6..]] {
                written.push_str(part);
            }
            rest = &rest[8..];
        }
    }
    written.push_str(rest);
    (written.len() > name.len()).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names() {
        for (pattern, yes, no) in [
            ("gpt-5", &["gpt-5"][..], &["gpt-5x", "xgpt-5", "gpt-", ""][..]),
            ("gpt-5*", &["gpt-5", "gpt-5-mini"], &["gpt-4", "a-gpt-5"]),
            ("*gpt-5", &["gpt-5", "openai/gpt-5", "gpt-gpt-5"], &["gpt-5-mini"]),
            ("*us.meta*", &["us.meta", "a.us.meta.b", "us.us.meta"], &["us.met", "usmeta"]),
            ("gpt-####-##-##", &["gpt-2025-08-07"], &["gpt-2025-8-07", "gpt-2025-08-071"]),
            ("a*b*c", &["abc", "axxbxxc", "abcbc"], &["acb", "ab"]),
            ("*a*&*b*", &["ab", "ba", "xbxax"], &["a", "b", ""]),
            ("g*!*-tts!*-tts-*", &["g", "g-ttsx"], &["g-tts", "g-tts-x", "x", "g-x-tts"]),
            ("*", &["", "x"], &[]),
            ("", &[""], &["x"]),
        ] {
            for name in yes {
                assert!(matches(pattern, name), "{pattern} {name}");
            }
            for name in no {
                assert!(!matches(pattern, name), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn dates_without_dashes_get_them() {
        for (name, written) in [
            ("gpt-5.2-20251211", Some("gpt-5.2-2025-12-11")),
            ("model-20251211:free", Some("model-2025-12-11:free")),
            ("a-20251211-20240229", Some("a-2025-12-11-2024-02-29")),
            ("-20251211", Some("-2025-12-11")),
            ("model-20250230", None),
            ("model-202512110", None),
            ("model-19991211", None),
            ("model@20251211", None),
            ("modèle-é-2025121", None),
            ("model", None),
            ("", None),
        ] {
            assert_eq!(with_dashes(name).as_deref(), written, "{name}");
        }
    }
}
