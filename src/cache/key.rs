//! The keys of cached answers.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use crate::replay::{self, Request, Rules};

/// The key of an answer: equal for requests that get the same answer.
///
/// It covers the provider, the method, the address, Anthropic's betas, and the encoded body, like
/// the key of a [recording](crate::Replay). It is the same in every process and on every machine,
/// and it reveals nothing of the request. `Display` writes 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(pub(super) u128);

/// A map by keys.
pub(super) type ByKey<V> = HashMap<Key, V, BuildHasherDefault<KeyHasher>>;

/// Takes a key as its own hash, because it is one. Whoever looks for keys that collide pays for a
/// call with each of them.
#[derive(Default)]
pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write_u128(&mut self, key: u128) {
        // The low half.
        #[allow(clippy::cast_possible_truncation)]
        let low = key as u64;
        self.0 ^= low;
    }

    /// Only for the trait: a key is one number.
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u128((*byte).into()));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Key {
    /// The key as bytes.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The key of a request.
    pub(super) fn of(request: &Request<'_>, rules: &Rules) -> Self {
        Self(replay::key(request, rules).0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::Url;

    #[test]
    fn a_key_is_that_of_a_recording_and_covers_provider_and_betas() {
        let url: Url = "https://api.openai.com/v1/chat/completions".parse().unwrap();
        let body = br#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}"#;
        let request = Request {
            provider: "openai",
            model: "gpt-4o-mini",
            method: "POST",
            url: &url,
            betas: None,
            body,
        };
        let rules = Rules::default();
        // The same as in `replay/key.rs`.
        let key = Key::of(&request, &rules);
        assert_eq!(key.to_string(), "8f41ccd1c3e9c8bd3802757563fa2048");
        assert_eq!(key, Key::of(&Request { model: "label", ..request }, &rules));
        assert_ne!(key, Key::of(&Request { provider: "groq", ..request }, &rules));
        assert_ne!(key, Key::of(&Request { betas: Some("x"), ..request }, &rules));
    }
}
