//! The headers of a request.

use std::fmt;

/// The value of a header: text that a header can carry. `Debug` hides a secret one.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HeaderValue {
    text: String,
    is_secret: bool,
}

impl HeaderValue {
    /// Checks a value. `None` if a header cannot carry it.
    pub(crate) fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        text.bytes().all(is_value).then_some(Self { text, is_secret: false })
    }

    /// Sets whether the value is secret, such as a key. Default: it is not.
    pub(crate) fn secret(self, is_secret: bool) -> Self {
        Self { is_secret, ..self }
    }

    pub(crate) fn is_secret(&self) -> bool {
        self.is_secret
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_secret {
            true => f.write_str("[hidden]"),
            false => self.text.fmt(f),
        }
    }
}

/// Returns a header's name in lower case; `None` if it is not a token (RFC 9110 section 5.1).
pub(crate) fn header_name(name: &str) -> Option<String> {
    (!name.is_empty() && name.bytes().all(is_name)).then(|| name.to_ascii_lowercase())
}

/// Returns true if a header's name may contain the byte: `tchar` of RFC 9110 section 5.6.2.
pub(crate) const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+')
        || matches!(byte, b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

/// Returns true if a header's value may contain the byte: tab, space, visible characters, and bytes
/// above ASCII, which are allowed but have no meaning (RFC 9110 section 5.5).
pub(crate) const fn is_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= 0x20 && byte != 0x7f)
}

/// Headers in the order in which they were set. Each name is in lower case and has one value.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeaderList(Vec<(String, HeaderValue)>);

impl HeaderList {
    /// Sets a header, whose name is in lower case. It replaces an earlier one of the same name.
    pub(crate) fn set(&mut self, name: impl Into<String>, value: HeaderValue) {
        let name = name.into();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    /// Sets several headers.
    pub(crate) fn extend(
        &mut self,
        headers: impl IntoIterator<Item = (impl Into<String>, HeaderValue)>,
    ) {
        headers.into_iter().for_each(|(name, value)| self.set(name, value));
    }

    pub(crate) fn get(&self, name: &str) -> Option<&HeaderValue> {
        self.0.iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<HeaderValue> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

#[cfg(test)]
impl PartialEq<&str> for HeaderValue {
    fn eq(&self, text: &&str) -> bool {
        self.text == *text
    }
}

#[cfg(test)]
impl std::ops::Index<&str> for HeaderList {
    type Output = HeaderValue;

    fn index(&self, name: &str) -> &HeaderValue {
        self.get(name).expect("a header that is set")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http;

    #[test]
    fn names_and_values_are_those_that_ureq_sends() {
        for code in (0..0x180).chain([0x20ac, 0x1f680]) {
            let text = format!("A{}b", char::from_u32(code).unwrap());
            let name = http::HeaderName::try_from(&text).ok();
            assert_eq!(
                header_name(&text).as_deref(),
                name.as_ref().map(|it| it.as_str()),
                "{text:?}"
            );
            let is_value = http::HeaderValue::from_str(&text).is_ok();
            assert_eq!(HeaderValue::new(text.as_str()).is_some(), is_value, "{text:?}");
        }
        assert_eq!(header_name(""), None);
        assert!(HeaderValue::new("").is_some());
    }

    #[test]
    fn a_later_header_replaces_an_earlier_one_in_its_place() {
        let mut headers = HeaderList::default();
        for (name, value) in [("a", "1"), ("b", "2"), ("a", "3")] {
            headers.set(name, HeaderValue::new(value).unwrap());
        }
        let values: Vec<_> = headers.iter().map(|(name, value)| (name, value.as_str())).collect();
        assert_eq!(values, [("a", "3"), ("b", "2")]);
        assert_eq!(headers.remove("a").unwrap().as_str(), "3");
        assert_eq!((headers.get("a"), headers.get("b").is_some()), (None, true));
    }

    #[test]
    fn a_secret_value_is_not_shown() {
        let value = HeaderValue::new("sk-secret").unwrap();
        assert_eq!(format!("{value:?}"), "\"sk-secret\"");
        assert_eq!(format!("{:?}", value.secret(true)), "[hidden]");
    }
}
