//! `Memo`: a bounded cache of lookups by name.

use parking_lot::RwLock;
use std::cmp::Ordering;

/// How many outcomes it keeps. A program uses far fewer models, unless its users choose the names.
const KEPT: usize = 1_000;

/// The longest name it keeps, in bytes.
const NAME: usize = 200;

/// Outcomes by `N` names. It is bounded, because a program's users may choose the names.
///
/// A sorted vector, because a program uses few models, and comparing a name with a few others is
/// quicker than hashing it.
#[derive(Debug)]
pub(crate) struct Memo<const N: usize, T> {
    /// Guards only the list; no other lock is taken under it.
    entries: RwLock<Vec<Entry<N, T>>>,
}

#[derive(Debug)]
struct Entry<const N: usize, T> {
    names: [Box<str>; N],
    outcome: T,
}

impl<const N: usize, T> Default for Memo<N, T> {
    fn default() -> Self {
        Self { entries: RwLock::new(Vec::new()) }
    }
}

impl<const N: usize, T: Clone> Memo<N, T> {
    /// The outcome for these names, if it is kept.
    pub(crate) fn get(&self, names: [&str; N]) -> Option<T> {
        let entries = self.entries.read();
        let place = find(&entries, names).ok()?;
        Some(entries[place].outcome.clone())
    }

    /// Keeps an outcome, unless there is one for these names. If there are too many, it forgets all
    /// others first. Returns whether the names were new.
    pub(crate) fn insert(&self, names: [&str; N], outcome: T) -> bool {
        if names.iter().any(|name| name.len() > NAME) {
            return true;
        }
        let mut entries = self.entries.write();
        if entries.len() >= KEPT {
            entries.clear();
        }
        // Another thread may have looked up the same names.
        let place = find(&entries, names);
        if let Err(place) = place {
            entries.insert(place, Entry { names: names.map(Box::from), outcome });
        }
        place.is_err()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.read().len()
    }
}

fn find<const N: usize, T>(entries: &[Entry<N, T>], names: [&str; N]) -> Result<usize, usize> {
    entries.binary_search_by(|entry| {
        let each = entry.names.iter().zip(names);
        // By length first: most names differ in it.
        each.map(|(kept, name)| kept.len().cmp(&name.len()).then_with(|| (**kept).cmp(name)))
            .find(|order| *order != Ordering::Equal)
            .unwrap_or(Ordering::Equal)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_returns_what_was_kept_for_exactly_these_names() {
        let memo = Memo::default();
        let names = ["a", "b", "ab", "ba", "", "abc"];
        let pairs: Vec<_> = names.iter().flat_map(|a| names.map(|b| [*a, b])).collect();
        for pair in &pairs {
            assert_eq!(memo.get(*pair), None, "{pair:?}");
            memo.insert(*pair, pair.concat());
        }
        memo.insert(["a", "b"], "the first stays".to_owned());
        for pair in &pairs {
            assert_eq!(memo.get(*pair), Some(pair.concat()), "{pair:?}");
        }
    }

    #[test]
    fn it_stays_small() {
        let memo = Memo::default();
        for number in 0..3 * KEPT {
            let name = number.to_string();
            memo.insert([&name], number);
            assert_eq!(memo.get([&name]), Some(number));
            assert!(memo.len() <= KEPT);
        }
        let (before, long) = (memo.len(), "x".repeat(NAME + 1));
        memo.insert([&long], 0);
        assert_eq!((memo.get([&long]), memo.len()), (None, before));
    }
}
