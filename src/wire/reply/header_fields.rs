//! The header fields of a response.

use std::fmt;

use super::headers::is_read;
use crate::key::Secrets;

/// The longest name that anyone reads.
const LONGEST_NAME: usize = 64;

/// The header fields of a response that someone reads ([`is_read`]), in their order.
///
/// Their names and values are ranges of one text, so a response costs two allocations, however many
/// fields it has.
#[derive(Clone, Default)]
pub(crate) struct HeaderFields {
    /// All names, in lower case, and values.
    text: Vec<u8>,
    ranges: Vec<Ranges>,
}

/// Where a name and a value start and end.
#[derive(Clone, Copy)]
struct Ranges {
    name: (usize, usize),
    value: (usize, usize),
}

impl HeaderFields {
    /// Keeps the fields that someone reads.
    pub(crate) fn kept<'a>(all: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut fields = Self { text: Vec::with_capacity(640), ranges: Vec::with_capacity(12) };
        for (name, value) in all {
            if name.len() > LONGEST_NAME {
                continue;
            }
            let start = fields.text.len();
            fields.text.extend_from_slice(name);
            let name = &mut fields.text[start..];
            name.make_ascii_lowercase();
            if is_read(name) {
                let name = (start, fields.text.len());
                let value = fields.add(value);
                fields.ranges.push(Ranges { name, value });
            } else {
                fields.text.truncate(start);
            }
        }
        fields
    }

    fn add(&mut self, value: &[u8]) -> (usize, usize) {
        let start = self.text.len();
        self.text.extend_from_slice(value);
        (start, self.text.len())
    }

    /// Returns the names, in lower case, and the values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.ranges.iter().map(|field| (self.part(field.name), self.part(field.value)))
    }

    fn part(&self, (start, end): (usize, usize)) -> &[u8] {
        self.text.get(start..end).unwrap_or_default()
    }

    /// Hides secrets in the values.
    pub(crate) fn hide(&mut self, secrets: &Secrets) {
        for at in 0..self.ranges.len() {
            let value = self.part(self.ranges[at].value);
            if secrets.are_in(value) {
                let hidden = secrets.hide(String::from_utf8_lossy(value)).into_owned();
                self.ranges[at].value = self.add(hidden.as_bytes());
            }
        }
    }
}

/// Hides the values: a server may echo a key.
impl fmt::Debug for HeaderFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.iter().map(|(name, _)| String::from_utf8_lossy(name));
        f.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(fields: &[(&str, &[u8])]) -> HeaderFields {
        HeaderFields::kept(fields.iter().map(|(name, value)| (name.as_bytes(), *value)))
    }

    fn pairs(fields: &HeaderFields) -> Vec<(&[u8], &[u8])> {
        fields.iter().collect()
    }

    #[test]
    fn fields_that_someone_reads_are_kept_in_their_order_with_names_in_lower_case() {
        let long = format!("x-{}-request-id", "a".repeat(LONGEST_NAME));
        let fields = kept(&[
            ("Server", b"nginx"),
            ("X-Request-ID", b"a"),
            ("set-cookie", b"b"),
            (&long, b"c"),
            ("x-request-id", b""),
            ("LOCATION", b"\xff"),
        ]);
        let expected: [(&[u8], &[u8]); 3] =
            [(b"x-request-id", b"a"), (b"x-request-id", b""), (b"location", b"\xff")];
        assert_eq!(pairs(&fields), expected);
        assert_eq!(pairs(&HeaderFields::default()), []);
    }

    #[test]
    fn secrets_are_hidden_in_values() {
        let secrets = Secrets::new([("x-api-key", "sk-12345678")]);
        let mut fields = kept(&[
            ("x-request-id", b"a sk-12345678 \xff sk-12345678"),
            ("date", b"today"),
            ("cf-ray", b"sk-12345678"),
        ]);
        fields.hide(&secrets);
        let expected: [(&[u8], &[u8]); 3] = [
            (b"x-request-id", "a [key] \u{fffd} [key]".as_bytes()),
            (b"date", b"today"),
            (b"cf-ray", b"[key]"),
        ];
        assert_eq!(pairs(&fields), expected);
    }
}
