//! Answers in memory: the least recently used ones make room for new ones.

use std::collections::HashMap;
use std::sync::Arc;

use super::Key;

use crate::sync::Lock;
use crate::sync::ordered::Mutex;

/// Answers in memory.
pub(super) struct Memory {
    /// Guards the list ([`Lock::CacheMemory`]). Entries are copied and freed outside it.
    recent: Mutex<Recent>,
}

impl Memory {
    /// Holds at most so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self { recent: Mutex::new(Lock::CacheMemory, Recent::new(most)) }
    }

    pub(super) fn get(&self, key: Key) -> Option<Arc<Vec<u8>>> {
        self.recent.lock().get(key)
    }

    pub(super) fn put(&self, key: Key, entry: Arc<Vec<u8>>) {
        let dropped = self.recent.lock().put(key, entry);
        drop(dropped);
    }
}

/// What an entry takes besides its own bytes: its place in the list and in the map, and the headers
/// of its allocations.
const OVERHEAD: usize = 160;

/// No place in the list.
const NONE: usize = usize::MAX;

/// The entries, by key and by their last use.
struct Recent {
    most: usize,
    /// The bytes of all entries, with their overhead. Never above `most`.
    bytes: usize,
    places: HashMap<Key, usize>,
    /// A list in both directions, and places that are free.
    nodes: Vec<Node>,
    free: Vec<usize>,
    /// The most and the least recently used entry.
    first: usize,
    last: usize,
}

struct Node {
    key: Key,
    /// `None` if the place is free.
    entry: Option<Arc<Vec<u8>>>,
    before: usize,
    after: usize,
}

impl Recent {
    fn new(most: usize) -> Self {
        Self {
            most,
            bytes: 0,
            places: HashMap::default(),
            nodes: Vec::new(),
            free: Vec::new(),
            first: NONE,
            last: NONE,
        }
    }

    /// Finds an entry, which is then the most recently used one.
    fn get(&mut self, key: Key) -> Option<Arc<Vec<u8>>> {
        let place = *self.places.get(&key)?;
        self.unlink(place);
        self.link_first(place);
        self.nodes[place].entry.clone()
    }

    /// Adds an entry. Returns those that made room for it, and the one that it replaces. An entry
    /// that is too large for the whole memory is not added.
    fn put(&mut self, key: Key, entry: Arc<Vec<u8>>) -> Vec<Arc<Vec<u8>>> {
        let mut dropped = Vec::new();
        let size = size(&entry);
        if let Some(place) = self.places.get(&key) {
            dropped.extend(self.remove(*place));
        }
        if size > self.most {
            dropped.push(entry);
            return dropped;
        }
        while self.bytes + size > self.most {
            dropped.extend(self.remove(self.last));
        }
        self.bytes += size;
        let node = Node { key, entry: Some(entry), before: NONE, after: NONE };
        let place = match self.free.pop() {
            Some(place) => {
                self.nodes[place] = node;
                place
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() - 1
            }
        };
        self.places.insert(key, place);
        self.link_first(place);
        dropped
    }

    fn remove(&mut self, place: usize) -> Option<Arc<Vec<u8>>> {
        self.unlink(place);
        self.free.push(place);
        self.places.remove(&self.nodes[place].key);
        let entry = self.nodes[place].entry.take();
        self.bytes -= entry.as_ref().map_or(0, |entry| size(entry));
        entry
    }

    fn unlink(&mut self, place: usize) {
        let Node { before, after, .. } = self.nodes[place];
        match self.nodes.get_mut(before) {
            Some(node) => node.after = after,
            None => self.first = after,
        }
        match self.nodes.get_mut(after) {
            Some(node) => node.before = before,
            None => self.last = before,
        }
    }

    fn link_first(&mut self, place: usize) {
        let old = std::mem::replace(&mut self.first, place);
        let node = &mut self.nodes[place];
        (node.before, node.after) = (NONE, old);
        match self.nodes.get_mut(old) {
            Some(node) => node.before = place,
            None => self.last = place,
        }
    }
}

fn size(entry: &Vec<u8>) -> usize {
    entry.capacity().saturating_add(OVERHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bytes: usize) -> Arc<Vec<u8>> {
        Arc::new(vec![7; bytes])
    }

    /// The sizes of the entries, the most recently used one first.
    fn order(recent: &Recent) -> Vec<(u128, usize)> {
        let mut order = Vec::new();
        let mut at = recent.first;
        while let Some(node) = recent.nodes.get(at) {
            order.push((node.key.0, node.entry.as_ref().unwrap().len()));
            at = node.after;
        }
        order
    }

    #[test]
    fn the_least_recently_used_entries_make_room() {
        let mut recent = Recent::new(3 * (100 + OVERHEAD));
        for key in 1..=3 {
            assert!(recent.put(Key(key), entry(100)).is_empty());
        }
        assert!(recent.get(Key(1)).is_some());
        assert_eq!(recent.put(Key(4), entry(100)).len(), 1);
        assert!(recent.get(Key(2)).is_none());
        assert_eq!(order(&recent), [(4, 100), (1, 100), (3, 100)]);
        // A larger one replaces its earlier version and needs the room of another.
        assert_eq!(recent.put(Key(1), entry(150)).len(), 2);
        assert_eq!(order(&recent), [(1, 150), (4, 100)]);
        assert_eq!(recent.put(Key(4), entry(10_000)).len(), 2, "it does not fit");
        assert_eq!(order(&recent), [(1, 150)]);
    }

    /// A list as slow and as simple as possible.
    #[derive(Default)]
    struct Naive(Vec<(u128, usize)>);

    impl Naive {
        fn take(&mut self, key: u128) -> Option<(u128, usize)> {
            let place = self.0.iter().position(|(own, _)| *own == key)?;
            Some(self.0.remove(place))
        }

        fn get(&mut self, key: u128) -> bool {
            let found = self.take(key);
            self.0.splice(0..0, found);
            found.is_some()
        }

        fn put(&mut self, key: u128, bytes: usize, most: usize) {
            self.take(key);
            if bytes + OVERHEAD > most {
                return;
            }
            self.0.insert(0, (key, bytes));
            while self.0.iter().map(|(_, bytes)| bytes + OVERHEAD).sum::<usize>() > most {
                self.0.pop();
            }
        }
    }

    #[test]
    fn it_never_holds_more_bytes_than_its_bound_and_keeps_what_a_naive_list_keeps() {
        for seed in 0..20 {
            let mut random = fastrand::Rng::with_seed(seed);
            let most = random.usize(0..3_000);
            let (mut recent, mut naive) = (Recent::new(most), Naive::default());
            for _ in 0..2_000 {
                let key = random.u128(0..12);
                if random.bool() {
                    assert_eq!(recent.get(Key(key)).is_some(), naive.get(key));
                } else {
                    let bytes = random.usize(0..900);
                    recent.put(Key(key), entry(bytes));
                    naive.put(key, bytes, most);
                }
                assert_eq!(order(&recent), naive.0);
                let held: usize = naive.0.iter().map(|(_, bytes)| bytes + OVERHEAD).sum();
                assert_eq!(recent.bytes, held);
                assert!(recent.bytes <= most && recent.nodes.len() <= 12);
            }
        }
    }
}
