//! Text as one segment of a URL's path.

/// Encodes text as one segment of a path: everything but unreserved characters is percent-encoded
/// (RFC 3986 sections 2.3 and 3.3).
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay() {
        for (text, expected) in [
            ("gpt-4o_mini.v1~x", "gpt-4o_mini.v1~x"),
            ("a b/c:d?e#f%", "a%20b%2Fc%3Ad%3Fe%23f%25"),
            ("é", "%C3%A9"),
            ("", ""),
        ] {
            assert_eq!(encode(text), expected);
        }
    }
}
