//! API keys, and the removal of secrets from everything the crate shows.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::base64;
use crate::scan::plain_blocks;

/// A provider's API key. `Debug` never shows it.
///
/// ```
/// use tollgate::ApiKey;
///
/// assert_eq!(format!("{:?}", ApiKey::from("sk-secret")), "ApiKey([hidden])");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// The key itself, without the white space that comes with a key read from a file.
    pub(crate) fn expose(&self) -> &str {
        self.0.trim()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey([hidden])")
    }
}

impl From<&str> for ApiKey {
    fn from(key: &str) -> Self {
        Self(key.to_owned())
    }
}

impl From<String> for ApiKey {
    fn from(key: String) -> Self {
        Self(key)
    }
}

/// The secrets that this crate must never show, although a server may echo them.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    /// The longest first, because it may contain a shorter one.
    secrets: Vec<String>,
}

impl Secrets {
    /// Shorter values, such as `true`, are not secret; hiding them would only garble messages.
    pub(crate) const LEAST: usize = 8;

    /// Collects the secrets in headers, given as names and values. If a value is a scheme with
    /// credentials (RFC 9110 section 11.4), only the credentials are secret. The decoded form of
    /// `Basic` credentials is hidden as well (RFC 7617).
    pub(crate) fn new<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut secrets = Self::default();
        for (name, value) in headers {
            secrets.add_header(name, value);
        }
        secrets
    }

    /// Adds the secret in a header.
    pub(crate) fn add_header(&mut self, name: &str, value: &str) {
        let value = value.trim();
        let scheme = value.split_once(' ').filter(|(scheme, _)| {
            name.ends_with("authorization")
                || ["basic", "bearer"].contains(&&*scheme.to_ascii_lowercase())
        });
        let Some((scheme, credentials)) = scheme else {
            self.add(value);
            return;
        };
        let credentials = credentials.trim();
        self.add(credentials);
        if scheme.eq_ignore_ascii_case("basic") {
            let decoded = base64::decode(credentials);
            if let Some(decoded) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) {
                self.add(&decoded);
                self.add(decoded.split_once(':').map_or("", |(_, password)| password));
            }
        }
    }

    pub(crate) fn add(&mut self, secret: &str) {
        let is_known = self.secrets.iter().any(|known| known == secret);
        if secret.len() >= Self::LEAST && !is_known {
            let place = self.secrets.partition_point(|other| other.len() >= secret.len());
            self.secrets.insert(place, secret.to_owned());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// Adds the secrets of another list.
    pub(crate) fn add_all(&mut self, others: &Self) {
        others.secrets.iter().for_each(|secret| self.add(secret));
    }

    /// Whether the text contains any secret.
    pub(crate) fn are_in(&self, text: &[u8]) -> bool {
        self.secrets.iter().any(|secret| find(text, secret.as_bytes()).is_some())
    }

    /// Replaces every secret in `text` with `[key]`.
    pub(crate) fn hide<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        self.secrets.iter().fold(text, hide)
    }

    /// Like [`hide`](Self::hide), in place.
    pub(crate) fn hide_in(&self, text: &mut String) {
        if self.are_in(text.as_bytes()) {
            *text = self.hide(Cow::Borrowed(text)).into_owned();
        }
    }

    /// Like [`hide_in`](Self::hide_in), but keeps whatever is part of `known`: a header may name
    /// the model for a gateway, which is no secret.
    pub(crate) fn hide_beside(&self, text: &mut String, known: &str) {
        if !self.are_in(text.as_bytes()) {
            return;
        }
        let secrets = self.secrets.iter().filter(|secret| !known.contains(&***secret));
        *text = secrets.fold(Cow::Borrowed(&**text), hide).into_owned();
    }
}

fn hide<'a>(text: Cow<'a, str>, secret: &String) -> Cow<'a, str> {
    let mut hidden = String::new();
    let mut rest = &*text;
    while let Some(found) = find(rest.as_bytes(), secret.as_bytes()) {
        let (Some(before), Some(behind)) = (rest.get(..found.start), rest.get(found.end..)) else {
            break;
        };
        hidden.push_str(before);
        hidden.push_str("[key]");
        rest = behind;
    }
    if hidden.is_empty() {
        return text;
    }
    hidden.push_str(rest);
    Cow::Owned(hidden)
}

/// Where a text contains a secret, either literally or with some bytes escaped as in URLs, JSON or
/// HTML.
fn find(text: &[u8], secret: &[u8]) -> Option<Range<usize>> {
    let first = *secret.first()?;
    // No form is shorter than the secret.
    let last = text.len().checked_sub(secret.len())?;
    // Every response is searched, and few of its bytes match the first byte of a secret.
    let may_start = |byte: u8| (byte == first) | (byte == b'%') | (byte == b'\\') | (byte == b'&');
    let starts = &text[..=last];
    let mut from = 0;
    loop {
        from += plain_blocks::<16>(&starts[from..], may_start);
        let start = from + starts[from..].iter().position(|byte| may_start(*byte))?;
        if let Some(length) = length_at(&text[start..], secret) {
            return Some(start..start + length);
        }
        from = start + 1;
    }
}

/// The length of the secret at the start of a text, escaped or not.
#[inline(never)]
fn length_at(text: &[u8], secret: &[u8]) -> Option<usize> {
    if text.starts_with(secret) {
        return Some(secret.len());
    }
    secret.iter().try_fold(0, |at, byte| {
        let rest = text.get(at..)?;
        match character(rest) {
            Some((value, length)) if value == u32::from(*byte) => Some(at + length),
            _ if rest.first() == Some(byte) => Some(at + 1),
            _ => None,
        }
    })
}

/// The character that an escape stands for, and its length: `%2F` (RFC 3986 section 2.1), `\/` and
/// `\u002f` (RFC 8259 section 7), `&#47;`, `&#x2f;` and `&amp;` (HTML).
fn character(text: &[u8]) -> Option<(u32, usize)> {
    let hex = |digits: &[u8]| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    match text {
        [b'%', high, low, ..] => Some((hex(&[*high, *low])?, 3)),
        [b'\\', b'u', digits @ ..] => Some((hex(digits.get(..4)?)?, 6)),
        [b'\\', escaped @ (b'/' | b'"' | b'\\'), ..] => Some((u32::from(*escaped), 2)),
        [b'&', rest @ ..] => {
            let end = rest.iter().take(8).position(|byte| *byte == b';')?;
            let value = match &rest[..end] {
                [b'#', b'x' | b'X', digits @ ..] => hex(digits)?,
                [b'#', digits @ ..] => std::str::from_utf8(digits).ok()?.parse().ok()?,
                b"amp" => u32::from(b'&'),
                b"lt" => u32::from(b'<'),
                b"gt" => u32::from(b'>'),
                b"quot" => u32::from(b'"'),
                b"apos" => u32::from(b'\''),
                _ => return None,
            };
            Some((value, end + 2))
        }
        _ => None,
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets([hidden])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_is_hidden_everywhere_in_a_text() {
        let secrets =
            Secrets::new([("a", "sk-12345678"), ("b", "Bearer sk-12345678-long"), ("c", "short")]);
        for (text, expected) in [
            ("nothing here", "nothing here"),
            ("sk-12345678,sk-12345678", "[key],[key]"),
            ("bad key sk-12345678-long.", "bad key [key]."),
            ("é sk-12345678é", "é [key]é"),
            ("sk-1234567", "sk-1234567"),
            ("sk-sk-12345678", "sk-[key]"),
            ("a short one stays", "a short one stays"),
            ("", ""),
        ] {
            assert_eq!(secrets.hide(text.into()), expected);
            assert_eq!(secrets.are_in(text.as_bytes()), text != expected);
            let mut hidden = text.to_owned();
            secrets.hide_in(&mut hidden);
            assert_eq!(hidden, expected);
        }
        assert!(!format!("{secrets:?}").contains("sk-1"));
    }

    #[test]
    fn an_escaped_secret_is_hidden_too() {
        let secrets = Secrets::new([("a", "a/b+c=d&\"e\\f%")]);
        for text in [
            "a%2Fb%2Bc%3Dd%26%22e%5Cf%25",
            "a%2fb%2bc%3dd%26%22e%5cf%25",
            "a/b%2Bc=d&%22e%5Cf%25",
            "%61/b+c=d&\"e\\f%",
            "a/b+c=d&\\\"e\\\\f%",
            "a\\/b\\u002bc\\u003Dd&\\u0022e\\\\f%",
            "a/b+c=d&amp;&quot;e\\f%",
            "a&#47;b&#x2B;c&#61;d&amp;&#34;e&#92;f&#37;",
        ] {
            assert_eq!(secrets.hide(format!("({text})").into()), "([key])", "{text}");
        }
        for text in
            ["a%2Fb", "a/b+c=d&\"e\\f", "a%2", "\\u00", "&", "&#", "&#x;&#99999999999;", "%é"]
        {
            assert_eq!(secrets.hide(text.into()), text);
        }
    }

    #[test]
    fn credentials_are_hidden_and_their_scheme_is_not() {
        // `user:pass-word`
        const BASIC: &str = "Basic dXNlcjpwYXNzLXdvcmQ=";
        for (name, value, text, expected) in [
            ("x-key", "bearer abcdefgh", "Bearer abcdefgh", "Bearer [key]"),
            ("authorization", "Token abcdefgh", "token abcdefgh", "token [key]"),
            ("x-title", "My Program", "My Program", "[key]"),
            ("x-title", "My Programmes", "Programmes", "Programmes"),
            ("authorization", BASIC, "dXNlcjpwYXNzLXdvcmQ=", "[key]"),
            ("proxy-authorization", BASIC, "user:pass-word", "[key]"),
            ("authorization", BASIC, "not pass-word", "not [key]"),
        ] {
            assert_eq!(Secrets::new([(name, value)]).hide(text.into()), expected, "{value}");
        }
    }

    #[test]
    fn a_header_value_that_is_part_of_the_model_name_is_not_hidden() {
        let secrets = Secrets::new([("x-model", "gpt-4o-mini"), ("x-api-key", "sk-12345678")]);
        for (model, expected) in [
            ("gpt-4o-mini", "gpt-4o-mini"),
            ("gpt-4o-mini-2024-07-18", "gpt-4o-mini-2024-07-18"),
            ("gpt-4o-mini-sk-12345678", "gpt-4o-mini-[key]"),
        ] {
            let mut model = model.to_owned();
            secrets.hide_beside(&mut model, "openai/gpt-4o-mini");
            assert_eq!(model, expected);
        }
    }
}
