//! Matches names against patterns. `*` stands for anything, `#` for a digit. A pattern after `&`
//! must match too, and one after `!` must not.

/// Whether a name in lower case matches.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
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
}
