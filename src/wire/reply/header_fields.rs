//! The header fields of a response.

use std::fmt;

use super::purpose::Purpose;
use crate::key::Secrets;

/// The longest name that anyone reads.
const LONGEST_NAME: usize = 64;

/// The header fields of a response that someone reads, in their order.
///
/// Their values are ranges of one text, so a response costs two allocations, however many fields it
/// has.
#[derive(Clone, Default)]
pub(crate) struct HeaderFields {
    /// All values.
    text: Vec<u8>,
    fields: Vec<(Purpose, (usize, usize))>,
}

/// A header field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) purpose: Purpose,
    pub(super) value: &'a [u8],
}

impl HeaderFields {
    /// Keeps the fields that someone reads.
    pub(crate) fn kept<'a>(all: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut kept = Self { text: Vec::with_capacity(320), fields: Vec::with_capacity(12) };
        let mut lower_case = [0; LONGEST_NAME];
        for (name, value) in all {
            let Some(copy) = lower_case.get_mut(..name.len()) else { continue };
            copy.copy_from_slice(name);
            // All of it, which takes less time than a part whose length varies.
            lower_case.make_ascii_lowercase();
            if let Some(purpose) = Purpose::of(&lower_case[..name.len()]) {
                let value = kept.add(value);
                kept.fields.push((purpose, value));
            }
        }
        kept
    }

    fn add(&mut self, value: &[u8]) -> (usize, usize) {
        let start = self.text.len();
        self.text.extend_from_slice(value);
        (start, self.text.len())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        let field = |(purpose, value): &_| Field { purpose: *purpose, value: self.part(*value) };
        self.fields.iter().map(field)
    }

    /// Returns names with which [`kept`](Self::kept) keeps the same fields, and the values.
    pub(crate) fn named(&self) -> impl Iterator<Item = (String, &[u8])> {
        self.iter().map(|field| (field.purpose.name(), field.value))
    }

    /// Returns the names and values that are about the answer, rather than about the moment at which
    /// it came: the type of its body, and the ids of the request.
    pub(crate) fn lasting(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.iter().filter_map(|field| Some((field.purpose.lasting_name()?, field.value)))
    }

    fn part(&self, (start, end): (usize, usize)) -> &[u8] {
        self.text.get(start..end).unwrap_or_default()
    }

    /// Hides secrets in the values.
    pub(crate) fn hide(&mut self, secrets: &Secrets) {
        for at in 0..self.fields.len() {
            let value = self.part(self.fields[at].1);
            if secrets.are_in(value) {
                let hidden = secrets.hide(String::from_utf8_lossy(value)).into_owned();
                self.fields[at].1 = self.add(hidden.as_bytes());
            }
        }
    }
}

/// Hides the values: a server may echo a key.
impl fmt::Debug for HeaderFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fields.iter().map(|(purpose, _)| purpose)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(fields: &[(&str, &[u8])]) -> HeaderFields {
        HeaderFields::kept(fields.iter().map(|(name, value)| (name.as_bytes(), *value)))
    }

    fn pairs(fields: &HeaderFields) -> Vec<(Purpose, &[u8])> {
        fields.iter().map(|field| (field.purpose, field.value)).collect()
    }

    #[test]
    fn fields_that_someone_reads_are_kept_in_their_order_whatever_their_case() {
        let long = format!("x-{}-request-id", "a".repeat(LONGEST_NAME));
        let fields = kept(&[
            ("Server", b"nginx"),
            ("X-Request-ID", b"a"),
            ("set-cookie", b"b"),
            (&long, b"c"),
            ("x-request-id", b""),
            ("LOCATION", b"\xff"),
        ]);
        let id = Purpose::RequestId(1);
        let expected: [(Purpose, &[u8]); 3] =
            [(id, b"a"), (id, b""), (Purpose::Named("location"), b"\xff")];
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
        let values: Vec<_> = fields.iter().map(|field| field.value).collect();
        assert_eq!(values, ["a [key] \u{fffd} [key]".as_bytes(), b"today", b"[key]"]);
    }

    #[test]
    fn a_field_is_kept_again_by_its_name() {
        let names = [
            "x-ratelimit-limit-requests",
            "x-ratelimit-remaining-tokens",
            "x-ratelimit-reset",
            "x-ratelimit-limit-req-minute",
            "x-ratelimit-remaining-tokens-minute",
            "x-ratelimit-renewalperiod-tokens",
            "anthropic-ratelimit-requests-limit",
            "anthropic-ratelimit-input-tokens-reset",
            "anthropic-ratelimit-output-tokens-remaining",
            "x-trial-endpoint-call-remaining",
            "request-id",
            "x-request-id",
            "cf-ray",
            "content-type",
            "date",
            "retry-after-ms",
        ];
        let fields = kept(&names.map(|name| (name, name.as_bytes())));
        assert_eq!(fields.iter().count(), names.len());
        let named: Vec<_> = fields.named().collect();
        let again = named.iter().map(|(name, value)| (name.as_bytes(), *value));
        assert_eq!(pairs(&HeaderFields::kept(again)), pairs(&fields));
    }
}
