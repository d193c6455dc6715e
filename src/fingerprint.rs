//! `Fingerprint`: a 128-bit hash that is the same in every process and on every machine.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::io;

/// The SipHash-2-4 of some bytes, with 128 bits and a fixed key.
///
/// Jean-Philippe Aumasson and Daniel J. Bernstein, "SipHash: a fast short-input PRF", and the
/// reference implementation `siphash.c` (<https://github.com/veorq/SipHash>). The hashers of std may
/// change between releases of Rust, so their values cannot be stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint(pub(crate) u128);

impl Fingerprint {
    /// The fingerprint of a value's JSON.
    pub(crate) fn of_json(value: &impl Serialize) -> Self {
        let mut hasher = Hasher::new();
        // Values with a `Serialize` of this crate have string keys, and writing cannot fail. A
        // failure would stop at the same byte every time.
        let _ = serde_json::to_writer(&mut hasher, value);
        hasher.finish()
    }

    /// The fingerprint of several parts. The length of each is hashed before it, so `ab` and `c`
    /// differ from `a` and `bc`.
    pub(crate) fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = Hasher::new();
        for part in parts {
            hasher.add(&(part.len() as u64).to_le_bytes());
            hasher.add(part);
        }
        hasher.finish()
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = is_hex.then(|| u128::from_str_radix(&text, 16).ok()).flatten();
        value.map(Self).ok_or_else(|| de::Error::custom("a fingerprint has 32 hexadecimal digits"))
    }
}

/// Hashes bytes as they are written.
struct Hasher {
    state: [u64; 4],
    /// The bytes that do not fill a word yet, the first one lowest. The others are 0.
    rest: u64,
    length: usize,
}

impl Hasher {
    fn new() -> Self {
        Self::with_key(0, 0)
    }

    fn with_key(k0: u64, k1: u64) -> Self {
        let state = [
            0x736f_6d65_7073_6575 ^ k0,
            // 0xee selects the output of 128 bits.
            0x646f_7261_6e64_6f6d ^ k1 ^ 0xee,
            0x6c79_6765_6e65_7261 ^ k0,
            0x7465_6462_7974_6573 ^ k1,
        ];
        Self { state, rest: 0, length: 0 }
    }

    fn add(&mut self, bytes: &[u8]) {
        let filled = self.length % 8;
        self.length = self.length.wrapping_add(bytes.len());
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            let mut whole = [0; 8];
            whole.copy_from_slice(word);
            self.add_word(u64::from_le_bytes(whole), filled);
        }
        let last = words.remainder();
        let word = last.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        match filled + last.len() < 8 {
            true => self.rest |= word << (8 * filled),
            false => self.add_word(word, filled),
        }
    }

    /// Adds a word behind the bytes in `rest`, of which there are `filled`.
    #[inline]
    fn add_word(&mut self, word: u64, filled: usize) {
        let whole = self.rest | word << (8 * filled);
        self.state[3] ^= whole;
        rounds(&mut self.state, 2);
        self.state[0] ^= whole;
        // In two steps, because a shift by 64 bits is not defined.
        self.rest = word >> 8 >> (56 - 8 * filled);
    }

    fn finish(mut self) -> Fingerprint {
        // The last byte is the length, modulo 256.
        self.rest |= u64::from(self.length.to_le_bytes()[0]) << 56;
        self.add_word(0, 0);
        let fold = |state: &[u64; 4]| u128::from(state.iter().fold(0, |all, part| all ^ part));
        self.state[2] ^= 0xee;
        rounds(&mut self.state, 4);
        let low = fold(&self.state);
        self.state[1] ^= 0xdd;
        rounds(&mut self.state, 4);
        Fingerprint(low | fold(&self.state) << 64)
    }
}

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.add(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn rounds([v0, v1, v2, v3]: &mut [u64; 4], count: u32) {
    for _ in 0..count {
        *v0 = v0.wrapping_add(*v1);
        *v1 = v1.rotate_left(13) ^ *v0;
        *v0 = v0.rotate_left(32);
        *v2 = v2.wrapping_add(*v3);
        *v3 = v3.rotate_left(16) ^ *v2;
        *v0 = v0.wrapping_add(*v3);
        *v3 = v3.rotate_left(21) ^ *v0;
        *v2 = v2.wrapping_add(*v1);
        *v1 = v1.rotate_left(17) ^ *v2;
        *v2 = v2.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `vectors_sip128` of the reference implementation's `vectors.h`: the key is 00 01 … 0f, and
    /// the input of number n is 00 01 … n-1.
    #[test]
    fn the_reference_vectors_hold() {
        let hex = |length: u8| {
            let mut hasher = Hasher::with_key(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
            let bytes: Vec<u8> = (0..length).collect();
            // In two pieces, so that words are split.
            let (front, back) = bytes.split_at(bytes.len() / 3);
            hasher.add(front);
            hasher.add(back);
            let bytes = hasher.finish().0.to_le_bytes();
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        assert_eq!(hex(0), "a3817f04ba25a8e66df67214c7550293");
        assert_eq!(hex(1), "da87c1d86b99af44347659119b22fc45");
        assert_eq!(hex(2), "8177228da4a45dc7fca38bdef60affe4");
    }

    #[test]
    fn bytes_hash_the_same_in_any_pieces() {
        let bytes: Vec<u8> = (0..100).collect();
        let whole = |pieces: usize| {
            let mut hasher = Hasher::new();
            bytes.chunks(pieces).for_each(|piece| hasher.add(piece));
            hasher.finish()
        };
        assert!((1..=100).all(|pieces| whole(pieces) == whole(100)));
    }

    #[test]
    fn parts_that_are_cut_elsewhere_have_another_fingerprint() {
        let cuts: [&[&[u8]]; 4] = [&[b"ab", b"c"], &[b"a", b"bc"], &[b"abc"], &[b"abc", b""]];
        let prints = cuts.map(|cut| Fingerprint::of_parts(cut.iter().copied()));
        for (at, print) in prints.iter().enumerate() {
            assert!(!prints[..at].contains(print), "{:?}", cuts[at]);
        }
    }

    #[test]
    fn a_fingerprint_is_stored_as_32_digits() {
        let stored = serde_json::to_string(&Fingerprint(0xab)).unwrap();
        assert_eq!(stored, format!("\"{:0>32}\"", "ab"));
        assert_eq!(serde_json::from_str::<Fingerprint>(&stored).unwrap(), Fingerprint(0xab));
        for wrong in ["\"ab\"", "\"+0000000000000000000000000000000\"", "7"] {
            assert!(serde_json::from_str::<Fingerprint>(wrong).is_err(), "{wrong}");
        }
    }
}
