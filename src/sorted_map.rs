//! A small map in a sorted vector.

use std::borrow::Borrow;
use std::slice;

/// A map that keeps its entries in a vector, sorted by their keys.
///
/// For maps that are small, or filled in order: a look-up is a binary search, and an insertion
/// moves what comes behind it. The code that a `BTreeMap` takes, for each pair of types, was
/// 11 % of the crate's LLVM lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SortedMap<K, V>(Vec<(K, V)>);

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> SortedMap<K, V> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The entries, by rising key.
    pub(crate) fn iter(&self) -> Iter<'_, K, V> {
        Iter(self.0.iter())
    }

    pub(crate) fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    /// Removes the entry with the least key.
    pub(crate) fn pop_first(&mut self) -> Option<(K, V)> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }
}

impl<K: Ord, V> SortedMap<K, V> {
    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|place| &self.0[place].1)
    }

    pub(crate) fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// Sets a value. Returns the one that the key had before; the key stays then.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(place) => Some(std::mem::replace(&mut self.0[place].1, value)),
            Err(place) => {
                self.0.insert(place, (key, value));
                None
            }
        }
    }

    /// The value of a key, made by `value` if there is none yet.
    pub(crate) fn get_or_insert_with(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        let place = match self.find(&key) {
            Ok(place) => place,
            Err(place) => {
                self.0.insert(place, (key, value()));
                place
            }
        };
        &mut self.0[place].1
    }

    /// Where a key is, or where it belongs.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(other, _)| other.borrow().cmp(key))
    }
}

impl<K, V> IntoIterator for SortedMap<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// The entries of a [`SortedMap`], by rising key.
pub(crate) struct Iter<'a, K, V>(slice::Iter<'a, (K, V)>);

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<K, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(key, value)| (key, value))
    }
}

impl<K, V> ExactSizeIterator for Iter<'_, K, V> {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_does_what_a_btreemap_does() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..50 {
            let (mut map, mut model) = (SortedMap::new(), BTreeMap::new());
            for step in 0..200_u32 {
                let key = random.u8(..40).to_string();
                match random.u8(..5) {
                    0 | 1 => assert_eq!(map.insert(key.clone(), step), model.insert(key, step)),
                    2 => {
                        *map.get_or_insert_with(key.clone(), || step) += 1;
                        *model.entry(key).or_insert(step) += 1;
                    }
                    3 => assert_eq!(map.pop_first(), model.pop_first()),
                    _ => {
                        assert_eq!(map.get(key.as_str()), model.get(&key));
                        assert_eq!(map.contains_key(key.as_str()), model.contains_key(&key));
                    }
                }
                assert_eq!(map.len(), model.len());
                assert!(map.iter().eq(model.iter()) && map.iter().rev().eq(model.iter().rev()));
                assert!(map.keys().eq(model.keys()));
            }
            assert_eq!(map.iter().len(), model.len());
            assert!(map.clone().into_iter().eq(model));
        }
    }

    #[test]
    fn nothing_is_made_for_a_key_that_is_there() {
        let mut map = SortedMap::new();
        map.insert("a", 1);
        assert_eq!(*map.get_or_insert_with("a", || unreachable!()), 1);
    }
}
