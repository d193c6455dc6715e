//! The key of a request: equal for requests that get the same answer.
//!
//! The key is a hash of the method, the provider, the address, the betas and the encoded body. It
//! reads the bytes that are sent, so a new member of a request is always part of it. It does not
//! depend on the platform, the process or the version of Rust.

use serde_json::Value;
use std::fmt;

use super::rules::Rules;
use crate::url::Url;

/// A request, as it is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) provider: &'a str,
    /// The model, for the name of the file only: the body or the address contains it.
    pub(crate) model: &'a str,
    pub(crate) method: &'static str,
    pub(crate) url: &'a Url,
    /// The value of `anthropic-beta`, the only header that changes answers and is not a constant.
    pub(crate) betas: Option<&'a str>,
    pub(crate) body: &'a [u8],
}

/// A hash of 128 bits. A recording also contains its request, so two requests with one key are
/// noticed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key(u128);

/// A request after the rules, with its key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Identity {
    pub(crate) key: Key,
    pub(crate) provider: String,
    pub(crate) method: &'static str,
    pub(crate) url: String,
    pub(crate) betas: Option<String>,
    /// `Null` for a request without a body.
    pub(crate) body: Value,
}

impl Identity {
    pub(crate) fn of(request: &Request<'_>, rules: &Rules) -> Self {
        // A new field that changes answers must be hashed below.
        let Request { provider, model: _, method, url, betas, body } = *request;
        let url = rules.url(url);
        let mut parsed = match serde_json::from_slice(body) {
            Ok(parsed) => parsed,
            Err(_) if body.is_empty() => Value::Null,
            Err(_) => Value::String(String::from_utf8_lossy(body).into_owned()),
        };
        let mut hash = Hash::new();
        for part in [method, provider, &url, betas.unwrap_or_default()] {
            hash.add(part.as_bytes());
        }
        match rules.apply(&mut parsed) {
            // The order of the members counts: models follow that of a schema's properties.
            true => hash.add(parsed.to_string().as_bytes()),
            false => hash.add(body),
        }
        let betas = betas.map(str::to_owned);
        Self { key: Key(hash.0), provider: provider.to_owned(), method, url, betas, body: parsed }
    }
}

/// FNV-1a with 128 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>): small, and the same
/// everywhere, which `std`'s hasher does not promise.
struct Hash(u128);

impl Hash {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

    fn new() -> Self {
        Self(Self::OFFSET)
    }

    /// Adds a part and its end: `ab` and `c` must not be the same as `a` and `bc`. No part but the
    /// body, which is the last, can contain a line break.
    fn add(&mut self, part: &[u8]) {
        for byte in part.iter().chain(b"\n") {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(Self::PRIME);
        }
    }
}

impl Key {
    /// A short form for file names: both halves folded into one.
    pub(crate) fn short(self) -> String {
        let folded = (self.0 >> 64) ^ (self.0 & u128::from(u64::MAX));
        format!("{folded:016x}")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(bytes: &[u8]) -> u128 {
        let mut hash = Hash::new();
        for byte in bytes {
            hash.0 = (hash.0 ^ u128::from(*byte)).wrapping_mul(Hash::PRIME);
        }
        hash.0
    }

    #[test]
    fn the_hash_is_that_of_the_published_vectors() {
        // draft-eastlake-fnv, section 6.
        for (text, expected) in [
            ("", 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d),
            ("a", 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964),
            ("foobar", 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18),
        ] {
            assert_eq!(hash(text.as_bytes()), expected, "{text}");
        }
    }

    const URL: &str = "https://api.openai.com/v1/chat/completions";

    fn key(request: &Request<'_>) -> Key {
        Identity::of(request, &Rules::default()).key
    }

    #[test]
    fn a_request_has_the_same_key_in_every_process() {
        let url = URL.parse().unwrap();
        let body = br#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}"#;
        let request = Request {
            provider: "openai",
            model: "gpt-4o-mini",
            method: "POST",
            url: &url,
            betas: None,
            body,
        };
        assert_eq!(key(&request).to_string(), "20248bfdb19deed61cd4e3b8d98a790b");
        assert_eq!(key(&request).short(), "3cf06845681797dd");
    }

    #[test]
    fn every_part_of_a_request_is_in_its_key_except_for_the_label() {
        let (url, other) = (URL.parse().unwrap(), "https://a.b/v1/chat/completions");
        let (other, query) = (other.parse().unwrap(), format!("{URL}?a=1").parse().unwrap());
        let request = Request {
            provider: "openai",
            model: "m",
            method: "POST",
            url: &url,
            betas: None,
            body: br#"{"a":1,"b":[2]}"#,
        };
        let of = key(&request);
        for changed in [
            Request { provider: "groq", ..request },
            Request { method: "GET", ..request },
            Request { url: &other, ..request },
            Request { url: &query, ..request },
            Request { betas: Some("x"), ..request },
            Request { body: b"", ..request },
            Request { body: br#"{"a":1,"b":[3]}"#, ..request },
            Request { body: br#"{"b":[2],"a":1}"#, ..request },
            Request { body: br#"{"a":1,"b":[2],"c":null}"#, ..request },
        ] {
            assert_ne!(key(&changed), of, "{changed:?}");
        }
        assert_eq!(key(&Request { model: "label", ..request }), of);
    }
}
