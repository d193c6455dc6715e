//! The keys of cached answers.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::LazyLock;

use crate::replay::{self, Request, Rules};

/// The key of an answer: equal for requests that get the same answer.
///
/// It covers the provider, the method, the address, Anthropic's betas, and the encoded body, like
/// the key of a [recording](crate::Replay). It is the same in every process and on every machine,
/// and it reveals nothing of the request. `Display` writes 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key(pub(super) u128);

impl Key {
    /// The key as bytes.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The key of a request. A `local` one differs from process to process, and takes a tenth of the
    /// time.
    pub(super) fn of(request: &Request<'_>, rules: &Rules, local: bool) -> Self {
        match local && rules.is_empty() {
            true => {
                let url = rules.url(request.url);
                let betas = request.betas.unwrap_or_default();
                let parts = [request.method, request.provider, &url, betas];
                let parts = parts.into_iter().map(str::as_bytes);
                Self(local_hash(parts.chain([request.body]), *SEED))
            }
            false => Self(replay::key(request, rules).0),
        }
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

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.0);
    }
}

/// A map by key. A key is a hash already.
pub(super) type ByKey<T> = HashMap<Key, T, BuildHasherDefault<Half>>;

/// Half of a key as its hash.
#[derive(Default)]
pub(super) struct Half(u64);

impl Hasher for Half {
    fn write(&mut self, _: &[u8]) {}

    fn write_u128(&mut self, key: u128) {
        self.0 = low(key);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Secret, so that nobody can choose two requests with the same local key.
static SEED: LazyLock<[u64; 4]> = LazyLock::new(|| {
    let random = RandomState::new();
    // A multiplication by zero or by few bits would lose input.
    [1, 2, 3, 4].map(|number: u64| random.hash_one(number) | 1)
});

/// A 128-bit hash of several parts with two multiplications for 16 bytes, after wyhash
/// (<https://github.com/wangyi-fudan/wyhash>): two lanes of 64 bits, each with its own seed. The
/// length of each part is hashed too, so `ab` and `c` differ from `a` and `bc`.
fn local_hash<'a>(parts: impl Iterator<Item = &'a [u8]>, seed: [u64; 4]) -> u128 {
    let [s0, s1, s2, s3] = seed;
    let (mut one, mut two) = (s1, s3);
    let mut add = |first: u64, second: u64| {
        one = folded(first ^ s0 ^ one, second ^ s1 ^ one.rotate_left(32));
        two = folded(first ^ s2 ^ two, second ^ s3 ^ two.rotate_left(32));
    };
    for part in parts {
        let mut blocks = part.chunks_exact(16);
        for block in &mut blocks {
            add(word(&block[..8]), word(&block[8..]));
        }
        let (first, second) = blocks.remainder().split_at(blocks.remainder().len().min(8));
        add(word(first), word(second));
        add(part.len() as u64, s0);
    }
    u128::from(one) << 64 | u128::from(two)
}

fn folded(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    low(product) ^ low(product >> 64)
}

fn low(value: u128) -> u64 {
    (value & 0xffff_ffff_ffff_ffff) as u64
}

/// Up to eight bytes as a number.
fn word(bytes: &[u8]) -> u64 {
    match <[u8; 8]>::try_from(bytes) {
        Ok(whole) => u64::from_le_bytes(whole),
        Err(_) => bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::Url;
    use std::collections::HashSet;

    fn hash(parts: &[&[u8]]) -> u128 {
        local_hash(parts.iter().copied(), *SEED)
    }

    #[test]
    fn a_change_of_any_bit_changes_both_halves_of_a_local_key() {
        let mut seen = HashSet::new();
        for length in 0..40 {
            let mut bytes = vec![0; length];
            assert!(seen.insert(hash(&[&bytes])), "{length} zeros");
            for bit in 0..length * 8 {
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert!(seen.insert(hash(&[&bytes])), "bit {bit} of {length} bytes");
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
        for half in [0, 64] {
            let halves: HashSet<u64> = seen.iter().map(|hash| low(hash >> half)).collect();
            assert_eq!(halves.len(), seen.len());
        }
    }

    #[test]
    fn parts_that_are_cut_elsewhere_have_another_local_key() {
        let cuts: [&[&[u8]]; 5] =
            [&[b"ab", b"c"], &[b"a", b"bc"], &[b"abc"], &[b"abc", b""], &[b"", b"abc"]];
        let hashes: HashSet<u128> = cuts.into_iter().map(hash).collect();
        assert_eq!(hashes.len(), cuts.len());
    }

    #[test]
    fn a_key_for_other_processes_is_that_of_a_recording() {
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
        let shared = Key::of(&request, &rules, false);
        assert_eq!(shared.to_string(), "8f41ccd1c3e9c8bd3802757563fa2048");
        let local = Key::of(&request, &rules, true);
        assert_eq!(local, Key::of(&Request { model: "label", ..request }, &rules, true));
        assert_ne!(local, Key::of(&Request { provider: "groq", ..request }, &rules, true));
        assert_ne!(local, Key::of(&Request { betas: Some("x"), ..request }, &rules, true));
    }
}
