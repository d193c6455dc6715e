//! A small map in a sorted vector.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::slice;

/// A map that keeps its entries in a vector, sorted by key.
///
/// For maps that are small or filled in order: a lookup is a binary search, and an insertion moves
/// everything behind it. `BTreeMap` generates much more code for each pair of types: it was 11 %
/// of the crate's LLVM lines.
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

    /// The entries in ascending order of keys.
    pub(crate) fn iter(&self) -> Iter<'_, K, V> {
        Iter(self.0.iter())
    }

    pub(crate) fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    /// The entries in ascending order of keys.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.0.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// The value whose key is `Equal`, where `order` says how keys compare with the one sought.
    /// For keys that cannot be looked up without making one.
    pub(crate) fn get_mut_by(&mut self, mut order: impl FnMut(&K) -> Ordering) -> Option<&mut V> {
        let place = self.0.binary_search_by(|(key, _)| order(key)).ok()?;
        Some(&mut self.0[place].1)
    }

    /// Removes the entry with the smallest key.
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

    /// Sets a value. Returns the earlier one if there was one; the earlier key then stays.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(place) => Some(std::mem::replace(&mut self.0[place].1, value)),
            Err(place) => {
                self.0.insert(place, (key, value));
                None
            }
        }
    }

    /// The value of a key, created with `value` if there is none yet.
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

    /// The index of a key, or else where it belongs.
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

/// The entries of a [`SortedMap`] in ascending order of keys.
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
    fn it_behaves_like_a_btreemap() {
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
                        let found = map.get_mut_by(|other| other.cmp(&key));
                        assert_eq!(found, model.get_mut(&key));
                    }
                }
                assert_eq!(map.len(), model.len());
                assert!(map.iter().eq(model.iter()) && map.iter().rev().eq(model.iter().rev()));
                assert!(map.keys().eq(model.keys()) && map.iter_mut().eq(model.iter_mut()));
            }
            assert_eq!(map.iter().len(), model.len());
            assert!(map.clone().into_iter().eq(model));
        }
    }

    #[test]
    fn no_value_is_created_for_an_existing_key() {
        let mut map = SortedMap::new();
        map.insert("a", 1);
        assert_eq!(*map.get_or_insert_with("a", || unreachable!()), 1);
    }
}
