//! The keys of cached answers.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

use crate::replay::{self, Request, Rules};

/// The key of an answer: equal for requests that get the same answer.
///
/// It covers the provider, the method, the address, Anthropic's betas, and the encoded body, like
/// the key of a [recording](crate::Replay). It is the same in every process and on every machine,
/// and it reveals nothing of the request. `Display` writes 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(pub(super) u128);

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

/// A map by keys.
pub(super) type ByKey<T> = HashMap<Key, T, KeyHash>;

/// Hashes keys for a map. A key is a hash already, so one multiplication is enough. The secret of
/// the map keeps callers from choosing prompts whose keys collide in it.
#[derive(Clone, Copy)]
pub(super) struct KeyHash(u128);

impl Default for KeyHash {
    fn default() -> Self {
        let random = RandomState::new();
        let [high, low] = [0, 1].map(|half| u128::from(random.hash_one(half)));
        Self(high << 64 | low)
    }
}

impl BuildHasher for KeyHash {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        *self
    }
}

impl Hasher for KeyHash {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u128(u128::from(*byte)));
    }

    fn write_u128(&mut self, key: u128) {
        let mixed = self.0 ^ key;
        let (high, low) = (mixed >> 64, mixed & u128::from(u64::MAX));
        self.0 = high * low;
    }

    /// Both halves of the product count: every bit of a key changes one of them.
    #[expect(clippy::cast_possible_truncation)]
    fn finish(&self) -> u64 {
        (self.0 ^ self.0 >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::Url;
    use std::collections::HashSet;

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

    #[test]
    fn keys_that_differ_in_one_bit_have_other_hashes() {
        let hash = KeyHash::default();
        let of_bits = (0..128).map(|bit| hash.hash_one(Key(1 << bit)));
        let all: HashSet<_> = of_bits.chain([hash.hash_one(Key(0))]).collect();
        assert_eq!(all.len(), 129);
        assert_ne!(hash.hash_one(Key(7)), KeyHash::default().hash_one(Key(7)), "the secret counts");
    }
}
