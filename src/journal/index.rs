//! The ids of a run, and where the journal has their lines.

use std::collections::{HashMap, hash_map};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

use crate::fingerprint::Fingerprint;

/// The ids that a run has met, and the lines of its journal.
///
/// It keeps 16 bytes for each id, which is at most 39 bytes with the tables' spare room. An id is a
/// 64-bit hash with random keys: among a million ids, two have the same hash in one of 37 million
/// runs. The second is then refused as a duplicate. A line also keeps 22 bits of its request's
/// fingerprint, so such an id is not taken for one that the journal has.
#[derive(Debug)]
pub(crate) struct Index {
    hasher: RandomState,
    /// Many tables, because a table that grows exists twice for a moment.
    shards: Vec<HashMap<u64, Entry, BuildHasherDefault<Hashed>>>,
}

/// How many tables there are.
const SHARDS: usize = 64;

/// What is known of an id, in one word: whether this run has met it, whether its line is a failure,
/// 22 bits of its request's fingerprint, and the line's place in the journal (0 if there is none).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry(u64);

const MET: u64 = 1 << 63;
const FAILED: u64 = 1 << 62;
const OFFSET_BITS: u32 = 40;
const OFFSET: u64 = (1 << OFFSET_BITS) - 1;

/// The largest journal, in bytes.
pub(super) const LARGEST: u64 = OFFSET;

/// What an id turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entered {
    /// New: the journal has no line for it.
    New,
    /// This run has met it before.
    Duplicate,
    /// The journal has a line for it.
    Known(Known),
}

/// The line that the journal has for an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// Whether it is a failure.
    pub(crate) failed: bool,
    /// Whether it is about the same request.
    pub(crate) same_request: bool,
    /// Where it begins.
    pub(crate) offset: u64,
}

impl Index {
    pub(crate) fn new() -> Self {
        let shards = (0..SHARDS).map(|_| HashMap::default()).collect();
        Self { hasher: RandomState::new(), shards }
    }

    /// What is known of an id.
    fn entry(&mut self, id: &str) -> hash_map::Entry<'_, u64, Entry> {
        let hash = self.hasher.hash_one(id);
        self.shards[shard(hash)].entry(hash)
    }

    /// Notes a line of the journal. A later line of the same id replaces it, unless it has the
    /// answer.
    pub(super) fn note(&mut self, id: &str, request: Fingerprint, failed: bool, offset: u64) {
        let failure = if failed { FAILED } else { 0 };
        let entry = Entry(failure | check(request) | (offset & OFFSET));
        self.entry(id)
            .and_modify(|known| {
                if known.0 & FAILED != 0 {
                    *known = entry;
                }
            })
            .or_insert(entry);
    }

    /// Whether the journal has an answer for this id and request, or a failure at this place or
    /// later.
    pub(crate) fn is_done(&self, id: &str, request: Fingerprint, since: u64) -> bool {
        let hash = self.hasher.hash_one(id);
        let known = self.shards[shard(hash)].get(&hash);
        known.is_some_and(|Entry(known)| {
            let is_new = known & FAILED == 0 || known & OFFSET >= since;
            known & OFFSET != 0 && is_new && known & check_mask() == check(request)
        })
    }

    /// Notes that the run has come to this id.
    pub(crate) fn enter(&mut self, id: &str, request: Option<Fingerprint>) -> Entered {
        let entry = self.entry(id).or_insert(Entry(0));
        let known = entry.0;
        entry.0 |= MET;
        match known & OFFSET {
            _ if known & MET != 0 => Entered::Duplicate,
            0 => Entered::New,
            offset => Entered::Known(Known {
                failed: known & FAILED != 0,
                same_request: request.is_some_and(|request| check(request) == known & check_mask()),
                offset,
            }),
        }
    }
}

/// The table of a hash. The tables themselves use its lowest and highest bits.
fn shard(hash: u64) -> usize {
    usize::try_from(hash >> 40 & 0xff).unwrap_or_default() % SHARDS
}

const fn check_mask() -> u64 {
    !(MET | FAILED | OFFSET)
}

/// 22 bits of a fingerprint, in their place in an entry.
fn check(request: Fingerprint) -> u64 {
    // The low half; the mask drops the rest.
    #[allow(clippy::cast_possible_truncation)]
    let low = request.0 as u64;
    (low << OFFSET_BITS) & check_mask()
}

/// Passes hashes through unchanged.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once() {
        let mut index = Index::new();
        assert_eq!(index.enter("a", None), Entered::New);
        assert_eq!(index.enter("a", None), Entered::Duplicate);
        assert_eq!(index.enter("b", None), Entered::New);
        assert_eq!(std::mem::size_of::<(u64, Entry)>(), 16);
    }

    #[test]
    fn a_line_is_found_with_its_request_and_its_place() {
        let (one, other) = (Fingerprint(1), Fingerprint(2));
        let mut index = Index::new();
        index.note("a", one, false, LARGEST);
        index.note("b", one, true, 7);
        assert!(index.is_done("a", one, 0) && !index.is_done("a", other, 0));
        assert!(index.is_done("b", one, 7) && !index.is_done("b", one, 8));
        assert!(!index.is_done("c", one, 0));
        let known =
            |failed, same_request, offset| Entered::Known(Known { failed, same_request, offset });
        assert_eq!(index.enter("a", Some(one)), known(false, true, LARGEST));
        assert_eq!(index.enter("b", Some(other)), known(true, false, 7));
        assert_eq!(index.enter("a", Some(one)), Entered::Duplicate);
    }

    #[test]
    fn an_answer_replaces_a_failure_and_stays() {
        let print = Fingerprint(1);
        let mut index = Index::new();
        for (failed, offset) in [(true, 1), (true, 2), (false, 3), (true, 4), (false, 5)] {
            index.note("a", print, failed, offset);
        }
        let known = Entered::Known(Known { failed: false, same_request: true, offset: 3 });
        assert_eq!(index.enter("a", Some(print)), known);
    }
}
