//! The ids of a run, and where the journal has their lines.

use std::hash::{BuildHasher, RandomState};

use super::numbers::{Added, Numbers};
use super::table::{IdHash, Table};
use crate::fingerprint::Fingerprint;

/// The ids that a run has met, and the lines of its journal.
///
/// Ids that are numbers and follow each other take no memory. For any other id that the run has met,
/// it keeps a hash of 128 bits with random keys: 16 bytes, at most 23 with the table's spare room. For
/// an id with a line, it keeps 24 bytes, at most 35.
#[derive(Debug)]
pub(crate) struct Index {
    keys: [RandomState; 2],
    /// The ids with a line.
    lines: Table<Entry>,
    /// Ids without a line that the run has met, if they are numbers.
    numbers: Numbers,
    /// All others without a line that the run has met.
    others: Table<()>,
    /// Whether `others` has numbers, because `numbers` had no room.
    spilled: bool,
}

/// What is known of an id with a line, in one word: whether this run has met it, whether its line is
/// a failure, 22 bits of its request's fingerprint, and the line's place in the journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
        Self {
            keys: [RandomState::new(), RandomState::new()],
            lines: Table::new(),
            numbers: Numbers::default(),
            others: Table::new(),
            spilled: false,
        }
    }

    fn hash(&self, id: &str) -> IdHash {
        IdHash::of(self.keys.each_ref().map(|key| key.hash_one(id)))
    }

    /// Notes a line of the journal. A later line of the same id replaces it, unless it has the
    /// answer.
    pub(super) fn note(&mut self, id: &str, request: Fingerprint, failed: bool, offset: u64) {
        let failure = if failed { FAILED } else { 0 };
        let entry = Entry(failure | check(request) | (offset & OFFSET));
        let hash = self.hash(id);
        match self.lines.get_mut(hash) {
            Some(known) if known.0 & FAILED != 0 => *known = entry,
            Some(_) => {}
            None => self.lines.add(hash, entry),
        }
    }

    /// Whether the journal has an answer for this id and request, or a failure at this place or
    /// later.
    pub(crate) fn is_done(&self, id: &str, request: Fingerprint, since: u64) -> bool {
        self.lines.get(self.hash(id)).is_some_and(|Entry(known)| {
            let is_new = known & FAILED == 0 || known & OFFSET >= since;
            is_new && known & check_mask() == check(request)
        })
    }

    /// Notes that the run has come to this id.
    pub(crate) fn enter(&mut self, id: &str, request: Option<Fingerprint>) -> Entered {
        let line = match self.lines.is_empty() {
            true => None,
            false => self.lines.get_mut(self.hash(id)),
        };
        let Some(entry) = line else {
            return if self.meet(id) { Entered::New } else { Entered::Duplicate };
        };
        let known = entry.0;
        entry.0 |= MET;
        if known & MET != 0 {
            return Entered::Duplicate;
        }
        Entered::Known(Known {
            failed: known & FAILED != 0,
            same_request: request.is_some_and(|request| check(request) == known & check_mask()),
            offset: known & OFFSET,
        })
    }

    /// Notes an id without a line. Returns whether it is new.
    fn meet(&mut self, id: &str) -> bool {
        let number = whole_number(id);
        if let Some(number) = number.filter(|_| !self.spilled) {
            match self.numbers.add(number) {
                Added::New => return true,
                Added::Known => return false,
                Added::NoRoom => self.spilled = true,
            }
        }
        let hash = self.hash(id);
        let is_new = self.others.get(hash).is_none()
            && number.is_none_or(|number| !self.numbers.contains(number));
        if is_new {
            self.others.add(hash, ());
        }
        is_new
    }
}

/// The number that an id is, if it is written as one, without signs or leading zeros.
fn whole_number(id: &str) -> Option<u64> {
    let is_number = id == "0" || !id.starts_with(['0', '+']);
    is_number.then(|| id.parse().ok()).flatten()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once() {
        let mut index = Index::new();
        assert_eq!(index.enter("a", None), Entered::New);
        assert_eq!(index.enter("a", None), Entered::Duplicate);
        assert_eq!(index.enter("b", None), Entered::New);
        assert_eq!(size_of::<(IdHash, ())>(), 16);
        assert_eq!(size_of::<(IdHash, Entry)>(), 24);
    }

    #[test]
    fn numbers_are_ids_like_any_other() {
        let mut index = Index::new();
        // More gaps than ranges are kept, then the numbers between them, and everything again.
        let sparse = || (0..5_000).map(|number| number * 2);
        let all = || sparse().chain(sparse().map(|number| number + 1));
        for number in all() {
            assert_eq!(index.enter(&number.to_string(), None), Entered::New, "{number}");
        }
        for number in all() {
            assert_eq!(index.enter(&number.to_string(), None), Entered::Duplicate, "{number}");
        }
        for other in ["007", "+7", "00", "7.0", "-7", " 7", "", "18446744073709551616"] {
            assert_eq!(index.enter(other, None), Entered::New, "{other:?}");
            assert_eq!(index.enter(other, None), Entered::Duplicate, "{other:?}");
        }
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
